//! Erasing content: its bytes are overwritten where they lie; what names it stays.

use super::state::State;
use crate::error::Error;
use crate::ports::{ErasureRecord, ReplacedOpenings};

impl State {
    pub(super) fn erase(
        &mut self,
        erasure: &ErasureRecord,
        replaced: &[ReplacedOpenings],
    ) -> Result<(), Error> {
        let (arena, scratch) = (&mut self.arena, &mut self.scratch);
        for openings in replaced {
            let (_, sealed) = &openings.new;
            self.blobs.insert(arena, scratch, sealed);
            if let Some(run) = self.runs.head(arena, &openings.run) {
                let (old, new) = (&openings.old, &sealed.address);
                self.logs
                    .replace_openings(arena, &self.blobs, scratch, &run, old, new);
            }
        }
        for address in &erasure.blobs {
            self.blobs.remove(arena, scratch, address);
        }
        Ok(())
    }
}
