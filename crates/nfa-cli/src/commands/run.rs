//! `nfa run` and `nfa resume`.

use std::path::Path;
use std::time::{Duration, Instant};

use nfa_core::content::Message;
use nfa_core::ids::RunId;
use nfa_core::ports::{RunFilter, RunStatus};
use nfa_core::runtime::{Agent, Event, Outcome, RunHandle};
use nfa_core::spec::{Limits, Program};
use nfa_core::{Category, Component, Error};
use tokio::task::JoinSet;

use super::closing_driven;
use crate::args::{Asked, Who};
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::open::Session;
use crate::out::Out;
use crate::witnesses::Witnesses;
use crate::{agent_file, follow, input};

pub(crate) async fn run(
    store: &str,
    file: &Path,
    said: String,
    who: Who,
    asked: &Asked,
    out: &mut Out,
) -> Result<Exit, Failure> {
    let witnesses = Witnesses::parse(&asked.witness)?;
    let agent = read_agent(file)?;
    let said = if said == "-" {
        input::whole().await?
    } else {
        said
    };
    let mut session = Session::open(store, &witnesses).await?;
    let worked = start(&mut session, &agent, said, &who, out).await;
    closing_driven(session, worked, out).await
}

async fn start(
    session: &mut Session,
    agent: &Agent,
    said: String,
    who: &Who,
    out: &mut Out,
) -> Result<Exit, Failure> {
    let handle = start_turn(session, agent, said, who).await?;
    Ok(follow::to_the_end(session, handle, out).await?.into())
}

pub(super) async fn start_turn(
    session: &Session,
    agent: &Agent,
    said: impl Into<Message>,
    who: &Who,
) -> Result<RunHandle, Error> {
    let mut run = session.runtime.run(agent, said);
    if let Some(session) = &who.session {
        run = run.session(session.as_str());
    }
    if let Some(user) = &who.user {
        run = run.user(user.as_str());
    }
    run.start().await
}

/// The agent in a file, validated; what is wrong is said with the file's name.
pub(super) fn read_agent(file: &Path) -> Result<Agent, Error> {
    let spec = agent_file::read(file)?;
    Agent::from_spec(spec).build().map_err(|error| {
        Error::new(
            error.component(),
            error.category(),
            error.code().to_owned(),
            format!("{}: {}", file.display(), error.message()),
        )
        .with_details(error.details().clone())
    })
}

pub(crate) async fn resume(
    store: &str,
    run: &str,
    limits: (Option<u32>, Option<u64>),
    asked: &Asked,
    out: &mut Out,
) -> Result<Exit, Failure> {
    let witnesses = Witnesses::parse(&asked.witness)?;
    let mut session = Session::open_existing_with(store, &witnesses).await?;
    let worked = go_on(&mut session, run, limits, out).await;
    closing_driven(session, worked, out).await
}

async fn go_on(
    session: &mut Session,
    run: &str,
    (turns, tokens): (Option<u32>, Option<u64>),
    out: &mut Out,
) -> Result<Exit, Failure> {
    let run = session.find_run(run).await?;
    let limits = if turns.is_some() || tokens.is_some() {
        let mut limits = limits_of(session, run).await?;
        limits.turns = turns.unwrap_or(limits.turns);
        limits.tokens = tokens.or(limits.tokens);
        Some(limits)
    } else {
        None
    };
    let handle = take_over(session, run, limits, out).await?;
    Ok(follow::to_the_end(session, handle, out).await?.into())
}

