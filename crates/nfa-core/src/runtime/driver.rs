//! The local driver: one task per run, which performs what the run owes and journals what becomes of it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::StreamExt;

use super::active::Active;
use super::commits::Commits;
use super::event::Event;
use super::handle::Outcome;
use super::journal::Journal;
use super::lease::lease_lapsed;
use super::memory::Sealer;
use super::perform::{self, CallResult, Done, ModelCall, Surroundings, ToolCallWork};
use super::proof::{Asked, ChainKeeper, Evidence, RunLogs};
use crate::content::Content;
use crate::engine::{CallStatus, Changes, Command, ContentSink, Entry, Input, Run, Signal, Stamp};
use crate::error::Error;
use crate::ids::StepPath;
use crate::ports::{Batch, BoxFuture, Cancellation, RunStatus, Store};

/// One run under way.
pub(super) struct Task {
    pub(super) here: Arc<Surroundings>,
    pub(super) run: Run,
    pub(super) journal: Journal,
    pub(super) logs: Option<RunLogs>,
    pub(super) chains: ChainKeeper,
}

/// What a run starts to be driven with.
pub(super) struct Begun {
    pub(super) changes: Changes,
    /// What was committed already, for whoever listens.
    pub(super) entries: Vec<Entry>,
    /// Whether another run waits for this one.
    pub(super) nested: bool,
}

/// A command that waits for its intent to be durable.
struct Held {
    batch: u64,
    command: Command,
}

/// What is on its way.
struct Flow<'a> {
    store: &'a dyn Store,
    commits: Commits<'a>,
    held: VecDeque<Held>,
    active: Active,
}

impl Task {
    /// Drives the run until it stops, waits for a person, or the process closes.
    pub(super) async fn drive(mut self, begun: Begun) -> Result<Outcome, Error> {
        let here = Arc::clone(&self.here);
        let store = Arc::clone(&here.shared.store);
        // A run inside another must not wait for a place that its parent takes.
        let _place = match begun.nested {
            true => None,
            false => here.shared.places.acquire().await.ok(),
        };
        if here.events.is_some() {
            let events = begun.entries.into_iter().map(Event::entry).collect();
            Box::pin(here.send_all(events)).await;
        }
        let mut flow = Flow {
            store: &*store,
            commits: Commits::default(),
            held: VecDeque::new(),
            active: Active::default(),
        };
        let mut closing = here.shared.closing.is_cancelled();
        let mut parked = false;
        flow.take(begun.changes);
        loop {
            // What somebody asked of the run counts before what it would do next.
            if here.live.is_posted() && self.run.end().is_none() {
                if let Some(made) = Box::pin(self.take_nudge()).await? {
                    let events = self.enqueue(made, &mut flow);
                    Box::pin(here.send_all(events)).await;
                }
                continue;
            }
            if !closing {
                self.start_held(&mut flow)?;
            }
            let stopped = self.run.end().is_some();
            if flow.commits.is_empty() && (stopped || closing && self.is_drained(&flow.active)) {
                break;
            }
            if flow.commits.is_empty()
                && self.run.status() == RunStatus::Waiting
                && here.live.is_quiet()
            {
                if Box::pin(self.park()).await? {
                    parked = true;
                    break;
                }
                continue;
            }
            let waits = |held: &VecDeque<Held>| held.iter().any(|held| !held.command.is_pure());
            if closing && !stopped && waits(&flow.held) {
                if let Some(made) = self.release_held(&mut flow)? {
                    let events = self.enqueue(made, &mut flow);
                    Box::pin(here.send_all(events)).await;
                }
                continue;
            }
            let events = tokio::select! {
                biased;
                Some(committed) = flow.commits.next() => {
                    committed?;
                    Vec::new()
                }
                Some(done) = flow.active.next(), if !stopped => {
                    // A step that was started anew under the same path has another future.
                    if !matches!(done, Done::Dropped { .. }) {
                        flow.active.forget(done.step());
                    }
                    match self.take_done(done)? {
                        Some(made) => self.enqueue(made, &mut flow),
                        None => Vec::new(),
                    }
                }
                () = here.live.nudge.notified(), if !stopped => {
                    closing = here.shared.closing.is_cancelled();
                    if here.shared.grace_over.is_cancelled() {
                        flow.active.clear();
                    }
                    match Box::pin(self.take_nudge()).await? {
                        Some(made) => self.enqueue(made, &mut flow),
                        None => Vec::new(),
                    }
                }
            };
            if !events.is_empty() {
                Box::pin(here.send_all(events)).await;
            }
        }
        let Flow { mut active, .. } = flow;
        let interrupted = self.run.end().is_none() && !parked;
        if !self.journal.given_back {
            let at = here.shared.clock.now();
            store.commit(self.journal.release(&self.run, at)).await?;
        }
        // Cancelled tools get their grace without keeping the caller.
        if !active.is_over() && self.run.end().is_some() {
            here.shared
                .tasks
                .spawn(async move { while active.next().await.is_some() {} });
        }
        Box::pin(self.outcome(interrupted)).await
    }

