//! Leaves that belong to no run: what befell an agent or its log. Drafted here, and read back, so that every
//! process learns from the store where an agent stands and which keys its log has.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::HashMap;
use nfa_proof::{FieldId, KeyEvent, Leaf, LeafHeader, LeafKind, Opening, SignedKeyEvent};

use super::fields::Fields;
use super::openings::{self, Source};
use super::proof_error;
use crate::content::{Sealing, SubjectVault, content_erased};
use crate::error::Error;
use crate::ids::{LogId, ProgramHash, Subject};
use crate::ports::{Clock, Keys, LeafDraft, LogDraft, Store};
use crate::runtime::agents::AgentState;

/// How many leaves are read at once.
const PAGE: usize = 256;

/// Drafts and reads the leaves of one store's logs that belong to no run.
pub(in crate::runtime) struct OwnLeaves {
    store: Arc<dyn Store>,
    keys: Arc<dyn Keys>,
    clock: Arc<dyn Clock>,
    books: Mutex<HashMap<LogId, Book>>,
}

/// What these leaves of one log say, as far as they were read.
#[derive(Default)]
pub(in crate::runtime) struct Book {
    /// The number of the next leaf.
    pub(in crate::runtime) next: u64,
    pub(in crate::runtime) state: AgentState,
    pub(in crate::runtime) programs: BTreeSet<[u8; 32]>,
    keys: Vec<KeyLeaf>,
}

/// A key event, and the leaf that tells of it.
#[derive(Clone)]
pub(super) struct KeyLeaf {
    pub(super) number: u64,
    /// Its leaf's index, once it has one.
    pub(super) index: Option<u64>,
    pub(super) event: KeyEvent,
}

impl Book {
    fn take(&mut self, number: u64, index: Option<u64>, kind: LeafKind, values: &[Opening]) {
        let value = |field| {
            let found = values.iter().find(|opening| opening.field == field);
            found.map(|opening| opening.value.as_slice())
        };
        self.next = number + 1;
        match kind {
            LeafKind::Lifecycle => {
                match value(FieldId::EVENT) {
                    Some(b"pause") => self.state = AgentState::Paused,
                    Some(b"resume") => self.state = AgentState::Active,
                    Some(b"terminate") => self.state = AgentState::Terminated,
                    _ => {}
                }
                let hash = value(FieldId::PROGRAM_HASH);
                if let Some(Ok(hash)) = hash.map(<[u8; 32]>::try_from) {
                    self.programs.insert(hash);
                }
            }
            LeafKind::Key => {
                if let Ok(Some(signed)) = SignedKeyEvent::from_openings(values) {
                    self.keys.push(KeyLeaf {
                        number,
                        index,
                        event: signed.event().clone(),
                    });
                }
            }
            _ => {}
        }
    }
}

