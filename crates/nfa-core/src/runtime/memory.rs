//! What a run remembers: its subject's keys, its content, and the session that it speaks in.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use smallvec::SmallVec;

use super::cache::{ContentCache, Loaded};
use super::context;
use super::shared::Shared;
use crate::content::{Content, Sealed, Sealing, SubjectVault};
use crate::engine::{ContentSink, Exchange};
use crate::error::{Category, Component, Error};
use crate::ids::{Address, LogId, RunId, SessionId, Subject};
use crate::ports::{ContextHead, SessionHead};

/// What outlives a single step of a run, and what its commands share.
pub(super) struct RunMemory {
    pub(super) subject: Subject,
    pub(super) session: Option<SessionId>,
    /// What stands for the session in leaves; the run's own id when it has none.
    pub(super) pseudonym: [u8; 16],
    pub(super) user: Option<Arc<str>>,
    pub(super) content: ContentCache,
    /// The conversation before this run.
    pub(super) history: Vec<Exchange>,
    /// Whether the whole session is remembered, so that its context chain goes on.
    pub(super) whole: bool,
    /// Where that chain stands.
    pub(super) context: Option<ContextHead>,
    /// The next leaf sequence number in each log.
    sequences: Mutex<SmallVec<[(LogId, u64); 1]>>,
}

/// What a memory is opened with.
pub(super) struct Opening<'a> {
    pub(super) run: RunId,
    pub(super) subject: Subject,
    /// Whether the subject certainly has no key yet.
    pub(super) fresh: bool,
    /// Whether the run may have said something in its session already.
    pub(super) resumed: bool,
    pub(super) head: Option<&'a SessionHead>,
    pub(super) session: Option<(SessionId, [u8; 16])>,
    /// How many earlier runs of the session are remembered; all when `None`.
    pub(super) window: Option<u32>,
}

impl RunMemory {
    pub(super) async fn open(shared: &Shared, opening: Opening<'_>) -> Result<Self, Error> {
        let Opening {
            run,
            subject,
            fresh,
            resumed,
            head,
            session,
            window,
        } = opening;
        let key = if fresh {
            shared.keys.fresh_subject_key(&subject).await?
        } else {
            shared.keys.subject_key(&subject).await?
        };
        let sealing = if shared.store.capabilities().at_rest {
            Sealing::Encrypted
        } else {
            Sealing::Plain
        };
        let content = ContentCache::new(Arc::new(SubjectVault::new(&key, sealing)));
        let mut history = Vec::new();
        let mut erased = false;
        if let Some(head) = head.filter(|head| head.length > 0 && window != Some(0)) {
            let wanted = window.map(|runs| runs.saturating_add(u32::from(resumed)));
            let mut items = shared.store.session_items(&head.id, wanted).await?;
            items.retain(|item| item.run != run);
            history = context::exchanges(&items);
            erased = content.load_history(&*shared.store, &history).await?;
        }
        let (session, pseudonym) =
            session.map_or((None, run.0), |(id, pseudonym)| (Some(id), pseudonym));
        let sequences = Mutex::new(
            head.into_iter()
                .flat_map(|head| &head.leaf_sequences)
                .map(|(log, next)| (*log, *next))
                .collect(),
        );
        Ok(Self {
            subject,
            session,
            pseudonym,
            user: None,
            content,
            history,
            whole: window.is_none(),
            context: head
                // Erased messages count otherwise: the chain starts anew.
                .filter(|_| window.is_none() && !erased)
                .and_then(|head| head.context),
            sequences,
        })
    }

    /// The next leaf sequence number of this session in `log`.
    pub(super) fn next_sequence(&self, log: LogId) -> u64 {
        let mut sequences = self
            .sequences
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((_, next)) = sequences.iter_mut().find(|(of, _)| *of == log) {
            *next += 1;
            return *next - 1;
        }
        sequences.push((log, 1));
        0
    }

    /// Takes up the numbering of a run without a session, which only its leaves remember.
    pub(super) fn restore_sequences(&self, logs: &super::proof::RunLogs) {
        for log in logs.drafted() {
            self.next_sequence(log);
        }
    }

    pub(super) fn sequences(&self) -> BTreeMap<LogId, u64> {
        self.sequences
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .copied()
            .collect()
    }
}

/// Seals what a decision makes, for the batch that carries it.
pub(super) struct Sealer<'a> {
    pub(super) memory: &'a RunMemory,
    pub(super) blobs: Vec<(Subject, Sealed)>,
}

impl<'a> Sealer<'a> {
    pub(super) fn new(memory: &'a RunMemory) -> Self {
        Self {
            memory,
            blobs: Vec::new(),
        }
    }

    /// Seals raw bytes that only proofs read.
    pub(super) fn put_bytes(&mut self, bytes: &[u8]) -> Result<Address, Error> {
        let sealed = self.memory.content.vault().seal(bytes)?;
        let address = sealed.address;
        self.blobs.push((self.memory.subject.clone(), sealed));
        Ok(address)
    }
}

impl ContentSink for Sealer<'_> {
    fn put(&mut self, content: &Content) -> Result<Address, Error> {
        let address = self.put_bytes(&encode(content)?)?;
        self.memory
            .content
            .insert(address, Loaded::from(content.clone()));
        Ok(address)
    }
}

pub(super) fn encode(content: &Content) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(content).map_err(|error| {
        Error::new(
            Component::Runtime,
            Category::Internal,
            "content_not_json",
            format!("content cannot be written as JSON: {error}"),
        )
    })
}
