//! What is said: a string, or the list of parts that some providers send.

use std::borrow::Cow;
use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::wire::shape::Text;

/// Content as it comes.
#[derive(Debug)]
pub(in crate::chat) enum Content<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<ContentPart<'a>>),
}

/// One part of a list.
#[derive(Debug)]
pub(in crate::chat) enum ContentPart<'a> {
    Text(Cow<'a, str>),
    Thinking(Vec<ContentPart<'a>>),
    Refusal(Cow<'a, str>),
    /// An image by its address, and the whole part.
    Image(Cow<'a, str>, &'a RawValue),
    /// What we don't read.
    Other(&'a RawValue),
}

impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StringOrParts;
        impl<'de> Visitor<'de> for StringOrParts {
            type Value = Content<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of parts")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Content::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Content::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut parts = Vec::new();
                while let Some(raw) = list.next_element::<&'de RawValue>()? {
                    parts.push(ContentPart::of(raw));
                }
                Ok(Content::Parts(parts))
            }
        }
        deserializer.deserialize_any(StringOrParts)
    }
}

impl<'a> ContentPart<'a> {
    fn of(raw: &'a RawValue) -> Self {
        let other = ContentPart::Other(raw);
        if raw.get().starts_with('"') {
            return serde_json::from_str(raw.get()).map_or(other, |Text(text)| Self::Text(text));
        }
        let Ok(mut fields) = serde_json::from_str::<Fields<'a>>(raw.get()) else {
            return other;
        };
        let kind = fields.r#type.take().unwrap_or_default().0;
        match (kind.as_ref(), fields) {
            (
                "text" | "output_text" | "",
                Fields {
                    text: Some(text), ..
                },
            ) => Self::Text(text.0),
            (
                "thinking",
                Fields {
                    thinking: Some(raw),
                    ..
                },
            ) => match serde_json::from_str::<Content<'a>>(raw.get()) {
                Ok(Content::Text(text)) => Self::Thinking(vec![Self::Text(text)]),
                Ok(Content::Parts(parts)) => Self::Thinking(parts),
                Err(_) => other,
            },
            (
                "refusal",
                Fields {
                    refusal: Some(text),
                    ..
                },
            ) => Self::Refusal(text.0),
            (
                "image_url",
                Fields {
                    image_url: Some(image),
                    ..
                },
            ) => Self::Image(image.url.0, raw),
            _ => other,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Fields<'a> {
    #[serde(borrow)]
    r#type: Option<Text<'a>>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    thinking: Option<&'a RawValue>,
    #[serde(borrow)]
    refusal: Option<Text<'a>>,
    #[serde(borrow)]
    image_url: Option<Image<'a>>,
}

#[derive(Debug, Deserialize)]
struct Image<'a> {
    #[serde(borrow)]
    url: Text<'a>,
}

/// The images of a list; what is none of them is left to be kept as it is.
pub(in crate::chat) fn images(raw: &RawValue) -> Vec<ContentPart<'_>> {
    match serde_json::from_str(raw.get()) {
        Ok(Content::Parts(parts)) => parts,
        _ => vec![ContentPart::Other(raw)],
    }
}
