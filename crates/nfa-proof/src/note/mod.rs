//! Signed notes (C2SP signed-note): a text, a blank line, and signature lines.

pub(crate) mod cosigner;
pub(crate) mod key;
pub(crate) mod signature;
pub(crate) mod signer;

use std::fmt;

use crate::encoding::{from_base64, to_base64};
use crate::error::{ErrorCode, ProofError};
use key::{VerifiedSignature, VerifierKey, check_name};
use signature::NoteSignature;
use signer::Signer;

/// No note is longer than this.
pub const MAX_NOTE_BYTES: usize = 64 * 1024;
/// A note has at most this many signatures.
pub const MAX_NOTE_SIGNATURES: usize = 100;

const DASH: &str = "\u{2014} ";

/// A text and the signatures under it. Holding a `Note` says nothing about who signed: that is
/// what [`verify`](Self::verify) is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl Note {
    /// An unsigned note.
    ///
    /// # Errors
    /// `note_malformed` when the text does not end in a newline, or holds control characters.
    pub fn new(text: impl Into<String>) -> Result<Self, ProofError> {
        let text = text.into();
        if !text.ends_with('\n') {
            return Err(malformed("the text does not end in a newline"));
        }
        if text.contains(|c: char| c < ' ' && c != '\n') {
            return Err(malformed("the text holds control characters"));
        }
        Ok(Self {
            text,
            signatures: Vec::new(),
        })
    }

    /// Reads a signed note.
    ///
    /// # Errors
    /// `note_malformed`.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofError> {
        if bytes.len() > MAX_NOTE_BYTES {
            return Err(malformed("the note is longer than 64 KiB"));
        }
        let all = std::str::from_utf8(bytes).map_err(|_| malformed("the note is not UTF-8"))?;
        let split = all
            .rfind("\n\n")
            .ok_or_else(|| malformed("there is no blank line"))?;
        let (text, lines) = all.split_at_checked(split + 1).unwrap_or((all, ""));
        let mut note = Self::new(text)?;
        let lines = lines
            .strip_prefix('\n')
            .and_then(|lines| lines.strip_suffix('\n'));
        let lines = lines.ok_or_else(|| malformed("the last line does not end in a newline"))?;
        for line in lines.split('\n') {
            note.add(parse_line(line)?)?;
        }
        Ok(note)
    }

    /// What is signed, with its last newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines, unverified.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds a log's signature.
    ///
    /// # Errors
    /// `note_malformed` when this key has signed already, or the note is full.
    pub fn sign(&mut self, signer: &Signer) -> Result<(), ProofError> {
        self.add(signer.sign(&self.text))
    }

    /// Adds a signature line, such as a witness's.
    ///
    /// # Errors
    /// `note_malformed` when this key has signed already, the note is full, or the line cannot
    /// be one.
    pub fn add(&mut self, signature: NoteSignature) -> Result<(), ProofError> {
        check_name(&signature.name, ErrorCode::NoteMalformed)?;
        if signature.signature.is_empty() {
            return Err(malformed("a signature is empty"));
        }
        if self.signatures.len() >= MAX_NOTE_SIGNATURES {
            return Err(malformed("there are more than 100 signatures"));
        }
        let same = |s: &NoteSignature| s.name == signature.name && s.key_id == signature.key_id;
        if self.signatures.iter().any(same) {
            return Err(malformed("one key has signed twice"));
        }
        self.signatures.push(signature);
        Ok(())
    }

    /// Checks every signature that one of `keys` made, and returns those; signatures of other
    /// keys are ignored.
    ///
    /// # Errors
    /// `signature_invalid` when a signature says it is of one of `keys`, and is not.
    pub fn verify(&self, keys: &[VerifierKey]) -> Result<Vec<VerifiedSignature>, ProofError> {
        let mut verified = Vec::new();
        for signature in &self.signatures {
            if let Some(key) = keys.iter().find(|key| key.made(signature)) {
                verified.push(key.verify(&self.text, signature)?);
            }
        }
        Ok(verified)
    }
}

/// The note as it is written and read.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for signature in &self.signatures {
            let bytes = [&signature.key_id[..], &signature.signature].concat();
            writeln!(f, "{DASH}{} {}", signature.name, to_base64(&bytes))?;
        }
        Ok(())
    }
}

fn parse_line(line: &str) -> Result<NoteSignature, ProofError> {
    let parts = line
        .strip_prefix(DASH)
        .and_then(|rest| rest.split_once(' '));
    let (name, signature) =
        parts.ok_or_else(|| malformed("a signature line is not `\u{2014} name base64`"))?;
    let bytes = from_base64(signature)
        .ok_or_else(|| malformed("a signature is not base64 in its canonical form"))?;
    let (key_id, signature) = bytes
        .split_first_chunk::<4>()
        .ok_or_else(|| malformed("a signature is shorter than a key id"))?;
    let (key_id, signature) = (*key_id, signature.to_vec());
    Ok(NoteSignature {
        name: name.to_owned(),
        key_id,
        signature,
    })
}

fn malformed(what: &str) -> ProofError {
    ProofError::new(
        ErrorCode::NoteMalformed,
        format!("not a signed note: {what}"),
    )
}
