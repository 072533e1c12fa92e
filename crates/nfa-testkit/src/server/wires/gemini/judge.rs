//! What a strict Gemini accepts.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::schema;
use crate::server::judge::{Judge, Violation, is_text};

const FIELDS: &[&str] = &[
    "cachedContent",
    "contents",
    "generationConfig",
    "labels",
    "safetySettings",
    "serviceTier",
    "store",
    "systemInstruction",
    "toolConfig",
    "tools",
];

const CONFIG: &[&str] = &[
    "audioTimestamp",
    "candidateCount",
    "enableAffectiveDialog",
    "enableEnhancedCivicAnswers",
    "frequencyPenalty",
    "imageConfig",
    "logprobs",
    "maxOutputTokens",
    "mediaResolution",
    "presencePenalty",
    "responseFormat",
    "responseJsonSchema",
    "responseLogprobs",
    "responseMimeType",
    "responseModalities",
    "responseSchema",
    "seed",
    "speechConfig",
    "stopSequences",
    "temperature",
    "thinkingConfig",
    "topK",
    "topP",
];

const TOOLS: &[&str] = &[
    "codeExecution",
    "computerUse",
    "fileSearch",
    "functionDeclarations",
    "googleMaps",
    "googleSearch",
    "googleSearchRetrieval",
    "mcpServers",
    "urlContext",
];

/// What a part holds: one of these.
const DATA: &[&str] = &[
    "codeExecutionResult",
    "executableCode",
    "fileData",
    "functionCall",
    "functionResponse",
    "inlineData",
    "text",
    "toolCall",
    "toolResponse",
];

/// What may stand beside it.
const BESIDE: &[&str] = &[
    "mediaResolution",
    "partMetadata",
    "thought",
    "thoughtSignature",
    "videoMetadata",
];

/// Everything that is wrong with a body.
pub(in crate::server) fn judge(body: &Value) -> Vec<Violation> {
    let mut judge = Gemini::default();
    let Some(body) = body.as_object() else {
        judge.0.say("$", "json", "expected a JSON object");
        return judge.0.0;
    };
    judge.known("", body, FIELDS);
    judge.nulls("", body);
    judge.instruction(body);
    judge.config(body.get("generationConfig"));
    judge.tools(body);
    match body.get("contents").and_then(Value::as_array) {
        Some(contents) if !contents.is_empty() => judge.contents(contents),
        _ => judge
            .0
            .say("contents", "contents", "expected at least one content"),
    }
    judge.0.0
}

#[derive(Default)]
struct Gemini(Judge);

impl Gemini {
    fn known(&mut self, path: &str, map: &Map<String, Value>, fields: &[&str]) {
        for field in map.keys() {
            if !fields.contains(&field.as_str()) {
                self.0
                    .say(format!("{path}{field}"), "unknown_field", "no such field");
            }
        }
    }

    fn nulls(&mut self, path: &str, map: &Map<String, Value>) {
        for (field, value) in map {
            if value.is_null() {
                self.0.say(
                    format!("{path}{field}"),
                    "null_field",
                    "leave it out instead of sending null",
                );
            }
        }
    }

    fn instruction(&mut self, body: &Map<String, Value>) {
        let Some(instruction) = body.get("systemInstruction") else {
            return;
        };
        let parts = instruction.get("parts").and_then(Value::as_array);
        let texts = parts.is_some_and(|parts| {
            !parts.is_empty() && parts.iter().all(|part| is_text(part.get("text")))
        });
        if !texts && !instruction.is_null() {
            self.0.say(
                "systemInstruction.parts",
                "instruction",
                "expected parts of text",
            );
        }
        if body.contains_key("cachedContent") && !instruction.is_null() {
            self.0.say(
                "systemInstruction",
                "cached_content",
                "instructions belong to the cached content",
            );
        }
    }

