//! What a strict provider of the Messages API accepts.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::blocks;
use crate::server::judge::{Judge, Violation, is_text};

const FIELDS: &[&str] = &[
    "cache_control",
    "container",
    "context_management",
    "inference_geo",
    "max_tokens",
    "mcp_servers",
    "messages",
    "metadata",
    "model",
    "output_config",
    "output_format",
    "service_tier",
    "speed",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
];

/// Places that may be marked for the cache.
const MOST_MARKS: usize = 4;

/// Everything that is wrong with a body.
pub(in crate::server) fn judge(body: &Value) -> Vec<Violation> {
    let mut judge = Messages::default();
    let Some(body) = body.as_object() else {
        judge.0.say("$", "json", "expected a JSON object");
        return judge.0.0;
    };
    judge.top(body);
    judge.settings(body);
    judge.thinking(body);
    judge.output_config(body.get("output_config"));
    judge.tools(body);
    judge.system(body.get("system"));
    match body.get("messages").and_then(Value::as_array) {
        Some(messages) if !messages.is_empty() => {
            judge.messages(messages);
            judge.own_tools(messages);
            let enabled = body
                .get("thinking")
                .is_some_and(|it| it["type"] == "enabled");
            if enabled {
                judge.begins_with_thought(messages);
            }
        }
        _ => judge
            .0
            .say("messages", "messages", "expected at least one message"),
    }
    let marks = marks(body);
    if marks > MOST_MARKS {
        judge.0.say(
            "cache_control",
            "cache_control",
            format!("expected at most {MOST_MARKS} marks, found {marks}"),
        );
    }
    judge.0.0
}

fn marks(body: &Map<String, Value>) -> usize {
    let marked = |value: &Value| usize::from(value.get("cache_control").is_some());
    let list = |value: Option<&Value>| {
        let items = value.and_then(Value::as_array).into_iter().flatten();
        items.map(marked).sum::<usize>()
    };
    let messages = body.get("messages").and_then(Value::as_array);
    let said: usize = messages
        .into_iter()
        .flatten()
        .map(|message| list(message.get("content")))
        .sum();
    said + list(body.get("tools"))
        + list(body.get("system"))
        + usize::from(body.contains_key("cache_control"))
}

#[derive(Default)]
struct Messages(Judge);

impl Messages {
    fn top(&mut self, body: &Map<String, Value>) {
        for (field, value) in body {
            if !FIELDS.contains(&field.as_str()) {
                self.0
                    .say(field, "unknown_field", "no field of a Messages request");
            }
            if value.is_null() {
                self.0
                    .say(field, "null_field", "leave it out instead of sending null");
            }
        }
        if !is_text(body.get("model")) {
            self.0.say("model", "model", "expected the name of a model");
        }
        if let Some(mark) = body.get("cache_control") {
            blocks::mark(&mut self.0, "cache_control", mark);
        }
    }

    fn settings(&mut self, body: &Map<String, Value>) {
        if body.get("max_tokens").and_then(Value::as_u64).unwrap_or(0) == 0 {
            self.0
                .say("max_tokens", "max_tokens", "expected a positive integer");
        }
        for name in ["temperature", "top_p"] {
            let value = body.get(name).map(Value::as_f64);
            if value.is_some_and(|value| value.is_none_or(|value| !(0.0..=1.0).contains(&value))) {
                self.0.say(name, "range", "expected a number from 0 to 1");
            }
        }
        if body.contains_key("temperature") && body.contains_key("top_p") {
            self.0.say(
                "top_p",
                "both_samplings",
                "expected one of temperature and top_p",
            );
        }
        if body.get("stream").is_some_and(|value| !value.is_boolean()) {
            self.0.say("stream", "stream", "expected a boolean");
        }
        let Some(stops) = body.get("stop_sequences") else {
            return;
        };
        let good = |stop: &Value| stop.as_str().is_some_and(|stop| !stop.trim().is_empty());
        if !stops.as_array().is_some_and(|stops| stops.iter().all(good)) {
            self.0.say(
                "stop_sequences",
                "stop_sequences",
                "expected a list of texts that are more than white space",
            );
        }
    }

    fn thinking(&mut self, body: &Map<String, Value>) {
        let Some(thinking) = body.get("thinking") else {
            return;
        };
        let budget = thinking.get("budget_tokens").and_then(Value::as_u64);
        match thinking.get("type").and_then(Value::as_str) {
            Some("disabled") => return,
            Some("adaptive") if budget.is_none() => {}
            Some("enabled") => {
                let limit = body.get("max_tokens").and_then(Value::as_u64).unwrap_or(0);
                if !budget.is_some_and(|budget| (1024..limit).contains(&budget)) {
                    self.0.say(
                        "thinking.budget_tokens",
                        "budget_tokens",
                        "expected at least 1024 and less than max_tokens",
                    );
                }
            }
            _ => self.0.say(
                "thinking.type",
                "thinking",
                "expected enabled, adaptive or disabled",
            ),
        }
        let number = |name: &str| body.get(name).and_then(Value::as_f64);
        if number("temperature").is_some_and(|value| value != 1.0)
            || number("top_p").is_some_and(|value| value < 0.95)
            || body.contains_key("top_k")
        {
            self.0.say(
                "thinking",
                "thinking_sampling",
                "a model that thinks takes no other temperature than 1, no top_k and no top_p below 0.95",
            );
        }
        let forced = body
            .get("tool_choice")
            .and_then(|choice| choice["type"].as_str());
        if matches!(forced, Some("any" | "tool")) {
            self.0.say(
                "tool_choice",
                "thinking_tool_choice",
                "a model that thinks may not be forced to use a tool",
            );
        }
    }

