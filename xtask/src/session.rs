//! What the steps of one run share: fetched and started once, when first needed.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use crate::bindings::Built;
use crate::failure::Result;
use crate::model_server::{Log, ModelServer};
use crate::provision::Cache;
use crate::provision::model::Model;
use crate::provision::node::{self, Node};
use crate::provision::python::{BINDINGS, Environment, Packages, VERIFIER};
use crate::workspace;

/// The shared parts of a run.
#[derive(Debug)]
pub(crate) struct Session {
    cache: Cache,
    model_server: OnceCell<Result<ModelServer>>,
    verifier: OnceCell<Result<PathBuf>>,
    bindings: OnceCell<Result<Environment>>,
    node: OnceCell<Result<Node>>,
    built: OnceCell<Result<Built>>,
}

impl Session {
    pub(crate) fn new(cache: Cache) -> Self {
        Self {
            cache,
            model_server: OnceCell::new(),
            verifier: OnceCell::new(),
            bindings: OnceCell::new(),
            node: OnceCell::new(),
            built: OnceCell::new(),
        }
    }

    /// Where fetched things are kept.
    pub(crate) fn cache(&self) -> &Cache {
        &self.cache
    }

    /// The real model, served on loopback.
    pub(crate) fn model_server(&self) -> Result<&ModelServer> {
        self.model_server
            .get_or_init(|| ModelServer::start(&Model::get(&self.cache)?, 0, Log::Kept))
            .as_ref()
            .map_err(Clone::clone)
    }

    /// A Python with what the stranger's verifier imports.
    pub(crate) fn verifier_python(&self) -> Result<PathBuf> {
        self.verifier
            .get_or_init(|| Ok(Environment::get(&self.cache, &VERIFIER)?.python()))
            .clone()
    }

    /// A Python with what builds, tests and checks the Python package.
    pub(crate) fn bindings(&self) -> Result<&Environment> {
        self.bindings
            .get_or_init(|| Environment::get(&self.cache, &BINDINGS))
            .as_ref()
            .map_err(Clone::clone)
    }

    /// What cargo builds of the packages of other languages.
    pub(crate) fn built(&self) -> Result<&Built> {
        self.built
            .get_or_init(Built::get)
            .as_ref()
            .map_err(Clone::clone)
    }

    /// Some Node that the Node package takes.
    pub(crate) fn node(&self) -> Result<&Node> {
        self.node
            .get_or_init(|| Node::any(&self.cache))
            .as_ref()
            .map_err(Clone::clone)
    }

    /// A tool of `xtask/node-tools`: the program to run with Node.
    pub(crate) fn node_tool(&self, script: &str) -> Result<PathBuf> {
        let manifest = workspace::root().join("xtask/node-tools");
        let folder = node::tools(&self.cache, self.node()?, &manifest)?;
        Ok(folder.join("node_modules").join(Path::new(script)))
    }

    /// A tool that PyPI carries.
    pub(crate) fn tool(&self, packages: &Packages, program: &str) -> Result<PathBuf> {
        Environment::get(&self.cache, packages)?.program(program)
    }
}
