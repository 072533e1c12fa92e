//! Sound and images in answers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nfa_core::Error;
use nfa_core::content::Part;
use serde_json::json;
use serde_json::value::RawValue;

use super::{Fold, Open, value};
use crate::chat::shape::Audio;
use crate::errors;

/// Sound in the making.
#[derive(Debug, Default)]
pub(super) struct Sound {
    id: String,
    data: Vec<u8>,
    /// Where its words stand.
    transcript: Option<usize>,
}

impl Fold {
    /// Sound, or a piece of it; each piece of data is base64 of its own.
    pub(super) fn audio(&mut self, piece: &Audio<'_>) -> Result<(), Error> {
        let mut sound = self.sound.take().unwrap_or_default();
        if let Some(id) = &piece.id
            && sound.id.is_empty()
        {
            sound.id.push_str(&id.0);
        }
        if let Some(data) = &piece.data {
            STANDARD
                .decode_vec(data.0.as_bytes(), &mut sound.data)
                .map_err(|error| errors::invalid(format!("expected sound in base64: {error}")))?;
        }
        if let Some(words) = &piece.transcript
            && !words.0.is_empty()
        {
            // The words are the answer's text for everybody who does not take sound back.
            let opaque = self.opaque(json!({"transcript": true}));
            let at = *sound.transcript.get_or_insert_with(|| {
                self.answer.push(Part::Text {
                    text: String::new(),
                    citations: Vec::new(),
                    opaque: Some(Box::new(opaque)),
                })
            });
            self.open = Open::Nothing;
            self.answer.grow(at, &words.0);
        }
        self.sound = Some(sound);
        Ok(())
    }

    pub(super) fn close_sound(&mut self) {
        let Some(sound) = self.sound.take() else {
            return;
        };
        if sound.data.is_empty() && sound.id.is_empty() {
            return;
        }
        let media_type = match self.sound_format.as_str() {
            "" => "audio/wav".to_owned(),
            "mp3" => "audio/mpeg".to_owned(),
            // 24 kHz, one channel, little endian.
            "pcm16" => "audio/pcm".to_owned(),
            format => format!("audio/{format}"),
        };
        let data = STANDARD.encode(&sound.data);
        let opaque = self.opaque(json!({"audio": {"id": sound.id}}));
        self.answer.push(Part::Media {
            url: format!("data:{media_type};base64,{data}"),
            media_type,
            name: None,
            opaque: Some(Box::new(opaque)),
        });
    }

    /// An image of `field`: its list of images, or of the content's parts.
    pub(super) fn image(&mut self, url: &str, field: &str, raw: &RawValue) -> Result<(), Error> {
        let media_type = url
            .strip_prefix("data:")
            .and_then(|rest| rest.split(&[';', ',']).next())
            .filter(|media_type| media_type.starts_with("image/"))
            .unwrap_or("image/*");
        // The address is in the part already: it is put back when this is sent.
        let mut item = value(raw)?;
        if let Some(place) = item.pointer_mut("/image_url/url") {
            *place = serde_json::Value::Null;
        }
        let opaque = self.opaque(json!({ field: item }));
        self.answer.push(Part::Media {
            media_type: media_type.to_owned(),
            url: url.to_owned(),
            name: None,
            opaque: Some(Box::new(opaque)),
        });
        Ok(())
    }
}