impl OwnLeaves {
    pub(in crate::runtime) fn new(
        store: Arc<dyn Store>,
        keys: Arc<dyn Keys>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            store,
            keys,
            clock,
            books: Mutex::default(),
        }
    }

    /// Looks at what the store says now.
    pub(in crate::runtime) async fn read<T>(
        &self,
        log: LogId,
        look: impl FnOnce(&Book) -> T,
    ) -> Result<T, Error> {
        loop {
            let from = self.with(log, |book| book.next);
            let leaves = self.store.log_leaves(log, from, PAGE).await?;
            if leaves.is_empty() {
                return Ok(self.known(log, look));
            }
            for (draft, index) in leaves {
                let kind = Leaf::decode(&draft.leaf)
                    .map_err(proof_error)?
                    .header()
                    .kind;
                let values = match kind {
                    LeafKind::Lifecycle | LeafKind::Key => self.open(&draft).await?,
                    _ => Vec::new(),
                };
                self.with(log, |book| {
                    // Somebody else may have been reading, too.
                    if book.next == draft.entry {
                        book.take(draft.entry, index, kind, &values);
                    }
                });
            }
        }
    }

    /// Looks at what was read before.
    pub(in crate::runtime) fn known<T>(&self, log: LogId, look: impl FnOnce(&Book) -> T) -> T {
        self.with(log, |book| look(book))
    }

    fn with<T>(&self, log: LogId, look: impl FnOnce(&mut Book) -> T) -> T {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        look(books.entry(log).or_default())
    }

    /// What opens a leaf that belongs to no run.
    pub(super) async fn open(&self, draft: &LeafDraft) -> Result<Vec<Opening>, Error> {
        let blobs = self.store.blobs(&[draft.openings]).await?;
        let envelope = blobs.into_iter().next().flatten();
        let plain = self
            .vault(draft.log)
            .await?
            .open(&draft.openings, &envelope.ok_or_else(content_erased)?)?;
        let fields = openings::decode(&plain)?.into_iter();
        Ok(fields
            .filter_map(|field| match field.source {
                Source::Inline(value) => Some(Opening::new(field.field, field.salt, value)),
                _ => None,
            })
            .collect())
    }

    async fn vault(&self, log: LogId) -> Result<SubjectVault, Error> {
        let sealing = if self.store.capabilities().at_rest {
            Sealing::Encrypted
        } else {
            Sealing::Plain
        };
        let key = self.keys.subject_key(&Subject::log(log)).await?;
        Ok(SubjectVault::new(&key, sealing))
    }

    /// Drafts a leaf under this number; `false` when another one took it first.
    pub(in crate::runtime) async fn draft(
        &self,
        log: LogId,
        number: u64,
        kind: LeafKind,
        values: Vec<(FieldId, Vec<u8>)>,
    ) -> Result<bool, Error> {
        let mut fields = Fields::new()?;
        for (field, value) in &values {
            fields.bytes(*field, value);
        }
        let (commitments, openings) = fields.finish();
        let header = LeafHeader {
            kind,
            agent: log.0,
            session: [0; 16],
            run: [0; 16],
            sequence: number,
            time_ms: self.clock.now().0,
            parent: None,
        };
        let leaf = Leaf::new(header, commitments).map_err(proof_error)?;
        let sealed = self.vault(log).await?.seal(&openings)?;
        let draft = LogDraft {
            log,
            number,
            leaf: leaf.encode().into(),
            openings: (Subject::log(log), sealed),
        };
        match self.store.draft(draft).await {
            Ok(()) => {
                // So that the next admission knows of it; one that does not is refused, and looks again.
                let _ = self.read(log, |_| ()).await;
                Ok(true)
            }
            Err(error) if error.code() == "stale_writer" => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Drafts that a program of the agent was deployed, unless the log tells of it already.
    pub(in crate::runtime) async fn deploy(
        &self,
        log: LogId,
        program: ProgramHash,
    ) -> Result<bool, Error> {
        loop {
            let (known, next) = self
                .read(log, |book| (book.programs.contains(&program.0), book.next))
                .await?;
            if known {
                return Ok(false);
            }
            let values = vec![
                (FieldId::EVENT, b"deploy".to_vec()),
                (FieldId::PROGRAM_HASH, program.0.to_vec()),
            ];
            if self.draft(log, next, LeafKind::Lifecycle, values).await? {
                return Ok(true);
            }
        }
    }

    /// The log's key events in their order, and the number of the next leaf.
    pub(super) async fn key_events(&self, log: LogId) -> Result<(Vec<KeyLeaf>, u64), Error> {
        let (mut events, next) = self
            .read(log, |book| (book.keys.clone(), book.next))
            .await?;
        for event in events.iter_mut().filter(|event| event.index.is_none()) {
            let found = self.store.log_leaves(log, event.number, 1).await?;
            event.index = found.first().and_then(|(_, index)| *index);
            self.with(log, |book| {
                let known = book.keys.iter_mut();
                for known in known.filter(|known| known.number == event.number) {
                    known.index = event.index;
                }
            });
        }
        Ok((events, next))
    }
}
