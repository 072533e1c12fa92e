//! Equal requests at once: one asks, the others wait for what it gets.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use nfa_core::content::ModelAnswer;
use nfa_core::ports::CacheKey;
use tokio::sync::OwnedMutexGuard;

use super::super::lock;

/// What the one that asks has got. Whoever holds the lock is the one that asks; tokio's mutex is fair, so the
/// one that has waited longest takes over when it is released without an answer.
type Flight = Arc<tokio::sync::Mutex<Option<Arc<ModelAnswer>>>>;

/// Requests under way.
pub(super) type Flights = Mutex<HashMap<CacheKey, Flight>>;

/// The place of one call among the equal ones.
pub(super) struct Seat<'a> {
    flights: &'a Flights,
    key: CacheKey,
    flight: Option<Flight>,
    asking: Option<OwnedMutexGuard<Option<Arc<ModelAnswer>>>>,
}

impl<'a> Seat<'a> {
    pub(super) fn take(flights: &'a Flights, key: CacheKey) -> Self {
        let flight = Arc::clone(lock(flights).entry(key).or_default());
        Self {
            flights,
            key,
            flight: Some(flight),
            asking: None,
        }
    }

    /// Waits for an answer, or to be the one that asks.
    pub(super) async fn board(&mut self) -> Option<Arc<ModelAnswer>> {
        let flight = Arc::clone(self.flight.as_ref()?);
        let mut guard = flight.lock_owned().await;
        match guard.take() {
            Some(answer) => {
                *guard = Some(Arc::clone(&answer));
                Some(answer)
            }
            None => {
                self.asking = Some(guard);
                None
            }
        }
    }

    /// Gives the answer to those that wait. Later requests don't join them: they find it in the cache, or ask.
    pub(super) fn land(&mut self, answer: Arc<ModelAnswer>) {
        if let Some(asking) = &mut self.asking {
            **asking = Some(answer);
        }
    }

    /// Lets the next one go on.
    pub(super) fn leave(&mut self) {
        let landed = self.asking.take().is_some_and(|guard| guard.is_some());
        let Some(flight) = self.flight.take() else {
            return;
        };
        let mut flights = lock(self.flights);
        let ours = flights
            .get(&self.key)
            .is_some_and(|there| Arc::ptr_eq(there, &flight));
        // Ours and the map's: nobody waits, and nobody can join while we hold the map.
        let last = Arc::strong_count(&flight) == 2;
        if ours && (landed || last) {
            flights.remove(&self.key);
        }
        // While we still hold the map, so that the next to leave counts right.
        drop(flight);
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}
