#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nfa_models::fuzzing::price_table(bytes));
