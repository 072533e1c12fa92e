//! What `--json` prints, judged by what `nfa schema` says of it: every line of every command in these tests.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use jsonschema::Validator;
use nfa_testkit::server::{Reply, Script};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::Place;

/// The words after `nfa schema` for what a command prints; `None` when it prints something else, or not JSON.
pub(crate) fn schema_for(command: &Command) -> Option<&'static str> {
    let args: Vec<_> = command.as_std().get_args().collect();
    let has = |word: &str| args.iter().any(|arg| *arg == word);
    let words = ["erase", "run", "chat", "resume", "show", "runs"];
    let word = words.into_iter().find(|word| has(word))?;
    has("--json").then_some(match word {
        "runs" => "run",
        "erase" => "erased",
        "show" if has("--content") => "opened-entry",
        "show" => "entry",
        _ => "event",
    })
}

/// Fails unless every line is what `nfa schema NAME` says.
pub(crate) fn judge(name: &'static str, stdout: &str) {
    static VALIDATORS: LazyLock<Mutex<HashMap<&'static str, &'static Validator>>> =
        LazyLock::new(Mutex::default);
    let mut validators = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    let validator = *validators
        .entry(name)
        .or_insert_with(|| Box::leak(Box::new(strict(printed_schema(name)))));
    drop(validators);
    for line in stdout.lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        let faults: Vec<_> = validator
            .iter_errors(&value)
            .map(|e| e.to_string())
            .collect();
        assert!(faults.is_empty(), "schema {name}: {faults:#?} in {line}");
    }
}

fn printed_schema(name: &str) -> Value {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_nfa"))
        .args(["schema", name, "--json"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The schema without room for fields that it does not name: readers leave such room, a writer that uses it
/// has forgotten to say something.
fn strict(mut schema: Value) -> Validator {
    let close = |schema: &mut Value| schema["unevaluatedProperties"] = json!(false);
    // The whole, and what stands in it as a value of its own. What is flattened into something else does not.
    let whole = [
        "Entry",
        "ErrorFact",
        "ErrorReport",
        "Limits",
        "OutcomeSummary",
        "Usage",
    ];
    if let Some(definitions) = schema.get_mut("$defs").and_then(Value::as_object_mut) {
        for (_, definition) in definitions
            .iter_mut()
            .filter(|(name, _)| whole.contains(&&***name))
        {
            close(definition);
        }
    }
    close(&mut schema);
    jsonschema::draft202012::new(&schema).unwrap()
}

#[tokio::test]
async fn a_line_that_is_not_what_the_schema_says_is_noticed() {
    let place = Place::new(Script::always(Reply::text("Hello."))).await;
    let run = place
        .nfa(&["run", "agent.yaml", "Hi", "--json"])
        .await
        .expect(0);
    let id = run.outcome().run.to_string();
    let show = place.nfa(&["show", &id, "--json"]).await.expect(0);
    let opened = place
        .nfa(&["show", &id, "--content", "--json"])
        .await
        .expect(0);
    let runs = place.nfa(&["runs", "--json"]).await.expect(0);
    let erased = place
        .nfa(&["erase", "run", &id, "--yes", "--json"])
        .await
        .expect(0);
    for (name, done, field) in [
        ("event", &run, "/entry/at"),
        ("entry", &show, "/at"),
        ("opened-entry", &opened, "/entry/run"),
        ("run", &runs, "/status"),
        ("erased", &erased, "/runs"),
    ] {
        let first: Value = serde_json::from_str(done.stdout.lines().next().unwrap()).unwrap();
        let refused = |change: &dyn Fn(&mut Value)| {
            let mut line = first.clone();
            change(&mut line);
            std::panic::catch_unwind(|| judge(name, &line.to_string())).is_err()
        };
        assert!(!refused(&|_| {}), "{name}: as it is");
        assert!(
            refused(&|line| *line.pointer_mut(field).unwrap() = json!("?")),
            "{name}: wrong"
        );
        assert!(
            refused(&|line| line["more"] = json!(1)),
            "{name}: an unknown field"
        );
        let (parent, key) = field.rsplit_once('/').unwrap();
        let without = |line: &mut Value| {
            let parent = line.pointer_mut(parent).unwrap().as_object_mut().unwrap();
            parent.remove(key).unwrap();
        };
        assert!(refused(&without), "{name}: a field too few");
    }
    // What one command prints is not what another does.
    assert!(std::panic::catch_unwind(|| judge("entry", &run.stdout)).is_err());
}
