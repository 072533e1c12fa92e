//! An audit finds every change of an exported log, and says what is wrong.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::sample::{TIME, header, leaf, log_key, salt, witness};
use crate::tiles::{Files, ODD_PATHS, audited, codes, exported, keys, leaf_at, resumed, signed};
use nfa_proof::*;

/// An exported log, and what an audit finds when some of its files are changed.
pub(crate) fn vectors() -> Value {
    let files = resumed::<Sha256>(&exported::<Sha256>(100), 260);
    let base64 = |bytes: &Vec<u8>| json!(STANDARD.encode(bytes));
    let all = |files: &Files| -> Value {
        files
            .iter()
            .map(|(path, bytes)| (path.clone(), base64(bytes)))
            .collect::<Map<_, _>>()
            .into()
    };
    let fault = |name: &str, change: &dyn Fn(&mut Files)| {
        let mut changed = files.clone();
        change(&mut changed);
        let found = audited(&changed);
        let paths: BTreeSet<&String> = files.keys().chain(changed.keys()).collect();
        let differs = |path: &&String| files.get(*path) != changed.get(*path);
        let changes = paths.into_iter().filter(differs).map(|path| {
            let bytes = BTreeMap::get(&changed, path);
            (path.clone(), bytes.map_or(Value::Null, base64))
        });
        json!({
            "name": name, "complete": found.complete, "findings": codes(&found),
            "changes": changes.collect::<Map<_, _>>(),
        })
    };
    let put = |files: &mut Files, path: &str, bytes: &[u8]| {
        files.insert(path.to_owned(), bytes.to_vec());
    };
    let conflict = signed::<Sha256>(260, [7; 32]).to_string();
    let larger = signed::<Sha256>(261, [7; 32]).to_string();
    let other = signed::<Sha256>(100, [7; 32]).to_string();
    let faults = [
        fault("nothing_changed", &|_| ()),
        fault("no_checkpoint", &|f| drop(f.remove("checkpoint"))),
        fault("partial_tile_missing", &|f| {
            drop(f.remove("tile/0/001.p/4"))
        }),
        fault("full_tile_missing", &|f| drop(f.remove("tile/0/000"))),
        fault("tile_cut", &|f| {
            f.get_mut("tile/0/001.p/4").unwrap().truncate(127)
        }),
        fault("tile_changed", &|f| {
            f.get_mut("tile/1/000.p/1").unwrap()[0] ^= 1
        }),
        fault("leaf_changed", &|f| {
            f.get_mut("tile/entries/001.p/4").unwrap()[90] ^= 1
        }),
        fault("leaves_missing", &|f| {
            drop(f.remove("tile/entries/001.p/4"))
        }),
        fault("leaves_cut", &|f| {
            f.get_mut("tile/entries/001.p/4").unwrap().truncate(9)
        }),
        fault("leaves_and_tile_missing", &|f| {
            f.remove("tile/entries/001.p/4");
            f.remove("tile/0/001.p/4");
        }),
        fault("kept_checkpoint_missing", &|f| {
            drop(f.remove("checkpoints/100"))
        }),
        fault("kept_checkpoint_of_another_root", &|f| {
            put(f, "checkpoints/100", other.as_bytes())
        }),
        fault("kept_checkpoint_conflicts", &|f| {
            put(f, "checkpoints/260", conflict.as_bytes())
        }),
        fault("kept_checkpoint_is_larger", &|f| {
            put(f, "checkpoints/261", larger.as_bytes());
            put(f, "checkpoints/sizes", b"100\n260\n261\n");
        }),
        fault("sizes_out_of_order", &|f| {
            put(f, "checkpoints/sizes", b"260\n100\n")
        }),
    ];
    let numbered = |sequences: &[u64]| {
        let leaves: Vec<Leaf> = sequences
            .iter()
            .zip(0..)
            .map(|(sequence, number)| {
                let mut header = header(LeafKind::Heartbeat, 0, None);
                header.sequence = *sequence;
                // The third is the second again.
                let opening = Opening::new(FieldId::PROMPT, salt(u8::min(number, 1)), "x");
                leaf(header, &[opening])
            })
            .collect();
        let files = log_of(&leaves);
        json!({ "files": all(&files), "findings": codes(&audited(&files)) })
    };
    json!({
        "key": log_key().verifier_key().to_string(),
        "rotations": crate::rotation::vectors(),
        "paths": [
            { "level": 0, "index": 0, "width": 256, "path": "tile/0/000" },
            { "level": 0, "index": 273, "width": 112, "path": "tile/0/273.p/112" },
            { "level": 63, "index": 1_234_067, "width": 256, "path": "tile/63/x001/x234/067" },
            { "level": "entries", "index": 1000, "width": 1, "path": "tile/entries/x001/000.p/1" },
        ],
        "invalid_paths": ODD_PATHS,
        "files": all(&files),
        "faults": faults,
        "sequences": [
            numbered(&[0, 1, 2]), numbered(&[1, 0, 2]), numbered(&[0, 2, 9]), numbered(&[0, 1, 1]),
            numbered(&[0, 0]),
        ],
    })
}

