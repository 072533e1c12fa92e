//! The benchmarks run, from end to end, with counts too small to mean anything.

#![allow(clippy::unwrap_used)]

use std::process::Command;

fn bench(arguments: &[&str]) -> (bool, String, String) {
    let program = env!("CARGO_BIN_EXE_nfa-benches");
    let output = Command::new(program).args(arguments).output().unwrap();
    (
        output.status.success(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn every_part_measures_something() {
    let (success, tables, errors) = bench(&["--smoke"]);
    assert!(success, "{errors}");
    for part in [
        "one model turn, 1 at a time",
        "three tool rounds, 2 at a time",
        "256 streamed chunks, 2 at a time",
        "nfa sqlite full, proof on",
        "first text after the floor's",
        "from the start of a process to its first answer",
        "an idle session of 20 messages",
        "decide and fold",
        "sqlite full, 100 runs",
    ] {
        assert!(tables.contains(part), "no {part:?} in\n{tables}");
    }
    let goals = tables.split("\ngoals\n").nth(1).unwrap();
    // 3 workloads with 4 contenders each, 2 first tokens, 2 starts, a session, the engine, 3 stores.
    assert_eq!(
        goals
            .lines()
            .skip(1)
            .filter(|line| !line.is_empty())
            .count(),
        21
    );
    // Everything was measured; whether it was met says nothing here.
    assert!(!tables.contains(" - "), "{tables}");
}

#[test]
fn a_wrong_argument_is_refused() {
    let (success, _, errors) = bench(&["--quik"]);
    assert!(
        !success && errors.contains("unknown argument `--quik`"),
        "{errors}"
    );
    assert!(bench(&["--smoke", "engine"]).0);
}
