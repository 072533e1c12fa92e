//! The body of the fuzz target for agent files, which is also run as a property test.

use nfa_core::spec::AgentSpec;

use crate::agent_file;

/// Reads `bytes` as YAML and as JSON; what is accepted must become a JSON value and come back unchanged.
pub fn agent_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    for name in ["fuzz.yaml", "fuzz.json"] {
        if let Ok(spec) = agent_file::from_str(name, text) {
            let again = serde_json::to_value(&spec).and_then(serde_json::from_value::<AgentSpec>);
            assert_eq!(again.ok().as_ref(), Some(&spec), "an agent is data");
        }
    }
}
