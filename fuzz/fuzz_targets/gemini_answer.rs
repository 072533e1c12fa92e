#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| { nfa_models::fuzzing::gemini_answer(bytes); });
