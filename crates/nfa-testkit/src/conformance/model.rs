//! The `model` port's suite.
