//! Holding leases: every lease of this process is renewed together, and nothing is performed once they
//! may have lapsed (law L9).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Category, Component, Error};

/// How long the leases of this process certainly hold, by its own monotonic clock.
pub(super) struct LeaseClock {
    started: Instant,
    ttl: Duration,
    /// Milliseconds after `started`; `u64::MAX` where nobody else could take a lease.
    valid_until: AtomicU64,
    /// How often leases may have lapsed before they were renewed.
    lapses: AtomicU64,
}

impl LeaseClock {
    pub(super) fn new(ttl: Duration, shared: bool) -> Self {
        let started = Instant::now();
        let valid_until = if shared { millis(ttl) } else { u64::MAX };
        Self {
            started,
            ttl,
            valid_until: AtomicU64::new(valid_until),
            lapses: AtomicU64::new(0),
        }
    }

    pub(super) fn ttl_ms(&self) -> u64 {
        millis(self.ttl)
    }

    pub(super) fn renew_every(&self) -> Duration {
        self.ttl / 4
    }

    /// The leases were renewed by a request that was sent at `asked`. The store's clock began to count no
    /// earlier, so they hold at least a ttl from then. When the answer came too late to be sure that they
    /// had held until then, every lease taken before is doubtful for good.
    pub(super) fn renewed_at(&self, asked: Instant) {
        if !self.is_running() {
            self.lapses.fetch_add(1, Ordering::SeqCst);
        }
        let until = asked.duration_since(self.started) + self.ttl;
        self.valid_until.fetch_max(millis(until), Ordering::SeqCst);
    }

    /// What a lease must be checked with that is asked for now.
    pub(super) fn asking(&self) -> Held {
        Held {
            lapses: self.lapses.load(Ordering::SeqCst),
            until: millis(self.started.elapsed()).saturating_add(self.ttl_ms()),
        }
    }

    /// Whether a lease certainly has not lapsed.
    pub(super) fn holds(&self, lease: Held) -> bool {
        let renewed = self.lapses.load(Ordering::SeqCst) == lease.lapses && self.is_running();
        renewed || millis(self.started.elapsed()) < lease.until
    }

    fn is_running(&self) -> bool {
        millis(self.started.elapsed()) < self.valid_until.load(Ordering::SeqCst)
    }
}

/// When a lease was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    lapses: u64,
    /// Until when it holds without being renewed.
    until: u64,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l9_a_lease_that_may_have_lapsed_never_holds_again() {
        let clock = LeaseClock::new(Duration::ZERO, true);
        let before = clock.asking();
        assert!(!clock.holds(before));
        let late = LeaseClock {
            ttl: Duration::from_secs(60),
            ..clock
        };
        late.renewed_at(Instant::now());
        assert!(!late.holds(before));
        assert!(late.holds(late.asking()));
    }

    #[test]
    fn a_lease_of_a_store_of_one_process_never_lapses() {
        let clock = LeaseClock::new(Duration::ZERO, false);
        assert!(clock.holds(clock.asking()));
    }
}
