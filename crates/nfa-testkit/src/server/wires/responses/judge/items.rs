//! The rules of input items: what each holds, and how they belong together.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::server::judge::{Judge, is_name, is_text};

/// Kinds that the provider makes, beside messages, reasoning and function calls.
const PROVIDERS_OWN: &[&str] = &[
    "apply_patch_call",
    "apply_patch_call_output",
    "code_interpreter_call",
    "compaction",
    "computer_call",
    "computer_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "file_search_call",
    "image_generation_call",
    "local_shell_call",
    "local_shell_call_output",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_call",
    "mcp_list_tools",
    "shell_call",
    "shell_call_output",
    "tool_search_call",
    "tool_search_output",
    "web_search_call",
];

/// Judges `input`.
pub(super) fn judge(judge: &mut Judge, body: &Map<String, Value>) {
    let items = match body.get("input") {
        Some(Value::String(text)) if !text.is_empty() => return,
        Some(Value::Array(items)) if !items.is_empty() => items,
        _ => return judge.say("input", "input", "expected a text or at least one item"),
    };
    let mut conversation = Items {
        judge,
        stored: body.get("store") != Some(&Value::Bool(false)),
        open: Vec::new(),
        calls: BTreeSet::new(),
        ids: BTreeSet::new(),
    };
    for (at, item) in items.iter().enumerate() {
        conversation.item(at, item);
        if kind(item) == "reasoning" && !leads_somewhere(items, at) {
            conversation.judge.say(
                format!("input[{at}]"),
                "lone_reasoning",
                "reasoning without the item that followed it",
            );
        }
    }
    conversation.nothing_open("input");
}

fn kind(item: &Value) -> &str {
    match item.get("type").and_then(Value::as_str) {
        Some(kind) => kind,
        None if item.get("role").is_some() => "message",
        None => "",
    }
}

/// Whether an item is something that the model made.
fn is_output(item: &Value) -> bool {
    match kind(item) {
        "message" => item["role"] == "assistant",
        kind => !kind.ends_with("_output") && kind != "mcp_approval_response",
    }
}

/// Whether reasoning is followed by what it led to; one that says it is complete may come last.
fn leads_somewhere(items: &[Value], at: usize) -> bool {
    let is_last = !items.get(at + 1).is_some_and(is_output);
    if !is_last {
        return true;
    }
    let before = at.checked_sub(1).and_then(|before| items.get(before));
    let complete = items
        .get(at)
        .is_some_and(|item| item["status"] == "completed");
    complete && before.is_some_and(is_output)
}

struct Items<'a> {
    judge: &'a mut Judge,
    stored: bool,
    /// Calls that still wait for their output, with the type that it must have.
    open: Vec<(&'a str, String)>,
    calls: BTreeSet<&'a str>,
    ids: BTreeSet<&'a str>,
}

impl<'a> Items<'a> {
    fn item(&mut self, at: usize, item: &'a Value) {
        let path = format!("input[{at}]");
        self.identity(&path, item);
        match kind(item) {
            "message" => {
                if item["role"] != "assistant" {
                    self.nothing_open(&path);
                }
                self.message(&path, item);
            }
            "reasoning" => self.reasoning(&path, item),
            "function_call" => {
                let name = item.get("name").and_then(Value::as_str);
                if !is_name(name.unwrap_or_default()) {
                    self.judge.say(
                        format!("{path}.name"),
                        "name",
                        "expected 1 to 64 of A-Z a-z 0-9 _ -",
                    );
                }
                if !item.get("arguments").is_some_and(Value::is_string) {
                    self.judge.say(
                        format!("{path}.arguments"),
                        "arguments",
                        "expected a string of JSON",
                    );
                }
                self.call(&path, item, "function_call_output");
            }
            "function_call_output" => {
                if !item
                    .get("output")
                    .is_some_and(|output| output.is_string() || output.is_array())
                {
                    self.judge.say(
                        format!("{path}.output"),
                        "output",
                        "expected a string or a list of parts",
                    );
                }
                self.result(&path, item);
            }
            "item_reference" => {
                if !self.stored {
                    self.judge
                        .say(path, "item_reference", "nothing is stored to refer to");
                }
            }
            kind if PROVIDERS_OWN.contains(&kind) => {
                if kind.ends_with("_output") {
                    self.result(&path, item);
                } else if item.get("call_id").is_some() {
                    self.call(&path, item, &format!("{kind}_output"));
                }
            }
            other => self
                .judge
                .say(path, "item", format!("no kind of input item: `{other}`")),
        }
    }

