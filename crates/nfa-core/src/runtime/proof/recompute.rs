//! Recomputing a log: every leaf that is stored, every node above them, and every root that is known to have
//! been signed. In pages, so that it needs memory for one page and the right edge only.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nfa_proof::{Checkpoint, Frontier, HasherKind, Node, Note, ProofError, Sha256};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::proof_error;
use super::sequencer::Sequencer;
use crate::error::{Category, Component, Error};
use crate::ids::LogId;
use crate::ports::{CheckpointRecord, Store};

/// What a recomputation of a whole log found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct LogCheck {
    /// The log.
    pub log: LogId,
    /// The name that its checkpoints carry.
    pub origin: String,
    /// How many leaves it has.
    pub size: u64,
    /// How many of them were recomputed: all, unless something is wrong.
    pub checked: u64,
    /// The root over those, as their bytes give it.
    pub root: [u8; 32],
    /// The newest signed checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
    /// The first thing that is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damage: Option<LogDamage>,
}

impl LogCheck {
    /// Whether nothing is wrong.
    pub fn holds(&self) -> bool {
        self.damage.is_none()
    }
}

/// The first thing that is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct LogDamage {
    /// The stable code.
    pub code: Arc<str>,
    /// The level of the node that is wrong, with the leaves at 0; of a leaf, node or nothing in particular.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<u8>,
    /// Its index on that level; of a root, how many leaves are below it.
    pub index: u64,
    /// What was expected, and what was found.
    pub message: String,
}

impl LogDamage {
    fn new(code: &str, level: Option<u8>, index: u64, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            level,
            index,
            message: message.into(),
        }
    }

    fn leaf_missing(index: u64) -> Self {
        Self::new(
            "leaf_missing",
            Some(0),
            index,
            format!("expected a leaf at index {index}, found none"),
        )
    }

    fn node_missing(level: u8, index: u64) -> Self {
        Self::new(
            "node_missing",
            Some(level),
            index,
            format!("expected node {index} of level {level}, found none"),
        )
    }

    fn node_mismatch(level: u8, index: u64) -> Self {
        let what = match level {
            0 => format!("the leaf at index {index} does not hash to what is stored for it"),
            _ => format!("node {index} of level {level} is not what the leaves below it hash to"),
        };
        Self::new("node_mismatch", Some(level), index, what)
    }

    fn root_mismatch(size: u64) -> Self {
        Self::new(
            "root_mismatch",
            None,
            size,
            format!("the first {size} leaves do not have the root that was signed for them"),
        )
    }

    fn behind(size: u64, signed: u64) -> Self {
        Self::new(
            "log_rolled_back",
            None,
            signed,
            format!("there are {size} leaves, but a checkpoint over {signed} was signed"),
        )
    }

    fn checkpoint(size: u64, error: &ProofError) -> Self {
        let what = format!("the checkpoint over {size} leaves: {}", error.message());
        Self::new(error.code(), None, size, what)
    }

    fn unsigned(size: u64) -> Self {
        Self::new(
            "log_signature_missing",
            None,
            size,
            format!("no key of the log signed the checkpoint over {size} leaves"),
        )
    }

    fn unreadable(error: &Error) -> Self {
        Self::new(error.code(), None, 0, error.message())
    }

    /// The error that whoever uses the log gets from now on.
    fn error(&self, log: LogId) -> Error {
        Error::new(
            Component::Proof,
            Category::Configuration,
            "log_damaged",
            format!(
                "log {log} is damaged, and nothing more is signed: {self}; keep a copy, and restore an intact one"
            ),
        )
        .with_details(serde_json::json!({
            "code": self.code, "level": self.level, "index": self.index,
        }))
    }
}

impl fmt::Display for LogDamage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.message, self.code)
    }
}

/// How fast a log is recomputed.
#[derive(Clone, Copy)]
pub(in crate::runtime) enum Pace {
    /// Somebody waits for it.
    Awaited,
    /// A small page at a time, resting nine times as long as each took.
    Unnoticed,
}

