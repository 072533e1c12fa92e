//! The request's body, written once, straight into bytes; what an earlier request wrote is copied.

mod format;
mod media;
mod message;

use bytes::Bytes;
use nfa_core::Error;
use nfa_core::content::{Message, Opaque, Role};
use nfa_core::ports::{ModelRequest, ToolCalling, ToolDefinition};
use nfa_core::spec::ModelSettings;
use serde::Serialize;
use serde_json::{Value, json};

use super::dialect::Ways;
use crate::constrained;
use crate::endpoint::Endpoint;
use crate::wire::object::{self, Object};
use crate::wire::{Written, sent};

/// How requests are written, and what was written before.
#[derive(Debug)]
pub(super) struct Writer {
    ways: &'static Ways,
    tool_calling: ToolCalling,
    stream_usage: bool,
    messages: Written<Message>,
    tools: Written<[ToolDefinition]>,
}

/// Fields that are ours: a setting may not change what the answer is read as.
const OURS: [&str; 6] = [
    "messages",
    "model",
    "n",
    "response_format",
    "stream",
    "stream_options",
];

impl Writer {
    pub(super) fn new(ways: &'static Ways, tool_calling: ToolCalling, stream_usage: bool) -> Self {
        Self {
            ways,
            tool_calling,
            stream_usage: stream_usage && ways.stream_options,
            messages: Written::default(),
            tools: Written::default(),
        }
    }

    /// Whether the answer is held to a schema that stands for tool calls.
    pub(super) fn is_constrained(&self, request: &ModelRequest) -> bool {
        self.tool_calling == ToolCalling::Constrained && !request.tools.is_empty()
    }

