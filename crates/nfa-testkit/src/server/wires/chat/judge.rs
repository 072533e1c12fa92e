//! What a strict Chat Completions provider accepts.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::server::judge::{Judge, Violation, is_name, is_text};

/// Of OpenAI, and of the servers that speak as it does: llama.cpp, vLLM, Groq, Mistral, DeepSeek,
/// OpenRouter, xAI.
const FIELDS: &[&str] = &[
    "audio",
    "cache_control",
    "chat_template_kwargs",
    "frequency_penalty",
    "grammar",
    "include_reasoning",
    "json_schema",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "metadata",
    "min_p",
    "modalities",
    "model",
    "models",
    "n",
    "parallel_tool_calls",
    "plugins",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_retention",
    "prompt_mode",
    "provider",
    "random_seed",
    "reasoning",
    "reasoning_effort",
    "reasoning_format",
    "repetition_penalty",
    "response_format",
    "safe_prompt",
    "safety_identifier",
    "search_parameters",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
];

/// Fields of a message by its role.
const SPOKEN: &[&str] = &["content", "name", "role"];
const RESULT: &[&str] = &["content", "name", "role", "tool_call_id"];
const ASSISTANT: &[&str] = &[
    "annotations",
    "audio",
    "content",
    "images",
    "name",
    "prefix",
    "reasoning",
    "reasoning_content",
    "reasoning_details",
    "refusal",
    "role",
    "tool_calls",
];

const EFFORTS: &[&str] = &["none", "minimal", "low", "medium", "high", "xhigh"];

/// Everything that is wrong with a body.
pub(in crate::server) fn judge(body: &Value) -> Vec<Violation> {
    let mut judge = Chat::default();
    let Some(body) = body.as_object() else {
        judge
            .0
            .say("$", "json", "expected a JSON object".to_owned());
        return judge.0.0;
    };
    judge.top(body);
    judge.settings(body);
    judge.tools(body);
    judge.response_format(body.get("response_format"));
    match body.get("messages").and_then(Value::as_array) {
        Some(messages) if !messages.is_empty() => judge.messages(messages),
        _ => judge.0.say(
            "messages",
            "messages",
            "expected at least one message".to_owned(),
        ),
    }
    judge.0.0
}

#[derive(Default)]
struct Chat(Judge);

impl Chat {
    fn top(&mut self, body: &Map<String, Value>) {
        for (field, value) in body {
            if !FIELDS.contains(&field.as_str()) {
                self.0.say(
                    field,
                    "unknown_field",
                    "no field of a Chat Completions request",
                );
            }
            if value.is_null() {
                self.0
                    .say(field, "null_field", "leave it out instead of sending null");
            }
        }
        if !is_text(body.get("model")) {
            self.0.say("model", "model", "expected the name of a model");
        }
    }

    fn settings(&mut self, body: &Map<String, Value>) {
        let number = |name: &str| body.get(name).map(|value| value.as_f64());
        for (name, most) in [("temperature", 2.0), ("top_p", 1.0)] {
            if number(name)
                .is_some_and(|value| value.is_none_or(|value| !(0.0..=most).contains(&value)))
            {
                self.0
                    .say(name, "range", format!("expected a number from 0 to {most}"));
            }
        }
        let count = |name: &str| body.get(name).map(Value::as_u64);
        for name in ["max_tokens", "max_completion_tokens"] {
            if count(name).is_some_and(|value| value.is_none_or(|value| value == 0)) {
                self.0.say(name, "range", "expected a positive integer");
            }
        }
        if body.contains_key("max_tokens") && body.contains_key("max_completion_tokens") {
            self.0.say(
                "max_tokens",
                "both_limits",
                "expected one of max_tokens and max_completion_tokens",
            );
        }
        let streamed = match body.get("stream") {
            None => false,
            Some(Value::Bool(streamed)) => *streamed,
            Some(_) => {
                self.0.say("stream", "stream", "expected a boolean");
                false
            }
        };
        for (name, words) in [
            ("reasoning_effort", EFFORTS),
            ("prompt_cache_retention", &["in_memory", "24h"]),
        ] {
            let word = body.get(name).map(|word| word.as_str().unwrap_or_default());
            if word.is_some_and(|word| !words.contains(&word)) {
                self.0.say(
                    name,
                    "word",
                    format!("expected one of {}", words.join(", ")),
                );
            }
        }
        for name in [
            "reasoning",
            "thinking",
            "cache_control",
            "chat_template_kwargs",
        ] {
            if body.get(name).is_some_and(|value| !value.is_object()) {
                self.0.say(name, "object", "expected an object");
            }
        }
        if body.contains_key("seed") && body.contains_key("random_seed") {
            self.0
                .say("seed", "both_seeds", "expected one of seed and random_seed");
        }
        if body.contains_key("stream_options") && !streamed {
            self.0.say(
                "stream_options",
                "stream_options",
                "only allowed when stream is true",
            );
        }
    }

