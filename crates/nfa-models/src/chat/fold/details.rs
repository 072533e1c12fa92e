//! `reasoning_details`: what OpenRouter wants back of a model's thoughts.

use nfa_core::Error;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{DETAILS, Fold, value};
use crate::chat::merge;
use crate::chat::shape::Text;

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
            let text = more.text.or(more.summary).unwrap_or_default();
            if said || text.0.is_empty() {
                return Ok(false);
            }
            self.reasoning(&text.0);
            return Ok(true);
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
        let newest = self.rest.as_mut().and_then(|rest| {
            let list = rest.details.get_mut(DETAILS)?.as_array_mut()?;
            list.last_mut()?.as_object_mut()
        });
        let Some(newest) = newest else {
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
}
