//! Work that never awaits, on a thread for such work.

use nfa_core::ports::{CallContext, Cancellation};

/// Cancels what it holds, when nobody waits any more.
struct CancelOnDrop(Cancellation);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Runs `work` on a blocking thread. Nothing can stop that thread: when the call is given up, the context that
/// `work` sees is cancelled, and it is for `work` to look.
#[doc(hidden)]
pub async fn blocking<R: Send + 'static>(
    context: &CallContext,
    work: impl FnOnce(&CallContext) -> R + Send + 'static,
) -> R {
    let mut context = context.clone();
    context.cancellation = context.cancellation.child();
    let given_up = CancelOnDrop(context.cancellation.clone());
    let done = tokio::task::spawn_blocking(move || work(&context)).await;
    drop(given_up);
    match done {
        Ok(returned) => returned,
        Err(error) => match error.try_into_panic() {
            // A panic is the driver's to handle, as it is for every other tool.
            Ok(panic) => std::panic::resume_unwind(panic),
            // The tokio runtime is shutting down, and drops this future too.
            Err(_) => std::future::pending().await,
        },
    }
}
