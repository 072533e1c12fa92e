//! Opening a runtime by URL, with the batteries that the features put in.

use std::ops::Deref;
use std::sync::Arc;

use nfa_core::ports::{Keys, Store};
use nfa_core::runtime::{ModelProvider, RuntimeBuilder, ToolProvider};
use nfa_core::{Category, Component, Error};

/// Where agents run: [`nfa_core::runtime::Runtime`] with a store, models and tools already in place.
#[derive(Clone, Debug)]
pub struct Runtime(nfa_core::runtime::Runtime);

impl Deref for Runtime {
    type Target = nfa_core::runtime::Runtime;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Runtime {
    /// Opens the store at `url`, with every default.
    ///
    /// `memory:` keeps everything in this process. `sqlite:PATH` keeps it in one file, made if absent, with
    /// its keys beside it; `?durability=relaxed` survives `kill -9` but not a loss of power, and is quicker.
    ///
    /// # Errors
    /// `store_url_invalid` for another URL, and what the store gives.
    pub async fn open(url: &str) -> Result<Self, Error> {
        Self::options().open(url).await
    }

    /// Opens with your own choices.
    pub fn options() -> RuntimeOptions {
        RuntimeOptions {
            builder: nfa_core::runtime::Runtime::builder(),
            models: None,
            tools: None,
        }
    }
}

/// Choices for a [`Runtime`].
#[must_use = "nothing is open until `open` is called"]
pub struct RuntimeOptions {
    builder: RuntimeBuilder,
    models: Option<Arc<dyn ModelProvider>>,
    tools: Option<Arc<dyn ToolProvider>>,
}

impl RuntimeOptions {
    /// Changes what [`RuntimeBuilder`] offers: proof, leases, concurrency and the rest.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), nfa_runtime::Error> {
    /// let runtime = nfa_runtime::Runtime::options()
    ///     .with(|builder| builder.proof(false).concurrency(64))
    ///     .open("memory:")
    ///     .await?;
    /// # runtime.close().await }
    /// ```
    pub fn with(mut self, change: impl FnOnce(RuntimeBuilder) -> RuntimeBuilder) -> Self {
        self.builder = change(self.builder);
        self
    }

    /// Makes models from their names in another way than the built-in providers: by `models::Providers` with
    /// providers, prices, limits or a meter of your own, or by any [`ModelProvider`].
    pub fn models(mut self, models: Arc<dyn ModelProvider>) -> Self {
        self.models = Some(models);
        self
    }

    /// Makes tools from their specs in another way than running programs.
    pub fn tools(mut self, tools: Arc<dyn ToolProvider>) -> Self {
        self.tools = Some(tools);
        self
    }

    /// Opens with the store and keys that [`RuntimeBuilder::store`] was given, or in memory.
    ///
    /// # Errors
    /// As [`RuntimeBuilder::build`].
    pub fn build(self) -> Result<Runtime, Error> {
        let mut builder = self.builder;
        if let Some(models) = self.models.or_else(built_in_models) {
            builder = builder.models(models);
        }
        if let Some(tools) = self.tools.or_else(built_in_tools) {
            builder = builder.tools(tools);
        }
        builder.build().map(Runtime)
    }

    /// Opens the store at `url`, as [`Runtime::open`] does.
    ///
    /// # Errors
    /// As [`Runtime::open`].
    pub async fn open(self, url: &str) -> Result<Runtime, Error> {
        match open_store(url).await? {
            Some((store, keys)) => self.with(|builder| builder.store(store, keys)).build(),
            None => self.build(),
        }
    }
}

/// A store, and who holds its keys.
pub(crate) type StoreAndKeys = (Arc<dyn Store>, Arc<dyn Keys>);

/// The store at `url`; `None` for the runtime's own, in memory.
pub(crate) async fn open_store(url: &str) -> Result<Option<StoreAndKeys>, Error> {
    let (scheme, _) = url.split_once(':').unwrap_or((url, ""));
    match scheme {
        "memory" => Ok(None),
        #[cfg(feature = "sqlite")]
        "sqlite" => {
            let store = nfa_store::SqliteStore::open_url(url)?;
            let keys = store.keys();
            Ok(Some((Arc::new(store), keys)))
        }
        _ => Err(Error::new(
            Component::Store,
            Category::Input,
            "store_url_invalid",
            format!(
                "expected `memory:` or `sqlite:PATH`, found `{}`",
                url.chars().take(80).collect::<String>()
            ),
        )),
    }
}

fn built_in_models() -> Option<Arc<dyn ModelProvider>> {
    #[cfg(feature = "models")]
    return Some(Arc::new(nfa_models::Providers::new()));
    #[cfg(not(feature = "models"))]
    return None;
}

fn built_in_tools() -> Option<Arc<dyn ToolProvider>> {
    #[cfg(feature = "command-tools")]
    return Some(Arc::new(commands::Commands));
    #[cfg(not(feature = "command-tools"))]
    return None;
}

#[cfg(feature = "command-tools")]
mod commands {
    use super::*;

    pub(super) struct Commands;

    impl ToolProvider for Commands {
        fn tool(
            &self,
            spec: &nfa_core::spec::ToolSpec,
        ) -> Result<Option<Arc<dyn nfa_core::ports::Tool>>, Error> {
            if spec.command.is_none() {
                return Ok(None);
            }
            Ok(Some(Arc::new(nfa_tools::CommandToolRunner::new(
                spec.clone(),
            )?)))
        }
    }
}
