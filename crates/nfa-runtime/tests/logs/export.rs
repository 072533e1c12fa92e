//! Exports to a map and to a folder, and consistency between any two sizes.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use nfa_proof::{
    Sha256, TileReader, TileSink, TileSource, VerifierKey, VerifyPolicy, audit, root_at,
    verify_consistency,
};
use nfa_runtime::LogFolder;

use crate::{place, turn};

#[tokio::test]
async fn an_export_grows_with_its_log_and_holds_at_every_size() {
    let (runtime, agent) = place(&[]).await;
    let mut grown = BTreeMap::new();
    let mut sizes = Vec::new();
    for _ in 0..4 {
        turn(&runtime, &agent).await;
        let before = sizes.last().copied().unwrap_or_default();
        let export = runtime.export_log("helper", &mut grown).await.unwrap();
        assert_eq!(export.before, before);
        assert!(export.size > before);
        sizes.push(export.size);
        let policy = VerifyPolicy::new([VerifierKey::parse(&export.verifier_key).unwrap()]);
        let audit = audit(&grown, &policy, &[]).unwrap();
        assert!(audit.holds(), "{audit}");
        assert_eq!(audit.checkpoints, sizes);
    }
    let mut whole = BTreeMap::new();
    runtime.export_log("helper", &mut whole).await.unwrap();
    assert_eq!(whole["checkpoint"], grown["checkpoint"]);

    // A leaf less, and the log that is there is another one.
    let size = sizes[3];
    grown.remove(&format!("tile/entries/000.p/{size}")).unwrap();
    let error = runtime.export_log("helper", &mut grown).await.unwrap_err();
    assert_eq!(error.code(), "entries_missing");
    runtime.close().await.unwrap();
}

#[tokio::test]
async fn the_first_key_audits_an_export_across_rotations() {
    let (runtime, agent) = place(&[]).await;
    let mut files = BTreeMap::new();
    turn(&runtime, &agent).await;
    let first = runtime.export_log("helper", &mut files).await.unwrap();
    assert_eq!(first.first_key, first.verifier_key);
    assert!(!files.contains_key("keys"), "nothing to tell of");
    let mut keys = vec![first.first_key.clone()];
    for _ in 0..2 {
        let old = keys.last().unwrap().clone();
        keys.push(runtime.rotate_log_key("helper").await.unwrap().verifier_key);
        turn(&runtime, &agent).await;
        let overlap = runtime.export_log("helper", &mut files).await.unwrap();
        runtime.cut_off_log_key("helper", &old, None).await.unwrap();
        turn(&runtime, &agent).await;
        let export = runtime.export_log("helper", &mut files).await.unwrap();
        assert!(export.size > overlap.size);
        assert_eq!(export.first_key, first.first_key);
        assert_eq!(export.verifier_key, *keys.last().unwrap());
    }
    let with = |key: &str, files: &BTreeMap<String, Vec<u8>>| {
        let policy = VerifyPolicy::new([VerifierKey::parse(key).unwrap()]);
        audit(files, &policy, &[]).unwrap()
    };
    let found = with(&keys[0], &files);
    assert!(found.holds(), "{found}");
    assert_eq!(found.checkpoints.len(), 5);
    let named: Vec<&str> = found.keys.iter().map(|key| key.key.as_str()).collect();
    assert_eq!(named, keys);
    assert_eq!(found.key.as_ref(), keys.last());
    assert!(found.keys[0].cutoff.is_some() && found.keys[2].cutoff.is_none());
    // The newest key does not vouch for what was signed before it was named.
    let late = with(&keys[2], &files);
    let missing = late
        .findings
        .iter()
        .filter(|finding| finding.code == "log_signature_missing");
    assert_eq!(missing.count(), 3, "{late}");
    files.remove("keys");
    assert!(
        !with(&keys[0], &files).holds(),
        "control: the leaves alone do not tell"
    );
    runtime.close().await.unwrap();
}

#[tokio::test]
async fn any_two_sizes_of_a_log_are_shown_to_be_one_log() {
    let (runtime, agent) = place(&[]).await;
    for _ in 0..9 {
        turn(&runtime, &agent).await;
    }
    let mut files = BTreeMap::new();
    let size = runtime.export_log("helper", &mut files).await.unwrap().size;
    let nodes = TileReader::<Sha256, _>::new(&files, size);
    for to in 0..=size {
        for from in 0..=to {
            let shown = runtime.consistency("helper", from, to).await.unwrap();
            let (old, new) = (
                root_at::<Sha256, _>(from, &nodes),
                root_at::<Sha256, _>(to, &nodes),
            );
            let (old, new) = (old.unwrap(), new.unwrap());
            verify_consistency::<Sha256>(from, to, &shown.proof, &old, &new).unwrap();
            assert_eq!((shown.from_root, shown.to_root), (old, new));
        }
    }
    for (from, to) in [(2, 1), (0, size + 1)] {
        let error = runtime.consistency("helper", from, to).await.unwrap_err();
        assert_eq!(error.code(), "consistency_sizes");
    }
    let error = runtime.consistency("nobody", 0, 1).await.unwrap_err();
    assert_eq!(error.code(), "log_unknown");
    runtime.close().await.unwrap();
}

#[test]
fn a_folder_takes_only_files_of_an_export_and_writes_them_whole() {
    let place = tempfile::tempdir().unwrap();
    let mut folder = LogFolder::new(place.path().join("log"));
    for path in [
        "../checkpoint",
        "/etc/passwd",
        "tile/../x",
        "",
        "checkpoint/",
    ] {
        let refused = folder.put(path, b"x").unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{path}");
        assert!(folder.get(path).is_err());
    }
    assert!(!place.path().join("log").exists());
    for bytes in [&b"one"[..], b"one", b"two"] {
        folder.put("checkpoint", bytes).unwrap();
        assert_eq!(folder.get("checkpoint").unwrap().unwrap(), bytes);
    }
    assert_eq!(folder.written(), 2, "what is there already is not written");
    let left: Vec<_> = std::fs::read_dir(place.path().join("log"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["checkpoint"], "nothing is left beside it");
}
