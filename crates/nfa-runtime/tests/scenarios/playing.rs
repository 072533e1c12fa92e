//! Playing a scenario: each act in turn, and what came of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use nfa_runtime::ids::RunId;
use nfa_runtime::{Decision, Erasure, Error, ResumeOptions, RunHandle};
use nfa_testkit::scenario::{Act, Reaction, Scenario, Told, matches};
use serde_json::{Value, json};

use crate::stage::{Dependencies, Stage};

/// The longest that a scenario may take; none of them waits for the clock.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came of a scenario.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Played {
    /// What the caller was told, for each act that runs or resumes: its place and the events, or the refusal.
    pub(crate) told: Vec<Value>,
    /// The canonical journals, one after the other.
    pub(crate) journal: String,
}

/// Plays a scenario on the store at `url`.
pub(crate) async fn play(name: String, scenario: Scenario, url: String) -> Result<Played, String> {
    let playing = tokio::spawn(async move {
        let stage = Stage::set(&scenario, url)
            .await
            .map_err(|error| error.to_string())?;
        let mut player = Player {
            stage,
            deps: scenario.deps.unwrap_or(Value::Null),
            runs: Vec::new(),
            played: Played::default(),
        };
        for (place, act) in scenario.acts.iter().enumerate() {
            let acted = player.act(place, act).await;
            acted.map_err(|error| format!("act {place}: {error:?}"))?;
        }
        player.end().await
    });
    match tokio::time::timeout(PATIENCE, playing).await {
        Ok(played) => played.unwrap_or_else(|panic| Err(panic.to_string())),
        Err(_) => Err(format!("{name} did not end within {PATIENCE:?}")),
    }
}

struct Player {
    stage: Stage,
    deps: Value,
    /// The runs, in the order of their starts.
    runs: Vec<(Arc<str>, RunId)>,
    played: Played,
}

impl Player {
    async fn act(&mut self, place: usize, act: &Act) -> Result<(), Error> {
        let runtime = self.stage.runtime.clone();
        match act {
            Act::Run {
                input,
                session,
                user,
                name,
                on,
                refused,
            } => {
                let mut run = runtime.run(&self.stage.agent, input.clone());
                if let Some(session) = session {
                    run = run.session(session.clone());
                }
                if let Some(user) = user {
                    run = run.user(Arc::clone(user));
                }
                let started = run
                    .dependencies(Dependencies(self.deps.clone()))
                    .start()
                    .await;
                if let Ok(handle) = &started {
                    self.runs.push((Arc::clone(name), handle.run()));
                }
                self.follow(place, started, on, refused.as_deref()).await
            }
            Act::Resume {
                run,
                limits,
                on,
                refused,
            } => {
                let mut options =
                    ResumeOptions::default().dependencies(Dependencies(self.deps.clone()));
                if let Some(limits) = limits {
                    options = options.limits(limits.clone());
                }
                let resumed = runtime.resume_with(self.run(run), options).await;
                self.follow(place, resumed, on, refused.as_deref()).await
            }
            Act::Approve { run, step, by } => {
                let decision = said_by(Decision::approve(), by);
                runtime
                    .decide(self.run(run), step.clone(), decision)
                    .await
                    .map(drop)
            }
            Act::Deny {
                run,
                step,
                reason,
                by,
            } => {
                let decision = said_by(Decision::deny(reason.as_deref()), by);
                runtime
                    .decide(self.run(run), step.clone(), decision)
                    .await
                    .map(drop)
            }
            Act::Answer {
                run,
                step,
                text,
                by,
            } => {
                let decision = said_by(Decision::answer(text), by);
                runtime
                    .decide(self.run(run), step.clone(), decision)
                    .await
                    .map(drop)
            }
            Act::Cancel { run } => runtime.cancel(self.run(run)).await.map(drop),
            Act::Reopen {} => self.stage.reopen().await,
            Act::Erase { session, user, run } => {
                let what = match (session, user, run) {
                    (Some(session), None, None) => Erasure::Session(session.clone()),
                    (None, Some(user), None) => Erasure::User(Arc::clone(user)),
                    (None, None, Some(run)) => Erasure::Run(self.run(run)),
                    _ => panic!("expected a session, a user or a run"),
                };
                runtime.erase(what).await.map(drop)
            }
            Act::Journal { run } => self.write_journal(self.run(run)).await,
        }
    }

    fn run(&self, name: &str) -> RunId {
        let found = self.runs.iter().find(|(known, _)| **known == *name);
        found.unwrap_or_else(|| panic!("no run is called {name}")).1
    }

    async fn write_journal(&mut self, run: RunId) -> Result<(), Error> {
        let journal = self.stage.runtime.canonical_journal(run).await?;
        self.played.journal.push_str(&journal);
        Ok(())
    }

    /// Reads a run's events to the end, and reacts to them.
    async fn follow(
        &mut self,
        place: usize,
        started: Result<RunHandle, Error>,
        on: &[Reaction],
        refused: Option<&str>,
    ) -> Result<(), Error> {
        let mut handle = match (started, refused) {
            (Err(error), Some(code)) if error.code() == code => {
                self.played
                    .told
                    .push(json!({ "act": place, "refused": code }));
                return Ok(());
            }
            (Ok(_), Some(code)) => panic!("act {place} was not refused with {code}"),
            (started, _) => started?,
        };
        let mut told = Told::new();
        let mut waiting: Vec<&Reaction> = on.iter().collect();
        while let Some(event) = handle.next().await {
            let event = serde_json::to_value(event?).unwrap();
            let Some(event) = told.take(event).cloned() else {
                continue;
            };
            self.stage.gates.see(&event);
            let (now, later) = waiting
                .into_iter()
                .partition(|reaction| matches(&event, &reaction.event));
            waiting = later;
            for reaction in now {
                match &reaction.then {
                    Act::Cancel { .. } => handle.cancel(),
                    then => Box::pin(self.act(place, then)).await?,
                }
            }
        }
        assert!(waiting.is_empty(), "act {place}: never saw {waiting:?}");
        self.played
            .told
            .push(json!({ "act": place, "events": told.to_json() }));
        Ok(())
    }

    /// The journals of all runs; and nothing was wrong with any request.
    async fn end(mut self) -> Result<Played, String> {
        for (_, run) in self.runs.clone() {
            self.write_journal(run)
                .await
                .map_err(|error| error.to_string())?;
        }
        let runs: BTreeMap<_, _> = self.runs.iter().cloned().collect();
        assert_eq!(runs.len(), self.runs.len(), "two runs have one name");
        let violations = self.stage.violations();
        if !violations.is_empty() {
            return Err(format!("the server judged: {}", violations.join("; ")));
        }
        self.stage
            .runtime
            .close()
            .await
            .map_err(|error| error.to_string())?;
        Ok(self.played)
    }
}

fn said_by(decision: Decision, by: &Option<String>) -> Decision {
    match by {
        Some(person) => decision.by(person),
        None => decision,
    }
}
