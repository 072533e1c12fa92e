//! Following a run to its end: showing what happens, passing interrupts on, asking the person.

use std::time::Duration;

use nfa_core::Error;
use nfa_core::engine::Fact;
use nfa_core::ids::StepPath;
use nfa_core::runtime::{Ask, Event, Outcome, OutcomeStatus, ReceiptState, RunHandle};

use crate::exit::Exit;
use crate::input;
use crate::interrupt::Interrupt;
use crate::open::Session;
use crate::out::Out;
use crate::people;

impl From<OutcomeStatus> for Exit {
    fn from(status: OutcomeStatus) -> Self {
        match status {
            OutcomeStatus::Completed => Self::Done,
            OutcomeStatus::Waiting => Self::Waiting,
            OutcomeStatus::Interrupted => Self::Interrupted,
            _ => Self::Stopped,
        }
    }
}

/// Follows a run until it stops, or waits for somebody who is not at this terminal.
pub(crate) async fn to_the_end(
    session: &mut Session,
    mut handle: RunHandle,
    out: &mut Out,
) -> Result<OutcomeStatus, Error> {
    loop {
        let outcome = follow(session, &mut handle, out).await?;
        let waits = outcome.status() == OutcomeStatus::Waiting && !session.is_closing();
        if waits && !out.json() && input::is_terminal() && ask_all(session, &outcome, out).await? {
            handle = session.runtime.resume(outcome.run()).await?;
            continue;
        }
        tell(session, &outcome, out).await;
        return Ok(outcome.status());
    }
}

async fn follow(
    session: &mut Session,
    handle: &mut RunHandle,
    out: &mut Out,
) -> Result<Outcome, Error> {
    let mut view = View::default();
    let mut interrupted = false;
    loop {
        tokio::select! {
            event = handle.next() => match event {
                Some(event) => view.show(&event?, out),
                None => break,
            },
            interrupt = session.interrupts.next() => match interrupt {
                _ if interrupted => interrupt.end_at_once(),
                Interrupt::Cancel => {
                    interrupted = true;
                    handle.cancel();
                    out.note("cancelling the run; Ctrl-C again ends at once");
                }
                Interrupt::Terminate => {
                    interrupted = true;
                    session.begin_closing();
                    out.note("stopping where the run can be gone on with");
                }
            },
        }
    }
    let outcome = handle.outcome().await?;
    view.finish(outcome.text(), out);
    Ok(outcome)
}

/// What a person has seen of a run.
#[derive(Default)]
struct View {
    /// The text of the step that speaks.
    spoken: String,
    speaker: Option<(StepPath, u32)>,
}

impl View {
    fn show(&mut self, event: &Event, out: &mut Out) {
        if out.json() {
            out.record(event);
            return;
        }
        match event {
            Event::TextDelta {
                step,
                attempt,
                text,
            } if step.depth() == 1 => {
                self.speak(step, *attempt, text, out);
            }
            Event::Retracted {
                step,
                attempt,
                reason,
            } if self.speaker.as_ref() == Some(&(step.clone(), *attempt)) => {
                self.end_line(out);
                self.spoken.clear();
                out.note(&format!("  (retracted: {})", people::short(reason, 200)));
            }
            Event::ToolStarted {
                step,
                attempt,
                tool,
                arguments,
            } => {
                self.end_line(out);
                let again = if *attempt > 1 {
                    format!(", try {attempt}")
                } else {
                    String::new()
                };
                let (tool, arguments) = (people::short(tool, 64), people::short(arguments, 120));
                out.note(&format!("→ {tool} {arguments} (step {step}{again})"));
            }
            Event::ToolFinished { step, status, text } => {
                self.end_line(out);
                let status = people::call_status(*status);
                out.note(&format!(
                    "← {status}: {} (step {step})",
                    people::short(text, 120)
                ));
            }
            Event::Entry { entry } => match &entry.fact {
                Fact::RunStarted { run, .. } => out.note(&format!("run {run}")),
                Fact::HandedOver { to, .. } => {
                    self.end_line(out);
                    out.note(&format!("⇒ {}", people::short(to, 64)));
                }
                _ => {}
            },
            _ => {}
        }
    }

    /// Streams to a terminal; a pipe gets the final text alone, which nothing can retract.
    fn speak(&mut self, step: &StepPath, attempt: u32, text: &str, out: &mut Out) {
        if !out.terminal() {
            return;
        }
        let speaker = (step.clone(), attempt);
        if self.speaker.as_ref() != Some(&speaker) {
            self.end_line(out);
            self.spoken.clear();
            self.speaker = Some(speaker);
        }
        self.spoken.push_str(text);
        out.text(&people::clean(text));
    }

