//! A small witness: it signs a checkpoint only if the log still begins with the last one that it signed.

mod served;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use nfa_core::ports::{BoxFuture, Clock, SystemClock, Witness, WitnessAnswer, WitnessRequest};
use nfa_core::{Category, Component, Error};
use nfa_proof::{
    Checkpoint, CosignatureSigner, Hasher as _, HasherKind, Note, ProofError, Sha256, VerifierKey,
    verify_consistency,
};

pub use served::WitnessServer;

/// A witness in memory, for tests. It behaves as C2SP tlog-witness says, for logs that it was told of.
///
/// ```
/// use nfa_core::ports::{Witness, WitnessRequest};
/// use nfa_proof::{Checkpoint, Hasher, Sha256, Signer};
/// use nfa_testkit::witness::TestWitness;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let log = Signer::from_seed("example.org/log", &[1; 32])?;
/// let witness = TestWitness::new("witness.example", &[2; 32]);
/// witness.trust(log.verifier_key());
/// let one = Checkpoint::new::<Sha256>("example.org/log", 1, Sha256::leaf(b"leaf"))?;
/// let checkpoint = one.sign(&log)?.to_string().into();
/// witness.cosign(WitnessRequest { old_size: 0, proof: vec![], checkpoint }).await?;
/// assert_eq!(witness.signed("example.org/log"), Some(1));
/// # Ok(()) }
/// ```
pub struct TestWitness {
    signer: CosignatureSigner,
    verifier_key: String,
    clock: Arc<dyn Clock>,
    /// Trusted whatever the log, or only these keys.
    keys: Mutex<Vec<VerifierKey>>,
    trusts_all: bool,
    signed: Mutex<HashMap<String, Checkpoint>>,
    refused: Mutex<Vec<String>>,
}

impl TestWitness {
    /// A witness of this name, whose key is made from `seed`. It knows no log yet.
    ///
    /// # Panics
    /// When the name cannot be a key's.
    #[expect(clippy::expect_used, reason = "a test's own constant")]
    pub fn new(name: &str, seed: &[u8; 32]) -> Self {
        let signer =
            CosignatureSigner::from_seed(name, seed).expect("a name without spaces and `+`");
        let verifier_key = signer.verifier_key().to_string();
        Self {
            signer,
            verifier_key,
            clock: Arc::new(SystemClock),
            keys: Mutex::default(),
            trusts_all: false,
            signed: Mutex::default(),
            refused: Mutex::default(),
        }
    }

    /// The same, which takes every log's name for granted and does not check who signed its checkpoints: for
    /// runtimes whose log keys a test learns only later.
    #[must_use]
    pub fn of_any_log(mut self) -> Self {
        self.trusts_all = true;
        self
    }

    /// Signs with the time of this clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Tells it the key of a log.
    pub fn trust(&self, key: VerifierKey) {
        lock(&self.keys).push(key);
    }

    /// Its key.
    pub fn key(&self) -> VerifierKey {
        self.signer.verifier_key()
    }

    /// The size that it signed last of a log.
    pub fn signed(&self, origin: &str) -> Option<u64> {
        lock(&self.signed).get(origin).map(Checkpoint::size)
    }

    /// The codes of its refusals, the oldest first.
    pub fn refusals(&self) -> Vec<String> {
        lock(&self.refused).clone()
    }

    /// What it says to a request.
    ///
    /// # Errors
    /// `witness_log_unknown`, `log_signature_missing`, `checkpoint_conflict`, `checkpoint_rollback`, and those
    /// of notes, checkpoints and consistency proofs.
    pub fn judge(&self, request: &WitnessRequest) -> Result<WitnessAnswer, Error> {
        let answer = self.decide(request);
        if let Err(error) = &answer {
            lock(&self.refused).push(error.code().to_owned());
        }
        answer
    }

    fn decide(&self, request: &WitnessRequest) -> Result<WitnessAnswer, Error> {
        let note = Note::parse(request.checkpoint.as_bytes()).map_err(told)?;
        let checkpoint = Checkpoint::parse(note.text()).map_err(told)?;
        self.check_log(&note, &checkpoint)?;
        if request.old_size > checkpoint.size() {
            return Err(refusal(
                "checkpoint_rollback",
                format!(
                    "asked to go from {} leaves back to {}",
                    request.old_size,
                    checkpoint.size()
                ),
            ));
        }
        // Held until it is signed: of two requests at once, the second is judged by the first.
        let mut signed = lock(&self.signed);
        let last = signed.get(checkpoint.origin());
        let last_size = last.map_or(0, Checkpoint::size);
        if request.old_size != last_size {
            return Ok(WitnessAnswer::SignedLast(last_size));
        }
        let (size, root) = (checkpoint.size(), *checkpoint.root());
        let last_root = last.map_or_else(Sha256::empty, |last| *last.root());
        if size == last_size && root != last_root {
            return Err(refusal(
                "checkpoint_conflict",
                format!("signed another root for {last_size} leaves: a split view"),
            ));
        }
        verify_consistency::<Sha256>(last_size, size, &request.proof, &last_root, &root)
            .map_err(told)?;
        let line = self.signer.cosign(&note, self.clock.now().0 / 1000);
        signed.insert(checkpoint.origin().to_owned(), checkpoint);
        let mut answer = Note::new(note.text()).map_err(told)?;
        answer.add(line).map_err(told)?;
        let answer = answer.to_string();
        let lines = answer.get(note.text().len() + 1..).unwrap_or_default();
        Ok(WitnessAnswer::Signed(lines.to_owned()))
    }

    fn check_log(&self, note: &Note, checkpoint: &Checkpoint) -> Result<(), Error> {
        let origin = checkpoint.origin();
        if checkpoint.hasher() != HasherKind::Sha256 {
            return Err(refusal(
                "hasher_mismatch",
                "expected a SHA-256 log".to_owned(),
            ));
        }
        if self.trusts_all {
            return Ok(());
        }
        let mut keys = lock(&self.keys).clone();
        keys.retain(|key| key.name() == origin);
        if keys.is_empty() {
            return Err(Error::new(
                Component::Proof,
                Category::Conflict,
                "witness_log_unknown",
                format!("the log {origin:?} is not known here"),
            ));
        }
        if note.verify(&keys).map_err(told)?.is_empty() {
            return Err(refusal(
                "log_signature_missing",
                format!("no key of the log {origin:?} signed"),
            ));
        }
        Ok(())
    }
}

impl Witness for TestWitness {
    fn verifier_key(&self) -> &str {
        &self.verifier_key
    }

    fn cosign(&self, request: WitnessRequest) -> BoxFuture<'_, Result<WitnessAnswer, Error>> {
        Box::pin(std::future::ready(self.judge(&request)))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn told(error: ProofError) -> Error {
    refusal(error.code(), error.message().to_owned())
}

fn refusal(code: &'static str, message: String) -> Error {
    Error::new(Component::Proof, Category::Conflict, code, message)
}
