//! The judge finds what it is for: an honest log is acquitted, and each forgery of it is found.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use nfa_core::memory_store::MemoryStore;
use nfa_core::ports::{BoxFuture, Keys as KeysPort, MemoryKeys};
use nfa_core::runtime::Runtime;
use nfa_proof::{Checkpoint, Leaf, LeafHeader, LeafKind, Note, Sha256, Signer, VerifierKey};
use nfa_runtime::ids::LogId;

use crate::book::{Books, Broken};
use crate::child::agent;
use crate::found::{Found, Keys};
use crate::said::Said;
use crate::watched::{Side, Step, Watch, WatchedKeys, WatchedStore};

/// Writes down what passes.
#[derive(Default)]
struct Scribe(Mutex<Books>);

impl Scribe {
    fn hear(&self, said: Said) {
        self.0.lock().unwrap().hear(said);
    }
}

impl Watch for Scribe {
    fn head(&self, log: LogId, size: u64, root: [u8; 32], note: Option<&str>) {
        let note = note.map(str::to_owned);
        self.hear(Said::Head {
            log,
            size,
            root,
            note,
        });
    }

    fn seed(&self, log: LogId, generation: u32, seed: [u8; 32]) {
        self.hear(Said::Seed {
            log,
            generation,
            seed,
        });
    }

    fn pass(&self, _: Step, _: Side) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// A log, and everything that was seen of it.
#[derive(Clone)]
struct Case {
    log: LogId,
    origin: String,
    books: Books,
    leaves: Vec<Vec<u8>>,
    keys: Keys,
    /// The seeds of its keys.
    seeds: Vec<[u8; 32]>,
}

impl Case {
    /// An honest log: turns, rotations, and a key that is cut off.
    async fn honest() -> Self {
        let scribe = Arc::<Scribe>::default();
        let keys = Arc::new(MemoryKeys::new());
        let runtime = Runtime::builder()
            .store(
                Arc::new(WatchedStore {
                    inner: Arc::new(MemoryStore::new()),
                    watch: scribe.clone(),
                }),
                Arc::new(WatchedKeys {
                    inner: keys.clone(),
                    watch: scribe.clone(),
                }),
            )
            .build()
            .unwrap();
        let helper = agent("helper");
        for round in 0..4 {
            for _ in 0..3 {
                let run = runtime.run(&helper, "Hi").session("s");
                let run = run.outcome().await.unwrap().run();
                let receipt = runtime.checkpointed(run).await.unwrap();
                scribe.hear(Said::receipt(run, &receipt));
                let bundle = runtime.proof(run, None).await.unwrap();
                scribe.hear(Said::bundle(receipt.leaves[0].log, &bundle));
            }
            let log = runtime.log_info("helper").await.unwrap().log;
            if round < 2 {
                let key = runtime.rotate_log_key("helper").await.unwrap().verifier_key;
                scribe.hear(Said::Rotated { log, key });
            } else if round == 2 {
                let key = runtime.log_keys("helper").await.unwrap()[0].clone();
                let cut_off = runtime.cut_off_log_key("helper", &key.verifier_key, None);
                let size = cut_off.await.unwrap().cut_off.unwrap();
                let key = key.verifier_key;
                scribe.hear(Said::CutOff { log, key, size });
            }
        }
        let info = runtime.log_info("helper").await.unwrap();
        let first = runtime.log_keys("helper").await.unwrap()[0].clone();
        let first = VerifierKey::parse(&first.verifier_key).unwrap();
        let told = runtime.agent_proof("helper").await.unwrap();
        let mut found = Found::default();
        found.read(&**runtime.store(), info.log).await;
        let mut seeds = Vec::new();
        for generation in 0..3 {
            seeds.push(keys.make_log_seed(&info.log, generation).await.unwrap());
        }
        runtime.close().await.unwrap();
        let books = scribe.0.lock().unwrap().clone();
        Self {
            log: info.log,
            origin: info.origin,
            books,
            leaves: found.leaves().to_vec(),
            keys: Keys::read(first, &told),
            seeds,
        }
    }

    fn judged(&self) -> BTreeSet<Broken> {
        let mut found = Found::default();
        self.leaves.iter().for_each(|leaf| found.push(leaf));
        let mut broken = self.books.judge(self.log, &found);
        broken.extend(self.books.judge_keys(self.log, &self.keys));
        broken
    }

    fn size(&self) -> u64 {
        self.leaves.len() as u64
    }

    /// A head over the first leaves, signed with these generations' keys.
    fn sign(&mut self, size: u64, root: [u8; 32], generations: &[usize]) {
        let checkpoint = Checkpoint::new::<Sha256>(&self.origin, size, root).unwrap();
        let mut note = Note::new(checkpoint.to_text()).unwrap();
        for generation in generations {
            let signer = Signer::from_seed(&self.origin, &self.seeds[*generation]).unwrap();
            note.sign(&signer).unwrap();
        }
        self.books
            .head(self.log, size, root, Some(&note.to_string()));
    }

    fn root_at(&self, size: u64) -> [u8; 32] {
        self.books.logs[&self.log].heads[&size]
    }

