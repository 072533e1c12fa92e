//! How many tokens a call will take, before anybody has counted them.

use nfa_core::content::Part;
use nfa_core::ports::ModelRequest;
use serde_json::Value;

const BYTES_A_TOKEN: usize = 4;
/// An image, sound or file; its bytes say nothing of its tokens.
const MEDIA: usize = 1000 * BYTES_A_TOKEN;

/// Tokens of the request and of its answer; `output` where the request sets no limit.
pub(super) fn estimate(request: &ModelRequest, output: u64) -> u64 {
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    let said: usize = parts.map(part).sum();
    let tools: usize = request
        .tools
        .iter()
        .map(|tool| tool.name.len() + tool.description.len() + json(&tool.parameters))
        .sum();
    let schema = request.output_schema.as_deref().map_or(0, json);
    let input = (said + tools + schema).div_ceil(BYTES_A_TOKEN);
    let output = request.settings.max_output_tokens.unwrap_or(output);
    u64::try_from(input)
        .unwrap_or(u64::MAX)
        .saturating_add(output)
}

fn part(part: &Part) -> usize {
    match part {
        Part::Text { text, .. } | Part::Reasoning { text, .. } | Part::Refusal { text } => {
            text.len()
        }
        Part::ToolCall(call) => call.name.len() + call.arguments.len(),
        Part::ToolResult(result) => result.text.len(),
        Part::Media { .. } => MEDIA,
        Part::Opaque(opaque) => json(&opaque.value),
        _ => 0,
    }
}

/// About the length of a value's JSON text.
fn json(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 4,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| json(item) + 1).sum::<usize>() + 2,
        Value::Object(map) => {
            let members = map.iter().map(|(key, member)| key.len() + json(member) + 4);
            members.sum::<usize>() + 2
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nfa_core::content::Message;
    use nfa_core::ports::ToolDefinition;
    use nfa_core::spec::ModelSettings;
    use serde_json::json;

    use super::*;

    #[test]
    fn text_tools_media_and_the_answer_count() {
        let mut request = ModelRequest::new(vec![Arc::new(Message::user("x".repeat(400)))]);
        assert_eq!(estimate(&request, 1000), 1100);
        request.settings = Arc::new(ModelSettings {
            max_output_tokens: Some(50),
            ..ModelSettings::default()
        });
        assert_eq!(estimate(&request, 1000), 150);
        let mut message = Message::user("");
        message.parts.push(Part::media(
            "image/png",
            "data:".to_owned() + &"x".repeat(1 << 20),
        ));
        request.messages.push(Arc::new(message));
        assert_eq!(estimate(&request, 1000), 1150);
        let parameters = json!({ "type": "object", "properties": { "a": { "enum": [1, null] } } });
        request.tools = Arc::from([ToolDefinition {
            name: "add".into(),
            description: "Adds.".into(),
            parameters: Arc::new(parameters.clone()),
        }]);
        let written = parameters.to_string().len() / 4;
        let more = estimate(&request, 1000) - 1150;
        assert!(
            (written as u64..=written as u64 * 2).contains(&more),
            "{more} for {written}"
        );
    }
}
