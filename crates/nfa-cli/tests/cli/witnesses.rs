//! `--witness`: asked over HTTP, and missed by nobody but a policy.

use std::sync::Arc;

use nfa_testkit::server::{Reply, Script};
use nfa_testkit::web::{Answer, WebServer};
use nfa_testkit::witness::{TestWitness, WitnessServer};
use serde_json::Value;

use crate::support::{Done, Place, finish};

async fn witness(number: u8) -> (WitnessServer, String, String) {
    let witness = TestWitness::new(&format!("witness-{number}.example"), &[number; 32]);
    let server = WitnessServer::start(Arc::new(witness.of_any_log()))
        .await
        .unwrap();
    let key = server.key().to_string();
    let named = format!("{} {key}", server.url());
    (server, key, named)
}

async fn place() -> Place {
    Place::new(Script::always(Reply::text("Hello."))).await
}

/// What `nfa proof verify` says of the newest run under a policy that asks for these witnesses.
async fn verified(place: &Place, run: &str, witnesses: &[&str]) -> Done {
    let args = ["proof", "export", run, "-o", "proof.json", "--json"];
    let exported: Value = place.nfa(&args).await.expect(0).records().remove(0);
    let mut args = vec!["proof", "verify", "proof.json", "--key"];
    args.push(exported["verifier_key"].as_str().unwrap());
    for key in witnesses {
        args.extend(["--witness", key]);
    }
    place.nfa(&args).await
}

#[tokio::test]
async fn what_is_run_is_signed_by_the_witnesses_that_are_named() {
    let place = place().await;
    let ((_one, first, one), (_two, second, two)) = (witness(1).await, witness(2).await);
    let args = [
        "run",
        "agent.yaml",
        "Hi",
        "--session",
        "s",
        "--witness",
        &one,
    ];
    let done = place.nfa(&args).await.expect(0);
    assert!(!done.stderr.contains("witness"), "{}", done.stderr);
    let run = place.only_run().await;
    verified(&place, &run, &[&first]).await.expect(0);
    verified(&place, &run, &[&first, &second]).await.expect(11);

    // The variable names two; a chat asks them as well.
    let mut chat = place.command(&["chat", "agent.yaml", "--session", "s", "--json"]);
    chat.env("NFA_WITNESS", format!("{one},{two}"));
    place.write("said", "Hi\n");
    chat.stdin(std::fs::File::open(place.path("said")).unwrap());
    finish(chat).await.expect(0);
    verified(&place, &run, &[&first, &second]).await.expect(0);
}

#[tokio::test]
async fn a_witness_that_fails_holds_nothing_up_and_is_told() {
    let place = place().await;
    let (_good, key, good) = witness(1).await;
    let (_, other, _) = witness(2).await;
    let refusing = WebServer::start(|_| Answer::status(403).body("no such key\n")).await;
    let refusing = refusing.unwrap();
    let broken = format!("{} {other}", refusing.url());
    let args = ["run", "agent.yaml", "Hi", "--witness", &broken];
    let done = place.nfa(&args).await.expect(0);
    assert!(done.stdout.contains("Hello."), "{}", done.stdout);
    assert!(
        done.stderr.contains("a witness did not sign: ") && done.stderr.contains("no such key"),
        "{}",
        done.stderr
    );
    let run = place.only_run().await;
    verified(&place, &run, &[]).await.expect(0);
    verified(&place, &run, &[&other]).await.expect(11);

    let checkpoint = ["proof", "checkpoint", "helper", "--json"];
    let ask = async |witnesses: &[&str], code| {
        let named = witnesses.iter().flat_map(|witness| ["--witness", witness]);
        let args: Vec<_> = checkpoint.into_iter().chain(named).collect();
        place.nfa(&args).await.expect(code)
    };
    ask(&[], 0).await;
    let missing = ask(&[&good, &broken], 11).await;
    let error = missing.error();
    assert_eq!(error.code, "witnesses_missing");
    let details = &error.details["witnesses"];
    assert_eq!(details.as_array().unwrap().len(), 1, "{details}");
    assert_eq!(details[0]["key"], other);
    assert_eq!(details[0]["error"]["code"], "witness_refused");
    let info: nfa_core::runtime::LogInfo = missing.records().remove(0);
    assert!(info.checkpoint.unwrap().contains("witness-1.example"));
    ask(&[&good], 0).await;
    verified(&place, &run, &[&key]).await.expect(0);
}

#[tokio::test]
async fn a_resumed_run_asks_them_too() {
    let place = Place::new(Script::tool_rounds(1, "pay", "{}", "Done.")).await;
    place.agent("tools:\n  - name: pay\n    argv: [sh, -c, 'cat > /dev/null; echo 1']\n    parameters: { type: object }\n    approval: always\n");
    place.nfa(&["run", "agent.yaml", "Pay."]).await.expect(3);
    let run = place.only_run().await;
    let (_server, key, named) = witness(1).await;
    place.nfa(&["signal", &run, "approve", "2"]).await.expect(0);
    let args = ["resume", &run, "--witness", &named];
    place.nfa(&args).await.expect(0);
    verified(&place, &run, &[&key]).await.expect(0);
}

#[tokio::test]
async fn a_witness_that_is_none_is_refused_before_anything_happens() {
    let place = place().await;
    let (_server, key, named) = witness(1).await;
    for (wrong, code) in [
        (key.clone(), "witness_malformed"),
        (format!("{named} more"), "witness_malformed"),
        ("http://127.0.0.1 key".to_owned(), "key_malformed"),
        (format!("ftp://127.0.0.1 {key}"), "http_url_invalid"),
    ] {
        let args = ["run", "agent.yaml", "Hi", "--json", "--witness", &wrong];
        let error = place.nfa(&args).await.expect(2).error();
        assert_eq!(error.code, code, "{wrong}");
    }
    assert!(!place.path("nfa.db").exists());
    assert_eq!(place.server.count(), 0);
}
