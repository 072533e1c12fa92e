//! A gate: holds an answer until a test lets it go.

use std::sync::Arc;

use tokio::sync::watch;

/// Holds whatever waits at it until it is opened, and tells when something waits.
///
/// Clones are the same gate.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Sides>);

#[derive(Debug)]
struct Sides {
    open: watch::Sender<bool>,
    waiting: watch::Sender<u64>,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self(Arc::new(Sides {
            open: watch::Sender::new(false),
            waiting: watch::Sender::new(0),
        }))
    }

    /// Lets everything pass from now on.
    pub fn open(&self) {
        self.0.open.send_replace(true);
    }

    /// Holds what comes from now on.
    pub fn close(&self) {
        self.0.open.send_replace(false);
    }

    /// How many have come to this gate so far, held or not.
    pub fn arrivals(&self) -> u64 {
        *self.0.waiting.borrow()
    }

    /// Completes when the `count`-th has come to this gate.
    pub async fn reached(&self, count: u64) {
        let mut waiting = self.0.waiting.subscribe();
        // The sender lives in `self`, so this cannot fail while we wait.
        let _ = waiting.wait_for(|arrived| *arrived >= count).await;
    }

    /// Comes to the gate and waits until it is open.
    pub async fn pass(&self) {
        self.0.waiting.send_modify(|arrived| *arrived += 1);
        let mut open = self.0.open.subscribe();
        let _ = open.wait_for(|open| *open).await;
    }
}