    /// Its id and status, where it has them.
    fn identity(&mut self, path: &str, item: &'a Value) {
        let prefix = match kind(item) {
            "message" => "msg",
            "reasoning" => "rs",
            "function_call" => "fc",
            _ => "",
        };
        let named = |id: &&str| !id.is_empty() && id.starts_with(prefix);
        if let Some(id) = item.get("id").and_then(Value::as_str).filter(named) {
            if !self.ids.insert(id) && kind(item) != "item_reference" {
                self.judge.say(
                    format!("{path}.id"),
                    "duplicate_item",
                    format!("`{id}` is there twice"),
                );
            }
        } else if let Some(other) = item.get("id") {
            self.judge.say(
                format!("{path}.id"),
                "item_id",
                format!("expected an id that begins with `{prefix}`, found {other}"),
            );
        }
        let words = ["in_progress", "completed", "incomplete"];
        let ours = matches!(
            kind(item),
            "message" | "function_call" | "function_call_output"
        );
        let known = item
            .get("status")
            .is_none_or(|status| status.as_str().is_some_and(|word| words.contains(&word)));
        if ours && !known {
            self.judge.say(
                format!("{path}.status"),
                "status",
                "expected in_progress, completed or incomplete",
            );
        }
    }

    fn message(&mut self, path: &str, item: &Value) {
        let role = item.get("role").and_then(Value::as_str).unwrap_or_default();
        if !["assistant", "developer", "system", "user"].contains(&role) {
            self.judge.say(
                format!("{path}.role"),
                "role",
                format!("unknown role `{role}`"),
            );
        }
        let path = format!("{path}.content");
        match item.get("content") {
            Some(Value::String(text)) if role != "assistant" || !text.is_empty() => {}
            Some(Value::Array(parts)) if !parts.is_empty() => {
                for (at, part) in parts.iter().enumerate() {
                    if !is_content(part, role == "assistant") {
                        self.judge.say(
                            format!("{path}[{at}]"),
                            "content",
                            "unknown or incomplete content part, or one of the other side",
                        );
                    }
                }
            }
            _ => self
                .judge
                .say(path, "content", "expected a text or a list of parts"),
        }
    }

    fn reasoning(&mut self, path: &str, item: &Value) {
        if !is_text(item.get("id")) {
            self.judge
                .say(format!("{path}.id"), "item_id", "reasoning has an id");
        }
        let summary = item.get("summary").and_then(Value::as_array);
        let is_summary =
            |piece: &Value| piece["type"] == "summary_text" && piece["text"].is_string();
        if !summary.is_some_and(|pieces| pieces.iter().all(is_summary)) {
            self.judge.say(
                format!("{path}.summary"),
                "summary",
                "expected a list of summary texts, empty or not",
            );
        }
        let encrypted = item.get("encrypted_content");
        if encrypted.is_some_and(|content| !content.is_string() && !content.is_null()) {
            self.judge.say(
                format!("{path}.encrypted_content"),
                "encrypted_content",
                "expected a string",
            );
        }
    }

    fn call(&mut self, path: &str, item: &'a Value, output: &str) {
        let id = item
            .get("call_id")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if !(1..=64).contains(&id.len()) {
            self.judge.say(
                format!("{path}.call_id"),
                "call_id",
                "expected an id of 1 to 64 bytes",
            );
        }
        if !self.calls.insert(id) {
            self.judge.say(
                format!("{path}.call_id"),
                "duplicate_call_id",
                format!("`{id}` is there twice"),
            );
        }
        self.open.push((id, output.to_owned()));
    }

    fn result(&mut self, path: &str, item: &Value) {
        let id = item
            .get("call_id")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let answers = |(call, output): &(&str, String)| *call == id && output == kind(item);
        match self.open.iter().position(answers) {
            Some(place) => drop(self.open.remove(place)),
            None => self.judge.say(
                format!("{path}.call_id"),
                "result_without_call",
                format!("`{id}` answers no open call"),
            ),
        }
    }

    fn nothing_open(&mut self, path: &str) {
        if self.open.is_empty() {
            return;
        }
        let ids: Vec<_> = self.open.drain(..).map(|(id, _)| id).collect();
        self.judge.say(
            path,
            "call_without_result",
            format!("calls without an output before it: {}", ids.join(", ")),
        );
    }
}

fn is_content(part: &Value, of_model: bool) -> bool {
    let has = |name: &str| part.get(name).is_some_and(Value::is_string);
    match (part.get("type").and_then(Value::as_str), of_model) {
        (Some("output_text"), true) => has("text"),
        (Some("refusal"), true) => has("refusal"),
        (Some("input_text"), false) => has("text"),
        (Some("input_image"), false) => has("image_url") || has("file_id"),
        (Some("input_file"), false) => {
            has("file_url") || has("file_id") || has("file_data") && has("filename")
        }
        _ => false,
    }
}
