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
