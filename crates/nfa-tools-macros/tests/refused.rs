//! What `#[tool]` refuses, with the message that a developer reads.

#[test]
fn refusals_say_what_to_write() {
    trybuild::TestCases::new().compile_fail("tests/refused/*.rs");
}
