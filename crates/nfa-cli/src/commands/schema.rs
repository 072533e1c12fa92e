//! `nfa schema`: JSON Schemas, for editors and for programs that write agents.

use nfa_core::spec::AgentSpec;

use crate::args::Schema;
use crate::exit::{Exit, Failure};
use crate::out::Out;

pub(crate) fn print(of: Schema, out: &mut Out) -> Result<Exit, Failure> {
    let schema = match of {
        Schema::Agent => agent(),
    };
    if out.json() {
        out.record(&schema);
    } else {
        out.line(&serde_json::to_string_pretty(&schema).unwrap_or_default());
    }
    Ok(Exit::Done)
}

fn agent() -> serde_json::Value {
    schemars::generate::SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<AgentSpec>()
        .to_value()
}