    /// Gives a batch to the store, and takes up what it brings to do; gives what the caller is told.
    fn enqueue(&self, made: Made, flow: &mut Flow<'_>) -> Vec<Event> {
        let events = self.events_of(&made.batch.entries);
        let drafted = !made.batch.drafts.is_empty();
        flow.commits.push(flow.store.commit(made.batch));
        if drafted {
            self.here.shared.note_drafts(self.logs.as_ref());
        }
        flow.take(made.changes);
        events
    }

    /// Gives the lease of a waiting run back; `false` when a signal came meanwhile and it was taken again.
    async fn park(&mut self) -> Result<bool, Error> {
        let shared = &self.here.shared;
        let id = self.run.id();
        shared
            .store
            .commit(self.journal.release(&self.run, shared.clock.now()))
            .await?;
        // Whoever posted before the lease was given back relied on us.
        if shared.store.inbox(id).await?.is_empty() {
            return Ok(true);
        }
        let asked = shared.lease.asking();
        match shared
            .store
            .claim(id, &shared.owner, shared.lease.ttl_ms())
            .await
        {
            Ok(lease) => {
                self.journal.lease = asked;
                self.journal.epoch = lease.epoch;
                self.journal.given_back = false;
                self.here.live.post();
                Ok(false)
            }
            Err(error) if error.code() == "lease_held" => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Nothing is under way but what only a person or the clock can end, and runs with drivers of their
    /// own.
    fn is_drained(&self, active: &Active) -> bool {
        active.is_idle()
            || self
                .run
                .pending()
                .filter(|command| active.contains(command.step()))
                .all(|command| command.is_wait() || matches!(command, Command::StartChild { .. }))
    }

    /// Starts what is durable or pure (law L3).
    fn start_held(&mut self, flow: &mut Flow<'_>) -> Result<(), Error> {
        let mut at = 0;
        while let Some(waiting) = flow.held.get(at) {
            if waiting.batch > flow.commits.durable() && !waiting.command.is_pure() {
                at += 1;
                continue;
            }
            let Some(Held { command, .. }) = flow.held.remove(at) else {
                break;
            };
            if !self.here.shared.lease.holds(self.journal.lease) {
                return Err(lease_lapsed());
            }
            let cancellation = Cancellation::new();
            if let Some(work) = self.perform(&command, cancellation.clone()) {
                flow.active
                    .start(command.step().clone(), cancellation, work);
            }
        }
        Ok(())
    }

    fn perform(
        &mut self,
        command: &Command,
        cancellation: Cancellation,
    ) -> Option<BoxFuture<'static, Done>> {
        let here = Arc::clone(&self.here);
        let tool_work = |step: &StepPath, attempt, tool: &Arc<_>, answer, call| ToolCallWork {
            step: step.clone(),
            attempt,
            agent: self.run.agent_at(step),
            tool: Arc::clone(tool),
            answer,
            call,
        };
        Some(match command {
            Command::CallModel {
                step,
                attempt,
                agent,
            } => {
                let call = ModelCall {
                    step: step.clone(),
                    attempt: *attempt,
                    agent: Arc::clone(agent),
                    conversation: self.run.conversation(step).to_vec(),
                    root: step.depth() == 1,
                    chain: self.chains.of(step, here.shared.proves()),
                };
                Box::pin(perform::call_model(here, call, cancellation))
            }
            Command::CallTool {
                step,
                attempt,
                tool,
                answer,
                call,
            } => {
                let work = tool_work(step, *attempt, tool, *answer, *call);
                Box::pin(perform::call_tool(here, work, cancellation))
            }
            Command::Reconcile {
                step,
                attempt,
                tool,
                answer,
                call,
            } => {
                let work = tool_work(step, *attempt, tool, *answer, *call);
                Box::pin(perform::reconcile(here, work, cancellation))
            }
            Command::StartChild {
                step, agent, input, ..
            } => Box::pin(perform::start_child(
                here,
                step.clone(),
                Arc::clone(agent),
                *input,
                cancellation,
            )),
            Command::WaitUntil { step, at } => Box::pin(perform::wait_until(
                Arc::clone(&here.shared),
                step.clone(),
                *at,
                cancellation,
            )),
            Command::AskHuman { .. } => return None,
        })
    }

    fn take_done(&mut self, done: Done) -> Result<Option<Made>, Error> {
        let here = Arc::clone(&self.here);
        let mut sealer = Sealer::new(&here.memory);
        let mut evidence = Evidence::None;
        let step = done.step().clone();
        let step = &step;
        let reported;
        let mut output =
            |text: String, is_error| sealer.put(&Content::ToolOutput { text, is_error });
        let input = match done {
            Done::Dropped { .. } => return Ok(None),
            Done::TimeCame { .. } => Input::TimeCame { step },
            Done::Model {
                result: Ok(answer),
                evidence: turn,
                ..
            } => {
                let content = sealer.put(&Content::Answer(Arc::clone(&answer)))?;
                if let Some(turn) = turn {
                    self.chains.keep(step, &turn);
                    if step.depth() == 1 && here.memory.whole {
                        self.journal.context = turn.chain().to_head();
                    }
                    evidence = Evidence::Turn(turn);
                }
                reported = answer;
                Input::ModelAnswered {
                    step,
                    answer: &reported,
                    content,
                }
            }
            Done::Model {
                result: Err(error),
                evidence: turn,
                partial,
                ..
            } => {
                if let Some(turn) = turn {
                    evidence = Evidence::Turn(turn);
                }
                let partial = (!partial.is_empty())
                    .then(|| sealer.put(&Content::Text { text: partial }))
                    .transpose()?;
                return self
                    .make(
                        &Input::ModelFailed {
                            step,
                            error: &error,
                            partial,
                        },
                        sealer,
                        evidence,
                    )
                    .map(Some);
            }
            Done::Call {
                result: CallResult::Failed(error),
                evidence: call,
                ..
            } => {
                if let Some(call) = call {
                    evidence = Evidence::Call(Box::new(call));
                }
                return self
                    .make(
                        &Input::CallFailed {
                            step,
                            error: &error,
                        },
                        sealer,
                        evidence,
                    )
                    .map(Some);
            }
            Done::Call {
                result: CallResult::Given { status, text },
                evidence: call,
                ..
            } => {
                let result = output(text, status != CallStatus::Ok)?;
                if let Some(call) = call {
                    evidence = Evidence::Call(Box::new(call));
                }
                Input::CallReturned {
                    step,
                    status,
                    result,
                }
            }
            Done::Child {
                result: Err(error), ..
            } => {
                let input = Input::CallFailed {
                    step,
                    error: &error,
                };
                return self.make(&input, sealer, evidence).map(Some);
            }
            Done::Undone { .. } => Input::NotDone { step },
            Done::Unknown { .. } => Input::OutcomeUnknown { step },
            Done::Child {
                result: Ok((status, text)),
                ..
            } => {
                let result = output(text, status != CallStatus::Ok)?;
                Input::CallReturned {
                    step,
                    status,
                    result,
                }
            }
        };
        self.make(&input, sealer, evidence).map(Some)
    }

    /// Takes in a cancel, and what lies in the inbox.
    async fn take_nudge(&mut self) -> Result<Option<Made>, Error> {
        let here = Arc::clone(&self.here);
        let mut sealer = Sealer::new(&here.memory);
        let mut entries = Vec::new();
        let mut changes = Changes::default();
        let mut drafts = Vec::new();
        if here.live.posted.swap(false, Ordering::SeqCst) {
            for item in here.shared.store.inbox(self.run.id()).await? {
                self.journal.acknowledged.push(Arc::clone(&item.id));
                let stamp = self.stamp();
                let asked = match &self.logs {
                    Some(_) => Asked::by(&self.run, &item.signal),
                    None => None,
                };
                let before = entries.len();
                let more = self.run.advance(
                    stamp,
                    &Input::Signal(&item.signal),
                    &mut sealer,
                    &mut entries,
                )?;
                merge(&mut changes, more);
                let answered = entries.get(before);
                if let (Some(asked), Some(entry), Some(logs)) = (asked, answered, &mut self.logs) {
                    let store = &*here.shared.store;
                    asked.load(store, entry, &here.memory.content).await?;
                    drafts.extend(logs.approval(&self.run, entry, asked, &mut sealer)?);
                }
            }
        }
        if here.live.cancel.is_cancelled() {
            let signal = Signal::Cancel { reason: None };
            let stamp = self.stamp();
            let more =
                self.run
                    .advance(stamp, &Input::Signal(&signal), &mut sealer, &mut entries)?;
            merge(&mut changes, more);
        }
        if entries.is_empty() && self.journal.acknowledged.is_empty() {
            return Ok(None);
        }
        let blobs = sealer.blobs;
        let batch = self.journal.batch(
            &self.run,
            &here.memory,
            here.shared.clock.now(),
            entries,
            blobs,
            drafts,
        );
        Ok(Some(Made { changes, batch }))
    }

    /// The process is closing: what was certainly not begun need not be asked about later (law L4).
    fn release_held(&mut self, flow: &mut Flow<'_>) -> Result<Option<Made>, Error> {
        let here = Arc::clone(&self.here);
        let mut sealer = Sealer::new(&here.memory);
        let mut entries = Vec::new();
        for Held { command, .. } in flow.held.drain(..) {
            let step = command.step();
            if !command.is_pure() && !flow.active.contains(step) {
                let (stamp, input) = (self.stamp(), Input::Released { step });
                self.run.decide(stamp, &input, &mut sealer, &mut entries)?;
                if let Some(entry) = entries.last() {
                    self.run.apply(entry)?;
                }
            }
        }
        if entries.is_empty() {
            return Ok(None);
        }
        let now = here.shared.clock.now();
        let batch = self.journal.batch(
            &self.run,
            &here.memory,
            now,
            entries,
            sealer.blobs,
            Vec::new(),
        );
        Ok(Some(Made {
            changes: Changes::default(),
            batch,
        }))
    }

    fn make(
        &mut self,
        input: &Input<'_>,
        mut sealer: Sealer<'_>,
        evidence: Evidence,
    ) -> Result<Made, Error> {
        let mut entries = Vec::new();
        let stamp = self.stamp();
        let changes = self.run.advance(stamp, input, &mut sealer, &mut entries)?;
        let drafts = match &mut self.logs {
            Some(logs) => logs.drafts(&self.run, &entries, evidence, &mut sealer)?,
            None => Vec::new(),
        };
        let (memory, blobs) = (sealer.memory, sealer.blobs);
        let batch = self
            .journal
            .batch(&self.run, memory, stamp.at, entries, blobs, drafts);
        Ok(Made { changes, batch })
    }

    fn stamp(&self) -> Stamp {
        Stamp {
            at: self.here.shared.clock.now(),
            epoch: self.journal.epoch,
        }
    }
}

impl Flow<'_> {
    fn take(&mut self, changes: Changes) {
        for step in &changes.withdrawn {
            self.held.retain(|waiting| waiting.command.step() != step);
            self.active.cancel(step);
        }
        let batch = self.commits.enqueued();
        let owed = changes.owed.into_iter();
        self.held
            .extend(owed.map(|command| Held { batch, command }));
    }
}

/// New entries, made into a batch, and what they change.
struct Made {
    changes: Changes,
    batch: Batch,
}

fn merge(into: &mut Changes, more: Changes) {
    into.owed
        .retain(|command| !more.withdrawn.contains(command.step()));
    into.withdrawn.extend(more.withdrawn);
    into.owed.extend(more.owed);
}
