//! Sealing content under its subject's key, and computing its address.
//!
//! Envelope, version 1: `version (1) ‖ algorithm (1) ‖ key id (8) ‖ nonce (12) ‖ ciphertext ‖ tag (16)`,
//! AES-256-GCM, with the first ten bytes and the address as associated data. The nonce is the beginning of
//! the address, so that sealing is deterministic and asks for no random bytes. Algorithm 0 is the plain
//! text, for stores that keep nothing at rest.

use std::sync::LazyLock;

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce};
use blake3::hazmat::{ContextKey, HasherExt, hash_derive_key_context};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use crate::error::{Category, Component, Error};
use crate::ids::Address;

const VERSION: u8 = 1;
const PLAIN: u8 = 0;
const AES_256_GCM: u8 = 1;
const HEADER: usize = 10;
const NONCE: usize = 12;
const TAG: usize = 16;

/// The secret of one subject: 32 random bytes. Destroying it erases everything sealed under it.
#[derive(Clone)]
pub struct SubjectKey([u8; 32]);

impl SubjectKey {
    /// Wraps 32 random bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, to be kept by whoever holds keys.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SubjectKey(..)")
    }
}

impl Drop for SubjectKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Whether blobs are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sealing {
    /// AES-256-GCM.
    Encrypted,
    /// Plain, for a store that keeps nothing at rest.
    Plain,
}

/// A sealed blob and the address that names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// BLAKE3 of the plain bytes, keyed by the subject.
    pub address: Address,
    /// The envelope.
    #[serde(with = "crate::hex")]
    pub envelope: Bytes,
}

/// Seals and opens the content of one subject.
pub struct SubjectVault {
    key_id: [u8; 8],
    address_key: [u8; 32],
    salt_key: [u8; 32],
    /// `None` where nothing is encrypted.
    cipher: Option<Aes256Gcm>,
}

impl std::fmt::Debug for SubjectVault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SubjectVault")
            .field("encrypts", &self.cipher.is_some())
            .finish_non_exhaustive()
    }
}

impl Drop for SubjectVault {
    fn drop(&mut self) {
        self.address_key.zeroize();
        self.salt_key.zeroize();
    }
}

impl SubjectVault {
    /// Derives the working keys of a subject.
    pub fn new(key: &SubjectKey, sealing: Sealing) -> Self {
        static CONTEXT: LazyLock<ContextKey> =
            LazyLock::new(|| hash_derive_key_context("nfa 2026-11 subject keys"));
        let mut hasher = blake3::Hasher::new_from_context_key(&CONTEXT);
        hasher.update(key.expose());
        let mut derived = hasher.finalize_xof();
        let (mut key_id, mut address_key, mut salt_key) = ([0; 8], [0; 32], [0; 32]);
        derived.fill(&mut key_id);
        derived.fill(&mut address_key);
        derived.fill(&mut salt_key);
        let cipher = (sealing == Sealing::Encrypted).then(|| {
            let mut content_key = [0; 32];
            derived.fill(&mut content_key);
            let cipher = Aes256Gcm::new(&content_key.into());
            content_key.zeroize();
            cipher
        });
        Self {
            key_id,
            address_key,
            salt_key,
            cipher,
        }
    }

    /// Tells this key from others; every envelope sealed under it shows the same.
    pub fn key_id(&self) -> u64 {
        u64::from_be_bytes(self.key_id)
    }

    /// The address of `plain`: equal bytes of one subject have one address, and nobody else can compute it.
    pub fn address(&self, plain: &[u8]) -> Address {
        Address(*blake3::keyed_hash(&self.address_key, plain).as_bytes())
    }

    /// A salt for the part of a prompt at `address`, the same each time.
    pub fn context_salt(&self, address: &Address) -> [u8; 32] {
        *blake3::keyed_hash(&self.salt_key, &address.0).as_bytes()
    }

    /// Seals `plain`.
    ///
    /// # Errors
    /// `seal_failed` past 64 GiB.
    pub fn seal(&self, plain: &[u8]) -> Result<Sealed, Error> {
        let address = self.address(plain);
        Ok(Sealed {
            address,
            envelope: self.seal_at(&address, plain)?,
        })
    }

    fn seal_at(&self, address: &Address, plain: &[u8]) -> Result<Bytes, Error> {
        let algorithm = if self.cipher.is_some() {
            AES_256_GCM
        } else {
            PLAIN
        };
        let frame = match &self.cipher {
            Some(_) => HEADER + NONCE + TAG,
            None => HEADER,
        };
        // As long as it becomes: then it is made into `Bytes` as it is.
        let mut out = Vec::with_capacity(frame + plain.len());
        out.extend_from_slice(&[VERSION, algorithm]);
        out.extend_from_slice(&self.key_id);
        let Some(cipher) = &self.cipher else {
            out.extend_from_slice(plain);
            return Ok(out.into());
        };
        // The address is a keyed hash of the text: other texts have other nonces, and the same text gives
        // the same bytes.
        let nonce = address
            .0
            .first_chunk::<NONCE>()
            .copied()
            .unwrap_or_default();
        let aad = associated(&out, address);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(plain);
        let (_, text) = out.split_at_mut(HEADER + NONCE);
        let tag = cipher
            .encrypt_inout_detached(&Nonce::from(nonce), &aad, text.into())
            .map_err(|_| {
                Error::new(
                    Component::Store,
                    Category::Input,
                    "seal_failed",
                    "content is too large to seal",
                )
            })?;
        out.extend_from_slice(&tag);
        Ok(out.into())
    }