impl Pace {
    /// How many leaves are read at once.
    fn page(self) -> usize {
        match self {
            Self::Awaited => 2048,
            Self::Unnoticed => 128,
        }
    }

    async fn rest(self, worked: Duration) {
        match self {
            Self::Awaited => tokio::task::yield_now().await,
            Self::Unnoticed => tokio::time::sleep(worked * 9).await,
        }
    }
}

/// The logs that are to be recomputed in the background, and those that were found damaged.
#[derive(Default)]
pub(in crate::runtime) struct Checking {
    book: Mutex<Book>,
    pub(in crate::runtime) wake: Notify,
}

#[derive(Default)]
struct Book {
    opened: BTreeSet<LogId>,
    due: BTreeSet<LogId>,
    /// What the newest recomputation of a log found: so many leaves whole, or what is wrong.
    found: BTreeMap<LogId, Result<u64, LogDamage>>,
}

impl Checking {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that a log was opened for appending; the first time, what it has is recomputed.
    pub(super) fn opened(&self, log: LogId, size: u64) {
        let mut book = self.book();
        if book.opened.insert(log) && size > 0 {
            book.due.insert(log);
            drop(book);
            self.wake.notify_one();
        }
    }

    fn next_due(&self) -> Option<LogId> {
        self.book().due.pop_first()
    }

    /// How many leaves of a log were found whole, if it was recomputed.
    pub(super) fn found_whole(&self, log: LogId) -> Option<u64> {
        self.book().found.get(&log)?.as_ref().ok().copied()
    }

    /// Refuses a log that was found damaged.
    pub(super) fn refuse_damaged(&self, log: LogId) -> Result<(), Error> {
        match self.book().found.get(&log) {
            Some(Err(damage)) => Err(damage.error(log)),
            _ => Ok(()),
        }
    }

    fn keep(&self, log: LogId, found: Result<u64, LogDamage>) {
        self.book().found.insert(log, found);
    }
}

impl Sequencer {
    /// Recomputes a whole log. Damage stops its signing until it is found whole.
    pub(in crate::runtime) async fn check(
        &self,
        log: LogId,
        pace: Pace,
    ) -> Result<LogCheck, Error> {
        let check = self.recompute(log, pace).await;
        match &check {
            Ok(check) => {
                let damage = check.damage.clone();
                self.checking.keep(log, damage.map_or(Ok(check.size), Err));
            }
            Err(error) if error.code() == "store_corrupt" => {
                self.checking.keep(log, Err(LogDamage::unreadable(error)));
            }
            Err(_) => {}
        }
        check
    }

    async fn recompute(&self, log: LogId, pace: Pace) -> Result<LogCheck, Error> {
        // In this order: what was signed before is in the log that is read after.
        let signed = self.keys.last_signed(&log).await?;
        let newest = self.store.log_head(log).await?.checkpoint;
        let size = self.store.log_head(log).await?.size;
        let mut expected: Vec<(u64, [u8; 32])> = signed.into_iter().collect();
        expected.extend(newest.iter().map(|newest| (newest.size, newest.root)));

        let mut recomputed = Recomputed::default();
        let mut damage = match expected.iter().find(|(signed, _)| *signed > size) {
            Some((signed, _)) => Some(LogDamage::behind(size, *signed)),
            None => {
                let tree = recomputed.tree(&*self.store, log, size, pace, &expected);
                tree.await?
            }
        };
        if let (None, Some(newest)) = (&damage, &newest) {
            damage = self.check_note(log, newest).await?;
        }
        Ok(LogCheck {
            log,
            origin: self.origin_of(log),
            size,
            checked: recomputed.frontier.size(),
            root: recomputed.frontier.root(),
            checkpoint: newest.map(|newest| newest.note.to_string()),
            damage,
        })
    }

