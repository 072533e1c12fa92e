//! The runtime, driven with scripted models and real tools.

mod agents;
mod approval;
mod support;
mod turns;
