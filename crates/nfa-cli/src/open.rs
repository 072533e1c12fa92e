//! The runtime that a command works on, and what every command needs around it.

use std::path::Path;

use nfa_core::ids::RunId;
use nfa_core::ports::RunFilter;
use nfa_core::{Category, Component, Error};
use nfa_runtime::Runtime;
use tokio::task::JoinHandle;

use crate::input::Lines;
use crate::interrupt::Interrupts;
use crate::witnesses::Witnesses;

/// An open runtime, with whoever may interrupt it.
pub(crate) struct Session {
    pub(crate) runtime: Runtime,
    pub(crate) store: String,
    pub(crate) interrupts: Interrupts,
    pub(crate) lines: Lines,
    witnesses: Witnesses,
    closing: Option<JoinHandle<Result<(), Error>>>,
}

impl Session {
    /// Opens the store at `url`, making it if it is a file that is absent.
    pub(crate) async fn open(url: &str, witnesses: &Witnesses) -> Result<Self, Error> {
        Ok(Self {
            // First, so that a Ctrl-C while the store opens is not lost.
            interrupts: Interrupts::listen()?,
            runtime: witnesses.asked_by(Runtime::options()).open(url).await?,
            store: url.to_owned(),
            lines: Lines::default(),
            witnesses: witnesses.clone(),
            closing: None,
        })
    }

    /// Opens the store at `url`, which must be there: a command that only looks makes no file.
    pub(crate) async fn open_existing(url: &str) -> Result<Self, Error> {
        Self::open_existing_with(url, &Witnesses::default()).await
    }

    /// The same, asking these witnesses.
    pub(crate) async fn open_existing_with(
        url: &str,
        witnesses: &Witnesses,
    ) -> Result<Self, Error> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.split('?').next().unwrap_or(path);
            if !Path::new(path).exists() {
                return Err(Error::new(
                    Component::Cli,
                    Category::Input,
                    "store_missing",
                    format!(
                        "expected a store in the file `{path}`, found none: name it with --store or NFA_STORE"
                    ),
                ));
            }
        }
        Self::open(url, witnesses).await
    }

    /// Begins to close: runs stop where they can be gone on with.
    pub(crate) fn begin_closing(&mut self) {
        if self.closing.is_none() {
            let runtime = self.runtime.clone();
            self.closing = Some(tokio::spawn(async move { runtime.close().await }));
        }
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    /// The witnesses that are asked.
    pub(crate) fn witnesses(&self) -> Witnesses {
        self.witnesses.clone()
    }

    /// Closes, or waits until it is closed.
    pub(crate) async fn close(mut self) -> Result<(), Error> {
        match self.closing.take() {
            Some(closing) => closing.await.unwrap_or_else(|error| {
                Err(Error::new(
                    Component::Cli,
                    Category::Internal,
                    "close_failed",
                    error.to_string(),
                ))
            }),
            None => self.runtime.close().await,
        }
    }

    /// The run whose id is `text` or begins with it.
    pub(crate) async fn find_run(&self, text: &str) -> Result<RunId, Error> {
        const MOST: usize = 1_000_000;
        if let Ok(run) = text.parse() {
            return self.runtime.run_record(run).await.map(|record| record.run);
        }
        let hexadecimal = text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if text.is_empty() || text.len() > 32 || !hexadecimal {
            return Err(Error::new(
                Component::Cli,
                Category::Input,
                "invalid_run_id",
                format!(
                    "expected a run's id or the beginning of one, lower-case hexadecimal digits; found `{text}`: `nfa runs` lists them"
                ),
            ));
        }
        let filter = RunFilter {
            limit: Some(MOST),
            ..RunFilter::default()
        };
        let mut found = self.runtime.runs(filter).await?;
        found.retain(|record| record.run.to_string().starts_with(text));
        match &found[..] {
            [one] => Ok(one.run),
            [] => Err(Error::new(
                Component::Cli,
                Category::Input,
                "run_unknown",
                format!("no run's id begins with `{text}`: `nfa runs` lists them"),
            )),
            several => {
                let ids: Vec<_> = several
                    .iter()
                    .take(5)
                    .map(|record| record.run.to_string())
                    .collect();
                Err(Error::new(
                    Component::Cli,
                    Category::Input,
                    "run_ambiguous",
                    format!(
                        "{} runs begin with `{text}`: {}",
                        several.len(),
                        ids.join(", ")
                    ),
                ))
            }
        }
    }

    /// A command line that the person can copy, on the same store.
    pub(crate) fn command(&self, words: &str) -> String {
        let usual = std::env::var("NFA_STORE").unwrap_or_else(|_| "sqlite:nfa.db".to_owned());
        if self.store == usual {
            return format!("nfa {words}");
        }
        format!(
            "nfa {words} --store '{}'",
            self.store.replace('\'', r"'\''")
        )
    }
}
