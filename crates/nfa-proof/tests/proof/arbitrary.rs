//! The bodies of the fuzz targets over arbitrary bytes, and over good bytes made a little wrong.

use crate::anchor::statement;
use crate::rotation::rotated;
use crate::sample::{bundle, log_key, run, witnessed};
use crate::tiles::exported;
use nfa_proof::{Sha256, fuzzing};
use proptest::prelude::*;

/// Good bytes with some of them replaced, removed or doubled.
fn mutated(good: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..3_u8);
    prop::collection::vec(change, 0..6).prop_map(move |changes| {
        let mut bytes = good.clone();
        for (at, byte, what) in changes {
            if bytes.is_empty() {
                break;
            }
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
    fn anchor_bytes(bytes: Vec<u8>, near in mutated(statement(6).to_anchor().unwrap().data)) {
        fuzzing::anchor(&bytes);
        fuzzing::anchor(&near);
    }

    #[test]
    fn tile_path_text(text: String, near in mutated(b"tile/0/x001/234.p/56".to_vec())) {
        fuzzing::tile_path(&text);
        fuzzing::tile_path(&String::from_utf8_lossy(&near));
    }

    #[test]
    fn keys_bytes(bytes: Vec<u8>, near in mutated(rotated()["keys"].clone())) {
        fuzzing::keys(&bytes);
        fuzzing::keys(&near);
    }

    #[test]
    fn export_bytes(
        bytes: Vec<u8>,
        (path, near) in prop::sample::select(exported::<Sha256>(10).into_iter().collect::<Vec<_>>())
            .prop_flat_map(|(path, good)| (Just(path), mutated(good))),
    ) {
        let (files, keys) = (exported::<Sha256>(10), [log_key().verifier_key()]);
        fuzzing::export(&files, &path, &bytes, &keys);
        fuzzing::export(&files, &path, &near, &keys);
    }

    #[test]
    fn bundle_bytes(bytes: Vec<u8>, near in mutated(bundle().to_vec().unwrap())) {
        let keys = [log_key().verifier_key()];
        fuzzing::bundle(&bytes, &keys);
        fuzzing::bundle(&near, &keys);
    }
}
