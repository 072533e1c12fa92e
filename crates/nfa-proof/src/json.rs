//! Values of the JSON formats, in the one form that they have.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::commitment::Opening;
use crate::encoding::{from_base64, to_base64};
use crate::leaf::field::FieldId;
use crate::tree::Hash;

const MAX_INTEGER: u64 = (1 << 53) - 1;

/// Bytes as base64 text.
pub(crate) struct Base64<T>(pub(crate) T);

impl<T: AsRef<[u8]>> Serialize for Base64<T> {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        output.serialize_str(&to_base64(self.0.as_ref()))
    }
}

impl<'de, T: TryFrom<Vec<u8>>> Deserialize<'de> for Base64<T> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = String::deserialize(input)?;
        let bytes = from_base64(&text).ok_or_else(|| D::Error::custom("expected base64"))?;
        let length = bytes.len();
        let fixed = T::try_from(bytes);
        fixed
            .map(Self)
            .map_err(|_| D::Error::custom(format!("expected 32 bytes, found {length}")))
    }
}

/// A whole number that every JSON reader reads exactly.
#[derive(Serialize)]
#[serde(transparent)]
pub(crate) struct Integer(pub(crate) u64);

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let value = u64::deserialize(input)?;
        if value <= MAX_INTEGER {
            return Ok(Self(value));
        }
        Err(D::Error::custom(format!(
            "expected an integer up to {MAX_INTEGER}, found {value}"
        )))
    }
}

/// Hashes as base64 texts.
pub(crate) fn hashes(hashes: &[Hash]) -> Vec<Base64<Hash>> {
    hashes.iter().copied().map(Base64).collect()
}

/// A field by its number.
pub(crate) struct JsonField(pub(crate) FieldId);

impl Serialize for JsonField {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        output.serialize_u16(self.0.number())
    }
}

impl<'de> Deserialize<'de> for JsonField {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let field = FieldId::new(u16::deserialize(input)?);
        field
            .map(Self)
            .ok_or_else(|| D::Error::custom("expected a field id from 1 to 65535"))
    }
}

/// What opens a commitment.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JsonOpening {
    field: JsonField,
    salt: Base64<Hash>,
    value: Base64<Vec<u8>>,
}

impl From<&Opening> for JsonOpening {
    fn from(opening: &Opening) -> Self {
        Self {
            field: JsonField(opening.field),
            salt: Base64(opening.salt),
            value: Base64(opening.value.clone()),
        }
    }
}

impl From<JsonOpening> for Opening {
    fn from(opening: JsonOpening) -> Self {
        Self {
            field: opening.field.0,
            salt: opening.salt.0,
            value: opening.value.0,
        }
    }
}
