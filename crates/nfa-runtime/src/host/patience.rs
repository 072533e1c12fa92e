//! Waiting for the host only as long as somebody waits for us.

use nfa_core::ports::CallContext;
use nfa_core::{Category, Component, Error};

/// What `work` gives, unless the call is cancelled or its deadline passes before; then the work is dropped.
pub(super) async fn while_wanted<T>(
    context: &CallContext,
    work: impl Future<Output = T>,
) -> Result<T, Error> {
    let late = async {
        match context.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        done = work => Ok(done),
        () = context.cancellation.cancelled() => Err(stopped(
            "model_cancelled",
            "the call was cancelled before the answer was complete",
        )),
        () = late => Err(stopped(
            "model_deadline_exceeded",
            "the caller's deadline passed before the answer was complete",
        )),
    }
}

fn stopped(code: &'static str, message: &str) -> Error {
    Error::new(Component::Model, Category::Cancelled, code, message)
}
