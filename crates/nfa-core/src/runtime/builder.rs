//! Choices for a runtime, and what it is made of.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};
use tokio_util::task::TaskTracker;

use super::background;
use super::bind::{Bindings, ModelProvider, ToolProvider};
use super::lease::LeaseClock;
use super::lifecycle::Runtime;
use super::proof::{AnchorPace, Anchoring, Outsiders, OwnLeaves, Sequencer, Witnessing};
use super::shared::Shared;
use crate::error::{Category, Component, Error};
use crate::memory_store::MemoryStore;
use crate::ports::{Anchor, Cancellation, Clock, Keys, MemoryKeys, Store, SystemClock, Witness};

/// Makes a [`Runtime`].
pub struct RuntimeBuilder {
    store: Option<Arc<dyn Store>>,
    keys: Option<Arc<dyn Keys>>,
    clock: Arc<dyn Clock>,
    models: Option<Arc<dyn ModelProvider>>,
    tools: Option<Arc<dyn ToolProvider>>,
    proof: bool,
    origin: Arc<str>,
    lease: Duration,
    poll: Duration,
    concurrency: usize,
    events: usize,
    grace: Duration,
    witnesses: Vec<Arc<dyn Witness>>,
    witness_timeout: Duration,
    heartbeat: Option<Duration>,
    anchors: Vec<Arc<dyn Anchor>>,
    anchor_pace: AnchorPace,
    anchor_timeout: Duration,
}

impl RuntimeBuilder {
    pub(super) fn new() -> Self {
        Self {
            store: None,
            keys: None,
            clock: Arc::new(SystemClock),
            models: None,
            tools: None,
            proof: true,
            origin: "nfa".into(),
            lease: Duration::from_secs(10),
            poll: Duration::from_millis(100),
            concurrency: 1024,
            events: 64,
            grace: Duration::from_secs(10),
            witnesses: Vec::new(),
            witness_timeout: Duration::from_secs(5),
            heartbeat: None,
            anchors: Vec::new(),
            anchor_pace: AnchorPace {
                leaves: 100,
                after: Duration::from_mins(5),
            },
            anchor_timeout: Duration::from_secs(10),
        }
    }

    /// The store and who holds its keys. Default: in memory.
    #[must_use]
    pub fn store(mut self, store: Arc<dyn Store>, keys: Arc<dyn Keys>) -> Self {
        (self.store, self.keys) = (Some(store), Some(keys));
        self
    }

    /// The clock that entries are stamped with.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Who makes models from their names.
    #[must_use]
    pub fn models(mut self, models: Arc<dyn ModelProvider>) -> Self {
        self.models = Some(models);
        self
    }

    /// Who makes tools from their specs.
    #[must_use]
    pub fn tools(mut self, tools: Arc<dyn ToolProvider>) -> Self {
        self.tools = Some(tools);
        self
    }

    /// Whether turns and tool calls are recorded in proof logs. Default: yes.
    #[must_use]
    pub fn proof(mut self, on: bool) -> Self {
        self.proof = on;
        self
    }

    /// The first part of the names of proof logs, such as your domain. Default: `nfa`.
    #[must_use]
    pub fn origin(mut self, origin: impl Into<Arc<str>>) -> Self {
        self.origin = origin.into();
        self
    }

    /// How long a run stays this process's own after its last sign of life. Default: 10 seconds.
    #[must_use]
    pub fn lease(mut self, ttl: Duration) -> Self {
        self.lease = ttl;
        self
    }

    /// How often signals from other processes are looked for. Default: 100 ms.
    #[must_use]
    pub fn poll(mut self, every: Duration) -> Self {
        self.poll = every;
        self
    }

    /// Runs that are driven at once; more wait for a place. Default: 1024.
    #[must_use]
    pub fn concurrency(mut self, runs: usize) -> Self {
        self.concurrency = runs.max(1);
        self
    }

    /// Events that wait for a slow reader before it slows the run. Default: 64.
    #[must_use]
    pub fn event_capacity(mut self, events: usize) -> Self {
        self.events = events.max(1);
        self
    }

    /// How long [`Runtime::close`] waits for calls under way. Default: 10 seconds.
    #[must_use]
    pub fn close_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Somebody who signs that the logs only grow; asked after each checkpoint, in the background.
    #[must_use]
    pub fn witness(mut self, witness: Arc<dyn Witness>) -> Self {
        self.witnesses.push(witness);
        self
    }

    /// How long a witness may take; a checkpoint does without the signature of one that is late. Default: 5
    /// seconds.
    #[must_use]
    pub fn witness_timeout(mut self, patience: Duration) -> Self {
        self.witness_timeout = patience;
        self
    }

    /// How often a heartbeat is recorded in the log of every agent that runs here. Default: never.
    #[must_use]
    pub fn heartbeat(mut self, every: Duration) -> Self {
        self.heartbeat = Some(every.max(Duration::from_millis(1)));
        self
    }

