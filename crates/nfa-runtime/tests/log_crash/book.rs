//! What was seen outside the processes, log by log, and what the log as it is found must therefore be.

use std::collections::{BTreeMap, BTreeSet};

use nfa_core::ids::{LogId, RunId};
use nfa_proof::{Bundle, Checkpoint, KeyEvent, Note, VerifierKey, VerifyPolicy};

use crate::found::{Found, Keys};
use crate::said::Said;

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Broken {
    /// Two roots were signed for this size.
    TwoRoots(u64),
    /// A note says another thing than its record.
    NoteDiffers(u64),
    /// This size was signed, and the log is shorter.
    SizeLost(u64),
    /// The leaves have another root at this size than the one that was signed.
    RootDiffers(u64),
    /// The leaf at this index was acknowledged, and is missing or another one.
    LeafLost(u64),
    /// A leaf of this run was acknowledged at this index, and the run has none there.
    ReceiptLost(RunId, u64),
    /// This leaf has not the number that is next in its session.
    Gap(u64),
    /// A bundle that was given out does not verify.
    BundleFails(String),
    /// A key signed this size that no leaf below it names.
    KeyUnnamed(u64),
    /// A key signed this size that a leaf below it had cut off.
    KeyCutOff(u64),
    /// The newest key that is named below this size did not sign it.
    NewestSilent(u64),
    /// A signature under this size is false.
    SignatureFalse(u64),
    /// A key, or its end, was acknowledged, and no leaf tells of it.
    KeyLost(String),
    /// A generation has had two seeds.
    TwoSeeds(u32),
    /// A generation's seed was passed over: it is not that of the key in its place.
    SeedUnused(u32),
}

/// The books of all logs.
#[derive(Clone, Default)]
pub(crate) struct Books {
    pub(crate) logs: BTreeMap<LogId, Book>,
    /// Indices by run and log.
    pub(crate) receipts: BTreeMap<RunId, BTreeSet<(LogId, u64)>>,
    /// What was broken already by what was said.
    pub(crate) broken: BTreeSet<Broken>,
}

/// What was seen of one log.
#[derive(Clone, Default)]
pub(crate) struct Book {
    pub(crate) heads: BTreeMap<u64, [u8; 32]>,
    pub(crate) notes: BTreeMap<u64, Vec<Note>>,
    pub(crate) bundles: Vec<Bundle>,
    pub(crate) rotated: BTreeSet<String>,
    pub(crate) cut_off: BTreeMap<String, u64>,
    pub(crate) seeds: BTreeMap<u32, [u8; 32]>,
}

impl Books {
    /// Takes in what a process said.
    pub(crate) fn hear(&mut self, said: Said) {
        match said {
            Said::Opened | Said::At { .. } => {}
            Said::Head {
                log,
                size,
                root,
                note,
            } => self.head(log, size, root, note.as_deref()),
            Said::Seed {
                log,
                generation,
                seed,
            } => {
                let known = self.book(log).seeds.entry(generation).or_insert(seed);
                if *known != seed {
                    self.broken.insert(Broken::TwoSeeds(generation));
                }
            }
            Said::Receipt { run, leaves } => self.receipts.entry(run).or_default().extend(leaves),
            Said::Bundle { log, bundle } => match Bundle::from_slice(bundle.as_bytes()) {
                Ok(bundle) => {
                    let note = Note::parse(bundle.checkpoint().as_bytes()).unwrap();
                    let head = Checkpoint::parse(note.text()).unwrap();
                    self.head(log, head.size(), *head.root(), Some(bundle.checkpoint()));
                    self.book(log).bundles.push(bundle);
                }
                Err(error) => drop(self.broken.insert(Broken::BundleFails(error.to_string()))),
            },
            Said::Rotated { log, key } => drop(self.book(log).rotated.insert(key)),
            Said::CutOff { log, key, size } => {
                let book = self.book(log);
                let least = book.cut_off.entry(key).or_insert(size);
                *least = size.min(*least);
            }
        }
    }

    fn book(&mut self, log: LogId) -> &mut Book {
        self.logs.entry(log).or_default()
    }

    /// A head that was signed, or is about to be.
    pub(crate) fn head(&mut self, log: LogId, size: u64, root: [u8; 32], note: Option<&str>) {
        if let Some(note) = note {
            let note = Note::parse(note.as_bytes()).unwrap();
            let told = Checkpoint::parse(note.text()).unwrap();
            if (told.size(), *told.root()) != (size, root) {
                self.broken.insert(Broken::NoteDiffers(size));
            }
            let notes = self.book(log).notes.entry(size).or_default();
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
        let known = self.book(log).heads.entry(size).or_insert(root);
        if *known != root {
            self.broken.insert(Broken::TwoRoots(size));
        }
    }

    /// What the log would be if nothing was broken, against what is found.
    pub(crate) fn judge(&self, log: LogId, found: &Found) -> BTreeSet<Broken> {
        let mut broken = self.broken.clone();
        broken.extend(found.gaps.iter().map(|index| Broken::Gap(*index)));
        let Some(book) = self.logs.get(&log) else {
            return broken;
        };
        for (size, root) in &book.heads {
            match found.root_at(*size) {
                None => drop(broken.insert(Broken::SizeLost(*size))),
                Some(found) if found != root => drop(broken.insert(Broken::RootDiffers(*size))),
                Some(_) => {}
            }
        }
        for proof in book.bundles.iter().flat_map(Bundle::leaves) {
            if found.leaf(proof.index) != Some(&proof.leaf) {
                broken.insert(Broken::LeafLost(proof.index));
            }
        }
        let indices = self.receipts.values().flatten();
        for (_, index) in indices.filter(|(of, _)| *of == log) {
            if found.leaf(*index).is_none() {
                broken.insert(Broken::LeafLost(*index));
            }
        }
        broken
    }

    /// The same of the log's keys: who signed what, and that no rotation was lost.
    pub(crate) fn judge_keys(&self, log: LogId, keys: &Keys) -> BTreeSet<Broken> {
        let mut broken = BTreeSet::new();
        let Some(book) = self.logs.get(&log) else {
            return broken;
        };
        for (size, notes) in &book.notes {
            for note in notes {
                broken.extend(keys.judge(*size, note));
            }
        }
        let known: BTreeSet<String> = keys.all().map(VerifierKey::to_string).collect();
        for key in book.rotated.iter().filter(|key| !known.contains(*key)) {
            broken.insert(Broken::KeyLost(key.clone()));
        }
        for (key, size) in &book.cut_off {
            let told = keys.events.iter().any(|(_, event)| {
                event.old().to_string() == *key
                    && matches!(event, KeyEvent::Revoke { cutoff, .. } if cutoff <= size)
            });
            if !told {
                broken.insert(Broken::KeyLost(key.clone()));
            }
        }
        for (generation, seed) in &book.seeds {
            // The one after the newest may wait for the rotation that takes it up.
            let place = *generation as usize;
            let passed_over = match keys.all().nth(place) {
                Some(key) => *key != keys.of_seed(seed),
                None => place > keys.all().count(),
            };
            if passed_over {
                broken.insert(Broken::SeedUnused(*generation));
            }
        }
        let policy = VerifyPolicy::new([keys.first.clone()]);
        for bundle in &book.bundles {
            // Whoever knows the first key only follows the others by their leaves.
            if let Err(error) = bundle.verify(&policy) {
                broken.insert(Broken::BundleFails(error.to_string()));
            }
        }
        broken
    }
}