    /// Whether a checkpoint says what its record says, over the signature of a key of the log.
    async fn check_note(
        &self,
        log: LogId,
        newest: &CheckpointRecord,
    ) -> Result<Option<LogDamage>, Error> {
        let keys = self.verifier_keys(log).await?;
        let read = || {
            let note = Note::parse(newest.note.as_bytes())?;
            let checkpoint = Checkpoint::parse(note.text())?;
            let verified = note.verify(&keys)?;
            Ok::<_, ProofError>((checkpoint, verified.is_empty()))
        };
        let size = newest.size;
        Ok(match read() {
            Err(error) => Some(LogDamage::checkpoint(size, &error)),
            Ok((checkpoint, _))
                if (checkpoint.size(), checkpoint.root()) != (size, &newest.root) =>
            {
                Some(LogDamage::root_mismatch(size))
            }
            Ok((_, true)) => Some(LogDamage::unsigned(size)),
            Ok((_, false)) => None,
        })
    }

    /// Recomputes every log that was opened for appending since the last call. What is damaged is remembered;
    /// a log that could not be read through is left to whoever asks for it.
    pub(in crate::runtime) async fn check_opened(&self) {
        while let Some(log) = self.checking.next_due() {
            let _ = self.check(log, Pace::Unnoticed).await;
        }
    }
}

/// As far as a log was recomputed.
#[derive(Default)]
struct Recomputed {
    frontier: Frontier<Sha256>,
}

impl Recomputed {
    /// Recomputes the first `size` leaves, and holds what they give against the stored nodes and the roots
    /// that are expected at some sizes.
    async fn tree(
        &mut self,
        store: &dyn Store,
        log: LogId,
        size: u64,
        pace: Pace,
        expected: &[(u64, [u8; 32])],
    ) -> Result<Option<LogDamage>, Error> {
        while self.frontier.size() < size {
            let begun = Instant::now();
            let from = self.frontier.size();
            let limit =
                usize::try_from(size - from).map_or(pace.page(), |left| left.min(pace.page()));
            let leaves = store.sequenced(log, from, limit).await?;
            let mut nodes = Vec::with_capacity(leaves.len() * 2);
            let mut wrong_root = None;
            for leaf in &leaves {
                let hash = HasherKind::Sha256.leaf(leaf);
                self.frontier
                    .append(hash, |node| nodes.push(node))
                    .map_err(proof_error)?;
                wrong_root = wrong_root.or(self.wrong_root(expected));
            }
            // The lowest level first: what is wrong there is wrong in everything above it.
            nodes.sort_unstable_by_key(|node| (node.level, node.index));
            let wrong_node = wrong_node(store, log, &nodes).await?;
            let end = from + leaves.len() as u64;
            let damage = match wrong_node {
                // Those after a leaf that is missing stand one place too early.
                Some(LogDamage {
                    level: Some(0),
                    index,
                    ..
                }) if leaves.len() < limit => Some(LogDamage::leaf_missing(index)),
                None if leaves.len() < limit => Some(LogDamage::leaf_missing(end)),
                found => found.or(wrong_root.map(LogDamage::root_mismatch)),
            };
            if damage.is_some() {
                return Ok(damage);
            }
            pace.rest(begun.elapsed()).await;
        }
        Ok(None)
    }

    /// The present size, where another root is expected for it.
    fn wrong_root(&self, expected: &[(u64, [u8; 32])]) -> Option<u64> {
        let size = self.frontier.size();
        let mut here = expected.iter().filter(|(at, _)| *at == size);
        here.any(|(_, root)| *root != self.frontier.root())
            .then_some(size)
    }
}

/// The first of `nodes` that is not stored as it was recomputed.
async fn wrong_node(
    store: &dyn Store,
    log: LogId,
    nodes: &[Node],
) -> Result<Option<LogDamage>, Error> {
    let places: Vec<_> = nodes.iter().map(|node| (node.level, node.index)).collect();
    let stored = store.log_nodes(log, &places).await?;
    let mut pairs = nodes.iter().zip(stored);
    Ok(pairs.find_map(|(node, stored)| match stored {
        None => Some(LogDamage::node_missing(node.level, node.index)),
        Some(hash) if hash != node.hash => Some(LogDamage::node_mismatch(node.level, node.index)),
        Some(_) => None,
    }))
}
