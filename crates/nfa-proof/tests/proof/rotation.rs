//! An audit that begins with the log's first key alone, and learns the others from the leaves.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::policy::{key, openings, revoke, rotate, trusts};
use crate::sample::{ORIGIN, header, leaf};
use crate::tiles::{Files, codes};
use nfa_proof::*;

type Events<'a> = &'a [(u64, Vec<Opening>)];

/// An export whose leaves at these places tell of these events, with a checkpoint at each of these
/// sizes by these keys; the last is the newest.
fn exported(events: Events<'_>, checkpoints: &[(u64, &[u8])]) -> Files {
    let mut files = Files::new();
    for (size, signers) in checkpoints {
        let mut export = TileExport::<Sha256, _>::resume(files.clone(), &files).unwrap();
        for index in export.size()..*size {
            let event = events.iter().find(|(place, _)| *place == index);
            let (kind, shown) = match event {
                Some((_, shown)) => (LeafKind::Key, shown.as_slice()),
                None => (LeafKind::Heartbeat, &[][..]),
            };
            let leaf = leaf(header(kind, index, None), shown);
            export.push(&leaf.encode()).unwrap();
        }
        for (place, shown) in events.iter().filter(|(place, _)| place < size) {
            // A forged event is not taken; an attacker's exporter would write it all the same.
            let _ = export.disclose_key(*place, shown.clone());
        }
        let checkpoint = Checkpoint::new::<Sha256>(ORIGIN, *size, export.root()).unwrap();
        let mut note = Note::new(checkpoint.to_text()).unwrap();
        for signer in *signers {
            note.sign(&key(*signer)).unwrap();
        }
        files = export.finish(&note).unwrap();
    }
    files
}

/// The file `keys`, as anybody can write it.
fn disclosing(mut files: Files, events: Events<'_>) -> Files {
    let entry = |(index, shown): &(u64, Vec<Opening>)| {
        let mut shown: Vec<&Opening> = shown.iter().collect();
        shown.sort_by_key(|opening| opening.field);
        let shown = shown.into_iter().map(|opening| {
            let (salt, value) = (
                STANDARD.encode(opening.salt),
                STANDARD.encode(&opening.value),
            );
            format!(
                r#"{{"field":{},"salt":"{salt}","value":"{value}"}}"#,
                opening.field.number()
            )
        });
        let shown: Vec<String> = shown.collect();
        format!(r#"{{"disclosed":[{}],"index":{index}}}"#, shown.join(","))
    };
    let entries: Vec<String> = events.iter().map(entry).collect();
    files.insert("keys".to_owned(), format!("[{}]", entries.join(",")).into());
    files
}

fn found(files: &Files, policy: &VerifyPolicy) -> Vec<&'static str> {
    let audit = audit(files, policy, &[]).unwrap();
    assert_eq!(audit.holds(), audit.findings.is_empty(), "{audit}");
    codes(&audit)
}

fn rotation(at: u64, old: u8, new: u8, cutoff: Option<u64>) -> (u64, Vec<Opening>) {
    (at, openings(&rotate(old, new, cutoff)))
}

/// Two rotations: key 2 from leaf 3 on, key 3 from leaf 7 on; keys 1 and 2 are cut off.
fn chain() -> [(u64, Vec<Opening>); 2] {
    [rotation(3, 1, 2, Some(6)), rotation(7, 2, 3, Some(9))]
}

/// An export across two rotations.
pub(crate) fn rotated() -> Files {
    exported(&chain(), &SIGNED)
}

const SIGNED: [(u64, &[u8]); 4] = [(3, &[1]), (5, &[1, 2]), (8, &[2, 3]), (12, &[3])];

