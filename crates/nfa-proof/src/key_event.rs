//! Rotation and revocation of a log's keys, as leaves of the log itself.
//!
//! A log's key signs a statement that names its successor, or the size from which it no longer
//! counts. The statement travels in a leaf of kind [`LeafKind::Key`](crate::LeafKind::Key), so
//! a verifier that knows the first key follows the chain to the one that signs today.

use crate::commitment::Opening;
use crate::encoding::parse_size;
use crate::error::{ErrorCode, ProofError};
use crate::leaf::field::FieldId;
use crate::note::key::{KeyKind, VerifierKey};
use crate::note::signer::Signer;

/// No checkpoint's text begins like this: an origin has no spaces.
const HEADER: &str = "nfa key event v1";

/// What a log's key says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "a log has few events, and a box would be in every caller's way"
)]
pub enum KeyEvent {
    /// Another key signs from here on.
    Rotate {
        /// The key that signed until now.
        old: VerifierKey,
        /// The key that signs from now on.
        new: VerifierKey,
        /// Where the overlap ends: the old key counts on checkpoints below this size. Without
        /// it, both go on counting.
        cutoff: Option<u64>,
    },
    /// The key no longer counts.
    Revoke {
        /// The key.
        old: VerifierKey,
        /// It counts on checkpoints below this size.
        cutoff: u64,
    },
}

impl KeyEvent {
    /// The key that speaks.
    pub fn old(&self) -> &VerifierKey {
        match self {
            Self::Rotate { old, .. } | Self::Revoke { old, .. } => old,
        }
    }

    /// The value of the field `key_event`.
    const fn name(&self) -> &'static str {
        match self {
            Self::Rotate { .. } => "rotate",
            Self::Revoke { .. } => "revoke",
        }
    }

    /// The key that is named as the next.
    pub fn new_key(&self) -> Option<&VerifierKey> {
        match self {
            Self::Rotate { new, .. } => Some(new),
            Self::Revoke { .. } => None,
        }
    }

    /// The size from which the old key no longer counts.
    pub fn cutoff(&self) -> Option<u64> {
        match self {
            Self::Rotate { cutoff, .. } => *cutoff,
            Self::Revoke { cutoff, .. } => Some(*cutoff),
        }
    }

    /// The text that the old key signs.
    pub fn statement(&self) -> String {
        let new = self.new_key().map(ToString::to_string).unwrap_or_default();
        let cutoff = self.cutoff().map(|size| size.to_string());
        format!(
            "{HEADER}\n{}\n{}\n{}\n{new}\n{}\n",
            self.old().name(),
            self.name(),
            self.old(),
            cutoff.unwrap_or_default()
        )
    }

    /// The event with the signature of the key that it is about.
    ///
    /// # Errors
    /// `key_event_invalid` when `signer` is another key, or the new key is not one of this log.
    pub fn sign(self, signer: &Signer) -> Result<SignedKeyEvent, ProofError> {
        if signer.verifier_key() != *self.old() {
            let (old, found) = (self.old(), signer.verifier_key());
            return Err(invalid(format!(
                "expected the signature of {old}, found the key {found}"
            )));
        }
        self.check()?;
        let signature = signer.sign_bytes(self.statement().as_bytes());
        Ok(SignedKeyEvent {
            event: self,
            signature,
        })
    }

    fn check(&self) -> Result<(), ProofError> {
        let own = |key: &VerifierKey| key.kind() == KeyKind::Ed25519;
        if !own(self.old()) {
            return Err(invalid("a cosignature key speaks for no log"));
        }
        match self.new_key() {
            Some(new) if !own(new) || new.name() != self.old().name() => Err(invalid(format!(
                "the new key {new} is not one of the log {}",
                self.old().name()
            ))),
            Some(new) if new == self.old() => Err(invalid("old and new key are one")),
            _ => Ok(()),
        }
    }
}

