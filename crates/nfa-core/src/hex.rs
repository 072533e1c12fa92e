//! Bytes as lower-case hexadecimal text, for ports whose other side speaks JSON.

use bytes::Bytes;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ids::{decode_hex, encode_hex};

/// Something that is written as hexadecimal text.
pub trait HexBytes: Sized {
    /// Its bytes.
    fn bytes(&self) -> &[u8];

    /// Itself, of its bytes; `None` for too few or too many.
    fn from_bytes(bytes: Vec<u8>) -> Option<Self>;
}

impl<const N: usize> HexBytes for [u8; N] {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        bytes.try_into().ok()
    }
}

impl HexBytes for Bytes {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        Some(bytes.into())
    }
}

impl HexBytes for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        Some(bytes)
    }
}

/// One value, as text.
///
/// ```
/// use nfa_core::hex::Hex;
///
/// assert_eq!(serde_json::to_string(&Hex(&[0_u8, 255])).unwrap(), r#""00ff""#);
/// assert_eq!(serde_json::from_str::<Hex<[u8; 2]>>(r#""00ff""#).unwrap().0, [0, 255]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hex<T>(pub T);

impl<T: HexBytes> Serialize for Hex<&T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = self.0.bytes();
        let mut text = vec![0; bytes.len() * 2];
        serializer.serialize_str(encode_hex(bytes, &mut text))
    }
}

impl<'de, T: HexBytes> Deserialize<'de> for Hex<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = vec![0; text.len() / 2];
        let value = decode_hex(&text, &mut bytes)
            .then(|| T::from_bytes(bytes))
            .flatten();
        value.map(Self).ok_or_else(|| {
            D::Error::custom(format!(
                "expected {} lower-case hexadecimal digits, found {} characters that are not that",
                expected::<T>(),
                text.chars().count()
            ))
        })
    }
}

fn expected<T: HexBytes>() -> String {
    match size_of::<T>() {
        // A heap value has any length.
        _ if T::from_bytes(Vec::new()).is_some() => "an even number of".to_owned(),
        bytes => (bytes * 2).to_string(),
    }
}

pub(crate) fn serialize<T: HexBytes, S: Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    Hex(value).serialize(serializer)
}

pub(crate) fn deserialize<'de, T: HexBytes, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Hex::deserialize(deserializer).map(|text| text.0)
}

/// Several.
pub(crate) mod each {
    use super::{Deserialize, Deserializer, Hex, HexBytes, Serializer};

    pub(crate) fn serialize<T: HexBytes, S: Serializer>(
        values: &[T],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(Hex))
    }

    pub(crate) fn deserialize<'de, T: HexBytes, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<T>, D::Error> {
        let texts = Vec::<Hex<T>>::deserialize(deserializer)?;
        Ok(texts.into_iter().map(|text| text.0).collect())
    }
}

/// One beside something else.
pub(crate) mod second {
    use super::{Deserialize, Deserializer, Hex, HexBytes, Serialize, Serializer};

    pub(crate) fn serialize<A: Serialize, T: HexBytes, S: Serializer>(
        pair: &(A, T),
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        (&pair.0, Hex(&pair.1)).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, A: Deserialize<'de>, T: HexBytes, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<(A, T), D::Error> {
        let (first, text) = <(A, Hex<T>)>::deserialize(deserializer)?;
        Ok((first, text.0))
    }
}

/// One beside something else, or neither.
pub(crate) mod maybe_second {
    use super::{Deserialize, Deserializer, Hex, HexBytes, Serialize, Serializer};

    pub(crate) fn serialize<A: Serialize, T: HexBytes, S: Serializer>(
        pair: &Option<(A, T)>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let pair = pair.as_ref().map(|pair| (&pair.0, Hex(&pair.1)));
        pair.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, A: Deserialize<'de>, T: HexBytes, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<(A, T)>, D::Error> {
        let pair = Option::<(A, Hex<T>)>::deserialize(deserializer)?;
        Ok(pair.map(|(first, text)| (first, text.0)))
    }
}

/// A number of 64 bits, which JSON's readers need not keep exact.
pub(crate) mod number {
    use super::{Deserialize, Deserializer, Hex, Serialize, Serializer};

    #[allow(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde calls it with a reference"
    )]
    pub(crate) fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        Hex(&value.to_be_bytes()).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        Hex::<[u8; 8]>::deserialize(deserializer).map(|hex| u64::from_be_bytes(hex.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct All {
        #[serde(with = "super")]
        hash: [u8; 2],
        #[serde(with = "each")]
        several: Vec<Bytes>,
        #[serde(with = "second")]
        pair: (u8, Vec<u8>),
        #[serde(with = "maybe_second")]
        perhaps: Option<(u8, [u8; 1])>,
    }

    #[test]
    fn bytes_go_through_text_and_back() {
        for perhaps in [None, Some((3, [4]))] {
            let all = All {
                hash: [0, 255],
                several: vec![Bytes::new(), Bytes::from_static(b"ab")],
                pair: (1, vec![2]),
                perhaps,
            };
            let json = serde_json::to_value(&all).unwrap();
            assert_eq!(json["hash"], "00ff");
            assert_eq!(json["several"], serde_json::json!(["", "6162"]));
            assert_eq!(serde_json::from_value::<All>(json).unwrap(), all);
        }
    }

    #[test]
    fn what_is_no_such_text_is_refused() {
        let read = |text: &str| serde_json::from_value::<Hex<[u8; 2]>>(text.into());
        assert!(read("00ff").is_ok());
        for wrong in ["", "00f", "00fff", "00FF", "00fg", "00ff00"] {
            let error = read(wrong).err().unwrap().to_string();
            assert!(error.contains("expected 4 lower-case"), "{wrong}: {error}");
        }
    }
}
