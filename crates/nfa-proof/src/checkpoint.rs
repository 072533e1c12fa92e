//! Checkpoints (C2SP tlog-checkpoint): how large a log is, and its root at that size.

use crate::encoding::{from_base64, parse_size, to_base64};
use crate::error::{ErrorCode, ProofError};
use crate::note::Note;
use crate::note::key::check_name;
use crate::note::signer::Signer;
use crate::tree::{Hash, Hasher, HasherKind, check_size};

const HASHER: &str = "hasher ";

/// What a log signs about itself.
///
/// ```
/// use nfa_proof::{Checkpoint, Hasher, Sha256};
/// let checkpoint = Checkpoint::new::<Sha256>("example.org/log", 0, Sha256::empty())?;
/// assert_eq!(
///     checkpoint.to_text(),
///     "example.org/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
/// );
/// # Ok::<(), nfa_proof::ProofError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
    hasher: HasherKind,
    extensions: Vec<String>,
}

impl Checkpoint {
    /// The checkpoint of a log whose tree hashes with `H`.
    ///
    /// # Errors
    /// `checkpoint_malformed` when the origin cannot be a key's name; `tree_size`.
    pub fn new<H: Hasher>(origin: &str, size: u64, root: Hash) -> Result<Self, ProofError> {
        check_name(origin, ErrorCode::CheckpointMalformed)?;
        check_size(size)?;
        let extensions = match H::KIND {
            HasherKind::Sha256 => Vec::new(),
            other => vec![format!("{HASHER}{}", other.as_str())],
        };
        Ok(Self {
            origin: origin.to_owned(),
            size,
            root,
            hasher: H::KIND,
            extensions,
        })
    }

    /// Adds a line after the root. Prefer none: witnesses may refuse it.
    ///
    /// # Errors
    /// `checkpoint_malformed` when it is empty, not one line, or names a hasher.
    pub fn with_extension(mut self, line: &str) -> Result<Self, ProofError> {
        if line.is_empty() || line.contains(char::is_control) || line.starts_with(HASHER) {
            return Err(malformed(
                "an extension is one line, not empty, and names no hasher",
            ));
        }
        self.extensions.push(line.to_owned());
        Ok(self)
    }

    /// Which log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// How many leaves it has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Its root at that size.
    pub fn root(&self) -> &Hash {
        &self.root
    }

    /// What its tree hashes with.
    pub fn hasher(&self) -> HasherKind {
        self.hasher
    }

    /// The lines after the root.
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }

    /// The text that is signed.
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "{}\n{}\n{}\n",
            self.origin,
            self.size,
            to_base64(&self.root)
        );
        for line in &self.extensions {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// Reads a checkpoint's text.
    ///
    /// # Errors
    /// `checkpoint_malformed`.
    pub fn parse(text: &str) -> Result<Self, ProofError> {
        let body = text
            .strip_suffix('\n')
            .ok_or_else(|| malformed("the last line has no end"))?;
        let mut lines = body.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next())
        else {
            return Err(malformed("there are fewer than three lines"));
        };
        check_name(origin, ErrorCode::CheckpointMalformed)?;
        let size = parse_size(size).ok_or_else(|| malformed("the size is not a plain number"))?;
        let root = from_base64(root).and_then(|root| root.try_into().ok());
        let root = root.ok_or_else(|| malformed("the root is not 32 bytes of base64"))?;
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        let control = |line: &String| line.contains(char::is_control);
        if extensions
            .iter()
            .any(|line| line.is_empty() || control(line))
        {
            return Err(malformed(
                "a line after the root is empty or holds control characters",
            ));
        }
        let hasher = parse_hasher(&extensions)?;
        Ok(Self {
            origin: origin.to_owned(),
            size,
            root,
            hasher,
            extensions,
        })
    }

    /// The checkpoint as a note that its log signed.
    ///
    /// # Errors
    /// `key_malformed` when the key is not named as the origin.
    pub fn sign(&self, signer: &Signer) -> Result<Note, ProofError> {
        if signer.name() != self.origin {
            return Err(ProofError::new(
                ErrorCode::KeyMalformed,
                format!(
                    "expected a key named {:?}, found {:?}",
                    self.origin,
                    signer.name()
                ),
            ));
        }
        let mut note = Note::new(self.to_text())?;
        note.sign(signer)?;
        Ok(note)
    }
}

fn parse_hasher(extensions: &[String]) -> Result<HasherKind, ProofError> {
    let mut named = extensions
        .iter()
        .filter_map(|line| line.strip_prefix(HASHER));
    match (named.next(), named.next()) {
        (None, _) => Ok(HasherKind::Sha256),
        (Some("blake3"), None) => Ok(HasherKind::Blake3),
        // SHA-256 is said by saying nothing, so that such a checkpoint has no extension.
        _ => Err(malformed(
            "a `hasher` line stands once at most, and names blake3",
        )),
    }
}

fn malformed(what: &str) -> ProofError {
    ProofError::new(
        ErrorCode::CheckpointMalformed,
        format!("not a checkpoint: {what}"),
    )
}
