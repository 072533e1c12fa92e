#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| nfa_proof::fuzzing::tile_path(text));
