//! The request's body, written once, straight into bytes; what an earlier request wrote is copied.
//!
//! The bytes of a message are kept as it is written where nothing around it matters. It is written anew where
//! that is not what is sent: when the id of a call was taken before, results have to be put into another order,
//! or a block is left out or cut. A mark for the provider's cache is put behind the kept bytes.

mod blocks;
mod container;
mod media;
mod schema;
mod turns;

use std::time::SystemTime;

use bytes::Bytes;
use nfa_core::Error;
use nfa_core::content::Message;
use nfa_core::ports::{ModelRequest, ToolDefinition};
use nfa_core::spec::PromptCache;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::thinking::{Thought, thought};
use super::{Messages, MessagesOptions};
use crate::errors;
use crate::wire::object::{self, Object};
use crate::wire::{Written, sent};
use turns::{Conversation, Placed, is_assistant, said};

/// Fields that are ours: a setting may not change what the answer is read as.
const OURS: [&str; 4] = ["messages", "model", "stream", "system"];

/// Places in a request that the provider lets one mark for its cache.
const MOST_MARKS: usize = 4;

/// What was written before.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Messages as instructions, and as blocks of a turn.
    instructions: Written<Message>,
    messages: Written<Message>,
    tools: Written<[ToolDefinition]>,
}

/// The body.
pub(super) fn body(model: &Messages, request: &ModelRequest) -> Result<Bytes, Error> {
    let settings = &request.settings;
    let builtin = sent::built_in_tools(settings, &OURS)?;
    let conversation = Conversation::of(&model.endpoint, &request.messages);
    if conversation.blocks.is_empty() {
        return Err(errors::input(
            errors::REQUEST_INVALID,
            "expected at least one message that says something",
        ));
    }
    let (output, told_schema) = output_config(&model.options, request)?;
    let thought = thought(
        model.options.thinking,
        settings,
        model.options.max_tokens,
        conversation.goes_on_without_thoughts(),
    );
    let body = Body {
        model,
        request,
        conversation: &conversation,
        output,
        told_schema,
        thought,
        builtin,
        marks: Marks::of(request, builtin),
    };
    body.write()
}

/// `output_config`, without its effort. A schema that the provider cannot hold an answer to becomes part of
/// the instructions, which is the other thing here.
fn output_config(
    options: &MessagesOptions,
    request: &ModelRequest,
) -> Result<(Map<String, Value>, Option<String>), Error> {
    let mut told = None;
    let mut config = match request.settings.extra.get("output_config") {
        None => Map::new(),
        Some(Value::Object(config)) if !config.contains_key("format") => config.clone(),
        Some(_) => {
            return Err(errors::input(
                errors::REQUEST_INVALID,
                "expected an object without `format` in the extra setting `output_config`: the adapter sets \
                 the format",
            ));
        }
    };
    if let Some(schema) = request.output_schema.as_deref() {
        let closed = options.output_format.then(|| schema::closed(schema));
        match closed.flatten() {
            Some(schema) => {
                let format = json!({"type": "json_schema", "schema": schema});
                config.insert("format".to_owned(), format);
            }
            None => {
                told = Some(format!(
                    "Give your final answer as JSON that matches this JSON Schema, and nothing else:\n{schema}"
                ));
            }
        }
    }
    Ok((config, told))
}

/// Where the provider's cache is to end: after the tools, the instructions, and what was said last.
#[derive(Clone, Copy, Debug, Default)]
struct Marks {
    mark: Option<Mark>,
    tools: bool,
    system: bool,
    last: bool,
}

impl Marks {
    fn of(request: &ModelRequest, builtin: &[Value]) -> Self {
        let Some(cache) = request.settings.prompt_cache else {
            return Self::default();
        };
        let marked = |value: &&Value| value.get("cache_control").is_some();
        let theirs = builtin.iter().filter(marked).count()
            + usize::from(request.settings.extra.contains_key("cache_control"));
        let left = MOST_MARKS.saturating_sub(theirs);
        Self {
            mark: Some(Mark {
                r#type: "ephemeral",
                ttl: (cache == PromptCache::Long).then_some("1h"),
            }),
            tools: left >= 3,
            system: left >= 2,
            last: left >= 1,
        }
    }

    /// Puts the mark behind the last block of a list, where it is `wanted`.
    fn put(self, wanted: bool, list: &mut Vec<u8>) -> Result<(), Error> {
        if let Some(mark) = self.mark.filter(|_| wanted)
            && list.pop_if(|last| *last == b'}').is_some()
        {
            list.extend_from_slice(b",\"cache_control\":");
            object::write(list, &mark)?;
            list.push(b'}');
        }
        Ok(())
    }
}

/// `cache_control`.
#[derive(Clone, Copy, Debug, Serialize)]
struct Mark {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<&'static str>,
}

struct Body<'a> {
    model: &'a Messages,
    request: &'a ModelRequest,
    conversation: &'a Conversation<'a>,
    output: Map<String, Value>,
    told_schema: Option<String>,
    thought: Thought,
    builtin: &'a [Value],
    marks: Marks,
}

