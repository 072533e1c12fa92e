//! What opens the commitments of a leaf: salts, and where each value is. Sealed as content of the run's
//! subject, so that erasing the subject erases the salts.
//!
//! Version 1: `1`, then per field `number (2, big endian) ‖ salt (32) ‖ source (1) ‖ length (4, big
//! endian) ‖ that many bytes`. Source 0 is the value itself; 1 the texts of the content at these
//! addresses, joined by newlines; 2 the arguments of a call (address, number of the call); 3 the calls of
//! an answer as JSON; 4 the text of a result as a JSON string.

use nfa_proof::{FieldId, Opening};
use serde::Serializer as _;
use smallvec::SmallVec;

use crate::content::content_erased;
use crate::error::{Category, Component, Error};
use crate::ids::Address;
use crate::runtime::cache::{ContentCache, Loaded};

const VERSION: u8 = 1;
const INLINE: u8 = 0;
const TEXTS: u8 = 1;
const ARGUMENTS: u8 = 2;
const CALLS: u8 = 3;
const RESULT: u8 = 4;

/// What a field takes beside its value: number, salt, source and length.
const FRAME: usize = 2 + 32 + 1 + 4;

/// Where a field's value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Inline(Vec<u8>),
    Texts(SmallVec<[Address; 1]>),
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

    /// Adds the value to `out`, from content that is loaded.
    pub(super) fn write_value(
        &self,
        content: &ContentCache,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let get = |address: &Address| content.get(address).ok_or_else(content_erased);
        let answer = |address: &Address| match get(address)? {
            Loaded::Answer(answered) => Ok(answered),
            _ => Err(content_erased()),
        };
        let json =
            |written: serde_json::Result<()>| written.map_err(|error| malformed(error.to_string()));
        match self {
            Self::Inline(value) => out.extend_from_slice(value),
            Self::Texts(addresses) => {
                for (number, address) in addresses.iter().enumerate() {
                    if number > 0 {
                        out.push(b'\n');
                    }
                    get(address)?.write_text(out);
                }
            }
            Self::Arguments { answer: of, call } => {
                let answered = answer(of)?;
                let at = usize::try_from(*call).unwrap_or(usize::MAX);
                let call = answered.message().tool_calls().nth(at);
                out.extend_from_slice(call.ok_or_else(content_erased)?.arguments.as_bytes());
            }
            Self::Calls(of) => {
                let answered = answer(of)?;
                let calls = answered.message().tool_calls();
                json(serde_json::Serializer::new(out).collect_seq(calls))?;
            }
            Self::Result(address) => {
                let text = get(address)?.as_result().0;
                json(serde_json::to_writer(out, &*text))?;
            }
        }
        Ok(())
    }

    fn tag(&self) -> u8 {
        match self {
            Self::Inline(_) => INLINE,
            Self::Texts(_) => TEXTS,
            Self::Arguments { .. } => ARGUMENTS,
            Self::Calls(_) => CALLS,
            Self::Result(_) => RESULT,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        if let Self::Inline(value) = self {
            out.extend_from_slice(value);
        }
        for address in self.addresses() {
            out.extend_from_slice(&address.0);
        }
        if let Self::Arguments { call, .. } = self {
            out.extend_from_slice(&call.to_be_bytes());
        }
    }

    fn decode(tag: u8, bytes: &[u8]) -> Option<Self> {
        let address = |bytes: &[u8]| bytes.try_into().ok().map(Address);
        Some(match tag {
            INLINE => Self::Inline(bytes.to_vec()),
            TEXTS => Self::Texts(bytes.chunks(32).map(address).collect::<Option<_>>()?),
            ARGUMENTS => {
                let (answer, call) = bytes.split_last_chunk::<4>()?;
                Self::Arguments {
                    answer: address(answer)?,
                    call: u32::from_be_bytes(*call),
                }
            }
            CALLS => Self::Calls(address(bytes)?),
            RESULT => Self::Result(address(bytes)?),
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
        let mut value = Vec::new();
        self.source.write_value(content, &mut value)?;
        Ok(Opening::new(self.field, self.salt, value))
    }
}

/// Openings in the making, field after field.
pub(super) struct Encoder(Vec<u8>);

impl Encoder {
    /// None yet; room for so many fields, and for so many bytes of what they hold.
    pub(super) fn with_capacity(fields: usize, bytes: usize) -> Self {
        let mut out = Vec::with_capacity(1 + fields * FRAME + bytes);
        out.push(VERSION);
        Self(out)
    }

    /// Adds a field whose value `write` adds; gives the value.
    pub(super) fn inline(
        &mut self,
        field: FieldId,
        salt: &[u8; 32],
        write: impl FnOnce(&mut Vec<u8>),
    ) -> &[u8] {
        self.add(field, salt, INLINE, write)
    }

    /// Adds a field whose value is elsewhere.
    pub(super) fn source(&mut self, field: FieldId, salt: &[u8; 32], source: &Source) {
        self.add(field, salt, source.tag(), |out| source.write(out));
    }

    fn add(
        &mut self,
        field: FieldId,
        salt: &[u8; 32],
        tag: u8,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> &[u8] {
        let Self(out) = self;
        out.extend_from_slice(&field.number().to_be_bytes());
        out.extend_from_slice(salt);
        out.push(tag);
        let at = out.len();
        out.extend_from_slice(&[0; 4]);
        write(out);
        let Some((length, value)) = out
            .get_mut(at..)
            .and_then(|rest| rest.split_first_chunk_mut())
        else {
            return &[];
        };
        *length = u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes();
        value
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

pub(super) fn encode(fields: &[FieldOpening]) -> Vec<u8> {
    let mut out = Encoder::with_capacity(fields.len(), 0);
    for opening in fields {
        out.source(opening.field, &opening.salt, &opening.source);
    }
    out.finish()
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
            Source::Texts([address, address].into_iter().collect()),
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
