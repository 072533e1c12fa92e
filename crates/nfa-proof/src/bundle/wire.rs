//! A bundle as bytes: canonical JSON (RFC 8785). Members are declared in the order of their
//! names, which is the order that they are written in.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest as _;

use super::leaf_proof::{ContextDisclosure, ContextPart, LeafProof};
use super::{Bundle, limits};
use crate::anchor::statement::Anchor;
use crate::commitment::Opening;
use crate::error::{ErrorCode, ProofError};
use crate::json::{Base64, Integer, JsonField, JsonOpening, hashes};
use crate::tree::{Hash, HasherKind};

const FORMAT: &str = "nfa-proof-bundle";
const VERSION: u64 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    anchors: Vec<WireAnchor>,
    checkpoint: String,
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    digest: Option<Base64<Hash>>,
    format: String,
    hasher: WireHasher,
    leaves: Vec<WireLeaf>,
    origin: String,
    version: Integer,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireAnchor {
    data: Base64<Vec<u8>>,
    kind: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireLeaf {
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    context: Option<WireContext>,
    disclosed: Vec<JsonOpening>,
    erased: Vec<JsonField>,
    index: Integer,
    leaf: Base64<Vec<u8>>,
    proof: Vec<Base64<Hash>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireContext {
    parts: Vec<WirePart>,
    start: Base64<Hash>,
    steps: Vec<Vec<Base64<Hash>>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WirePart {
    part: Integer,
    salt: Base64<Hash>,
    step: Integer,
    value: Base64<Vec<u8>>,
}

/// Enough of a file to say which version it is.
#[derive(Deserialize)]
struct Peek {
    format: Option<serde_json::Value>,
    version: Option<serde_json::Value>,
}

impl Bundle {
    /// Reads a bundle. Only the bytes that [`to_vec`](Self::to_vec) makes are accepted, so a
    /// changed space is refused like any other change.
    ///
    /// # Errors
    /// One of the `bundle_…` codes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, ProofError> {
        limits::check_length(bytes)?;
        let wire = read(bytes)?;
        if to_json(&wire)? != bytes {
            return Err(ProofError::new(
                ErrorCode::BundleNotCanonical,
                "the bundle is not canonical JSON; it was reformatted, export it again",
            ));
        }
        let bundle = Self::from(wire);
        limits::check(&bundle.checkpoint, &bundle.leaves, &bundle.anchors)?;
        Ok(bundle)
    }

    /// The one encoding of this bundle: canonical JSON.
    ///
    /// # Errors
    /// `bundle_too_large`.
    pub fn to_vec(&self) -> Result<Vec<u8>, ProofError> {
        let mut wire = Wire::from(self);
        wire.digest = Some(Base64(sha2::Sha256::digest(to_json(&wire)?).into()));
        let bytes = to_json(&wire)?;
        limits::check_length(&bytes)?;
        Ok(bytes)
    }
}

fn read(bytes: &[u8]) -> Result<Wire, ProofError> {
    let peek: Peek = serde_json::from_slice(bytes).map_err(|error| json(&error))?;
    if peek.format.as_ref().and_then(|format| format.as_str()) != Some(FORMAT) {
        return Err(ProofError::new(
            ErrorCode::BundleFormat,
            format!("expected a JSON object whose `format` is {FORMAT:?}; is this a bundle?"),
        ));
    }
    if peek.version.as_ref().and_then(|version| version.as_u64()) != Some(VERSION) {
        return Err(ProofError::new(
            ErrorCode::BundleVersion,
            format!("expected a bundle of version {VERSION}; use a newer verifier"),
        ));
    }
    let wire: Wire = serde_json::from_slice(bytes).map_err(|error| json(&error))?;
    if wire.digest.is_none() {
        return Err(ProofError::new(
            ErrorCode::BundleJson,
            "the bundle has no `digest`",
        ));
    }
    Ok(wire)
}

/// SHA-256 of the canonical bundle without its `digest`.
pub(super) fn digest(bundle: &Bundle) -> Result<Hash, ProofError> {
    Ok(sha2::Sha256::digest(to_json(&Wire::from(bundle))?).into())
}

fn to_json(wire: &Wire) -> Result<Vec<u8>, ProofError> {
    serde_json::to_vec(wire).map_err(|error| json(&error))
}

fn json(error: &serde_json::Error) -> ProofError {
    ProofError::new(
        ErrorCode::BundleJson,
        format!("not a proof bundle: {error}"),
    )
}

/// A member that may be left out, but is not `null` when it is there.
fn present<'de, D, T>(input: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(input).map(Some)
}

struct WireHasher(HasherKind);

impl Serialize for WireHasher {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        output.serialize_str(self.0.as_str())
    }
}

