//! Holding leases: every lease of this process is renewed together, and nothing is performed once they
//! may have lapsed (law L9).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::error::{Category, Component, Error};

/// How long the leases of this process certainly hold, by its own monotonic clock.
pub(super) struct LeaseClock {
    started: Instant,
    ttl: Duration,
    /// Milliseconds after `started`; `u64::MAX` where nobody else could take a lease.
    valid_until: AtomicU64,
}

impl LeaseClock {
    pub(super) fn new(ttl: Duration, shared: bool) -> Self {
        let clock = Self {
            started: Instant::now(),
            ttl,
            valid_until: AtomicU64::new(u64::MAX),
        };
        if shared {
            clock.renewed_at(Instant::now());
        }
        clock
    }

    pub(super) fn ttl_ms(&self) -> u64 {
        u64::try_from(self.ttl.as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn renew_every(&self) -> Duration {
        self.ttl / 4
    }

    /// The leases were renewed by a request that was sent at `asked`. The store's clock began to count no
    /// earlier, so the leases hold at least a ttl from then.
    pub(super) fn renewed_at(&self, asked: Instant) {
        let until = asked.duration_since(self.started) + self.ttl;
        self.valid_until.fetch_max(millis(until), Ordering::SeqCst);
    }

    /// Forgets renewals for a lease that was taken just now: it holds a full ttl whatever came before.
    pub(super) fn renew_floor(&self, asked: Instant) {
        if self.valid_until.load(Ordering::SeqCst) < millis(asked.duration_since(self.started)) {
            self.renewed_at(asked);
        }
    }

    /// Whether what this process holds has certainly not lapsed.
    pub(super) fn is_valid(&self) -> bool {
        millis(self.started.elapsed()) < self.valid_until.load(Ordering::SeqCst)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn lease_lapsed() -> Error {
    Error::new(
        Component::Runtime,
        Category::Conflict,
        "lease_lapsed",
        "this process could not renew its leases in time; somebody else may drive the run now",
    )
}
