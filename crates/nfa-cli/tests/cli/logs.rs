//! `nfa proof export-log`, `audit` and `consistency`, and policies in a file.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nfa_proof::{CosignatureSigner, Sha256, verify_consistency};
use nfa_testkit::server::{Reply, Script};
use serde_json::{Value, json};

use crate::support::{Place, command, finish};

/// A folder whose agent has made as many turns as there are inputs.
pub(crate) async fn talked(inputs: &[&str]) -> Place {
    let place = Place::new(Script::always(Reply::text("Hello."))).await;
    talk(&place, inputs).await;
    place
}

pub(crate) async fn talk(place: &Place, inputs: &[&str]) {
    for input in inputs {
        place
            .nfa(&["run", "agent.yaml", input, "--session", "s"])
            .await
            .expect(0);
    }
}

pub(crate) async fn export(place: &Place) -> Value {
    let args = ["proof", "export-log", "helper", "-o", "log", "--json"];
    place.nfa(&args).await.expect(0).records().remove(0)
}

pub(crate) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap();
            found.insert(name.to_owned(), std::fs::read(&path).unwrap());
        }
    }
    found
}

pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap()
}

#[tokio::test]
async fn a_log_is_exported_bit_by_bit_and_audited_where_there_is_no_store() {
    let place = talked(&["one", "two"]).await;
    let first = export(&place).await;
    let size = first["size"].as_u64().unwrap();
    assert!(size >= 2 && first["before"] == 0, "{first}");
    let before = files(&place.path("log"));
    let again = export(&place).await;
    assert_eq!(again["before"], size, "{again}");
    assert_eq!(again["files_written"], 0, "nothing is new: {again}");
    assert_eq!(files(&place.path("log")), before);

    talk(&place, &["three"]).await;
    let more = export(&place).await;
    let larger = more["size"].as_u64().unwrap();
    assert!(more["before"] == size && larger > size, "{more}");
    let kept = format!("checkpoints/{size}");
    assert_eq!(
        files(&place.path("log"))[&kept],
        before["checkpoint"],
        "the older checkpoint is kept"
    );

    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::rename(place.path("log"), elsewhere.path().join("log")).unwrap();
    let key = text(&more, "verifier_key");
    let args = ["proof", "audit", "log", "--key", key];
    let people = finish(command(elsewhere.path(), &args)).await.expect(0);
    assert!(people.stdout.starts_with("HOLDS"), "{}", people.stdout);
    let args = [&args[..], &["--json"]].concat();
    let audit: Value = finish(command(elsewhere.path(), &args))
        .await
        .expect(0)
        .records()
        .remove(0);
    assert_eq!(audit["holds"], true);
    assert_eq!(audit["leaves"], larger);
    assert_eq!(audit["checkpoints"], json!([size, larger]));
    assert_eq!(audit["findings"], json!([]));
}

#[tokio::test]
async fn an_audit_tells_what_is_wrong_by_its_exit_code_and_its_findings() {
    let place = talked(&["one", "two"]).await;
    let exported = export(&place).await;
    let key = text(&exported, "verifier_key").to_owned();
    let size = exported["size"].as_u64().unwrap();
    let good = files(&place.path("log"));
    let audit = async |key: &str, rest: &[&str], code: i32| {
        let args = [&["proof", "audit", "log", "--key", key, "--json"], rest].concat();
        let audit: Value = place.nfa(&args).await.expect(code).records().remove(0);
        assert_eq!(audit["holds"], code == 0, "{audit}");
        let findings = audit["findings"].as_array().unwrap().iter();
        let mut codes: Vec<_> = findings
            .map(|finding| text(finding, "code").to_owned())
            .collect();
        codes.dedup();
        codes
    };
    assert_eq!(audit(&key, &[], 0).await, [""; 0]);

    let entries = format!("log/tile/entries/000.p/{size}");
    let mut bytes = good[entries.strip_prefix("log/").unwrap()].clone();
    *bytes.last_mut().unwrap() ^= 1;
    place.write(&entries, &bytes);
    let changed = audit(&key, &[], 10).await;
    assert!(changed.contains(&"root_mismatch".to_owned()), "{changed:?}");
    std::fs::remove_file(place.path(&entries)).unwrap();
    assert_eq!(audit(&key, &[], 12).await, ["entries_missing"]);
    place.write(&entries, &good[entries.strip_prefix("log/").unwrap()]);

    let other = talked(&["one"]).await;
    let other_key = export(&other).await;
    let other_key = text(&other_key, "verifier_key");
    assert_eq!(audit(other_key, &[], 11).await, ["log_key_unknown"]);
    let witness = ["--witness", other_key];
    assert_eq!(audit(&key, &witness, 11).await, ["witnesses_missing"]);

    // What was signed later than this is not in the folder: it was cut back.
    talk(&place, &["three"]).await;
    let newer = place
        .nfa(&["proof", "checkpoint", "helper"])
        .await
        .expect(0);
    place.write("newer", newer.stdout);
    let known = ["--known", "newer"];
    assert_eq!(audit(&key, &known, 10).await, ["checkpoint_rollback"]);
    export(&place).await;
    assert_eq!(audit(&key, &known, 0).await, [""; 0]);

    let args = ["proof", "audit", "nowhere", "--key", &key, "--json"];
    let nothing: Value = place.nfa(&args).await.expect(12).records().remove(0);
    assert_eq!(nothing["findings"][0]["code"], "checkpoint_missing");
    let unreadable = audit_error(&place, &key, "absent").await;
    assert_eq!(unreadable, "checkpoint_unreadable");
}

