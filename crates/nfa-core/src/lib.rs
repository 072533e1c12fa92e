//! The agent engine, its ports and their in-memory defaults.
