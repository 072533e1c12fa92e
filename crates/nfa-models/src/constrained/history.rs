//! A conversation for a model without tools: calls and results as plain messages, tools in the system
//! message.

use std::borrow::Cow;
use std::fmt::Write as _;

use nfa_core::content::{Message, Part, Role, ToolCall, ToolResult};
use nfa_core::ports::{ModelRequest, ToolDefinition};
use serde_json::Value;
use serde_json::value::RawValue;

/// The messages of `request`, with its tools described, and past answers in the form that is asked for.
pub(crate) fn messages(request: &ModelRequest) -> Vec<Cow<'_, Message>> {
    let mut out = Vec::with_capacity(request.messages.len() + 1);
    let tools = describe(&request.tools, request.output_schema.is_some());
    let mut described = false;
    for message in &request.messages {
        if !described {
            described = true;
            if message.role == Role::System {
                let text = format!("{}\n\n{tools}", message.joined_text());
                out.push(Cow::Owned(Message::system(text)));
                continue;
            }
            out.push(Cow::Owned(Message::system(tools.as_str())));
        }
        push(&mut out, message, Some(request.output_schema.is_some()));
    }
    out
}

/// The messages of `request`, whose calls and results are plain text.
pub(crate) fn without_tools(request: &ModelRequest) -> Vec<Cow<'_, Message>> {
    let mut out = Vec::with_capacity(request.messages.len());
    for message in &request.messages {
        push(&mut out, message, None);
    }
    out
}

/// `wrapped`: whether answers are objects with `answer`, and if so, whether that is JSON.
fn push<'a>(out: &mut Vec<Cow<'a, Message>>, message: &'a Message, wrapped: Option<bool>) {
    let rendered = match message.role {
        Role::Assistant => Cow::Owned(assistant(message, wrapped)),
        _ if message
            .parts
            .iter()
            .any(|part| matches!(part, Part::ToolResult(_))) =>
        {
            Cow::Owned(results(message))
        }
        _ => Cow::Borrowed(message),
    };
    // Many chat templates refuse two user messages in a row, and results are such.
    let joins =
        rendered.role == Role::User && out.last().is_some_and(|last| last.role == Role::User);
    match out.last_mut() {
        Some(last) if joins => {
            let parts = &mut last.to_mut().parts;
            if let (Some(Part::Text { text, .. }), [Part::Text { text: more, .. }]) =
                (parts.last_mut(), rendered.parts.as_slice())
            {
                text.push_str("\n\n");
                text.push_str(more);
            } else {
                parts.extend(rendered.parts.iter().cloned());
            }
        }
        _ => out.push(rendered),
    }
}

fn assistant(message: &Message, wrapped: Option<bool>) -> Message {
    let mut lines = Vec::new();
    let text: String = message
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::Text { text, .. } | Part::Refusal { text } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    if !text.is_empty() {
        lines.push(match wrapped {
            None => text,
            Some(json) => answer(&text, json),
        });
    }
    lines.extend(message.tool_calls().map(call));
    Message::assistant(lines.join("\n"))
}

fn answer(text: &str, json: bool) -> String {
    if json && serde_json::from_str::<&RawValue>(text).is_ok() {
        return format!("{{\"answer\":{text}}}");
    }
    format!("{{\"answer\":{}}}", quoted(text))
}

fn call(call: &ToolCall) -> String {
    let arguments = match serde_json::from_str::<&RawValue>(&call.arguments) {
        Ok(raw) => Cow::Borrowed(raw.get()),
        Err(_) => Cow::Owned(quoted(&call.arguments)),
    };
    format!(
        "{{\"call\":{},\"arguments\":{arguments}}}",
        quoted(&call.name)
    )
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn results(message: &Message) -> Message {
    let parts = message.parts.iter().map(|part| match part {
        Part::ToolResult(result) => Part::text(result_line(result)),
        other => other.clone(),
    });
    let mut merged: Vec<Part> = Vec::new();
    for part in parts {
        match (merged.last_mut(), part) {
            (Some(Part::Text { text, .. }), Part::Text { text: more, .. }) => {
                text.push_str("\n\n");
                text.push_str(&more);
            }
            (_, part) => merged.push(part),
        }
    }
    Message {
        role: Role::User,
        parts: merged,
    }
}

fn result_line(result: &ToolResult) -> String {
    let what = if result.is_error { "Error" } else { "Result" };
    format!("{what} of {}: {}", result.name, result.text)
}

fn describe(tools: &[ToolDefinition], json: bool) -> String {
    let mut text = String::from("You can call these tools:\n");
    for tool in tools {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "- {}: {}", tool.name, tool.description);
        let _ = writeln!(text, "  arguments: {}", tool.parameters);
    }
    text.push_str("Reply with one JSON object. To call a tool: {\"call\": NAME, \"arguments\": {...}}; its result comes in the next message. ");
    text.push_str(if json {
        "To answer: {\"answer\": VALUE}."
    } else {
        "To answer: {\"answer\": \"...\"}."
    });
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn conversation() -> ModelRequest {
        let call = |id: &str, arguments: &str| Part::ToolCall(ToolCall::new(id, "add", arguments));
        let result = |id: &str, is_error: bool| Message {
            role: Role::Tool,
            parts: vec![Part::ToolResult(ToolResult {
                call_id: id.to_owned(),
                name: "add".to_owned(),
                text: "3".to_owned(),
                is_error,
            })],
        };
        let mut request = ModelRequest::new(vec![
            Arc::new(Message::system("Be brief.")),
            Arc::new(Message::user("1 + 2?")),
            Arc::new(Message {
                role: Role::Assistant,
                parts: vec![call("1", r#"{"a":1}"#), call("2", "{cut")],
            }),
            Arc::new(result("1", false)),
            Arc::new(result("2", true)),
            Arc::new(Message::assistant("It is \"3\".")),
            Arc::new(Message::user("Thanks.")),
        ]);
        request.tools = Arc::from([ToolDefinition {
            name: "add".into(),
            description: "Adds.".into(),
            parameters: Arc::new(json!({"type": "object"})),
        }]);
        request
    }

    fn rendered(messages: &[Cow<'_, Message>]) -> Vec<(Role, String)> {
        messages
            .iter()
            .map(|message| (message.role, message.joined_text()))
            .collect()
    }

    #[test]
    fn calls_and_results_become_plain_messages() {
        let request = conversation();
        let messages = rendered(&messages(&request));
        assert!(
            messages[0]
                .1
                .starts_with("Be brief.\n\nYou can call these tools:\n- add: Adds.")
        );
        assert_eq!(
            messages[2..],
            [
                (Role::Assistant, "{\"call\":\"add\",\"arguments\":{\"a\":1}}\n{\"call\":\"add\",\"arguments\":\"{cut\"}".to_owned()),
                (Role::User, "Result of add: 3\n\nError of add: 3".to_owned()),
                (Role::Assistant, r#"{"answer":"It is \"3\"."}"#.to_owned()),
                (Role::User, "Thanks.".to_owned()),
            ]
        );
        assert_eq!(rendered(&without_tools(&request))[4].1, "It is \"3\".");
    }

    #[test]
    fn the_tools_get_a_system_message_of_their_own_when_there_is_none() {
        let mut request = conversation();
        request.messages.remove(0);
        let messages = rendered(&messages(&request));
        assert_eq!(messages[0].0, Role::System);
        assert_eq!(messages[1], (Role::User, "1 + 2?".to_owned()));
    }
}