impl Body<'_> {
    fn write(&self) -> Result<Bytes, Error> {
        // About what a conversation takes, so that it rarely has to be moved as it grows.
        let mut out = Vec::with_capacity(1024 + 192 * self.request.messages.len());
        let mut body = Object::begin(&mut out);
        body.entry("model", &self.model.endpoint.model)?;
        if !self.request.settings.extra.contains_key("max_tokens") {
            body.entry("max_tokens", &self.thought.max_tokens)?;
        }
        if !self.conversation.instructions.is_empty() || self.told_schema.is_some() {
            self.write_system(body.key("system"))?;
        }
        self.write_turns(body.key("messages"))?;
        if self.request.deltas {
            body.entry("stream", &true)?;
        }
        if !self.request.tools.is_empty() || !self.builtin.is_empty() {
            self.write_tools(body.key("tools"))?;
        }
        self.write_settings(&mut body)?;
        body.end();
        Ok(out.into())
    }

    fn write_settings(&self, body: &mut Object<'_>) -> Result<(), Error> {
        let settings = &self.request.settings;
        let extra = &settings.extra;
        let free = |name: &str| !extra.contains_key(name);
        if let Some(field) = &self.thought.field {
            body.entry("thinking", field)?;
        }
        let mut output = self.output.clone();
        if let Some(effort) = self.thought.effort {
            output.entry("effort").or_insert_with(|| effort.into());
        }
        if !output.is_empty() {
            body.entry("output_config", &output)?;
        }
        // A model that thinks samples in its own way, and newer ones take one of the two only.
        if !self.thought.thinks() {
            if let Some(temperature) = settings.temperature.filter(|_| free("temperature")) {
                body.entry("temperature", &temperature.clamp(0.0, 1.0))?;
            } else if free("temperature") {
                body.setting(settings, "top_p", settings.top_p.as_ref())?;
            }
        }
        let stop = (!settings.stop.is_empty()).then_some(&settings.stop);
        body.setting(settings, "stop_sequences", stop)?;
        if let Some(choice) = self.tool_choice() {
            body.entry("tool_choice", &choice)?;
        }
        let container = self.conversation.container;
        let container = container.and_then(|it| container::usable(it, SystemTime::now()));
        body.setting(settings, "container", container.as_ref())?;
        let written = ["tools", "thinking", "output_config", "tool_choice"];
        extra
            .iter()
            .filter(|(name, _)| !written.contains(&name.as_str()))
            .try_for_each(|(name, value)| body.entry(name, value))
    }

    /// `tool_choice`: the extra one, with what `parallel_tool_calls` asks for put in.
    fn tool_choice(&self) -> Option<Value> {
        let settings = &self.request.settings;
        let given = settings.extra.get("tool_choice");
        let has_tools = !self.request.tools.is_empty() || !self.builtin.is_empty();
        if settings.parallel_tool_calls != Some(false) || !has_tools {
            return given.cloned();
        }
        let mut choice = given.cloned().unwrap_or_else(|| json!({"type": "auto"}));
        if choice.get("type").is_none_or(|kind| kind != "none")
            && let Some(choice) = choice.as_object_mut()
        {
            choice
                .entry("disable_parallel_tool_use")
                .or_insert(Value::Bool(true));
        }
        Some(choice)
    }

    fn write_system(&self, list: &mut Vec<u8>) -> Result<(), Error> {
        list.push(b'[');
        for message in &self.conversation.instructions {
            let write = |message: &Message, out: &mut Vec<u8>| {
                let mut texts = message.parts.iter().filter_map(said);
                texts.try_for_each(|text| blocks::write_text(text, out))
            };
            let kept = &self.model.kept.instructions;
            kept.elements(message, list, write)?;
        }
        if let Some(told) = &self.told_schema {
            blocks::write_text(told, list)?;
        }
        self.marks.put(self.marks.system, list)?;
        list.push(b']');
        Ok(())
    }

    fn write_turns(&self, list: &mut Vec<u8>) -> Result<(), Error> {
        let blocks = &self.conversation.blocks;
        let last_spoken = blocks.iter().rposition(|placed| !placed.assistant);
        let mut end = 0;
        list.push(b'[');
        for turn in self.conversation.turns() {
            end += turn.len();
            object::next(list);
            list.extend_from_slice(if is_assistant(turn) {
                b"{\"role\":\"assistant\",\"content\":"
            } else {
                b"{\"role\":\"user\",\"content\":"
            });
            self.write_turn(turn, list)?;
            let marked = turn.last().is_some_and(Placed::is_marked);
            let wanted = self.marks.last && last_spoken == Some(end - 1) && !marked;
            self.marks.put(wanted, list)?;
            list.extend_from_slice(b"]}");
        }
        list.push(b']');
        Ok(())
    }

    /// The blocks of a turn, as a list that is still open.
    fn write_turn(&self, turn: &[Placed<'_>], list: &mut Vec<u8>) -> Result<(), Error> {
        list.push(b'[');
        for run in turn.chunk_by(|one, next| one.message == next.message) {
            let write = |_: &Message, out: &mut Vec<u8>| {
                run.iter()
                    .try_for_each(|it| blocks::write(&self.model.endpoint, &it.block, out))
            };
            match self.conversation.whole(run) {
                Some(message) => self.model.kept.messages.elements(message, list, write)?,
                None => run
                    .iter()
                    .try_for_each(|it| blocks::write(&self.model.endpoint, &it.block, list))?,
            }
        }
        Ok(())
    }

    fn write_tools(&self, list: &mut Vec<u8>) -> Result<(), Error> {
        list.push(b'[');
        let tools = &self.request.tools;
        if !tools.is_empty() {
            self.model.kept.tools.elements(tools, list, write_tools)?;
            self.marks.put(self.marks.tools, list)?;
        }
        self.builtin
            .iter()
            .try_for_each(|tool| object::element(list, tool))?;
        list.push(b']');
        Ok(())
    }
}

fn write_tools(tools: &[ToolDefinition], out: &mut Vec<u8>) -> Result<(), Error> {
    #[derive(Serialize)]
    struct Tool<'a> {
        name: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        description: &'a str,
        input_schema: &'a Value,
    }
    for tool in tools {
        let tool = Tool {
            name: &tool.name,
            description: &tool.description,
            input_schema: &tool.parameters,
        };
        object::element(out, &tool)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