    /// Somewhere beyond this process's reach that keeps the roots of the logs; given checkpoints in the
    /// background, out of an outbox in the store.
    #[must_use]
    pub fn anchor(mut self, anchor: Arc<dyn Anchor>) -> Self {
        self.anchors.push(anchor);
        self
    }

    /// When a log goes to the anchors: once it has `leaves` that did not, or `after` the first of those was
    /// recorded. Default: 100 leaves, 5 minutes.
    #[must_use]
    pub fn anchor_every(mut self, leaves: u64, after: Duration) -> Self {
        let leaves = leaves.max(1);
        self.anchor_pace = AnchorPace { leaves, after };
        self
    }

    /// How long an anchor may take over one answer; it is asked again later. Default: 10 seconds.
    #[must_use]
    pub fn anchor_timeout(mut self, patience: Duration) -> Self {
        self.anchor_timeout = patience;
        self
    }

    /// Opens the runtime on the current tokio runtime.
    ///
    /// # Errors
    /// `no_tokio_runtime` outside one; `key_malformed` when a witness's key is none.
    pub fn build(self) -> Result<Runtime, Error> {
        let handle = Handle::try_current().map_err(|error| {
            Error::new(
                Component::Runtime,
                Category::Input,
                "no_tokio_runtime",
                "open the runtime inside a tokio runtime: it makes none of its own",
            )
            .with_source(error)
        })?;
        let clock = self.clock;
        let store = self
            .store
            .unwrap_or_else(|| Arc::new(MemoryStore::with_clock(Arc::clone(&clock))));
        let keys = self.keys.unwrap_or_else(|| Arc::new(MemoryKeys::new()));
        let mut id = [0; 8];
        getrandom::fill(&mut id).map_err(crate::content::entropy_unavailable)?;
        let owner: Arc<str> =
            format!("{}-{:016x}", std::process::id(), u64::from_be_bytes(id)).into();
        let several = store.capabilities().shared;
        // Without other processes nobody could take a lease over, and none need be renewed.
        let ttl = if several {
            self.lease
        } else {
            Duration::from_secs(u64::from(u32::MAX))
        };
        let lease = LeaseClock::new(ttl, several);
        let own = Arc::new(OwnLeaves::new(
            Arc::clone(&store),
            Arc::clone(&keys),
            Arc::clone(&clock),
        ));
        let witnessing = match self.witnesses.is_empty() {
            true => None,
            false => Some(Witnessing::new(self.witnesses, self.witness_timeout)?),
        };
        let anchoring = (!self.anchors.is_empty()).then(|| {
            let clock = Arc::clone(&clock);
            Anchoring::new(self.anchors, self.anchor_pace, self.anchor_timeout, clock)
        });
        let outsiders = Outsiders {
            witnessing,
            anchoring,
        };
        let sequencer = self.proof.then(|| {
            let (store, keys, owner) = (Arc::clone(&store), Arc::clone(&keys), Arc::clone(&owner));
            Arc::new(Sequencer::new(
                store,
                keys,
                Arc::clone(&own),
                owner,
                lease.ttl_ms(),
                self.origin,
                outsiders,
            ))
        });
        let transactional = store.capabilities().transactional;
        let bindings = Bindings::new(self.models, self.tools, transactional);
        let shared = Arc::new(Shared {
            store,
            keys,
            clock,
            bindings,
            owner,
            lease,
            live: Mutex::default(),
            places: Semaphore::new(self.concurrency),
            session_freed: Notify::new(),
            closing: Cancellation::new(),
            grace_over: Cancellation::new(),
            closed: Cancellation::new(),
            tasks: TaskTracker::new(),
            handle,
            sequencer,
            own,
            logs: Mutex::default(),
            event_capacity: self.events,
            poll: self.poll,
            grace: self.grace,
        });
        if several {
            shared.handle.spawn(background::keep_leases(
                Arc::downgrade(&shared),
                shared.closed.clone(),
            ));
            shared.handle.spawn(background::watch_inboxes(
                Arc::downgrade(&shared),
                shared.closed.clone(),
            ));
        }
        if let Some(sequencer) = &shared.sequencer {
            shared.handle.spawn(background::keep_sequencing(
                Arc::clone(sequencer),
                several.then_some(self.poll),
                shared.closed.clone(),
            ));
            shared.handle.spawn(background::keep_checking(
                Arc::clone(sequencer),
                shared.closing.clone(),
            ));
            if sequencer.witnessing().is_some() {
                shared.handle.spawn(background::keep_witnessing(
                    Arc::clone(sequencer),
                    shared.closed.clone(),
                ));
            }
            if sequencer.anchoring().is_some() {
                shared.handle.spawn(background::keep_anchoring(
                    Arc::clone(sequencer),
                    shared.closed.clone(),
                ));
            }
            if let Some(every) = self.heartbeat {
                shared.handle.spawn(background::keep_beating(
                    Arc::downgrade(&shared),
                    every,
                    shared.closing.clone(),
                ));
            }
        }
        Ok(Runtime::from_shared(shared))
    }
}
