//! A log as it is found in the store, and its keys as its leaves name them.

use std::collections::{BTreeMap, BTreeSet};

use nfa_core::ids::LogId;
use nfa_core::ports::Store;
use nfa_proof::{
    Bundle, Frontier, HasherKind, KeyEvent, Leaf, LeafKind, Note, Sha256, SignedKeyEvent, Signer,
    VerifierKey,
};

use crate::book::Broken;

/// A log's leaves, and what follows from them.
#[derive(Clone, Default)]
pub(crate) struct Found {
    leaves: Vec<Vec<u8>>,
    /// The root at each size, from 1 on.
    roots: Vec<[u8; 32]>,
    frontier: Frontier<Sha256>,
    /// The next number in each session.
    sessions: BTreeMap<[u8; 16], u64>,
    /// Leaves that have not the number that is next in their session.
    pub(crate) gaps: BTreeSet<u64>,
}

impl Found {
    /// Reads what is new.
    pub(crate) async fn read(&mut self, store: &dyn Store, log: LogId) {
        loop {
            let from = self.leaves.len() as u64;
            let page = store.sequenced(log, from, 500).await.unwrap();
            if page.is_empty() {
                return;
            }
            page.iter().for_each(|leaf| self.push(leaf));
        }
    }

    pub(crate) fn push(&mut self, leaf: &[u8]) {
        let hash = HasherKind::Sha256.leaf(leaf);
        let index = self.frontier.append(hash, |_| {}).unwrap();
        self.roots.push(self.frontier.root());
        let decoded = Leaf::decode(leaf).unwrap();
        let header = decoded.header();
        let next = self.sessions.entry(header.session).or_default();
        if header.sequence != *next {
            self.gaps.insert(index);
        }
        *next = header.sequence + 1;
        self.leaves.push(leaf.to_vec());
    }

    pub(crate) fn size(&self) -> u64 {
        self.leaves.len() as u64
    }

    pub(crate) fn leaves(&self) -> &[Vec<u8>] {
        &self.leaves
    }

    pub(crate) fn leaf(&self, index: u64) -> Option<&Vec<u8>> {
        self.leaves.get(usize::try_from(index).unwrap())
    }

    pub(crate) fn root_at(&self, size: u64) -> Option<&[u8; 32]> {
        self.roots
            .get(usize::try_from(size).unwrap().checked_sub(1)?)
    }
}

/// The keys of a log, as its leaves name them.
#[derive(Clone)]
pub(crate) struct Keys {
    /// The one that no leaf names.
    pub(crate) first: VerifierKey,
    /// Each event, with the index of its leaf.
    pub(crate) events: Vec<(u64, KeyEvent)>,
}

impl Keys {
    /// The events that a bundle of what befell an agent discloses.
    pub(crate) fn read(first: VerifierKey, told: &Bundle) -> Self {
        let mut events = Vec::new();
        for proof in told.leaves() {
            if Leaf::decode(&proof.leaf).unwrap().header().kind == LeafKind::Key {
                let signed = SignedKeyEvent::from_openings(&proof.disclosed).unwrap();
                events.push((proof.index, signed.unwrap().event().clone()));
            }
        }
        Self { first, events }
    }

    /// All of them, in the order of their generations.
    pub(crate) fn all(&self) -> impl Iterator<Item = &VerifierKey> {
        let later = self.events.iter().filter_map(|(_, event)| match event {
            KeyEvent::Rotate { new, .. } => Some(new),
            KeyEvent::Revoke { .. } => None,
        });
        std::iter::once(&self.first).chain(later)
    }

    /// The key that a seed gives.
    pub(crate) fn of_seed(&self, seed: &[u8; 32]) -> VerifierKey {
        let signer = Signer::from_seed(self.first.name(), seed).unwrap();
        signer.verifier_key()
    }

    /// Whether those signed that the leaves below `size` name: the newest, and none that was cut off.
    pub(crate) fn judge(&self, size: u64, note: &Note) -> Vec<Broken> {
        let told = || self.events.iter().filter(|(index, _)| *index < size);
        let mut named = vec![&self.first];
        let mut cut_off = Vec::new();
        for (_, event) in told() {
            match event {
                KeyEvent::Rotate { new, .. } => named.push(new),
                KeyEvent::Revoke { old, cutoff } if *cutoff <= size => cut_off.push(old),
                KeyEvent::Revoke { .. } => {}
            }
        }
        let named: Vec<VerifierKey> = named.into_iter().cloned().collect();
        let Ok(verified) = note.verify(&named) else {
            return vec![Broken::SignatureFalse(size)];
        };
        let mut broken = Vec::new();
        if verified.len() < note.signatures().len() {
            broken.push(Broken::KeyUnnamed(size));
        }
        if verified.iter().any(|by| cut_off.contains(&&by.key)) {
            broken.push(Broken::KeyCutOff(size));
        }
        let newest = named.last();
        if !verified.iter().any(|by| Some(&by.key) == newest) {
            broken.push(Broken::NewestSilent(size));
        }
        broken
    }
}