impl<'de> Deserialize<'de> for WireHasher {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let kind = HasherKind::from_name(&String::deserialize(input)?);
        kind.map(Self)
            .ok_or_else(|| D::Error::custom("expected the hasher sha256 or blake3"))
    }
}

impl From<&Bundle> for Wire {
    fn from(bundle: &Bundle) -> Self {
        let anchor = |a: &Anchor| WireAnchor {
            data: Base64(a.data.clone()),
            kind: a.kind.clone(),
        };
        Self {
            anchors: bundle.anchors.iter().map(anchor).collect(),
            checkpoint: bundle.checkpoint.clone(),
            digest: None,
            format: FORMAT.to_owned(),
            hasher: WireHasher(bundle.hasher),
            leaves: bundle.leaves.iter().map(WireLeaf::from).collect(),
            origin: bundle.origin.clone(),
            version: Integer(VERSION),
        }
    }
}

impl From<&LeafProof> for WireLeaf {
    fn from(leaf: &LeafProof) -> Self {
        Self {
            context: leaf.context.as_ref().map(WireContext::from),
            disclosed: leaf.disclosed.iter().map(JsonOpening::from).collect(),
            erased: leaf.erased.iter().copied().map(JsonField).collect(),
            index: Integer(leaf.index),
            leaf: Base64(leaf.leaf.clone()),
            proof: hashes(&leaf.proof),
        }
    }
}

impl From<&ContextDisclosure> for WireContext {
    fn from(context: &ContextDisclosure) -> Self {
        let part = |part: &ContextPart| WirePart {
            part: Integer(part.part),
            salt: Base64(part.salt),
            step: Integer(part.step),
            value: Base64(part.value.clone()),
        };
        Self {
            parts: context.parts.iter().map(part).collect(),
            start: Base64(context.start),
            steps: context.steps.iter().map(|step| hashes(step)).collect(),
        }
    }
}

impl From<Wire> for Bundle {
    fn from(wire: Wire) -> Self {
        let anchor = |a: WireAnchor| Anchor {
            kind: a.kind,
            data: a.data.0,
        };
        Self {
            origin: wire.origin,
            hasher: wire.hasher.0,
            checkpoint: wire.checkpoint,
            leaves: wire.leaves.into_iter().map(LeafProof::from).collect(),
            anchors: wire.anchors.into_iter().map(anchor).collect(),
            digest: wire.digest.map(|digest| digest.0),
        }
    }
}

impl From<WireLeaf> for LeafProof {
    fn from(leaf: WireLeaf) -> Self {
        Self {
            leaf: leaf.leaf.0,
            index: leaf.index.0,
            proof: leaf.proof.into_iter().map(|hash| hash.0).collect(),
            disclosed: leaf.disclosed.into_iter().map(Opening::from).collect(),
            erased: leaf.erased.into_iter().map(|field| field.0).collect(),
            context: leaf.context.map(ContextDisclosure::from),
        }
    }
}

impl From<WireContext> for ContextDisclosure {
    fn from(context: WireContext) -> Self {
        let step = |step: Vec<Base64<Hash>>| step.into_iter().map(|hash| hash.0).collect();
        let part = |part: WirePart| ContextPart {
            step: part.step.0,
            part: part.part.0,
            salt: part.salt.0,
            value: part.value.0,
        };
        Self {
            start: context.start.0,
            steps: context.steps.into_iter().map(step).collect(),
            parts: context.parts.into_iter().map(part).collect(),
        }
    }
}
