//! Every scenario of the repository on every store: the same events and the same canonical journal, byte for byte
//! (law L11). `scenarios/README.md` says what the files mean, and how runners in other languages play them.
//!
//! `NFA_UPDATE_SCENARIOS=1` writes what is expected anew, from the store in memory. `NFA_SCENARIO` names the only one to
//! play.

#![cfg(all(feature = "models", feature = "sqlite"))]
// Helpers of tests may fail like tests.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used
)]

mod compared;
mod files;
mod playing;
mod stage;
mod tools;
mod vectors;

use std::path::PathBuf;

use playing::{Played, play};
use serde_json::{Value, json};

/// Plays all of them, some at a time; gives what differs, or writes down what is expected from now on.
async fn play_all(url: impl Fn(&str) -> String, updating: bool) -> Vec<String> {
    let mut differences = Vec::new();
    let files = files::all();
    assert!(files.len() >= 25 || files::only().is_some());
    for some in files.chunks(8) {
        let played = some.iter().map(|file| {
            let url = url(&file.name);
            async move {
                (
                    file,
                    play(file.name.clone(), file.scenario.clone(), url).await,
                )
            }
        });
        for (file, played) in futures_util::future::join_all(played).await {
            match played {
                Ok(played) if updating => file.write_expected(&played),
                played => differences.extend(compared::with(file, &played)),
            }
        }
    }
    differences
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l11_every_scenario_ends_with_its_journal_in_memory() {
    let differences = play_all(|_| "memory:".to_owned(), files::updating()).await;
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l11_every_scenario_ends_with_its_journal_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let differences = play_all(|name| sqlite(&folder, name), false).await;
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn sqlite(folder: &tempfile::TempDir, name: &str) -> String {
    let path: PathBuf = folder.path().join(format!("{name}.db"));
    format!("sqlite:{}", path.display())
}

/// What the tests above would not see is shown here to be seen: each change of what is expected, or of what is played,
/// and nothing without one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l11_a_changed_expectation_is_found() {
    let file = files::named("one_tool");
    let played = play(
        file.name.clone(),
        file.scenario.clone(),
        "memory:".to_owned(),
    )
    .await;
    assert_eq!(compared::with(&file, &played), Vec::<String>::new());

    let changed = |change: &dyn Fn(&mut Played)| {
        let mut expected = file.expected();
        change(&mut expected);
        compared::two(&file.name, &expected, &played)
    };
    let journal = changed(&|expected| {
        assert!(expected.journal.contains("\"output_tokens\":"));
        expected.journal =
            expected
                .journal
                .replacen("\"output_tokens\":", "\"output_tokens\":1", 1);
    });
    assert_eq!(journal.len(), 1, "{journal:?}");
    assert!(journal[0].contains("the journal"), "{journal:?}");
    let text = changed(&|expected| {
        let told = expected.told[0]["events"][""].as_array_mut().unwrap();
        told.last_mut().unwrap()["outcome"]["text"] = "another".into();
    });
    assert_eq!(text.len(), 1, "{text:?}");
    let fewer = changed(&|expected| drop(expected.told.pop()));
    assert_eq!(fewer.len(), 1, "{fewer:?}");

    // Another program, another script and another tool: each ends with another journal.
    for change in [
        &(|scenario: &mut Value| scenario["agent"]["instructions"] = "Be brief.".into())
            as &dyn Fn(&mut Value),
        &|scenario| scenario["model"][1]["text"] = "It is 43.".into(),
        &|scenario| scenario["tools"]["add"]["does"] = json!([{"return": 43}]),
    ] {
        let mut scenario = file.value();
        change(&mut scenario);
        let scenario = serde_json::from_value(scenario).unwrap();
        let played = play(file.name.clone(), scenario, "memory:".to_owned()).await;
        assert!(!compared::with(&file, &played).is_empty());
    }
}

#[test]
fn l11_the_schema_of_the_files_is_the_one_beside_them() {
    let schema = schemars::schema_for!(nfa_testkit::scenario::Scenario);
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    let path = files::folder().join("schema.json");
    if files::updating() {
        std::fs::write(&path, &text).unwrap();
    }
    let stored: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(
        without_words(stored.clone()),
        without_words(schema.to_value()),
        "run with NFA_UPDATE_SCENARIOS=1"
    );
    let schema = stored;
    let schema = jsonschema::validator_for(&schema).unwrap();
    for file in files::all() {
        let faults: Vec<_> = schema
            .iter_errors(&file.value())
            .map(|error| error.to_string())
            .collect();
        assert!(faults.is_empty(), "{}: {faults:?}", file.name);
        let mut wrong = file.value();
        wrong["acts"][0]["do"] = "guess".into();
        assert!(!schema.is_valid(&wrong), "{}", file.name);
    }
}

/// A schema without what it tells people, which changes with the documentation of types far from here.
fn without_words(schema: Value) -> Value {
    match schema {
        Value::Object(members) => {
            let members = members.into_iter();
            let kept = members.filter(|(name, value)| name != "description" || !value.is_string());
            kept.map(|(name, value)| (name, without_words(value)))
                .collect()
        }
        Value::Array(items) => items.into_iter().map(without_words).collect(),
        other => other,
    }
}
