//! Reading enums that carry their tag inside, whatever `serde_json` features a dependency turned on.
//!
//! serde keeps the fields of such an enum aside until it has seen the tag. Under `arbitrary_precision` it
//! keeps numbers in a form that no integer field reads back. A [`serde_json::Value`] in between gives each
//! number as what it is.

/// Implements serde's traits for a type that derives them with `#[serde(remote = "Self")]`.
macro_rules! tagged {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                <$type>::serialize(self, serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let value = <serde_json::Value as serde::Deserialize>::deserialize(deserializer)?;
                <$type>::deserialize(value).map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use tagged;