#[test]
fn the_first_key_leads_to_every_later_one() {
    let once = exported(&chain()[..1], &[(3, &[1]), (5, &[1, 2]), (12, &[2])]);
    assert_eq!(found(&once, &trusts(&[1])), [""; 0]);

    let twice = exported(&chain(), &SIGNED);
    let audit = audit(&twice, &trusts(&[1]), &[]).unwrap();
    assert!(audit.holds(), "{audit}");
    assert_eq!(audit.checkpoints, [3, 5, 8, 12]);
    assert_eq!(audit.key, Some(key(3).verifier_key().to_string()));
    let keys: Vec<_> = audit
        .keys
        .iter()
        .map(|key| (key.introduced_by, key.cutoff))
        .collect();
    assert_eq!(keys, [(None, Some(6)), (Some(3), Some(9)), (Some(7), None)]);
    let people = audit.to_string();
    assert!(people.contains("named in leaf 7\n"), "{people}");
    assert!(
        people.contains(", named in leaf 3, counts below 9 leaves\n"),
        "{people}"
    );

    // From the middle of the chain, the checkpoints before it are strangers'.
    assert_eq!(found(&twice, &trusts(&[2])), ["log_signature_missing"]);
    assert_eq!(
        found(&twice, &trusts(&[1, 2, 3])),
        [""; 0],
        "control: every key is named"
    );
}

#[test]
fn a_link_that_is_not_shown_ends_the_chain_and_is_told() {
    let files = exported(&chain(), &SIGNED);
    let missing = "log_signature_missing";
    let hidden = "key_event_hidden";
    let first_only = disclosing(files.clone(), &chain()[..1]);
    assert_eq!(
        found(&first_only, &trusts(&[1])),
        [hidden, missing, missing],
        "12 and its copy"
    );
    let mut none = files.clone();
    none.remove("keys");
    let all = [hidden, hidden, missing, missing, missing];
    assert_eq!(found(&none, &trusts(&[1])), all, "8, 12 and its copy");
    // Whoever names every key still isn't shown what the leaves say: it may be a cut-off.
    assert_eq!(found(&none, &trusts(&[1, 2, 3])), [hidden, hidden]);
    let mut partly = chain();
    partly[1]
        .1
        .retain(|opening| opening.field != FieldId::KEY_EVENT);
    let partly = disclosing(files.clone(), &partly);
    assert_eq!(found(&partly, &trusts(&[1])), [hidden, missing, missing]);
    let unmet = audit(&partly, &trusts(&[1]), &[]).unwrap();
    assert_eq!(unmet.category(), Some(Category::PolicyUnmet));
    assert_eq!(unmet.findings[0].leaf, Some(7));
    let whole = disclosing(files.clone(), &chain());
    assert_eq!(whole, files, "control: the same file");
}

#[test]
fn a_key_counts_below_its_cut_off_only() {
    let events = [rotation(3, 1, 2, Some(6))];
    let by =
        |size: u64, signers: &[u8]| found(&exported(&events, &[(size, signers)]), &trusts(&[1]));
    assert_eq!(by(5, &[1]), [""; 0], "the overlap");
    assert_eq!(
        by(6, &[1]),
        vec!["log_key_cut_off"; 2],
        "the newest, and as it is kept"
    );
    assert_eq!(by(6, &[2]), [""; 0], "control");
    // A revocation that comes later counts from the size that it names on.
    let revoked = |size| {
        let events = [rotation(3, 1, 2, None), (8, openings(&revoke(1, size)))];
        found(&exported(&events, &[(5, &[1]), (9, &[2])]), &trusts(&[1]))
    };
    assert_eq!(revoked(5), ["log_key_cut_off"], "the kept one over 5");
    assert_eq!(revoked(6), [""; 0], "control");
    // So does the policy's own cut-off of a key that a leaf named.
    let files = exported(&events, &[(5, &[2]), (9, &[2])]);
    let cut = |size| trusts(&[1]).with_cutoff(key(2).verifier_key(), size);
    assert_eq!(found(&files, &cut(9)), vec!["log_key_cut_off"; 2]);
    assert_eq!(found(&files, &cut(10)), [""; 0], "control");
}

