//! The request's body, written once, straight into bytes.

mod blocks;
mod container;
mod media;
mod schema;
mod turns;

use std::time::SystemTime;

use bytes::Bytes;
use nfa_core::Error;
use nfa_core::ports::{ModelRequest, ToolDefinition};
use nfa_core::spec::PromptCache;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::MessagesOptions;
use super::thinking::{Thought, thought};
use crate::endpoint::Endpoint;
use crate::errors;
use blocks::{Marked, TextBlock};
use turns::{Conversation, Turn};

/// Fields that are ours: a setting may not change what the answer is read as.
const OURS: [&str; 4] = ["messages", "model", "stream", "system"];

/// Places in a request that the provider lets one mark for its cache.
const MOST_MARKS: usize = 4;

/// The body.
pub(super) fn body(
    endpoint: &Endpoint,
    options: &MessagesOptions,
    request: &ModelRequest,
) -> Result<Bytes, Error> {
    let settings = &request.settings;
    let refuse = |message: String| Err(errors::input(errors::REQUEST_INVALID, message));
    if let Some(name) = OURS.iter().find(|name| settings.extra.contains_key(**name)) {
        return refuse(format!(
            "`{name}` may not be among a model's extra settings: the adapter sets it"
        ));
    }
    let builtin = match settings.extra.get("tools") {
        None => &[][..],
        Some(Value::Array(tools)) => tools.as_slice(),
        Some(_) => {
            return refuse(
                "expected a list of the provider's own tools in the extra setting `tools`".into(),
            );
        }
    };
    let mut conversation = Conversation::of(endpoint, &request.messages);
    if conversation.turns.is_empty() {
        return refuse("expected at least one message that says something".into());
    }
    let output = output_config(options, request, &mut conversation)?;
    let thought = thought(
        options.thinking,
        settings,
        options.max_tokens,
        conversation.goes_on_without_thoughts(),
    );
    let body = Body {
        endpoint,
        request,
        conversation: &conversation,
        output,
        thought,
        builtin,
        marks: Marks::of(request, builtin),
    };
    let mut bytes = Vec::with_capacity(1024);
    serde_json::to_writer(&mut bytes, &body).map_err(|error| {
        let code = if error.to_string().contains("cannot be sent") {
            errors::MEDIA_UNSUPPORTED
        } else {
            errors::REQUEST_INVALID
        };
        errors::input(code, format!("the request cannot be written: {error}"))
    })?;
    Ok(bytes.into())
}

/// `output_config`, without its effort. A schema that the provider cannot hold an answer to becomes part of
/// the instructions.
fn output_config(
    options: &MessagesOptions,
    request: &ModelRequest,
    conversation: &mut Conversation<'_>,
) -> Result<Map<String, Value>, Error> {
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
            None => conversation.system.push(
                format!(
                    "Give your final answer as JSON that matches this JSON Schema, and nothing else:\n{schema}"
                )
                .into(),
            ),
        }
    }
    Ok(config)
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

    fn when(self, wanted: bool) -> Option<Mark> {
        self.mark.filter(|_| wanted)
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
    endpoint: &'a Endpoint,
    request: &'a ModelRequest,
    conversation: &'a Conversation<'a>,
    output: Map<String, Value>,
    thought: Thought,
    builtin: &'a [Value],
    marks: Marks,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let conversation = self.conversation;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("model", &self.endpoint.model)?;
        if !self.request.settings.extra.contains_key("max_tokens") {
            map.serialize_entry("max_tokens", &self.thought.max_tokens)?;
        }
        if !conversation.system.is_empty() {
            map.serialize_entry("system", &System(self))?;
        }
        map.serialize_entry("messages", &Turns(self))?;
        if self.request.deltas {
            map.serialize_entry("stream", &true)?;
        }
        if !self.request.tools.is_empty() || !self.builtin.is_empty() {
            map.serialize_entry("tools", &Tools(self))?;
        }
        self.settings(&mut map)?;
        map.end()
    }
}