    fn config(&mut self, config: Option<&Value>) {
        let Some(config) = config.filter(|config| !config.is_null()) else {
            return;
        };
        let Some(config) = config.as_object() else {
            return self
                .0
                .say("generationConfig", "config", "expected an object");
        };
        self.known("generationConfig.", config, CONFIG);
        self.nulls("generationConfig.", config);
        let number = |name: &str| config.get(name).map(Value::as_f64);
        for (name, most) in [("temperature", 2.0), ("topP", 1.0)] {
            if number(name)
                .is_some_and(|value| value.is_none_or(|value| !(0.0..=most).contains(&value)))
            {
                self.0
                    .say(name, "range", format!("expected a number from 0 to {most}"));
            }
        }
        for name in ["maxOutputTokens", "candidateCount"] {
            let count = config.get(name).map(Value::as_u64);
            if count.is_some_and(|count| count.is_none_or(|count| count == 0)) {
                self.0.say(name, "range", "expected a positive integer");
            }
        }
        let seed = config.get("seed").map(Value::as_i64);
        if seed.is_some_and(|seed| seed.is_none_or(|seed| i32::try_from(seed).is_err())) {
            self.0.say("seed", "range", "expected 32 bits");
        }
        let schema = ["responseSchema", "responseJsonSchema"];
        let schemas = schema
            .iter()
            .filter(|name| config.contains_key(**name))
            .count();
        if schemas > 1 {
            self.0
                .say("responseSchema", "two_schemas", "expected one of the two");
        }
        if schemas > 0 && config.get("responseMimeType") != Some(&"application/json".into()) {
            self.0.say(
                "responseMimeType",
                "schema_without_json",
                "a schema needs application/json",
            );
        }
        if let Some(thinking) = config.get("thinkingConfig").and_then(Value::as_object) {
            let fields = ["includeThoughts", "thinkingBudget", "thinkingLevel"];
            self.known("thinkingConfig.", thinking, &fields);
            if thinking.contains_key("thinkingBudget") && thinking.contains_key("thinkingLevel") {
                self.0.say(
                    "thinkingConfig",
                    "two_efforts",
                    "expected a budget or a level",
                );
            }
        }
    }

    fn tools(&mut self, body: &Map<String, Value>) {
        let Some(tools) = body.get("tools").filter(|tools| !tools.is_null()) else {
            return;
        };
        if body.contains_key("cachedContent") {
            self.0.say(
                "tools",
                "cached_content",
                "tools belong to the cached content",
            );
        }
        let Some(tools) = tools.as_array().filter(|tools| !tools.is_empty()) else {
            return self
                .0
                .say("tools", "tools", "expected at least one tool, or no field");
        };
        let mut names = BTreeSet::new();
        for (at, tool) in tools.iter().enumerate() {
            let path = format!("tools[{at}]");
            let Some(tool) = tool.as_object() else {
                self.0.say(path, "tools", "expected an object");
                continue;
            };
            self.known(&format!("{path}."), tool, TOOLS);
            if tool.values().all(Value::is_null) {
                self.0.say(&path, "tools", "expected a tool");
            }
            let declared = tool.get("functionDeclarations").and_then(Value::as_array);
            for (at, function) in declared.into_iter().flatten().enumerate() {
                let path = format!("{path}.functionDeclarations[{at}]");
                let name = function.get("name").and_then(Value::as_str);
                self.name(&path, name.unwrap_or_default());
                if !names.insert(name.unwrap_or_default()) {
                    self.0.say(
                        format!("{path}.name"),
                        "duplicate_tool",
                        "a declaration of that name is there already",
                    );
                }
                let schemas = ["parameters", "parametersJsonSchema"];
                if schemas.iter().all(|name| function.get(name).is_some()) {
                    self.0
                        .say(&path, "two_schemas", "expected one of the two schemas");
                }
                if let Some(parameters) = function.get("parameters") {
                    schema::check(&mut self.0, &format!("{path}.parameters"), parameters);
                }
            }
        }
    }

    fn name(&mut self, path: &str, name: &str) {
        let first = |c: char| c.is_ascii_alphabetic() || c == '_';
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_.:-".contains(c);
        if !(name.len() <= 64 && name.starts_with(first) && name.chars().all(allowed)) {
            self.0.say(
                format!("{path}.name"),
                "name",
                "expected a letter or underscore, then letters, digits, _ . : -; 64 at most",
            );
        }
    }