    fn end_line(&mut self, out: &mut Out) {
        if !self.spoken.is_empty() && !self.spoken.ends_with('\n') {
            self.spoken.push('\n');
            out.text("\n");
        }
    }

    fn finish(&mut self, text: &str, out: &mut Out) {
        if out.json() {
            return;
        }
        self.end_line(out);
        if text.is_empty() || self.spoken.trim_end_matches('\n') == text.trim_end_matches('\n') {
            return;
        }
        if out.terminal() {
            out.line(&people::clean(text));
        } else {
            out.line(text);
        }
    }
}

/// Asks the person about every step that waits; false when they leave one for later.
async fn ask_all(session: &mut Session, outcome: &Outcome, out: &mut Out) -> Result<bool, Error> {
    let run = outcome.run();
    for ask in outcome.asks() {
        out.note(&format!("? {}", people::question(ask)));
        loop {
            out.prompt("  approve, deny [why], answer TEXT, or later? ");
            let line = tokio::select! {
                line = session.lines.next() => line,
                interrupt = session.interrupts.next() => {
                    if interrupt == Interrupt::Terminate {
                        session.begin_closing();
                    }
                    None
                }
            };
            let Some(line) = line.transpose()? else {
                out.note("");
                return Ok(false);
            };
            let line = line.trim();
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            let (step, rest) = (ask.step.clone(), rest.trim());
            match word {
                "a" | "approve" | "y" | "yes" => session.runtime.approve(run, step).await?,
                "d" | "deny" | "n" | "no" => {
                    let reason = (!rest.is_empty()).then_some(rest);
                    session.runtime.deny(run, step, reason).await?
                }
                "answer" if !rest.is_empty() => session.runtime.answer(run, step, rest).await?,
                "l" | "later" => return Ok(false),
                _ => continue,
            };
            break;
        }
    }
    Ok(!outcome.asks().is_empty())
}

/// Says how the run ended, and what can be done about it.
async fn tell(session: &Session, outcome: &Outcome, out: &mut Out) {
    if out.json() {
        return;
    }
    let run = outcome.run();
    match outcome.status() {
        OutcomeStatus::Completed => {}
        OutcomeStatus::Failed => {
            let why = outcome.error().map_or_else(
                || "for a reason that is not known".to_owned(),
                |error| format!("[{}]: {}", error.code(), people::clean(error.message())),
            );
            out.note(&format!("the run failed {why}"));
            out.note(&format!(
                "  try again: {}",
                session.command(&format!("resume {run}"))
            ));
        }
        OutcomeStatus::Cancelled => {
            out.note("the run was cancelled");
            out.note(&format!(
                "  go on: {}",
                session.command(&format!("resume {run}"))
            ));
        }
        OutcomeStatus::LimitReached => {
            let limit = outcome
                .summary()
                .limit
                .map_or("an unknown limit", people::limit);
            out.note(&format!("the run stopped at its limit of {limit}"));
            out.note(&format!(
                "  go on: {}",
                session.command(&format!("resume {run} --turns N"))
            ));
        }
        OutcomeStatus::Waiting => {
            for ask in outcome.asks() {
                tell_ask(session, outcome, ask, out);
            }
            out.note(&format!(
                "  then: {}",
                session.command(&format!("resume {run}"))
            ));
        }
        _ => {
            out.note("the run was interrupted");
            out.note(&format!(
                "  go on: {}",
                session.command(&format!("resume {run}"))
            ));
        }
    }
    tell_receipt(session, outcome, out).await;
}

fn tell_ask(session: &Session, outcome: &Outcome, ask: &Ask, out: &Out) {
    let (run, step) = (outcome.run(), &ask.step);
    out.note(&format!("? {}", people::question(ask)));
    for signal in [
        format!("signal {run} approve {step}"),
        format!("signal {run} deny {step} --reason WHY"),
        format!("signal {run} answer {step} RESULT"),
    ] {
        out.note(&format!("  {}", session.command(&signal)));
    }
}

/// The receipt, once a signed checkpoint covers it; as it stands, when that takes long.
async fn tell_receipt(session: &Session, outcome: &Outcome, out: &Out) {
    const PATIENCE: Duration = Duration::from_secs(2);
    let so_far = outcome.receipt();
    if so_far.state == ReceiptState::None {
        return;
    }
    let checkpointed = async {
        if session.is_closing() {
            return None;
        }
        session.runtime.checkpointed(outcome.run()).await.ok()
    };
    let newer = tokio::time::timeout(PATIENCE, checkpointed)
        .await
        .ok()
        .flatten();
    out.note(&newer.as_ref().unwrap_or(so_far).to_string());
}
