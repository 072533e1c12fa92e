//! Images and documents, as the provider takes them.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use nfa_core::Error;
use serde_json::{Value, json};

use crate::errors;

/// A block of media.
pub(super) struct Media {
    /// `image` or `document`.
    pub(super) kind: &'static str,
    pub(super) source: Value,
}

impl Media {
    /// Images and PDFs by address or as base64; text files as their text.
    pub(super) fn of(media_type: &str, url: &str) -> Result<Self, Error> {
        let data = url
            .strip_prefix("data:")
            .and_then(|rest| rest.split_once(','));
        let base64 = data
            .filter(|(head, _)| head.ends_with(";base64"))
            .map(|(_, data)| data);
        let kind = match media_type {
            "image/jpeg" | "image/png" | "image/gif" | "image/webp" => "image",
            "application/pdf" => "document",
            text if text.starts_with("text/") => {
                let text = match (data, base64) {
                    (_, Some(data)) => decoded(data),
                    (Some((_, data)), None) => unescaped(data),
                    (None, None) => None,
                };
                let Some(text) = text.and_then(|bytes| String::from_utf8(bytes).ok()) else {
                    return Err(unsupported(format!(
                        "a part of type `{media_type}` cannot be sent by its address; give it as a `data:` URL of UTF-8 text"
                    )));
                };
                return Ok(Self {
                    kind: "document",
                    source: json!({"type": "text", "media_type": "text/plain", "data": text}),
                });
            }
            _ => {
                return Err(unsupported(format!(
                    "a part of type `{media_type}` cannot be sent over the Messages API: it takes JPEG, PNG, GIF and WebP images, PDFs and text"
                )));
            }
        };
        let source = match (base64, url) {
            (Some(data), _) => json!({"type": "base64", "media_type": media_type, "data": data}),
            (None, url) if url.starts_with("https:") || url.starts_with("http:") => {
                json!({"type": "url", "url": url})
            }
            _ => {
                return Err(unsupported(format!(
                    "a part of type `{media_type}` cannot be sent from this URL; give an https: or a base64 data: URL"
                )));
            }
        };
        Ok(Self { kind, source })
    }
}

fn unsupported(message: String) -> Error {
    errors::input(errors::MEDIA_UNSUPPORTED, message)
}

/// Base64, in either alphabet, with or without padding.
fn decoded(data: &str) -> Option<Vec<u8>> {
    const TOLERANT: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let is_url_safe = data.contains(['-', '_']);
    let alphabet = if is_url_safe { &URL_SAFE } else { &STANDARD };
    GeneralPurpose::new(alphabet, TOLERANT).decode(data).ok()
}

/// What a URL without base64 holds.
fn unescaped(data: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(data.len());
    let mut rest = data.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        let digits = std::str::from_utf8(&digits).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sends_what_the_provider_takes_and_refuses_the_rest() {
        let source = |media_type: &str, url: &str| {
            Media::of(media_type, url).map(|media| (media.kind, media.source))
        };
        assert_eq!(
            source("image/png", "data:image/png;base64,aGk=").unwrap(),
            (
                "image",
                json!({"type": "base64", "media_type": "image/png", "data": "aGk="})
            )
        );
        assert_eq!(
            source("application/pdf", "https://h/a.pdf").unwrap(),
            ("document", json!({"type": "url", "url": "https://h/a.pdf"}))
        );
        let text = |url| source("text/plain", url).unwrap().1["data"].clone();
        assert_eq!(text("data:text/plain;base64,aMOpIQ=="), "hé!");
        assert_eq!(text("data:text/plain;base64,aMOpIQ"), "hé!");
        assert_eq!(text("data:text/plain;base64,Pz8_Pj4-"), "???>>>");
        assert_eq!(text("data:text/plain,h%C3%A9!"), "hé!");
        for (media_type, url) in [
            ("audio/wav", "data:audio/wav;base64,aGk="),
            ("image/tiff", "https://h/a.tiff"),
            ("image/png", "file:///a.png"),
            ("text/plain", "https://h/a.txt"),
            ("text/plain", "data:text/plain;base64,!"),
            ("text/plain", "data:text/plain,%FF"),
        ] {
            let error = source(media_type, url).unwrap_err();
            assert_eq!(error.code(), "model_media_unsupported", "{error}");
        }
    }
}