#[test]
fn a_rotation_that_the_old_key_did_not_sign_names_nobody() {
    let good = rotation(3, 1, 2, None);
    let mut forged = good.clone();
    let signature = forged
        .1
        .iter_mut()
        .find(|o| o.field == FieldId::KEY_SIGNATURE)
        .unwrap();
    // The new key's own signature in place of the old one's.
    let stolen = rotate(2, 1, None);
    let by_new = openings(&stolen)
        .into_iter()
        .find(|o| o.field == FieldId::KEY_SIGNATURE);
    signature.value = by_new.unwrap().value;
    let events = [forged];
    let files = disclosing(exported(&events, &[(5, &[2])]), &events);
    assert_eq!(
        found(&files, &trusts(&[1])),
        [
            "key_event_invalid",
            "log_signature_missing",
            "log_signature_missing"
        ]
    );
    let audit = audit(&files, &trusts(&[1]), &[]).unwrap();
    assert_eq!(
        (audit.category(), audit.findings[0].leaf),
        (Some(Category::Invalid), Some(3))
    );
    assert_eq!(
        found(&exported(&[good], &[(5, &[2])]), &trusts(&[1])),
        [""; 0],
        "control"
    );
    // A stranger's rotation is well signed, and leads nowhere.
    let strange = exported(&[rotation(3, 7, 2, None)], &[(5, &[2])]);
    assert_eq!(
        found(&strange, &trusts(&[1])),
        vec!["log_signature_missing"; 2]
    );
    assert_eq!(found(&strange, &trusts(&[1, 7])), [""; 0], "control");
}

#[test]
fn a_key_that_is_cut_off_names_no_successor() {
    let by = |cutoff, policy: &VerifyPolicy| {
        let events = [(2, openings(&revoke(1, cutoff))), rotation(5, 1, 2, None)];
        found(&exported(&events, &[(9, &[2])]), policy)
    };
    assert_eq!(by(5, &trusts(&[1])), vec!["log_signature_missing"; 2]);
    assert_eq!(
        by(6, &trusts(&[1])),
        [""; 0],
        "control: cut off behind the rotation"
    );
    // A thief names a key in a log of their own: the policy knows of the theft.
    let stolen = trusts(&[1]).with_cutoff(key(1).verifier_key(), 100);
    assert_eq!(by(6, &stolen), vec!["log_signature_missing"; 2]);
}

#[test]
fn a_key_does_not_speak_before_it_is_named() {
    let events = [rotation(3, 1, 2, None)];
    let kept = |size| {
        found(
            &exported(&events, &[(size, &[2]), (9, &[2])]),
            &trusts(&[1]),
        )
    };
    assert_eq!(
        kept(3),
        ["log_signature_missing"],
        "the leaf that names it is not under it"
    );
    assert_eq!(kept(4), [""; 0], "control");
    // Nor in a checkpoint that the auditor has from elsewhere.
    let files = exported(&events, &[(9, &[2])]);
    let early = |size| {
        let other = exported(&events, &[(size, &[2])]);
        let note = Note::parse(&other["checkpoint"]).unwrap();
        codes(&audit(&files, &trusts(&[1]), &[note]).unwrap())
    };
    assert_eq!(
        (early(3), early(4)),
        (vec!["log_signature_missing"], vec![])
    );
}

