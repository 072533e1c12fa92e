//! A provider as data: where it is, which key it wants, what it speaks.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use nfa_core::Error;

use crate::chat::Dialect;
use crate::errors;

/// A protocol that providers speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WireKind {
    /// OpenAI Chat Completions, and what others made of it: [`crate::ChatCompletions`].
    ChatCompletions,
    /// OpenAI Responses: [`crate::Responses`].
    Responses,
    /// Anthropic Messages: [`crate::Messages`].
    Messages,
    /// Gemini `generateContent`: [`crate::GenerateContent`].
    GenerateContent,
}

impl WireKind {
    const ALL: [Self; 4] = [
        Self::ChatCompletions,
        Self::Responses,
        Self::Messages,
        Self::GenerateContent,
    ];

    /// Its name in a [`nfa_core::spec::ModelSpec`].
    pub fn name(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat_completions",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::GenerateContent => "generate_content",
        }
    }
}

impl fmt::Display for WireKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for WireKind {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|wire| wire.name() == name)
            .ok_or_else(|| {
                errors::configuration(
                    errors::SPEC_INVALID,
                    format!("expected {} as `wire`, found `{name}`", list(&Self::ALL)),
                )
            })
    }
}

/// Wires by name, for a message.
pub(super) fn list(wires: &[WireKind]) -> String {
    let names: Vec<_> = wires.iter().map(|wire| format!("`{wire}`")).collect();
    names.join(" or ")
}

/// Where a provider's models are and how they are asked.
///
/// ```
/// use nfa_models::{Provider, Providers, WireKind};
///
/// let mut providers = Providers::new();
/// providers.add("acme", Provider::new(WireKind::ChatCompletions).at("https://llm.acme.example/v1").keyed("ACME_API_KEY"));
/// assert!(providers.names().contains(&"acme"));
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Provider {
    pub(super) base_url: Option<Cow<'static, str>>,
    /// The environment variable that may name another base URL.
    pub(super) base_url_variable: Option<Cow<'static, str>>,
    /// The environment variables that may hold the key, the first one first.
    pub(super) key_variables: Vec<Cow<'static, str>>,
    /// What it speaks, the usual wire first.
    pub(super) wires: Vec<WireKind>,
    /// What servers in its place usually speak, when that is another wire.
    pub(super) wire_elsewhere: Option<WireKind>,
    pub(super) dialect: Option<Dialect>,
}

impl Provider {
    /// A provider that speaks `wire`, without a key, at the `base_url` of each spec.
    pub fn new(wire: WireKind) -> Self {
        Self {
            base_url: None,
            base_url_variable: None,
            key_variables: Vec::new(),
            wires: vec![wire],
            wire_elsewhere: None,
            dialect: None,
        }
    }

    /// The same at this base URL, unless a spec says otherwise.
    pub fn at(mut self, base_url: impl Into<Cow<'static, str>>) -> Self {
        self.base_url = Some(base_url.into());
        self
    }

    /// The same at the base URL in this environment variable, where it is set.
    pub fn located_by(mut self, variable: impl Into<Cow<'static, str>>) -> Self {
        self.base_url_variable = Some(variable.into());
        self
    }

    /// The same with its key in this environment variable, or in one named before.
    pub fn keyed(mut self, variable: impl Into<Cow<'static, str>>) -> Self {
        self.key_variables.push(variable.into());
        self
    }

    /// The same speaking this wire too, where a spec asks for it.
    pub fn speaking(mut self, wire: WireKind) -> Self {
        self.wires.push(wire);
        self
    }

    /// The same speaking this wire at every base URL but its own, unless a spec says otherwise.
    pub fn speaking_elsewhere(mut self, wire: WireKind) -> Self {
        self.wire_elsewhere = Some(wire);
        self.speaking(wire)
    }

    /// The same with this dialect of Chat Completions, whatever its address.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = Some(dialect);
        self
    }
}
