//! An exported log as a folder of files.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use nfa_proof::{TilePath, TileSink, TileSource};

/// A folder that a log is exported to, or audited in: [`TileSink`] and [`TileSource`].
///
/// A file is written whole under another name, synced and renamed, so that a reader sees the old one or the new
/// one. A file that has its bytes already is left as it is.
///
/// ```
/// use nfa_runtime::LogFolder;
/// use nfa_runtime::proof::{TileSink, TileSource};
/// # let place = std::env::temp_dir().join(format!("nfa-log-folder-{}", std::process::id()));
/// let mut folder = LogFolder::new(&place);
/// folder.put("tile/0/000.p/1", &[7; 32])?;
/// assert_eq!(folder.get("tile/0/000.p/1")?, Some(vec![7; 32]));
/// assert_eq!(folder.get("checkpoint")?, None);
/// # std::fs::remove_dir_all(place)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LogFolder {
    path: PathBuf,
    written: u64,
}

impl LogFolder {
    /// The folder at `path`; it is made with the first file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            written: 0,
        }
    }

    /// How many files were written.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// The file of a path of an export, and of no other: a path never leads out of the folder.
    fn file(&self, path: &str) -> io::Result<PathBuf> {
        match TilePath::parse(path) {
            Some(_) => Ok(self.path.join(path)),
            None => Err(io::Error::new(
                ErrorKind::InvalidInput,
                format!("`{path}` is no file of an exported log"),
            )),
        }
    }
}

impl TileSource for LogFolder {
    type Error = io::Error;

    fn get(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let file = self.file(path)?;
        match fs::read(&file) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(named(&file, error)),
        }
    }
}

impl TileSink for LogFolder {
    type Error = io::Error;

    fn put(&mut self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let file = self.file(path)?;
        if self.get(path)?.is_some_and(|there| there == bytes) {
            return Ok(());
        }
        replace(&file, bytes).map_err(|error| named(&file, error))?;
        self.written += 1;
        Ok(())
    }
}

fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    // A partial tile has a folder of its own, so a suffix meets no other file.
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    let mut new = File::create(&beside)?;
    new.write_all(bytes)?;
    new.sync_all()?;
    drop(new);
    fs::rename(&beside, file)
}

fn named(file: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", file.display()))
}
