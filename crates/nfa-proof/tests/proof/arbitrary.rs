//! The bodies of the fuzz targets over arbitrary bytes, and over good bytes made a little wrong.

use crate::sample::{bundle, log_key, run, witnessed};
use nfa_proof::fuzzing;
use proptest::prelude::*;

/// Good bytes with some of them replaced, removed or doubled.
fn mutated(good: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..3_u8);
    prop::collection::vec(change, 0..6).prop_map(move |changes| {
        let mut bytes = good.clone();
        for (at, byte, what) in changes {
            let at = at.index(bytes.len());
            match what {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, byte),
            }
        }
        bytes
    })
}

proptest! {
    #[test]
    fn leaf_bytes(bytes: Vec<u8>, near in mutated(run()[1].0.encode())) {
        fuzzing::leaf(&bytes);
        fuzzing::leaf(&near);
    }

    #[test]
    fn note_bytes(bytes: Vec<u8>, near in mutated(witnessed().to_string().into_bytes())) {
        fuzzing::note(&bytes);
        fuzzing::note(&near);
    }

    #[test]
    fn checkpoint_text(text: String, near in mutated(witnessed().text().as_bytes().to_vec())) {
        fuzzing::checkpoint(&text);
        fuzzing::checkpoint(&String::from_utf8_lossy(&near));
    }

    #[test]
    fn key_text(text: String, near in mutated(log_key().verifier_key().to_string().into_bytes())) {
        fuzzing::key(&text);
        fuzzing::key(&String::from_utf8_lossy(&near));
    }

    #[test]
    fn bundle_bytes(bytes: Vec<u8>, near in mutated(bundle().to_vec().unwrap())) {
        let keys = [log_key().verifier_key()];
        fuzzing::bundle(&bytes, &keys);
        fuzzing::bundle(&near, &keys);
    }
}
