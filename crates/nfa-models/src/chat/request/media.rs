//! Images, sound and files, as each dialect takes them.

use nfa_core::Error;
use serde_json::{Value, json};

use crate::chat::dialect::{Audio, Files, Ways};
use crate::errors;
use crate::wire::sent::base64_of;

/// The part of a content that holds this.
pub(super) fn part(
    ways: &Ways,
    media_type: &str,
    url: &str,
    name: Option<&str>,
) -> Result<Value, Error> {
    let data = base64_of(url);
    let kind = media_type.split_once('/');
    let by_address = "give it as a base64 `data:` URL";
    let Some((class, kind)) = kind else {
        return Err(refused(
            media_type,
            "give it a media type such as `image/png`",
        ));
    };
    match (class, data) {
        ("image", _) if ways.images => Ok(json!({"type": "image_url", "image_url": {"url": url}})),
        ("audio", Some(data)) => match ways.audio {
            Audio::Object => {
                let format = match kind {
                    "mpeg" | "mp3" => "mp3",
                    "x-wav" | "wave" => "wav",
                    kind => kind,
                };
                Ok(json!({"type": "input_audio", "input_audio": {"data": data, "format": format}}))
            }
            Audio::Bare => Ok(json!({"type": "input_audio", "input_audio": data})),
            Audio::Not => Err(refused(media_type, UNTAKEN)),
        },
        ("audio", None) if matches!(ways.audio, Audio::Bare) => {
            Ok(json!({"type": "input_audio", "input_audio": url}))
        }
        ("audio", None) => Err(refused(media_type, by_address)),
        ("video", _) if ways.videos => Ok(json!({"type": "video_url", "video_url": {"url": url}})),
        ("image" | "video", _) => Err(refused(media_type, UNTAKEN)),
        (_, data) => match (&ways.files, data) {
            (Files::Not, _) => Err(refused(media_type, UNTAKEN)),
            (Files::Data, None) => Err(refused(media_type, by_address)),
            (Files::Data, Some(_)) => Ok(json!({
                "type": "file",
                "file": {"filename": name.unwrap_or("attachment"), "file_data": url},
            })),
            (Files::Address, _) => {
                let mut part = json!({"type": "document_url", "document_url": url});
                if let (Some(name), Some(part)) = (name, part.as_object_mut()) {
                    part.insert("document_name".to_owned(), name.into());
                }
                Ok(part)
            }
        },
    }
}

const UNTAKEN: &str = "this provider takes none; leave it out, or ask another model";

fn refused(media_type: &str, what_to_do: &str) -> Error {
    errors::input(
        errors::MEDIA_UNSUPPORTED,
        format!("a part of type `{media_type}` cannot be sent: {what_to_do}"),
    )
}
