//! Example programs; see the files beside this folder.

/// Compiles the README's code.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
