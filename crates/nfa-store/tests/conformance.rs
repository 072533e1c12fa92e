//! The store's suite, at every durability.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)]

use std::sync::Arc;

use nfa_core::ports::{Durability, Store};
use nfa_store::{Options, SqliteStore};
use nfa_testkit::conformance::store::{Candidate, run};

async fn conforms(durability: Durability) {
    let directory = tempfile::tempdir().unwrap();
    let next = std::cell::Cell::new(0);
    let report = run(|clock| {
        next.set(next.get() + 1);
        let file = directory.path().join(format!("{}.db", next.get()));
        let options = Options {
            clock,
            ..Options::with_durability(durability)
        };
        let open = move || -> Result<Arc<dyn Store>, nfa_core::Error> {
            Ok(Arc::new(SqliteStore::open(&file, options.clone())?))
        };
        let store = open().unwrap();
        match durability {
            Durability::Memory => Candidate::volatile(store),
            _ => Candidate::lasting(store, open),
        }
    })
    .await;
    assert!(report.failures.is_empty(), "{report}");
    let skipped = if durability == Durability::Memory {
        4
    } else {
        0
    };
    assert_eq!(report.skipped.len(), skipped, "{report}");
    assert!(report.passed.len() >= 53, "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full() {
    conforms(Durability::Full).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relaxed() {
    conforms(Durability::Relaxed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory() {
    conforms(Durability::Memory).await;
}