    fn tools(&mut self, body: &Map<String, Value>) {
        let Some(tools) = body.get("tools") else {
            for name in ["tool_choice", "parallel_tool_calls"] {
                if body.contains_key(name) {
                    self.0.say(
                        name,
                        "without_tools",
                        "only allowed when tools are specified",
                    );
                }
            }
            return;
        };
        let Some(tools) = tools.as_array().filter(|tools| !tools.is_empty()) else {
            return self
                .0
                .say("tools", "tools", "expected at least one tool, or no field");
        };
        let mut names = BTreeSet::new();
        for (at, tool) in tools.iter().enumerate() {
            let path = format!("tools[{at}]");
            if tool.get("type").and_then(Value::as_str) != Some("function") {
                self.0
                    .say(format!("{path}.type"), "tools", "expected \"function\"");
            }
            let function = tool.get("function").unwrap_or(&Value::Null);
            let name = function
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or_default();
            if !is_name(name) {
                self.0.say(
                    format!("{path}.function.name"),
                    "name",
                    "expected 1 to 64 of A-Z a-z 0-9 _ -",
                );
            }
            if !names.insert(name) {
                self.0.say(
                    format!("{path}.function.name"),
                    "duplicate_tool",
                    format!("`{name}` is there twice"),
                );
            }
            let parameters = function.get("parameters");
            if parameters
                .is_some_and(|schema| schema.get("type").and_then(Value::as_str) != Some("object"))
            {
                self.0.say(
                    format!("{path}.function.parameters"),
                    "parameters",
                    "expected a schema of type object",
                );
            }
            if function
                .get("description")
                .is_some_and(|text| !text.is_string())
            {
                self.0.say(
                    format!("{path}.function.description"),
                    "tools",
                    "expected a string",
                );
            }
        }
    }

    fn response_format(&mut self, format: Option<&Value>) {
        let Some(format) = format else { return };
        match format.get("type").and_then(Value::as_str) {
            Some("text" | "json_object") => {}
            Some("json_schema") => {
                let schema = format.get("json_schema").unwrap_or(&Value::Null);
                if !is_name(
                    schema
                        .get("name")
                        .and_then(Value::as_str)
                        .unwrap_or_default(),
                ) {
                    self.0.say(
                        "response_format.json_schema.name",
                        "name",
                        "expected 1 to 64 of A-Z a-z 0-9 _ -",
                    );
                }
                if !schema.get("schema").is_some_and(Value::is_object) {
                    self.0.say(
                        "response_format.json_schema.schema",
                        "schema",
                        "expected a JSON Schema object",
                    );
                }
            }
            _ => self.0.say(
                "response_format.type",
                "response_format",
                "expected text, json_object or json_schema",
            ),
        }
    }

    fn messages(&mut self, messages: &[Value]) {
        // Calls that still wait for their result, in the order in which the model made them.
        let mut open: Vec<&str> = Vec::new();
        for (at, message) in messages.iter().enumerate() {
            let path = format!("messages[{at}]");
            let role = message
                .get("role")
                .and_then(Value::as_str)
                .unwrap_or_default();
            if role != "tool" && !open.is_empty() {
                self.0.say(
                    &path,
                    "call_without_result",
                    format!("calls without a result before it: {}", open.join(", ")),
                );
                open.clear();
            }
            let fields = match role {
                "assistant" => ASSISTANT,
                "tool" => RESULT,
                _ => SPOKEN,
            };
            for field in message.as_object().into_iter().flat_map(Map::keys) {
                if !fields.contains(&field.as_str()) {
                    let path = format!("{path}.{field}");
                    let what = format!("no field of a message of role `{role}`");
                    self.0.say(path, "unknown_field", what);
                }
            }
            match role {
                "system" | "developer" | "user" => self.content(&path, message, false),
                "assistant" => open = self.assistant(&path, message),
                "tool" => {
                    self.content(&path, message, false);
                    let id = message
                        .get("tool_call_id")
                        .and_then(Value::as_str)
                        .unwrap_or_default();
                    match open.iter().position(|call| *call == id) {
                        None => self.0.say(
                            format!("{path}.tool_call_id"),
                            "result_without_call",
                            format!("`{id}` answers no open call"),
                        ),
                        Some(place) => {
                            if place != 0 {
                                self.0.say(
                                    format!("{path}.tool_call_id"),
                                    "result_order",
                                    "results are to come in call order",
                                );
                            }
                            open.remove(place);
                        }
                    }
                }
                other => self.0.say(
                    format!("{path}.role"),
                    "role",
                    format!("unknown role `{other}`"),
                ),
            }
        }
        if !open.is_empty() {
            self.0.say(
                "messages",
                "call_without_result",
                format!("calls without a result at the end: {}", open.join(", ")),
            );
        }
    }