    fn contents(&mut self, contents: &[Value]) {
        let mut before = "";
        // The calls of the turn before, with their ids where they have some.
        let mut open: Vec<(&str, Option<&str>)> = Vec::new();
        for (at, content) in contents.iter().enumerate() {
            let path = format!("contents[{at}]");
            let role = content
                .get("role")
                .and_then(Value::as_str)
                .unwrap_or_default();
            if !matches!(role, "user" | "model") {
                self.0
                    .say(format!("{path}.role"), "role", "expected user or model");
            }
            if role == before {
                self.0.say(
                    format!("{path}.role"),
                    "alternate",
                    "expected the other role",
                );
            }
            if at == 0 && role == "model" {
                self.0
                    .say(format!("{path}.role"), "first_role", "a user speaks first");
            }
            before = role;
            let parts = content.get("parts").and_then(Value::as_array);
            let Some(parts) = parts.filter(|parts| !parts.is_empty()) else {
                self.0.say(
                    format!("{path}.parts"),
                    "parts",
                    "expected at least one part",
                );
                continue;
            };
            for (at, part) in parts.iter().enumerate() {
                self.part(&format!("{path}.parts[{at}]"), part, role);
            }
            self.results(&path, parts, &open);
            open = parts
                .iter()
                .filter_map(|part| part.get("functionCall"))
                .map(|call| {
                    let text = |name: &str| call.get(name).and_then(Value::as_str);
                    (text("name").unwrap_or_default(), text("id"))
                })
                .collect();
        }
        if !open.is_empty() {
            self.0.say(
                "contents",
                "call_without_result",
                "the conversation ends with calls that have no result",
            );
        }
    }

    fn part(&mut self, path: &str, part: &Value, role: &str) {
        let Some(map) = part.as_object() else {
            return self.0.say(path, "part", "expected an object");
        };
        let data: Vec<_> = map
            .keys()
            .filter(|name| DATA.contains(&name.as_str()))
            .collect();
        let signed = map.contains_key("thoughtSignature");
        if data.len() > 1 || (data.is_empty() && !signed) {
            self.0
                .say(path, "part_data", "expected one kind of data in a part");
        }
        for name in map.keys() {
            if !DATA.contains(&name.as_str()) && !BESIDE.contains(&name.as_str()) {
                self.0
                    .say(format!("{path}.{name}"), "unknown_field", "no such field");
            }
        }
        let text = |pointer: &str| is_text(part.pointer(pointer));
        if let Some(said) = map.get("text")
            && (!said.is_string() || (said == "" && !signed))
        {
            self.0
                .say(format!("{path}.text"), "text", "expected a text");
        }
        if map.contains_key("inlineData")
            && !(text("/inlineData/mimeType") && text("/inlineData/data"))
        {
            self.0
                .say(path, "media", "expected a mimeType and data in base64");
        }
        if map.contains_key("fileData") && !text("/fileData/fileUri") {
            self.0.say(path, "media", "expected a fileUri");
        }
        let calls = map.contains_key("functionCall");
        let says = role == "model";
        if (calls && !says) || (map.contains_key("functionResponse") && says) {
            self.0.say(
                path,
                "part_role",
                "calls are of the model, results of the user",
            );
        }
        for name in ["functionCall", "functionResponse"] {
            let Some(function) = map.get(name) else {
                continue;
            };
            let named = function.get("name").and_then(Value::as_str);
            self.name(&format!("{path}.{name}"), named.unwrap_or_default());
            let (field, needed) = if calls {
                ("args", false)
            } else {
                ("response", true)
            };
            let value = function.get(field);
            if value.map_or(needed, |value| !value.is_object()) {
                self.0.say(
                    format!("{path}.{name}.{field}"),
                    "object",
                    "expected an object",
                );
            }
        }
    }

    /// The results in a content answer the calls before it: as many, in call order, with the same names and ids.
    fn results(&mut self, path: &str, parts: &[Value], open: &[(&str, Option<&str>)]) {
        let results: Vec<_> = parts
            .iter()
            .filter_map(|part| part.get("functionResponse"))
            .collect();
        if results.len() < open.len() {
            self.0.say(
                path,
                "call_without_result",
                format!("{} calls, {} results", open.len(), results.len()),
            );
        }
        if results.len() > open.len() {
            self.0.say(
                path,
                "result_without_call",
                format!("{} calls, {} results", open.len(), results.len()),
            );
        }
        for (result, (name, id)) in results.iter().zip(open) {
            let text = |name: &str| result.get(name).and_then(Value::as_str);
            if text("name") != Some(name) || text("id") != *id {
                self.0.say(
                    path,
                    "result_order",
                    format!("expected the result of `{name}`: results come in call order"),
                );
            }
        }
    }
}