    /// The id of a call as it is sent.
    #[cfg(test)]
    pub(super) fn sent_id<'a>(&self, id: &'a str) -> std::borrow::Cow<'a, str> {
        self.ways.call_ids.sent(id)
    }

    /// The body.
    pub(super) fn body(&self, endpoint: &Endpoint, request: &ModelRequest) -> Result<Bytes, Error> {
        let built_in = sent::built_in_tools(&request.settings, &OURS)?;
        // About what a conversation takes, so that it rarely has to be moved as it grows.
        let mut out = Vec::with_capacity(1024 + 192 * request.messages.len());
        let mut body = Object::begin(&mut out);
        body.entry("model", &endpoint.model)?;
        self.write_messages(endpoint, request, body.key("messages"))?;
        if request.deltas {
            body.entry("stream", &true)?;
            if self.stream_usage {
                body.entry("stream_options", &json!({"include_usage": true}))?;
            }
        }
        let native = self.tool_calling == ToolCalling::Native && !request.tools.is_empty();
        if native || !built_in.is_empty() {
            let list = body.key("tools");
            list.push(b'[');
            if native {
                self.tools.elements(&request.tools, list, write_tools)?;
            }
            for tool in built_in {
                object::element(list, tool)?;
            }
            list.push(b']');
            if let Some(parallel) = request.settings.parallel_tool_calls {
                body.entry("parallel_tool_calls", &parallel)?;
            }
        }
        self.write_format(request, native, &mut body)?;
        self.write_settings(&request.settings, &mut body)?;
        body.end();
        Ok(out.into())
    }

    fn write_messages(
        &self,
        endpoint: &Endpoint,
        request: &ModelRequest,
        list: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let context = message::Context {
            ways: self.ways,
            endpoint,
        };
        list.push(b'[');
        if let Some(schema) = request.output_schema.as_deref()
            && !self.ways.schemas
        {
            object::element(
                list,
                &json!({"role": "system", "content": format::told(schema)}),
            )?;
        }
        match self.tool_calling {
            ToolCalling::Native => {
                let mut after_tool = false;
                for message in &request.messages {
                    let speaks = message.role == Role::User && message::speaks(message);
                    if after_tool && speaks && !self.ways.user_after_tool {
                        object::element(
                            list,
                            &json!({"role": "assistant", "content": INTERRUPTED}),
                        )?;
                    }
                    let before = list.len();
                    self.messages
                        .elements(message, list, |message, out| context.write(message, out))?;
                    if list.len() > before {
                        after_tool = !speaks && message::has_results(message);
                    }
                }
            }
            ToolCalling::Constrained => {
                let plain = if request.tools.is_empty() {
                    constrained::without_tools(request)
                } else {
                    constrained::messages(request)
                };
                for message in &plain {
                    context.write(message, list)?;
                }
            }
        }
        list.push(b']');
        Ok(())
    }

    fn write_format(
        &self,
        request: &ModelRequest,
        native: bool,
        body: &mut Object<'_>,
    ) -> Result<(), Error> {
        let output = request.output_schema.as_deref();
        if self.is_constrained(request) {
            let schema = constrained::Format {
                tools: &request.tools,
                output,
            };
            return body.entry("response_format", &format::Schema::new(&schema, false));
        }
        match output {
            None => Ok(()),
            Some(_) if native && !self.ways.schema_beside_tools => Ok(()),
            Some(schema) if self.ways.schemas => {
                let strict = sent::is_strict(schema);
                body.entry("response_format", &format::Schema::new(schema, strict))
            }
            Some(_) => body.entry("response_format", &json!({"type": "json_object"})),
        }
    }

    fn write_settings(&self, settings: &ModelSettings, body: &mut Object<'_>) -> Result<(), Error> {
        let extra = &settings.extra;
        let stop = (!settings.stop.is_empty()).then_some(&settings.stop);
        let limit = settings
            .max_output_tokens
            .filter(|_| !LIMITS.iter().any(|name| extra.contains_key(*name)));
        body.setting(settings, "temperature", settings.temperature.as_ref())?;
        body.setting(settings, "top_p", settings.top_p.as_ref())?;
        body.setting(settings, self.ways.limit, limit.as_ref())?;
        if let Some(seed) = self.ways.seed {
            body.setting(settings, seed, settings.seed.as_ref())?;
        }
        body.setting(settings, "stop", stop)?;
        if let Some(effort) = settings.reasoning_effort {
            for (name, value) in self.ways.effort.fields(effort) {
                body.setting(settings, name, Some(&value))?;
            }
        }
        if let Some((name, value)) = settings
            .prompt_cache
            .and_then(|cache| self.ways.cache.field(cache))
        {
            body.setting(settings, name, Some(&value))?;
        }
        extra
            .iter()
            .filter(|(name, _)| *name != "tools")
            .filter(|(name, _)| {
                *name != "parallel_tool_calls" || settings.parallel_tool_calls.is_none()
            })
            .try_for_each(|(name, value)| body.entry(name, value))
    }
}

/// What a model seems to have said where a provider lets nobody speak before it has.
const INTERRUPTED: &str = "(interrupted)";

/// The names of the output limit.
const LIMITS: [&str; 2] = ["max_tokens", "max_completion_tokens"];

fn write_tools(tools: &[ToolDefinition], out: &mut Vec<u8>) -> Result<(), Error> {
    #[derive(Serialize)]
    struct Tool<'a> {
        r#type: &'static str,
        function: Function<'a>,
    }
    #[derive(Serialize)]
    struct Function<'a> {
        name: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        description: &'a str,
        parameters: &'a Value,
    }
    for tool in tools {
        let tool = Tool {
            r#type: "function",
            function: Function {
                name: &tool.name,
                description: &tool.description,
                parameters: &tool.parameters,
            },
        };
        object::element(out, &tool)?;
    }
    Ok(())
}

/// What a part has to send back to this provider, when it is this provider's.
fn own<'a>(endpoint: &Endpoint, opaque: Option<&'a Opaque>) -> Option<&'a Value> {
    endpoint.own(opaque?)
}

#[cfg(test)]
mod tests;
