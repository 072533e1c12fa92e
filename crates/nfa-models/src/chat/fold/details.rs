//! `reasoning_details`: what OpenRouter wants back of a model's thoughts.

use std::borrow::Cow;

use nfa_core::Error;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{DETAILS, Fold, value};
use crate::chat::merge;
use crate::chat::short_way::{Kind, News};
use crate::wire::shape::Text;

/// A piece of the detail that is under way, and nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct More<'a> {
    r#type: &'a str,
    index: u64,
    #[serde(borrow, default)]
    format: Option<&'a str>,
    #[serde(borrow, default)]
    text: Option<Text<'a>>,
    #[serde(borrow, default)]
    summary: Option<Text<'a>>,
}

impl Fold {
    /// Adds details, or pieces of some. They are thoughts, unless those are `said` beside them. Gives whether
    /// they told of any.
    pub(super) fn details(&mut self, raw: &RawValue, said: bool) -> Result<bool, Error> {
        if let Ok([more]) = serde_json::from_str::<[More<'_>; 1]>(raw.get())
            && self.grows(&more)
        {
            self.grew = true;
            let text = more.text.or(more.summary).unwrap_or_default();
            if said || text.0.is_empty() {
                return Ok(false);
            }
            self.reasoning(&text.0);
            return Ok(true);
        }
        if let Some(way) = &mut self.short_way {
            way.forget_details();
        }
        let details = value(raw)?;
        let mut told = false;
        if !said {
            for detail in details.as_array().into_iter().flatten() {
                let text = detail.get("text").or_else(|| detail.get("summary"));
                if let Some(text) = text.and_then(Value::as_str).filter(|text| !text.is_empty()) {
                    told = true;
                    self.reasoning(text);
                }
            }
        }
        merge::field(&mut self.more_than_text().details, DETAILS, details);
        Ok(told)
    }

    /// Grows the newest detail, where `more` is a piece of it that says nothing else: what joining JSON would
    /// do, without making any.
    fn grows(&mut self, more: &More<'_>) -> bool {
        let (name, text) = match (&more.text, &more.summary) {
            (Some(text), None) => ("text", text),
            (None, Some(text)) => ("summary", text),
            _ => return false,
        };
        let Some(newest) = self.newest() else {
            return false;
        };
        let is = |name: &str| newest.get(name).and_then(Value::as_str);
        let same = is("type") == Some(more.r#type)
            && newest.get("index").and_then(Value::as_u64) == Some(more.index)
            && more
                .format
                .is_none_or(|format| is("format") == Some(format))
            && !more.r#type.contains("encrypted");
        match newest.get_mut(name) {
            Some(Value::String(all)) if same => {
                all.push_str(&text.0);
                true
            }
            _ => false,
        }
    }

    /// Grows the newest detail as an earlier chunk did that was like this one.
    pub(super) fn grow_detail(&mut self, summary: bool, text: &str) {
        let name = if summary { "summary" } else { "text" };
        let newest = self.newest().and_then(|newest| newest.get_mut(name));
        if let Some(Value::String(all)) = newest {
            all.push_str(text);
        }
    }

    fn newest(&mut self) -> Option<&mut Map<String, Value>> {
        let list = self.rest.as_mut()?.details.get_mut(DETAILS)?;
        list.as_array_mut()?.last_mut()?.as_object_mut()
    }
}

/// The news of thoughts and of a piece of a detail that says the same.
pub(super) fn said_again<'a>(raw: &'a RawValue, string: &'a str) -> Option<News<'a>> {
    let [more] = serde_json::from_str::<[More<'a>; 1]>(raw.get()).ok()?;
    let (text, summary) = match (more.text, more.summary) {
        (Some(text), None) => (text.0, false),
        (None, Some(text)) => (text.0, true),
        _ => return None,
    };
    match text {
        Cow::Borrowed(again) if again == string => Some(News {
            kind: Kind::Detail { summary },
            string,
            again: Some(again),
        }),
        _ => None,
    }
}
