//! `nfa proof`: exporting, and verifying with nothing but the file and a key.

use base64::Engine as _;
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

/// Three turns of one session, with a tool in the last; gives the last's run.
async fn conversed() -> (Place, String) {
    let script = Script::from_fn(|request| match (request.tool_results(), request.json()) {
        (0, asked) if asked["messages"].to_string().contains("Pay.") => {
            Reply::calls([("pay", "{}")])
        }
        _ => Reply::text("Hello."),
    });
    let place = Place::new(script).await;
    place.agent("tools:\n  - name: pay\n    argv: [sh, -c, 'cat > /dev/null; echo 7']\n");
    for text in ["My secret.", "Hi again.", "Pay."] {
        let args = ["run", "agent.yaml", text, "--session", "s"];
        place.nfa(&args).await.expect(0);
    }
    let runs = place.nfa(&["runs", "--json"]).await.expect(0);
    let newest: Value = runs.records().remove(0);
    let run = newest["run"].as_str().unwrap().to_owned();
    (place, run)
}

/// Exports with these words, and verifies that.
async fn shown(place: &Place, run: &str, words: &[&str]) -> Value {
    let export = ["proof", "export", run, "-o", "some.proof", "--json"];
    let exported = place.nfa(&[&export, words].concat()).await.expect(0);
    let exported: Value = exported.records().remove(0);
    let key = exported["verifier_key"].as_str().unwrap();
    let verify = ["proof", "verify", "some.proof", "--key", key, "--json"];
    place.nfa(&verify).await.expect(0).records().remove(0)
}

/// The names of what a leaf of a report shows.
fn names(report: &Value, leaf: usize) -> Vec<&str> {
    let fields = report["leaves"][leaf]["disclosed"].as_array().unwrap();
    let names = fields.iter().map(|field| field["name"].as_str().unwrap());
    names.collect()
}

#[tokio::test]
async fn one_answer_is_shown_without_the_rest() {
    let (place, run) = conversed().await;
    let receipt = place.nfa(&["proof", "receipt", &run, "--json"]).await;
    let receipt: nfa_core::runtime::Receipt = receipt.expect(0).records().remove(0);
    let entries: Vec<String> = receipt
        .leaves
        .iter()
        .map(|leaf| leaf.entry.to_string())
        .collect();
    assert_eq!(entries.len(), 3, "two turns and a call");
    let last = &*entries[2];

    let all = shown(&place, &run, &[]).await;
    assert_eq!(all["leaves"].as_array().unwrap().len(), 3);
    assert!(names(&all, 2).len() > 5 && all["leaves"][2]["hidden"] == serde_json::json!([]));
    let answer = ["--entry", last, "--field", "response"];
    let one = shown(&place, &run, &answer).await;
    assert_eq!(one["leaves"].as_array().unwrap().len(), 1);
    assert_eq!(one["leaves"][0]["id"], all["leaves"][2]["id"]);
    assert_eq!(names(&one, 0), ["response"]);
    let fields = shown(&place, &run, &["--field", "response", "--field", "32"]).await;
    let per_leaf = [0, 1, 2].map(|leaf| names(&fields, leaf));
    assert_eq!(per_leaf, [vec!["response"], vec!["tool"], vec!["response"]]);

    for (wrong, expected) in [
        (&["--entry", "0"][..], "field_unknown"),
        (&["--field", "nothing"], "field_unknown"),
        (&["--field", "error"], "field_unknown"),
        (&["--entry", last, "--sent=9"], "field_unknown"),
        (&["--entry", &*entries[1], "--sent"], "field_unknown"),
        (&["--entry", last, "--entry", "0", "--sent"], "usage"),
        (&["--sent"], "usage"),
    ] {
        let export = ["proof", "export", &run, "-o", "none.proof", "--json"];
        let refused = place.nfa(&[&export, wrong].concat()).await.expect(2);
        let code = refused.error().code;
        assert_eq!(code, expected, "{wrong:?}");
        assert!(!place.path("none.proof").exists());
    }
}

#[tokio::test]
async fn one_message_that_the_model_was_sent_is_shown_without_the_others() {
    let (place, run) = conversed().await;
    let receipt = place.nfa(&["proof", "receipt", &run, "--json"]).await;
    let receipt: nfa_core::runtime::Receipt = receipt.expect(0).records().remove(0);
    let last = receipt.leaves[2].entry.to_string();
    let all = shown(&place, &run, &["--entry", &last, "--sent"]).await;
    let messages = all["leaves"][0]["context"].as_array().unwrap();
    // Two turns before, the question, the call and its result.
    assert_eq!(messages.len(), 7, "{messages:#?}");
    assert!(messages[0].to_string().contains("My secret."));
    assert!(messages[6].to_string().contains('7'));

    let words = ["--entry", &last, "--field", "response", "--sent=4,6"];
    let some = shown(&place, &run, &words).await;
    let context = some["leaves"][0]["context"].as_array().unwrap();
    assert_eq!(context[..], [messages[4].clone(), messages[6].clone()]);
    assert_eq!(names(&some, 0), ["response", "context"]);
    let file = std::fs::read_to_string(place.path("some.proof")).unwrap();
    let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let hidden = messages[0]["text"].as_str().unwrap();
    assert!(!file.contains(&base64(hidden)), "it is in the file");
    let shown = messages[4]["text"].as_str().unwrap();
    assert!(file.contains(&base64(shown)));
}
