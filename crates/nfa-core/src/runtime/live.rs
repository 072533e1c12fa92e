//! What the rest of the process may tell a run that is driven here.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use crate::ports::Cancellation;

/// What the rest of the process may tell a driven run.
#[derive(Default)]
pub(super) struct Live {
    pub(super) cancel: Cancellation,
    pub(super) posted: AtomicBool,
    pub(super) nudge: Notify,
    /// Told whenever an event was read. Whoever waits for room waits here and not in the queue of the
    /// channel: there, room would be set aside for steps that are not polled while the driver itself waits.
    pub(super) room: Notify,
}

impl Live {
    /// Asks the run to stop.
    pub(super) fn cancel(&self) {
        self.cancel.cancel();
        self.nudge.notify_one();
    }

    pub(super) fn cancelled(&self) -> impl Future<Output = ()> + Send + '_ {
        self.cancel.cancelled()
    }

    /// Something lies in its inbox.
    pub(super) fn post(&self) {
        self.posted.store(true, Ordering::SeqCst);
        self.nudge.notify_one();
    }

    /// Whether something may lie in its inbox.
    pub(super) fn is_posted(&self) -> bool {
        self.posted.load(Ordering::SeqCst)
    }

    /// Nobody has said anything that is not taken in yet.
    pub(super) fn is_quiet(&self) -> bool {
        !self.is_posted() && !self.cancel.is_cancelled()
    }
}
