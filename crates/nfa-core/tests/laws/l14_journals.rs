//! L14: journals of every release fold for ever, entries of later ones are refused, and every entry stays
//! within its bound.
//!
//! `NFA_WRITE_JOURNALS=1` writes the journals of today's scenarios that are not there yet. A file that is
//! there is never written again: it is what some release wrote.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Once};

use nfa_core::engine::{ENTRY_VERSION, Entry, Exchange, FOLD_VERSION, Fact, MAX_ENTRY_BYTES, Run};
use nfa_core::spec::Program;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::scenarios::{scenarios, small};
use crate::world::{Fate, Pick, World};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/journals/v1")
}

/// The files of all kept journals.
fn kept() -> Vec<PathBuf> {
    static WRITTEN: Once = Once::new();
    WRITTEN.call_once(|| {
        if std::env::var_os("NFA_WRITE_JOURNALS").is_some() {
            write_missing();
        }
    });
    let files = std::fs::read_dir(folder()).unwrap();
    files.map(|file| file.unwrap().path()).collect()
}

/// What a folded run says of itself, apart from how it is kept in memory.
fn told(run: &Run) -> Value {
    let conversation: Vec<Value> = run
        .root_conversation()
        .iter()
        .map(|exchange| match exchange {
            Exchange::Message(address) => json!({ "message": address }),
            Exchange::Answer {
                answer, results, ..
            } => {
                json!({ "answer": answer, "results": results.as_slice() })
            }
        })
        .collect();
    let pending: Vec<String> = run
        .pending()
        .map(|command| {
            let debug = format!("{command:?}");
            let kind = debug
                .split([' ', '{'])
                .next()
                .unwrap_or_default()
                .to_owned();
            format!("{kind} {}", command.step())
        })
        .collect();
    json!({
        "status": run.status(),
        "end": run.end(),
        "output": run.output(),
        "usage": run.usage(),
        "turns": run.turns(),
        "agent": run.agent().spec.name,
        "conversation": conversation,
        "pending": pending,
    })
}

/// The journals of today: every scenario to its end, and one that was cut and recovered on the way.
fn journals() -> Vec<(String, World)> {
    let mut all = Vec::new();
    for scenario in small() {
        for (how, fate) in [("killed", Fate::Performed), ("released", Fate::Released)] {
            if matches!(scenario.name, "parallel" | "nested_child_run" | "approval") {
                let mut cut = World::begin(&scenario, Pick::Oldest);
                cut.run_for(2);
                cut.crash(fate);
                all.push((format!("{}_{how}", scenario.name), cut.clone()));
                cut.run_to_end();
                all.push((format!("{}_{how}_recovered", scenario.name), cut));
            }
        }
        if scenario.name == "parallel" {
            let mut denied = World::begin(&scenario, Pick::Oldest);
            denied.denies = true;
            denied.run_for(1);
            denied.crash(Fate::Performed);
            denied.run_to_end();
            all.push(("parallel_denied".to_owned(), denied));
        }
        all.push((
            scenario.name.to_owned(),
            World::finished(&scenario, Pick::Oldest),
        ));
    }
    all
}

#[test]
fn l14_every_journal_ever_written_folds_to_what_it_was() {
    let mut count = 0;
    for path in kept() {
        let text = std::fs::read_to_string(&path).unwrap();
        let golden: Value = serde_json::from_str(&text).unwrap();
        let program = Program::from_canonical(golden["program"].to_string().as_bytes()).unwrap();
        let entries: Vec<Entry> = entries_of(&golden);
        let run = Run::fold(Arc::new(program), &entries)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(told(&run), golden["folds_to"], "{}", path.display());
        // A reader that drops a field would fold what was never written.
        assert_eq!(
            serde_json::to_value(&entries).unwrap(),
            golden["entries"],
            "{}",
            path.display()
        );
        count += 1;
    }
    assert!(
        count >= journals().len(),
        "only {count} journals: NFA_WRITE_JOURNALS=1 writes what is missing"
    );
}

