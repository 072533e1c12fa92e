//! Signals from others.

use nfa_core::Error;
use nfa_core::content::Sealed;
use nfa_core::ids::Subject;
use nfa_core::ports::{InboxItem, Posted};

use super::Writer;
use crate::codec::integer;
use crate::failure::{internal, sqlite};

impl Writer {
    pub(crate) fn post(
        &mut self,
        item: &InboxItem,
        blobs: &[(Subject, Sealed)],
    ) -> Result<Posted, Error> {
        let row = self.run_row(item.run)?;
        let signal = serde_json::to_vec(&item.signal)
            .map_err(|error| internal("a signal cannot be written as JSON").with_source(error))?;
        let new = self
            .connection
            .prepare_cached(
                "INSERT OR IGNORE INTO inbox (run, id, at, signal) VALUES (?1, ?2, ?3, ?4)",
            )
            .and_then(|mut statement| {
                statement.execute((row, &item.id, integer(item.at.0), signal))
            })
            .map_err(sqlite)?;
        if new == 0 {
            return Ok(Posted::Duplicate);
        }
        self.write_loose(blobs)?;
        Ok(Posted::New)
    }
}
