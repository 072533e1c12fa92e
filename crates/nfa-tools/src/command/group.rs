//! The process group of a program: it is killed whole, so that nothing that the program started stays behind.
//!
//! A group's number can be given to others as soon as its leader has been waited for. So the group is killed
//! only while the leader is running, or dead and not yet waited for.

use std::io;
use std::process::ExitStatus;

use tokio::process::{Child, Command};

/// Enough for one system call.
#[cfg(unix)]
const STACK: usize = 64 * 1024;

/// A running program, which leads a process group of its own. Dropping it kills the group.
pub(crate) struct Group {
    child: Child,
    /// The group's number, until the leader has been waited for.
    #[cfg(unix)]
    id: Option<rustix::process::Pid>,
}

impl Group {
    /// Starts a program.
    pub(crate) fn spawn(mut command: Command) -> io::Result<Self> {
        #[cfg(unix)]
        command.process_group(0);
        let child = command.kill_on_drop(true).spawn()?;
        Ok(Self {
            #[cfg(unix)]
            id: child
                .id()
                .and_then(|id| i32::try_from(id).ok())
                .and_then(rustix::process::Pid::from_raw),
            child,
        })
    }

    /// The program's pipes.
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits for the program to exit, and kills what it left behind in its group.
    pub(crate) async fn finish(&mut self) -> io::Result<ExitStatus> {
        #[cfg(unix)]
        if let Some(id) = self.id
            && exited(id).await
        {
            self.kill();
        }
        let status = self.child.wait().await;
        if status.is_ok() {
            self.forget();
        }
        status
    }

    #[cfg(unix)]
    fn forget(&mut self) {
        self.id = None;
    }

    #[cfg(not(unix))]
    fn forget(&mut self) {}

    #[cfg(unix)]
    fn kill(&self) {
        if let Some(id) = self.id {
            // It fails when nobody is left, which is what is wanted.
            let _ = rustix::process::kill_process_group(id, rustix::process::Signal::KILL);
        }
    }

    #[cfg(not(unix))]
    fn kill(&self) {}
}

impl Drop for Group {
    fn drop(&mut self) {
        // Before the child is dropped, which may wait for it.
        self.kill();
    }
}

/// Completes when the process has exited, and leaves its number taken; `false` when that can't be told, as where
/// the host ignores its children.
///
/// A thread waits, since the system has no safe way that is the same everywhere to be woken without giving the
/// number back. It ends with the process, which is killed when nobody waits here any more.
#[cfg(unix)]
async fn exited(id: rustix::process::Pid) -> bool {
    use rustix::io::Errno;
    use rustix::process::{WaitId, WaitIdOptions, waitid};

    let (tell, told) = tokio::sync::oneshot::channel();
    let wait = move || {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let exited = loop {
            match waitid(WaitId::Pid(id), options) {
                Err(Errno::INTR) => {}
                other => break other.is_ok(),
            }
        };
        // Nobody may wait any more.
        let _ = tell.send(exited);
    };
    let thread = std::thread::Builder::new()
        .name("nfa-command".to_owned())
        .stack_size(STACK);
    thread.spawn(wait).is_ok() && told.await.unwrap_or(false)
}
