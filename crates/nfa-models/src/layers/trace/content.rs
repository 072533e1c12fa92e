//! What was said, in the form that the conventions give it; only on request.

use nfa_core::content::{Message, ModelAnswer, Part, Role};
use nfa_core::ports::ModelRequest;
use serde_json::{Value, json};
use tracing::Span;

pub(super) fn of_request(span: &Span, request: &ModelRequest) {
    let (instructions, messages): (Vec<_>, Vec<_>) = request
        .messages
        .iter()
        .partition(|message| message.role == Role::System);
    let instructions: Vec<_> = instructions
        .iter()
        .flat_map(|message| parts(message))
        .collect();
    if !instructions.is_empty() {
        let instructions = Value::from(instructions).to_string();
        span.record("gen_ai.system_instructions", instructions);
    }
    let messages: Vec<_> = messages
        .iter()
        .map(|message| json!({ "role": role(message.role), "parts": parts(message) }))
        .collect();
    span.record("gen_ai.input.messages", Value::from(messages).to_string());
    if !request.tools.is_empty() {
        let tools: Vec<_> = request
            .tools
            .iter()
            .map(|tool| {
                json!({
                    "type": "function",
                    "description": tool.description,
                    "parameters": tool.parameters,
                    "name": tool.name,
                })
            })
            .collect();
        span.record("gen_ai.tool.definitions", Value::from(tools).to_string());
    }
}

pub(super) fn of_answer(span: &Span, answer: &ModelAnswer, finish: &str) {
    let message = json!([{
        "role": "assistant",
        "parts": parts(&answer.message),
        "finish_reason": finish,
    }]);
    span.record("gen_ai.output.messages", message.to_string());
}

fn role(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Tool => "tool",
        _ => "assistant",
    }
}

fn parts(message: &Message) -> Vec<Value> {
    message.parts.iter().map(part).collect()
}

fn part(part: &Part) -> Value {
    match part {
        Part::Text { text, .. } | Part::Refusal { text } => {
            json!({ "type": "text", "content": text })
        }
        Part::Reasoning { text, .. } => json!({ "type": "reasoning", "content": text }),
        Part::ToolCall(call) => {
            // As JSON where it is some; a model may write anything.
            let arguments = serde_json::from_str(&call.arguments)
                .unwrap_or_else(|_| Value::from(call.arguments.as_str()));
            json!({ "type": "tool_call", "id": call.id, "arguments": arguments, "name": call.name })
        }
        Part::ToolResult(result) => {
            json!({ "type": "tool_call_response", "id": result.call_id, "response": result.text })
        }
        Part::Media {
            media_type, url, ..
        } => {
            let modality = media_type.split('/').next();
            json!({ "type": "uri", "modality": modality, "mime_type": media_type, "uri": url })
        }
        Part::Opaque(opaque) => json!({ "type": "opaque", "provider": opaque.provider }),
        _ => json!({ "type": "unknown" }),
    }
}
