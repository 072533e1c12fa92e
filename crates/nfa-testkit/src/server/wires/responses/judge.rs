//! What a strict Responses provider accepts, when nothing is stored.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::server::judge::{Judge, Violation, is_name, is_text};

mod items;
#[cfg(test)]
mod tests;

const FIELDS: &[&str] = &[
    "background",
    "context_management",
    "conversation",
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "model",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
];

const BUILT_IN_TOOLS: &[&str] = &[
    "apply_patch",
    "code_interpreter",
    "computer",
    "computer_use_preview",
    "custom",
    "file_search",
    "image_generation",
    "local_shell",
    "mcp",
    "namespace",
    "shell",
    "tool_search",
    "web_search",
    "web_search_2025_08_26",
    "web_search_preview",
    "web_search_preview_2025_03_11",
    "x_search",
];

const INCLUDABLE: &[&str] = &[
    "code_interpreter_call.outputs",
    "computer_call_output.output.image_url",
    "file_search_call.results",
    "message.input_image.image_url",
    "message.output_text.logprobs",
    "reasoning.encrypted_content",
    "web_search_call.action.sources",
    "web_search_call.results",
];

/// Everything that is wrong with a body.
pub(in crate::server) fn judge(body: &Value) -> Vec<Violation> {
    let mut judge = Responses::default();
    let Some(body) = body.as_object() else {
        judge.0.say("$", "json", "expected a JSON object");
        return judge.0.0;
    };
    judge.top(body);
    judge.settings(body);
    judge.tools(body);
    judge.reasoning(body.get("reasoning"));
    judge.text(body.get("text"));
    items::judge(&mut judge.0, body);
    judge.0.0
}

#[derive(Default)]
struct Responses(Judge);

impl Responses {
    fn top(&mut self, body: &Map<String, Value>) {
        for (field, value) in body {
            if !FIELDS.contains(&field.as_str()) {
                self.0
                    .say(field, "unknown_field", "no field of a Responses request");
            }
            if value.is_null() {
                self.0
                    .say(field, "null_field", "leave it out instead of sending null");
            }
        }
        if !is_text(body.get("model")) {
            self.0.say("model", "model", "expected the name of a model");
        }
        if body.contains_key("previous_response_id") && body.contains_key("conversation") {
            self.0.say(
                "conversation",
                "two_histories",
                "expected one of previous_response_id and conversation",
            );
        }
    }

    fn settings(&mut self, body: &Map<String, Value>) {
        for (name, most) in [("temperature", 2.0), ("top_p", 1.0)] {
            let number = body.get(name).map(Value::as_f64);
            if number.is_some_and(|value| value.is_none_or(|value| !(0.0..=most).contains(&value)))
            {
                self.0
                    .say(name, "range", format!("expected a number from 0 to {most}"));
            }
        }
        for name in ["max_output_tokens", "max_tool_calls"] {
            let count = body.get(name).map(Value::as_u64);
            if count.is_some_and(|value| value.is_none_or(|value| value == 0)) {
                self.0.say(name, "range", "expected a positive integer");
            }
        }
        for name in ["background", "parallel_tool_calls", "store", "stream"] {
            if body.get(name).is_some_and(|value| !value.is_boolean()) {
                self.0.say(name, "boolean", "expected a boolean");
            }
        }
        if body.contains_key("stream_options") && body.get("stream") != Some(&Value::Bool(true)) {
            self.0.say(
                "stream_options",
                "stream_options",
                "only allowed when stream is true",
            );
        }
        let words = ["in_memory", "in-memory", "24h"];
        self.word(
            body.get("prompt_cache_retention"),
            "prompt_cache_retention",
            &words,
        );
        self.word(body.get("truncation"), "truncation", &["auto", "disabled"]);
        match body.get("include") {
            None => {}
            Some(Value::Array(names)) => {
                for (at, name) in names.iter().enumerate() {
                    self.word(Some(name), &format!("include[{at}]"), INCLUDABLE);
                }
            }
            Some(_) => self.0.say("include", "include", "expected a list of names"),
        }
    }

    /// A member that is absent, or one of some words.
    fn word(&mut self, value: Option<&Value>, path: &str, words: &[&str]) {
        let Some(value) = value else { return };
        if !value.as_str().is_some_and(|word| words.contains(&word)) {
            self.0.say(
                path,
                "word",
                format!("expected one of {}", words.join(", ")),
            );
        }
    }

