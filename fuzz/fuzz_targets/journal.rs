#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| { let _ = nfa_core::fuzzing::journal(bytes); });