#[test]
fn what_is_shown_of_a_key_leaf_is_what_was_recorded() {
    let files = exported(&chain(), &SIGNED);
    type Shown = [(u64, Vec<Opening>); 2];
    let code = |change: &dyn Fn(&mut Shown)| {
        let mut events = chain();
        change(&mut events);
        found(&disclosing(files.clone(), &events), &trusts(&[1])).remove(0)
    };
    assert_eq!(found(&files, &trusts(&[1])), [""; 0], "control");
    assert_eq!(
        code(&|e| e[0].1[2].value = b"x".to_vec()),
        "commitment_mismatch"
    );
    assert_eq!(code(&|e| e[0].1[2].salt = [0; 32]), "commitment_mismatch");
    assert_eq!(code(&|e| e[0].1[2].field = FieldId::USER), "field_unknown");
    // Another rotation, as well signed, that is not the one in the leaf.
    assert_eq!(
        code(&|e| e[0].1 = openings(&rotate(1, 9, Some(6)))),
        "commitment_mismatch"
    );
    assert_eq!(code(&|e| e[0].0 = 2), "key_event_invalid", "no key leaf");
    // What comes later than the newest checkpoint is not its business.
    let more = [chain().to_vec(), vec![rotation(12, 3, 4, None)]].concat();
    assert_eq!(
        found(&disclosing(files.clone(), &more), &trusts(&[1])),
        [""; 0]
    );
}

