//! A log that is behind what its anchor keeps, though its own files agree with each other.

use std::path::Path;
use std::sync::Arc;

use nfa_testkit::anchor::TestAnchor;

use crate::{NEVER, agent, open, sqlite, states, turn};

/// Every file of the store.
fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(to).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[tokio::test]
async fn a_log_put_back_with_its_keys_is_refused_by_what_is_anchored() {
    let (place, backup) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = sqlite(place.path());
    let anchor = Arc::new(TestAnchor::new("chain").confirming());
    let helper = agent("helper");
    let runtime = open(&store, &anchor, 1000, NEVER).await;
    turn(&runtime, &helper).await;
    runtime.close().await.unwrap();
    copy(place.path(), backup.path());

    let runtime = open(&store, &anchor, 1000, NEVER).await;
    turn(&runtime, &helper).await;
    runtime.anchor("helper").await.unwrap();
    assert_eq!(
        states(&runtime.anchor("helper").await.unwrap()),
        ["verified"]
    );
    let size = runtime.log_info("helper").await.unwrap().size;
    runtime.close().await.unwrap();

    // Behind what is anchored.
    copy(backup.path(), place.path());
    let runtime = open(&store, &anchor, 1000, NEVER).await;
    let refused = runtime.log_info("helper").await.unwrap_err();
    assert_eq!(refused.code(), "log_rolled_back");
    assert!(refused.message().contains("anchored"), "{refused}");
    assert_eq!(anchor.calls(), 1);
    // Nothing is signed at close either.
    assert_eq!(
        runtime
            .close()
            .await
            .map_err(|error| error.code().to_owned()),
        Ok(())
    );

    // Nobody asked the anchor, and it went on: of another history then.
    let forgetful = Arc::new(TestAnchor::new("chain"));
    let runtime = open(&store, &forgetful, 1000, NEVER).await;
    turn(&runtime, &helper).await;
    assert_eq!(runtime.log_info("helper").await.unwrap().size, size);
    runtime.close().await.unwrap();
    let runtime = open(&store, &anchor, 1000, NEVER).await;
    let refused = runtime.log_info("helper").await.unwrap_err();
    assert_eq!(refused.code(), "log_corrupt");
    drop(runtime);

    // The same store with an anchor that knows this history.
    let runtime = open(&store, &forgetful, 1000, NEVER).await;
    turn(&runtime, &helper).await;
    runtime.close().await.unwrap();
}
