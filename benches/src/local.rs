//! A model and a tool inside the process: what is left is nfa's own work.

use std::sync::Arc;

use nfa_runtime::content::{FinishReason, Message, ModelAnswer, Part, Role, ToolCall, Usage};
use nfa_runtime::ports::{CallContext, Model, ModelRequest, ModelStream, single_answer};
use nfa_runtime::prelude::*;

use crate::Result;

/// Calls `add` so many times, then says `text`.
pub(crate) struct Local {
    pub(crate) rounds: usize,
    pub(crate) text: String,
}

impl Model for Local {
    fn name(&self) -> &str {
        "bench/local"
    }

    fn generate<'a>(&'a self, _: &'a CallContext, request: &'a ModelRequest) -> ModelStream<'a> {
        let messages = request.messages.iter();
        let made = messages
            .filter(|message| message.role == Role::Tool)
            .count();
        let answer = if made < self.rounds {
            calling()
        } else {
            saying(&self.text)
        };
        single_answer(std::future::ready(Ok(answer)))
    }
}

fn answer(part: Part, finish: FinishReason) -> ModelAnswer {
    ModelAnswer {
        message: Message {
            role: Role::Assistant,
            parts: vec![part],
        },
        finish,
        usage: Usage::default(),
        model: "local".to_owned(),
        response_id: None,
    }
}

pub(crate) fn calling() -> ModelAnswer {
    let call = ToolCall::new("call_1", "add", r#"{"a":2,"b":40}"#);
    answer(Part::ToolCall(call), FinishReason::ToolCalls)
}

pub(crate) fn saying(text: &str) -> ModelAnswer {
    answer(Part::text(text), FinishReason::Stop)
}

/// Adds two integers.
#[tool(effect = "pure")]
async fn add(a: i64, b: i64) -> std::result::Result<i64, ToolError> {
    Ok(a + b)
}

/// An agent that makes `rounds` calls a run, and then says `text`.
pub(crate) fn agent(rounds: usize, text: &str) -> Result<Agent> {
    let turns = u32::try_from(rounds)?.saturating_add(1);
    let model = Arc::new(Local {
        rounds,
        text: text.to_owned(),
    });
    Ok(Agent::builder("helper")
        .model(model)
        .tool(add)
        .limits(Limits {
            turns,
            ..Limits::default()
        })
        .build()?)
}
