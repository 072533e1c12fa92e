//! A forger's tools: changes to a good bundle, written as canonically as a good one, with a fresh
//! digest.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::Digest as _;

use crate::sample::{ORIGIN, bundle, header, leaf, log_key, salt, witness};
use nfa_proof::*;

/// Canonical JSON, also when a dependency switches serde_json's order of members.
pub(crate) fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut keys: Vec<&String> = members.keys().collect();
            keys.sort();
            let member = |key: &String| format!("{}:{}", json!(key), canonical(&members[key]));
            format!(
                "{{{}}}",
                keys.into_iter().map(member).collect::<Vec<_>>().join(",")
            )
        }
        Value::Array(items) => {
            format!(
                "[{}]",
                items.iter().map(canonical).collect::<Vec<_>>().join(",")
            )
        }
        other => other.to_string(),
    }
}

pub(crate) fn seal(mut value: Value) -> String {
    value.as_object_mut().unwrap().remove("digest");
    let digest = sha2::Sha256::digest(canonical(&value));
    value["digest"] = json!(STANDARD.encode(digest));
    canonical(&value)
}

pub(crate) fn base64(bytes: &[u8]) -> Value {
    json!(STANDARD.encode(bytes))
}

pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap()).unwrap()
}

pub(crate) fn good() -> Value {
    serde_json::from_slice(&bundle().to_vec().unwrap()).unwrap()
}

/// A tampered bundle, resealed.
pub(crate) fn changed(change: impl FnOnce(&mut Value)) -> String {
    let mut value = good();
    change(&mut value);
    seal(value)
}

/// A bundle with a change to the bytes of a member.
pub(crate) fn with_bytes(path: &str, change: impl FnOnce(&mut Vec<u8>)) -> String {
    changed(|b| {
        let member = b.pointer_mut(path).unwrap();
        let mut content = bytes(member);
        change(&mut content);
        *member = base64(&content);
    })
}

pub(crate) fn with_note(change: impl FnOnce(String) -> String) -> String {
    changed(|b| b["checkpoint"] = json!(change(b["checkpoint"].as_str().unwrap().to_owned())))
}

/// The bundle with the checkpoint signed anew over `text`, witnesses and all.
pub(crate) fn signed(text: &str, key: &Signer) -> String {
    with_note(|_| {
        let mut note = Note::new(text).unwrap();
        note.sign(key).unwrap();
        for number in 1..=2 {
            let line = witness(number).cosign(&note, 1);
            note.add(line).unwrap();
        }
        note.to_string()
    })
}

/// Changes the bytes of the signature on a line of the note (0 is the log's).
pub(crate) fn signature(line: usize, at: usize) -> String {
    with_note(|note| {
        let (text, lines) = note.rsplit_once("\n\n").unwrap();
        let mut lines: Vec<String> = lines.lines().map(str::to_owned).collect();
        let (who, signature) = lines[line].rsplit_once(' ').unwrap();
        let mut signature = STANDARD.decode(signature).unwrap();
        signature[at] ^= 1;
        lines[line] = format!("{who} {}", STANDARD.encode(signature));
        format!("{text}\n\n{}\n", lines.join("\n"))
    })
}

pub(crate) fn conflict() -> String {
    let shown = Opening::new(FieldId::PROMPT, salt(1), "one");
    let other = Opening::new(FieldId::PROMPT, salt(2), "two");
    let leaves = [&shown, &other].map(|opening| {
        leaf(
            header(LeafKind::Interaction, 4, None),
            std::slice::from_ref(opening),
        )
    });
    let mut tree = MemoryTree::<Sha256>::new();
    for leaf in &leaves {
        tree.append(Sha256::leaf(&leaf.encode())).unwrap();
    }
    let checkpoint = Checkpoint::new::<Sha256>(ORIGIN, 2, tree.root()).unwrap();
    let mut note = checkpoint.sign(&log_key()).unwrap();
    for number in 1..=2 {
        let line = witness(number).cosign(&note, 1);
        note.add(line).unwrap();
    }
    let proof =
        |(leaf, index)| LeafProof::new(leaf, index, tree.inclusion_proof(index, 2).unwrap());
    let proofs = leaves.iter().zip(0..).map(proof).collect();
    String::from_utf8(Bundle::new(note, proofs).unwrap().to_vec().unwrap()).unwrap()
}

/// Where the eight bytes of a leaf's time begin: after `07 1b`, the last such pair before the
/// parent or the fields.
pub(crate) fn time_at(leaf: &[u8]) -> usize {
    leaf.windows(2)
        .position(|pair| pair == [0x07, 0x1b])
        .unwrap()
        + 2
}

/// The same bytes for a lax decoder: a bit that padding leaves over is set.
pub(crate) fn loosened(text: &str) -> String {
    let body = text.strip_suffix('=').unwrap();
    let (rest, last) = body.split_at(body.len() - 1);
    let last = last.as_bytes()[0];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let at = alphabet.iter().position(|c| *c == last).unwrap();
    format!("{rest}{}=", alphabet[at + 1] as char)
}
