//! Why a program is refused.

use std::sync::Arc;

use crate::error::{Category, Component, Error};

pub(super) fn invalid(code: &'static str, message: String) -> Error {
    Error::new(Component::Spec, Category::Input, code, message)
}

pub(super) fn unknown_agent<'a>(name: &str, known: impl Iterator<Item = &'a Arc<str>>) -> Error {
    let known: Vec<&str> = known.map(|name| &**name).collect();
    invalid(
        "unknown_agent",
        format!("no agent is named `{name}`; known: {}", known.join(", ")),
    )
}

pub(super) fn unknown_tool<'a>(
    agent: &str,
    name: &str,
    known: impl Iterator<Item = &'a str>,
) -> Error {
    let known: Vec<&str> = known.collect();
    let known = if known.is_empty() {
        "none".to_owned()
    } else {
        known.join(", ")
    };
    invalid(
        "unknown_tool",
        format!("agent `{agent}` uses a tool `{name}` that is not registered; registered: {known}"),
    )
}