    fn tools(&mut self, body: &Map<String, Value>) {
        let none = Vec::new();
        let tools = match body.get("tools") {
            None => &none,
            Some(Value::Array(tools)) => tools,
            Some(_) => {
                return self.0.say("tools", "tools", "expected a list of tools");
            }
        };
        let mut names = BTreeSet::new();
        for (at, tool) in tools.iter().enumerate() {
            let path = format!("tools[{at}]");
            match tool.get("type").and_then(Value::as_str) {
                Some("function") => {
                    let name = tool.get("name").and_then(Value::as_str).unwrap_or_default();
                    if !names.insert(name) {
                        self.0.say(
                            format!("{path}.name"),
                            "duplicate_tool",
                            format!("`{name}` is there twice"),
                        );
                    }
                    self.function(&path, tool, name);
                }
                Some(kind) if BUILT_IN_TOOLS.contains(&kind) => {}
                other => self.0.say(
                    format!("{path}.type"),
                    "tools",
                    format!("no kind of tool: {other:?}"),
                ),
            }
        }
        match body.get("tool_choice") {
            None => {}
            Some(Value::String(word)) if word == "auto" || word == "none" => {}
            Some(Value::String(word)) if word == "required" && !tools.is_empty() => {}
            Some(Value::Object(choice)) => {
                let name = choice.get("name").and_then(Value::as_str);
                let is_function = choice.get("type").is_some_and(|kind| kind == "function");
                if is_function && !name.is_some_and(|name| names.contains(name)) {
                    self.0.say(
                        "tool_choice.name",
                        "tool_choice",
                        "expected the name of a tool of the request",
                    );
                }
            }
            Some(_) => self.0.say(
                "tool_choice",
                "tool_choice",
                "expected auto, none, required (with tools) or an object",
            ),
        }
    }

    fn function(&mut self, path: &str, tool: &Value, name: &str) {
        if !is_name(name) {
            self.0.say(
                format!("{path}.name"),
                "name",
                "expected 1 to 64 of A-Z a-z 0-9 _ -",
            );
        }
        for member in tool.as_object().into_iter().flat_map(Map::keys) {
            if !["type", "name", "description", "parameters", "strict"].contains(&member.as_str()) {
                self.0.say(
                    format!("{path}.{member}"),
                    "unknown_field",
                    "no field of a function; they stand beside `type` here",
                );
            }
        }
        if !tool
            .get("parameters")
            .is_some_and(|schema| schema["type"] == "object")
        {
            self.0.say(
                format!("{path}.parameters"),
                "parameters",
                "expected a schema of type object",
            );
        }
        if tool
            .get("description")
            .is_some_and(|text| !text.is_string())
            || tool
                .get("strict")
                .is_some_and(|strict| !strict.is_boolean())
        {
            self.0.say(
                path,
                "tools",
                "expected a string as description, and a boolean as strict",
            );
        }
    }

    fn reasoning(&mut self, reasoning: Option<&Value>) {
        let Some(reasoning) = reasoning else { return };
        let Some(members) = reasoning.as_object() else {
            return self.0.say("reasoning", "reasoning", "expected an object");
        };
        for member in members.keys() {
            if !["context", "effort", "generate_summary", "mode", "summary"]
                .contains(&member.as_str())
            {
                self.0.say(
                    format!("reasoning.{member}"),
                    "unknown_field",
                    "no field of reasoning",
                );
            }
        }
        let efforts = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];
        self.word(members.get("effort"), "reasoning.effort", &efforts);
        let summaries = ["auto", "concise", "detailed"];
        self.word(members.get("summary"), "reasoning.summary", &summaries);
    }

    fn text(&mut self, text: Option<&Value>) {
        let Some(text) = text else { return };
        self.word(
            text.get("verbosity"),
            "text.verbosity",
            &["low", "medium", "high"],
        );
        let Some(format) = text.get("format") else {
            return;
        };
        match format.get("type").and_then(Value::as_str) {
            Some("text" | "json_object") => {}
            Some("json_schema") => {
                let name = format.get("name").and_then(Value::as_str);
                if !is_name(name.unwrap_or_default()) {
                    self.0.say(
                        "text.format.name",
                        "name",
                        "expected 1 to 64 of A-Z a-z 0-9 _ -",
                    );
                }
                if !format.get("schema").is_some_and(Value::is_object) {
                    self.0.say(
                        "text.format.schema",
                        "schema",
                        "expected a JSON Schema object beside `type`",
                    );
                }
            }
            _ => self.0.say(
                "text.format.type",
                "text_format",
                "expected text, json_object or json_schema",
            ),
        }
    }
}
