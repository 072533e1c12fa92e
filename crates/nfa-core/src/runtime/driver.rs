//! The local driver: one task per run, which performs what the run owes and journals what becomes of it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::StreamExt;
use futures_util::stream::{FuturesOrdered, FuturesUnordered};

use super::handle::Outcome;
use super::journal::Journal;
use super::lease::lease_lapsed;
use super::memory::Sealer;
use super::perform::{self, CallResult, Done, ModelCall, Surroundings, ToolCallWork};
use super::proof::{ChainKeeper, Evidence, RunLogs};
use crate::content::Content;
use crate::engine::{CallStatus, Changes, Command, ContentSink, Input, Run, Signal, Stamp};
use crate::error::Error;
use crate::ids::StepPath;
use crate::ports::{Batch, BoxFuture, Cancellation, RunStatus};

/// One run under way.
pub(super) struct Task {
    pub(super) here: Arc<Surroundings>,
    pub(super) run: Run,
    pub(super) journal: Journal,
    pub(super) logs: Option<RunLogs>,
    pub(super) chains: ChainKeeper,
}

/// A command that waits for its intent to be durable.
struct Held {
    batch: u64,
    command: Command,
}

/// The commands under way, and how to cancel each.
#[derive(Default)]
struct Active {
    futures: FuturesUnordered<BoxFuture<'static, Done>>,
    cancels: HashMap<StepPath, Cancellation>,
}

impl Active {
    fn cancel(&mut self, step: &StepPath) {
        if let Some(cancellation) = self.cancels.remove(step) {
            cancellation.cancel();
        }
    }
}

impl Task {
    /// Drives the run until it stops, waits for a person, or the process closes.
    pub(super) async fn drive(mut self, first: Changes) -> Result<Outcome, Error> {
        let here = Arc::clone(&self.here);
        let store = Arc::clone(&here.shared.store);
        let mut commits: FuturesOrdered<BoxFuture<'_, Result<(), Error>>> = FuturesOrdered::new();
        let (mut enqueued, mut durable) = (0_u64, 0_u64);
        let mut held: VecDeque<Held> = VecDeque::new();
        let mut active = Active::default();
        let mut closing = here.shared.closing.is_cancelled();
        let mut parked = false;
        self.take_changes(first, 0, &mut held, &mut active);
        loop {
            if !closing {
                self.start_held(durable, &mut held, &mut active)?;
            }
            let stopped = self.run.end().is_some();
            if commits.is_empty() && (stopped || closing && self.is_drained(&active)) {
                break;
            }
            if commits.is_empty() && self.run.status() == RunStatus::Waiting && here.live.is_quiet()
            {
                if Box::pin(self.park()).await? {
                    parked = true;
                    break;
                }
                continue;
            }
            let unstarted = closing && held.iter().any(|waiting| !waiting.command.is_pure());
            let made = tokio::select! {
                biased;
                () = std::future::ready(()), if unstarted && !stopped => self.release_held(&mut held, &active)?,
                Some(committed) = commits.next() => {
                    committed?;
                    durable += 1;
                    None
                }
                Some(done) = active.futures.next(), if !stopped => {
                    // A step that was started anew under the same path has another future.
                    if !matches!(done, Done::Dropped { .. }) {
                        active.cancels.remove(done.step());
                    }
                    self.take_done(done)?
                }
                () = here.live.nudge.notified(), if !stopped => Box::pin(self.take_nudge()).await?,
                () = here.shared.closing.cancelled(), if !closing && !stopped => {
                    closing = true;
                    None
                }
                () = here.shared.grace_over.cancelled(), if closing && !stopped => {
                    active.futures.clear();
                    active.cancels.clear();
                    None
                }
            };
            if let Some(Made { changes, batch }) = made {
                enqueued += 1;
                let events = self.events_of(&batch.entries);
                let drafted = !batch.drafts.is_empty();
                commits.push_back(store.commit(batch));
                if drafted {
                    here.shared.note_drafts(self.logs.as_ref());
                }
                self.take_changes(changes, enqueued, &mut held, &mut active);
                for event in events {
                    here.send(event).await;
                }
            }
        }
        drop(commits);
        let interrupted = self.run.end().is_none() && !parked;
        if !self.journal.given_back {
            let at = here.shared.clock.now();
            store.commit(self.journal.release(&self.run, at)).await?;
        }
        // Cancelled tools get their grace without keeping the caller.
        let mut rest = active.futures;
        if !rest.is_empty() && self.run.end().is_some() {
            here.shared
                .tasks
                .spawn(async move { while rest.next().await.is_some() {} });
        }
        Box::pin(self.outcome(interrupted)).await
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
        active.cancels.is_empty()
            || self
                .run
                .pending()
                .filter(|command| active.cancels.contains_key(command.step()))
                .all(|command| command.is_wait() || matches!(command, Command::StartChild { .. }))
    }

    fn take_changes(
        &mut self,
        changes: Changes,
        batch: u64,
        held: &mut VecDeque<Held>,
        active: &mut Active,
    ) {
        for step in &changes.withdrawn {
            held.retain(|waiting| waiting.command.step() != step);
            active.cancel(step);
        }
        held.extend(
            changes
                .owed
                .into_iter()
                .map(|command| Held { batch, command }),
        );
    }

    /// Starts what is durable or pure (law L3).
    fn start_held(
        &mut self,
        durable: u64,
        held: &mut VecDeque<Held>,
        active: &mut Active,
    ) -> Result<(), Error> {
        let mut at = 0;
        while let Some(waiting) = held.get(at) {
            if waiting.batch > durable && !waiting.command.is_pure() {
                at += 1;
                continue;
            }
            let Some(Held { command, .. }) = held.remove(at) else {
                break;
            };
            if !self.here.shared.lease.holds(self.journal.lease) {
                return Err(lease_lapsed());
            }
            let cancellation = Cancellation::new();
            if let Some(future) = self.perform(&command, cancellation.clone()) {
                active.cancels.insert(command.step().clone(), cancellation);
                active.futures.push(future);
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
                result: Ok((answer, turn)),
                ..
            } => {
                let content = sealer.put(&Content::Answer(Arc::clone(&answer)))?;
                self.chains.keep(step, &turn);
                if step.depth() == 1 && here.memory.whole {
                    self.journal.context = turn.chain().to_head();
                }
                evidence = Evidence::Turn(Box::new(turn));
                reported = answer;
                Input::ModelAnswered {
                    step,
                    answer: &reported,
                    content,
                }
            }
            Done::Model {
                result: Err(error),
                partial,
                ..
            } => {
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
                ..
            } => {
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
        if here.live.posted.swap(false, Ordering::SeqCst) {
            for item in here.shared.store.inbox(self.run.id()).await? {
                self.journal.acknowledged.push(Arc::clone(&item.id));
                let stamp = self.stamp();
                let more = self.run.advance(
                    stamp,
                    &Input::Signal(&item.signal),
                    &mut sealer,
                    &mut entries,
                )?;
                merge(&mut changes, more);
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
            Vec::new(),
        );
        Ok(Some(Made { changes, batch }))
    }

    /// The process is closing: what was certainly not begun need not be asked about later (law L4).
    fn release_held(
        &mut self,
        held: &mut VecDeque<Held>,
        active: &Active,
    ) -> Result<Option<Made>, Error> {
        let here = Arc::clone(&self.here);
        let mut sealer = Sealer::new(&here.memory);
        let mut entries = Vec::new();
        for Held { command, .. } in held.drain(..) {
            let step = command.step();
            if !command.is_pure() && !active.cancels.contains_key(step) {
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
