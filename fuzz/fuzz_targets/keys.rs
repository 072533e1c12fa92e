#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nfa_proof::fuzzing::keys(bytes));
