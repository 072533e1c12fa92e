#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    assert!(nfa_models::fuzzing::gemini_stream(bytes), "the cutting of the bytes changed the answer");
});
