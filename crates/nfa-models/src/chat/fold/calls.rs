//! Tool calls, whole or in pieces.

use nfa_core::Error;
use nfa_core::content::{Part, ToolCall};
use serde_json::{Map, Value};

use super::{Fold, value};
use crate::chat::merge;
use crate::chat::shape::{Call, Function, Rest};
use crate::errors;

/// A call that has begun.
#[derive(Debug)]
pub(super) struct Begun {
    /// Its index on the wire.
    index: Option<u32>,
    /// Its place in the answer.
    pub(super) at: usize,
    id: String,
}

impl<'a> Call<'a> {
    /// The arguments as they stand of a piece that says nothing else, and its index.
    pub(super) fn more(&self) -> Option<(u32, &'a str)> {
        let says = |text: Option<&str>| text.is_some_and(|text| !text.is_empty());
        let function = self.function.as_ref()?;
        let named = says(self.id.as_ref().map(|id| id.0.as_ref()))
            || says(function.name.as_ref().map(|name| name.0.as_ref()));
        if named || !self.rest.0.is_empty() {
            return None;
        }
        self.index.zip(function.quoted_arguments())
    }
}

impl Fold {
    pub(super) fn call(&mut self, piece: &Call<'_>, whole: bool) -> Result<(), Error> {
        let id = piece.id.as_ref().map_or("", |id| &id.0);
        let function = piece.function.as_ref();
        let name = function
            .and_then(|function| function.name.as_ref())
            .map_or("", |name| &name.0);
        let begun = if whole {
            None
        } else {
            self.find(piece.index, id, name)
        };
        let at = match begun.and_then(|place| self.calls.get_mut(place)) {
            Some(call) => {
                if call.id.is_empty() {
                    call.id.push_str(id);
                }
                self.answer.name(call.at, id, name);
                call.at
            }
            None => self.begin(piece.index, id, name),
        };
        if let Some(function) = function {
            self.arguments(at, function)?;
        }
        self.keep_beside(at, &piece.rest)
    }

    /// More of the arguments of the call with this index.
    pub(super) fn more(&mut self, index: u32, json: &str) {
        let begun = self.find(Some(index), "", "");
        let at = match begun.and_then(|place| self.calls.get(place)) {
            Some(call) => call.at,
            None => self.begin(Some(index), "", ""),
        };
        if !json.is_empty() {
            self.answer.arguments(at, json);
        }
    }

    /// The one call of a message that has no list of them.
    pub(super) fn legacy_call(&mut self, function: &Function<'_>) -> Result<(), Error> {
        let name = function.name.as_ref().map_or("", |name| &name.0);
        let at = match self.calls.last() {
            Some(call) => call.at,
            None => self.begin(None, "", name),
        };
        self.answer.name(at, "", name);
        self.arguments(at, function)
    }

    fn arguments(&mut self, at: usize, function: &Function<'_>) -> Result<(), Error> {
        let arguments = function.arguments().map_err(|error| {
            errors::invalid(format!(
                "expected a tool call's arguments as a string: {error}"
            ))
        })?;
        if !arguments.is_empty() {
            self.answer.arguments(at, &arguments);
        }
        Ok(())
    }

    /// Keeps what a call says that we don't read, such as a signature of its thoughts.
    fn keep_beside(&mut self, at: usize, rest: &Rest<'_>) -> Result<(), Error> {
        if rest.0.is_empty() {
            return Ok(());
        }
        let empty = self.opaque(Value::Object(Map::new()));
        let Some(Part::ToolCall(call)) = self.answer.part(at) else {
            return Ok(());
        };
        let opaque = call.opaque.get_or_insert_with(|| Box::new(empty));
        let Value::Object(fields) = &mut opaque.value else {
            return Ok(());
        };
        for (key, raw) in &rest.0 {
            merge::field(fields, key, value(raw)?);
        }
        Ok(())
    }

    /// Which call a piece belongs to. The index says so; but some servers send none, or 0 for all, and
    /// then a new id with a name, or a name alone, begins a new call.
    fn find(&self, index: Option<u32>, id: &str, name: &str) -> Option<usize> {
        let begins = |call: &Begun| {
            !name.is_empty() && !id.is_empty() && !call.id.is_empty() && call.id != id
        };
        if index.is_some() {
            let place = self.calls.iter().rposition(|call| call.index == index)?;
            return self
                .calls
                .get(place)
                .filter(|call| !begins(call))
                .map(|_| place);
        }
        if !id.is_empty() {
            return self.calls.iter().rposition(|call| call.id == id);
        }
        if name.is_empty() {
            return self.calls.len().checked_sub(1);
        }
        None
    }

    pub(super) fn begin(&mut self, index: Option<u32>, id: &str, name: &str) -> usize {
        let at = self.answer.call(ToolCall::new(id, name, ""));
        self.calls.push(Begun {
            index,
            at,
            id: id.to_owned(),
        });
        at
    }
}
