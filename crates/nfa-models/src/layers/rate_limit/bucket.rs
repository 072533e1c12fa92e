//! A token bucket: it fills at a steady rate, and what is taken beyond its level is owed.

use std::time::Duration;

use tokio::time::Instant;

#[derive(Debug)]
pub(super) struct Bucket {
    capacity: f64,
    a_second: f64,
    /// Below nothing when more was used than reserved.
    level: f64,
    at: Instant,
}

/// What a call wants of a bucket, and when it is there.
pub(super) struct Need(Option<Duration>);

impl Need {
    /// `None` for a bucket that does not exist.
    pub(super) fn of(bucket: &Option<Bucket>, amount: u64, now: Instant) -> Self {
        Self(bucket.as_ref().and_then(|bucket| bucket.wait(amount, now)))
    }

    /// How long it must wait, if it must.
    pub(super) fn wait(&self) -> Option<Duration> {
        self.0
    }
}

// Counts of tokens are far below 2^52, where floats stop being exact.
#[allow(clippy::cast_precision_loss)]
impl Bucket {
    /// A full bucket that takes in `a_minute`, and holds what comes within `burst`; at least one.
    pub(super) fn new(a_minute: u64, burst: Duration, now: Instant) -> Self {
        let a_second = a_minute as f64 / 60.0;
        let capacity = (a_second * burst.as_secs_f64()).max(1.0);
        Self {
            capacity,
            a_second,
            level: capacity,
            at: now,
        }
    }

    fn level(&self, now: Instant) -> f64 {
        let come = now.saturating_duration_since(self.at).as_secs_f64() * self.a_second;
        (self.level + come).min(self.capacity)
    }

    /// How long until `amount` is there, or all that can be; `None` when it is there now.
    fn wait(&self, amount: u64, now: Instant) -> Option<Duration> {
        let missing = (amount as f64).min(self.capacity) - self.level(now);
        // What rounding left missing is not worth a wait.
        if missing <= 1e-6 {
            return None;
        }
        let wait = Duration::try_from_secs_f64(missing / self.a_second);
        // The timer's own step, so that it never wakes a moment too early.
        Some(wait.unwrap_or(Duration::from_secs(3600)) + Duration::from_micros(1))
    }

    pub(super) fn take(&mut self, amount: u64, now: Instant) {
        self.level = self.level(now) - amount as f64;
        self.at = now;
    }

    pub(super) fn give_back(&mut self, reserved: u64, used: u64, now: Instant) {
        self.level = (self.level(now) + reserved as f64 - used as f64).min(self.capacity);
        self.at = now;
    }
}
