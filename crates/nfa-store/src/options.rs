//! How a store is opened, and the URLs that say so.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use nfa_core::ports::{Clock, Durability, SystemClock};
use nfa_core::{Category, Component, Error};

/// How a store is opened.
#[derive(Clone)]
pub struct Options {
    /// What a completed commit survives.
    pub durability: Durability,
    /// By which leases run. Processes that share a file must have the same time.
    pub clock: Arc<dyn Clock>,
    /// How many threads read beside the one that writes.
    pub readers: usize,
    /// How long a write waits for other processes before it fails with `store_busy`.
    pub patience: Duration,
    /// The most pages of 2 KiB that the file may have; as many as fit, when `None`.
    pub max_pages: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            durability: Durability::Full,
            clock: Arc::new(SystemClock),
            readers: 2,
            patience: Duration::from_secs(5),
            max_pages: None,
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("durability", &self.durability)
            .field("readers", &self.readers)
            .field("patience", &self.patience)
            .field("max_pages", &self.max_pages)
            .finish_non_exhaustive()
    }
}

impl Options {
    /// The defaults with this durability.
    pub fn with_durability(durability: Durability) -> Self {
        Self {
            durability,
            ..Self::default()
        }
    }
}

/// A store's URL: `sqlite:agents.db`, `sqlite:///var/lib/agents.db?durability=relaxed`, or
/// `sqlite::memory:`, which keeps nothing.
///
/// ```
/// use nfa_core::ports::Durability;
/// use nfa_store::SqliteUrl;
///
/// let url: SqliteUrl = "sqlite:agents.db?durability=relaxed".parse()?;
/// assert_eq!(url.path.to_str(), Some("agents.db"));
/// assert_eq!(url.durability, Durability::Relaxed);
///
/// let error = "sqlite:agents.db?durability=some".parse::<SqliteUrl>().unwrap_err();
/// assert_eq!(error.code(), "store_url_invalid");
/// # Ok::<(), nfa_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqliteUrl {
    /// The file; empty for a store in memory.
    pub path: PathBuf,
    /// What a completed commit survives.
    pub durability: Durability,
}

impl FromStr for SqliteUrl {
    type Err = Error;

    fn from_str(url: &str) -> Result<Self, Error> {
        let rest = url.strip_prefix("sqlite:").ok_or_else(|| {
            invalid(format!(
                "expected a URL such as `sqlite:agents.db`, found `{url}`"
            ))
        })?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let path = path.strip_prefix("//").unwrap_or(path);
        let in_memory = path == ":memory:";
        if path.is_empty() {
            return Err(invalid(format!(
                "expected a path after `sqlite:`, found `{url}`"
            )));
        }
        let mut durability = if in_memory {
            Durability::Memory
        } else {
            Durability::Full
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            durability = match pair.split_once('=') {
                Some(("durability", "full")) if !in_memory => Durability::Full,
                Some(("durability", "relaxed")) if !in_memory => Durability::Relaxed,
                Some(("durability", "memory")) => Durability::Memory,
                Some(("durability", value)) => {
                    return Err(invalid(format!(
                        "expected durability `full`, `relaxed` or `memory` (`:memory:` knows only the \
                         last), found `{value}`"
                    )));
                }
                _ => {
                    return Err(invalid(format!(
                        "expected only `durability=…` after `?`, found `{pair}`"
                    )));
                }
            };
        }
        Ok(Self {
            path: if in_memory {
                PathBuf::new()
            } else {
                path.into()
            },
            durability,
        })
    }
}

fn invalid(message: String) -> Error {
    Error::new(
        Component::Store,
        Category::Input,
        "store_url_invalid",
        message,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_a_path_and_a_durability() {
        let url = |text: &str| text.parse::<SqliteUrl>();
        let full = url("sqlite:dir/agents.db").unwrap();
        assert_eq!(full.path, PathBuf::from("dir/agents.db"));
        assert_eq!(full.durability, Durability::Full);
        assert_eq!(
            url("sqlite:///a/b.db").unwrap().path,
            PathBuf::from("/a/b.db")
        );
        assert_eq!(
            url("sqlite:/a/b.db").unwrap().path,
            PathBuf::from("/a/b.db")
        );
        let memory = url("sqlite::memory:").unwrap();
        assert_eq!(memory.durability, Durability::Memory);
        for wrong in [
            "agents.db",
            "sqlite:",
            "sqlite:a.db?speed=high",
            "sqlite:a.db?durability=none",
            "sqlite::memory:?durability=full",
        ] {
            assert_eq!(
                url(wrong).unwrap_err().code(),
                "store_url_invalid",
                "{wrong}"
            );
        }
    }
}
