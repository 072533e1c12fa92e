//! Letters as JSON text: V8 parses one text faster than it is handed the same values one by one.

use nfa_runtime::host::{HostRun, HostSurroundings, Letter, Reply};
use nfa_runtime::ports::CallContext;
use nfa_runtime::{Error, Runtime};
use serde::Serialize;
use serde_json::Value;

use crate::failure::Report;
use crate::object::Object;

/// What a letter is; the TypeScript has the same numbers.
mod kind {
    pub(super) const DONE: u8 = 0;
    pub(super) const FAILED: u8 = 1;
    pub(super) const CALL: u8 = 2;
    pub(super) const CANCELLED: u8 = 3;
    pub(super) const RELEASED: u8 = 4;
    pub(super) const EVENTS: u8 = 5;
}

/// Where runs and runtimes of a letter are put, and under which numbers.
pub(crate) trait Shelf {
    fn put_run(&mut self, run: HostRun) -> u32;
    fn put_runtime(&mut self, runtime: Runtime) -> u32;
}

/// All letters as one JSON array.
pub(crate) fn letters(
    letters: Vec<Letter<Object>>,
    released: &[u32],
    shelf: &mut impl Shelf,
) -> Option<String> {
    if letters.is_empty() && released.is_empty() {
        return None;
    }
    let mut text = Text::new();
    for letter in letters {
        text.letter(letter, shelf);
    }
    if !released.is_empty() {
        text.item(&(kind::RELEASED, released));
    }
    text.end()
}

/// JSON text of any value.
pub(crate) fn text(value: &impl Serialize) -> Option<String> {
    serde_json::to_string(value).ok()
}

struct Text(Vec<u8>);

impl Text {
    fn new() -> Self {
        let mut bytes = Vec::with_capacity(256);
        bytes.push(b'[');
        Self(bytes)
    }

    fn end(mut self) -> Option<String> {
        self.0.push(b']');
        String::from_utf8(self.0).ok()
    }

    /// Adds one item, or none at all if it cannot be written.
    fn item(&mut self, item: &impl Serialize) -> bool {
        let before = self.0.len();
        if before > 1 {
            self.0.push(b',');
        }
        let written = serde_json::to_writer(&mut self.0, item).is_ok();
        if !written {
            self.0.truncate(before);
        }
        written
    }

    fn letter(&mut self, letter: Letter<Object>, shelf: &mut impl Shelf) {
        match letter {
            Letter::Settled { ticket, result } => self.settled(ticket.0, result, shelf),
            Letter::Call {
                call,
                object,
                method,
                context,
                arguments,
            } => {
                let arguments = match &context {
                    Some(_) => arguments,
                    // Limits and times of ports may say "all" and "never" by the largest number that Rust has.
                    None => within_reach(arguments),
                };
                let given = context.as_deref().and_then(given);
                let context = context.as_deref().map(Context::of);
                let (call, object) = (call.0, object.id());
                self.item(&(kind::CALL, call, object, method, context, given, arguments));
            }
            Letter::Cancelled { call } => {
                self.item(&(kind::CANCELLED, call.0));
            }
            // Objects that are dropped are told of apart from the queue, so that they wake nobody.
            _ => {}
        }
    }

    fn settled(&mut self, ticket: u64, result: Result<Reply, Error>, shelf: &mut impl Shelf) {
        let written = match result {
            Ok(Reply::Unit) => self.item(&(kind::DONE, ticket, Value::Null)),
            Ok(Reply::Json(value)) => self.item(&(kind::DONE, ticket, value)),
            Ok(Reply::Events(events)) => self.item(&(kind::EVENTS, ticket, events)),
            Ok(Reply::Outcome(outcome)) => self.item(&(kind::DONE, ticket, outcome)),
            Ok(Reply::Runtime(runtime)) => {
                self.item(&(kind::DONE, ticket, shelf.put_runtime(runtime)))
            }
            Ok(Reply::Run(run)) => self.item(&(kind::DONE, ticket, shelf.put_run(run))),
            Ok(Reply::Runs(runs)) => {
                let runs: Vec<_> = runs
                    .into_iter()
                    .map(|(id, run)| match run {
                        Ok(run) => (id, Some(shelf.put_run(run)), None),
                        Err(error) => (id, None, Some(Report::from(&error))),
                    })
                    .collect();
                self.item(&(kind::DONE, ticket, runs))
            }
            Ok(_) => false,
            Err(error) => self.item(&(kind::FAILED, ticket, Report::from(&error))),
        };
        if !written {
            let error = Error::new(
                nfa_runtime::Component::Runtime,
                nfa_runtime::Category::Internal,
                "result_not_json",
                "the result cannot be written as JSON: report it",
            );
            self.item(&(kind::FAILED, ticket, Report::from(&error)));
        }
    }
}

/// The largest whole number up to which JavaScript holds all.
const MAX_SAFE: u64 = (1 << 53) - 1;

/// The same value with the largest number that JavaScript can hold in place of larger ones.
fn within_reach(value: Value) -> Value {
    match value {
        Value::Number(number) if number.as_u64().is_some_and(|number| number > MAX_SAFE) => {
            MAX_SAFE.into()
        }
        Value::Array(items) => items.into_iter().map(within_reach).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| (name, within_reach(value)))
            .collect(),
        other => other,
    }
}

/// The number of what the caller of a run gave to its tools.
fn given(context: &CallContext) -> Option<u32> {
    let surroundings = HostSurroundings::<Object>::of(context).ok()?;
    Some(surroundings.given.id())
}

/// A call's context, as far as JavaScript is told.
#[derive(Serialize)]
struct Context<'a> {
    run: nfa_runtime::ids::RunId,
    step: &'a nfa_runtime::ids::StepPath,
    attempt: u32,
    agent: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a nfa_runtime::ids::SessionId>,
    idempotency_key: nfa_runtime::ids::IdempotencyKey,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline_ms: Option<u64>,
}

impl<'a> Context<'a> {
    fn of(context: &'a CallContext) -> Self {
        let deadline_ms = context.deadline.map(|deadline| {
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
        });
        Self {
            run: context.run,
            step: &context.step,
            attempt: context.attempt,
            agent: &context.agent,
            session: context.session.as_ref(),
            idempotency_key: context.idempotency_key,
            deadline_ms,
        }
    }
}
