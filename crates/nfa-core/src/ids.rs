//! Identifiers: runs, steps, sessions, subjects, and the wall clock they are stamped with.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::SmallVec;

use crate::error::{Category, Component, Error};

/// Milliseconds since the Unix epoch, UTC.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// This time plus `ms` milliseconds, saturating.
    #[must_use]
    pub fn plus(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $len:literal, $code:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                let mut bytes = [0; $len];
                if decode_hex(text, &mut bytes) {
                    return Ok(Self(bytes));
                }
                Err(Error::new(
                    Component::Runtime,
                    Category::Input,
                    $code,
                    format!(
                        concat!("expected ", stringify!($name), " as {} lower-case hexadecimal digits, found {} characters"),
                        $len * 2,
                        text.chars().count()
                    ),
                ))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut text = [0_u8; $len * 2];
                serializer.serialize_str(encode_hex(&self.0, &mut text))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": format!("^[0-9a-f]{{{}}}$", $len * 2) })
            }
        }
    };
}

hex_id!(
    /// One execution of a program: 16 random bytes, written as 32 hexadecimal digits.
    RunId, 16, "invalid_run_id"
);
hex_id!(
    /// The proof log of one agent: 16 random bytes that stand for the agent in leaves.
    LogId, 16, "invalid_log_id"
);
hex_id!(
    /// The content address of a validated program: BLAKE3 of its canonical JSON.
    ProgramHash, 32, "invalid_program_hash"
);
hex_id!(
    /// The address of a blob: BLAKE3 keyed by its subject.
    Address, 32, "invalid_address"
);
hex_id!(
    /// The stable key of one effect: equal for every attempt of a step, different for every other step.
    IdempotencyKey, 16, "invalid_idempotency_key"
);

fn nibble(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

fn decode_hex(text: &str, out: &mut [u8]) -> bool {
    let text = text.as_bytes();
    if text.len() != out.len() * 2 {
        return false;
    }
    out.iter_mut()
        .zip(text.chunks_exact(2))
        .all(|(byte, pair)| match pair {
            [high, low] => match (nibble(*high), nibble(*low)) {
                (Some(high), Some(low)) => {
                    *byte = high << 4 | low;
                    true
                }
                _ => false,
            },
            _ => false,
        })
}

fn encode_hex<'a>(bytes: &[u8], out: &'a mut [u8]) -> &'a str {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or(b'0');
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        if let [high, low] = pair {
            *high = digit(byte >> 4);
            *low = digit(byte & 15);
        }
    }
    std::str::from_utf8(out).unwrap_or_default()
}

/// Where a step stands in a run: `2` is the second step of the root, `2.1` the first step inside it.
///
/// Steps are numbered in the order in which the program asks for them, never in the order in which they
/// finish, so that a path is the same in every replay.
#[derive(Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepPath(SmallVec<[u32; 6]>);

impl Clone for StepPath {
    fn clone(&self) -> Self {
        Self(SmallVec::from_slice(&self.0))
    }
}

impl StepPath {
    /// The root of a run: no step, the frame that holds them.
    pub fn root() -> Self {
        Self::default()
    }

    /// The `number`-th step below this one, counted from 1.
    #[must_use]
    pub fn child(&self, number: u32) -> Self {
        let mut path = self.clone();
        path.0.push(number);
        path
    }

    /// The frame that this step belongs to; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        let (_, rest) = self.0.split_last()?;
        Some(Self(rest.into()))
    }

    /// This step's number inside its frame; `None` for the root.
    pub fn number(&self) -> Option<u32> {
        self.0.last().copied()
    }

    /// Nesting: 0 for the root, 1 for its steps.
    pub fn depth(&self) -> usize {
        self.0.len()
    }

    /// Whether this path is `other` or lies inside it.
    pub fn starts_with(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }
}

impl fmt::Display for StepPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, number) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(".")?;
            }
            write!(f, "{number}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for StepPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StepPath({self})")
    }
}

impl FromStr for StepPath {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Ok(Self::root());
        }
        text.split('.')
            .map(|part| part.parse().ok())
            .collect::<Option<_>>()
            .map(Self)
            .ok_or_else(|| {
                Error::new(
                    Component::Engine,
                    Category::Input,
                    "invalid_step_path",
                    "expected step numbers joined by dots, such as `2` or `2.1`",
                )
            })
    }
}

impl Serialize for StepPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StepPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for StepPath {
    fn schema_name() -> Cow<'static, str> {
        "StepPath".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": r"^([0-9]+(\.[0-9]+)*)?$" })
    }
}

/// A conversation, named by the caller.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct SessionId(pub Arc<str>);

impl From<&str> for SessionId {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl From<String> for SessionId {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose content something is: the unit of encryption and erasure.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Subject(Arc<str>);

impl Subject {
    /// Everything said in a session.
    pub fn session(id: &SessionId) -> Self {
        Self(format!("session:{id}").into())
    }

    /// Everything said by or to a user, across sessions.
    pub fn user(id: &str) -> Self {
        Self(format!("user:{id}").into())
    }

    /// A run outside any session.
    pub fn run(id: RunId) -> Self {
        let mut hex = [0; 32];
        Self(["run:", encode_hex(&id.0, &mut hex)].concat().into())
    }

    /// The subject as stored, `kind:name`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Subject {
    /// Reads back what [`Subject::as_str`] gave.
    fn from(stored: String) -> Self {
        Self(stored.into())
    }
}
