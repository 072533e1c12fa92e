//! A leaf as bytes: a map of integer keys in deterministic CBOR.

use super::field::FieldId;
use super::{
    LEAF_DOMAIN, LEAF_VERSION, Leaf, LeafHeader, LeafKind, MAX_LEAF_BYTES, MAX_LEAF_FIELDS,
};
use crate::cbor::{Reader, Writer, head_length};
use crate::commitment::{CommitmentAlgorithm, FieldCommitment};
use crate::error::{ErrorCode, ProofError};

const VERSION: u64 = 0;
const DOMAIN: u64 = 1;
const KIND: u64 = 2;
const AGENT: u64 = 3;
const SESSION: u64 = 4;
const RUN: u64 = 5;
const SEQUENCE: u64 = 6;
const TIME: u64 = 7;
const PARENT: u64 = 8;
const FIELDS: u64 = 9;

/// Nine keys, and a tenth for the parent.
const KEYS: u64 = 9;

pub(super) fn encode(leaf: &Leaf) -> Vec<u8> {
    let header = &leaf.header;
    let mut out = Writer::with_capacity(length(leaf));
    out.map(KEYS + u64::from(header.parent.is_some()));
    out.uint(VERSION);
    out.uint(LEAF_VERSION);
    out.uint(DOMAIN);
    out.text(LEAF_DOMAIN);
    out.uint(KIND);
    out.uint(header.kind.number());
    out.uint(AGENT);
    out.bytes(&header.agent);
    out.uint(SESSION);
    out.bytes(&header.session);
    out.uint(RUN);
    out.bytes(&header.run);
    out.uint(SEQUENCE);
    out.uint(header.sequence);
    out.uint(TIME);
    out.uint(header.time_ms);
    if let Some(parent) = &header.parent {
        out.uint(PARENT);
        out.bytes(parent);
    }
    out.uint(FIELDS);
    out.array(leaf.fields.len() as u64);
    for field in &leaf.fields {
        out.array(3);
        out.uint(u64::from(field.field.number()));
        out.uint(field.algorithm.number());
        out.bytes(&field.commitment);
    }
    out.finish()
}

/// How long a leaf becomes, so that its bytes are allocated once.
fn length(leaf: &Leaf) -> usize {
    let header = &leaf.header;
    let parent = header
        .parent
        .map_or(0, |parent| 1 + head_length(32) + parent.len());
    let fields = leaf.fields.iter().map(|field| {
        1 + head_length(u64::from(field.field.number()))
            + head_length(field.algorithm.number())
            + head_length(32)
            + field.commitment.len()
    });
    // The map and its nine keys are a byte each, and each id is 16 bytes behind one.
    1 + 9
        + head_length(LEAF_VERSION)
        + head_length(LEAF_DOMAIN.len() as u64)
        + LEAF_DOMAIN.len()
        + head_length(header.kind.number())
        + 3 * (1 + 16)
        + head_length(header.sequence)
        + head_length(header.time_ms)
        + parent
        + head_length(leaf.fields.len() as u64)
        + fields.sum::<usize>()
}

pub(super) fn decode(bytes: &[u8]) -> Result<Leaf, ProofError> {
    if bytes.len() > MAX_LEAF_BYTES {
        return Err(ProofError::new(
            ErrorCode::LeafEncoding,
            format!(
                "a leaf has at most {MAX_LEAF_BYTES} bytes, found {}",
                bytes.len()
            ),
        ));
    }
    let mut input = Reader::new(bytes);
    let has_parent = match input.map("a map of 9 or 10 keys")? {
        KEYS => false,
        10 => true,
        _ => return Err(input.error("a map of 9 or 10 keys")),
    };
    key(&mut input, VERSION)?;
    let version = input.uint("the version")?;
    if version != LEAF_VERSION {
        return Err(ProofError::new(
            ErrorCode::LeafVersion,
            format!("expected leaf version {LEAF_VERSION}, found {version}; use a newer verifier"),
        ));
    }
    key(&mut input, DOMAIN)?;
    let domain = input.text("the domain")?;
    if domain != LEAF_DOMAIN {
        return Err(ProofError::new(
            ErrorCode::LeafDomain,
            format!("expected the domain {LEAF_DOMAIN:?}, found {domain:?}"),
        ));
    }
    key(&mut input, KIND)?;
    let kind = LeafKind::from_number(input.uint("the kind")?)?;
    key(&mut input, AGENT)?;
    let agent = input.fixed("the agent")?;
    key(&mut input, SESSION)?;
    let session = input.fixed("the session")?;
    key(&mut input, RUN)?;
    let run = input.fixed("the run")?;
    key(&mut input, SEQUENCE)?;
    let sequence = input.uint("the sequence")?;
    key(&mut input, TIME)?;
    let time_ms = input.uint("the time")?;
    let parent = if has_parent {
        key(&mut input, PARENT)?;
        Some(input.fixed("the parent")?)
    } else {
        None
    };
    key(&mut input, FIELDS)?;
    let fields = fields(&mut input)?;
    input.end()?;
    let header = LeafHeader {
        kind,
        agent,
        session,
        run,
        sequence,
        time_ms,
        parent,
    };
    Ok(Leaf { header, fields })
}

fn key(input: &mut Reader<'_>, expected: u64) -> Result<(), ProofError> {
    if input.uint("a key")? == expected {
        return Ok(());
    }
    Err(input.error(format_args!("key {expected}")))
}

fn fields(input: &mut Reader<'_>) -> Result<Vec<FieldCommitment>, ProofError> {
    let count = input.array("the fields")?;
    let Some(count) = usize::try_from(count)
        .ok()
        .filter(|count| *count <= MAX_LEAF_FIELDS)
    else {
        return Err(input.error(format_args!("at most {MAX_LEAF_FIELDS} fields")));
    };
    let mut fields: Vec<FieldCommitment> = Vec::with_capacity(count);
    for _ in 0..count {
        if input.array("a commitment")? != 3 {
            return Err(input.error("a commitment of 3 items"));
        }
        let number = u16::try_from(input.uint("a field id")?)
            .ok()
            .and_then(FieldId::new);
        let Some(field) = number else {
            return Err(input.error("a field id from 1 to 65535"));
        };
        if fields.last().is_some_and(|last| last.field >= field) {
            return Err(input.error("strictly increasing field ids"));
        }
        let algorithm = CommitmentAlgorithm::from_number(input.uint("an algorithm")?)?;
        let commitment = input.fixed("a commitment")?;
        fields.push(FieldCommitment {
            field,
            algorithm,
            commitment,
        });
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_is_as_long_as_was_foretold() {
        let numbers = [
            0,
            23,
            24,
            0xff,
            0x100,
            0xffff,
            0x1_0000,
            0xffff_ffff,
            1 << 32,
        ];
        for (number, fields) in numbers
            .into_iter()
            .zip([0_u16, 1, 9, 23, 24, 30, 100, 200, 256])
        {
            for parent in [None, Some([3; 32])] {
                let header = LeafHeader {
                    kind: LeafKind::ToolCall,
                    agent: [1; 16],
                    session: [2; 16],
                    run: [0; 16],
                    sequence: number,
                    time_ms: number,
                    parent,
                };
                let commitments = (1..=fields).map(|field| FieldCommitment {
                    field: FieldId::new(field * 200).unwrap(),
                    algorithm: CommitmentAlgorithm::Blake3,
                    commitment: [4; 32],
                });
                let leaf = Leaf::new(header, commitments.collect()).unwrap();
                assert_eq!(
                    encode(&leaf).len(),
                    length(&leaf),
                    "{number}, {fields} fields"
                );
            }
        }
    }
}
