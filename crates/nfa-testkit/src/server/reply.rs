//! A reply: an answer or an error status, with the faults on its way.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use nfa_core::content::{FinishReason, ModelAnswer, Part, Usage};
use serde_json::{Value, json};

use super::connection::Action;
use super::fault::Fault;
use super::judge::Violation;
use super::render;
use super::request::Request;
use super::wires::{Wire, embeddings};
use crate::scripted::{Gate, answers};

/// What one request gets.
#[derive(Clone, Debug)]
pub struct Reply {
    pub(super) outcome: Outcome,
    pub(super) fault: Option<Fault>,
    pub(super) gates: Vec<(usize, Gate)>,
    pub(super) chunk: usize,
    pub(super) reasoning_key: &'static str,
    rendered: Arc<[OnceLock<Vec<Action>>; 3 * Wire::COUNT]>,
}

#[derive(Clone, Debug)]
pub(super) enum Outcome {
    Answer(Box<ModelAnswer>),
    Plain {
        status: u16,
        headers: Vec<(String, String)>,
        body: Bytes,
    },
}

impl Reply {
    fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            fault: None,
            gates: Vec::new(),
            chunk: 16,
            reasoning_key: "reasoning_content",
            rendered: Arc::default(),
        }
    }

    /// A whole answer.
    pub fn answer(answer: ModelAnswer) -> Self {
        Self::of(Outcome::Answer(Box::new(answer)))
    }

    /// Text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::answer(answers::text(text))
    }

    /// A call of one tool, with the arguments' JSON text.
    pub fn call(name: &str, arguments: impl Into<String>) -> Self {
        Self::answer(answers::call(name, arguments))
    }

    /// Calls of several tools in one answer.
    pub fn calls<'a, A: Into<String>>(calls: impl IntoIterator<Item = (&'a str, A)>) -> Self {
        Self::answer(answers::calls(calls))
    }

    /// A refusal.
    pub fn refusal(text: impl Into<String>) -> Self {
        Self::answer(answers::refusal(text))
    }

    /// The vectors of the texts that `request` holds, as [`nfa_core::ports::HashingEmbedder`] makes them.
    pub fn embeddings(request: &Request) -> Self {
        Self::json(200, &embeddings::body_for(&request.json()))
    }

    /// An error status with the usual body.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Self::json(
            status,
            &json!({"error": {"message": message, "type": "fake_error", "param": null, "code": code}}),
        )
    }

    /// 429 with `Retry-After` in seconds.
    pub fn rate_limited(seconds: u64) -> Self {
        Self::error(429, "rate_limit_exceeded", "slow down")
            .with_header("retry-after", &seconds.to_string())
    }

    /// Any status with a JSON body.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::raw(status, "application/json", body.to_string())
    }

    /// Any status with any body.
    pub fn raw(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self::of(Outcome::Plain {
            status,
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            body: body.into(),
        })
    }

    pub(super) fn refused(violations: &[Violation]) -> Self {
        let list: Vec<_> = violations.iter().map(ToString::to_string).collect();
        Self::error(400, "request_judged_invalid", &list.join("; "))
    }

    /// The same with another header; for replies that are no answers.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        if let Outcome::Plain { headers, .. } = &mut self.outcome {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self.changed()
    }

    /// The same with a fault on its way.
    #[must_use]
    pub fn with_fault(mut self, fault: Fault) -> Self {
        self.fault = Some(fault);
        self.changed()
    }

    /// The same, but nothing of it is sent before `gate` opens.
    #[must_use]
    pub fn held_by(self, gate: &Gate) -> Self {
        self.held_after(0, gate)
    }

    /// The same, but after so many writes (the head is the first) it waits at `gate`.
    #[must_use]
    pub fn held_after(mut self, writes: usize, gate: &Gate) -> Self {
        self.gates.push((writes, gate.clone()));
        self.gates.sort_by_key(|(at, _)| *at);
        self.changed()
    }

    /// The same with text before what it says already.
    #[must_use]
    pub fn after_text(self, text: impl Into<String>) -> Self {
        let text = text.into();
        self.edit(|answer| answer.message.parts.insert(0, Part::text(text)))
    }

    /// The same with thoughts before what it says.
    #[must_use]
    pub fn after_reasoning(self, text: impl Into<String>) -> Self {
        let text = text.into();
        self.edit(|answer| {
            answer.message.parts.insert(0, Part::reasoning(text));
        })
    }

    /// The same with the thoughts under `reasoning` instead of `reasoning_content`.
    #[must_use]
    pub fn with_short_reasoning_key(mut self) -> Self {
        self.reasoning_key = "reasoning";
        self.changed()
    }

    /// The same with another usage.
    #[must_use]
    pub fn with_usage(self, usage: Usage) -> Self {
        self.edit(|answer| answer.usage = usage)
    }

    /// The same with another finish reason.
    #[must_use]
    pub fn with_finish(self, finish: FinishReason) -> Self {
        self.edit(|answer| answer.finish = finish)
    }

    /// The same with an id of the answer. Wires that name the items of an answer make their names from it, so
    /// that a conversation holds no two of one name.
    #[must_use]
    pub fn with_response_id(self, id: impl Into<String>) -> Self {
        let id = id.into();
        self.edit(|answer| answer.response_id = Some(id))
    }

    /// The same, streamed in deltas of at most so many characters (16 otherwise).
    #[must_use]
    pub fn in_chunks_of(mut self, characters: usize) -> Self {
        self.chunk = characters.max(1);
        self.changed()
    }

    fn edit(mut self, change: impl FnOnce(&mut ModelAnswer)) -> Self {
        if let Outcome::Answer(answer) = &mut self.outcome {
            change(answer);
        }
        self.changed()
    }

    fn changed(mut self) -> Self {
        self.rendered = Arc::default();
        self
    }

    /// What the connection is to do for `request`; rendered once a reply and wire.
    pub(super) fn actions(&self, request: &Request) -> &[Action] {
        let form = match (request.is_streamed(), request.wants_usage()) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) => 2,
        };
        // A path of no wire is only answered by a lenient server, as if it were the commonest one.
        let wire = Wire::of(request.path()).unwrap_or(Wire::ChatCompletions);
        self.rendered
            .get(3 * wire.number() + form)
            .map(|cell| cell.get_or_init(|| render::actions(self, wire, form > 0, form == 2)))
            .map_or(&[], Vec::as_slice)
    }

    pub(super) fn pause(&self) -> Option<Duration> {
        match self.fault {
            Some(Fault::SlowLoris { pause }) => Some(pause),
            _ => None,
        }
    }
}
