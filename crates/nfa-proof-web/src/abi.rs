//! The exports of the module, for a host that speaks bytes. The crate's page says how to call them.
#![allow(
    unsafe_code,
    reason = "a host hands over addresses; what it promises of them is said at each function"
)]

use std::slice;

use nfa_proof::MAX_BUNDLE_BYTES;

/// No bundle is larger than this.
#[unsafe(no_mangle)] // SAFETY: the prefix is this crate's alone, so no other symbol has the name.
extern "C" fn nfa_max_bundle_bytes() -> usize {
    MAX_BUNDLE_BYTES
}

/// Bytes for the host to write to.
#[unsafe(no_mangle)] // SAFETY: as above.
extern "C" fn nfa_alloc(len: usize) -> *mut u8 {
    give(vec![0; len])
}

/// Takes back what [`nfa_alloc`] or [`nfa_verify`] gave.
///
/// # Safety
/// `address` was given by one of them as `len` bytes, and not taken back yet.
#[unsafe(no_mangle)] // SAFETY: as above.
unsafe extern "C" fn nfa_free(address: *mut u8, len: usize) {
    let bytes = std::ptr::slice_from_raw_parts_mut(address, len);
    // SAFETY: the caller's promise: `give` made it of a box of that length, which nobody else has.
    drop(unsafe { Box::from_raw(bytes) });
}

/// Verifies; the answer is its length in 4 bytes and then JSON.
///
/// # Safety
/// Each address was given by [`nfa_alloc`] for at least that many bytes, and not taken back.
#[unsafe(no_mangle)] // SAFETY: as above.
unsafe extern "C" fn nfa_verify(
    bundle: *const u8,
    bundle_len: usize,
    policy: *const u8,
    policy_len: usize,
) -> *mut u8 {
    // SAFETY: the caller's promise: initialised bytes that nothing writes to during this call,
    // since the module has one thread. An address from `nfa_alloc` is never null, also for none.
    let (bundle, policy) = unsafe {
        (
            slice::from_raw_parts(bundle, bundle_len),
            slice::from_raw_parts(policy, policy_len),
        )
    };
    let answer = crate::verify(bundle, policy);
    // An answer of 4 GiB does not fit the memory of the module.
    let len = u32::try_from(answer.len()).unwrap_or(u32::MAX);
    give([&len.to_le_bytes(), answer.as_bytes()].concat())
}

fn give(bytes: Vec<u8>) -> *mut u8 {
    Box::into_raw(bytes.into_boxed_slice()).cast()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a host does.
    fn ask(bundle: &[u8], policy: &[u8]) -> String {
        let write = |bytes: &[u8]| {
            let address = nfa_alloc(bytes.len());
            // SAFETY: as many bytes as were asked for.
            unsafe { address.copy_from(bytes.as_ptr(), bytes.len()) };
            address
        };
        let (bundle_at, policy_at) = (write(bundle), write(policy));
        // SAFETY: given above; the answer has its length in front.
        unsafe {
            let answer = nfa_verify(bundle_at, bundle.len(), policy_at, policy.len());
            let len = u32::from_le_bytes(*answer.cast::<[u8; 4]>()) as usize;
            let json = slice::from_raw_parts(answer.add(4), len).to_vec();
            nfa_free(answer, 4 + len);
            nfa_free(bundle_at, bundle.len());
            nfa_free(policy_at, policy.len());
            String::from_utf8(json).unwrap()
        }
    }

    #[test]
    fn bytes_go_in_and_the_same_answer_comes_out() {
        for (bundle, policy) in [
            (&b"{}"[..], &b"{}"[..]),
            (b"", b"{}"),
            (b"", b""),
            ("\u{2014}".as_bytes(), br#"{"log_keys":["x"]}"#),
        ] {
            let answer = ask(bundle, policy);
            assert_eq!(answer, crate::verify(bundle, policy));
            assert!(answer.starts_with('{'), "{answer}");
        }
    }

    #[test]
    fn what_is_allocated_is_zeros_and_can_be_given_back() {
        for len in [0, 1, 4096] {
            let address = nfa_alloc(len);
            // SAFETY: given just now for that many bytes.
            unsafe {
                assert_eq!(slice::from_raw_parts(address, len), vec![0; len]);
                nfa_free(address, len);
            }
        }
        assert_eq!(nfa_max_bundle_bytes(), MAX_BUNDLE_BYTES);
    }
}
