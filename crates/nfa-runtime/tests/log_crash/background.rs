//! A log is recomputed after it was opened, and nobody waits for that.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
