//! JSON written into bytes, piece by piece.

use nfa_core::Error;
use nfa_core::spec::ModelSettings;
use serde::Serialize;

use crate::errors;

/// An object in the making.
pub(crate) struct Object<'a> {
    out: &'a mut Vec<u8>,
    begun: bool,
}

impl<'a> Object<'a> {
    pub(crate) fn begin(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, begun: false }
    }

    /// A member; its value is to be written into what is given.
    pub(crate) fn key(&mut self, name: &str) -> &mut Vec<u8> {
        if std::mem::replace(&mut self.begun, true) {
            self.out.push(b',');
        }
        string(name, self.out);
        self.out.push(b':');
        self.out
    }

    pub(crate) fn entry(
        &mut self,
        name: &str,
        value: &(impl Serialize + ?Sized),
    ) -> Result<(), Error> {
        write(self.key(name), value)
    }

    /// A setting, unless it is absent or among the extra ones, which win.
    pub(crate) fn setting(
        &mut self,
        settings: &ModelSettings,
        name: &str,
        value: Option<&impl Serialize>,
    ) -> Result<(), Error> {
        match value.filter(|_| !settings.extra.contains_key(name)) {
            Some(value) => self.entry(name, value),
            None => Ok(()),
        }
    }

    pub(crate) fn end(self) {
        self.out.push(b'}');
    }
}

/// Another element of a list whose opening bracket, or a comma, stands before the first.
pub(crate) fn element(list: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
    next(list);
    write(list, value)
}

/// Makes room for another element.
pub(crate) fn next(list: &mut Vec<u8>) {
    if !matches!(list.last(), Some(b'[' | b',')) {
        list.push(b',');
    }
}

fn string(text: &str, out: &mut Vec<u8>) {
    // A string can always be written.
    let _ = serde_json::to_writer(out, text);
}

pub(crate) fn write(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
    serde_json::to_writer(out, value).map_err(|error| {
        errors::input(
            errors::REQUEST_INVALID,
            format!("the request cannot be written: {error}"),
        )
    })
}
