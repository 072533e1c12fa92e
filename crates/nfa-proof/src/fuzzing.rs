//! Bodies of the fuzz targets: whatever bytes come in, nothing panics, and what is accepted is
//! written back as the same bytes.

use std::collections::BTreeMap;

use crate::tiles::keys;
use crate::{
    ANCHOR_KIND, Anchor, AnchorStatement, Bundle, Checkpoint, Leaf, Note, TilePath, VerifierKey,
    VerifyPolicy, audit,
};

/// Any bytes as a leaf.
pub fn leaf(bytes: &[u8]) {
    if let Ok(leaf) = Leaf::decode(bytes) {
        assert_eq!(leaf.encode(), bytes, "a leaf has one encoding");
    }
}

/// Any bytes as a signed note, and its text as a checkpoint.
pub fn note(bytes: &[u8]) {
    if let Ok(note) = Note::parse(bytes) {
        assert_eq!(
            note.to_string().as_bytes(),
            bytes,
            "a note has one encoding"
        );
        checkpoint(note.text());
    }
}

/// Any text as a checkpoint.
pub fn checkpoint(text: &str) {
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert_eq!(checkpoint.to_text(), text, "a checkpoint has one encoding");
    }
}

/// Any text as a key.
pub fn key(text: &str) {
    if let Ok(key) = VerifierKey::parse(text) {
        assert_eq!(key.to_string(), text, "a key has one encoding");
    }
}

/// Any bytes as a bundle, verified without and with `keys`.
pub fn bundle(bytes: &[u8], keys: &[VerifierKey]) {
    let Ok(bundle) = Bundle::from_slice(bytes) else {
        return;
    };
    assert!(
        bundle.verify(&VerifyPolicy::default()).is_err(),
        "a policy without keys trusts none"
    );
    let verified = bundle.verify(&VerifyPolicy::new(keys.iter().cloned()));
    if let Ok(report) = verified {
        assert_eq!(
            bundle.to_vec().as_deref(),
            Ok(bytes),
            "a bundle has one encoding"
        );
        assert!(report.to_string().starts_with("VALID\n"));
    }
}

/// Any bytes as an anchor statement.
pub fn anchor(bytes: &[u8]) {
    let anchor = Anchor {
        kind: ANCHOR_KIND.to_owned(),
        data: bytes.to_vec(),
    };
    if let Ok(Some(statement)) = AnchorStatement::from_anchor(&anchor) {
        assert_eq!(
            statement.to_anchor(),
            Ok(anchor),
            "an anchor statement has one encoding"
        );
    }
}

/// Any text as the path of a file of an export.
pub fn tile_path(text: &str) {
    if let Some(path) = TilePath::parse(text) {
        assert_eq!(path.to_string(), text, "a path has one spelling");
    }
}

/// Any bytes as what opens the key leaves of an export.
pub fn keys(bytes: &[u8]) {
    if let Ok(openings) = keys::parse(bytes) {
        let written = keys::encode(&openings);
        assert_eq!(written.as_deref(), Ok(bytes), "openings have one encoding");
    }
}

/// An export in which the file at `path` has other bytes.
pub fn export(files: &BTreeMap<String, Vec<u8>>, path: &str, bytes: &[u8], keys: &[VerifierKey]) {
    let mut changed = files.clone();
    changed.insert(path.to_owned(), bytes.to_vec());
    let policy = VerifyPolicy::new(keys.iter().cloned());
    let Ok(audit) = audit(&changed, &policy, &[]);
    assert!(
        !audit.holds() || changed == *files,
        "a changed file is found"
    );
}