#[test]
fn a_whole_log_holds_and_the_report_says_what_was_read() {
    for files in [exported::<Sha256>(600), exported::<Blake3>(600)] {
        let audit = audited(&files);
        assert!(audit.holds(), "{audit}");
        assert_eq!((audit.size, audit.leaves, audit.sessions), (600, 600, 3));
        assert_eq!(audit.kinds["interaction"], 600);
        let people = audit.to_string();
        assert!(people.starts_with("HOLDS\n") && people.contains("600 interaction"));
        assert!(
            serde_json::to_string(&audit)
                .unwrap()
                .contains(r#""findings":[]"#)
        );
    }
    let none = exported::<Sha256>(0);
    assert!(audited(&none).holds(), "{}", audited(&none));
}

#[test]
fn every_change_of_a_bit_is_found() {
    let mut files = resumed::<Sha256>(&exported::<Sha256>(5), 12);
    assert!(audited(&files).holds(), "control");
    let paths: Vec<String> = files.keys().cloned().collect();
    let mut checked = 0;
    for path in paths {
        // The partial files of the smaller size are of no use to the larger one.
        if path.ends_with(".p/5") {
            continue;
        }
        for at in 0..files[&path].len() {
            files.get_mut(&path).unwrap()[at] ^= 1 << (at % 8);
            assert!(!audited(&files).holds(), "byte {at} of {path}");
            files.get_mut(&path).unwrap()[at] ^= 1 << (at % 8);
            checked += 1;
        }
    }
    assert!(checked > 2000, "{checked}");
    assert!(audited(&files).holds(), "control");
}

/// What `change` does to an export of 600 leaves that keeps a checkpoint of 300.
fn changed(change: impl FnOnce(&mut Files)) -> Audit {
    let mut files = resumed::<Sha256>(&exported::<Sha256>(300), 600);
    change(&mut files);
    audited(&files)
}

#[test]
fn each_fault_has_its_code() {
    assert_eq!(codes(&changed(|_| ())), [""; 0], "control");
    type Change = fn(&mut Files);
    let cases: [(&[&str], Change); 13] = [
        (&["checkpoint_missing"], |f| drop(f.remove("checkpoint"))),
        (&["checkpoint_missing"], |f| {
            drop(f.remove("checkpoints/300"))
        }),
        (&["checkpoints_malformed"], |f| {
            drop(f.insert("checkpoints/sizes".into(), b"600\n300\n".into()));
        }),
        (&["note_malformed"], |f| {
            drop(f.insert("checkpoint".into(), b"x".into()))
        }),
        (&["tile_missing"], |f| drop(f.remove("tile/0/001"))),
        (&["tile_missing"], |f| drop(f.remove("tile/1/000.p/2"))),
        (&["tile_malformed"], |f| {
            f.get_mut("tile/0/002.p/88").unwrap().truncate(1)
        }),
        (&["tile_mismatch"], |f| {
            f.get_mut("tile/0/001").unwrap()[32] ^= 1
        }),
        (&["tile_mismatch"], |f| {
            f.get_mut("tile/1/000.p/2").unwrap()[32] ^= 1
        }),
        // The tile stands in for the leaves, whose numbers are then missing.
        (
            &[
                "entries_missing",
                "sequence_gap",
                "sequence_gap",
                "sequence_gap",
            ],
            |f| drop(f.remove("tile/entries/001")),
        ),
        (&["entries_malformed"], |f| {
            f.get_mut("tile/entries/002.p/88").unwrap().truncate(1)
        }),
        (&["entries_missing", "tile_missing"], |f| {
            f.remove("tile/entries/002.p/88");
            f.remove("tile/0/002.p/88");
        }),
        (&["checkpoints_malformed"], |f| {
            let newest = f["checkpoints/600"].clone();
            f.insert("checkpoints/300".into(), newest);
        }),
    ];
    for (at, (expected, change)) in cases.into_iter().enumerate() {
        let audit = changed(change);
        assert_eq!(codes(&audit), expected, "case {at}: {audit}");
        assert!(!audit.holds());
    }
    let audit = changed(|f| {
        f.remove("tile/entries/002.p/88");
        f.remove("tile/0/002.p/88");
    });
    assert!(!audit.complete, "the root was not reached");
    assert_eq!(audit.category(), Some(Category::Unreadable));
    let audit = changed(|f| f.get_mut("tile/0/001").unwrap()[32] ^= 1);
    assert_eq!(audit.findings[0].leaf, Some(257), "the hash that differs");
    assert!(audit.to_string().starts_with("DOES NOT HOLD\n"));
}

#[test]
fn a_partial_file_may_be_gone_once_the_full_one_is_there() {
    let mut files = exported::<Sha256>(600);
    let old = exported::<Sha256>(300);
    for path in ["checkpoint", "checkpoints/sizes", "checkpoints/300"] {
        files.insert(path.to_owned(), old[path].clone());
    }
    files.insert("tile/1/000.p/1".to_owned(), old["tile/1/000.p/1"].clone());
    let audit = audited(&files);
    assert!(audit.holds(), "{audit}");
    assert_eq!(audit.leaves, 300);
}

/// A log of these leaves.
fn log_of(leaves: &[Leaf]) -> Files {
    let mut export = TileExport::<Sha256, _>::new(Files::new());
    for leaf in leaves {
        export.push(&leaf.encode()).unwrap();
    }
    let note = signed::<Sha256>(export.size(), export.root());
    export.finish(&note).unwrap()
}

#[test]
fn gaps_conflicts_and_duplicates_are_found() {
    let numbered = |sequence, number| {
        let opening = Opening::new(FieldId::PROMPT, salt(number), "x");
        let mut header = header(LeafKind::Interaction, 0, None);
        header.sequence = sequence;
        leaf(header, &[opening])
    };
    let code = |sequences: &[(u64, u8)]| {
        let leaves: Vec<Leaf> = sequences.iter().map(|(s, n)| numbered(*s, *n)).collect();
        let audit = audited(&log_of(&leaves));
        let found = audit.findings.iter().map(|f| (f.code, f.leaf.unwrap()));
        found.collect::<Vec<_>>()
    };
    assert_eq!(code(&[(0, 1), (1, 1), (2, 1)]), []);
    assert_eq!(
        code(&[(1, 1), (0, 1), (2, 1)]),
        [],
        "the log's order is another"
    );
    assert_eq!(
        code(&[(0, 1), (2, 1), (9, 1)]),
        [("sequence_gap", 1), ("sequence_gap", 2)]
    );
    assert_eq!(code(&[(1, 1)]), [("sequence_gap", 0)]);
    assert_eq!(code(&[(0, 1), (0, 2)]), [("sequence_conflict", 1)]);
    assert_eq!(code(&[(0, 1), (0, 1)]), [("leaf_duplicate", 1)]);
    assert_eq!(code(&[(0, 1), (u64::MAX, 1)]), [("sequence_gap", 1)]);
}

#[test]
fn a_rewritten_log_does_not_lead_to_the_checkpoints_before_it() {
    let honest = exported::<Sha256>(300);
    let before = Note::parse(&honest["checkpoint"]).unwrap();
    let mut leaves: Vec<Leaf> = (0..600).map(leaf_at).collect();
    let with =
        |leaves: &[Leaf], known: &[Note]| codes(&audit(&log_of(leaves), &keys(), known).unwrap());
    assert_eq!(
        with(&leaves, std::slice::from_ref(&before)),
        [""; 0],
        "control"
    );
    leaves[7] = leaf(header(LeafKind::Interaction, 2, None), &[]);
    let mut header = leaves[7].header().clone();
    header.session = [1; 16];
    leaves[7] = Leaf::new(header, vec![]).unwrap();
    assert_eq!(
        with(&leaves, &[]),
        [""; 0],
        "nothing shows it without the old checkpoint"
    );
    assert_eq!(
        with(&leaves, std::slice::from_ref(&before)),
        ["consistency_mismatch"]
    );
    // The same size, two roots.
    let rewritten = Note::parse(&log_of(&leaves[..300])["checkpoint"]).unwrap();
    assert_eq!(
        with(&leaves[..300], std::slice::from_ref(&before)),
        ["checkpoint_conflict"]
    );
    assert_eq!(
        with(&leaves, &[before.clone(), rewritten]),
        ["checkpoint_conflict", "consistency_mismatch"]
    );
    // Cut back.
    let honest: Vec<Leaf> = (0..200).map(leaf_at).collect();
    assert_eq!(
        with(&honest, std::slice::from_ref(&before)),
        ["checkpoint_rollback"]
    );
    // A checkpoint that the log did not sign says nothing about it.
    let mut stranger = Note::new(before.text()).unwrap();
    stranger.add(witness(1).cosign(&before, TIME)).unwrap();
    assert_eq!(with(&leaves, &[stranger]), ["log_signature_missing"]);
}

#[test]
fn a_leaf_changed_behind_its_tile_is_named() {
    let files = exported::<Sha256>(300);
    let mut changed = files.clone();
    // The last byte of the first leaf's commitment; its length is the first two bytes.
    let first = &mut changed.get_mut("tile/entries/000").unwrap();
    let length = usize::from(u16::from_be_bytes([first[0], first[1]]));
    first[length + 1] ^= 1;
    let audit = audited(&changed);
    assert_eq!(
        codes(&audit),
        ["tile_mismatch", "tile_mismatch", "root_mismatch"]
    );
    assert_eq!(
        audit
            .findings
            .iter()
            .filter_map(|f| f.leaf)
            .collect::<Vec<_>>(),
        [0]
    );
    assert_eq!(audit.category(), Some(Category::Invalid));
}

#[test]
fn the_policy_applies_to_an_audit() {
    let files = exported::<Sha256>(10);
    let code = |policy: &VerifyPolicy| codes(&audit(&files, policy, &[]).unwrap());
    assert_eq!(code(&keys()), [""; 0], "control");
    assert_eq!(code(&VerifyPolicy::default()), ["log_key_unknown"]);
    // Once for the newest checkpoint, once for the one that is kept.
    let twice = |code| vec![code; 2];
    let cut = keys().with_cutoff(log_key().verifier_key(), 10);
    assert_eq!(code(&cut), twice("log_key_cut_off"));
    let witnessed = keys().with_witnesses([witness(1).verifier_key()], 1);
    assert_eq!(code(&witnessed), ["witnesses_missing"]);
    let unmet = audit(&files, &witnessed, &[]).unwrap();
    assert_eq!(unmet.category(), Some(Category::PolicyUnmet));
}

#[test]
fn an_audit_across_a_rotation_asks_for_each_key_where_it_counts() {
    let (old, new) = (log_key(), crate::policy::key(10));
    let mut files = exported::<Sha256>(10);
    let mut export = TileExport::<Sha256, _>::resume(files.clone(), &files).unwrap();
    for index in 10..20 {
        export.push(&leaf_at(index).encode()).unwrap();
    }
    let checkpoint = Checkpoint::new::<Sha256>(crate::sample::ORIGIN, 20, export.root()).unwrap();
    files = export.finish(&checkpoint.sign(&new).unwrap()).unwrap();
    let both = [old.verifier_key(), new.verifier_key()];
    let code = |policy: VerifyPolicy| codes(&audit(&files, &policy, &[]).unwrap());
    let cut = VerifyPolicy::new(both.clone()).with_cutoff(old.verifier_key(), 15);
    assert_eq!(code(cut), [""; 0]);
    let early = VerifyPolicy::new(both).with_cutoff(old.verifier_key(), 10);
    assert_eq!(
        code(early),
        ["log_key_cut_off"],
        "the kept checkpoint over 10"
    );
    assert_eq!(
        code(keys()),
        vec!["log_signature_missing"; 2],
        "20, and 20 as it is kept"
    );
}

#[test]
fn a_source_that_fails_is_no_finding() {
    struct Broken;
    impl TileSource for Broken {
        type Error = &'static str;
        fn get(&self, path: &str) -> Result<Option<Vec<u8>>, Self::Error> {
            match path {
                "checkpoint" => Ok(Some(exported::<Sha256>(10)["checkpoint"].clone())),
                _ => Err("no network"),
            }
        }
    }
    assert_eq!(audit(&Broken, &keys(), &[]).unwrap_err(), "no network");
}

#[test]
fn a_huge_size_without_its_tiles_ends_at_once() {
    let mut files = Files::new();
    let note = signed::<Sha256>(MAX_TREE_SIZE, [7; 32]).to_string();
    files.insert("checkpoint".to_owned(), note.into_bytes());
    let audit = audited(&files);
    assert_eq!(codes(&audit), ["entries_missing", "tile_missing"]);
    assert!(!audit.complete);
}