#[test]
fn the_file_of_openings_has_one_form() {
    let files = exported(&chain(), &SIGNED);
    let policy = trusts(&[1]);
    let text = String::from_utf8(files["keys"].clone()).unwrap();
    let code = |text: String| {
        let mut changed = files.clone();
        changed.insert("keys".to_owned(), text.into_bytes());
        found(&changed, &policy).first().copied()
    };
    assert_eq!(code(text.clone()), None, "control");
    let events = chain();
    let swapped = disclosing(files.clone(), &[events[1].clone(), events[0].clone()]);
    let twice = disclosing(files.clone(), &[&events[..], &events[1..]].concat());
    let mut fields = events[0].clone();
    fields.1.push(fields.1[0].clone());
    let doubled = disclosing(files.clone(), &[fields]);
    for changed in [swapped, twice, doubled] {
        assert_eq!(found(&changed, &policy)[0], "keys_malformed");
    }
    for text in [
        String::new(),
        "{}".to_owned(),
        format!("{text}\n"),
        text.replacen(r#""index""#, r#""indices""#, 1),
        text.replacen(r#""disclosed":["#, r#""disclosed":null,"x":["#, 1),
        format!("{}{text}", " ".repeat(16 << 20)),
    ] {
        assert_eq!(code(text), Some("keys_malformed"));
    }
    // A change of a bit is found in every byte.
    let mut changed = files.clone();
    for at in 0..text.len() {
        changed.get_mut("keys").unwrap()[at] ^= 1 << (at % 8);
        assert!(!audit(&changed, &policy, &[]).unwrap().holds(), "byte {at}");
        changed.get_mut("keys").unwrap()[at] ^= 1 << (at % 8);
    }
    assert_eq!(changed, files);
}

#[test]
fn an_export_that_ends_anywhere_leaves_a_log_that_holds() {
    struct Log(Files, Vec<(String, Vec<u8>)>);
    impl TileSink for Log {
        type Error = std::convert::Infallible;
        fn put(&mut self, path: &str, bytes: &[u8]) -> Result<(), Self::Error> {
            self.1.push((path.to_owned(), bytes.to_vec()));
            TileSink::put(&mut self.0, path, bytes)
        }
    }
    let before = exported(&chain(), &SIGNED[..2]);
    let mut export =
        TileExport::<Sha256, _>::resume(Log(before.clone(), Vec::new()), &before).unwrap();
    for index in export.size()..600 {
        let (kind, shown) = match index {
            7 => (LeafKind::Key, chain()[1].1.clone()),
            _ => (LeafKind::Heartbeat, Vec::new()),
        };
        export
            .push(&leaf(header(kind, index, None), &shown).encode())
            .unwrap();
    }
    export.disclose_key(7, chain()[1].1.clone()).unwrap();
    let checkpoint = Checkpoint::new::<Sha256>(ORIGIN, 600, export.root()).unwrap();
    let Log(_, written) = export.finish(&checkpoint.sign(&key(3)).unwrap()).unwrap();
    let mut files = before;
    let mut sizes = Vec::new();
    for (path, bytes) in written {
        files.insert(path.clone(), bytes);
        let audit = audit(&files, &trusts(&[1]), &[]).unwrap();
        assert!(audit.holds(), "after {path}: {audit}");
        sizes.push(audit.size);
    }
    assert_eq!((sizes[0], sizes[sizes.len() - 1]), (5, 600));
}

#[test]
fn an_exporter_shows_only_events_of_leaves_that_are_there() {
    let (place, shown) = rotation(3, 1, 2, None);
    let mut export = TileExport::<Sha256, _>::new(Files::new());
    for index in 0..5 {
        let (kind, event) = match index == place {
            true => (LeafKind::Key, &shown[..]),
            false => (LeafKind::Heartbeat, &[][..]),
        };
        let leaf = leaf(header(kind, index, None), event);
        export.push(&leaf.encode()).unwrap();
    }
    let mut code = |index, openings: &[Opening]| {
        let told = export.disclose_key(index, openings.to_vec());
        told.map_err(|error| error.code())
    };
    assert_eq!(code(5, &shown), Err("index_out_of_range"));
    assert_eq!(code(3, &shown[1..]), Err("key_event_invalid"));
    let mut forged = shown.clone();
    forged[2].value = key(9).verifier_key().to_string().into();
    assert_eq!(code(3, &forged), Err("key_event_invalid"));
    assert_eq!(code(3, &shown), Ok(()), "control");
}

/// Exports whose keys were rotated, and what an audit that has the first key alone finds.
pub(crate) fn vectors() -> Value {
    let good = exported(&chain(), &SIGNED);
    let early = [rotation(3, 1, 2, None)];
    let cut = [(2, openings(&revoke(1, 5))), rotation(5, 1, 2, None)];
    let mut other = chain();
    other[0].1 = openings(&rotate(1, 9, Some(6)));
    let mut hidden = good.clone();
    hidden.remove("keys");
    let mut malformed = good.clone();
    malformed.get_mut("keys").unwrap().push(b'\n');
    let mut moved = chain();
    moved[0].0 = 2;
    let mut forged = chain();
    forged[1]
        .1
        .iter_mut()
        .find(|o| o.field == FieldId::CUTOFF_SIZE)
        .unwrap()
        .value = b"10".into();
    let forged = disclosing(exported(&forged, &SIGNED), &forged);
    let cases = [
        ("two_rotations", good.clone(), &[1][..]),
        ("from_the_second_key", good.clone(), &[2]),
        ("nothing_shown", hidden, &[1]),
        (
            "one_link_shown",
            disclosing(good.clone(), &chain()[..1]),
            &[1],
        ),
        (
            "another_event_shown",
            disclosing(good.clone(), &other),
            &[1],
        ),
        ("shown_of_another_leaf", disclosing(good, &moved), &[1]),
        ("event_not_signed", forged, &[1]),
        ("keys_with_a_newline", malformed, &[1]),
        (
            "signed_before_it_was_named",
            exported(&early, &[(3, &[2]), (9, &[2])]),
            &[1],
        ),
        (
            "signed_after_the_cutoff",
            exported(&chain(), &[(6, &[1]), (12, &[3])]),
            &[1],
        ),
        ("named_by_a_cut_off_key", exported(&cut, &[(9, &[2])]), &[1]),
    ];
    let cases = cases.map(|(name, files, seeds)| {
        let audit = audit(&files, &trusts(seeds), &[]).unwrap();
        let keys = seeds
            .iter()
            .map(|seed| key(*seed).verifier_key().to_string());
        let base64 =
            |(path, bytes): (&String, &Vec<u8>)| (path.clone(), json!(STANDARD.encode(bytes)));
        json!({
            "name": name, "keys": keys.collect::<Vec<_>>(), "key": audit.key,
            "files": files.iter().map(base64).collect::<Map<_, _>>(),
            "complete": audit.complete, "findings": codes(&audit),
        })
    });
    json!(cases)
}
