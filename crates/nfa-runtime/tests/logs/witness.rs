//! Witnesses: their signatures in checkpoints and bundles, and what they refuse.

use std::sync::Arc;

use nfa_proof::{Checkpoint, MemoryTree, Note, Sha256, Signer, VerifierKey, VerifyPolicy};
use nfa_runtime::content::SubjectKey;
use nfa_runtime::ids::{LogId, Subject};
use nfa_runtime::memory_store::MemoryStore;
use nfa_runtime::ports::{
    BoxFuture, Keys, MemoryKeys, Store as _, Witness, WitnessAnswer, WitnessRequest,
};
use nfa_runtime::{Category, Component, Error};
use nfa_testkit::scripted::Gate;
use nfa_testkit::witness::TestWitness;

use crate::{place, turn};

fn witness(number: u8) -> (Arc<TestWitness>, Arc<dyn Witness>) {
    let name = format!("witness-{number}.example");
    let witness = Arc::new(TestWitness::new(&name, &[number; 32]).of_any_log());
    (Arc::clone(&witness), witness)
}

/// One that is down, or never answers.
struct Broken {
    key: String,
    hangs: bool,
}

impl Witness for Broken {
    fn verifier_key(&self) -> &str {
        &self.key
    }

    fn cosign(&self, _: WitnessRequest) -> BoxFuture<'_, Result<WitnessAnswer, Error>> {
        if self.hangs {
            return Box::pin(std::future::pending());
        }
        let down = Error::new(Component::Proof, Category::Transient, "down", "down");
        Box::pin(std::future::ready(Err(down)))
    }
}

fn broken(number: u8, hangs: bool) -> (VerifierKey, Arc<dyn Witness>) {
    let key = witness(number).0.key();
    let broken = Broken {
        key: key.to_string(),
        hangs,
    };
    (key, Arc::new(broken))
}

#[tokio::test]
async fn a_bundle_has_the_signatures_of_as_many_witnesses_as_answer() {
    let ((one, first), (two, second)) = (witness(1), witness(2));
    let (down, failing) = broken(3, false);
    let (runtime, agent) = place(&[&first, &failing, &second]).await;
    for turns in 1..4 {
        let run = turn(&runtime, &agent).await;
        let info = runtime.witnessed("helper").await.unwrap();
        let log = VerifierKey::parse(&info.verifier_key).unwrap();
        assert_eq!(one.signed(&info.origin), Some(info.size), "turn {turns}");
        let bundle = runtime.proof(run, None).await.unwrap();
        let ask = |keys: &[&VerifierKey], required| {
            let keys = keys.iter().copied().cloned();
            bundle.verify(&VerifyPolicy::new([log.clone()]).with_witnesses(keys, required))
        };
        let (one, two) = (one.key(), two.key());
        let report = ask(&[&one, &two, &down], 2).unwrap();
        assert_eq!(report.witnesses.len(), 2);
        let unmet = ask(&[&one, &two, &down], 3).unwrap_err();
        assert_eq!(unmet.code(), "witnesses_missing");
        assert_eq!(ask(&[&down], 1).unwrap_err().code(), "witnesses_missing");
    }
    assert_eq!(one.refusals(), [""; 0]);
    runtime.close().await.unwrap();
}

#[tokio::test]
async fn witnesses_are_asked_in_the_background_and_before_the_end() {
    let (one, first) = witness(1);
    let (runtime, agent) = place(&[&first]).await;
    turn(&runtime, &agent).await;
    let info = runtime.log_info("helper").await.unwrap();
    runtime.close().await.unwrap();
    assert_eq!(one.signed(&info.origin), Some(info.size));
}

