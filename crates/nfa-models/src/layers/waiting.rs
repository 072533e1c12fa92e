//! Waiting no longer than the caller does.

use nfa_core::Error;
use nfa_core::ports::CallContext;
use tokio::time::{Instant, sleep_until};

use crate::errors;

/// `wait`, unless the call is cancelled or its deadline passes before.
pub(super) async fn unless_over<T>(
    context: &CallContext,
    wait: impl Future<Output = T>,
) -> Result<T, Error> {
    let deadline = async {
        match context.deadline {
            Some(deadline) => sleep_until(Instant::from_std(deadline)).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = context.cancellation.cancelled() => Err(errors::cancelled()),
        done = wait => Ok(done),
        () = deadline => Err(errors::deadline()),
    }
}
