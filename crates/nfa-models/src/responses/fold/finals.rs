//! The final forms of items: what they say beyond what was streamed, and what is kept of them.

use nfa_core::Error;
use nfa_core::content::{Part, ToolCall};
use serde_json::{Map, Value};

use super::{Fold, Kind, Said, first_of, no_item};
use crate::errors;
use crate::responses::item::{self, Content};
use crate::responses::shape::Head;
use crate::wire::failure;

impl Fold {
    /// Takes the final form of an item. `ending`: it comes with the response's end, where an item that had
    /// its end already is not read again.
    pub(super) fn done(
        &mut self,
        index: Option<u32>,
        raw: &str,
        ending: bool,
    ) -> Result<(), Error> {
        let head: Head<'_> = serde_json::from_str(raw).map_err(|error| no_item(raw, &error))?;
        let kind = head.kind.0.as_ref();
        let id = head.id.0.as_ref();
        let mut found = self.place(index, id, |item| item.kind.is(kind));
        if let Some(item) = found.and_then(|place| self.items.get(place))
            && item.done
        {
            if ending || item.may_be(id) {
                return Ok(());
            }
            found = None;
        }
        let item: Map<String, Value> =
            serde_json::from_str(raw).map_err(|error| no_item(raw, &error))?;
        match kind {
            "message" => self.message(found, index, &head, item),
            "reasoning" => self.reasoning(found, index, &head, item),
            "function_call" => self.call(found, index, &head, item)?,
            _ => {
                let part = self.reader().other(item);
                let at = found.and_then(|place| match self.items.get(place)?.kind {
                    Kind::Other(at) => Some(at),
                    _ => None,
                });
                if let Some(begun) = at.and_then(|at| self.answer.part(at)) {
                    *begun = part;
                    self.close(found);
                } else {
                    let at = self.push(self.items.len(), 0, part);
                    let place = self.begin(index, &head.id.0, Kind::Other(at));
                    self.close(Some(place));
                }
            }
        }
        Ok(())
    }

    fn close(&mut self, place: Option<usize>) {
        if let Some(item) = place.and_then(|place| self.items.get_mut(place)) {
            item.done = true;
        }
    }

    fn message(
        &mut self,
        found: Option<usize>,
        index: Option<u32>,
        head: &Head<'_>,
        item: Map<String, Value>,
    ) {
        let contents = self.reader().message(item);
        let place =
            found.unwrap_or_else(|| self.begin(index, &head.id.0, Kind::Message(Vec::new())));
        for (content, index) in contents.into_iter().zip(0_u32..) {
            match content {
                Content::Text {
                    text,
                    citations: found,
                    opaque: kept,
                } => {
                    let Some(at) = self.content(place, index, Said::Text) else {
                        continue;
                    };
                    self.complete(at, &text);
                    if let Some(Part::Text {
                        citations, opaque, ..
                    }) = self.answer.part(at)
                    {
                        *opaque = kept;
                        if !found.is_empty() {
                            *citations = found;
                        }
                    }
                }
                Content::Refusal(text) => {
                    if let Some(at) = self.content(place, index, Said::Refusal) {
                        self.complete(at, &text);
                    }
                }
                Content::Other(opaque) => {
                    self.push(place, index, Part::Opaque(opaque));
                }
            }
        }
        self.close(Some(place));
    }

    fn reasoning(
        &mut self,
        found: Option<usize>,
        index: Option<u32>,
        head: &Head<'_>,
        item: Map<String, Value>,
    ) {
        let begun = found.and_then(|place| match self.items.get(place)?.kind {
            Kind::Reasoning { at, .. } => Some((place, at)),
            _ => None,
        });
        let (place, at) = begun.unwrap_or_else(|| {
            let at = self.push(self.items.len(), 0, Part::reasoning(String::new()));
            let kind = Kind::Reasoning { at, piece: None };
            (self.begin(index, &head.id.0, kind), at)
        });
        self.complete(at, &item::thoughts(&item));
        let kept = self.reader().opaque(Value::Object(item));
        if let Some(Part::Reasoning { opaque, .. }) = self.answer.part(at) {
            *opaque = Some(Box::new(kept));
        }
        self.close(Some(place));
    }

    fn call(
        &mut self,
        found: Option<usize>,
        index: Option<u32>,
        head: &Head<'_>,
        item: Map<String, Value>,
    ) -> Result<(), Error> {
        let id = first_of(&head.call_id.0, &head.id.0);
        let begun = found.and_then(|place| match self.items.get(place)?.kind {
            Kind::Call(at) => Some((place, at)),
            _ => None,
        });
        let (place, at) = begun.unwrap_or_else(|| {
            let call = ToolCall::new(id, head.name.0.as_ref(), "");
            let at = self.push(self.items.len(), 0, Part::ToolCall(call));
            (self.begin(index, &head.id.0, Kind::Call(at)), at)
        });
        self.answer.name(at, id, &head.name.0);
        let whole = item::arguments(&item);
        let told = match self.answer.part(at) {
            Some(Part::ToolCall(call)) => call.arguments.as_str(),
            _ => "",
        };
        match whole.strip_prefix(told) {
            Some("") => {}
            Some(rest) => self.answer.arguments(at, rest),
            // The same arguments, otherwise spaced, are the same.
            None if same_json(told, &whole) => {}
            None => {
                return Err(errors::invalid(format!(
                    "expected a call's final arguments to be those that were streamed, found {} after {}",
                    failure::excerpt(whole.as_bytes()),
                    failure::excerpt(told.as_bytes()),
                )));
            }
        }
        let kept = self.reader().call(item);
        if let Some(Part::ToolCall(call)) = self.answer.part(at) {
            call.opaque = kept;
        }
        self.close(Some(place));
        Ok(())
    }

    /// Lets a text grow to its final form. What was already told stays told: when the final form is no
    /// continuation of it, the text remains as it was streamed.
    pub(super) fn complete(&mut self, at: usize, whole: &str) {
        let told = match self.answer.part(at) {
            Some(
                Part::Text { text, .. } | Part::Reasoning { text, .. } | Part::Refusal { text },
            ) => text,
            _ => return,
        };
        if let Some(rest) = whole.strip_prefix(told.as_str()) {
            self.answer.grow(at, rest);
        }
    }
}

fn same_json(one: &str, other: &str) -> bool {
    let read = |text: &str| serde_json::from_str::<Value>(text).ok();
    read(one).is_some_and(|value| Some(value) == read(other))
}