#[tokio::test(start_paused = true)]
async fn a_witness_that_never_answers_keeps_nobody() {
    let ((one, first), (hangs, hanging)) = (witness(1), broken(2, true));
    let (runtime, agent) = place(&[&hanging, &first]).await;
    let run = turn(&runtime, &agent).await;
    let info = runtime.witnessed("helper").await.unwrap();
    let log = VerifierKey::parse(&info.verifier_key).unwrap();
    let bundle = runtime.proof(run, None).await.unwrap();
    let policy = VerifyPolicy::new([log]).with_witnesses([one.key(), hangs], 1);
    assert_eq!(bundle.verify(&policy).unwrap().witnesses.len(), 1);
    runtime.close().await.unwrap();
}

#[tokio::test]
async fn a_witness_that_knows_more_than_the_log_is_asked_from_where_it_is() {
    // The second runtime does not know what the first was signed for.
    let (one, first) = witness(1);
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("s.db").display());
    for _ in 0..2 {
        let (memory, agent) = place(&[]).await;
        memory.close().await.unwrap();
        let runtime = nfa_runtime::Runtime::options()
            .with(|builder| builder.witness(Arc::clone(&first)))
            .open(&url)
            .await
            .unwrap();
        turn(&runtime, &agent).await;
        let info = runtime.witnessed("helper").await.unwrap();
        assert_eq!(one.signed(&info.origin), Some(info.size));
        assert_eq!(one.refusals(), [""; 0]);
        runtime.close().await.unwrap();
    }
}

/// A log whose operator lies.
struct Log {
    signer: Signer,
    tree: MemoryTree<Sha256>,
}

impl Log {
    fn new(leaves: &[&str]) -> Self {
        let mut tree = MemoryTree::new();
        for leaf in leaves {
            tree.append(<Sha256 as nfa_proof::Hasher>::leaf(leaf.as_bytes()))
                .unwrap();
        }
        Self {
            signer: Signer::from_seed("log.example", &[9; 32]).unwrap(),
            tree,
        }
    }

    fn request(&self, old_size: u64) -> WitnessRequest {
        let (size, root) = (self.tree.size(), self.tree.root());
        let checkpoint = Checkpoint::new::<Sha256>("log.example", size, root).unwrap();
        WitnessRequest {
            old_size,
            proof: self
                .tree
                .consistency_proof(old_size.min(size), size)
                .unwrap(),
            checkpoint: checkpoint.sign(&self.signer).unwrap().to_string().into(),
        }
    }
}

#[test]
fn a_witness_refuses_split_views_rollbacks_and_strangers() {
    let log = Log::new(&["a", "b", "c"]);
    let witness = TestWitness::new("witness.example", &[1; 32]);
    let refused = |request: WitnessRequest| {
        let error = witness.judge(&request).unwrap_err();
        error.code().to_owned()
    };
    assert_eq!(refused(log.request(0)), "witness_log_unknown");
    witness.trust(log.signer.verifier_key());
    let mut unsigned = Log::new(&["a"]);
    unsigned.signer = Signer::from_seed("log.example", &[8; 32]).unwrap();
    assert_eq!(refused(unsigned.request(0)), "log_signature_missing");

    let WitnessAnswer::Signed(lines) = witness.judge(&log.request(0)).unwrap() else {
        panic!("a first checkpoint is signed");
    };
    let text = Note::parse(log.request(0).checkpoint.as_bytes()).unwrap();
    let note = Note::parse(format!("{}\n{lines}", text.text()).as_bytes()).unwrap();
    assert_eq!(note.verify(&[witness.key()]).unwrap().len(), 1);

    // Another log of the same size, and one that grew from another one.
    assert_eq!(
        refused(Log::new(&["a", "b", "x"]).request(3)),
        "checkpoint_conflict"
    );
    assert_eq!(
        refused(Log::new(&["a", "b", "x", "d"]).request(3)),
        "consistency_mismatch"
    );
    assert_eq!(
        refused(Log::new(&["a", "b"]).request(3)),
        "checkpoint_rollback"
    );
    let behind = witness.judge(&Log::new(&["a", "b", "x", "d"]).request(0));
    assert_eq!(behind.unwrap(), WitnessAnswer::SignedLast(3));
    assert_eq!(witness.signed("log.example"), Some(3));

    let grown = Log::new(&["a", "b", "c", "d"]);
    let signed = witness.judge(&grown.request(3)).unwrap();
    assert!(matches!(signed, WitnessAnswer::Signed(_)));
    assert_eq!(witness.signed("log.example"), Some(4));
}

