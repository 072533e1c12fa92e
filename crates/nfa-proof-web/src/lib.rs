//! The verifier of `nfa-proof` for a browser: a bundle and a policy in, a verdict as JSON out.
//!
//! `cargo xtask verifier-page` builds this crate for `wasm32-unknown-unknown` and puts it with
//! `page/` into one file, `verifier.html`, which works from a disk and connects to nothing. What
//! is checked, and in which order, is `nfa-proof`'s alone; here are only the boundary's two
//! languages: [`verify`] speaks JSON, and the exports of the module speak bytes.
//!
//! # The module's exports
//!
//! Numbers are 32 bits, and an address is one of the module's own memory.
//!
//! | export | what it does |
//! |---|---|
//! | `nfa_max_bundle_bytes() -> size` | no bundle is larger than this; a host need not read on |
//! | `nfa_alloc(len) -> address` | `len` bytes of zeros for the host to write to |
//! | `nfa_free(address, len)` | takes back what the module gave; `len` is what was given |
//! | `nfa_verify(bundle, len, policy, len) -> address` | the answer of [`verify`]: its length as 4 bytes, little-endian, then that much JSON in UTF-8; to be freed as 4 bytes more than that length |
//!
//! Calling may grow the memory, so a host looks at `memory.buffer` anew after each call. A module
//! that trapped is to be thrown away.

mod abi;
mod policy;
mod refusal;

use nfa_proof::Bundle;

use policy::Policy;
use refusal::Refusal;

/// Verifies a bundle under a policy, both as the bytes of their files, and answers in JSON.
///
/// The answer to a bundle that holds is the report that `nfa proof verify --json` prints, byte for
/// byte. Any other is the error that it prints, where `details.verdict` is `invalid`,
/// `policy_unmet` or `unreadable`, without the file's name in the message. An error with no
/// verdict is about the policy: `policy_malformed` or `key_malformed`.
///
/// The policy has the form of the vectors' policies: `log_keys` and `witnesses` are vkeys,
/// `witnesses_required` says how many of these must have signed (all, if it is left out), and
/// `cutoffs` are keys that no longer count from a size on. Every member may be left out.
///
/// ```
/// let policy = br#"{"log_keys":["example.org/log+1dd90ecd+AYqI49SB7bx0Plvgil1zUp8IKHHVGu/0paYUFlzHs8tI"]}"#;
/// let answer = nfa_proof_web::verify(b"no bundle", policy);
/// assert!(answer.contains(r#""code":"key_malformed""#));
///
/// let answer = nfa_proof_web::verify(b"no bundle", b"{}");
/// assert!(answer.contains(r#""code":"bundle_json""#));
/// assert!(answer.contains(r#""details":{"verdict":"unreadable"}"#));
/// ```
pub fn verify(bundle: &[u8], policy: &[u8]) -> String {
    let answer = Policy::parse(policy).and_then(|policy| {
        let verified = Bundle::from_slice(bundle).and_then(|bundle| bundle.verify(&policy));
        let report = verified.map_err(|error| Refusal::of_bundle(&error))?;
        serde_json::to_string(&report).map_err(|error| Refusal::unwritable(&error))
    });
    answer.unwrap_or_else(|refusal| refusal.to_json())
}
