//! The runtime, driven with scripted models and real tools.

mod agents;
mod approval;
mod context;
mod support;
mod turns;
