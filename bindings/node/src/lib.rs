//! The engine as a Node addon: one [`Host`](host::Host) for each environment of Node, and the letters between it
//! and the engine as JSON text. What users see is the TypeScript around it.

mod encode;
mod engine;
mod failure;
pub mod host;
mod object;
mod ports;
mod slot;
