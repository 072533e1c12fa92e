//! Keys made ahead for runs that have a key of their own: made durable in the file of keys many at a time, so
//! that admitting such a run waits for no change of that file. Which run took which key is written by its
//! admission, in the store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nfa_core::Error;
use nfa_core::content::SubjectKey;
use nfa_core::ids::{RunId, Subject};
use tokio::sync::oneshot;

use crate::key_file::KeyFile;
use crate::writer::Work;

/// A key and its id in the file of keys.
pub(crate) type Spare = (i64, SubjectKey);

/// How many keys the first draw makes: a process may start one run only.
const FIRST_DRAW: usize = 8;

/// How many keys a later draw makes.
const DRAW: usize = 256;

/// How many keys are left when more are drawn.
const LOW: usize = 64;

#[derive(Default)]
pub(crate) struct Spares {
    state: Mutex<State>,
    /// Held by whoever waits for keys, so that a crowd draws once.
    pub(crate) drawing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    ready: Vec<Spare>,
    /// By runs whose admission is not in the store yet.
    taken: HashMap<RunId, Spare>,
    drawn: bool,
    /// Whether keys are being drawn with nobody waiting for them.
    restocking: bool,
}

impl Spares {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a key to a run, if one is left.
    pub(crate) fn take(&self, run: RunId) -> Option<SubjectKey> {
        let mut state = self.state();
        if let Some((_, key)) = state.taken.get(&run) {
            return Some(key.clone());
        }
        let spare = state.ready.pop()?;
        let key = spare.1.clone();
        state.taken.insert(run, spare);
        Some(key)
    }

    /// How many keys to draw now, when none may be left.
    pub(crate) fn wanted(&self) -> usize {
        if self.state().drawn { DRAW } else { FIRST_DRAW }
    }

    /// Whether to draw more before none is left; says so once for each draw.
    pub(crate) fn runs_low(&self) -> bool {
        let mut state = self.state();
        let low = state.drawn && state.ready.len() < LOW && !state.restocking;
        state.restocking |= low;
        low
    }

    /// Takes in keys that are durable now.
    pub(crate) fn stock(&self, spares: impl IntoIterator<Item = Spare>) {
        let mut state = self.state();
        state.ready.extend(spares);
        state.drawn = true;
        state.restocking = false;
    }

    /// Lets the next who finds few keys left draw again.
    fn stock_failed(&self) {
        self.state().restocking = false;
    }

    /// Takes a run's key away from it before its admission names it; gives the key's id.
    pub(crate) fn give_up(&self, run: RunId) -> Option<i64> {
        self.state().taken.remove(&run).map(|(id, _)| id)
    }

    /// The key that a run took, whose admission is not in the store yet.
    pub(crate) fn key_of(&self, run: RunId) -> Option<SubjectKey> {
        let state = self.state();
        state.taken.get(&run).map(|(_, key)| key.clone())
    }

    /// The id of that key.
    pub(crate) fn taken_by(&self, run: RunId) -> Option<i64> {
        self.state().taken.get(&run).map(|(id, _)| *id)
    }

    /// Forgets which keys these runs took: the store says so now.
    pub(crate) fn settle(&self, runs: &[RunId]) {
        if runs.is_empty() {
            return;
        }
        let mut state = self.state();
        for run in runs {
            state.taken.remove(run);
        }
    }
}

/// Keys on their way into the file of keys.
pub(crate) struct Draw {
    first: i64,
    keys: Vec<SubjectKey>,
    spares: Arc<Spares>,
    reply: oneshot::Sender<Result<(), Error>>,
}

impl Draw {
    pub(crate) fn new(
        first: i64,
        keys: Vec<SubjectKey>,
        spares: Arc<Spares>,
    ) -> (Self, oneshot::Receiver<Result<(), Error>>) {
        let (reply, done) = oneshot::channel();
        let draw = Self {
            first,
            keys,
            spares,
            reply,
        };
        (draw, done)
    }
}

impl Work<KeyFile> for Draw {
    fn perform(&mut self, file: &mut KeyFile) -> Result<(), Error> {
        file.store_ahead(self.first, &self.keys)
    }

    fn finish(self: Box<Self>, outcome: Result<(), Error>) {
        match outcome {
            Ok(()) => self.spares.stock((self.first..).zip(self.keys)),
            Err(_) => self.spares.stock_failed(),
        }
        // Nobody may wait; the keys are there all the same.
        let _ = self.reply.send(outcome);
    }

    fn is_synced(&self) -> bool {
        false
    }
}

/// The run whose own content this is.
pub(crate) fn run_of(subject: &Subject) -> Option<RunId> {
    subject.as_str().strip_prefix("run:")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_given_to_one_run_only() {
        let spares = Spares::default();
        let (one, two) = (RunId([1; 16]), RunId([2; 16]));
        assert!(spares.take(one).is_none());
        spares.stock([
            (7, SubjectKey::from_bytes([7; 32])),
            (8, SubjectKey::from_bytes([8; 32])),
        ]);
        let first = spares.take(one).unwrap();
        assert_eq!(spares.take(one).unwrap().expose(), first.expose());
        assert_ne!(spares.take(two).unwrap().expose(), first.expose());
        assert!(spares.take(RunId([3; 16])).is_none());
        assert_eq!(spares.taken_by(one), Some(8));
        spares.settle(&[one]);
        assert_eq!(
            (spares.taken_by(one), spares.taken_by(two)),
            (None, Some(7))
        );
    }

    #[test]
    fn more_are_drawn_once_when_few_are_left() {
        let spares = Spares::default();
        assert!(!spares.runs_low(), "nobody has asked for any yet");
        let key = || SubjectKey::from_bytes([1; 32]);
        spares.stock((0..10).map(|id| (id, key())));
        assert!(spares.runs_low());
        assert!(!spares.runs_low());
        spares.stock((10..80).map(|id| (id, key())));
        assert!(!spares.runs_low(), "there are enough");
    }

    #[test]
    fn the_subject_of_a_run_names_it() {
        let run = RunId([9; 16]);
        assert_eq!(run_of(&Subject::run(run)), Some(run));
        assert_eq!(run_of(&Subject::user("run:9")), None);
    }
}
