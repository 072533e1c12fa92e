//! What a host language needs of the engine, and the engine of it: the part that all bindings share.
//!
//! Nothing of the engine ever waits for the host's thread. What it wants (a tool called, a call given up) and what
//! it has (the end of a future, a batch of events) are [`Letter`]s in the queue of a [`HostLoop`], which the host's
//! own thread empties after it was woken. Objects of the host stand behind the ports as [`HostTool`],
//! [`HostModel`] and their like; what they are given and give is JSON. Everything that a runtime does besides
//! running is an [`Operation`], so that a binding has one way in for all of it.
//!
//! `O` is a binding's own handle of an object of its language, such as an `Arc` of a reference, or a number.

mod cache;
mod call;
mod embedder;
mod host_loop;
mod keys;
mod letter;
mod model;
mod open;
mod operation;
mod outsiders;
mod patience;
mod results;
mod run;
mod store;
mod surroundings;
mod tool;
mod verify;

pub use cache::HostCache;
pub use call::{HostAnswer, HostFailure, HostItem, HostItems};
pub use embedder::HostEmbedder;
pub use host_loop::{EngineTask, HostLoop};
pub use keys::HostKeys;
pub use letter::{CallId, Letter, Reply, Ticket};
pub use model::{HostModel, ModelAbilities, ModelDeltaData, ModelRequestData};
pub use open::OpenOptions;
pub use operation::{BeaconData, DecisionData, ErasureData, Operation};
pub use outsiders::{HostAnchor, HostWitness};
pub use results::{
    AnchorData, ConsistencyData, ErasedData, KeptField, LogCheckData, LogExportData,
};
pub use run::{HostRun, StartOptions, message};
pub use store::{HostStore, StorePromises, serve_store};
pub use surroundings::HostSurroundings;
pub use tool::HostTool;
pub use verify::verify;
