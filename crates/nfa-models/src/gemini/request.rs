//! The request's body, written once, straight into bytes; what was written for an earlier turn is copied.

mod part;

use std::sync::Arc;

use bytes::Bytes;
use nfa_core::Error;
use nfa_core::content::{Message, Part, Role, ToolCall, ToolResult};
use nfa_core::ports::{ModelRequest, ToolDefinition};
use serde::Serialize;
use serde_json::Value;

use super::{generation, generation_of, schema};
use crate::errors;
use crate::wire::object::{self, Object};
use crate::wire::{Written, sent};
use part::{Response, sent_part};

/// How requests are written, and what was written before.
#[derive(Debug)]
pub(super) struct Writer {
    model: String,
    owner: Arc<str>,
    json_schema_tools: bool,
    generation: u32,
    /// The parts of messages, results aside.
    parts: Written<Message>,
    /// Results of calls with ids, and of calls without: a result alone does not tell.
    named: Written<Message>,
    unnamed: Written<Message>,
    tools: Written<[ToolDefinition]>,
}

/// Fields that are ours: a setting may not change what the answer is read as.
const OURS: [&str; 5] = [
    "contents",
    "generation_config",
    "model",
    "systemInstruction",
    "system_instruction",
];

/// What stands where the beginning of a conversation was left out: a user has the first word.
const LEFT_OUT: &str = "(The beginning of the conversation is left out.)";

impl Writer {
    pub(super) fn new(model: &str, owner: Arc<str>, json_schema_tools: bool) -> Self {
        Self {
            model: model.to_owned(),
            owner,
            json_schema_tools,
            generation: generation_of(model),
            parts: Written::default(),
            named: Written::default(),
            unnamed: Written::default(),
            tools: Written::default(),
        }
    }

    /// The body.
    pub(super) fn body(&self, request: &ModelRequest) -> Result<Bytes, Error> {
        let extra = &request.settings.extra;
        let built_in = sent::built_in_tools(&request.settings, &OURS)?;
        // Up to Gemini 2.5 a schema and tools exclude each other; the answer is checked all the same.
        let tools = !request.tools.is_empty() || !built_in.is_empty();
        let schema = request.output_schema.is_some() && (!tools || self.generation >= 3);
        let config = generation::extra(&request.settings)?;
        let config = generation::config(&self.model, request, config, schema)?;

        let mut out = Vec::with_capacity(1024);
        let mut body = Object::begin(&mut out);
        self.write_conversation(request, &mut body)?;
        if tools {
            self.write_tools(request, built_in, body.key("tools"))?;
        }
        if !config.is_empty() {
            body.entry("generationConfig", &config)?;
        }
        for (name, value) in extra {
            if name != "tools" && name != "generationConfig" {
                body.entry(name, value)?;
            }
        }
        body.end();
        Ok(out.into())
    }

    /// Instructions apart, wherever they stand; users and models in turn.
    fn write_conversation(
        &self,
        request: &ModelRequest,
        body: &mut Object<'_>,
    ) -> Result<(), Error> {
        let mut system = b"[".to_vec();
        let mut contents = Contents::default();
        let mut calls: Vec<&ToolCall> = Vec::new();
        let mut parts = Vec::new();
        for message in &request.messages {
            if message.role == Role::System {
                self.parts.elements(message, &mut system, |message, out| {
                    self.system(message, out)
                })?;
                continue;
            }
            let role = if message.role == Role::Assistant {
                calls.clear();
                calls.extend(message.tool_calls());
                Speaker::Model
            } else {
                begin_list(&mut parts);
                self.write_results(message, &calls, &mut parts)?;
                contents.add(Speaker::User, &parts)?;
                Speaker::User
            };
            begin_list(&mut parts);
            self.parts.elements(message, &mut parts, |message, out| {
                self.parts_of(message, out)
            })?;
            contents.add(role, &parts)?;
        }
        if system.len() > 1 {
            let out = body.key("systemInstruction");
            out.extend_from_slice(b"{\"parts\":");
            out.extend_from_slice(&system);
            out.extend_from_slice(b"]}");
        }
        let out = body.key("contents");
        out.push(b'[');
        out.extend_from_slice(&contents.end()?);
        out.push(b']');
        Ok(())
    }

    fn system(&self, message: &Message, out: &mut Vec<u8>) -> Result<(), Error> {
        if let Some(Part::Media { media_type, .. }) = message
            .parts
            .iter()
            .find(|part| matches!(part, Part::Media { .. }))
        {
            return Err(errors::input(
                errors::MEDIA_UNSUPPORTED,
                format!(
                    "instructions are text: a part of type `{media_type}` cannot be sent in them"
                ),
            ));
        }
        self.parts_of(message, out)
    }

