//! Until when each part of a call must have happened.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::errors;
use nfa_core::Error;

/// The deadlines of one call. Keep-alives and events without content are no progress.
///
/// An answer that is not streamed has no head or token before it is complete: only `connect` and `total`
/// apply to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deadlines {
    /// Until the connection stands. Belongs to the [`crate::HttpClient`].
    pub connect: Duration,
    /// From the request to the head of a streamed answer.
    pub headers: Duration,
    /// From the request to the first content of a streamed answer.
    pub first_token: Duration,
    /// Between two pieces of content.
    pub gap: Duration,
    /// From the request to the end of the answer.
    pub total: Duration,
}

impl Default for Deadlines {
    /// 10 seconds to connect, 2 minutes to the head and to the first content, 1 minute between pieces,
    /// 10 minutes in all.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            headers: Duration::from_secs(120),
            first_token: Duration::from_secs(120),
            gap: Duration::from_secs(60),
            total: Duration::from_secs(600),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Head,
    FirstToken,
    Tokens,
    Whole,
}

/// The one timer of a call. It is armed for the nearest deadline, and looked at again when it fires, so
/// that progress costs no more than reading the clock.
pub(crate) struct Timer {
    deadlines: Deadlines,
    started: Instant,
    phase: Phase,
    phase_end: Instant,
    caller: Option<Instant>,
    sleep: Pin<Box<Sleep>>,
}

impl Timer {
    pub(crate) fn start(
        deadlines: Deadlines,
        caller: Option<std::time::Instant>,
        streamed: bool,
    ) -> Self {
        let started = Instant::now();
        let (phase, limit) = if streamed {
            (Phase::Head, deadlines.headers.min(deadlines.first_token))
        } else {
            (Phase::Whole, deadlines.total)
        };
        let mut timer = Self {
            deadlines,
            started,
            phase,
            phase_end: later(started, limit),
            caller: caller.map(Instant::from_std),
            sleep: Box::pin(sleep_until(started)),
        };
        let nearest = timer.nearest();
        timer.sleep.as_mut().reset(nearest);
        timer
    }

    /// The head of a streamed answer came.
    pub(crate) fn head_came(&mut self) {
        if self.phase == Phase::Head {
            self.phase = Phase::FirstToken;
            self.phase_end = later(self.started, self.deadlines.first_token);
        }
    }

    /// Content came.
    pub(crate) fn progress(&mut self) {
        if self.phase != Phase::Whole {
            self.phase = Phase::Tokens;
            self.phase_end = later(Instant::now(), self.deadlines.gap);
        }
    }

    fn nearest(&self) -> Instant {
        let total = later(self.started, self.deadlines.total);
        let nearest = self.phase_end.min(total);
        self.caller.map_or(nearest, |caller| caller.min(nearest))
    }

    /// Completes when a deadline has passed, with its error.
    pub(crate) async fn expired(&mut self) -> Error {
        std::future::poll_fn(|task| self.poll_expired(task)).await
    }

    /// As [`Timer::expired`].
    pub(crate) fn poll_expired(&mut self, task: &mut Context<'_>) -> Poll<Error> {
        loop {
            let nearest = self.nearest();
            if self.sleep.is_elapsed() || self.sleep.deadline() > nearest {
                if Instant::now() >= nearest {
                    return Poll::Ready(self.error(nearest));
                }
                self.sleep.as_mut().reset(nearest);
            }
            ready!(self.sleep.as_mut().poll(task));
        }
    }

    fn error(&self, passed: Instant) -> Error {
        if self.caller.is_some_and(|caller| caller <= passed) {
            return errors::deadline();
        }
        let total = later(self.started, self.deadlines.total);
        let (code, what, limit) = match self.phase {
            _ if total <= passed => (
                errors::TIMEOUT_TOTAL,
                "the whole answer",
                self.deadlines.total,
            ),
            Phase::Head if self.deadlines.headers <= self.deadlines.first_token => (
                errors::TIMEOUT_HEADERS,
                "the head of the answer",
                self.deadlines.headers,
            ),
            Phase::Head | Phase::FirstToken => (
                errors::TIMEOUT_FIRST_TOKEN,
                "the first content",
                self.deadlines.first_token,
            ),
            Phase::Tokens | Phase::Whole => {
                (errors::TIMEOUT_GAP, "the next content", self.deadlines.gap)
            }
        };
        errors::transient(
            code,
            format!("expected {what} within {} ms", limit.as_millis()),
        )
    }
}

fn later(from: Instant, by: Duration) -> Instant {
    // A deadline beyond what the clock can tell is as good as ten years.
    from.checked_add(by)
        .unwrap_or_else(|| from + Duration::from_secs(10 * 365 * 24 * 3600))
}