    /// A size below every rotation that was signed, and the newest one.
    fn ends(&self) -> (u64, u64) {
        let heads = &self.books.logs[&self.log].heads;
        (*heads.keys().next().unwrap(), self.size())
    }
}

/// Another leaf with the same number in its session.
fn another(leaf: &[u8]) -> Vec<u8> {
    let leaf = Leaf::decode(leaf).unwrap();
    let header = LeafHeader {
        time_ms: leaf.header().time_ms + 1,
        ..leaf.header().clone()
    };
    Leaf::new(header, leaf.fields().to_vec()).unwrap().encode()
}

#[tokio::test]
async fn the_judge_acquits_an_honest_log_and_finds_every_forgery() {
    let honest = Case::honest().await;
    assert_eq!(honest.judged(), BTreeSet::new());
    assert_eq!(honest.keys.events.len(), 3);
    let (early, newest) = honest.ends();
    let forge = |change: &dyn Fn(&mut Case)| {
        let mut case = honest.clone();
        change(&mut case);
        case.judged()
    };

    // A second root for a size, whether or not its note was ever seen.
    let found = forge(&|case| case.sign(early, [7; 32], &[0]));
    assert!(found.contains(&Broken::TwoRoots(early)), "{found:?}");
    let found = forge(&|case| case.books.head(case.log, newest, [7; 32], None));
    assert_eq!(found, [Broken::TwoRoots(newest)].into());
    // A root that the leaves do not have.
    let found = forge(&|case| case.sign(1, [7; 32], &[0]));
    assert_eq!(found, [Broken::RootDiffers(1)].into());
    // A note that says another root than what is kept beside it.
    let found = forge(&|case| {
        let note = case.books.logs[&case.log].notes[&early][0].to_string();
        case.books
            .head(case.log, newest, case.root_at(newest), Some(&note));
    });
    assert!(found.contains(&Broken::NoteDiffers(newest)), "{found:?}");

    // The newest leaf is lost.
    let last = newest - 1;
    let found = forge(&|case| drop(case.leaves.pop()));
    assert_eq!(
        found,
        [Broken::SizeLost(newest), Broken::LeafLost(last)].into()
    );
    // A leaf is another one, of the same session and number.
    let found = forge(&|case| case.leaves[1] = another(&case.leaves[1]));
    assert!(found.contains(&Broken::LeafLost(1)), "{found:?}");
    assert!(found.contains(&Broken::RootDiffers(newest)), "{found:?}");
    // A leaf is there twice, or is left out, in a log of which nobody has seen a head.
    for change in [
        |leaves: &mut Vec<Vec<u8>>| leaves.insert(3, leaves[2].clone()),
        |leaves: &mut Vec<Vec<u8>>| drop(leaves.remove(2)),
    ] {
        let found = forge(&|case| {
            case.books = Books::default();
            change(&mut case.leaves);
        });
        assert!(
            matches!(found.first(), Some(Broken::Gap(2..=4))),
            "{found:?}"
        );
    }

    // A key signs before a leaf names it, or after one cut it off; the newest does not sign; a signature is false.
    let root = honest.root_at(early);
    let found = forge(&|case| case.sign(early, root, &[0, 1]));
    assert_eq!(found, [Broken::KeyUnnamed(early)].into());
    let root = honest.root_at(newest);
    let found = forge(&|case| case.sign(newest, root, &[0, 1, 2]));
    assert_eq!(found, [Broken::KeyCutOff(newest)].into());
    let found = forge(&|case| case.sign(newest, root, &[1]));
    assert_eq!(found, [Broken::NewestSilent(newest)].into());
    let found = forge(&|case| {
        let book = case.books.logs.get_mut(&case.log).unwrap();
        let signature = book.notes[&newest][0].signatures()[0].clone();
        let checkpoint = Checkpoint::new::<Sha256>(&case.origin, newest, [7; 32]).unwrap();
        let mut note = Note::new(checkpoint.to_text()).unwrap();
        note.add(signature).unwrap();
        book.notes.get_mut(&newest).unwrap().push(note);
    });
    assert_eq!(found, [Broken::SignatureFalse(newest)].into());

    // A rotation, or the end of a key, was acknowledged and is lost.
    let lost = |at: usize| forge(&move |case| drop(case.keys.events.remove(at)));
    let found = lost(1);
    assert!(
        found
            .iter()
            .any(|broken| matches!(broken, Broken::KeyLost(_))),
        "{found:?}"
    );
    let found = lost(2);
    let first = honest.keys.first.to_string();
    assert!(found.contains(&Broken::KeyLost(first)), "{found:?}");
    // A generation gets a second seed, or one is passed over.
    let said = |generation, seed| Said::Seed {
        log: honest.log,
        generation,
        seed,
    };
    let found = forge(&|case| case.books.hear(said(1, [7; 32])));
    assert_eq!(found, [Broken::TwoSeeds(1)].into());
    assert_eq!(forge(&|case| case.books.hear(said(3, [7; 32]))), [].into());
    let found = forge(&|case| case.books.hear(said(4, [7; 32])));
    assert_eq!(found, [Broken::SeedUnused(4)].into());
    // A proof that was given out is of another log.
    let other = Case::honest().await;
    let found = forge(&|case| {
        let bundle = other.books.logs[&other.log].bundles[0].clone();
        case.books.hear(Said::bundle(case.log, &bundle));
    });
    assert!(
        found
            .iter()
            .any(|broken| matches!(broken, Broken::BundleFails(_))),
        "{found:?}"
    );
    assert!(
        found
            .iter()
            .any(|broken| matches!(broken, Broken::LeafLost(_))),
        "{found:?}"
    );
    assert_eq!(
        Leaf::decode(&honest.leaves[0]).unwrap().header().kind,
        LeafKind::Lifecycle
    );
}