    /// The parts of a message, results aside.
    fn parts_of(&self, message: &Message, out: &mut Vec<u8>) -> Result<(), Error> {
        let mut unsigned = self.generation >= 3;
        for part in &message.parts {
            let first = unsigned && matches!(part, Part::ToolCall(_));
            if let Some(part) = sent_part(part, &self.owner, first)? {
                unsigned &= !first;
                object::element(out, &part)?;
            }
        }
        Ok(())
    }

    /// The results that a message holds, named as the calls are that they answer.
    fn write_results(
        &self,
        message: &Arc<Message>,
        calls: &[&ToolCall],
        list: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let is_named = |result: &ToolResult| {
            let call = calls.iter().find(|call| call.id == result.call_id);
            call.is_none_or(|call| part::is_named(call, &self.owner))
        };
        let (mut named, mut unnamed) = (false, false);
        for result in results_of(message) {
            let is_named = is_named(result);
            named |= is_named;
            unnamed |= !is_named;
        }
        let write = |message: &Message, out: &mut Vec<u8>| {
            results_of(message).try_for_each(|result| {
                object::element(out, &Response::of(result, is_named(result)))
            })
        };
        match (named, unnamed) {
            (false, false) => Ok(()),
            (true, false) => self.named.elements(message, list, write),
            (false, true) => self.unnamed.elements(message, list, write),
            (true, true) => write(message, list),
        }
    }

    fn write_tools(
        &self,
        request: &ModelRequest,
        built_in: &[Value],
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        out.push(b'[');
        if !request.tools.is_empty() {
            out.extend_from_slice(b"{\"functionDeclarations\":[");
            self.tools.elements(&request.tools, out, |tools, out| {
                tools.iter().try_for_each(|tool| {
                    object::element(out, &Declaration::of(tool, self.json_schema_tools))
                })
            })?;
            out.extend_from_slice(b"]}");
        }
        built_in
            .iter()
            .try_for_each(|tool| object::element(out, tool))?;
        out.push(b']');
        Ok(())
    }
}

fn begin_list(list: &mut Vec<u8>) {
    list.clear();
    list.push(b'[');
}

fn results_of(message: &Message) -> impl Iterator<Item = &ToolResult> {
    message.parts.iter().filter_map(|part| match part {
        Part::ToolResult(result) => Some(result),
        _ => None,
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Speaker {
    User,
    Model,
}

/// `contents` in the making: neighbours of one role are one content.
#[derive(Default)]
struct Contents {
    out: Vec<u8>,
    open: Option<Speaker>,
}

impl Contents {
    /// Adds the elements of a list that was not closed.
    fn add(&mut self, role: Speaker, list: &[u8]) -> Result<(), Error> {
        let Some(parts) = list.get(1..).filter(|parts| !parts.is_empty()) else {
            return Ok(());
        };
        if self.open.is_none() && role == Speaker::Model {
            self.left_out()?;
        }
        if self.open == Some(role) {
            self.out.push(b',');
        } else {
            if self.open.is_some() {
                self.out.extend_from_slice(b"]},");
            }
            self.open = Some(role);
            self.out.extend_from_slice(match role {
                Speaker::User => b"{\"role\":\"user\",\"parts\":[",
                Speaker::Model => b"{\"role\":\"model\",\"parts\":[",
            });
        }
        self.out.extend_from_slice(parts);
        Ok(())
    }

    fn left_out(&mut self) -> Result<(), Error> {
        let mut list = b"[".to_vec();
        object::element(&mut list, &serde_json::json!({"text": LEFT_OUT}))?;
        self.add(Speaker::User, &list)
    }

    fn end(mut self) -> Result<Vec<u8>, Error> {
        if self.open.is_none() {
            self.left_out()?;
        }
        self.out.extend_from_slice(b"]}");
        Ok(self.out)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Declaration<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters_json_schema: Option<&'a Value>,
}

impl<'a> Declaration<'a> {
    fn of(tool: &'a ToolDefinition, json_schema: bool) -> Self {
        Self {
            name: &tool.name,
            description: &tool.description,
            parameters: (!json_schema).then(|| schema::openapi(&tool.parameters)),
            parameters_json_schema: json_schema.then_some(&tool.parameters),
        }
    }
}

#[cfg(test)]
mod tests;
