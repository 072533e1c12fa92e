//! How the engine wakes the thread of an event loop, without the interpreter's lock.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Tells a thread that there are letters.
pub(crate) enum Wake {
    /// By a byte in a socket that its event loop watches.
    #[cfg(unix)]
    Socket {
        inner: std::os::unix::net::UnixStream,
        outer: std::os::unix::net::UnixStream,
    },
    /// By a flag that a thread beside it waits for, where the event loop watches no sockets.
    Flag { set: Mutex<bool>, changed: Condvar },
}

impl Wake {
    #[cfg(unix)]
    pub(crate) fn socket() -> std::io::Result<Self> {
        let (inner, outer) = std::os::unix::net::UnixStream::pair()?;
        inner.set_nonblocking(true)?;
        outer.set_nonblocking(true)?;
        Ok(Self::Socket { inner, outer })
    }

    pub(crate) fn flag() -> Self {
        Self::Flag {
            set: Mutex::new(false),
            changed: Condvar::new(),
        }
    }

    /// What an event loop watches for reading; -1 where there is nothing to watch.
    pub(crate) fn descriptor(&self) -> i32 {
        match self {
            #[cfg(unix)]
            Self::Socket { outer, .. } => std::os::fd::AsRawFd::as_raw_fd(outer),
            Self::Flag { .. } => -1,
        }
    }

    pub(crate) fn wake(&self) {
        match self {
            // A full socket wakes as well as one more byte in it.
            #[cfg(unix)]
            Self::Socket { inner, .. } => drop(std::io::Write::write(&mut &*inner, &[1])),
            Self::Flag { set, changed } => {
                *set.lock().unwrap_or_else(PoisonError::into_inner) = true;
                changed.notify_one();
            }
        }
    }

    /// Forgets that it was woken; before the letters are taken, so that none is missed.
    pub(crate) fn clear(&self) {
        match self {
            #[cfg(unix)]
            Self::Socket { outer, .. } => {
                let mut bytes = [0; 64];
                drop(std::io::Read::read(&mut &*outer, &mut bytes));
            }
            // Whoever waited for it took it down.
            Self::Flag { .. } => {}
        }
    }

    /// Waits until it is woken, and takes the flag down; `false` when that takes too long.
    pub(crate) fn wait(&self, patience: Duration) -> bool {
        match self {
            #[cfg(unix)]
            Self::Socket { .. } => false,
            Self::Flag { set, changed } => {
                let set = set.lock().unwrap_or_else(PoisonError::into_inner);
                let (mut set, _) = changed
                    .wait_timeout_while(set, patience, |set| !*set)
                    .unwrap_or_else(PoisonError::into_inner);
                std::mem::take(&mut *set)
            }
        }
    }
}