/// A [`KeyEvent`] and the signature of the key that it is about.
///
/// ```
/// use nfa_proof::*;
/// let old = Signer::from_seed("example.org/log", &[1; 32])?;
/// let new = Signer::from_seed("example.org/log", &[2; 32])?.verifier_key();
/// let event = KeyEvent::Rotate { old: old.verifier_key(), new, cutoff: Some(200) }.sign(&old)?;
/// // Recorded like any other leaf, disclosed like any other field.
/// let salts = [[3; 32], [4; 32], [5; 32], [6; 32], [7; 32]];
/// let openings: Vec<_> = event.values().into_iter().zip(salts)
///     .map(|((field, value), salt)| Opening::new(field, salt, value))
///     .collect();
/// assert_eq!(SignedKeyEvent::from_openings(&openings)?, Some(event));
/// # Ok::<(), ProofError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedKeyEvent {
    event: KeyEvent,
    signature: [u8; 64],
}

impl SignedKeyEvent {
    /// What the key says.
    pub fn event(&self) -> &KeyEvent {
        &self.event
    }

    /// The fields of the leaf that records the event.
    pub fn values(&self) -> Vec<(FieldId, Vec<u8>)> {
        let mut values = vec![
            (FieldId::KEY_EVENT, self.event.name().into()),
            (FieldId::OLD_KEY, self.event.old().to_string().into()),
        ];
        if let Some(new) = self.event.new_key() {
            values.push((FieldId::NEW_KEY, new.to_string().into()));
        }
        values.push((FieldId::KEY_SIGNATURE, self.signature.to_vec()));
        if let Some(cutoff) = self.event.cutoff() {
            values.push((FieldId::CUTOFF_SIZE, cutoff.to_string().into()));
        }
        values
    }

    /// The event that these openings of a leaf disclose, its signature verified. `None` when
    /// `key_event`, `old_key` or `key_signature` is not among them.
    ///
    /// # Errors
    /// `key_event_invalid` when they are, and don't make an event that the old key signed.
    pub fn from_openings(openings: &[Opening]) -> Result<Option<Self>, ProofError> {
        let value = |field| {
            let found = openings.iter().find(|opening| opening.field == field);
            found.map(|opening| opening.value.as_slice())
        };
        let (Some(name), Some(old), Some(signature)) = (
            value(FieldId::KEY_EVENT),
            value(FieldId::OLD_KEY),
            value(FieldId::KEY_SIGNATURE),
        ) else {
            return Ok(None);
        };
        let old = key(old)?;
        let new = value(FieldId::NEW_KEY).map(key).transpose()?;
        let cutoff = value(FieldId::CUTOFF_SIZE).map(size).transpose()?;
        let event = match (name, new, cutoff) {
            (b"rotate", Some(new), cutoff) => KeyEvent::Rotate { old, new, cutoff },
            (b"revoke", None, Some(cutoff)) => KeyEvent::Revoke { old, cutoff },
            _ => {
                return Err(invalid(
                    "expected `rotate` with a new key, or `revoke` with a cutoff size and no \
                     new key; a field is missing, hidden or too many",
                ));
            }
        };
        event.check()?;
        let signature: [u8; 64] = signature
            .try_into()
            .map_err(|_| invalid("the old key's signature does not have 64 bytes"))?;
        if !event
            .old()
            .verify_bytes(event.statement().as_bytes(), &signature)
        {
            return Err(invalid(format!(
                "{} did not sign what the leaf says of it",
                event.old()
            )));
        }
        Ok(Some(Self { event, signature }))
    }
}

fn key(value: &[u8]) -> Result<VerifierKey, ProofError> {
    let text = std::str::from_utf8(value).map_err(|_| invalid("a key is not text"))?;
    VerifierKey::parse(text).map_err(|error| invalid(error.message()))
}

fn size(value: &[u8]) -> Result<u64, ProofError> {
    let text = std::str::from_utf8(value).ok();
    text.and_then(parse_size)
        .ok_or_else(|| invalid("the cutoff size is not a plain number"))
}

fn invalid(what: impl Into<String>) -> ProofError {
    ProofError::new(
        ErrorCode::KeyEventInvalid,
        format!("not a key event: {}", what.into()),
    )
}
