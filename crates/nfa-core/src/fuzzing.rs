//! Bodies of the fuzz targets, shared with the property tests: bytes of strangers must not panic. No API
//! promise.

use std::sync::Arc;

use bytes::Bytes;

use crate::content::{Content, Sealing, SubjectKey, SubjectVault};
use crate::engine::{Entry, Run};
use crate::ids::Address;
use crate::spec::{AgentSpec, Program};

/// An envelope from a damaged or hostile store.
pub fn envelope(bytes: &[u8]) {
    let key = SubjectKey::from_bytes([7; 32]);
    let envelope = Bytes::copy_from_slice(bytes);
    for sealing in [Sealing::Encrypted, Sealing::Plain] {
        let vault = SubjectVault::new(&key, sealing);
        for address in [Address([0; 32]), vault.address(bytes)] {
            if let Ok(plain) = vault.open(&address, &envelope) {
                let _ = serde_json::from_slice::<Content>(&plain);
            }
        }
    }
}

/// A journal, one JSON entry a line, from a damaged or hostile store.
pub fn journal(bytes: &[u8]) {
    let Ok(program) = Program::new(&AgentSpec::new("agent", "test/model"), &[], &[]) else {
        return;
    };
    let entries: Vec<Entry> = bytes
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    if let Ok(run) = Run::fold(Arc::new(program), &entries) {
        let _ = (run.status(), run.pending().count(), run.usage());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_envelope_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200), head in 0..3_u8) {
            let mut bytes = bytes;
            if head > 0 && bytes.len() > 1 {
                bytes[0] = 1;
                bytes[1] = head - 1;
            }
            super::envelope(&bytes);
        }

        #[test]
        fn no_journal_panics(lines in proptest::collection::vec(entry(), 0..12)) {
            super::journal(lines.join("\n").as_bytes());
        }
    }

    /// Entries that parse, in orders that make no sense.
    fn entry() -> impl Strategy<Value = String> {
        let program = crate::spec::Program::new(
            &crate::spec::AgentSpec::new("agent", "test/model"),
            &[],
            &[],
        )
        .unwrap()
        .hash();
        let zero = "0".repeat(64);
        let facts = prop::sample::select(vec![
            format!(
                r#""type":"run_started","fold":1,"run":"{}","program":"{program}","input":"{zero}""#,
                "0".repeat(32)
            ),
            r#""type":"step_started","step":"1","attempt":1,"kind":"model""#.to_owned(),
            r#""type":"step_started","step":"4294967295.1","attempt":4294967295,"kind":"tool""#
                .to_owned(),
            r#""type":"step_released","step":"1""#.to_owned(),
            format!(
                r#""type":"model_finished","step":"1","answer":"{zero}","finish":"stop","usage":{{}}"#
            ),
            format!(
                r#""type":"model_finished","step":"1","answer":"{zero}","finish":"length","usage":{{"input_tokens":18446744073709551615}},"calls":[{{"do":"agent","agent":"agent","input":"{zero}"}},{{"do":"hand_over","agent":"nobody","result":"{zero}"}}]"#
            ),
            format!(r#""type":"call_finished","step":"2","status":"ok","result":"{zero}""#),
            r#""type":"asked","step":"2","question":"approval""#.to_owned(),
            r#""type":"handed_over","frame":"","to":"agent""#.to_owned(),
            r#""type":"run_finished","end":{"how":"completed"}"#.to_owned(),
            r#""type":"run_resumed""#.to_owned(),
        ]);
        (facts, 0..12_u64)
            .prop_map(|(fact, seq)| format!(r#"{{"v":1,"seq":{seq},"at":0,"epoch":1,{fact}}}"#))
    }
}
