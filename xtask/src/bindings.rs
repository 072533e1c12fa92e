//! The packages of other languages: what cargo builds of them and of their tests, and where that goes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::failure::{Failure, Result};
use crate::provision::node::{self, Node};
use crate::session::Session;
use crate::{process, workspace};

/// The folder with the binaries and libraries of the bindings.
#[derive(Debug, Clone)]
pub(crate) struct Built {
    pub(crate) folder: PathBuf,
}

impl Built {
    /// Builds the native modules, the command line and the fake server.
    pub(crate) fn get() -> Result<Self> {
        // Whole, and with the examples: then dependencies have the features that they have for the tests, and none
        // is compiled a second time.
        let mut cargo = process::cargo();
        cargo.args(["build", "--workspace", "--lib", "--bins", "--examples"]);
        process::tee(&mut cargo, None, |_| ())?;
        Ok(Self {
            folder: target_folder()?.join("debug"),
        })
    }

    /// A program.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.folder
            .join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    }

    fn library(&self, name: &str) -> PathBuf {
        use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
        self.folder.join(format!("{DLL_PREFIX}{name}{DLL_SUFFIX}"))
    }
}

/// The folder of the Python package, with its native module in place.
pub(crate) fn python(built: &Built) -> Result<PathBuf> {
    let folder = workspace::root().join("bindings/python/python");
    let name = match cfg!(windows) {
        true => "_native.pyd",
        false => "_native.abi3.so",
    };
    place(
        &built.library("_native"),
        &folder.join("nfa_runtime").join(name),
    )?;
    Ok(folder)
}

/// The folder of the Node package, with what npm brings.
pub(crate) fn node_modules(session: &Session) -> Result<(&Node, PathBuf)> {
    let node = session.node()?;
    let folder = workspace::root().join("bindings/node");
    node::modules(session.cache(), node, &folder)?;
    Ok((node, folder))
}

/// The folder of the Node package, built.
pub(crate) fn node(session: &Session) -> Result<(&Node, PathBuf)> {
    // Before minutes of building, so that a refusal to install is told at once.
    let (node, folder) = node_modules(session)?;
    let built = session.built()?;
    let mut build = Command::new(&node.program);
    build
        .arg(folder.join("scripts/build.mjs"))
        .arg("--library")
        .arg(built.library("nfa_node"));
    node.first_on_path(&mut build);
    process::run_on_stderr(&mut build)?;
    Ok((node, folder))
}

/// Copies beside the place and then over it: a process that has the old file mapped keeps it.
fn place(from: &Path, to: &Path) -> Result<()> {
    let beside = to.with_extension("new");
    fs::copy(from, &beside)
        .and_then(|_| fs::rename(&beside, to))
        .map_err(|error| Failure::io(to.display(), &error))
}

fn target_folder() -> Result<PathBuf> {
    let mut cargo = process::cargo();
    let text = process::capture(cargo.args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: Option<Value> = serde_json::from_str(&text).ok();
    metadata
        .as_ref()
        .and_then(|metadata| metadata.get("target_directory")?.as_str())
        .map(PathBuf::from)
        .ok_or_else(|| Failure::new("`cargo metadata` names no target folder"))
}
