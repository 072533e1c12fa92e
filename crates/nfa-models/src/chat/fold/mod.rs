//! Reads what Chat Completions brings, whole or in pieces.

mod calls;
mod details;
mod media;

use std::borrow::Cow;
use std::sync::Arc;

use nfa_core::Error;
use nfa_core::content::{Citation, FinishReason, ModelAnswer, Opaque, Part};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::merge;
use super::shape::{self, Body, Content, ContentPart, Said};
use super::short_way::{Kind, News, ShortWay};
use crate::constrained::{Decoder, Piece};
use crate::errors;
use crate::wire::shape::Text;
use crate::wire::{self, AnswerBuilder, Progress, failure};
use calls::Begun;
use media::Sound;

/// An answer in the making.
#[derive(Debug)]
pub(crate) struct Fold {
    answer: AnswerBuilder,
    /// Where the thoughts and the refusal stand; a choice has one of each.
    reasoning: Option<usize>,
    refusal: Option<usize>,
    /// What of the content goes on.
    open: Open,
    calls: Vec<Begun>,
    /// Whether the chunk that is read grew the newest detail, and did nothing else to details.
    grew: bool,
    sound: Option<Box<Sound>>,
    rest: Option<Box<Rest>>,
    /// Set when the content is a constrained answer rather than text.
    decoder: Option<Decoder>,
    /// `None` when everything is to be read in full.
    short_way: Option<ShortWay>,
    /// Whose opaque parts these are.
    owner: Arc<str>,
    /// The format that sound was asked for in.
    sound_format: String,
}

/// The content's newest part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Nothing,
    Text(usize),
    Thinking(usize),
}

/// What few answers hold.
#[derive(Debug, Default)]
struct Rest {
    /// Fields of the message that we don't read.
    fields: Map<String, Value>,
    /// `reasoning_details`, alone in an object.
    details: Map<String, Value>,
    /// `annotations`, alone in an object.
    annotations: Map<String, Value>,
    /// Addresses of pages.
    pages: Vec<String>,
}

impl Fold {
    /// A fold that also makes deltas when `deltas`, and refuses answers of more than `limit` bytes.
    pub(super) fn new(
        deltas: bool,
        decoder: Option<Decoder>,
        limit: usize,
        owner: Arc<str>,
    ) -> Self {
        Self {
            answer: AnswerBuilder::new(deltas, limit),
            reasoning: None,
            refusal: None,
            open: Open::Nothing,
            calls: Vec::new(),
            grew: false,
            sound: None,
            rest: None,
            decoder,
            short_way: Some(ShortWay::default()),
            owner,
            sound_format: String::new(),
        }
    }

