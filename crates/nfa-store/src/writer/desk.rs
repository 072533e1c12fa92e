//! Where changes are made: one place, used by the writing thread, and by callers who find it free and need
//! not wait for a disk.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, TryLockError};
use std::task::{Context, Poll};

use nfa_core::Error;
use nfa_core::ids::RunId;
use nfa_core::ports::{BoxFuture, StoreRefusal};
use tokio::sync::oneshot::{
    self,
    error::{RecvError, TryRecvError},
};

use super::{GROUP, Job, Task, Work, Writer};
use crate::failure::internal;
use crate::key_file::KeyFile;
use crate::queue::Queue;

/// How many groups a caller performs before the thread takes over.
const TURNS_OF_A_CALLER: usize = 4;

/// How many commits of one run go on without letting other tasks run.
const COMMITS_WITHOUT_REST: u64 = 16;

/// The jobs that wait, and the place where they are performed.
pub(crate) struct Desk {
    queue: Queue<Job>,
    place: Mutex<Option<Place>>,
    /// Whether callers perform jobs themselves: where a commit syncs nothing.
    by_callers: bool,
    /// Whose commit came last.
    last: AtomicU64,
    /// How many commits there were.
    commits: AtomicU64,
    /// Whether somebody found the place taken.
    missed: AtomicBool,
}

struct Place {
    writer: Writer,
    keys: Option<KeyFile>,
}

impl Desk {
    pub(crate) fn new(by_callers: bool) -> Self {
        Self {
            queue: Queue::new(),
            place: Mutex::new(None),
            by_callers,
            last: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            missed: AtomicBool::new(false),
        }
    }

    /// The life of the writing thread.
    pub(crate) fn serve(&self, writer: Writer, keys: Option<KeyFile>) {
        if let Ok(mut place) = self.place.lock() {
            *place = Some(Place { writer, keys });
        }
        // Somebody may have found the place taken while it was moved into.
        self.queue.call();
        while self.queue.wait() {
            let Ok(mut guard) = self.place.lock() else {
                // A job panicked: what the place holds is not to be trusted.
                break;
            };
            if let Some(place) = guard.as_mut() {
                while !self.queue.is_empty() {
                    place.turn(&self.queue, true);
                }
                place.writer.tidy();
            }
            drop(guard);
            if self.was_missed() {
                self.queue.call();
            }
        }
        self.queue.close();
        let mut unserved = Vec::new();
        self.queue.take(&mut unserved, usize::MAX, |_| true);
        drop(unserved);
        let place = self.place.lock().ok().and_then(|mut place| place.take());
        if let Some(Place { writer, keys }) = place {
            // Moves the logs into their files, so that a closed store is two files; a failure leaves the
            // logs, which are as good.
            if let Some(mut keys) = keys {
                let _ = keys.wipe_log();
            }
            let _ = writer
                .connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        }
    }

    pub(crate) fn close(&self) {
        self.queue.close();
    }

    /// Leaves a job to the thread.
    pub(crate) fn push(&self, job: Job) -> Result<(), Job> {
        self.queue.push(job)
    }

    /// Enqueues a change now, and gives a future of its result.
    pub(crate) fn enqueue<'a, On: 'static, T: Send + 'static>(
        self: &Arc<Self>,
        wrap: fn(Box<dyn Work<On>>) -> Job,
        synced: bool,
        action: impl FnMut(&mut On) -> Result<T, Error> + Send + 'static,
    ) -> BoxFuture<'a, Result<T, Error>> {
        let (reply, result) = oneshot::channel();
        let job = wrap(Box::new(Task {
            action,
            result: None,
            reply,
            synced,
        }));
        if !self.by_callers || !job.is_quick() {
            return match self.push(job) {
                Ok(()) => Box::pin(async move { answer(result.await) }),
                Err(_) => Box::pin(std::future::ready(Err(StoreRefusal::Closed.into()))),
            };
        }
        match self.queue.leave(job) {
            Ok(()) => Box::pin(Pending {
                desk: self.clone(),
                result,
                stage: Stage::Alone,
            }),
            Err(_) => Box::pin(std::future::ready(Err(StoreRefusal::Closed.into()))),
        }
    }

    /// Enqueues a commit, as [`Desk::enqueue`] does. When several runs are at work, each lets the others
    /// enqueue theirs first, and they share a transaction.
    pub(crate) fn enqueue_commit<'a>(
        self: &Arc<Self>,
        run: RunId,
        action: impl FnMut(&mut Writer) -> Result<(), Error> + Send + 'static,
    ) -> BoxFuture<'a, Result<(), Error>> {
        if !self.by_callers {
            return self.enqueue(Job::Store, false, action);
        }
        let tag = run
            .0
            .iter()
            .fold(0, |tag: u64, byte| tag.rotate_left(8) ^ u64::from(*byte));
        let (reply, result) = oneshot::channel();
        let job = Job::Store(Box::new(Task {
            action,
            result: None,
            reply,
            synced: false,
        }));
        // A run that is alone goes on at once, but not so long that those which were just started starve.
        let same = self.last.swap(tag, Ordering::Relaxed) == tag;
        let turn = self.commits.fetch_add(1, Ordering::Relaxed);
        let stage = if same && !turn.is_multiple_of(COMMITS_WITHOUT_REST) {
            Stage::Alone
        } else {
            Stage::Among
        };
        match self.queue.leave(job) {
            Ok(()) => Box::pin(Pending {
                desk: self.clone(),
                result,
                stage,
            }),
            Err(_) => Box::pin(std::future::ready(Err(StoreRefusal::Closed.into()))),
        }
    }

    /// Performs what waits, unless somebody else is at it, who then looks again when they are done.
    fn serve_here(&self) {
        for _ in 0..TURNS_OF_A_CALLER {
            let guard = match self.place.try_lock() {
                Err(TryLockError::WouldBlock) => {
                    self.missed.store(true, Ordering::SeqCst);
                    fence(Ordering::SeqCst);
                    // Whoever holds the place now will see the mark; they may have left it just before.
                    self.place.try_lock()
                }
                other => other,
            };
            let mut guard = match guard {
                Ok(guard) => guard,
                Err(TryLockError::WouldBlock) => return,
                Err(TryLockError::Poisoned(_)) => return self.queue.call(),
            };
            let Some(place) = guard.as_mut() else {
                // The thread has not moved in yet.
                return self.queue.call();
            };
            if !place.turn(&self.queue, false) || place.writer.is_untidy() {
                return self.queue.call();
            }
            drop(guard);
            let missed = self.was_missed();
            if !missed && self.queue.is_empty() {
                return;
            }
        }
        self.queue.call();
    }

    /// Whether somebody found the place taken and relies on another look.
    fn was_missed(&self) -> bool {
        fence(Ordering::SeqCst);
        self.missed.swap(false, Ordering::SeqCst)
    }
}

