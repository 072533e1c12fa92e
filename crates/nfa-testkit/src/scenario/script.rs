//! What a model server answers, as data.

use nfa_core::content::{FinishReason, ModelAnswer, Part, ToolCall, Usage};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::scripted::{answers, lock};
use crate::server::{Fault, Reply, Request, Script};

/// The answer to one request: the first of those that are left, in their order, that fits it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ScriptedTurn {
    /// Texts that the request must hold, each as a whole string somewhere in its body: what was said before.
    pub sees: Vec<String>,
    /// Texts that it must not hold.
    pub blind: Vec<String>,
    /// How many results of tools the request must hold.
    pub results: Option<usize>,
    /// Whether it answers any number of requests, in any number of conversations.
    pub again: bool,
    /// What the model thinks.
    pub reasoning: Option<String>,
    /// What it says.
    pub text: Option<String>,
    /// What it says in declining.
    pub refusal: Option<String>,
    /// What it calls.
    pub calls: Vec<ScriptedCall>,
    /// Why it stops, when that does not follow from the rest.
    pub finish: Option<FinishReason>,
    /// What it costs, when it is not 10 tokens read and a token for four bytes written.
    pub usage: Option<Usage>,
    /// How many characters a delta has at most; 16 otherwise.
    pub chunk: Option<usize>,
    /// An error status instead of an answer.
    pub error: Option<ScriptedError>,
    /// The connection is closed after so many events of the stream.
    pub cut: Option<usize>,
    /// Nothing more comes after so many events of the stream, and the connection stays open.
    pub stall: Option<usize>,
}

/// One call of a tool.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScriptedCall {
    /// The tool's name.
    pub tool: String,
    /// Its arguments; a string is the JSON text itself, as the model writes it.
    #[serde(default)]
    pub arguments: Value,
}

/// An error status.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScriptedError {
    /// The HTTP status.
    pub status: u16,
    /// The provider's code.
    #[serde(default)]
    pub code: String,
    /// The provider's words.
    #[serde(default)]
    pub message: String,
}

impl ScriptedTurn {
    fn fits(&self, body: &Value, results: usize) -> bool {
        self.results.is_none_or(|wanted| wanted == results)
            && self.sees.iter().all(|text| holds(body, text))
            && !self.blind.iter().any(|text| holds(body, text))
    }

    /// The reply, with ids that no other turn of the script has.
    fn reply(&self, number: usize) -> Reply {
        if let Some(error) = &self.error {
            return Reply::error(error.status, &error.code, &error.message);
        }
        let mut reply = Reply::answer(self.answer(number))
            .with_response_id(format!("answer_{number}"))
            .in_chunks_of(self.chunk.unwrap_or(16));
        if let Some(after) = self.cut {
            reply = reply.with_fault(Fault::CloseMidStream { after });
        }
        if let Some(after) = self.stall {
            reply = reply.with_fault(Fault::Stall { after });
        }
        reply
    }

    fn answer(&self, number: usize) -> ModelAnswer {
        let mut parts = Vec::new();
        parts.extend(self.reasoning.as_ref().map(Part::reasoning));
        parts.extend(self.text.as_ref().map(Part::text));
        let refusal = self.refusal.clone();
        parts.extend(refusal.map(|text| Part::Refusal { text }));
        for (place, call) in self.calls.iter().enumerate() {
            let arguments = match &call.arguments {
                Value::String(text) => text.clone(),
                Value::Null => "{}".to_owned(),
                other => other.to_string(),
            };
            let id = format!("call_{number}_{place}");
            parts.push(Part::ToolCall(ToolCall::new(id, &call.tool, arguments)));
        }
        let mut answer = answers::answer(parts);
        answer.finish = self.finish.unwrap_or(answer.finish);
        answer.usage = self.usage.unwrap_or(answer.usage);
        answer
    }
}

/// Whether a string of the value is this text.
fn holds(value: &Value, text: &str) -> bool {
    match value {
        Value::String(found) => found == text,
        Value::Array(items) => items.iter().any(|item| holds(item, text)),
        Value::Object(members) => members.values().any(|member| holds(member, text)),
        _ => false,
    }
}

impl Script {
    /// The turns of a scenario: each request gets the first of those that are left which fits it. One that none
    /// fits gets status 400, `script_exhausted`.
    ///
    /// ```
    /// use nfa_testkit::server::Script;
    ///
    /// let turns = serde_json::from_str(r#"[{ "sees": ["Hi."], "text": "Hello." }]"#).unwrap();
    /// let script = Script::turns(turns);
    /// ```
    pub fn turns(turns: Vec<ScriptedTurn>) -> Self {
        let numbered: Vec<_> = turns.into_iter().enumerate().collect();
        let left = std::sync::Mutex::new(numbered);
        Self::from_fn(move |request: &Request| {
            let (body, results) = (request.json(), request.tool_results());
            let mut left = lock(&left);
            let place = left.iter().position(|(_, turn)| turn.fits(&body, results));
            match place.and_then(|place| Some((place, left.get(place)?))) {
                Some((_, (number, turn))) if turn.again => turn.reply(*number),
                Some((place, _)) => {
                    let (number, turn) = left.remove(place);
                    turn.reply(number)
                }
                None => {
                    let message = format!("no turn that is left fits request {}", request.number());
                    Reply::error(400, "script_exhausted", &message)
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_held_as_a_whole_or_not_at_all() {
        let body = serde_json::json!({"messages": [{"content": [{"text": "one two"}]}]});
        assert!(holds(&body, "one two"));
        assert!(!holds(&body, "one"));
        let turn = |sees: &[&str], blind: &[&str]| ScriptedTurn {
            sees: sees.iter().map(ToString::to_string).collect(),
            blind: blind.iter().map(ToString::to_string).collect(),
            ..ScriptedTurn::default()
        };
        assert!(turn(&["one two"], &["three"]).fits(&body, 0));
        assert!(!turn(&["one two", "three"], &[]).fits(&body, 0));
        assert!(!turn(&[], &["one two"]).fits(&body, 0));
        let counting = ScriptedTurn {
            results: Some(2),
            ..ScriptedTurn::default()
        };
        assert!(counting.fits(&body, 2));
        assert!(!counting.fits(&body, 1));
    }
}
