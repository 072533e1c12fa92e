//! A log as files: the names and widths of C2SP tlog-tiles, and proofs that come back out of them.

use std::collections::BTreeMap;

use crate::sample::{ORIGIN, header, leaf, log_key, salt};
use nfa_proof::*;

pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// The leaf at `index`, of one of three sessions.
pub(crate) fn leaf_at(index: u64) -> Leaf {
    let opening = Opening::new(FieldId::PROMPT, salt(index as u8), index.to_string());
    let mut header = header(LeafKind::Interaction, index / 3, None);
    header.session = [(index % 3) as u8; 16];
    leaf(header, &[opening])
}

pub(crate) fn signed<H: Hasher>(size: u64, root: Hash) -> Note {
    Checkpoint::new::<H>(ORIGIN, size, root)
        .unwrap()
        .sign(&log_key())
        .unwrap()
}

fn extend<H: Hasher>(mut export: TileExport<H, Files>, size: u64) -> Files {
    for index in export.size()..size {
        assert_eq!(export.push(&leaf_at(index).encode()).unwrap(), index);
    }
    let note = signed::<H>(size, export.root());
    export.finish(&note).unwrap()
}

pub(crate) fn exported<H: Hasher>(size: u64) -> Files {
    extend(TileExport::<H, _>::new(Files::new()), size)
}

pub(crate) fn resumed<H: Hasher>(files: &Files, size: u64) -> Files {
    extend(
        TileExport::<H, _>::resume(files.clone(), files).unwrap(),
        size,
    )
}

fn tree(size: u64) -> MemoryTree<Sha256> {
    let mut tree = MemoryTree::new();
    for index in 0..size {
        tree.append(Sha256::leaf(&leaf_at(index).encode())).unwrap();
    }
    tree
}

pub(crate) fn keys() -> VerifyPolicy {
    VerifyPolicy::new([log_key().verifier_key()])
}

pub(crate) fn audited(files: &Files) -> Audit {
    audit(files, &keys(), &[]).unwrap()
}

pub(crate) fn codes(audit: &Audit) -> Vec<&'static str> {
    audit.findings.iter().map(|finding| finding.code).collect()
}

pub(crate) const ODD_PATHS: [&str; 26] = [
    "",
    "tile",
    "tile/0",
    "tile/0/",
    "tile/0/0",
    "tile/0/00",
    "tile/0/0000",
    "tile/0/x000/000",
    "tile/0/001/000",
    "tile/0/x001/x000",
    "tile/00/000",
    "tile/64/000",
    "tile/-1/000",
    "tile/0/+01",
    "tile/0/000.p/0",
    "tile/0/000.p/256",
    "tile/0/000.p/01",
    "tile/0/000.p/",
    "tile/0/xx01/000",
    "tile/0/001/",
    "tile/0/../000",
    "tile/entries",
    "checkpoint/",
    "checkpoints/01",
    "checkpoints/",
    "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
];

#[test]
fn paths_are_those_of_the_specification() {
    let tile = |level, index, width| TilePath::Tile {
        level,
        index,
        width,
    };
    for (path, text) in [
        (TilePath::Checkpoint, "checkpoint"),
        (tile(0, 0, 256), "tile/0/000"),
        (tile(0, 273, 112), "tile/0/273.p/112"),
        (tile(63, 1_234_067, 256), "tile/63/x001/x234/067"),
        (tile(1, 1000, 1), "tile/1/x001/000.p/1"),
        (tile(0, 999, 255), "tile/0/999.p/255"),
        (
            TilePath::Entries {
                index: 1_234_067,
                width: 256,
            },
            "tile/entries/x001/x234/067",
        ),
        (
            TilePath::Entries {
                index: 273,
                width: 112,
            },
            "tile/entries/273.p/112",
        ),
        (TilePath::CheckpointSizes, "checkpoints/sizes"),
        (TilePath::CheckpointAt { size: 70_000 }, "checkpoints/70000"),
    ] {
        assert_eq!(path.to_string(), text);
        assert_eq!(TilePath::parse(text), Some(path));
    }
    for odd in ODD_PATHS {
        assert_eq!(TilePath::parse(odd), None, "{odd}");
    }
}

