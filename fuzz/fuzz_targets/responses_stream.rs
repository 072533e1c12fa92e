#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| { let _ = nfa_models::fuzzing::responses_stream(bytes); });