/// Resumes a run once the lease of the process that executed it has lapsed: one that was killed could not
/// give it back. One that is alive renews it, and keeps it.
async fn take_over(
    session: &mut Session,
    run: RunId,
    limits: Option<Limits>,
    out: &Out,
) -> Result<RunHandle, Error> {
    /// Longer than a lease lasts without a sign of life.
    const PATIENCE: Duration = Duration::from_secs(12);
    const AGAIN: Duration = Duration::from_millis(100);
    let begun = Instant::now();
    let mut told = false;
    loop {
        let resumed = match &limits {
            Some(limits) => session.runtime.resume_with(run, limits.clone()).await,
            None => session.runtime.resume(run).await,
        };
        match resumed {
            Err(error) if error.code() == "lease_held" && begun.elapsed() < PATIENCE => {}
            other => return other,
        }
        if !std::mem::replace(&mut told, true) {
            out.note("another process executes the run, or did a moment ago; waiting for its lease to lapse");
        }
        tokio::select! {
            () = tokio::time::sleep(AGAIN) => {}
            interrupt = session.interrupts.next() => interrupt.end_at_once(),
        }
    }
}

/// The limits that the run's agent has.
async fn limits_of(session: &Session, run: RunId) -> Result<Limits, Error> {
    let record = session.runtime.run_record(run).await?;
    let stored = session.runtime.store().program(record.program).await?;
    let stored = stored.ok_or_else(|| {
        Error::new(
            Component::Store,
            Category::Internal,
            "store_corrupt",
            format!("the program of run {run} is missing from the store"),
        )
    })?;
    Ok(Program::from_canonical(&stored)?.limits().clone())
}

pub(crate) async fn resume_all(store: &str, asked: &Asked, out: &mut Out) -> Result<Exit, Failure> {
    let witnesses = Witnesses::parse(&asked.witness)?;
    let mut session = Session::open_existing_with(store, &witnesses).await?;
    let worked = go_on_with_all(&mut session, out).await;
    closing_driven(session, worked, out).await
}

/// Drives them side by side, so that one that waits keeps no other waiting.
async fn go_on_with_all(session: &mut Session, out: &mut Out) -> Result<Exit, Failure> {
    let mut ends = JoinSet::new();
    let mut worst = Exit::Done;
    for (run, handle) in session.runtime.resume_all().await? {
        match handle {
            Ok(mut handle) => {
                ends.spawn(async move { (run, handle.outcome().await) });
            }
            Err(error) => worst = worst.max(left(run, error, out)),
        }
    }
    if ends.is_empty() && worst == Exit::Done {
        let running = RunFilter {
            statuses: vec![RunStatus::Running],
            ..RunFilter::default()
        };
        match session.runtime.runs(running).await?.len() {
            0 => out.note("no run was interrupted"),
            held => out.note(&format!(
                "nothing to go on with; {held} are executed by other processes, or were a moment ago"
            )),
        }
    }
    loop {
        tokio::select! {
            end = ends.join_next() => match end {
                Some(Ok((run, Ok(outcome)))) => worst = worst.max(ended(run, &outcome, out)),
                Some(Ok((run, Err(error)))) => worst = worst.max(left(run, error, out)),
                Some(Err(_)) => worst = Exit::Unable,
                None => return Ok(worst),
            },
            interrupt = session.interrupts.next() => {
                if session.is_closing() {
                    interrupt.end_at_once();
                }
                if interrupt == Interrupt::Cancel {
                    out.note("stopping where the runs can be gone on with; Ctrl-C again ends at once");
                }
                session.begin_closing();
            }
        }
    }
}

fn ended(run: RunId, outcome: &Outcome, out: &mut Out) -> Exit {
    if out.json() {
        out.record(&Event::Finished {
            outcome: Box::new(outcome.summary().clone()),
        });
    } else {
        let status = serde_json::to_value(outcome.status()).unwrap_or_default();
        out.line(&format!("{run}  {}", status.as_str().unwrap_or("unknown")));
    }
    outcome.status().into()
}

fn left(run: RunId, error: Error, out: &Out) -> Exit {
    let message = format!("run {run}: {}", error.message());
    let error = Error::new(
        error.component(),
        error.category(),
        error.code().to_owned(),
        message,
    )
    .with_details(error.details().clone());
    out.error(&error);
    Failure::from(error).exit
}
