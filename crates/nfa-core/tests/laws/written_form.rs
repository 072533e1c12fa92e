//! L1 on any platform: entries, events and content read back as they were written, whatever features of
//! `serde_json` a dependency turned on. Run these with `preserve_order` and `arbitrary_precision` too.

use std::sync::Arc;

use nfa_core::content::{
    Citation, Content, FinishReason, Message, ModelAnswer, Opaque, Part, ToolCall, Usage,
};
use nfa_core::engine::{Entry, Fact, StepKind};
use nfa_core::ids::{Address, RunId, StepPath, Timestamp};
use nfa_core::ports::{SessionItem, SessionItemKind};
use nfa_core::runtime::{Event, OutcomeStatus, OutcomeSummary};
use nfa_core::spec::Limits;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn reads_back<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) {
    let text = serde_json::to_string(value).unwrap();
    assert_eq!(&serde_json::from_str::<T>(&text).unwrap(), value, "{text}");
    assert_eq!(
        &serde_json::from_slice::<T>(text.as_bytes()).unwrap(),
        value,
        "{text}"
    );
    let tree: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        &serde_json::from_value::<T>(tree.clone()).unwrap(),
        value,
        "{text}"
    );
    assert_eq!(serde_json::to_value(value).unwrap(), tree, "{text}");
}

fn usage() -> Usage {
    Usage {
        input_tokens: u64::MAX,
        output_tokens: 1 << 53,
        cached_tokens: 3,
        cache_write_tokens: 11,
        reasoning_tokens: 4,
        cost_micro_usd: 5,
    }
}

fn entry(fact: Fact) -> Entry {
    Entry {
        v: 1,
        seq: u64::MAX,
        at: Timestamp(1_795_000_000_123),
        epoch: 7,
        fact,
    }
}

fn step() -> StepPath {
    "2.1".parse().unwrap()
}

#[test]
fn l1_entries_read_back_as_they_were_written() {
    let started = entry(Fact::StepStarted {
        step: step(),
        attempt: u32::MAX,
        kind: StepKind::Tool,
    });
    let answered = entry(Fact::ModelFinished {
        step: step(),
        answer: Address([5; 32]),
        finish: FinishReason::ToolCalls,
        usage: usage(),
        calls: Vec::new(),
        rejected: None,
    });
    let resumed = entry(Fact::RunResumed {
        limits: Some(Limits {
            tokens: Some(u64::MAX),
            ..Limits::default()
        }),
    });
    for entry in [started, answered, resumed] {
        reads_back(&entry);
        reads_back(&Event::Entry {
            entry: Box::new(entry),
        });
    }
}

#[test]
fn l1_events_read_back_as_they_were_written() {
    reads_back(&Event::TextDelta {
        step: step(),
        attempt: 3,
        text: "a".to_owned(),
    });
    reads_back(&Event::ToolCallDelta {
        step: step(),
        attempt: 1,
        index: 9,
        name: None,
        arguments: "{".to_owned(),
    });
    reads_back(&Event::Finished {
        outcome: Box::new(OutcomeSummary {
            run: RunId([1; 16]),
            status: OutcomeStatus::Completed,
            text: String::new(),
            output: Some(json!({ "n": 1, "x": -2.5, "big": u64::MAX })),
            usage: usage(),
            error: None,
            limit: None,
        }),
    });
}

#[test]
fn l1_content_reads_back_as_it_was_written() {
    let odd = json!({ "z": [1, -1, 1.5, 1e300], "a": { "$x": null } });
    let kept = Box::new(Opaque {
        provider: "p".to_owned(),
        value: odd.clone(),
    });
    let parts = vec![
        Part::Reasoning {
            text: "hm".to_owned(),
            opaque: Some(kept.clone()),
        },
        Part::Text {
            text: "it rains".to_owned(),
            citations: vec![Citation {
                url: Some("https://example.org".to_owned()),
                title: None,
                quote: Some("rain".to_owned()),
                opaque: Some(kept.clone()),
            }],
            opaque: Some(kept.clone()),
        },
        Part::Media {
            media_type: "image/png".to_owned(),
            url: "data:image/png;base64,AA==".to_owned(),
            name: Some("a.png".to_owned()),
            opaque: Some(kept.clone()),
        },
        Part::Opaque(*kept.clone()),
        Part::ToolCall(ToolCall {
            opaque: Some(kept),
            ..ToolCall::new("1", "t", "{\"n\":1.0}")
        }),
    ];
    let mut message = Message::assistant("hi");
    message.parts.extend(parts);
    reads_back(&message);
    reads_back(&Content::Message(Arc::new(message.clone())));
    reads_back(&Content::Json { value: odd });
    reads_back(&Content::Answer(Arc::new(ModelAnswer {
        message,
        finish: FinishReason::Stop,
        usage: usage(),
        model: "m".to_owned(),
        response_id: None,
    })));
}

#[test]
fn l1_session_items_read_back_as_they_were_written() {
    for kind in [
        SessionItemKind::Message,
        SessionItemKind::ToolResult { call: 7 },
    ] {
        reads_back(&SessionItem {
            run: RunId([1; 16]),
            kind,
            address: Address([2; 32]),
        });
    }
}
