//! Telling a whole answer again, as a stream.

use std::collections::VecDeque;

use nfa_core::content::{ModelAnswer, Part};
use nfa_core::ports::ModelDelta;

/// One delta a part, or two for a call; nothing for parts that no delta tells of.
pub(super) fn deltas(answer: &ModelAnswer) -> VecDeque<ModelDelta> {
    let mut deltas = VecDeque::new();
    let mut calls = 0;
    for part in &answer.message.parts {
        match part {
            Part::Text { text, .. } if !text.is_empty() => {
                deltas.push_back(ModelDelta::Text(text.clone()));
            }
            Part::Reasoning { text, .. } if !text.is_empty() => {
                deltas.push_back(ModelDelta::Reasoning(text.clone()));
            }
            Part::Refusal { text } if !text.is_empty() => {
                deltas.push_back(ModelDelta::Refusal(text.clone()));
            }
            Part::ToolCall(call) => {
                let (index, name) = (calls, call.name.clone());
                calls += 1;
                deltas.push_back(ModelDelta::ToolCallStarted { index, name });
                if !call.arguments.is_empty() {
                    let json = call.arguments.clone();
                    deltas.push_back(ModelDelta::ToolCallArguments { index, json });
                }
            }
            _ => {}
        }
    }
    deltas
}
