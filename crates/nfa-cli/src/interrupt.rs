//! Ctrl-C and SIGTERM, as something to await.

use std::io;

use nfa_core::{Category, Component, Error};

/// What somebody outside wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interrupt {
    /// Ctrl-C.
    Cancel,
    /// SIGTERM: end soon, and leave everything so that it can be gone on with.
    Terminate,
}

impl Interrupt {
    /// Ends the process now; whatever was durable is.
    pub(crate) fn end_at_once(self) -> ! {
        std::process::exit(match self {
            Self::Cancel => 130,
            Self::Terminate => 143,
        })
    }
}

/// Listens from when it is made: nothing that comes between two awaits is lost.
pub(crate) struct Interrupts {
    #[cfg(unix)]
    cancel: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Interrupts {
    pub(crate) fn listen() -> Result<Self, Error> {
        Self::new().map_err(|error| {
            Error::new(
                Component::Cli,
                Category::Configuration,
                "signals_unavailable",
                format!("the process cannot listen for Ctrl-C: {error}"),
            )
        })
    }

    #[cfg(unix)]
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            cancel: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    #[cfg(not(unix))]
    fn new() -> io::Result<Self> {
        Ok(Self {})
    }

    /// The next interrupt. Dropping the future loses none.
    #[cfg(unix)]
    pub(crate) async fn next(&mut self) -> Interrupt {
        tokio::select! {
            Some(()) = self.cancel.recv() => Interrupt::Cancel,
            Some(()) = self.terminate.recv() => Interrupt::Terminate,
            else => std::future::pending().await,
        }
    }

    /// The next interrupt.
    #[cfg(not(unix))]
    pub(crate) async fn next(&mut self) -> Interrupt {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Interrupt::Cancel,
            Err(_) => std::future::pending().await,
        }
    }
}
