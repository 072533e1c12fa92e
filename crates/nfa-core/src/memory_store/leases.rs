//! Leases, of runs and of logs.

use std::sync::Arc;

use crate::ids::Timestamp;
use crate::ports::StoreRefusal;

/// A lease.
pub(super) struct Held {
    pub(super) owner: Arc<str>,
    pub(super) until: Timestamp,
}

impl Held {
    pub(super) fn new(owner: impl Into<Arc<str>>, ttl_ms: u64, now: Timestamp) -> Self {
        Self {
            owner: owner.into(),
            until: now.plus(ttl_ms),
        }
    }

    pub(super) fn refuse(&self, now: Timestamp) -> StoreRefusal {
        StoreRefusal::LeaseHeld {
            remaining_ms: self.until.0.saturating_sub(now.0),
        }
    }

    /// Extends it, if it is `owner`'s and has not expired.
    pub(super) fn renew(&mut self, owner: &str, ttl_ms: u64, now: Timestamp) -> Option<()> {
        if *self.owner != *owner || self.until <= now {
            return None;
        }
        self.until = self.until.max(now.plus(ttl_ms));
        Some(())
    }
}