fn entries_of(golden: &Value) -> Vec<Entry> {
    golden["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| serde_json::from_str(&entry.to_string()).unwrap())
        .collect()
}

fn write_missing() {
    std::fs::create_dir_all(folder()).unwrap();
    for (name, world) in journals() {
        let path = folder().join(format!("{name}.json"));
        if path.exists() {
            continue;
        }
        let mut text = String::from("{\n\"program\": ");
        text.push_str(std::str::from_utf8(world.scenario.program.canonical()).unwrap());
        text.push_str(",\n\"entries\": [\n");
        for (at, entry) in world.entries.iter().enumerate() {
            let comma = if at == 0 { "" } else { ",\n" };
            write!(text, "{comma}{}", serde_json::to_string(entry).unwrap()).unwrap();
        }
        write!(text, "\n],\n\"folds_to\": {:#}\n}}\n", told(&world.run)).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

/// The names of an enum's variants, as its reader lists them.
fn variants<T: DeserializeOwned>(unknown: &str) -> BTreeSet<String> {
    let Err(error) = serde_json::from_str::<T>(unknown) else {
        panic!("an unknown variant was read")
    };
    let error = error.to_string();
    let names: BTreeSet<String> = error
        .split('`')
        .skip(3)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    assert!(names.len() > 1, "{error}");
    names
}

#[test]
fn l14_every_kind_of_fact_is_in_a_kept_journal() {
    use nfa_core::engine::{
        AnswerKind, CallDecision, CallStatus, Limit, Question, RunEnd, StepKind,
    };
    let mut found: BTreeSet<(&str, String)> = BTreeSet::new();
    for path in kept() {
        let golden: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for entry in golden["entries"].as_array().unwrap() {
            let mut take = |what: &'static str, value: &Value| {
                if let Some(name) = value.as_str() {
                    found.insert((what, name.to_owned()));
                }
            };
            take("fact", &entry["type"]);
            take("kind", &entry["kind"]);
            take("status", &entry["status"]);
            take("question", &entry["question"]);
            take("answer", &entry["answer"]);
            take("how", &entry["end"]["how"]);
            take("limit", &entry["end"]["limit"]);
            for call in entry["calls"].as_array().into_iter().flatten() {
                take("do", &call["do"]);
                take("code", &call["code"]);
            }
        }
    }
    let rejections = [
        "unknown_tool",
        "arguments_not_json",
        "arguments_invalid",
        "too_many_calls",
        "too_deep",
        "second_handoff",
        "answer_cut_off",
    ];
    let wanted = [
        ("fact", variants::<Fact>(r#"{"type":"?"}"#)),
        ("kind", variants::<StepKind>(r#""?""#)),
        ("status", variants::<CallStatus>(r#""?""#)),
        ("question", variants::<Question>(r#""?""#)),
        ("answer", variants::<AnswerKind>(r#""?""#)),
        ("how", variants::<RunEnd>(r#"{"how":"?"}"#)),
        ("limit", variants::<Limit>(r#""?""#)),
        ("do", variants::<CallDecision>(r#"{"do":"?"}"#)),
        ("code", rejections.map(str::to_owned).into()),
    ];
    for (what, names) in wanted {
        for name in names {
            assert!(
                found.contains(&(what, name.clone())),
                "no journal holds the {what} `{name}`"
            );
        }
    }
}

#[test]
fn l14_an_entry_of_a_later_version_refuses_to_fold() {
    let scenario = &scenarios()[2];
    let world = World::finished(scenario, Pick::Oldest);
    for at in 0..world.entries.len() {
        let mut entries = world.entries.clone();
        entries[at].v = ENTRY_VERSION + 1;
        let refused = Run::fold(scenario.program.clone(), &entries).unwrap_err();
        assert_eq!(refused.code(), "unknown_entry");
    }
    let mut entries = world.entries.clone();
    let Fact::RunStarted { fold, .. } = &mut entries[0].fact else {
        panic!("a run starts with its start")
    };
    *fold = FOLD_VERSION + 1;
    let refused = Run::fold(scenario.program.clone(), &entries).unwrap_err();
    assert_eq!(refused.code(), "unknown_entry");
    crate::world::fold(scenario, &world.entries);
}

#[test]
fn l14_an_entry_of_an_unknown_type_is_not_read() {
    let known = r#"{"v":1,"seq":3,"at":5,"epoch":1,"type":"step_released","step":"2"}"#;
    let entry: Entry = serde_json::from_str(known).unwrap();
    assert_eq!(serde_json::to_string(&entry).unwrap(), known);
    let unknown = known.replace("step_released", "step_forgotten");
    assert!(serde_json::from_str::<Entry>(&unknown).is_err());
}

#[test]
fn l14_every_entry_keeps_within_its_bound_and_holds_no_content() {
    let mut largest = 0;
    for scenario in scenarios() {
        let world = World::finished(&scenario, Pick::Oldest);
        for entry in &world.entries {
            let json = serde_json::to_string(entry).unwrap();
            largest = largest.max(json.len());
            assert!(
                json.len() <= MAX_ENTRY_BYTES,
                "{}: {} bytes",
                scenario.name,
                json.len()
            );
            assert!(!json.contains("MARKER"), "{}: {json}", scenario.name);
        }
        let said = format!("{:?}", world.sink.0);
        assert!(said.contains("MARKER"), "{}", scenario.name);
    }
    // The crowd comes near enough to the bound for this to mean something.
    assert!(largest > MAX_ENTRY_BYTES / 4, "{largest}");
}
