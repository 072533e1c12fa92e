//! The JSON of what callers are handed, as files that the tests of every language read.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use nfa_runtime::content::{FinishReason, Usage};
use nfa_runtime::engine::{
    AnswerKind, CallDecision, CallStatus, ENTRY_VERSION, Entry, ErrorFact, FOLD_VERSION, Fact,
    Limit, Question, RunEnd, StepKind,
};
use nfa_runtime::error::ErrorReport;
use nfa_runtime::ids::{Address, LogId, ProgramHash, RunId, StepPath, Subject, Timestamp};
use nfa_runtime::ports::{RunRecord, RunStatus};
use nfa_runtime::spec::Limits;
use nfa_runtime::{
    Category, Component, Event, LeafReceipt, OutcomeStatus, OutcomeSummary, Receipt, ReceiptState,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::files;

const RUN: RunId = RunId([0xa1; 16]);
const LOG: LogId = LogId([0xb2; 16]);
const PROGRAM: ProgramHash = ProgramHash([0xc3; 32]);
const AT: Timestamp = Timestamp(1_764_000_000_000);

fn address(number: u8) -> Address {
    Address([number; 32])
}

fn step(path: &str) -> StepPath {
    path.parse().unwrap()
}

fn usage() -> Usage {
    Usage {
        input_tokens: 120,
        output_tokens: 34,
        cached_tokens: 100,
        cache_write_tokens: 10,
        reasoning_tokens: 5,
        cost_micro_usd: 67,
    }
}

fn events() -> Vec<Event> {
    let mut events = vec![
        Event::TextDelta {
            step: step("1"),
            attempt: 1,
            text: "Ein Bär, 世界 🦀\n".to_owned(),
        },
        Event::ReasoningDelta {
            step: step("2.1"),
            attempt: 2,
            text: "hm".to_owned(),
        },
        Event::ToolCallDelta {
            step: step("1"),
            attempt: 1,
            index: 0,
            name: Some("add".to_owned()),
            arguments: String::new(),
        },
        Event::ToolCallDelta {
            step: step("1"),
            attempt: 1,
            index: 0,
            name: None,
            arguments: "{\"a\": 2".to_owned(),
        },
        Event::Retracted {
            step: step("1"),
            attempt: 1,
            reason: "the stream broke".to_owned(),
        },
        Event::ToolStarted {
            step: step("2"),
            attempt: 1,
            tool: "add".into(),
            arguments: "{\"a\": 2, \"b\": 40}".to_owned(),
        },
        Event::Asked {
            step: step("3"),
            question: Question::Approval,
            tool: "pay".into(),
            arguments: "{}".to_owned(),
        },
        Event::Asked {
            step: step("3"),
            question: Question::Interrupted,
            tool: "pay".into(),
            arguments: "{}".to_owned(),
        },
    ];
    let statuses = [
        CallStatus::Ok,
        CallStatus::Error,
        CallStatus::Denied,
        CallStatus::Cancelled,
        CallStatus::Unknown,
    ];
    events.extend(statuses.map(|status| Event::ToolFinished {
        step: step("2"),
        status,
        text: "42".to_owned(),
    }));
    let entries = facts().into_iter().zip(0..).map(|(fact, seq)| Entry {
        v: ENTRY_VERSION,
        seq,
        at: AT,
        epoch: 1,
        fact,
    });
    events.extend(entries.map(|entry| Event::Entry {
        entry: Box::new(entry),
    }));
    events.extend(outcomes().into_iter().map(|outcome| Event::Finished {
        outcome: Box::new(outcome),
    }));
    events
}

fn facts() -> Vec<Fact> {
    let error = ErrorFact {
        component: Component::Model,
        category: Category::Transient,
        code: "model_overloaded".into(),
        retryable: true,
        report: Some(address(9)),
    };
    let calls = vec![
        CallDecision::Tool { tool: "add".into() },
        CallDecision::Approve { tool: "pay".into() },
        CallDecision::Agent {
            agent: "poet".into(),
            input: address(3),
        },
        CallDecision::ChildRun {
            agent: "worker".into(),
            input: address(4),
        },
        CallDecision::HandOver {
            agent: "sales".into(),
            result: address(5),
        },
        CallDecision::Reject {
            code: "unknown_tool".into(),
            result: address(6),
        },
    ];
    let mut facts = vec![
        Fact::RunStarted {
            fold: FOLD_VERSION,
            run: RUN,
            program: PROGRAM,
            input: address(1),
            history: 4,
            depth: 1,
            user: Some(address(2)),
        },
        Fact::StepReleased { step: step("1") },
        Fact::ModelFinished {
            step: step("1"),
            answer: address(2),
            finish: FinishReason::ToolCalls,
            usage: usage(),
            calls,
            rejected: Some(address(7)),
        },
        Fact::ModelFailed {
            step: step("1"),
            error: error.clone(),
            partial: Some(address(8)),
        },
        Fact::CallFinished {
            step: step("2"),
            status: CallStatus::Ok,
            result: address(10),
        },
        Fact::CallFailed {
            step: step("2"),
            error: error.clone(),
        },
        Fact::Asked {
            step: step("3"),
            question: Question::Approval,
        },
        Fact::HandedOver {
            frame: StepPath::root(),
            to: "sales".into(),
        },
        Fact::CancelRequested {
            reason: Some(address(11)),
        },
        Fact::RunResumed {
            limits: Some(Limits::default()),
        },
    ];
    let kinds = [
        StepKind::Model,
        StepKind::Tool,
        StepKind::Reconcile,
        StepKind::ChildRun,
    ];
    facts.extend(kinds.map(|kind| Fact::StepStarted {
        step: step("2.1"),
        attempt: 1,
        kind,
    }));
    let answers = [AnswerKind::Approved, AnswerKind::Denied, AnswerKind::Given];
    facts.extend(answers.map(|answer| Fact::Answered {
        step: step("3"),
        answer,
        words: Some(address(12)),
        by: Some(address(13)),
    }));
    let ends = [
        RunEnd::Completed,
        RunEnd::Failed { error },
        RunEnd::Cancelled,
        RunEnd::LimitReached { limit: Limit::Cost },
    ];
    facts.extend(ends.map(|end| Fact::RunFinished {
        end,
        output: Some(address(14)),
    }));
    facts
}

fn outcomes() -> Vec<OutcomeSummary> {
    let outcome = |status| OutcomeSummary {
        run: RUN,
        status,
        text: String::new(),
        output: None,
        usage: Usage::default(),
        error: None,
        limit: None,
    };
    let mut outcomes = vec![
        OutcomeSummary {
            text: "{\"city\": \"Oslo\"}".to_owned(),
            output: Some(json!({ "city": "Oslo" })),
            usage: usage(),
            ..outcome(OutcomeStatus::Completed)
        },
        OutcomeSummary {
            error: Some(ErrorReport {
                component: Component::Tool,
                category: Category::Internal,
                code: "tool_failed".to_owned(),
                message: "the licence has expired".to_owned(),
                retryable: false,
                details: json!({ "licence": 7 }),
            }),
            ..outcome(OutcomeStatus::Failed)
        },
        outcome(OutcomeStatus::Cancelled),
        outcome(OutcomeStatus::Waiting),
        outcome(OutcomeStatus::Interrupted),
    ];
    let limits = [
        Limit::Turns,
        Limit::Tokens,
        Limit::Cost,
        Limit::WallTime,
        Limit::OutputTokens,
    ];
    outcomes.extend(limits.map(|limit| OutcomeSummary {
        limit: Some(limit),
        ..outcome(OutcomeStatus::LimitReached)
    }));
    outcomes
}

fn receipts() -> Vec<Receipt> {
    let leaf = |entry, index, state| LeafReceipt {
        log: LOG,
        entry,
        index,
        state,
    };
    let receipt = |state, leaves| Receipt {
        run: Some(RUN),
        state,
        leaves,
    };
    let recorded = leaf(2, None, ReceiptState::Recorded);
    vec![
        Receipt::default(),
        receipt(ReceiptState::Recorded, vec![recorded.clone()]),
        receipt(
            ReceiptState::Recorded,
            vec![leaf(0, Some(7), ReceiptState::Sequenced), recorded],
        ),
        receipt(
            ReceiptState::Checkpointed,
            vec![
                leaf(2, Some(7), ReceiptState::Checkpointed),
                leaf(5, Some(8), ReceiptState::Anchored),
            ],
        ),
    ]
}

fn records() -> Vec<RunRecord> {
    let statuses = [
        RunStatus::Running,
        RunStatus::Waiting,
        RunStatus::Completed,
        RunStatus::Failed,
        RunStatus::Cancelled,
        RunStatus::LimitReached,
    ];
    let record = |status| RunRecord {
        run: RUN,
        program: PROGRAM,
        agent: "helper".into(),
        session: None,
        subject: Subject::run(RUN),
        parent: None,
        status,
        length: 5,
        epoch: 1,
        owner: None,
        created: AT,
        updated: AT.plus(250),
    };
    let mut records: Vec<_> = statuses.map(record).into();
    records.push(RunRecord {
        session: Some("alice".into()),
        subject: Subject::session(&"alice".into()),
        parent: Some((RunId([0xd4; 16]), step("2"))),
        owner: Some(Arc::from("host-1")),
        ..record(RunStatus::Running)
    });
    records
}

/// The values are written as in the file, and the file is read as the values.
fn agree<T: Serialize + DeserializeOwned + PartialEq + Debug>(file: &str, values: &[T]) -> Value {
    let text = serde_json::to_string_pretty(values).unwrap() + "\n";
    let path = files::folder().join("vectors").join(file);
    if files::updating() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &text).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap();
    let stored: Value = serde_json::from_str(&stored).unwrap();
    assert_eq!(
        stored,
        serde_json::to_value(values).unwrap(),
        "{file}: run with NFA_UPDATE_SCENARIOS=1"
    );
    let read: Vec<T> = serde_json::from_value(stored.clone()).unwrap();
    assert_eq!(read, values, "{file}");
    stored
}

/// Every variant of `T` that its schema knows is in the list, under its tag.
fn complete<T: schemars::JsonSchema>(tag: &str, found: impl Iterator<Item = Value>) {
    let schema = schemars::schema_for!(T).to_value();
    let variants = schema["oneOf"].as_array().unwrap();
    let known: BTreeSet<_> = variants
        .iter()
        .map(|variant| {
            variant["properties"][tag]["const"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    let found: BTreeSet<_> = found
        .map(|value| value[tag].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(found, known);
}

#[test]
fn l11_what_callers_are_handed_has_one_form_in_all_languages() {
    let events = agree("events.json", &events());
    let events = events.as_array().unwrap();
    complete::<Event>("type", events.iter().cloned());
    let entries = events.iter().filter(|event| event["type"] == "entry");
    complete::<Fact>("type", entries.map(|event| event["entry"].clone()));
    agree("outcomes.json", &outcomes());
    agree("receipts.json", &receipts());
    agree("run_records.json", &records());
}