    /// The same without the short way, to be compared with.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn in_full(mut self) -> Self {
        self.short_way = None;
        self
    }

    /// Sound comes in this format.
    pub(super) fn with_sound(mut self, format: &str) -> Self {
        format.clone_into(&mut self.sound_format);
        self
    }

    /// Takes a `chat.completion` or a chunk of one.
    fn chunk(&mut self, data: &[u8]) -> Result<Progress, Error> {
        self.answer.count(data.len())?;
        if let Some(mut way) = self.short_way.take() {
            let short = way.find(data).map(|(kind, text)| self.news(kind, text));
            self.short_way = Some(way);
            if let Some(progress) = short {
                return Ok(progress);
            }
        }
        self.full(data)
    }

    /// The same as reading the chunk in full whose only news is this.
    fn news(&mut self, kind: Kind, text: &str) -> Progress {
        match kind {
            Kind::Arguments(index) => self.more(index, text),
            _ if text.is_empty() => return Progress::None,
            Kind::Text => self.content(text),
            Kind::Reasoning => self.reasoning(text),
            Kind::Detail { summary } => {
                self.grow_detail(summary, text);
                self.reasoning(text);
            }
        }
        Progress::Content
    }

    fn full(&mut self, data: &[u8]) -> Result<Progress, Error> {
        let body: Body<'_> = serde_json::from_slice(data).map_err(|error| {
            errors::invalid(format!(
                "expected a chat completion, found {}: {error}",
                failure::excerpt(data)
            ))
        })?;
        if body.is_error() {
            return Err(failure::in_body(data));
        }
        if let Some(error) = body.inner_error() {
            return Err(failure::in_body(error.get().as_bytes()));
        }
        let padding = body.padding();
        let mut only = true;
        if let Some(usage) = body.usage() {
            self.answer.usage = usage.usage();
            only = false;
        }
        if let Some(pages) = body.citations {
            self.pages(pages);
            only = false;
        }
        keep(&mut self.answer.model, body.model);
        keep(&mut self.answer.id, body.id);
        let Some(choice) = body.choices.and_then(|choices| choices.0) else {
            return Ok(Progress::None);
        };
        if choice.failed() {
            return Err(errors::transient(
                errors::UNAVAILABLE,
                "the provider ended the answer with finish reason `error`",
            ));
        }
        let finish = choice.finish();
        only &= finish.is_none() && choice.logprobs.is_none();
        if let Some(raw) = choice.logprobs {
            merge::field(&mut self.more_than_text().fields, "logprobs", value(raw)?);
        }
        let mut progress = finish.is_some();
        if let Some((said, whole)) = choice.said() {
            let news = if only && !whole {
                only_news(&said)
            } else {
                None
            };
            let detailed = said.reasoning_details.is_some();
            self.grew = false;
            progress |= self.said(said, whole)?;
            if let (Some(news), Some(way)) = (news, &mut self.short_way)
                && self.grew == detailed
            {
                way.learn(data, &news, padding);
            }
        }
        self.answer.finish = finish.or(self.answer.finish);
        Ok(if progress {
            Progress::Content
        } else {
            Progress::None
        })
    }

    fn said(&mut self, said: Said<'_>, whole: bool) -> Result<bool, Error> {
        let mut progress = false;
        let reasoning = [said.reasoning_content, said.reasoning]
            .into_iter()
            .flatten()
            .find(|text| !text.0.is_empty());
        if let Some(raw) = said.reasoning_details {
            progress |= self.details(raw, reasoning.is_some())?;
        }
        if let Some(text) = &reasoning {
            progress = true;
            self.reasoning(&text.0);
        }
        match said.content {
            Some(Content::Text(text)) if !text.is_empty() => {
                progress = true;
                self.content(&text);
            }
            Some(Content::Parts(parts)) => {
                for part in parts {
                    progress = true;
                    self.content_part(part)?;
                }
            }
            _ => {}
        }
        if let Some(text) = said.refusal.filter(|text| !text.0.is_empty()) {
            progress = true;
            self.refuse(&text.0);
        }
        if let Some(audio) = said.audio {
            progress = true;
            self.audio(&audio)?;
        }
        for part in said.images.map(shape::images).unwrap_or_default() {
            progress = true;
            match part {
                ContentPart::Image(url, raw) => self.image(&url, "images", raw)?,
                ContentPart::Other(raw) => {
                    let images = Value::Array(vec![value(raw)?]);
                    merge::field(&mut self.more_than_text().fields, "images", images);
                }
                other => self.content_part(other)?,
            }
        }
        for call in said.tool_calls.into_iter().flatten() {
            progress = true;
            self.call(&call, whole)?;
        }
        if let Some(function) = &said.function_call {
            progress = true;
            self.legacy_call(function)?;
        }
        if let Some(raw) = said.annotations {
            merge::field(
                &mut self.more_than_text().annotations,
                ANNOTATIONS,
                value(raw)?,
            );
        }
        for (key, raw) in said.rest.0 {
            progress = true;
            merge::field(&mut self.more_than_text().fields, &key, value(raw)?);
        }
        Ok(progress)
    }

    fn more_than_text(&mut self) -> &mut Rest {
        self.rest.get_or_insert_default()
    }

    fn opaque(&self, value: Value) -> Opaque {
        Opaque {
            provider: self.owner.to_string(),
            value,
        }
    }

    fn reasoning(&mut self, text: &str) {
        let empty = || Part::reasoning(String::new());
        let at = part(&mut self.answer, &mut self.reasoning, empty);
        self.answer.grow(at, text);
    }

    fn refuse(&mut self, text: &str) {
        let empty = || Part::Refusal {
            text: String::new(),
        };
        let at = part(&mut self.answer, &mut self.refusal, empty);
        self.answer.grow(at, text);
    }

    fn content(&mut self, text: &str) {
        if let Some(mut decoder) = self.decoder.take() {
            decoder.feed(text, &mut |piece| self.decoded(piece));
            self.decoder = Some(decoder);
        } else {
            self.plain(text);
        }
    }

    fn plain(&mut self, text: &str) {
        let at = match self.open {
            Open::Text(at) => at,
            _ => self.answer.push(Part::text(String::new())),
        };
        self.open = Open::Text(at);
        self.answer.grow(at, text);
    }

    fn content_part(&mut self, part: ContentPart<'_>) -> Result<(), Error> {
        match part {
            ContentPart::Text(text) => self.content(&text),
            ContentPart::Refusal(text) => self.refuse(&text),
            ContentPart::Image(url, raw) => self.image(&url, "content", raw)?,
            ContentPart::Thinking(parts) => {
                for part in parts {
                    match part {
                        ContentPart::Text(text) => self.think(&text),
                        ContentPart::Other(raw) | ContentPart::Image(_, raw) => {
                            let thought = json!({"type": "thinking", "thinking": [value(raw)?]});
                            self.unread(thought);
                        }
                        ContentPart::Thinking(_) | ContentPart::Refusal(_) => {}
                    }
                }
            }
            ContentPart::Other(raw) => {
                let unread = value(raw)?;
                self.unread(unread);
            }
        }
        Ok(())
    }

    /// Thoughts that stand among the content, and are sent back there.
    fn think(&mut self, text: &str) {
        let at = match self.open {
            Open::Thinking(at) => at,
            _ => self.answer.push(Part::Reasoning {
                text: String::new(),
                opaque: Some(Box::new(self.opaque(json!({"type": "thinking"})))),
            }),
        };
        self.open = Open::Thinking(at);
        self.answer.grow(at, text);
    }

    /// A part of the content that we don't read, kept in its place.
    fn unread(&mut self, part: Value) {
        let opaque = self.opaque(json!({ "content": [part] }));
        self.answer.push(Part::Opaque(opaque));
        self.open = Open::Nothing;
    }

    fn pages(&mut self, raw: &RawValue) {
        if let Ok(pages) = serde_json::from_str::<Vec<Text<'_>>>(raw.get())
            && !pages.is_empty()
        {
            // Some say them with every chunk, each time all.
            self.more_than_text().pages =
                pages.into_iter().map(|page| page.0.into_owned()).collect();
        }
    }

    fn decoded(&mut self, piece: Piece<'_>) {
        match piece {
            Piece::Text(text) => self.plain(text),
            Piece::Call(name) => {
                self.begin(None, "", name);
            }
            Piece::Arguments(json) => {
                if let Some(call) = self.calls.last() {
                    self.answer.arguments(call.at, json);
                }
            }
        }
    }

    /// What stands beside the text: citations on it, details on the thoughts, the rest by itself.
    fn close(&mut self) {
        self.close_sound();
        let Some(rest) = self.rest.take() else {
            return;
        };
        if let Some(Value::Array(items)) = rest.details.get(DETAILS)
            && !items.is_empty()
        {
            let details = self.opaque(Value::Object(rest.details));
            let empty = || Part::reasoning(String::new());
            let at = part(&mut self.answer, &mut self.reasoning, empty);
            if let Some(Part::Reasoning { opaque, .. }) = self.answer.part(at) {
                *opaque = Some(Box::new(details));
            }
        }
        let mut fields = rest.fields;
        let mut annotations = rest.annotations;
        let mut cited = Vec::new();
        if let Some(Value::Array(items)) = annotations.remove(ANNOTATIONS) {
            for annotation in items {
                match self.citation(&annotation) {
                    Some(citation) => cited.push(citation),
                    None => merge::field(&mut fields, ANNOTATIONS, vec![annotation].into()),
                }
            }
        }
        for url in rest.pages {
            if !cited
                .iter()
                .any(|citation| citation.url.as_deref() == Some(&url))
            {
                cited.push(Citation {
                    url: Some(url),
                    title: None,
                    quote: None,
                    opaque: None,
                });
            }
        }
        if !cited.is_empty() {
            self.cite(cited);
        }
        if !fields.is_empty() {
            let opaque = self.opaque(fields.into());
            self.answer.push(Part::Opaque(opaque));
        }
    }

    fn citation(&self, annotation: &Value) -> Option<Citation> {
        let said = annotation.get("url_citation")?;
        let text = |name: &str| said.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Citation {
            url: Some(text("url")?),
            title: text("title"),
            quote: text("content"),
            opaque: Some(Box::new(self.opaque(annotation.clone()))),
        })
    }

    fn cite(&mut self, cited: Vec<Citation>) {
        let first = (0..self.answer.len())
            .find(|at| matches!(self.answer.part(*at), Some(Part::Text { .. })));
        let at = first.unwrap_or_else(|| self.answer.push(Part::text(String::new())));
        if let Some(Part::Text { citations, .. }) = self.answer.part(at) {
            *citations = cited;
        }
    }
}

