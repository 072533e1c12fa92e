//! `nfa erase`: what was said is gone, and every proof of the rest still verifies.

use nfa_testkit::server::{Reply, Script};
use serde_json::{Value, json};

use crate::support::{HeldTool, Place};

async fn place() -> Place {
    Place::new(Script::always(Reply::text("Hello."))).await
}

/// Makes a turn, and gives its run.
async fn said(place: &Place, text: &str, who: &[&str]) -> String {
    let args = [&["run", "agent.yaml", text, "--json"], who].concat();
    place.nfa(&args).await.expect(0).outcome().run.to_string()
}

async fn erased(place: &Place, what: &[&str]) -> Value {
    let args = [&["erase"], what, &["--yes", "--json"]].concat();
    place.nfa(&args).await.expect(0).records().remove(0)
}

/// What `nfa proof verify` says of a bundle, which must be valid.
async fn verified(place: &Place, bundle: &str, key: &str) -> Value {
    let args = ["proof", "verify", bundle, "--key", key, "--json"];
    place.nfa(&args).await.expect(0).records().remove(0)
}

/// Exports the proof of a run to `file`; gives the key that signed it.
async fn exported(place: &Place, run: &str, file: &str) -> String {
    let args = ["proof", "export", run, "-o", file, "--json"];
    let exported: Value = place.nfa(&args).await.expect(0).records().remove(0);
    exported["verifier_key"].as_str().unwrap().to_owned()
}

