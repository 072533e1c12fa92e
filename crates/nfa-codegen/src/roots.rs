//! Which Rust types callers of the bindings see, and in which direction they go.

use std::collections::BTreeMap;

use nfa_core::content::{Content, Message, ModelAnswer};
use nfa_core::engine::Entry;
use nfa_core::error::ErrorReport;
use nfa_core::ports::{RunFilter, RunRecord, ToolDefinition};
use nfa_core::runtime::{
    AgentState, Ask, Event, LogInfo, LogKey, OutcomeSummary, Receipt, SignalSent,
};
use nfa_core::spec::{AgentSpec, ModelSettings, ToolSpec};
use nfa_runtime::host::{
    AnchorData, BeaconData, ConsistencyData, ErasedData, LogCheckData, LogExportData,
    ModelAbilities, ModelDeltaData, ModelRequestData,
};
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value};

/// Schemas by the name of their type.
pub type Schemas = BTreeMap<String, Value>;

/// Of what nfa writes: members that are always written are required.
pub fn written() -> Schemas {
    let mut generator = SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator();
    generator.subschema_for::<Event>();
    generator.subschema_for::<OutcomeSummary>();
    generator.subschema_for::<Entry>();
    generator.subschema_for::<ErrorReport>();
    generator.subschema_for::<Content>();
    generator.subschema_for::<RunRecord>();
    generator.subschema_for::<Receipt>();
    generator.subschema_for::<Ask>();
    generator.subschema_for::<AgentState>();
    generator.subschema_for::<LogInfo>();
    generator.subschema_for::<LogKey>();
    generator.subschema_for::<SignalSent>();
    generator.subschema_for::<ConsistencyData>();
    generator.subschema_for::<LogCheckData>();
    generator.subschema_for::<LogExportData>();
    generator.subschema_for::<ErasedData>();
    generator.subschema_for::<AnchorData>();
    generator.subschema_for::<ModelRequestData<'_>>();
    generator.subschema_for::<ToolDefinition>();
    definitions(generator)
}

/// Of what nfa reads: members with a default may be left out.
pub fn read() -> Schemas {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    generator.subschema_for::<AgentSpec>();
    generator.subschema_for::<ModelSettings>();
    generator.subschema_for::<ToolSpec>();
    generator.subschema_for::<Message>();
    generator.subschema_for::<ModelAnswer>();
    generator.subschema_for::<ModelAbilities>();
    generator.subschema_for::<ModelDeltaData>();
    generator.subschema_for::<RunFilter>();
    generator.subschema_for::<BeaconData>();
    definitions(generator)
}

fn definitions(mut generator: SchemaGenerator) -> Schemas {
    let taken: Map<String, Value> = generator.take_definitions(true);
    taken.into_iter().collect()
}
