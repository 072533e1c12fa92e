//! A log that is recomputed: one changed bit in any leaf or node is found, at once and in the background.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nfa_runtime::ids::RunId;
use nfa_runtime::{Agent, Error, Runtime};
use nfa_testkit::scripted::{ScriptedModel, Turn};

use crate::turn;

/// Leaves of the log that is damaged: whole subtrees and single ones at its edge.
const TURNS: usize = 22;

fn helper() -> Agent {
    let model = ScriptedModel::from_fn(|_| Turn::text("Hello."));
    Agent::builder("helper")
        .model(Arc::new(model))
        .build()
        .unwrap()
}

async fn open(file: &Path) -> Runtime {
    let url = format!("sqlite:{}?durability=relaxed", file.display());
    Runtime::open(&url).await.unwrap()
}

/// A closed store with a log, and what is in it.
struct Sound {
    directory: tempfile::TempDir,
    runs: Vec<RunId>,
    leaves: Vec<Vec<u8>>,
    nodes: Vec<((u8, u64), [u8; 32])>,
    checkpoint: String,
}

impl Sound {
    async fn make() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let runtime = open(&directory.path().join("agents.db")).await;
        let agent = helper();
        let mut runs = Vec::new();
        for _ in 0..TURNS {
            runs.push(turn(&runtime, &agent).await);
        }
        let info = runtime.log_info("helper").await.unwrap();
        let store = runtime.store();
        let leaves = store.sequenced(info.log, 0, 1000).await.unwrap();
        let leaves: Vec<_> = leaves.iter().map(|leaf| leaf.to_vec()).collect();
        let places: Vec<(u8, u64)> = (0..8)
            .flat_map(|level| (0..info.size >> level).map(move |index| (level, index)))
            .collect();
        let hashes = store.log_nodes(info.log, &places).await.unwrap();
        let hashes = hashes.into_iter().map(Option::unwrap);
        let nodes = places.into_iter().zip(hashes).collect();
        runtime.close().await.unwrap();
        Self {
            directory,
            runs,
            leaves,
            nodes,
            checkpoint: info.checkpoint.unwrap(),
        }
    }

    /// A copy of its files.
    fn copy(&self) -> (tempfile::TempDir, PathBuf) {
        let place = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(self.directory.path()).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), place.path().join(entry.file_name())).unwrap();
        }
        let file = place.path().join("agents.db");
        (place, file)
    }

    /// A copy of its files, in which one bit of `bytes` is changed wherever they stand.
    fn with_changed_bit(&self, bytes: &[u8], bit: usize) -> (tempfile::TempDir, PathBuf) {
        let (place, file) = self.copy();
        let mut content = fs::read(&file).unwrap();
        let found: Vec<usize> = content
            .windows(bytes.len())
            .enumerate()
            .filter(|(_, window)| *window == bytes)
            .map(|(at, _)| at)
            .collect();
        assert!(!found.is_empty(), "it is in the file");
        for at in found {
            content[at + bit / 8] ^= 1 << (bit % 8);
        }
        fs::write(&file, content).unwrap();
        (place, file)
    }
}

/// Waits until the recomputation in the background has ended, and says what becomes of the log's users.
async fn found_in_the_background(runtime: &Runtime, run: RunId) -> Result<(), Error> {
    loop {
        if runtime.log_info("helper").await?.checked.is_some() {
            return Ok(());
        }
        runtime.receipt(run).await?;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_bit_in_any_leaf_or_node_is_found() {
    let sound = Sound::make().await;
    assert!(sound.leaves.len() > TURNS);
    let leaves = sound.leaves.iter().zip(0..).map(|(leaf, index)| {
        // What tells leaves apart, and no two have in common, is in their middle.
        let middle = leaf.len() / 2;
        (&leaf[middle - 20..middle + 20], (0, index))
    });
    let nodes = sound.nodes.iter().map(|(place, hash)| (&hash[..], *place));
    let mut at_opening = 0;
    for (number, (bytes, place)) in leaves.chain(nodes).enumerate() {
        let (_place, file) = sound.with_changed_bit(bytes, number * 7 % (bytes.len() * 8));
        let runtime = open(&file).await;
        let found = found_in_the_background(&runtime, sound.runs[0]).await;
        let error = found.expect_err(&format!("{place:?}"));
        match error.code() {
            "log_damaged" => {
                assert_eq!(error.details()["code"], "node_mismatch", "{error}");
                assert_eq!(error.details()["level"], place.0, "{error}");
                assert_eq!(error.details()["index"], place.1, "{error}");
                let refused = runtime.checkpointed(sound.runs[0]).await.unwrap_err();
                assert_eq!(refused.code(), "log_damaged");
                let refused = runtime.proof(sound.runs[0], None).await.unwrap_err();
                assert_eq!(refused.code(), "log_damaged");
            }
            // A node that its root was computed from: it is not even opened for appending.
            "log_corrupt" => at_opening += 1,
            other => panic!("{place:?}: {other}"),
        }
        let check = runtime.check_log("helper").await.unwrap();
        let damage = check.damage.expect("it is found at once as well");
        assert_eq!(
            (&*damage.code, damage.level, damage.index),
            ("node_mismatch", Some(place.0), place.1),
            "{damage}"
        );
        let error = runtime.close().await.err();
        let code = error.as_ref().map(Error::code);
        assert!(matches!(code, None | Some("log_damaged")), "{code:?}");
    }
    assert!(at_opening > 0 && at_opening < 8, "{at_opening}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sound_log_is_found_whole_and_goes_on() {
    let sound = Sound::make().await;
    let (_place, file) = sound.copy();
    let runtime = open(&file).await;
    found_in_the_background(&runtime, sound.runs[0])
        .await
        .unwrap();
    let size = sound.leaves.len() as u64;
    let info = runtime.log_info("helper").await.unwrap();
    assert_eq!((info.size, info.checked), (size, Some(size)));
    turn(&runtime, &helper()).await;
    let check = runtime.check_log("helper").await.unwrap();
    assert!(check.holds(), "{:?}", check.damage);
    assert_eq!((check.size, check.checked), (size + 1, size + 1));
    let note = nfa_proof::Note::parse(check.checkpoint.unwrap().as_bytes()).unwrap();
    let checkpoint = nfa_proof::Checkpoint::parse(note.text()).unwrap();
    assert_eq!(
        (checkpoint.size(), *checkpoint.root()),
        (size + 1, check.root)
    );
    assert_eq!(
        runtime.check_log("nobody").await.unwrap_err().code(),
        "log_unknown"
    );
    runtime.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_checkpoint_is_found() {
    let sound = Sound::make().await;
    let text = sound.checkpoint.as_bytes();
    let signature = sound.checkpoint.rfind(' ').unwrap() + 20;
    // A letter of the signature that stays one of its alphabet, and the origin.
    for (at, code) in [(signature, "signature_invalid"), (0, "signature_invalid")] {
        let from = at.saturating_sub(text.len() / 2);
        let around = &text[from..from + text.len() / 2];
        let bit = (0..8)
            .find(|bit| (text[at] ^ 1 << bit).is_ascii_alphanumeric())
            .unwrap();
        let (_place, file) = sound.with_changed_bit(around, (at - from) * 8 + bit);
        let runtime = open(&file).await;
        let check = runtime.check_log("helper").await.unwrap();
        let damage = check.damage.expect("a changed checkpoint");
        assert_eq!(&*damage.code, code, "{damage}");
        let error = runtime.log_info("helper").await.unwrap_err();
        assert_eq!(error.code(), "log_damaged");
        runtime.close().await.unwrap();
    }
}
