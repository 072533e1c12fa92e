//! The Node package: its tests on every version that it takes.

use std::fs;
use std::process::Command;

use super::tests::count;
use crate::failure::{Failure, Result};
use crate::provision::node::{Node, VERSIONS};
use crate::session::Session;
use crate::summary::{Outcome, Tally};
use crate::{bindings, process};

pub(super) fn run(session: &Session) -> Outcome {
    let mut tests = Tally::default();
    match all(session, &mut tests) {
        Err(failure) => Outcome::from(failure).tests(tests),
        Ok(_) if tests.run() == 0 => Outcome::failed("no test ran"),
        Ok(versions) => Outcome::ok(format!("on Node {}", versions.join(", "))).tests(tests),
    }
}

fn all(session: &Session, tests: &mut Tally) -> Result<Vec<String>> {
    let (node, folder) = bindings::node(session)?;
    let built = session.built()?;
    let mut compiler = Command::new(&node.program);
    compiler.current_dir(&folder).args([
        "node_modules/typescript/bin/tsc",
        "-p",
        "tsconfig.test.json",
    ]);
    process::tee(&mut compiler, None, |_| ())?;

    // Versions of Node differ in what they make of a folder or a pattern.
    let tests_folder = folder.join("build/test");
    let entries =
        fs::read_dir(&tests_folder).map_err(|error| Failure::io(tests_folder.display(), &error))?;
    let mut files: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().ends_with(".test.mjs"))
        .collect();
    files.sort();

    let mut versions = Vec::new();
    for major in VERSIONS {
        let node = Node::get(session.cache(), major)?;
        crate::say(format_args!("tests on Node {}", node.version));
        let mut command = Command::new(&node.program);
        command
            .current_dir(&folder)
            .env("NFA_FAKE_LLM", built.program("fake-llm"))
            .env("NFA_BINARY", built.program("nfa"))
            .args(["--test", "--test-reporter=spec"])
            .args(&files);
        node.first_on_path(&mut command);
        let (counted, ran) = count(&mut command);
        *tests += counted;
        ran?;
        if counted.run() == 0 {
            return Err(Failure::new(format!(
                "no test ran on Node {}",
                node.version
            )));
        }
        versions.push(node.version.trim_start_matches('v').to_owned());
    }
    Ok(versions)
}
