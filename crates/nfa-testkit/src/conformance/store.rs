//! The `store` port's suite.
