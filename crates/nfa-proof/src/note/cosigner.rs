//! A witness's private key.

use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey};

use super::Note;
use super::key::{KeyKind, VerifierKey, cosigned};
use super::signature::NoteSignature;
use crate::error::ProofError;

/// A witness's private key: it signs a checkpoint together with a time.
#[derive(Clone)]
pub struct CosignatureSigner {
    public: VerifierKey,
    key: SigningKey,
}

impl CosignatureSigner {
    /// The key that this seed of 32 random bytes stands for.
    ///
    /// # Errors
    /// `key_malformed` when the name cannot be a key's.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, ProofError> {
        let key = SigningKey::from_bytes(seed);
        let public =
            VerifierKey::from_bytes(name, KeyKind::Cosignature, key.verifying_key().as_bytes())?;
        Ok(Self { public, key })
    }

    /// The public half.
    pub fn verifier_key(&self) -> VerifierKey {
        self.public.clone()
    }

    /// The signature of a note's text at `time`, in seconds since 1970. Whether the log is
    /// consistent with what this witness signed before is for the caller to check first.
    pub fn cosign(&self, note: &Note, time: u64) -> NoteSignature {
        let mut signature = time.to_be_bytes().to_vec();
        signature.extend_from_slice(&self.key.sign(&cosigned(note.text(), time)).to_bytes());
        NoteSignature {
            name: self.public.name().to_owned(),
            key_id: self.public.id(),
            signature,
        }
    }
}

impl fmt::Debug for CosignatureSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CosignatureSigner")
            .field(&self.public)
            .finish()
    }
}
