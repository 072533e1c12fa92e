//! Answers, built in a line: what scripted models and the fake server say.

use nfa_core::content::{FinishReason, Message, ModelAnswer, Part, Role, ToolCall, Usage};

/// An answer of `parts`; its finish reason follows from them, its usage is a token per four bytes.
pub fn answer(parts: Vec<Part>) -> ModelAnswer {
    let finish = finish_of(&parts);
    let written: usize = parts.iter().map(size).sum();
    ModelAnswer {
        message: Message {
            role: Role::Assistant,
            parts,
        },
        finish,
        usage: Usage {
            input_tokens: 10,
            output_tokens: (written / 4).max(1) as u64,
            ..Usage::default()
        },
        model: "scripted".to_owned(),
        response_id: None,
    }
}

fn finish_of(parts: &[Part]) -> FinishReason {
    if parts.iter().any(|part| matches!(part, Part::ToolCall(_))) {
        FinishReason::ToolCalls
    } else if parts
        .iter()
        .any(|part| matches!(part, Part::Refusal { .. }))
    {
        FinishReason::Refusal
    } else {
        FinishReason::Stop
    }
}

fn size(part: &Part) -> usize {
    match part {
        Part::Text { text, .. } | Part::Reasoning { text, .. } | Part::Refusal { text } => {
            text.len()
        }
        Part::ToolCall(call) => call.name.len() + call.arguments.len(),
        _ => 0,
    }
}

/// An answer of text.
pub fn text(text: impl Into<String>) -> ModelAnswer {
    answer(vec![Part::text(text)])
}

/// A refusal.
pub fn refusal(text: impl Into<String>) -> ModelAnswer {
    answer(vec![Part::Refusal { text: text.into() }])
}

/// A call of one tool, with the arguments' JSON text.
pub fn call(name: &str, arguments: impl Into<String>) -> ModelAnswer {
    calls([(name, arguments)])
}

/// Calls of several tools at once; their ids are `call_1`, `call_2`, …
pub fn calls<'a, A: Into<String>>(calls: impl IntoIterator<Item = (&'a str, A)>) -> ModelAnswer {
    let parts = calls
        .into_iter()
        .enumerate()
        .map(|(at, (name, arguments))| {
            Part::ToolCall(ToolCall::new(format!("call_{}", at + 1), name, arguments))
        })
        .collect();
    answer(parts)
}
