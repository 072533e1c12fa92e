//! Building what a model is sent: instructions, the session so far, this run.
//!
//! Law L5 holds by construction: a conversation is a list of messages and of answers with a slot for each
//! of their calls, and an empty slot is filled with a result that says so.

use std::sync::Arc;

use smallvec::SmallVec;

use super::cache::{ContentCache, Loaded, Told};
use crate::content::{Message, Part, Role, ToolCall, ToolResult, content_erased};
use crate::engine::Exchange;
use crate::error::Error;
use crate::ids::Address;
use crate::ports::{SessionItem, SessionItemKind};

/// What a model is told of a call that never got its result.
const NO_RESULT: &str = "no result was recorded for this call; whether it took effect is not known";

/// The items of a session as exchanges. Results may lie in any order after their answer.
pub(super) fn exchanges(items: &[SessionItem]) -> Vec<Exchange> {
    let mut out: Vec<Exchange> = Vec::with_capacity(items.len());
    for item in items {
        match item.kind {
            SessionItemKind::Message => out.push(Exchange::Message(item.address)),
            SessionItemKind::Answer => {
                out.push(Exchange::Answer {
                    answer: item.address,
                    first_call: 0,
                    results: SmallVec::new(),
                });
            }
            SessionItemKind::ToolResult { call } => {
                let latest = out.iter_mut().rev().find_map(|exchange| match exchange {
                    Exchange::Answer { results, .. } => Some(results),
                    Exchange::Message(_) => None,
                });
                if let (Some(results), Ok(call)) = (latest, usize::try_from(call)) {
                    if results.len() <= call {
                        results.resize(call + 1, None);
                    }
                    if let Some(slot) = results.get_mut(call) {
                        *slot = Some(item.address);
                    }
                }
            }
        }
    }
    out
}

/// Every address that these exchanges name.
pub(super) fn addresses<'a>(
    exchanges: impl IntoIterator<Item = &'a Exchange> + 'a,
) -> impl Iterator<Item = Address> + 'a {
    exchanges.into_iter().flat_map(|exchange| {
        let (first, results) = match exchange {
            Exchange::Message(address) => (*address, &[][..]),
            Exchange::Answer {
                answer, results, ..
            } => (*answer, results.as_slice()),
        };
        std::iter::once(first).chain(results.iter().copied().flatten())
    })
}

/// The messages of loaded exchanges, each with the address that names what is new in it.
pub(super) fn messages<'a>(
    instructions: Option<&Arc<Message>>,
    exchanges: impl IntoIterator<Item = &'a Exchange>,
    content: &ContentCache,
) -> Result<Vec<Arc<Message>>, Error> {
    let exchanges = exchanges.into_iter();
    let mut out = Vec::with_capacity(1 + exchanges.size_hint().0);
    out.extend(instructions.cloned());
    for exchange in exchanges {
        match exchange {
            Exchange::Message(address) => {
                out.push(content.message(address).ok_or_else(content_erased)?);
            }
            Exchange::Answer {
                answer, results, ..
            } => {
                let Some(Loaded::Answer(answered)) = content.get(answer) else {
                    return Err(content_erased());
                };
                out.push(Arc::clone(answered.shared_message()));
                let told = told(answered.message(), results, content)?;
                if !told.is_empty() {
                    out.push(answered.results(told, |told| result(answered.message(), told)));
                }
            }
        }
    }
    Ok(out)
}

/// What the model is told of each call of `message`.
fn told(
    message: &Message,
    results: &[Option<Address>],
    content: &ContentCache,
) -> Result<Vec<Told>, Error> {
    let calls = message.tool_calls().zip(0..);
    calls
        .map(|(_, at)| match results.get(at).copied().flatten() {
            Some(address) => {
                let result = content.get(&address).ok_or_else(content_erased)?;
                Ok(result.as_result())
            }
            None => Ok((NO_RESULT.into(), true)),
        })
        .collect()
}

fn result(message: &Message, told: &[Told]) -> Message {
    let part = |(call, (text, is_error)): (&ToolCall, &Told)| {
        Part::ToolResult(ToolResult {
            call_id: call.id.clone(),
            name: call.name.clone(),
            text: text.to_string(),
            is_error: *is_error,
        })
    };
    Message {
        role: Role::Tool,
        parts: message.tool_calls().zip(told).map(part).collect(),
    }
}
