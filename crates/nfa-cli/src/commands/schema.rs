//! `nfa schema`: JSON Schemas, for editors, for programs that write agents, and for readers of `--json`.

use nfa_core::engine::Entry;
use nfa_core::ports::RunRecord;
use nfa_core::runtime::Event;
use nfa_core::spec::AgentSpec;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;

use super::erase::ErasedRecord;
use super::journal::Opened;
use crate::args::Schema;
use crate::exit::{Exit, Failure};
use crate::out::Out;

pub(crate) fn print(of: Schema, out: &mut Out) -> Result<Exit, Failure> {
    let schema = match of {
        Schema::Agent => schema_of::<AgentSpec>(SchemaSettings::draft2020_12()),
        Schema::Event => printed::<Event>(),
        Schema::Entry => printed::<Entry>(),
        Schema::OpenedEntry => printed::<Opened<'_>>(),
        Schema::Run => printed::<RunRecord>(),
        Schema::Erased => printed::<ErasedRecord>(),
    };
    if out.json() {
        out.record(&schema);
    } else {
        out.line(&serde_json::to_string_pretty(&schema).unwrap_or_default());
    }
    Ok(Exit::Done)
}

/// Of what we write: a field that is always written is required, even where a reader could do without.
fn printed<T: JsonSchema>() -> serde_json::Value {
    schema_of::<T>(SchemaSettings::draft2020_12().for_serialize())
}

fn schema_of<T: JsonSchema>(settings: SchemaSettings) -> serde_json::Value {
    settings
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}
