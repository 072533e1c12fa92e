//! The `tool` port's suite.
