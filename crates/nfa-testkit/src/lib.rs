//! Scripted models, a fake LLM server and a web server with faults, a witness, an anchor, scenarios as data, and
//! conformance suites for every port.

#![deny(missing_docs)]

pub mod anchor;
pub mod conformance;
pub mod scenario;
pub mod scripted;
pub mod server;
pub mod web;
pub mod witness;
