//! Erasing content.

use nfa_core::Error;
use nfa_core::ports::{ErasureRecord, ReplacedOpenings};

use super::Writer;
use crate::erasure;
use crate::failure::sqlite;

impl Writer {
    pub(crate) fn erase(
        &mut self,
        record: &ErasureRecord,
        replaced: &[ReplacedOpenings],
    ) -> Result<(), Error> {
        // New openings take rows of their own.
        self.last_row = None;
        erasure::perform(&self.connection, record, replaced)
    }

    pub(crate) fn wiped(&mut self, mark: &str) -> Result<(), Error> {
        erasure::mark_wiped(&self.connection, mark)
    }

    /// Empties the write-ahead log; outside any transaction.
    pub(crate) fn wipe_log(&mut self) -> Result<(), Error> {
        self.connection
            .busy_timeout(self.patience)
            .map_err(sqlite)?;
        self.patient = true;
        erasure::wipe_log(&self.connection)
    }
}
