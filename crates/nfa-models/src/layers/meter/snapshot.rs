//! What a meter has counted, as a plain value.

use std::collections::BTreeMap;
use std::time::Duration;

use nfa_core::content::Usage;
use serde::Serialize;

/// What was counted of one model.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ModelMetrics {
    /// Calls that began.
    pub calls: u64,
    /// Calls that are under way.
    pub active: u64,
    /// Calls that ended in an answer.
    pub answers: u64,
    /// Calls that ended in an error, by its code.
    pub errors: BTreeMap<String, u64>,
    /// Calls that were dropped; what they used is not known.
    pub dropped: u64,
    /// How often what had surfaced was retracted.
    pub retractions: u64,
    /// Tokens and cost of all answers.
    pub usage: Usage,
    /// From the call to its first delta, where deltas were asked for.
    pub first_content: Histogram,
    /// From the call to its answer.
    pub duration: Histogram,
}

/// Durations, counted in buckets that double from 10 ms to 82 s: those that OpenTelemetry advises for the
/// duration of model calls.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Histogram {
    /// How many were no longer than each of [`Histogram::BOUNDS`], and longer than the one before; the last
    /// were longer than all.
    pub buckets: [u64; 15],
    /// All of them together.
    pub sum: Duration,
}

impl Histogram {
    /// The longest duration of each bucket but the last, in milliseconds.
    pub const BOUNDS: [u64; 14] = [
        10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10_240, 20_480, 40_960, 81_920,
    ];

    /// Counts one more.
    pub(super) fn add(&mut self, duration: Duration) {
        let fits = |bound: &u64| duration <= Duration::from_millis(*bound);
        let at = Self::BOUNDS
            .iter()
            .position(fits)
            .unwrap_or(Self::BOUNDS.len());
        if let Some(bucket) = self.buckets.get_mut(at) {
            *bucket += 1;
        }
        self.sum = self.sum.saturating_add(duration);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// A duration that the share `quantile` (0 to 1) did not exceed, as the bound of its bucket; `None` when
    /// nothing was counted, or that bucket has no bound.
    pub fn quantile(&self, quantile: f64) -> Option<Duration> {
        let count = self.count();
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss
        )]
        let rank = ((count as f64 * quantile.clamp(0.0, 1.0)).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, bound) in self.buckets.iter().zip(Self::BOUNDS) {
            seen += bucket;
            if seen >= rank {
                return Some(Duration::from_millis(bound));
            }
        }
        None
    }
}