/// Keys that hold whoever is about to sign.
struct HeldKeys {
    keys: MemoryKeys,
    signing: Gate,
}

impl Keys for HeldKeys {
    fn subject_key<'a>(&'a self, subject: &'a Subject) -> BoxFuture<'a, Result<SubjectKey, Error>> {
        self.keys.subject_key(subject)
    }

    fn existing_subject_key<'a>(
        &'a self,
        subject: &'a Subject,
    ) -> BoxFuture<'a, Result<Option<SubjectKey>, Error>> {
        self.keys.existing_subject_key(subject)
    }

    fn destroy_subject_key<'a>(&'a self, subject: &'a Subject) -> BoxFuture<'a, Result<(), Error>> {
        self.keys.destroy_subject_key(subject)
    }

    fn log_seed<'a>(&'a self, log: &'a LogId) -> BoxFuture<'a, Result<[u8; 32], Error>> {
        self.keys.log_seed(log)
    }

    fn later_log_seed<'a>(
        &'a self,
        log: &'a LogId,
        generation: u32,
    ) -> BoxFuture<'a, Result<Option<[u8; 32]>, Error>> {
        self.keys.later_log_seed(log, generation)
    }

    fn make_log_seed<'a>(
        &'a self,
        log: &'a LogId,
        generation: u32,
    ) -> BoxFuture<'a, Result<[u8; 32], Error>> {
        self.keys.make_log_seed(log, generation)
    }

    fn last_signed<'a>(
        &'a self,
        log: &'a LogId,
    ) -> BoxFuture<'a, Result<Option<(u64, [u8; 32])>, Error>> {
        self.keys.last_signed(log)
    }

    fn record_signed<'a>(
        &'a self,
        log: &'a LogId,
        size: u64,
        root: &'a [u8; 32],
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            self.signing.pass().await;
            self.keys.record_signed(log, size, root).await
        })
    }
}

/// A witness that is a little way off.
struct Away(Arc<TestWitness>);

impl Witness for Away {
    fn verifier_key(&self) -> &str {
        self.0.verifier_key()
    }

    fn cosign(&self, request: WitnessRequest) -> BoxFuture<'_, Result<WitnessAnswer, Error>> {
        Box::pin(async move {
            for _ in 0..16 {
                tokio::task::yield_now().await;
            }
            self.0.judge(&request)
        })
    }
}

#[tokio::test]
async fn what_is_being_signed_when_the_runtime_closes_is_witnessed_before_the_end() {
    let (one, _) = witness(1);
    let away = Arc::new(Away(Arc::clone(&one)));
    let (memory, agent) = place(&[]).await;
    memory.close().await.unwrap();
    let signing = Gate::new();
    let keys = HeldKeys {
        keys: MemoryKeys::new(),
        signing: signing.clone(),
    };
    let store = Arc::new(MemoryStore::new());
    let runtime = nfa_runtime::Runtime::options()
        .with(|builder| builder.store(store.clone(), Arc::new(keys)).witness(away))
        .open("memory:")
        .await
        .unwrap();
    let mut run = runtime.run(&agent, "Hi").start().await.unwrap();
    run.outcome().await.unwrap();
    signing.reached(1).await;
    // Nothing is left to sign, but what is about to be signed is not signed yet.
    let mut close = Box::pin(runtime.close());
    for _ in 0..64 {
        let closed = futures_util::poll!(&mut close);
        assert!(closed.is_pending(), "{closed:?}");
        tokio::task::yield_now().await;
    }
    let log = runtime.receipt(run.run()).await.unwrap().leaves[0].log;
    let head = store.log_head(log).await.unwrap();
    assert_eq!(head.checkpoint, None);
    signing.open();
    close.await.unwrap();
    assert!(one.signed(&format!("nfa/{log}")).is_some());
}
