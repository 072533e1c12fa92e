#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nfa_models::fuzzing::retry_after(bytes));
