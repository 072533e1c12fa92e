//! What opens the commitments of a leaf: salts, and where each value is. Sealed as content of the run's
//! subject, so that erasing the subject erases the salts.
//!
//! Version 1: `1`, then per field `number (2, big endian) ‖ salt (32) ‖ source (1) ‖ length (4, big
//! endian) ‖ that many bytes`. Source 0 is the value itself; 1 the texts of the content at these
//! addresses, joined by newlines; 2 the arguments of a call (address, number of the call); 3 the calls of
//! an answer as JSON; 4 the text of a result as a JSON string.

use nfa_proof::{FieldId, Opening};

use crate::content::{ToolCall, content_erased};
use crate::error::{Category, Component, Error};
use crate::ids::Address;
use crate::runtime::cache::{ContentCache, Loaded};

const VERSION: u8 = 1;

/// Where a field's value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Inline(Vec<u8>),
    Texts(Vec<Address>),
    Arguments { answer: Address, call: u32 },
    Calls(Address),
    Result(Address),
}

impl Source {
    /// Every address that it names.
    pub(super) fn addresses(&self) -> &[Address] {
        match self {
            Self::Inline(_) => &[],
            Self::Texts(addresses) => addresses,
            Self::Arguments {
                answer: address, ..
            }
            | Self::Calls(address)
            | Self::Result(address) => std::slice::from_ref(address),
        }
    }

    /// The value, from content that is loaded.
    pub(super) fn value(&self, content: &ContentCache) -> Result<Vec<u8>, Error> {
        let get = |address: &Address| content.get(address).ok_or_else(content_erased);
        let calls = |address: &Address| match get(address)? {
            Loaded::Answer(answered) => Ok(answered),
            _ => Err(content_erased()),
        };
        match self {
            Self::Inline(value) => Ok(value.clone()),
            Self::Texts(addresses) => {
                let texts = addresses
                    .iter()
                    .map(|address| Ok(get(address)?.text()))
                    .collect::<Result<Vec<_>, Error>>()?;
                Ok(texts.join("\n").into_bytes())
            }
            Self::Arguments { answer, call } => {
                let answered = calls(answer)?;
                let message = answered.message();
                let at = usize::try_from(*call).unwrap_or(usize::MAX);
                let call = message.tool_calls().nth(at).ok_or_else(content_erased)?;
                Ok(call.arguments.clone().into_bytes())
            }
            Self::Calls(answer) => {
                let answered = calls(answer)?;
                let message = answered.message();
                let calls: Vec<&ToolCall> = message.tool_calls().collect();
                serde_json::to_vec(&calls).map_err(|error| malformed(error.to_string()))
            }
            Self::Result(address) => {
                let text = get(address)?.as_result().0;
                serde_json::to_vec(&*text).map_err(|error| malformed(error.to_string()))
            }
        }
    }

    fn encode(&self) -> (u8, Vec<u8>) {
        match self {
            Self::Inline(value) => (0, value.clone()),
            Self::Texts(addresses) => (1, addresses.iter().flat_map(|address| address.0).collect()),
            Self::Arguments { answer, call } => (
                2,
                answer.0.iter().copied().chain(call.to_be_bytes()).collect(),
            ),
            Self::Calls(answer) => (3, answer.0.to_vec()),
            Self::Result(address) => (4, address.0.to_vec()),
        }
    }

    fn decode(tag: u8, bytes: &[u8]) -> Option<Self> {
        let address = |bytes: &[u8]| bytes.try_into().ok().map(Address);
        Some(match tag {
            0 => Self::Inline(bytes.to_vec()),
            1 => Self::Texts(bytes.chunks(32).map(address).collect::<Option<_>>()?),
            2 => {
                let (answer, call) = bytes.split_last_chunk::<4>()?;
                Self::Arguments {
                    answer: address(answer)?,
                    call: u32::from_be_bytes(*call),
                }
            }
            3 => Self::Calls(address(bytes)?),
            4 => Self::Result(address(bytes)?),
            _ => return None,
        })
    }
}

/// One field's salt and source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FieldOpening {
    pub(super) field: FieldId,
    pub(super) salt: [u8; 32],
    pub(super) source: Source,
}

impl FieldOpening {
    pub(super) fn open(&self, content: &ContentCache) -> Result<Opening, Error> {
        Ok(Opening::new(
            self.field,
            self.salt,
            self.source.value(content)?,
        ))
    }
}

pub(super) fn encode(fields: &[FieldOpening]) -> Vec<u8> {
    let mut out = vec![VERSION];
    for opening in fields {
        let (tag, bytes) = opening.source.encode();
        out.extend_from_slice(&opening.field.number().to_be_bytes());
        out.extend_from_slice(&opening.salt);
        out.push(tag);
        out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(&bytes);
    }
    out
}

pub(super) fn decode(bytes: &[u8]) -> Result<Vec<FieldOpening>, Error> {
    let short = || malformed("it ends too early".to_owned());
    let (version, mut rest) = bytes.split_first().ok_or_else(short)?;
    if *version != VERSION {
        return Err(malformed(format!(
            "expected version {VERSION}, found {version}"
        )));
    }
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let (number, after) = rest.split_first_chunk::<2>().ok_or_else(short)?;
        let (salt, after) = after.split_first_chunk::<32>().ok_or_else(short)?;
        let (tag, after) = after.split_first().ok_or_else(short)?;
        let (length, after) = after.split_first_chunk::<4>().ok_or_else(short)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let (value, after) = after.split_at_checked(length).ok_or_else(short)?;
        let field = FieldId::new(u16::from_be_bytes(*number))
            .ok_or_else(|| malformed("field 0".to_owned()))?;
        let source =
            Source::decode(*tag, value).ok_or_else(|| malformed(format!("source {tag}")))?;
        fields.push(FieldOpening {
            field,
            salt: *salt,
            source,
        });
        rest = after;
    }
    Ok(fields)
}

fn malformed(what: String) -> Error {
    Error::new(
        Component::Proof,
        Category::Internal,
        "openings_malformed",
        format!("the stored openings of a leaf cannot be read: {what}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openings_round_trip_and_short_ones_are_refused() {
        let address = Address([7; 32]);
        let fields: Vec<FieldOpening> = [
            Source::Inline(b"x".to_vec()),
            Source::Texts(vec![address, address]),
            Source::Arguments {
                answer: address,
                call: 3,
            },
            Source::Calls(address),
            Source::Result(address),
        ]
        .into_iter()
        .map(|source| FieldOpening {
            field: FieldId::PROMPT,
            salt: [9; 32],
            source,
        })
        .collect();
        let bytes = encode(&fields);
        assert_eq!(decode(&bytes).unwrap(), fields);
        for end in [0, 2, 20, bytes.len() - 1] {
            assert_eq!(
                decode(&bytes[..end]).unwrap_err().code(),
                "openings_malformed"
            );
        }
    }
}
