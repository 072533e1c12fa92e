//! What becomes of a model's answer: each call checked against what the agent may call, and the final
//! answer against its schema.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::entry::CallDecision;
use super::input::ContentSink;
use super::run::{Frame, Run};
use crate::content::{Content, FinishReason, Message, ModelAnswer, ToolCall};
use crate::error::Error;
use crate::ids::Address;
use crate::spec::{Approval, Target};

/// How many calls of one answer an entry tells of, the most that `parallel_calls` may allow: the others get
/// no step, and the model is told that they have no result. Keeps the entry within its bound (law L14).
const MAX_DECIDED: usize = 256;

/// Reads a call's arguments as the model wrote them: an object, nothing at all, or an object written as a
/// JSON string.
pub(crate) fn parse_arguments(text: &str) -> Result<Value, String> {
    if text.trim().is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let parsed = serde_json::from_str(text).map_err(|error| error.to_string())?;
    match parsed {
        Value::Object(_) => Ok(parsed),
        Value::String(inner) => match serde_json::from_str(&inner) {
            Ok(object @ Value::Object(_)) => Ok(object),
            _ => Err("expected a JSON object, found a string".to_owned()),
        },
        Value::Null => Ok(Value::Object(Map::new())),
        _ => Err("expected a JSON object".to_owned()),
    }
}

/// The JSON of a final answer: the text itself, or what a Markdown fence around it holds.
pub(crate) fn parse_output(text: &str) -> Result<Value, String> {
    let text = text.trim();
    let inner = text
        .strip_prefix("```")
        .and_then(|rest| rest.strip_suffix("```"))
        .map_or(text, |rest| {
            rest.strip_prefix("json").unwrap_or(rest).trim()
        });
    serde_json::from_str(inner).map_err(|error| error.to_string())
}

impl Run {
    pub(super) fn judge_calls(
        &self,
        frame: &Frame,
        answer: &ModelAnswer,
        sink: &mut dyn ContentSink,
    ) -> Result<Vec<CallDecision>, Error> {
        let calls = || answer.message.tool_calls().take(MAX_DECIDED);
        let mut decisions = Vec::with_capacity(calls().count());
        let mut handed_over = false;
        for (index, call) in (0_u32..).zip(calls()) {
            let judged = if answer.finish == FinishReason::Length {
                Err((
                    "answer_cut_off",
                    "the answer was cut off by its length limit; the call was not made".to_owned(),
                ))
            } else if index >= self.limits.parallel_calls {
                Err((
                    "too_many_calls",
                    format!(
                        "at most {} calls in one answer; the call was not made",
                        self.limits.parallel_calls
                    ),
                ))
            } else {
                self.judge_call(frame, call, &mut handed_over)
            };
            decisions.push(match judged {
                Ok(Verdict::Call(decision)) => decision,
                Ok(Verdict::Ask {
                    agent,
                    own_run,
                    question,
                }) => {
                    let input = sink.put(&Content::Message(Arc::new(Message::user(question))))?;
                    if own_run {
                        CallDecision::ChildRun { agent, input }
                    } else {
                        CallDecision::Agent { agent, input }
                    }
                }
                Ok(Verdict::HandOver { agent }) => {
                    let text = format!("The conversation is handed over to {agent}.");
                    let result = sink.put(&Content::ToolOutput {
                        text,
                        is_error: false,
                    })?;
                    CallDecision::HandOver { agent, result }
                }
                Err((code, text)) => {
                    let result = sink.put(&Content::ToolOutput {
                        text,
                        is_error: true,
                    })?;
                    CallDecision::Reject {
                        code: code.into(),
                        result,
                    }
                }
            });
        }
        Ok(decisions)
    }

    fn judge_call(
        &self,
        frame: &Frame,
        call: &ToolCall,
        handed_over: &mut bool,
    ) -> Result<Verdict, Fault> {
        let Some(target) = frame.agent.targets.get(call.name.as_str()) else {
            let known: Vec<&str> = frame.agent.targets.keys().map(|name| &**name).collect();
            let known = if known.is_empty() {
                "none".to_owned()
            } else {
                known.join(", ")
            };
            return Err((
                "unknown_tool",
                format!("no tool is named `{}`; available: {known}", call.name),
            ));
        };
        let arguments = || {
            parse_arguments(&call.arguments).map_err(|fault| {
                (
                    "arguments_not_json",
                    format!("the arguments are not a JSON object: {fault}"),
                )
            })
        };
        match target {
            Target::Tool(tool) => {
                if !tool.parameters.surely_accepts(&call.arguments)
                    && let Some(faults) = tool.parameters.faults(&arguments()?)
                {
                    return Err((
                        "arguments_invalid",
                        format!("the arguments do not match the tool's schema:\n{faults}"),
                    ));
                }
                let tool_name = Arc::clone(&tool.spec.name);
                Ok(Verdict::Call(match tool.spec.approval {
                    Approval::Never => CallDecision::Tool { tool: tool_name },
                    Approval::Always => CallDecision::Approve { tool: tool_name },
                }))
            }
            Target::Agent { agent, own_run } => {
                let arguments = arguments()?;
                let Some(question) = arguments.get("input").and_then(Value::as_str) else {
                    return Err((
                        "arguments_invalid",
                        "expected the arguments to hold `input`, a string".to_owned(),
                    ));
                };
                let depth = frame.path.depth().saturating_add(self.depth as usize);
                if depth >= self.limits.depth as usize {
                    return Err((
                        "too_deep",
                        format!(
                            "agents may be nested {} deep; do it yourself",
                            self.limits.depth
                        ),
                    ));
                }
                Ok(Verdict::Ask {
                    agent: Arc::clone(agent),
                    own_run: *own_run,
                    question: question.to_owned(),
                })
            }
            Target::HandOver { agent } => {
                arguments()?;
                if std::mem::replace(handed_over, true) {
                    return Err((
                        "second_handoff",
                        "the conversation is already being handed over".to_owned(),
                    ));
                }
                Ok(Verdict::HandOver {
                    agent: Arc::clone(agent),
                })
            }
        }
    }

    /// What the model is told when its final answer does not match the output schema.
    pub(super) fn judge_output(
        frame: &Frame,
        answer: &ModelAnswer,
        sink: &mut dyn ContentSink,
    ) -> Result<Option<Address>, Error> {
        let Some(schema) = &frame.agent.output else {
            return Ok(None);
        };
        if answer.finish != FinishReason::Stop && answer.finish != FinishReason::Other {
            return Ok(None);
        }
        let fault = match parse_output(&answer.message.joined_text()) {
            Ok(value) => schema.faults(&value),
            Err(error) => Some(format!("not JSON: {error}")),
        };
        fault
            .map(|fault| {
                let text = format!("Your answer does not match the required JSON Schema. Answer again, with JSON only.\n{fault}");
                sink.put(&Content::Message(Arc::new(Message::user(text))))
            })
            .transpose()
    }
}

enum Verdict {
    Call(CallDecision),
    Ask {
        agent: Arc<str>,
        own_run: bool,
        question: String,
    },
    HandOver {
        agent: Arc<str>,
    },
}

type Fault = (&'static str, String);