    fn assistant<'a>(&mut self, path: &str, message: &'a Value) -> Vec<&'a str> {
        let calls = message.get("tool_calls");
        let beside = |name: &str| message.get(name).is_some_and(|value| !value.is_null());
        let says_more = [
            "tool_calls",
            "refusal",
            "audio",
            "reasoning_details",
            "images",
        ]
        .into_iter()
        .any(beside);
        self.content(path, message, says_more);
        let Some(calls) = calls else {
            return Vec::new();
        };
        let Some(calls) = calls.as_array().filter(|calls| !calls.is_empty()) else {
            self.0.say(
                format!("{path}.tool_calls"),
                "tool_calls",
                "expected at least one call, or no field",
            );
            return Vec::new();
        };
        let mut ids = Vec::new();
        for (at, call) in calls.iter().enumerate() {
            let path = format!("{path}.tool_calls[{at}]");
            let id = call.get("id").and_then(Value::as_str).unwrap_or_default();
            if id.is_empty() {
                self.0
                    .say(format!("{path}.id"), "call_id", "expected an id");
            }
            if ids.contains(&id) {
                self.0.say(
                    format!("{path}.id"),
                    "duplicate_call_id",
                    format!("`{id}` is there twice"),
                );
            }
            ids.push(id);
            if call.get("type").and_then(Value::as_str) != Some("function") {
                self.0.say(
                    format!("{path}.type"),
                    "tool_calls",
                    "expected \"function\"",
                );
            }
            let function = call.get("function").unwrap_or(&Value::Null);
            if !is_name(
                function
                    .get("name")
                    .and_then(Value::as_str)
                    .unwrap_or_default(),
            ) {
                self.0.say(
                    format!("{path}.function.name"),
                    "name",
                    "expected 1 to 64 of A-Z a-z 0-9 _ -",
                );
            }
            if !function.get("arguments").is_some_and(Value::is_string) {
                self.0.say(
                    format!("{path}.function.arguments"),
                    "arguments",
                    "expected a string of JSON",
                );
            }
        }
        ids
    }

    fn content(&mut self, path: &str, message: &Value, optional: bool) {
        let path = format!("{path}.content");
        match message.get("content") {
            Some(Value::String(_)) => {}
            Some(Value::Array(parts)) if !parts.is_empty() => {
                for (at, part) in parts.iter().enumerate() {
                    let complete = match part.get("type").and_then(Value::as_str) {
                        Some("text") => part.get("text").is_some_and(Value::is_string),
                        Some("image_url") => {
                            part.pointer("/image_url/url").is_some_and(Value::is_string)
                        }
                        Some("input_audio") => ["/input_audio/data", "/input_audio"]
                            .iter()
                            .any(|place| part.pointer(place).is_some_and(Value::is_string)),
                        Some("video_url") => {
                            part.pointer("/video_url/url").is_some_and(Value::is_string)
                        }
                        Some("document_url") => {
                            part.get("document_url").is_some_and(Value::is_string)
                        }
                        Some("thinking") => part.get("thinking").is_some_and(Value::is_array),
                        Some("reference") => part.get("reference_ids").is_some_and(Value::is_array),
                        Some("file") => part.get("file").is_some_and(Value::is_object),
                        Some("refusal") => part.get("refusal").is_some_and(Value::is_string),
                        _ => false,
                    };
                    if !complete {
                        self.0.say(
                            format!("{path}[{at}]"),
                            "content",
                            "unknown or incomplete content part",
                        );
                    }
                }
            }
            None | Some(Value::Null) if optional => {}
            _ => self
                .0
                .say(path, "content", "expected a string or a list of parts"),
        }
    }
}
