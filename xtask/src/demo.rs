//! `cargo xtask demo`: the main job, on a real model, with nothing to set up.

use crate::failure::{Failure, Result};
use crate::model_server::{Log, ModelServer};
use crate::provision::Cache;
use crate::provision::model::{self, Model};
use crate::{process, say, workspace};

const PACKAGE: &str = "nfa-examples";
const EXAMPLE: &str = "demo";

/// Builds the demo and runs it on the user's provider, or on the local model.
pub(crate) fn run() -> Result<()> {
    let exists = workspace::examples()?
        .iter()
        .any(|example| example.package == PACKAGE && example.name == EXAMPLE);
    if !exists {
        return Err(Failure::new(format!(
            "the package {PACKAGE} has no example `{EXAMPLE}`"
        )));
    }

    // Before minutes of building, so that a missing Python is told at once.
    let provider = Provider::choose()?;

    say("building the demo; the first time takes some minutes");
    process::run(process::cargo().args(["build", "--package", PACKAGE, "--example", EXAMPLE]))?;

    let mut cargo = process::cargo();
    cargo.args(["run", "--quiet", "--package", PACKAGE, "--example", EXAMPLE]);
    match provider {
        Provider::Remote {
            base_url,
            model,
            key,
        } => {
            say(format_args!("running on {base_url}, model `{model}`"));
            cargo.env("NFA_DEMO_BASE_URL", base_url);
            cargo.env("NFA_DEMO_MODEL", model);
            cargo.env("NFA_DEMO_API_KEY", key);
            process::run(&mut cargo)
        }
        Provider::Local(model) => {
            let server = ModelServer::start(&model, 0, Log::Kept)?;
            say(format_args!(
                "running on `{}` at {}",
                model::NAME,
                server.url()
            ));
            process::run(cargo.envs(local_environment(&server)))
        }
    }
}

/// What tells a demo or example to use the local model.
pub(crate) fn local_environment(server: &ModelServer) -> [(&'static str, String); 3] {
    [
        ("NFA_DEMO_BASE_URL", server.base_url()),
        ("NFA_DEMO_MODEL", model::NAME.to_owned()),
        // The model has no tool calls of its own.
        ("NFA_DEMO_CONSTRAINED_TOOLS", "1".to_owned()),
    ]
}

enum Provider {
    Remote {
        base_url: String,
        model: String,
        key: String,
    },
    Local(Model),
}

impl Provider {
    fn choose() -> Result<Self> {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        match set("OPENAI_API_KEY") {
            Some(key) => Ok(Self::Remote {
                base_url: set("OPENAI_BASE_URL")
                    .unwrap_or_else(|| "https://api.openai.com/v1".to_owned()),
                model: set("OPENAI_MODEL").unwrap_or_else(|| "gpt-5-mini".to_owned()),
                key,
            }),
            None => Model::get(&Cache::from_environment()?).map(Self::Local),
        }
    }
}