const DETAILS: &str = "reasoning_details";
const ANNOTATIONS: &str = "annotations";

/// The one string that a delta brings, when it brings nothing else and more such strings may follow.
fn only_news<'a>(said: &Said<'a>) -> Option<News<'a>> {
    let quiet = said.function_call.is_none()
        && said.annotations.is_none()
        && said.audio.is_none()
        && said.images.is_none()
        && said.rest.0.is_empty()
        && said.refusal.as_ref().is_none_or(|text| text.0.is_empty());
    if !quiet {
        return None;
    }
    let mut news = None;
    let mut count = 0;
    let mut add = |kind, text: &Cow<'a, str>| {
        if !text.is_empty() {
            count += 1;
            if let Cow::Borrowed(string) = text {
                news = Some(News {
                    kind,
                    string,
                    again: None,
                });
            }
        }
    };
    match &said.content {
        None => {}
        Some(Content::Text(text)) => add(Kind::Text, text),
        Some(Content::Parts(_)) => return None,
    }
    match (&said.reasoning_content, &said.reasoning) {
        (None, None) => {}
        (Some(text), None) | (None, Some(text)) => add(Kind::Reasoning, &text.0),
        // Which of them is read depends on what they say.
        (Some(_), Some(_)) => return None,
    }
    match said.tool_calls.as_deref() {
        None | Some([]) => {}
        Some([call]) => {
            count += 1;
            news = call.more().map(|(index, string)| News {
                kind: Kind::Arguments(index),
                string,
                again: None,
            });
        }
        Some(_) => return None,
    }
    let news = news.filter(|_| count == 1)?;
    match said.reasoning_details {
        None => Some(news),
        Some(raw) if news.kind == Kind::Reasoning => details::said_again(raw, news.string),
        Some(_) => None,
    }
}

