//! Public Ed25519 keys of signed notes, the log's own and its witnesses', and what they verify.

use std::fmt;

use ed25519_dalek::{Signature, VerifyingKey};
use sha2::Digest as _;

use super::signature::NoteSignature;
use crate::encoding::{from_base64, to_base64, to_hex};
use crate::error::{ErrorCode, ProofError};

const MAX_NAME_BYTES: usize = 255;
/// C2SP tlog-cosignature: no cosignature is later.
const MAX_COSIGNATURE_TIME: u64 = i64::MAX as u64;

/// What a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyKind {
    /// The note's text: a log's key (C2SP signed-note, type 0x01).
    Ed25519,
    /// The note's text and a time: a witness's key (C2SP tlog-cosignature, type 0x04).
    Cosignature,
}

impl KeyKind {
    const fn number(self) -> u8 {
        match self {
            Self::Ed25519 => 1,
            Self::Cosignature => 4,
        }
    }
}

/// A public key under a name, as it is written in a vkey: `name+id+key`.
///
/// ```
/// use nfa_proof::{Signer, VerifierKey};
/// let vkey = Signer::from_seed("example.org/log", &[9; 32])?.verifier_key().to_string();
/// assert_eq!(VerifierKey::parse(&vkey)?.to_string(), vkey);
/// assert_eq!(VerifierKey::parse("example.org/log+00000000+AAAA").unwrap_err().code(), "key_malformed");
/// # Ok::<(), nfa_proof::ProofError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    kind: KeyKind,
    id: [u8; 4],
    key: VerifyingKey,
}

impl VerifierKey {
    /// Reads a vkey.
    ///
    /// # Errors
    /// `key_malformed`.
    pub fn parse(vkey: &str) -> Result<Self, ProofError> {
        let wrong = |what: &str| malformed(format!("expected a key as name+id+base64: {what}"));
        let (name, rest) = vkey
            .split_once('+')
            .ok_or_else(|| wrong("there is no `+`"))?;
        let (id, key) = rest
            .split_once('+')
            .ok_or_else(|| wrong("there is only one `+`"))?;
        let bytes = from_base64(key).ok_or_else(|| wrong("the key is not base64"))?;
        let Some((number, bytes)) = bytes.split_first() else {
            return Err(wrong("the key is empty"));
        };
        let kind = match number {
            1 => KeyKind::Ed25519,
            4 => KeyKind::Cosignature,
            _ => return Err(wrong("the key is neither Ed25519 nor a cosignature key")),
        };
        let bytes = bytes
            .try_into()
            .map_err(|_| wrong("the key does not have 32 bytes"))?;
        let parsed = Self::from_bytes(name, kind, &bytes)?;
        if to_hex(&parsed.id) == id {
            Ok(parsed)
        } else {
            Err(wrong("the id is not this key's"))
        }
    }

    /// A key from its 32 public bytes.
    ///
    /// # Errors
    /// `key_malformed` when the name or the bytes are not a key's.
    pub fn from_bytes(name: &str, kind: KeyKind, public: &[u8; 32]) -> Result<Self, ProofError> {
        check_name(name, ErrorCode::KeyMalformed)?;
        let key = VerifyingKey::from_bytes(public)
            .ok()
            .filter(|key| !key.is_weak() && is_canonical(public))
            .ok_or_else(|| malformed(format!("the key of {name} is not an Ed25519 point")))?;
        let id = key_id(name, kind, public);
        Ok(Self {
            name: name.to_owned(),
            kind,
            id,
            key,
        })
    }

    /// Whose key it is. A log's key is named as the log's origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the key signs.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The id that stands in front of the key's signatures.
    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    /// The 32 public bytes.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// Whether this key made `signature` over exactly these bytes.
    pub(crate) fn verify_bytes(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.key.verify_strict(message, &signature).is_ok())
    }

    pub(super) fn made(&self, signature: &NoteSignature) -> bool {
        self.name == signature.name && self.id == signature.key_id
    }

    pub(super) fn verify(
        &self,
        text: &str,
        signature: &NoteSignature,
    ) -> Result<VerifiedSignature, ProofError> {
        let refused = || {
            ProofError::new(
                ErrorCode::SignatureInvalid,
                format!(
                    "the signature of {} is not of this text; it was changed",
                    self.name
                ),
            )
        };
        let (time, message, signature) = match self.kind {
            KeyKind::Ed25519 => (
                None,
                text.as_bytes().to_vec(),
                signature.signature.as_slice(),
            ),
            KeyKind::Cosignature => {
                let split = signature.signature.split_first_chunk::<8>();
                let (time, signature) = split.ok_or_else(refused)?;
                let time = u64::from_be_bytes(*time);
                if time > MAX_COSIGNATURE_TIME {
                    return Err(refused());
                }
                (Some(time), cosigned(text, time), signature)
            }
        };
        if !self.verify_bytes(&message, signature) {
            return Err(refused());
        }
        Ok(VerifiedSignature {
            key: self.clone(),
            time,
        })
    }
}

/// A signature that a known key did make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedSignature {
    /// The key.
    pub key: VerifierKey,
    /// A cosignature's time, in seconds since 1970.
    pub time: Option<u64>,
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![self.kind.number()];
        bytes.extend_from_slice(self.key.as_bytes());
        write!(
            f,
            "{}+{}+{}",
            self.name,
            to_hex(&self.id),
            to_base64(&bytes)
        )
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

/// What a witness signs.
pub(super) fn cosigned(text: &str, time: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {time}\n{text}").into_bytes()
}

/// Whether the point's y is written below p = 2^255 - 19: a key has one form.
fn is_canonical(public: &[u8; 32]) -> bool {
    let [first, middle @ .., last] = public;
    let largest = *first >= 0xed && middle.iter().all(|byte| *byte == 0xff);
    !(largest && last & 0x7f == 0x7f)
}

fn key_id(name: &str, kind: KeyKind, public: &[u8; 32]) -> [u8; 4] {
    let hasher = sha2::Sha256::new()
        .chain_update(name)
        .chain_update([b'\n', kind.number()]);
    let hash: [u8; 32] = hasher.chain_update(public).finalize().into();
    let [a, b, c, d, ..] = hash;
    [a, b, c, d]
}

fn malformed(message: String) -> ProofError {
    ProofError::new(ErrorCode::KeyMalformed, message)
}

/// A name has no spaces, controls or `+`, so that it ends where it seems to.
pub(crate) fn check_name(name: &str, code: ErrorCode) -> Result<(), ProofError> {
    let odd = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    if name.is_empty() || name.len() > MAX_NAME_BYTES || name.contains(odd) {
        return Err(ProofError::new(
            code,
            format!("expected a name of 1 to 255 bytes without spaces and `+`, found {name:?}"),
        ));
    }
    Ok(())
}
