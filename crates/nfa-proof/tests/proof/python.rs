//! Programs in another language: a verifier that was written from the page alone, and a tree that
//! a stranger wrote. `NFA_PYTHON` names a python3 with the packages of
//! `tests/verifier/requirements.txt`; without it these tests say so and pass.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::sample::hex;
use crate::vectors::{INPUTS, counted, hexes, known, root};
use nfa_proof::*;

/// A script of `tests/verifier` and what it said of `input`; `None` where there is no Python.
fn run(script: &str, arguments: &[&Path], input: &str) -> Option<Output> {
    let Some(python) = std::env::var_os("NFA_PYTHON") else {
        println!("skipped: NFA_PYTHON is unset; see the top of this file");
        return None;
    };
    let mut child = Command::new(python)
        .arg(root().join("tests/verifier").join(script))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python starts");
    // A script that ends before it has read everything says why on its standard error.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    Some(child.wait_with_output().unwrap())
}

fn agrees(output: &Output) {
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    assert!(
        output.status.success() && last.starts_with("all "),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    println!("{last}");
}

#[test]
fn a_strangers_verifier_agrees() {
    let folder = root().join("docs/vectors");
    let check = |folder: &Path| run("verify.py", &[Path::new("--vectors"), folder], "");
    let Some(output) = check(&folder) else { return };
    agrees(&output);
    // Control: it can disagree.
    assert!(!check(&root().join("docs")).unwrap().status.success());
}

/// A tree with its root at every size, and these proofs.
fn made(
    tree: &MemoryTree<Sha256>,
    leaves: &[String],
    inclusion: &[(u64, u64)],
    consistency: &[(u64, u64)],
) -> Value {
    let roots = (0..=tree.size()).map(|size| hex(&tree.root_at(size).unwrap()));
    let inclusion = inclusion.iter().map(|(index, size)| {
        let proof = tree.inclusion_proof(*index, *size).unwrap();
        json!([index, size, hexes(&proof)])
    });
    let consistency = consistency.iter().map(|(old, new)| {
        let proof = tree.consistency_proof(*old, *new).unwrap();
        json!([old, new, hexes(&proof)])
    });
    json!({
        "leaves": leaves,
        "roots": roots.collect::<Vec<_>>(),
        "inclusion": inclusion.collect::<Vec<_>>(),
        "consistency": consistency.collect::<Vec<_>>(),
    })
}

#[test]
fn pymerkle_has_the_same_tree() {
    const ALL: u64 = 100;
    let edges = [127, 128, 129, 255, 256, 257, 511, 512, 513, 767, 999, 1000];
    let mut inclusion: Vec<(u64, u64)> = (1..=ALL)
        .flat_map(|size| (0..size).map(move |index| (index, size)))
        .collect();
    let mut consistency: Vec<(u64, u64)> = (1..=ALL)
        .flat_map(|new| (1..=new).map(move |old| (old, new)))
        .collect();
    for size in edges {
        inclusion.extend((0..size).step_by(37).chain([size - 1]).map(|i| (i, size)));
        consistency.extend((1..=size).step_by(41).map(|old| (old, size)));
        consistency.extend(
            edges
                .iter()
                .filter(|old| **old <= size)
                .map(|old| (*old, size)),
        );
    }
    let counted = counted::<Sha256>();
    let leaves: Vec<String> = (0..1000_u64)
        .map(|index| hex(&index.to_be_bytes()))
        .collect();
    let small = |(_, size): &&(u64, u64)| *size <= 8;
    let known = made(
        &known(),
        &INPUTS.map(str::to_owned),
        &inclusion.iter().filter(small).copied().collect::<Vec<_>>(),
        &consistency
            .iter()
            .filter(small)
            .copied()
            .collect::<Vec<_>>(),
    );
    let large = made(&counted, &leaves, &inclusion, &consistency);
    let Some(output) = run("peer.py", &[], &json!([known, large]).to_string()) else {
        return;
    };
    if String::from_utf8_lossy(&output.stderr).contains("No module named 'pymerkle'") {
        println!("skipped: this Python has no pymerkle, which needs Python 3.11");
        return;
    }
    agrees(&output);

    // Controls: it can disagree, on a root, an inclusion proof and a consistency proof.
    for changed in ["/0/roots/5", "/0/inclusion/9/2/0", "/0/consistency/7/2/0"] {
        let mut trees = json!([known]);
        let place = trees.pointer_mut(changed).unwrap();
        *place = json!(hex(&[7; 32]));
        let output = run("peer.py", &[], &trees.to_string()).unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && said.contains("expected"),
            "{changed}: {said}"
        );
    }
}