impl Body<'_> {
    fn settings<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let settings = &self.request.settings;
        let extra = &settings.extra;
        let free = |name: &str| !extra.contains_key(name);
        if let Some(field) = &self.thought.field {
            map.serialize_entry("thinking", field)?;
        }
        let mut output = self.output.clone();
        if let Some(effort) = self.thought.effort {
            output.entry("effort").or_insert_with(|| effort.into());
        }
        if !output.is_empty() {
            map.serialize_entry("output_config", &output)?;
        }
        // A model that thinks samples in its own way, and newer ones take one of the two only.
        if !self.thought.thinks() {
            if let Some(temperature) = settings.temperature.filter(|_| free("temperature")) {
                map.serialize_entry("temperature", &temperature.clamp(0.0, 1.0))?;
            } else if free("temperature")
                && let Some(top_p) = settings.top_p.filter(|_| free("top_p"))
            {
                map.serialize_entry("top_p", &top_p)?;
            }
        }
        if !settings.stop.is_empty() && free("stop_sequences") {
            map.serialize_entry("stop_sequences", &settings.stop)?;
        }
        if let Some(choice) = self.tool_choice() {
            map.serialize_entry("tool_choice", &choice)?;
        }
        let container = self.conversation.container;
        if let Some(id) = container.and_then(|it| container::usable(it, SystemTime::now()))
            && free("container")
        {
            map.serialize_entry("container", id)?;
        }
        let written = ["tools", "thinking", "output_config", "tool_choice"];
        extra
            .iter()
            .filter(|(name, _)| !written.contains(&name.as_str()))
            .try_for_each(|(name, value)| map.serialize_entry(name, value))
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
}

struct System<'a>(&'a Body<'a>);

impl Serialize for System<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Body {
            conversation,
            marks,
            ..
        } = self.0;
        let last = conversation.system.len();
        serializer.collect_seq(conversation.system.iter().zip(1..).map(|(text, number)| {
            TextBlock {
                r#type: "text",
                text,
                cache_control: marks.when(marks.system && number == last),
            }
        }))
    }
}

struct Turns<'a>(&'a Body<'a>);

impl Serialize for Turns<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Message<'a> {
            role: &'static str,
            content: Content<'a>,
        }
        struct Content<'a> {
            endpoint: &'a Endpoint,
            turn: &'a Turn<'a>,
            mark: Option<Mark>,
        }
        impl Serialize for Content<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let last = self.turn.blocks.len();
                serializer.collect_seq(self.turn.blocks.iter().zip(1..).map(|(block, number)| {
                    Marked {
                        endpoint: self.endpoint,
                        block,
                        mark: self.mark.filter(|_| number == last),
                    }
                }))
            }
        }
        let Body {
            endpoint,
            conversation,
            marks,
            ..
        } = self.0;
        let last_user = conversation.turns.iter().rposition(|turn| !turn.assistant);
        serializer.collect_seq(
            conversation
                .turns
                .iter()
                .enumerate()
                .map(|(at, turn)| Message {
                    role: if turn.assistant { "assistant" } else { "user" },
                    content: Content {
                        endpoint,
                        turn,
                        mark: marks.when(marks.last && Some(at) == last_user),
                    },
                }),
        )
    }
}

struct Tools<'a>(&'a Body<'a>);

impl Serialize for Tools<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(untagged)]
        enum Tool<'a> {
            Ours {
                name: &'a str,
                #[serde(skip_serializing_if = "str::is_empty")]
                description: &'a str,
                input_schema: &'a Value,
                #[serde(skip_serializing_if = "Option::is_none")]
                cache_control: Option<Mark>,
            },
            Theirs(&'a Value),
        }
        let Body {
            request,
            builtin,
            marks,
            ..
        } = self.0;
        let last = request.tools.len();
        let ours = request.tools.iter().zip(1..).map(|(tool, number)| {
            let ToolDefinition {
                name,
                description,
                parameters,
            } = tool;
            Tool::Ours {
                name,
                description,
                input_schema: parameters,
                cache_control: marks.when(marks.tools && number == last),
            }
        });
        serializer.collect_seq(ours.chain(builtin.iter().map(Tool::Theirs)))
    }
}

#[cfg(test)]
mod tests;