impl Place {
    /// Performs a group of jobs. Without patience only such as wait for nothing; `false` when the rest was
    /// left to the thread.
    fn turn(&mut self, queue: &Queue<Job>, patient: bool) -> bool {
        let mut jobs = Vec::new();
        queue.take(&mut jobs, GROUP, |job| patient || job.is_quick());
        let mut changes: Vec<Box<dyn Work<Writer>>> = Vec::with_capacity(jobs.len());
        let mut key_changes: Vec<Box<dyn Work<KeyFile>>> = Vec::new();
        let mut reads = Vec::new();
        let mut outside = Vec::new();
        let mut between = Vec::new();
        for job in jobs {
            match job {
                Job::Store(work) => changes.push(work),
                Job::Keys(work) => key_changes.push(work),
                Job::KeysOutside(action) => outside.push(action),
                Job::StoreOutside(action) => between.push(action),
                Job::Read(read) => reads.push(read),
            }
        }
        // Keys first: somebody may wait for one before sealing.
        match &mut self.keys {
            Some(keys) => keys.perform(key_changes),
            None => {
                for work in key_changes {
                    work.finish(Err(internal("this store holds no keys")));
                }
            }
        }
        let outcomes = if changes.is_empty() {
            Vec::new()
        } else {
            match self.writer.perform(&mut changes, patient) {
                Some(outcomes) => outcomes,
                None => {
                    queue.put_back(changes.into_iter().map(Job::Store));
                    return false;
                }
            }
        };
        for (work, outcome) in changes.into_iter().zip(outcomes) {
            work.finish(outcome);
        }
        for read in reads {
            read(&self.writer.connection);
        }
        between
            .into_iter()
            .for_each(|action| action(&mut self.writer));
        if let Some(keys) = &mut self.keys {
            outside.into_iter().for_each(|action| action(keys));
        }
        true
    }
}

/// A change that its caller may perform.
struct Pending<T> {
    desk: Arc<Desk>,
    result: oneshot::Receiver<Result<T, Error>>,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Others may be about to enqueue: they get one turn.
    Among,
    /// To be performed when it is next asked for.
    Alone,
    /// Performed, or somebody is at it.
    Served,
}

impl<T> Future for Pending<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.result.try_recv() {
            Ok(result) => {
                self.stage = Stage::Served;
                return Poll::Ready(result);
            }
            Err(TryRecvError::Closed) => {
                self.stage = Stage::Served;
                return Poll::Ready(Err(StoreRefusal::Closed.into()));
            }
            Err(TryRecvError::Empty) => {}
        }
        match self.stage {
            Stage::Among => {
                self.stage = Stage::Alone;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Stage::Alone => {
                self.stage = Stage::Served;
                self.desk.serve_here();
            }
            Stage::Served => {}
        }
        Pin::new(&mut self.result).poll(context).map(answer)
    }
}

impl<T> Drop for Pending<T> {
    fn drop(&mut self) {
        if self.stage != Stage::Served {
            self.desk.queue.call();
        }
    }
}

fn answer<T>(received: Result<Result<T, Error>, RecvError>) -> Result<T, Error> {
    received.unwrap_or_else(|_| Err(StoreRefusal::Closed.into()))
}
