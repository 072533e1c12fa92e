//! Help, wrong usage, wrong files, schemas.

use nfa_testkit::server::{Reply, Script};
use serde_json::{Value, json};

use crate::support::{Place, command, finish};

async fn place() -> Place {
    Place::new(Script::always(Reply::text("Hello."))).await
}

#[tokio::test]
async fn help_says_the_exit_codes() {
    let folder = tempfile::tempdir().unwrap();
    let done = finish(command(folder.path(), &["--help"])).await.expect(0);
    insta::assert_snapshot!(done.stdout);
    finish(command(folder.path(), &["--version"]))
        .await
        .expect(0);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn the_page_has_the_exit_codes_of_the_help() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/command-line.md");
    let page = std::fs::read_to_string(page).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let help = finish(command(folder.path(), &["--help"])).await.expect(0);
    let (_, codes) = help.stdout.split_once("Exit codes:\n").unwrap();
    let (codes, _) = codes.split_once("\n\n").unwrap();
    assert_eq!(codes.lines().count(), 10);
    assert!(page.contains(&format!("```\n{codes}\n```")), "{codes}");
}

#[tokio::test]
async fn wrong_usage_is_told_to_people_and_programs() {
    let place = place().await;
    let done = place.nfa(&["rum"]).await.expect(2);
    assert!(
        done.stderr.contains("error[usage]") && done.stderr.contains("run"),
        "{}",
        done.stderr
    );
    let json = place.nfa(&["--json", "rum"]).await.expect(2);
    assert_eq!(
        (json.error().code.as_str(), json.stdout.as_str()),
        ("usage", "")
    );
    place.nfa(&["resume"]).await.expect(2);
    place.nfa(&["resume", "ab", "--all"]).await.expect(2);
}

#[tokio::test]
async fn a_command_that_only_looks_makes_no_store() {
    let place = place().await;
    for args in [
        &["runs"][..],
        &["show", "ab"],
        &["resume", "--all"],
        &["cancel", "ab"],
    ] {
        let done = place.nfa(&[args, &["--json"]].concat()).await.expect(2);
        assert_eq!(done.error().code, "store_missing");
    }
    assert!(!place.path("nfa.db").exists());
    let url = place
        .nfa(&["runs", "--store", "mysql:x", "--json"])
        .await
        .expect(2);
    assert_eq!(url.error().code, "store_url_invalid");
}

#[tokio::test]
async fn a_wrong_agent_file_is_refused_before_anything_happens() {
    let place = place().await;
    place.write(
        "wrong.yaml",
        "name: a\nmodel: x/y\ntools:\n  - name: t\n    argv: [date]\n    efect: pure\n",
    );
    let done = place.nfa(&["run", "wrong.yaml", "Hi"]).await.expect(2);
    insta::assert_snapshot!(done.stderr);
    let json = place
        .nfa(&["run", "wrong.yaml", "Hi", "--json"])
        .await
        .expect(2)
        .error();
    assert_eq!(
        (json.code.as_str(), &json.details["line"]),
        ("agent_file_invalid", &json!(6))
    );
    place.write("wrong.yaml", "name: a b\nmodel: x/y\n");
    let name = place
        .nfa(&["chat", "wrong.yaml", "--json"])
        .await
        .expect(2)
        .error();
    assert_eq!(name.code, "agent_invalid");
    assert!(name.message.starts_with("wrong.yaml: "), "{}", name.message);
    assert!(!place.path("nfa.db").exists());
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_told() {
    let place = place().await;
    place.write("wrong.yaml", "name: a\nmodel: opnai/x\n");
    let done = place.nfa(&["run", "wrong.yaml", "Hi", "--json"]).await;
    assert!(matches!(done.code, Some(2 | 5)), "{done:?}");
    assert_eq!(done.error().code, "model_unknown_provider");
}

#[tokio::test]
async fn an_ambiguous_run_is_not_guessed() {
    let place = place().await;
    for _ in 0..17 {
        place.nfa(&["run", "agent.yaml", "Hi"]).await.expect(0);
    }
    // Seventeen runs: two begin with the same digit.
    let done = place.nfa(&["runs", "--json"]).await.expect(0);
    let mut digits: Vec<_> = done
        .records::<nfa_core::ports::RunRecord>()
        .iter()
        .filter_map(|record| record.run.to_string().chars().next())
        .collect();
    digits.sort_unstable();
    let twice = digits.windows(2).find(|pair| pair[0] == pair[1]).unwrap()[0].to_string();
    let error = place
        .nfa(&["show", &twice, "--json"])
        .await
        .expect(2)
        .error();
    assert_eq!(error.code, "run_ambiguous");
    assert_eq!(
        place
            .nfa(&["show", "XYZ", "--json"])
            .await
            .expect(2)
            .error()
            .code,
        "invalid_run_id"
    );
}

#[tokio::test]
async fn the_schema_takes_what_the_reader_takes() {
    let place = place().await;
    let schema: Value = place
        .nfa(&["schema", "agent", "--json"])
        .await
        .expect(0)
        .records()
        .remove(0);
    let pretty: Value =
        serde_json::from_str(&place.nfa(&["schema", "agent"]).await.expect(0).stdout).unwrap();
    assert_eq!(schema, pretty);
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let cases = [
        (json!({ "name": "a", "model": "x/y" }), true),
        (
            json!({ "name": "a", "model": { "name": "x/y", "settings": { "seed": 1 } } }),
            true,
        ),
        (
            json!({ "name": "a", "model": "x/y", "limits": { "turns": 3 }, "memory": { "history": {} } }),
            true,
        ),
        (
            json!({ "name": "a", "model": "x/y", "tools": [{ "name": "t", "argv": ["t"] }] }),
            true,
        ),
        (
            json!({ "name": "a", "model": "x/y", "tools": [{ "agent": "b", "own_run": true }], "agents": [{ "name": "b", "model": "x/y" }] }),
            true,
        ),
        (json!({ "name": "a" }), false),
        (json!({ "name": "a", "model": 3 }), false),
        (json!({ "name": "a", "model": "x/y", "modle": 1 }), false),
        (
            json!({ "name": "a", "model": { "name": "x/y", "url": "z" } }),
            false,
        ),
        (
            json!({ "name": "a", "model": "x/y", "limits": { "turn": 3 } }),
            false,
        ),
        (
            json!({ "name": "a", "model": "x/y", "tools": [{ "name": "t" }] }),
            false,
        ),
        (
            json!({ "name": "a", "model": "x/y", "tools": [{ "name": "t", "argv": ["t"], "effect": "pur" }] }),
            false,
        ),
    ];
    for (agent, good) in cases {
        let text = agent.to_string();
        assert_eq!(validator.is_valid(&agent), good, "schema: {text}");
        assert_eq!(
            nfa_cli::agent_file::from_str("a.json", &text).is_ok(),
            good,
            "reader: {text}"
        );
    }
}
