//! The context chain: what a model was sent, as a chain that grows with what is new.
//!
//! A turn adds parts (messages, tool results, instructions) to what the model has already seen.
//! Each part is committed on its own under [`FieldId::CONTEXT_PART`](crate::FieldId), and the
//! head moves on; the leaf commits to the head. So any one part can be disclosed later, and no
//! turn hashes its history again. Compaction starts a new chain.

use std::sync::LazyLock;

use blake3::hazmat::{ContextKey, HasherExt as _, hash_derive_key_context};

use crate::tree::Hash;

/// The head of an empty chain.
pub const CONTEXT_START: Hash = [0; 32];

const CONTEXT: &str = "nfa 2026-01-01 context chain v1";

// The context's own hash is the same for every head; it is computed once.
static KEY: LazyLock<ContextKey> = LazyLock::new(|| hash_derive_key_context(CONTEXT));

/// The head after `parts` were added to a chain whose head was `previous`.
///
/// ```
/// use nfa_proof::{CONTEXT_START, FieldId, commit, extend_context};
/// let system = commit(FieldId::CONTEXT_PART, &[1; 32], b"Answer briefly.");
/// let prompt = commit(FieldId::CONTEXT_PART, &[2; 32], b"What is 2 + 40?");
/// let head = extend_context(&CONTEXT_START, &[system, prompt]);
/// assert_ne!(head, extend_context(&extend_context(&CONTEXT_START, &[system]), &[prompt]));
/// ```
pub fn extend_context(previous: &Hash, parts: &[Hash]) -> Hash {
    let mut hasher = blake3::Hasher::new_from_context_key(&KEY);
    hasher.update(previous);
    hasher.update(&(parts.len() as u64).to_be_bytes());
    for part in parts {
        hasher.update(part);
    }
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_the_derived_key_of_what_it_follows() {
        let parts = [[1; 32], [2; 32]];
        let said = [&[7; 32][..], &2_u64.to_be_bytes(), parts.as_flattened()].concat();
        assert_eq!(
            extend_context(&[7; 32], &parts),
            blake3::derive_key(CONTEXT, &said)
        );
    }
}