/// The names of a leaf's fields that are erased, and those that are shown.
fn fields(report: &Value) -> (Vec<String>, Vec<String>) {
    let leaf = &report["leaves"][0];
    let names = |list: &str| {
        let list = leaf[list].as_array().unwrap().iter();
        let mut names: Vec<_> = list
            .map(|field| field["name"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    (names("erased"), names("disclosed"))
}

/// Whether the content of a run can still be opened.
async fn is_readable(place: &Place, run: &str, text: &str) -> bool {
    let shown = place.nfa(&["show", run, "--content"]).await.expect(0);
    shown.stdout.contains(text)
}

#[tokio::test]
async fn an_erased_session_is_reported_as_erased_and_the_others_still_verify() {
    let place = place().await;
    let gone = said(&place, "my secret", &["--session", "s"]).await;
    let stays = said(&place, "no secret", &["--session", "t"]).await;
    let key = exported(&place, &gone, "before.json").await;
    let (none, all) = fields(&verified(&place, "before.json", &key).await);
    assert!(none.is_empty() && all.contains(&"prompt".to_owned()));
    assert!(is_readable(&place, &gone, "my secret").await);

    let report = erased(&place, &["session", "s"]).await;
    assert_eq!(report["erased"], json!({ "session": "s" }));
    assert_eq!((&report["runs"], &report["keys"]), (&json!(1), &json!(1)));
    assert!(report["blobs"].as_u64().unwrap() > 0);

    exported(&place, &gone, "after.json").await;
    let (lost, left) = fields(&verified(&place, "after.json", &key).await);
    assert_eq!((lost, left.len()), (all.clone(), 0), "the same fields");
    assert!(!is_readable(&place, &gone, "my secret").await);
    let before = verified(&place, "before.json", &key).await;
    assert_eq!(fields(&before).1, all, "what somebody has, they have");
    exported(&place, &stays, "other.json").await;
    let (none, _) = fields(&verified(&place, "other.json", &key).await);
    assert!(none.is_empty());
    assert!(is_readable(&place, &stays, "no secret").await);

    let again = erased(&place, &["session", "s"]).await;
    assert_eq!((&again["runs"], &again["keys"]), (&json!(1), &json!(0)));
    exported(&place, &gone, "again.json").await;
    assert_eq!(fields(&verified(&place, "again.json", &key).await).0, all);
}

#[tokio::test]
async fn a_user_and_a_run_are_erased_by_themselves() {
    let place = place().await;
    let one = said(&place, "first", &["--session", "a", "--user", "ada"]).await;
    let two = said(&place, "second", &["--session", "b", "--user", "ada"]).await;
    let other = said(&place, "third", &["--session", "c", "--user", "bob"]).await;
    let alone = said(&place, "fourth", &[]).await;

    let report = erased(&place, &["run", &alone[..12]]).await;
    assert_eq!(report["erased"], json!({ "run": alone }));
    assert_eq!(report["runs"], 1);
    assert!(!is_readable(&place, &alone, "fourth").await);
    assert!(is_readable(&place, &one, "first").await);

    let people = place
        .nfa(&["erase", "user", "ada", "--yes"])
        .await
        .expect(0);
    assert!(
        people
            .stdout
            .starts_with("user `ada`: what was said in 2 runs\nerased: 1 key destroyed, "),
        "{}",
        people.stdout
    );
    assert!(!is_readable(&place, &one, "first").await);
    assert!(!is_readable(&place, &two, "second").await);
    assert!(is_readable(&place, &other, "third").await);
}

#[tokio::test]
async fn one_field_is_erased_and_its_neighbours_are_shown() {
    let place = place().await;
    let run = said(&place, "my secret", &["--session", "s"]).await;
    let key = exported(&place, &run, "before.json").await;
    let (_, all) = fields(&verified(&place, "before.json", &key).await);
    let receipt = place.nfa(&["proof", "receipt", &run, "--json"]).await;
    let receipt: Value = receipt.expect(0).records().remove(0);
    let entry = receipt["leaves"][0]["entry"].to_string();

    let report = erased(&place, &["field", &run, &entry, "response"]).await;
    let field = &report["erased"]["field"];
    assert_eq!(
        (&field["field"], &field["run"]),
        (&json!("response"), &json!(run))
    );
    exported(&place, &run, "after.json").await;
    let (lost, left) = fields(&verified(&place, "after.json", &key).await);
    assert_eq!(lost, ["response"]);
    assert_eq!(left.len(), all.len() - 1);
    assert!(left.contains(&"prompt".to_owned()));
    let again = place
        .nfa(&["erase", "field", &run, &entry, "response", "--yes"])
        .await
        .expect(0);
    assert!(again.stdout.contains("so before"), "{}", again.stdout);

    let unknown = ["erase", "field", &run, "9999", "prompt", "--yes", "--json"];
    let error = place.nfa(&unknown).await.expect(2).error();
    assert_eq!(error.code, "field_unknown");
    let nameless = ["erase", "field", &run, &entry, "promt", "--yes", "--json"];
    let error = place.nfa(&nameless).await.expect(2).error();
    assert_eq!(error.code, "field_unknown");
    assert!(error.message.contains("prompt"), "{}", error.message);
}

#[tokio::test]
async fn nothing_is_erased_unasked_or_by_a_wrong_name() {
    let place = place().await;
    let missing = ["erase", "session", "s", "--yes", "--json"];
    let error = place.nfa(&missing).await.expect(2).error();
    assert_eq!(error.code, "store_missing");
    let run = said(&place, "my secret", &["--session", "s", "--user", "ada"]).await;
    for (what, code) in [
        (&["session", "S"][..], "session_unknown"),
        (&["user", "s"], "user_unknown"),
        (&["run", &"0".repeat(32)], "run_unknown"),
        (&["run", "no id"], "invalid_run_id"),
    ] {
        let args = [&["erase"], what, &["--yes", "--json"]].concat();
        let error = place.nfa(&args).await.expect(2).error();
        assert_eq!(error.code, code, "{what:?}");
    }
    for rest in [&[][..], &["--json"]] {
        let args = [&["erase", "session", "s"], rest].concat();
        let refused = place.nfa(&args).await.expect(2);
        assert!(refused.stderr.contains("usage"), "{}", refused.stderr);
        assert!(refused.stderr.contains("--yes"), "{}", refused.stderr);
        assert_eq!(refused.stdout, "");
    }
    assert!(is_readable(&place, &run, "my secret").await);
    erased(&place, &["session", "s"]).await;
    assert!(!is_readable(&place, &run, "my secret").await);
}

#[tokio::test]
async fn a_run_that_is_executed_is_not_erased_under_it() {
    let place = Place::new(Script::tool_rounds(1, "work", "{}", "Done.")).await;
    let tool = HeldTool::new(&place, "work");
    let rest = "    parameters: { type: object }\n";
    place.agent(&format!("tools:\n{}", tool.yaml("work", rest)));
    let mut running = place.spawn(&["run", "agent.yaml", "my secret", "--session", "s"]);
    let run = running.run().await;
    tool.began().await;
    for what in [["session", "s"], ["run", &run]] {
        let args = [&["erase"], &what[..], &["--yes", "--json"]].concat();
        let error = place.nfa(&args).await.expect(5).error();
        assert_eq!(error.code, "erasure_busy", "{what:?}");
    }
    tool.let_go("ok").await;
    running.done().await.expect(0);
    assert!(is_readable(&place, &run, "my secret").await);
    erased(&place, &["session", "s"]).await;
    assert!(!is_readable(&place, &run, "my secret").await);
}
