//! The lines of a recording.

use std::path::Path;
use std::time::Duration;

use nfa_core::Error;
use nfa_core::content::ModelAnswer;
use nfa_core::error::ErrorReport;
use nfa_core::ports::ModelDelta;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::errors;

/// The first line of every recording.
pub(super) const HEADER: &str = r#"{"nfa_recording":1}"#;

/// A newer version is refused rather than misread.
const VERSION: u64 = 1;

/// One request, and what came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Line", into = "Line")]
pub(super) struct Exchange {
    /// Its place in the order of asking, from 1.
    pub(super) at: u64,
    /// `provider/model`.
    pub(super) model: String,
    pub(super) request: Value,
    /// What surfaced before the end, where that was recorded.
    pub(super) deltas: Vec<RecordedDelta>,
    pub(super) ending: Ending,
}

/// How a call ended.
#[derive(Clone, Debug)]
pub(super) enum Ending {
    Answer(Box<ModelAnswer>),
    Error(ErrorReport, Option<Duration>),
    /// Nobody wanted the rest.
    Dropped,
}

/// An exchange as it is written: with one of `answer`, `error` and `dropped`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    at: u64,
    model: String,
    request: Value,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    deltas: Vec<RecordedDelta>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answer: Option<Box<ModelAnswer>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<ErrorReport>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    dropped: bool,
}

impl TryFrom<Line> for Exchange {
    type Error = &'static str;

    fn try_from(line: Line) -> Result<Self, Self::Error> {
        let ending = match (line.answer, line.error, line.dropped) {
            (Some(answer), None, false) => Ending::Answer(answer),
            (None, Some(report), false) => {
                Ending::Error(report, line.retry_after_ms.map(Duration::from_millis))
            }
            (None, None, true) => Ending::Dropped,
            _ => return Err("not exactly one of `answer`, `error` and `dropped`"),
        };
        Ok(Self {
            at: line.at,
            model: line.model,
            request: line.request,
            deltas: line.deltas,
            ending,
        })
    }
}

impl From<Exchange> for Line {
    fn from(exchange: Exchange) -> Self {
        let mut line = Self {
            at: exchange.at,
            model: exchange.model,
            request: exchange.request,
            deltas: exchange.deltas,
            answer: None,
            error: None,
            retry_after_ms: None,
            dropped: false,
        };
        match exchange.ending {
            Ending::Answer(answer) => line.answer = Some(answer),
            Ending::Error(report, wait) => {
                line.error = Some(report);
                line.retry_after_ms =
                    wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
            }
            Ending::Dropped => line.dropped = true,
        }
        line
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RecordedDelta {
    Text(String),
    Reasoning(String),
    Refusal(String),
    Call { index: u32, name: String },
    Arguments { index: u32, json: String },
    Retracted(String),
}

impl RecordedDelta {
    /// `None` for a kind that recordings of this version do not know.
    pub(super) fn of(delta: &ModelDelta) -> Option<Self> {
        Some(match delta.clone() {
            ModelDelta::Text(text) => Self::Text(text),
            ModelDelta::Reasoning(text) => Self::Reasoning(text),
            ModelDelta::Refusal(text) => Self::Refusal(text),
            ModelDelta::ToolCallStarted { index, name } => Self::Call { index, name },
            ModelDelta::ToolCallArguments { index, json } => Self::Arguments { index, json },
            ModelDelta::Retracted { reason } => Self::Retracted(reason),
            _ => return None,
        })
    }
}

impl From<RecordedDelta> for ModelDelta {
    fn from(delta: RecordedDelta) -> Self {
        match delta {
            RecordedDelta::Text(text) => Self::Text(text),
            RecordedDelta::Reasoning(text) => Self::Reasoning(text),
            RecordedDelta::Refusal(text) => Self::Refusal(text),
            RecordedDelta::Call { index, name } => Self::ToolCallStarted { index, name },
            RecordedDelta::Arguments { index, json } => Self::ToolCallArguments { index, json },
            RecordedDelta::Retracted(reason) => Self::Retracted { reason },
        }
    }
}

/// What is in a recording, in the order of asking, and how many bytes of it are whole lines.
pub(super) struct Read {
    pub(super) exchanges: Vec<(usize, Exchange)>,
    pub(super) whole: usize,
}

/// Reads a recording. A last line that has no end was cut off in a crash, and is left out.
pub(super) fn read(path: &Path, text: &str) -> Result<Read, Error> {
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    let mut exchanges = Vec::new();
    let lines = text.get(..whole).unwrap_or_default().lines();
    for (number, line) in (1..).zip(lines) {
        if number == 1 {
            header(path, line)?;
        } else if !line.trim().is_empty() {
            let exchange = serde_json::from_str(line).map_err(|error| {
                invalid(path, number, "an exchange", &error.to_string()).with_source(error)
            })?;
            exchanges.push((number, exchange));
        }
    }
    exchanges.sort_by_key(|(_, exchange): &(usize, Exchange)| exchange.at);
    Ok(Read { exchanges, whole })
}

fn header(path: &Path, line: &str) -> Result<(), Error> {
    let value: Value = serde_json::from_str(line).unwrap_or_default();
    match value.get("nfa_recording").and_then(Value::as_u64) {
        Some(VERSION) => Ok(()),
        Some(newer) if newer > VERSION => {
            let found = format!("version {newer}: a newer nfa wrote it, update");
            Err(invalid(path, 1, "a recording of version 1", &found))
        }
        _ => {
            let found = line.chars().take(80).collect::<String>();
            Err(invalid(path, 1, HEADER, &format!("`{found}`")))
        }
    }
}

fn invalid(path: &Path, line: usize, expected: &str, found: &str) -> Error {
    errors::input(
        errors::RECORDING_INVALID,
        format!(
            "{}, line {line}: expected {expected}, found {found}",
            path.display()
        ),
    )
}

/// The file cannot be opened, read or written.
pub(super) fn failed(path: &Path, what: &str, error: std::io::Error) -> Error {
    errors::configuration(
        errors::RECORDING_FAILED,
        format!("cannot {what} the recording {}: {error}", path.display()),
    )
    .with_source(error)
}