    fn output_config(&mut self, config: Option<&Value>) {
        let Some(config) = config else { return };
        let Some(config) = config.as_object().filter(|config| !config.is_empty()) else {
            return self.0.say(
                "output_config",
                "output_config",
                "expected an object that says something",
            );
        };
        for (name, value) in config {
            let path = format!("output_config.{name}");
            match name.as_str() {
                "effort"
                    if ["low", "medium", "high", "max"]
                        .iter()
                        .any(|it| value == it) => {}
                "format" if value["type"] == "json_schema" => {
                    blocks::closed(&mut self.0, &format!("{path}.schema"), &value["schema"]);
                }
                _ => self.0.say(
                    path,
                    "output_config",
                    "expected effort or a json_schema format",
                ),
            }
        }
    }

    fn tools(&mut self, body: &Map<String, Value>) {
        let tools: &[Value] = match body.get("tools") {
            None => &[],
            Some(Value::Array(tools)) if !tools.is_empty() => tools,
            Some(_) => {
                return self
                    .0
                    .say("tools", "tools", "expected at least one tool, or no field");
            }
        };
        let mut names = BTreeSet::new();
        for (at, tool) in tools.iter().enumerate() {
            let name = blocks::tool(&mut self.0, &format!("tools[{at}]"), tool);
            if !names.insert(name) {
                self.0.say(
                    format!("tools[{at}].name"),
                    "duplicate_tool",
                    format!("`{name}` is there twice"),
                );
            }
        }
        let Some(choice) = body.get("tool_choice") else {
            return;
        };
        if tools.is_empty() {
            return self.0.say(
                "tool_choice",
                "without_tools",
                "only allowed when tools are specified",
            );
        }
        let name = choice.get("name").and_then(Value::as_str);
        let known = match choice.get("type").and_then(Value::as_str) {
            Some("auto" | "any") => name.is_none(),
            Some("none") => name.is_none() && choice.get("disable_parallel_tool_use").is_none(),
            Some("tool") => name.is_some_and(|name| names.contains(name)),
            _ => false,
        };
        let parallel = choice.get("disable_parallel_tool_use");
        if !known || parallel.is_some_and(|value| !value.is_boolean()) {
            self.0.say(
                "tool_choice",
                "tool_choice",
                "expected auto, any, none, or one of the tools by name",
            );
        }
    }

    fn system(&mut self, system: Option<&Value>) {
        match system {
            None => {}
            Some(Value::String(text)) if !text.is_empty() => {}
            Some(Value::Array(list)) if !list.is_empty() => {
                for (at, block) in list.iter().enumerate() {
                    let path = format!("system[{at}]");
                    if block["type"] != "text" {
                        self.0.say(&path, "system", "expected a block of text");
                    }
                    blocks::content(&mut self.0, &path, block, "system");
                }
            }
            Some(_) => self.0.say(
                "system",
                "system",
                "expected a text or blocks of text, or no field",
            ),
        }
    }