#[test]
fn a_tree_of_seventy_thousand_has_the_tiles_of_the_specification() {
    let mut export = TileExport::<Sha256, _>::new(Files::new());
    for index in 0..70_000_u64 {
        export.push(&index.to_be_bytes()).unwrap();
    }
    let note = signed::<Sha256>(70_000, export.root());
    let files = export.finish(&note).unwrap();
    let paths: Vec<TilePath> = files
        .keys()
        .map(|path| TilePath::parse(path).unwrap())
        .collect();
    let tiles = |wanted: u8, full: bool| {
        let widths = paths.iter().filter_map(|path| match path {
            TilePath::Tile { level, width, .. } if *level == wanted => Some(*width),
            _ => None,
        });
        widths
            .filter(|width| (*width == TILE_WIDTH) == full)
            .collect::<Vec<_>>()
    };
    assert_eq!(tiles(0, true).len(), 273);
    assert_eq!((tiles(0, false), tiles(1, true).len()), (vec![112], 1));
    assert_eq!((tiles(1, false), tiles(2, false)), (vec![17], vec![1]));
    assert!(tiles(2, true).is_empty() && tiles(3, false).is_empty());
    assert!(files["tile/0/000"].len() == 8192 && files["tile/0/273.p/112"].len() == 112 * 32);
    // A tree of one full tile has a partial one above it.
    let files = exported::<Sha256>(256);
    let names: Vec<&str> = files
        .keys()
        .map(String::as_str)
        .filter(|p| p.starts_with("tile"))
        .collect();
    assert_eq!(names, ["tile/0/000", "tile/1/000.p/1", "tile/entries/000"]);
}

#[test]
fn proofs_come_back_out_of_the_tiles() {
    for size in [1, 2, 255, 256, 257, 511, 512, 700] {
        let (files, tree) = (exported::<Sha256>(size), tree(size));
        let reader = TileReader::<Sha256, _>::new(&files, size);
        assert_eq!(root_at::<Sha256, _>(size, &reader).unwrap(), tree.root());
        for index in (0..size).step_by(37).chain([size - 1]) {
            let proof = inclusion_proof::<Sha256, _>(index, size, &reader).unwrap();
            assert_eq!(proof, tree.inclusion_proof(index, size).unwrap());
            let proof = consistency_proof::<Sha256, _>(index, size, &reader).unwrap();
            assert_eq!(proof, tree.consistency_proof(index, size).unwrap());
            assert_eq!(reader.leaf(index).unwrap(), Some(leaf_at(index).encode()));
        }
        assert_eq!(reader.leaf(size).unwrap(), None);
        assert_eq!(
            Frontier::<Sha256>::load(size, &reader).unwrap().root(),
            tree.root()
        );
    }
}

#[test]
fn an_export_goes_on_where_it_ended() {
    let mut files = Files::new();
    let sizes = [0, 1, 255, 256, 257, 512, 600];
    for size in sizes {
        files = resumed::<Sha256>(&files, size);
        for (path, bytes) in exported::<Sha256>(size) {
            if path != "checkpoints/sizes" {
                assert_eq!(files.get(&path), Some(&bytes), "{path} at {size}");
            }
        }
    }
    let audit = audited(&files);
    assert!(audit.holds(), "{audit}");
    assert_eq!(audit.checkpoints, sizes);
    // It does not go on from a folder whose tiles are of another log.
    let mut forged = files.clone();
    forged.get_mut("tile/0/002.p/88").unwrap()[0] ^= 1;
    let refused = TileExport::<Sha256, _>::resume(forged.clone(), &forged);
    let error: ProofError = refused.unwrap_err().into();
    assert_eq!(error.code(), "root_mismatch");
    let refused = TileExport::<Blake3, _>::resume(files.clone(), &files);
    assert!(refused.is_err());
}

#[test]
fn an_export_is_of_what_was_signed() {
    let export = || {
        let mut export = TileExport::<Sha256, _>::new(Files::new());
        export.push(&leaf_at(0).encode()).unwrap();
        export
    };
    let code = |note: &Note| {
        let finished = export().finish(note);
        finished
            .map(drop)
            .map_err(|error| ProofError::from(error).code())
    };
    let root = export().root();
    assert_eq!(code(&signed::<Sha256>(1, root)), Ok(()), "control");
    assert_eq!(code(&signed::<Sha256>(2, root)), Err("root_mismatch"));
    assert_eq!(code(&signed::<Sha256>(1, [0; 32])), Err("root_mismatch"));
    assert_eq!(code(&signed::<Blake3>(1, root)), Err("hasher_mismatch"));
    let long = vec![0; MAX_LEAF_BYTES + 1];
    let error: ProofError = export().push(&long).unwrap_err().into();
    assert_eq!(error.code(), "leaf_encoding");
    assert_eq!(export().push(&long[1..]).unwrap(), 1, "control");
}
