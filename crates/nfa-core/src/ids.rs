//! Identifiers: runs, steps, sessions, subjects, and the wall clock they are stamped with.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
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
    ($(#[doc = $doc:literal])+ $name:ident, $len:literal, $code:literal) => {
        $(#[doc = $doc])+
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
                json_schema!({
                    "description": concat!($($doc),+).trim(),
                    "type": "string",
                    "pattern": format!("^[0-9a-f]{{{}}}$", $len * 2),
                })
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

pub(crate) fn decode_hex(text: &str, out: &mut [u8]) -> bool {
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

pub(crate) fn encode_hex<'a>(bytes: &[u8], out: &'a mut [u8]) -> &'a str {
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
///
/// Two words wide, and copied without an allocation.
#[derive(Clone)]
pub struct StepPath(Numbers);

/// How many numbers fit into a path itself: a step of an agent that was called by one that was called.
const SHORT: usize = 3;

#[derive(Clone)]
enum Numbers {
    /// Places that are not used hold 0, so that equal paths are equal bytes.
    Short { depth: u8, numbers: [u32; SHORT] },
    /// More than [`SHORT`] numbers. One thin pointer, so that no path is wider for it.
    Long(Arc<Vec<u32>>),
}

impl StepPath {
    /// The root of a run: no step, the frame that holds them.
    pub const fn root() -> Self {
        Self(Numbers::Short {
            depth: 0,
            numbers: [0; SHORT],
        })
    }

    fn new(path: &[u32]) -> Self {
        let mut numbers = [0; SHORT];
        match (u8::try_from(path.len()), numbers.get_mut(..path.len())) {
            (Ok(depth), Some(used)) => {
                used.copy_from_slice(path);
                Self(Numbers::Short { depth, numbers })
            }
            _ => Self(Numbers::Long(Arc::new(path.to_vec()))),
        }
    }

    pub(crate) fn numbers(&self) -> &[u32] {
        match &self.0 {
            Numbers::Short { depth, numbers } => {
                numbers.get(..usize::from(*depth)).unwrap_or_default()
            }
            Numbers::Long(numbers) => numbers,
        }
    }

    /// The `number`-th step below this one, counted from 1.
    #[must_use]
    pub fn child(&self, number: u32) -> Self {
        if let Numbers::Short { depth, mut numbers } = self.0
            && let Some(place) = numbers.get_mut(usize::from(depth))
        {
            *place = number;
            let depth = depth + 1;
            return Self(Numbers::Short { depth, numbers });
        }
        Self::new(&[self.numbers(), &[number]].concat())
    }

    /// The frame that this step belongs to; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        if let Numbers::Short { depth, mut numbers } = self.0 {
            let depth = depth.checked_sub(1)?;
            if let Some(place) = numbers.get_mut(usize::from(depth)) {
                *place = 0;
            }
            return Some(Self(Numbers::Short { depth, numbers }));
        }
        let (_, rest) = self.numbers().split_last()?;
        Some(Self::new(rest))
    }

    /// This step's number inside its frame; `None` for the root.
    pub fn number(&self) -> Option<u32> {
        self.numbers().last().copied()
    }

    /// Nesting: 0 for the root, 1 for its steps.
    pub fn depth(&self) -> usize {
        self.numbers().len()
    }

    /// Whether this path is `other` or lies inside it.
    pub fn starts_with(&self, other: &Self) -> bool {
        self.numbers().starts_with(other.numbers())
    }
}

impl Default for StepPath {
    fn default() -> Self {
        Self::root()
    }
}

impl PartialEq for StepPath {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (
                Numbers::Short { depth, numbers },
                Numbers::Short {
                    depth: other_depth,
                    numbers: other_numbers,
                },
            ) => depth == other_depth && numbers == other_numbers,
            (Numbers::Long(numbers), Numbers::Long(other)) => numbers == other,
            _ => false,
        }
    }
}

impl Eq for StepPath {}

impl PartialOrd for StepPath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for StepPath {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers().cmp(other.numbers())
    }
}

impl Hash for StepPath {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.numbers().hash(state);
    }
}

impl fmt::Display for StepPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, number) in self.numbers().iter().enumerate() {
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
            .collect::<Option<SmallVec<[u32; 8]>>>()
            .map(|numbers| Self::new(&numbers))
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
        json_schema!({
            "description": "Where a step is: numbers with dots between them. `2.1` is the first step inside step 2.",
            "type": "string",
            "pattern": r"^([0-9]+(\.[0-9]+)*)?$",
        })
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

    /// What befell an agent outside its runs, as its log tells.
    pub fn log(id: LogId) -> Self {
        let mut hex = [0; 32];
        Self(["log:", encode_hex(&id.0, &mut hex)].concat().into())
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::hash_map::DefaultHasher;

    use proptest::prelude::*;

    use super::*;

    fn hash(value: &impl Hash) -> u64 {
        let mut hasher = DefaultHasher::new();
        value.hash(&mut hasher);
        hasher.finish()
    }

    proptest! {
        /// Short or long, a path is what a list of its numbers is.
        #[test]
        fn a_path_is_its_numbers(
            one in prop::collection::vec(0_u32..3, 0..6),
            other in prop::collection::vec(0_u32..3, 0..6),
        ) {
            let path = one.iter().fold(StepPath::root(), |path, number| path.child(*number));
            let second = StepPath::new(&other);
            prop_assert_eq!(&path, &StepPath::new(&one));
            prop_assert_eq!(path.numbers(), &one[..]);
            prop_assert_eq!(path.cmp(&second), one.cmp(&other));
            prop_assert_eq!(path == second, one == other);
            prop_assert_eq!(hash(&path) == hash(&second), one == other);
            prop_assert_eq!(path.starts_with(&second), one.starts_with(&other));
            prop_assert_eq!((path.depth(), path.number()), (one.len(), one.last().copied()));
            let parent = one.split_last().map(|(_, rest)| StepPath::new(rest));
            prop_assert_eq!(path.parent(), parent);
            prop_assert_eq!(path.to_string().parse::<StepPath>().unwrap(), path);
        }
    }

    #[test]
    fn a_path_is_two_words() {
        assert_eq!(size_of::<StepPath>(), 16);
    }
}
