//! The state of one breaker: pure, told the time.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::{BreakerPolicy, BreakerState};

/// Into how many slices a window is cut: calls leave it a slice at a time.
const SLICES: u32 = 10;

/// How soon to come back while somebody else's probe is under way.
const SOON: Duration = Duration::from_secs(1);

/// A pause that the clock can always tell the end of.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// What a call says of the provider's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It has begun to answer.
    Spoke,
    Answered,
    Failed,
    Unknown,
}

/// One call that was let through.
#[derive(Debug)]
pub(super) struct Permit {
    /// In which period of the breaker it counts; what is said of earlier periods is out of date.
    period: u64,
    probe: bool,
}

impl Permit {
    pub(super) fn is_probe(&self) -> bool {
        self.probe
    }
}

#[derive(Debug)]
struct Slice {
    begins: Instant,
    calls: u32,
    failures: u32,
}

#[derive(Debug, Default)]
pub(super) struct Circuit {
    /// Grows whenever the breaker opens or closes.
    period: u64,
    consecutive: u32,
    slices: VecDeque<Slice>,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    pause: Duration,
    until: Instant,
    probing: bool,
}

impl Circuit {
    pub(super) fn state(&self, now: Instant) -> BreakerState {
        match &self.open {
            None => BreakerState::Closed,
            Some(open) if now < open.until => BreakerState::Open,
            Some(_) => BreakerState::HalfOpen,
        }
    }

    /// Lets a call through, or says when to come back.
    pub(super) fn admit(
        &mut self,
        policy: &BreakerPolicy,
        now: Instant,
    ) -> Result<Permit, Duration> {
        let probe = match &mut self.open {
            None => false,
            Some(open) if now < open.until => return Err(open.until - now),
            Some(open) if open.probing => return Err(SOON.min(policy.pause)),
            Some(open) => {
                open.probing = true;
                true
            }
        };
        Ok(Permit {
            period: self.period,
            probe,
        })
    }

    /// Takes in how a call went.
    pub(super) fn judge(
        &mut self,
        policy: &BreakerPolicy,
        permit: &mut Permit,
        verdict: Verdict,
        now: Instant,
    ) {
        if permit.period != self.period {
            return;
        }
        match (verdict, &mut self.open) {
            (Verdict::Unknown, Some(open)) => open.probing = false,
            (Verdict::Unknown | Verdict::Spoke, None) => {}
            (Verdict::Spoke | Verdict::Answered, Some(_)) => {
                self.close();
                // What becomes of the rest of a probe counts like any other call.
                permit.period = self.period;
                permit.probe = false;
                if verdict == Verdict::Answered {
                    self.count(policy, false, now);
                }
            }
            (Verdict::Answered, None) => self.count(policy, false, now),
            (Verdict::Failed, Some(open)) => {
                let pause = open.pause.saturating_mul(2).min(policy.longest_pause);
                self.open_for(pause, now);
            }
            (Verdict::Failed, None) => {
                self.count(policy, true, now);
                if self.consecutive >= policy.consecutive || self.too_many(policy) {
                    self.open_for(policy.pause, now);
                }
            }
        }
    }

    fn close(&mut self) {
        self.period += 1;
        self.open = None;
        self.consecutive = 0;
        self.slices.clear();
    }

    fn open_for(&mut self, pause: Duration, now: Instant) {
        let pause = pause.min(LONGEST);
        self.close();
        self.open = Some(Open {
            pause,
            until: now + pause,
            probing: false,
        });
    }

    fn count(&mut self, policy: &BreakerPolicy, failed: bool, now: Instant) {
        while self
            .slices
            .front()
            .is_some_and(|slice| now - slice.begins >= policy.window)
        {
            self.slices.pop_front();
        }
        let length = policy.window / SLICES;
        let current = self
            .slices
            .back()
            .is_some_and(|last| now - last.begins < length);
        if !current {
            self.slices.push_back(Slice {
                begins: now,
                calls: 0,
                failures: 0,
            });
        }
        if let Some(slice) = self.slices.back_mut() {
            slice.calls += 1;
            slice.failures += u32::from(failed);
        }
        self.consecutive = if failed { self.consecutive + 1 } else { 0 };
    }

    fn too_many(&self, policy: &BreakerPolicy) -> bool {
        let sum = |of: fn(&Slice) -> u32| self.slices.iter().map(of).fold(0, u32::saturating_add);
        let (calls, failures) = (sum(|slice| slice.calls), sum(|slice| slice.failures));
        calls >= policy.least_calls && f64::from(failures) >= policy.ratio * f64::from(calls)
    }
}
