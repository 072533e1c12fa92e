//! The list of erasures: a file beside the store, a line of JSON for each, that outlives the database. Whatever
//! is in it and was not performed on the database that is opened is performed then: after a crash between the
//! destruction of keys and the removal of content, and on a database that was put back from a backup.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use nfa_core::Error;
use nfa_core::ports::ErasureRecord;
use nfa_core::{Category, Component};

use crate::connection::beside;
use crate::failure::{internal, path as wrong_path};

/// Where the list of a store is.
#[derive(Clone, Debug)]
pub(crate) struct ErasureList(PathBuf);

impl ErasureList {
    pub(crate) fn of(store: &Path) -> Self {
        Self(beside(store, ".erased"))
    }

    /// Adds an erasure, durably.
    pub(crate) fn note(&self, erasure: &ErasureRecord) -> Result<(), Error> {
        let mut line = serde_json::to_vec(erasure)
            .map_err(|error| internal("an erasure cannot be written as JSON").with_source(error))?;
        line.push(b'\n');
        self.append(line)
            .map_err(|error| self.failed("cannot be written").with_source(error))
    }

    fn append(&self, mut line: Vec<u8>) -> std::io::Result<()> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&self.0)?;
        if is_torn(&mut file)? {
            // A crash cut the last line off: it must not take this one along.
            line.insert(0, b'\n');
        }
        file.write_all(&line)?;
        file.sync_all()?;
        if let Some(directory) = self.0.parent().filter(|path| !path.as_os_str().is_empty()) {
            sync_directory(directory)?;
        }
        Ok(())
    }

    /// Every erasure, in order. A line that a crash cut off was never acknowledged, and nothing was destroyed
    /// for it yet.
    pub(crate) fn read(&self) -> Result<Vec<ErasureRecord>, Error> {
        let text = match std::fs::read(&self.0) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.failed("cannot be read").with_source(error)),
        };
        let mut erasures = Vec::new();
        for line in text.split(|byte| *byte == b'\n') {
            if line.is_empty() {
                continue;
            }
            match serde_json::from_slice(line) {
                Ok(erasure) => erasures.push(erasure),
                Err(error) if error.is_eof() => {}
                Err(error) => {
                    return Err(Error::new(
                        Component::Store,
                        Category::Configuration,
                        "store_corrupt",
                        format!(
                            "{} holds a line that is no erasure: without the whole list, erased content \
                             might come back; restore the list",
                            self.0.display()
                        ),
                    )
                    .with_source(error));
                }
            }
        }
        Ok(erasures)
    }

    fn failed(&self, what: &str) -> Error {
        wrong_path(&self.0, &format!("the list of erasures {what}"))
    }
}

fn is_torn(file: &mut File) -> std::io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != [b'\n'])
}

#[cfg(unix)]
fn sync_directory(directory: &Path) -> std::io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_directory: &Path) -> std::io::Result<()> {
    // Directories cannot be opened there; their entries are journaled.
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn erasure(id: &str) -> ErasureRecord {
        ErasureRecord {
            id: id.into(),
            ..ErasureRecord::default()
        }
    }

    #[test]
    fn a_line_that_was_cut_off_is_passed_over_and_a_damaged_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let list = ErasureList::of(&directory.path().join("a.db"));
        assert!(list.read().unwrap().is_empty());
        list.note(&erasure("1")).unwrap();
        let mut torn = std::fs::read(&list.0).unwrap();
        torn.extend_from_slice(b"{\"id\":\"2");
        std::fs::write(&list.0, &torn).unwrap();
        list.note(&erasure("3")).unwrap();
        assert_eq!(list.read().unwrap(), [erasure("1"), erasure("3")]);
        std::fs::write(&list.0, b"{\"id\":7}\n").unwrap();
        assert_eq!(list.read().unwrap_err().code(), "store_corrupt");
    }
}
