//! Words for people: short, on one line, and without what could drive their terminal.

use nfa_core::engine::{
    AnswerKind, CallDecision, CallStatus, Entry, Fact, Limit, Question, RunEnd,
};
use nfa_core::ids::{RunId, Timestamp};
use nfa_core::ports::RunStatus;
use nfa_core::runtime::Ask;

/// Text that somebody else wrote, without control characters other than tabs and line ends: a model must
/// not move the cursor, change the title or write to the clipboard.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .filter(|letter| !letter.is_control() || matches!(letter, '\n' | '\t'))
        .collect()
}

/// The same on one line of at most `width` characters.
pub(crate) fn short(text: &str, width: usize) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut letters = words.chars().filter(|letter| !letter.is_control());
    let mut line: String = letters.by_ref().take(width).collect();
    if letters.next().is_some() {
        line.push('…');
    }
    line
}

/// `2026-11-23 23:59:59`, UTC.
pub(crate) fn time(at: Timestamp) -> String {
    let seconds = at.0 / 1000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days to a date, counted from 1 March of year 0 so that leap days come last.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{date:02} {hour:02}:{minute:02}:{second:02}")
}

/// The beginning of an id that is enough to name a run among many.
pub(crate) fn short_id(run: RunId) -> String {
    run.to_string().chars().take(12).collect()
}

pub(crate) fn run_status(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Running => "running",
        RunStatus::Waiting => "waiting",
        RunStatus::Completed => "completed",
        RunStatus::Failed => "failed",
        RunStatus::Cancelled => "cancelled",
        RunStatus::LimitReached => "limit_reached",
        _ => "unknown",
    }
}

pub(crate) fn call_status(status: CallStatus) -> &'static str {
    match status {
        CallStatus::Ok => "ok",
        CallStatus::Error => "error",
        CallStatus::Denied => "denied",
        CallStatus::Cancelled => "cancelled, effect unknown",
        CallStatus::Unknown => "interrupted, effect unknown",
        _ => "unknown",
    }
}

pub(crate) fn limit(limit: Limit) -> &'static str {
    match limit {
        Limit::Turns => "turns",
        Limit::Tokens => "tokens",
        Limit::Cost => "cost",
        Limit::WallTime => "wall time",
        Limit::OutputTokens => "the length of one answer",
        _ => "an unknown limit",
    }
}

/// What an ask wants to know.
pub(crate) fn question(ask: &Ask) -> String {
    let call = format!("`{}` {}", short(&ask.tool, 64), short(&ask.arguments, 200));
    match ask.question {
        Question::Interrupted => format!(
            "step {} was interrupted, and must not run twice: {call}. Approve to run it again, answer with its result, or deny to leave it.",
            ask.step
        ),
        _ => format!("step {} asks for approval: {call}", ask.step),
    }
}

/// An entry on one line.
pub(crate) fn entry(entry: &Entry) -> String {
    match &entry.fact {
        Fact::RunStarted {
            program, history, ..
        } => {
            let program = short(&program.to_string(), 12);
            match history {
                0 => format!("run started, program {program}"),
                _ => {
                    format!("run started, program {program}, after {history} items of its session")
                }
            }
        }
        Fact::StepStarted {
            step,
            attempt,
            kind,
        } => {
            let kind = word(kind);
            match attempt {
                1 => format!("{step}  {kind} started"),
                _ => format!("{step}  {kind} started, try {attempt}"),
            }
        }
        Fact::StepReleased { step } => format!("{step}  not performed, owed again"),
        Fact::ModelFinished {
            step,
            finish,
            usage,
            calls,
            rejected,
            ..
        } => {
            let mut line = format!(
                "{step}  model answered: {}, {} tokens in, {} out",
                word(finish),
                usage.input_tokens,
                usage.output_tokens
            );
            for call in calls {
                line.push_str(", ");
                line.push_str(&decision(call));
            }
            if rejected.is_some() {
                line.push_str(", output does not match its schema");
            }
            line
        }
        Fact::ModelFailed { step, error, .. } => {
            format!("{step}  model failed: {}", short(&error.code, 64))
        }
        Fact::CallFinished { step, status, .. } => {
            format!("{step}  call finished: {}", call_status(*status))
        }
        Fact::CallFailed { step, error } => {
            format!("{step}  call failed: {}", short(&error.code, 64))
        }
        Fact::Asked { step, question } => match question {
            Question::Interrupted => format!("{step}  asks what became of an interrupted call"),
            _ => format!("{step}  asks for approval"),
        },
        Fact::Answered { step, answer, .. } => match answer {
            AnswerKind::Approved => format!("{step}  approved"),
            AnswerKind::Denied => format!("{step}  denied"),
            AnswerKind::Given => format!("{step}  result given by a person"),
            _ => format!("{step}  answered"),
        },
        Fact::HandedOver { to, .. } => format!("handed over to {}", short(to, 64)),
        Fact::CancelRequested { .. } => "cancel requested".to_owned(),
        Fact::RunFinished { end, .. } => match end {
            RunEnd::Completed => "run completed".to_owned(),
            RunEnd::Failed { error } => format!("run failed: {}", short(&error.code, 64)),
            RunEnd::Cancelled => "run cancelled".to_owned(),
            RunEnd::LimitReached { limit: which } => {
                format!("run stopped at its limit of {}", limit(*which))
            }
            _ => "run stopped".to_owned(),
        },
        Fact::RunResumed { .. } => "run resumed".to_owned(),
        // Of a later version; its name is in its JSON.
        _ => "another fact; see it with --json".to_owned(),
    }
}

fn decision(call: &CallDecision) -> String {
    match call {
        CallDecision::Tool { tool } => format!("calls {}", short(tool, 64)),
        CallDecision::Approve { tool } => format!("wants {}", short(tool, 64)),
        CallDecision::Agent { agent, .. } => format!("asks agent {}", short(agent, 64)),
        CallDecision::ChildRun { agent, .. } => {
            format!("asks agent {} in a run of its own", short(agent, 64))
        }
        CallDecision::HandOver { agent, .. } => format!("hands over to {}", short(agent, 64)),
        CallDecision::Reject { code, .. } => format!("call refused: {}", short(code, 64)),
        _ => "calls something".to_owned(),
    }
}

/// A plain enum as it is called in JSON.
fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name.replace('_', " "),
        _ => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates() {
        assert_eq!(time(Timestamp(0)), "1970-01-01 00:00:00");
        assert_eq!(time(Timestamp(951_782_400_000)), "2000-02-29 00:00:00");
        assert_eq!(time(Timestamp(1_767_225_599_999)), "2025-12-31 23:59:59");
        assert_eq!(time(Timestamp(4_107_542_400_000)), "2100-03-01 00:00:00");
    }

    #[test]
    fn what_drives_a_terminal_is_left_out() {
        assert_eq!(clean("a\u{1b}]52;c;x\u{7}b\tc\nd\r"), "a]52;c;xb\tc\nd");
        assert_eq!(short("a\n  b\u{1b}c", 10), "a bc");
        assert_eq!(short("abcdef", 3), "abc…");
        assert_eq!(short("abc", 3), "abc");
    }
}
