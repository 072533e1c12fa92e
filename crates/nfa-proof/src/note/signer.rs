//! A log's private key.

use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey};

use super::key::{KeyKind, VerifierKey};
use super::signature::NoteSignature;
use crate::error::ProofError;

/// A log's private key.
#[derive(Clone)]
pub struct Signer {
    public: VerifierKey,
    key: SigningKey,
}

impl Signer {
    /// The key that this seed of 32 random bytes stands for, under the log's origin as its name.
    ///
    /// # Errors
    /// `key_malformed` when the name cannot be a key's.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, ProofError> {
        let key = SigningKey::from_bytes(seed);
        let public =
            VerifierKey::from_bytes(name, KeyKind::Ed25519, key.verifying_key().as_bytes())?;
        Ok(Self { public, key })
    }

    /// The public half.
    pub fn verifier_key(&self) -> VerifierKey {
        self.public.clone()
    }

    /// Whose key it is.
    pub fn name(&self) -> &str {
        self.public.name()
    }

    pub(crate) fn sign_bytes(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }

    pub(super) fn sign(&self, text: &str) -> NoteSignature {
        let signature = self.sign_bytes(text.as_bytes()).to_vec();
        NoteSignature {
            name: self.public.name().to_owned(),
            key_id: self.public.id(),
            signature,
        }
    }
}

// Never the seed.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signer").field(&self.public).finish()
    }
}