    fn messages(&mut self, messages: &[Value]) {
        // Calls of the message before, in order, that this one has to answer.
        let mut open: Vec<&str> = Vec::new();
        let mut ids = BTreeSet::new();
        let mut before = "";
        for (at, message) in messages.iter().enumerate() {
            let path = format!("messages[{at}]");
            let role = message["role"].as_str().unwrap_or_default();
            if !matches!(role, "user" | "assistant" | "system") {
                self.0.say(
                    format!("{path}.role"),
                    "role",
                    format!("unknown role `{role}`"),
                );
            }
            if role == before {
                self.0.say(
                    format!("{path}.role"),
                    "alternation",
                    format!("two messages of `{role}` in a row"),
                );
            }
            before = role;
            for field in message.as_object().into_iter().flat_map(Map::keys) {
                if !matches!(field.as_str(), "role" | "content") {
                    self.0.say(
                        format!("{path}.{field}"),
                        "unknown_field",
                        "no field of a message",
                    );
                }
            }
            let content: &[Value] = match &message["content"] {
                Value::String(text) if !text.trim().is_empty() => &[],
                Value::Array(content) if !content.is_empty() => content,
                _ => {
                    self.0.say(
                        format!("{path}.content"),
                        "content",
                        "expected a text or blocks, not empty",
                    );
                    &[]
                }
            };
            for (at, block) in content.iter().enumerate() {
                blocks::content(&mut self.0, &format!("{path}.content[{at}]"), block, role);
            }
            self.answers(&path, content, std::mem::take(&mut open));
            for block in content.iter().filter(|block| block["type"] == "tool_use") {
                let id = block["id"].as_str().unwrap_or_default();
                if !ids.insert(id) {
                    self.0.say(
                        &path,
                        "duplicate_call_id",
                        format!("the id `{id}` is there twice"),
                    );
                }
                open.push(id);
            }
            if role == "assistant" {
                self.ends_well(&path, content, at + 1 == messages.len());
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

    /// Results come before everything else, each once, in the order of the calls.
    fn answers(&mut self, path: &str, content: &[Value], open: Vec<&str>) {
        let mut open: std::collections::VecDeque<&str> = open.into();
        let mut others = false;
        for (at, block) in content.iter().enumerate() {
            if block["type"] != "tool_result" {
                others = true;
                continue;
            }
            let path = format!("{path}.content[{at}]");
            if others {
                self.0.say(
                    &path,
                    "results_first",
                    "results come before everything else in their message",
                );
            }
            let id = block["tool_use_id"].as_str().unwrap_or_default();
            match open.iter().position(|call| *call == id) {
                None => self.0.say(
                    &path,
                    "result_without_call",
                    format!("`{id}` answers no call of the message before"),
                ),
                Some(place) => {
                    if place != 0 {
                        self.0
                            .say(&path, "result_order", "results are to come in call order");
                    }
                    open.remove(place);
                }
            }
        }
        if !open.is_empty() {
            let open: Vec<_> = open.into();
            self.0.say(
                path,
                "call_without_result",
                format!(
                    "calls without a result in the next message: {}",
                    open.join(", ")
                ),
            );
        }
    }

    /// What an assistant's message may not end with, and the provider's own tools that never answered.
    fn ends_well(&mut self, path: &str, content: &[Value], last: bool) {
        let Some(end) = content.last() else { return };
        if blocks::is_thought(end) {
            self.0.say(
                path,
                "thought_at_the_end",
                "a message may not end with a thought",
            );
        }
        if last
            && let Some(text) = end["text"].as_str()
            && text.trim_end() != text
        {
            self.0.say(
                path,
                "white_space_at_the_end",
                "the last message may not end with white space",
            );
        }
    }

    /// The use of a tool of the provider has its result, unless the provider is still at it.
    fn own_tools(&mut self, messages: &[Value]) {
        let blocks =
            |message: &'_ Value| message["content"].as_array().cloned().unwrap_or_default();
        let results: BTreeSet<String> = messages
            .iter()
            .flat_map(blocks)
            .filter(|block| block["type"] != "tool_result")
            .filter_map(|block| block.get("tool_use_id")?.as_str().map(str::to_owned))
            .collect();
        let answers = |message: &Value| {
            let content = message["content"].as_array();
            content.is_some_and(|content| content.iter().all(|it| it["type"] == "tool_result"))
        };
        let under_way = match messages {
            [.., last] if last["role"] == "assistant" => messages.len() - 1,
            [.., _, last] if answers(last) => messages.len() - 2,
            _ => messages.len(),
        };
        for (at, message) in messages.iter().enumerate().take(under_way) {
            let blocks = blocks(message);
            for (place, block) in blocks.iter().enumerate() {
                let kind = block["type"].as_str().unwrap_or_default();
                let id = block["id"].as_str().unwrap_or_default();
                // A result right behind belongs to it.
                let behind = blocks
                    .get(place + 1)
                    .is_some_and(|it| it.get("tool_use_id").is_some());
                if kind.ends_with("_tool_use") && !behind && !results.contains(id) {
                    self.0.say(
                        format!("messages[{at}].content[{place}]"),
                        "own_use_without_result",
                        format!("`{id}` was used and never gave a result"),
                    );
                }
            }
        }
    }

    /// With a budget for thoughts, the turn that is under way must have begun with one; results end no turn.
    fn begins_with_thought(&mut self, messages: &[Value]) {
        let is_answer = |block: &Value| block["type"] == "tool_result";
        let spoke = |message: &Value| {
            message["role"] != "assistant"
                && !message["content"]
                    .as_array()
                    .is_some_and(|content| content.iter().any(is_answer))
        };
        let since = messages.iter().rposition(spoke).map_or(0, |at| at + 1);
        let first = messages
            .iter()
            .skip(since)
            .find(|it| it["role"] == "assistant");
        let begins = |message: &Value| {
            message
                .pointer("/content/0")
                .is_some_and(blocks::is_thought)
        };
        if first.is_some_and(|message| !begins(message)) {
            self.0.say(
                "messages",
                "thought_first",
                "with a budget for thoughts the latest turn of the assistant begins with a thought",
            );
        }
    }
}