async fn audit_error(place: &Place, key: &str, known: &str) -> String {
    let args = [
        "proof", "audit", "log", "--key", key, "--known", known, "--json",
    ];
    place.nfa(&args).await.expect(12).error().code
}

#[tokio::test]
async fn an_export_of_another_log_is_not_written_over() {
    let (one, two) = (talked(&["one"]).await, talked(&["two"]).await);
    export(&one).await;
    std::fs::rename(one.path("log"), two.path("log")).unwrap();
    let before = files(&two.path("log"));
    let args = ["proof", "export-log", "helper", "-o", "log", "--json"];
    let refused = two.nfa(&args).await.expect(2).error();
    assert_eq!(refused.code, "origin_mismatch");
    assert_eq!(files(&two.path("log")), before);
}

#[tokio::test]
async fn a_log_is_shown_to_have_only_grown() {
    let place = talked(&["one"]).await;
    let small = export(&place).await["size"].as_u64().unwrap();
    talk(&place, &["two", "three"]).await;
    let large = export(&place).await["size"].as_u64().unwrap();
    let sizes = [small.to_string(), large.to_string()];
    let args = |from: usize, to: usize| {
        [
            "proof",
            "consistency",
            "helper",
            &sizes[from],
            &sizes[to],
            "--json",
        ]
        .map(str::to_owned)
    };
    let ask = async |from, to, code| {
        let args = args(from, to);
        place
            .nfa(&args.each_ref().map(String::as_str))
            .await
            .expect(code)
    };
    let proof: Value = ask(0, 1, 0).await.records().remove(0);
    let hash = |text: &str| <[u8; 32]>::try_from(STANDARD.decode(text).unwrap()).unwrap();
    let hashes = proof["proof"].as_array().unwrap().iter();
    let hashes: Vec<_> = hashes.map(|text| hash(text.as_str().unwrap())).collect();
    let (old, new) = (
        hash(text(&proof, "from_root")),
        hash(text(&proof, "to_root")),
    );
    verify_consistency::<Sha256>(small, large, &hashes, &old, &new).unwrap();
    verify_consistency::<Sha256>(small, large, &hashes, &new, &new).unwrap_err();
    for (size, root) in sizes.iter().zip(["from_root", "to_root"]) {
        let checkpoint = std::fs::read_to_string(place.path(&format!("log/checkpoints/{size}")));
        assert_eq!(checkpoint.unwrap().lines().nth(2), proof[root].as_str());
    }
    assert_eq!(ask(1, 0, 2).await.error().code, "consistency_sizes");
}

#[tokio::test]
async fn a_policy_file_says_whom_to_trust() {
    let place = talked(&["one"]).await;
    let run = place.only_run().await;
    let args = ["proof", "export", &run, "-o", "proof.json", "--json"];
    let exported: Value = place.nfa(&args).await.expect(0).records().remove(0);
    let key = text(&exported, "verifier_key");
    let witness = CosignatureSigner::from_seed("w.example", &[1; 32]).unwrap();
    let witness = witness.verifier_key().to_string();
    let verify = async |policy: Value, rest: &[&str], code: i32| {
        place.write("policy.json", policy.to_string());
        let args = [
            "proof",
            "verify",
            "proof.json",
            "--policy",
            "policy.json",
            "--json",
        ];
        place.nfa(&[&args[..], rest].concat()).await.expect(code)
    };
    verify(json!({ "log_keys": [key] }), &[], 0).await;
    verify(json!({}), &["--key", key], 0).await;
    let nobody = verify(json!({}), &[], 11).await.error();
    assert_eq!(nobody.code, "log_key_unknown");
    let asks = json!({ "log_keys": [key], "witnesses": [witness] });
    let unmet = verify(asks, &[], 11).await.error();
    assert_eq!(unmet.code, "witnesses_missing");
    let may = json!({ "log_keys": [key], "witnesses": [witness], "witnesses_required": 0 });
    verify(may.clone(), &[], 0).await;
    let must = verify(may, &["--witnesses", "1"], 11).await.error();
    assert_eq!(must.code, "witnesses_missing");
    let cut = |size: u64| json!({ "log_keys": [key], "cutoffs": [{ "key": key, "size": size }] });
    verify(cut(1_000_000), &[], 0).await;
    let stolen = verify(cut(1), &[], 11).await.error();
    assert_eq!(stolen.code, "log_key_cut_off");
    for wrong in [
        json!({ "log_key": [key] }),
        json!({ "log_keys": key }),
        json!({ "log_keys": [key], "witnesses_required": 1 }),
    ] {
        let refused = verify(wrong, &[], 2).await.error();
        assert_eq!(refused.code, "policy_malformed", "{refused:?}");
    }
    let no_key = verify(json!({ "log_keys": ["x"] }), &[], 2).await.error();
    assert_eq!(no_key.code, "key_malformed");
}
