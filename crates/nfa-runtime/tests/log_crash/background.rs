//! What goes on beside the runs is in nobody's way: a log is recomputed after it was opened, and signed under
//! a load that never ends.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use nfa_core::runtime::Runtime;
use nfa_runtime::ids::LogId;
use nfa_runtime::ports::BoxFuture;
use nfa_runtime::store::SqliteStore;
use tokio::sync::watch;

use crate::child::agent;
use crate::watched::{Side, Step, Watch, WatchedStore};

/// Holds whoever recomputes at their first page, for ever.
#[derive(Default)]
struct Held {
    arrived: watch::Sender<u64>,
    signed: AtomicU64,
}

impl Watch for Held {
    fn head(&self, _: LogId, size: u64, _: [u8; 32], _: Option<&str>) {
        self.signed.fetch_max(size, Ordering::SeqCst);
    }

    fn seed(&self, _: LogId, _: u32, _: [u8; 32]) {}

    fn pass(&self, step: Step, side: Side) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if (step, side) == (Step::Page, Side::Before) {
                self.arrived.send_modify(|pages| *pages += 1);
                std::future::pending::<()>().await;
            }
        })
    }
}

/// A turn, up to its signed checkpoint.
async fn turn(runtime: &Runtime) {
    let run = runtime.run(&agent("helper"), "Hi").outcome().await.unwrap();
    runtime.checkpointed(run.run()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recomputing_is_in_nobodys_way_and_ends_with_the_runtime() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agents.db");
    let open = |held: &Arc<Held>| {
        let store = SqliteStore::open_url(&format!("sqlite:{}", file.display())).unwrap();
        let keys = store.keys();
        let watched = WatchedStore {
            inner: Arc::new(store),
            watch: held.clone(),
        };
        let builder = Runtime::builder().store(Arc::new(watched), keys);
        builder.build().unwrap()
    };
    let held = Arc::<Held>::default();
    let runtime = open(&held);
    turn(&runtime).await;
    runtime.close().await.unwrap();
    assert_eq!(*held.arrived.borrow(), 0, "there was nothing to recompute");
    let size = held.signed.load(Ordering::SeqCst);

    let runtime = open(&held);
    turn(&runtime).await;
    let mut arrived = held.arrived.subscribe();
    arrived.wait_for(|pages| *pages == 1).await.unwrap();
    turn(&runtime).await;
    assert_eq!(held.signed.load(Ordering::SeqCst), size + 2);
    assert_eq!(runtime.log_info("helper").await.unwrap().checked, None);
    runtime.close().await.unwrap();
    assert_eq!(*held.arrived.borrow(), 1, "it is done once for each log");
}

/// Drafts another leaf whenever some were sequenced, up to a number that nobody could sequence in time.
#[derive(Default)]
struct Feeding {
    runtime: OnceLock<Runtime>,
    fed: AtomicU64,
}

/// How many leaves are drafted at the most.
const FED: u64 = 300;

impl Watch for Feeding {
    fn head(&self, _: LogId, _: u64, _: [u8; 32], _: Option<&str>) {}

    fn seed(&self, _: LogId, _: u32, _: [u8; 32]) {}

    fn pass(&self, step: Step, side: Side) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if (step, side) == (Step::Sequence, Side::After)
                && self.fed.fetch_add(1, Ordering::SeqCst) < FED
                && let Some(runtime) = self.runtime.get()
            {
                let beaten = runtime.heartbeat("helper", None).await;
                let code = beaten.as_ref().err().map(nfa_runtime::Error::code);
                assert!(matches!(code, None | Some("runtime_closed")), "{beaten:?}");
            }
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_that_never_ends_does_not_keep_a_log_unsigned() {
    let feeding = Arc::<Feeding>::default();
    let watched = WatchedStore {
        inner: Arc::new(nfa_core::memory_store::MemoryStore::new()),
        watch: feeding.clone(),
    };
    let keys = Arc::new(nfa_core::ports::MemoryKeys::new());
    let runtime = Runtime::builder().store(Arc::new(watched), keys);
    let runtime = runtime.build().unwrap();
    feeding.runtime.set(runtime.clone()).unwrap();
    turn(&runtime).await;
    let fed = feeding.fed.load(Ordering::SeqCst);
    assert!((1..FED).contains(&fed), "{fed}");
    runtime.close().await.unwrap();
}
