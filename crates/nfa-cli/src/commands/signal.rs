//! `nfa signal` and `nfa cancel`: through the run's inbox, whichever process executes it.

use nfa_core::engine::{Entry, Fact};
use nfa_core::ids::{RunId, StepPath};
use nfa_core::runtime::{Decision, SignalSent};
use nfa_core::{Category, Component, Error};
use serde_json::json;

use super::closing;
use crate::args::Signal;
use crate::exit::{Exit, Failure};
use crate::open::Session;
use crate::out::Out;

pub(crate) async fn send(
    store: &str,
    run: &str,
    signal: Signal,
    out: &mut Out,
) -> Result<Exit, Failure> {
    let session = Session::open_existing(store).await?;
    let worked = post(&session, run, signal, out)
        .await
        .map_err(Failure::from);
    closing(session, worked).await
}

async fn post(session: &Session, run: &str, signal: Signal, out: &mut Out) -> Result<Exit, Error> {
    let run = session.find_run(run).await?;
    let (step, name, decision, by) = match signal {
        Signal::Approve { step, by } => (step, "approve", Decision::approve(), by),
        Signal::Deny { step, reason, by } => (step, "deny", Decision::deny(reason.as_deref()), by),
        Signal::Answer { step, text, by } => (step, "answer", Decision::answer(text), by),
    };
    let decision = match by {
        Some(person) => decision.by(person),
        None => decision,
    };
    let step: StepPath = step.parse()?;
    let open = open_questions(&session.runtime.journal(run).await?);
    if !session.runtime.run_record(run).await?.status.is_terminal() && !open.contains(&step) {
        return Err(not_asked(run, &step, &open));
    }
    let sent = session.runtime.decide(run, step.clone(), decision).await?;
    tell(session, run, name, Some(&step), sent, out)
}

pub(crate) async fn cancel(store: &str, run: &str, out: &mut Out) -> Result<Exit, Failure> {
    let session = Session::open_existing(store).await?;
    let worked = stop(&session, run, out).await.map_err(Failure::from);
    closing(session, worked).await
}

async fn stop(session: &Session, run: &str, out: &mut Out) -> Result<Exit, Error> {
    let run = session.find_run(run).await?;
    let sent = session.runtime.cancel(run).await?;
    tell(session, run, "cancel", None, sent, out)
}

fn tell(
    session: &Session,
    run: RunId,
    signal: &str,
    step: Option<&StepPath>,
    sent: SignalSent,
    out: &mut Out,
) -> Result<Exit, Error> {
    let (word, text) = match sent {
        SignalSent::Delivered => ("delivered", format!("{signal}: delivered to run {run}")),
        SignalSent::Waiting => (
            "waiting",
            format!(
                "{signal}: kept for run {run}, which nobody executes now; go on with: {}",
                session.command(&format!("resume {run}"))
            ),
        ),
        _ => {
            return Err(Error::new(
                Component::Cli,
                Category::Conflict,
                "run_stopped",
                format!(
                    "run {run} has stopped and takes nothing in: `nfa show` tells how it ended, `nfa resume` goes on with it"
                ),
            ));
        }
    };
    if out.json() {
        out.record(&json!({ "run": run, "signal": signal, "step": step, "sent": word }));
    } else {
        out.line(&text);
    }
    Ok(Exit::Done)
}

/// The steps that ask and have no answer yet.
fn open_questions(journal: &[Entry]) -> Vec<StepPath> {
    let mut open: Vec<StepPath> = Vec::new();
    for entry in journal {
        match &entry.fact {
            Fact::Asked { step, .. } => open.push(step.clone()),
            Fact::Answered { step, .. } => open.retain(|other| other != step),
            _ => {}
        }
    }
    open
}

fn not_asked(run: RunId, step: &StepPath, open: &[StepPath]) -> Error {
    let which = match open {
        [] => "no step of it asks".to_owned(),
        open => {
            let steps: Vec<_> = open.iter().map(ToString::to_string).collect();
            format!("these ask: {}", steps.join(", "))
        }
    };
    Error::new(
        Component::Cli,
        Category::Input,
        "step_not_asked",
        format!("step {step} of run {run} asks nothing; {which}"),
    )
}
