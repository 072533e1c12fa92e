//! Bundles that somebody tampered with, each with the code that it must give. All but those that
//! are about the digest carry a fresh one, as a forger's would.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::bundle::verify;
use crate::forge::{
    base64, canonical, changed, conflict, good, loosened, seal, signature, signed, time_at,
    with_bytes, with_note,
};
use crate::sample::{ORIGIN, bundle, log_key, note, policy, proofs};
use nfa_proof::*;

pub(crate) fn tampered() -> Vec<(&'static str, String, &'static str)> {
    let file = canonical(&good());
    let text = note::<Sha256>().text().to_owned();
    let stranger = Signer::from_seed(ORIGIN, &[10; 32]).unwrap();
    let other_origin = Signer::from_seed("example.org/agents/other", &[9; 32]).unwrap();
    let moved = text.replace(ORIGIN, other_origin.name());
    let plain = Bundle::new(note::<Sha256>(), proofs::<Sha256>()).unwrap();
    vec![
        (
            "value_changed",
            with_bytes("/leaves/2/disclosed/3/value", |v| v[6] = b'3'),
            "commitment_mismatch",
        ),
        (
            "value_cut",
            with_bytes("/leaves/2/disclosed/3/value", |v| v.truncate(v.len() - 1)),
            "commitment_mismatch",
        ),
        (
            "salt_changed",
            with_bytes("/leaves/0/disclosed/0/salt", |v| v[0] ^= 1),
            "commitment_mismatch",
        ),
        (
            "shown_as_another_field",
            changed(|b| b["leaves"][0]["disclosed"][1]["field"] = json!(20)),
            "commitment_mismatch",
        ),
        (
            "shown_in_another_leaf",
            changed(|b| b["leaves"][2]["disclosed"][2] = b["leaves"][0]["disclosed"][0].clone()),
            "commitment_mismatch",
        ),
        (
            "shown_field_not_in_leaf",
            changed(|b| b["leaves"][0]["disclosed"][2]["field"] = json!(24)),
            "field_unknown",
        ),
        (
            "erased_field_not_in_leaf",
            changed(|b| b["leaves"][0]["erased"] = json!([2])),
            "field_unknown",
        ),
        (
            "erased_and_shown",
            changed(|b| b["leaves"][0]["erased"] = json!([1, 16])),
            "field_erased_and_disclosed",
        ),
        (
            "leaf_back_dated",
            with_bytes("/leaves/0/leaf", |v| {
                let at = time_at(v);
                v[at + 7] ^= 1;
            }),
            "inclusion_mismatch",
        ),
        (
            "leaf_of_another_agent",
            with_bytes("/leaves/0/leaf", |v| v[28] ^= 1),
            "inclusion_mismatch",
        ),
        (
            "leaf_commitment_changed",
            with_bytes("/leaves/0/leaf", |v| {
                let n = v.len();
                v[n - 1] ^= 1;
            }),
            "inclusion_mismatch",
        ),
        (
            "leaf_trailing_byte",
            with_bytes("/leaves/0/leaf", |v| v.push(0)),
            "leaf_encoding",
        ),
        (
            "leaf_cut",
            with_bytes("/leaves/0/leaf", |v| v.truncate(v.len() - 1)),
            "leaf_encoding",
        ),
        (
            "leaf_version",
            with_bytes("/leaves/0/leaf", |v| v[2] = 2),
            "leaf_version",
        ),
        (
            "leaf_domain",
            with_bytes("/leaves/0/leaf", |v| v[5] = b'N'),
            "leaf_domain",
        ),
        (
            "leaf_kind",
            with_bytes("/leaves/0/leaf", |v| v[25] = 23),
            "leaf_kind",
        ),
        (
            "leaf_algorithm",
            with_bytes("/leaves/0/leaf", |v| {
                let at = v.len() - 35;
                v[at] = 2;
            }),
            "leaf_algorithm",
        ),
        (
            "index_changed",
            changed(|b| b["leaves"][0]["index"] = json!(4)),
            "inclusion_mismatch",
        ),
        (
            "index_past_the_end",
            changed(|b| b["leaves"][2]["index"] = json!(13)),
            "index_out_of_range",
        ),
        (
            "index_huge",
            changed(|b| b["leaves"][2]["index"] = json!(9_007_199_254_740_992_u64)),
            "bundle_json",
        ),
        (
            "index_negative",
            changed(|b| b["leaves"][0]["index"] = json!(-1)),
            "bundle_json",
        ),
        (
            "proof_too_short",
            changed(|b| drop(b["leaves"][0]["proof"].as_array_mut().unwrap().pop())),
            "inclusion_proof_length",
        ),
        (
            "proof_too_long",
            changed(|b| {
                b["leaves"][0]["proof"]
                    .as_array_mut()
                    .unwrap()
                    .push(base64(&[0; 32]))
            }),
            "inclusion_proof_length",
        ),
        (
            "proof_endless",
            changed(|b| b["leaves"][0]["proof"] = json!(vec![STANDARD.encode([0; 32]); 65])),
            "bundle_limits",
        ),
        (
            "proof_changed",
            with_bytes("/leaves/1/proof/0", |v| v[31] ^= 1),
            "inclusion_mismatch",
        ),
        (
            "proof_reordered",
            changed(|b| b["leaves"][1]["proof"].as_array_mut().unwrap().swap(0, 1)),
            "inclusion_mismatch",
        ),
        (
            "proof_hash_of_31_bytes",
            with_bytes("/leaves/1/proof/0", |v| v.truncate(v.len() - 1)),
            "bundle_json",
        ),
        (
            "root_changed",
            with_note(|n| n.replace(text.lines().nth(2).unwrap(), &STANDARD.encode([0; 32]))),
            "signature_invalid",
        ),
        (
            "size_changed",
            with_note(|n| n.replace("\n13\n", "\n14\n")),
            "signature_invalid",
        ),
        (
            "line_added_to_checkpoint",
            with_note(|n| n.replace("\n\n", "\nmore\n\n")),
            "signature_invalid",
        ),
        (
            "size_changed_by_the_log",
            signed(&text.replace("\n13\n", "\n17\n"), &log_key()),
            "inclusion_proof_length",
        ),
        (
            "size_with_leading_zero",
            signed(&text.replace("\n13\n", "\n013\n"), &log_key()),
            "checkpoint_malformed",
        ),
        (
            "signed_by_a_stranger",
            signed(&text, &stranger),
            "log_signature_missing",
        ),
        (
            "checkpoint_of_another_log",
            signed(&moved, &other_origin),
            "origin_mismatch",
        ),
        (
            "bundle_of_another_log",
            {
                let mut value: Value =
                    serde_json::from_str(&signed(&moved, &other_origin)).unwrap();
                value["origin"] = json!(other_origin.name());
                seal(value)
            },
            "log_key_unknown",
        ),
        (
            "origin_changed",
            changed(|b| b["origin"] = json!("example.org/agents/healer")),
            "origin_mismatch",
        ),
        (
            "hasher_changed",
            changed(|b| b["hasher"] = json!("blake3")),
            "hasher_mismatch",
        ),
        (
            "hasher_changed_by_the_log",
            {
                let mut value: Value =
                    serde_json::from_str(&signed(&format!("{text}hasher blake3\n"), &log_key()))
                        .unwrap();
                value["hasher"] = json!("blake3");
                seal(value)
            },
            "inclusion_mismatch",
        ),
        (
            "hasher_unknown",
            changed(|b| b["hasher"] = json!("md5")),
            "bundle_json",
        ),
        (
            "log_signature_changed",
            signature(0, 20),
            "signature_invalid",
        ),
        (
            "log_key_id_changed",
            signature(0, 0),
            "log_signature_missing",
        ),
        (
            "witness_signature_changed",
            signature(1, 40),
            "signature_invalid",
        ),
        (
            "witness_time_changed",
            signature(2, 11),
            "signature_invalid",
        ),
        (
            "witness_key_id_changed",
            signature(2, 0),
            "witnesses_missing",
        ),
        (
            "witnesses_removed",
            seal(serde_json::from_slice(&plain.to_vec().unwrap()).unwrap()),
            "witnesses_missing",
        ),
        (
            "note_without_blank_line",
            with_note(|n| n.replace("\n\n", "\n")),
            "note_malformed",
        ),
        (
            "note_signed_twice",
            with_note(|n| format!("{n}{}\n", n.lines().last().unwrap())),
            "note_malformed",
        ),
        (
            "leaves_swapped",
            changed(|b| b["leaves"].as_array_mut().unwrap().swap(0, 1)),
            "bundle_order",
        ),
        (
            "leaf_twice",
            changed(|b| {
                let l = b["leaves"][0].clone();
                b["leaves"].as_array_mut().unwrap().insert(0, l);
            }),
            "bundle_order",
        ),
        (
            "field_shown_twice",
            changed(|b| {
                let d = b["leaves"][0]["disclosed"][0].clone();
                b["leaves"][0]["disclosed"]
                    .as_array_mut()
                    .unwrap()
                    .insert(0, d);
            }),
            "bundle_order",
        ),
        (
            "no_leaves",
            changed(|b| b["leaves"] = json!([])),
            "bundle_limits",
        ),
        (
            "leaf_removed_without_digest",
            {
                let mut v = good();
                v["leaves"].as_array_mut().unwrap().remove(1);
                canonical(&v)
            },
            "bundle_digest",
        ),
        (
            "erased_added_without_digest",
            {
                let mut v = good();
                v["leaves"][0]["erased"] = json!([1, 20]);
                canonical(&v)
            },
            "bundle_digest",
        ),
        (
            "anchor_added_without_digest",
            {
                let mut v = good();
                v["anchors"] = json!([{"data": "AQID", "kind": "bap-578"}]);
                canonical(&v)
            },
            "bundle_digest",
        ),
        (
            "digest_changed",
            {
                let mut v = good();
                v["digest"] = base64(&[0; 32]);
                canonical(&v)
            },
            "bundle_digest",
        ),
        (
            "digest_missing",
            {
                let mut v = good();
                v.as_object_mut().unwrap().remove("digest");
                canonical(&v)
            },
            "bundle_json",
        ),
        (
            "context_part_changed",
            with_bytes("/leaves/2/context/parts/1/value", |v| v[20] ^= 1),
            "context_mismatch",
        ),
        (
            "context_part_moved",
            changed(|b| b["leaves"][2]["context"]["parts"][3]["part"] = json!(2)),
            "context_mismatch",
        ),
        (
            "context_step_changed",
            with_bytes("/leaves/2/context/steps/0/0", |v| v[0] ^= 1),
            "context_mismatch",
        ),
        (
            "context_steps_joined",
            changed(|b| {
                let s = &mut b["leaves"][2]["context"]["steps"];
                *s = json!([[s[0][0], s[0][1], s[1][0], s[1][1]]]);
            }),
            "context_mismatch",
        ),
        (
            "context_without_head",
            changed(|b| {
                drop(
                    b["leaves"][2]["disclosed"]
                        .as_array_mut()
                        .unwrap()
                        .remove(4),
                )
            }),
            "context_not_disclosed",
        ),
        (
            "context_null",
            changed(|b| b["leaves"][0]["context"] = Value::Null),
            "bundle_json",
        ),
        ("sequence_twice", conflict(), "sequence_conflict"),
        (
            "space_added",
            file.replacen(':', ": ", 1),
            "bundle_not_canonical",
        ),
        (
            "newline_at_the_end",
            format!("{file}\n"),
            "bundle_not_canonical",
        ),
        (
            "members_reordered",
            file.replacen("\"anchors\":[],", "", 1)
                .trim_end_matches('}')
                .to_owned()
                + ",\"anchors\":[]}",
            "bundle_not_canonical",
        ),
        (
            "escaped_needlessly",
            file.replacen("nfa-proof-bundle", "nfa-proof-bundl\\u0065", 1),
            "bundle_not_canonical",
        ),
        (
            "member_unknown",
            changed(|b| b["note"] = json!("trust me")),
            "bundle_json",
        ),
        (
            "member_twice",
            file.replacen("{\"anchors\":[],", "{\"anchors\":[],\"anchors\":[],", 1),
            "bundle_json",
        ),
        (
            "number_with_fraction",
            file.replacen("\"index\":5", "\"index\":5.0", 1),
            "bundle_json",
        ),
        (
            "base64_without_padding",
            file.replacen("==\"", "\"", 1),
            "bundle_json",
        ),
        (
            "base64_with_loose_bits",
            changed(|b| {
                let s = &mut b["leaves"][0]["disclosed"][0]["salt"];
                *s = json!(loosened(s.as_str().unwrap()));
            }),
            "bundle_json",
        ),
        (
            "field_zero",
            changed(|b| b["leaves"][0]["erased"] = json!([0])),
            "bundle_json",
        ),
        (
            "cut_short",
            file[..file.len() / 2].to_owned(),
            "bundle_json",
        ),
        (
            "version_two",
            changed(|b| b["version"] = json!(2)),
            "bundle_version",
        ),
        (
            "version_as_text",
            changed(|b| b["version"] = json!("1")),
            "bundle_version",
        ),
        (
            "other_format",
            changed(|b| b["format"] = json!("nfa-proof-bundel")),
            "bundle_format",
        ),
        (
            "another_file",
            "{\"hello\":\"world\"}".to_owned(),
            "bundle_format",
        ),
        ("not_json", "VALID".to_owned(), "bundle_json"),
    ]
}

#[test]
fn every_tampered_bundle_gives_its_code() {
    let control = canonical(&good());
    assert_eq!(
        control.as_bytes(),
        bundle().to_vec().unwrap(),
        "control: the same writer"
    );
    verify(control.as_bytes(), &policy()).expect("control: the untouched bundle verifies");
    assert_eq!(seal(good()), control, "control: resealing changes nothing");
    for (name, file, code) in tampered() {
        assert_ne!(file, control, "{name} changes something");
        let error = verify(file.as_bytes(), &policy()).expect_err(name);
        assert_eq!(error.code(), code, "{name}: {error}");
    }
}