    /// Opens the envelope stored at `address`.
    ///
    /// # Errors
    /// `envelope_malformed` when it is no envelope of a known version, `content_erased` when it was sealed
    /// under a key that no longer exists, `envelope_corrupt` when its bytes were changed.
    pub fn open(&self, address: &Address, envelope: &Bytes) -> Result<Bytes, Error> {
        let malformed = || {
            Error::new(
                Component::Store,
                Category::Internal,
                "envelope_malformed",
                "expected a version 1 blob envelope; the store holds something else",
            )
        };
        let (header, body) = envelope
            .split_first_chunk::<HEADER>()
            .ok_or_else(malformed)?;
        let (frame, key_id) = header.split_first_chunk::<2>().ok_or_else(malformed)?;
        if key_id != self.key_id {
            return Err(content_erased());
        }
        let plain = match (frame, &self.cipher) {
            ([VERSION, PLAIN], None) => envelope.slice(HEADER..),
            ([VERSION, AES_256_GCM], Some(cipher)) => {
                let (nonce, body) = body.split_first_chunk::<NONCE>().ok_or_else(malformed)?;
                let aad = associated(header, address);
                let mut text = body.to_vec();
                cipher
                    .decrypt_in_place(&Nonce::from(*nonce), &aad, &mut text)
                    .map_err(|_| corrupt())?;
                text.into()
            }
            _ => return Err(malformed()),
        };
        if self.address(&plain) != *address {
            return Err(corrupt());
        }
        Ok(plain)
    }
}

/// What an envelope's text is bound to.
fn associated(header: &[u8], address: &Address) -> [u8; HEADER + 32] {
    let mut data = [0; HEADER + 32];
    for (to, from) in data.iter_mut().zip(header.iter().chain(&address.0)) {
        *to = *from;
    }
    data
}

fn corrupt() -> Error {
    Error::new(
        Component::Store,
        Category::Internal,
        "envelope_corrupt",
        "a blob does not match its address: the store was changed or damaged",
    )
}

/// The error of content whose key or bytes were destroyed.
pub(crate) fn content_erased() -> Error {
    Error::new(
        Component::Store,
        Category::Conflict,
        "content_erased",
        "the content was erased; the journal still tells that it existed",
    )
}

pub(crate) fn entropy_unavailable(source: getrandom::Error) -> Error {
    Error::new(
        Component::Runtime,
        Category::Configuration,
        "entropy_unavailable",
        "the operating system gave no random bytes",
    )
    .with_source(source.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(byte: u8, sealing: Sealing) -> SubjectVault {
        SubjectVault::new(&SubjectKey::from_bytes([byte; 32]), sealing)
    }

    #[test]
    fn seals_and_opens_at_its_address_only() {
        for sealing in [Sealing::Encrypted, Sealing::Plain] {
            let alice = vault(1, sealing);
            let sealed = alice.seal(b"hello").unwrap();
            assert_eq!(
                alice.open(&sealed.address, &sealed.envelope).unwrap(),
                &b"hello"[..]
            );
            let elsewhere = alice.address(b"other");
            assert_eq!(
                alice.open(&elsewhere, &sealed.envelope).unwrap_err().code(),
                "envelope_corrupt"
            );
            assert_eq!(
                vault(2, sealing)
                    .open(&sealed.address, &sealed.envelope)
                    .unwrap_err()
                    .code(),
                "content_erased"
            );
        }
    }

    #[test]
    fn an_encrypted_vault_refuses_a_plain_envelope() {
        let plain = vault(1, Sealing::Plain).seal(b"x").unwrap();
        let error = vault(1, Sealing::Encrypted)
            .open(&plain.address, &plain.envelope)
            .unwrap_err();
        assert_eq!(error.code(), "envelope_malformed");
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let vault = vault(1, Sealing::Encrypted);
        let sealed = vault.seal(b"two words").unwrap();
        for at in 0..sealed.envelope.len() {
            let mut bytes = sealed.envelope.to_vec();
            bytes[at] ^= 1;
            assert!(
                vault.open(&sealed.address, &bytes.into()).is_err(),
                "byte {at}"
            );
        }
    }

    #[test]
    fn addresses_differ_between_subjects() {
        assert_ne!(
            vault(1, Sealing::Plain).address(b"x"),
            vault(2, Sealing::Plain).address(b"x")
        );
    }
}
