//! The real binary against a fake LLM server: output, exit codes, JSON lines, signals, crashes.

mod chat;
mod people;
mod proof;
mod recovery;
mod running;
mod signals;
mod support;
mod usage;
