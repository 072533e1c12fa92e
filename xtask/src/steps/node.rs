//! The Node package: its tests on every version that it takes, and what resolvers of packages say.

use std::path::Path;
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
    let built = session.built()?;
    let (node, folder) = bindings::node(session, built)?;
    let script = |name: &str| folder.join("node_modules").join(name);
    let of_node = |script: &Path| {
        let mut command = Command::new(&node.program);
        command.current_dir(&folder).arg(script);
        node.first_on_path(&mut command);
        command
    };
    quietly(of_node(&script("typescript/bin/tsc")).args(["-p", "tsconfig.test.json"]))?;

    let mut versions = Vec::new();
    for major in VERSIONS {
        let node = Node::get(session.cache(), major)?;
        crate::say(format_args!("tests on Node {}", node.version));
        let mut command = Command::new(&node.program);
        command
            .current_dir(&folder)
            .env("NFA_FAKE_LLM", built.program("fake-llm"))
            .env("NFA_BINARY", built.program("nfa"))
            .args(["--test", "--test-reporter=spec", "build/test/"]);
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

    quietly(of_node(&script("publint/src/cli.js")).arg("--strict"))?;
    // `--pack` asks npm for the tarball.
    quietly(of_node(&script("@arethetypeswrong/cli/dist/index.js")).args(["--pack", "."]))?;
    Ok(versions)
}

fn quietly(command: &mut Command) -> Result<()> {
    process::tee(command, None, |_| ())
}