impl wire::Fold for Fold {
    fn event(&mut self, data: &[u8]) -> Result<Progress, Error> {
        match data {
            b"[DONE]" => Ok(Progress::Done),
            b"" => Ok(Progress::None),
            data => self.chunk(data),
        }
    }

    fn body(&mut self, data: &[u8]) -> Result<(), Error> {
        self.chunk(data).map(|_| ())
    }

    fn answer(&mut self) -> &mut AnswerBuilder {
        &mut self.answer
    }

    fn is_finished(&self) -> bool {
        self.answer.finish.is_some()
    }

    fn finish(&mut self) -> Result<ModelAnswer, Error> {
        if self.is_finished()
            && let Some(mut decoder) = self.decoder.take()
        {
            let cut = self.answer.finish == Some(FinishReason::Length);
            decoder.finish(cut, &mut |piece| self.decoded(piece));
        }
        self.close();
        let mut answer = self.answer.finish()?;
        // However the pieces came, and in whichever order a whole message names them.
        answer.message.parts.sort_by_key(rank);
        Ok(answer)
    }
}

/// Where a part stands in an answer; those of the content stay in their order.
fn rank(part: &Part) -> u8 {
    let among_content = |opaque: &Opaque, key: &str| opaque.value.get(key).is_some();
    match part {
        Part::Reasoning {
            opaque: Some(opaque),
            ..
        } if among_content(opaque, "type") => 1,
        Part::Reasoning { .. } => 0,
        Part::Opaque(opaque) if among_content(opaque, "content") => 1,
        Part::Text { .. } => 1,
        Part::Refusal { .. } => 2,
        Part::Media { .. } => 3,
        Part::Opaque(_) => 5,
        _ => 4,
    }
}

fn value(raw: &RawValue) -> Result<Value, Error> {
    serde_json::from_str(raw.get())
        .map_err(|error| errors::invalid(format!("expected JSON that can be kept: {error}")))
}

/// The place of a part that is there at most once, begun when it is first needed.
fn part(
    answer: &mut AnswerBuilder,
    place: &mut Option<usize>,
    make: impl FnOnce() -> Part,
) -> usize {
    *place.get_or_insert_with(|| answer.push(make()))
}

fn keep(place: &mut String, text: Option<Text<'_>>) {
    if place.is_empty()
        && let Some(text) = text
    {
        *place = text.0.into_owned();
    }
}

#[cfg(test)]
mod tests;
