//! `nfa proof`: exporting, and verifying with nothing but the file and a key.

use nfa_testkit::server::{Reply, Script};
use serde_json::Value;

use crate::support::{Place, command, finish};

/// A folder with `proof.json` in it, and the key to verify it with.
async fn exported() -> (Place, String) {
    let place = Place::new(Script::always(Reply::text("Hello."))).await;
    place.nfa(&["run", "agent.yaml", "Hi"]).await.expect(0);
    let run = place.only_run().await;
    let done = place
        .nfa(&["proof", "export", &run, "-o", "proof.json", "--json"])
        .await
        .expect(0);
    let exported: Value = done.records().remove(0);
    assert_eq!(exported["run"], run);
    assert_eq!(exported["file"], "proof.json");
    (place, exported["verifier_key"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_proof_verifies_where_there_is_no_store() {
    let (place, key) = exported().await;
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::copy(
        place.path("proof.json"),
        elsewhere.path().join("proof.json"),
    )
    .unwrap();
    let done = finish(command(
        elsewhere.path(),
        &["proof", "verify", "proof.json", "--key", &key],
    ))
    .await
    .expect(0);
    assert!(done.stdout.contains("Hello."), "{}", done.stdout);
    let json = ["proof", "verify", "proof.json", "--key", &key, "--json"];
    let report: Value = finish(command(elsewhere.path(), &json))
        .await
        .expect(0)
        .records()
        .remove(0);
    assert_eq!(report["log"]["key"], key);
    let shown = report["leaves"][0]["disclosed"].to_string();
    assert!(shown.contains("Hello."), "{report}");
    let files: Vec<_> = std::fs::read_dir(elsewhere.path()).unwrap().collect();
    assert_eq!(files.len(), 1, "verifying makes no file");
}

#[tokio::test]
async fn verdicts_have_their_own_exit_codes() {
    let (place, key) = exported().await;
    let good = std::fs::read_to_string(place.path("proof.json")).unwrap();
    let verify = async |file: &str, key: &str, rest: &[&str]| {
        place
            .nfa(&[&["proof", "verify", file, "--key", key, "--json"], rest].concat())
            .await
    };
    verify("proof.json", &key, &[]).await.expect(0);

    // `Hello.` and `Howdy.` in base64.
    let tampered = good.replacen("SGVsbG8u", "SG93ZHku", 1);
    assert_ne!(tampered, good);
    place.write("tampered.json", tampered);
    let invalid = verify("tampered.json", &key, &[]).await.expect(10).error();
    assert_eq!(invalid.details["verdict"], "invalid");

    let (other, other_key) = exported().await;
    let unmet = verify("proof.json", &other_key, &[])
        .await
        .expect(11)
        .error();
    assert_eq!(unmet.details["verdict"], "policy_unmet");
    let witness = verify("proof.json", &key, &["--witness", &other_key])
        .await
        .expect(11)
        .error();
    assert_eq!(witness.code, "witnesses_missing");
    drop(other);

    place.write("garbage.json", "{}");
    let unreadable = verify("garbage.json", &key, &[]).await.expect(12).error();
    assert_eq!(unreadable.details["verdict"], "unreadable");
    assert_eq!(
        verify("absent.json", &key, &[])
            .await
            .expect(12)
            .error()
            .code,
        "bundle_unreadable"
    );
    assert_eq!(
        verify("proof.json", "no key", &[])
            .await
            .expect(2)
            .error()
            .code,
        "key_malformed"
    );
}

#[tokio::test]
async fn checkpoint_and_receipt_are_printed() {
    let (place, key) = exported().await;
    let checkpoint = place
        .nfa(&["proof", "checkpoint", "helper"])
        .await
        .expect(0);
    assert!(checkpoint.stdout.contains("\n— "), "{}", checkpoint.stdout);
    assert!(checkpoint.stderr.contains(&key), "{}", checkpoint.stderr);
    let json = place
        .nfa(&["proof", "checkpoint", "helper", "--json"])
        .await
        .expect(0);
    let info: nfa_core::runtime::LogInfo = json.records().remove(0);
    assert_eq!(info.verifier_key, key);
    assert_eq!(info.checkpoint.unwrap().trim(), checkpoint.stdout.trim());
    let unknown = place
        .nfa(&["proof", "checkpoint", "nobody", "--json"])
        .await
        .expect(2);
    assert_eq!(unknown.error().code, "log_unknown");

    let run = place.only_run().await;
    let receipt = place
        .nfa(&["proof", "receipt", &run, "--json"])
        .await
        .expect(0);
    let receipt: nfa_core::runtime::Receipt = receipt.records().remove(0);
    assert_eq!(receipt.state, nfa_core::runtime::ReceiptState::Checkpointed);
    let out = place
        .nfa(&["proof", "export", &run, "-o", "-"])
        .await
        .expect(0);
    assert_eq!(
        out.stdout,
        std::fs::read_to_string(place.path("proof.json")).unwrap()
    );
}
