//! A log has one history: an older file that is put back, another one in its place, and rows that somebody
//! changed are refused before anything more is signed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nfa_core::ids::RunId;
use nfa_core::ports::Durability;
use nfa_core::runtime::{Agent, LogInfo, Runtime};
use nfa_store::{Options, SqliteStore};
use nfa_testkit::scripted::{ScriptedModel, Turn};

fn open(file: &Path) -> Runtime {
    let options = Options::with_durability(Durability::Relaxed);
    let store = SqliteStore::open(file, options).unwrap();
    let keys = store.keys();
    let builder = Runtime::builder().store(Arc::new(store), keys);
    builder.build().unwrap()
}

/// Makes turns, each under a checkpoint, and gives where the log stands.
async fn grow(runtime: &Runtime, turns: usize) -> LogInfo {
    let model = ScriptedModel::from_fn(|_| Turn::text("hi"));
    let agent = Agent::builder("helper").model(Arc::new(model));
    let agent = agent.build().unwrap();
    for _ in 0..turns {
        let run: RunId = runtime.run(&agent, "hello").outcome().await.unwrap().run();
        runtime.checkpointed(run).await.unwrap();
    }
    runtime.log_info("helper").await.unwrap()
}

/// A store with a log, and a backup from when it was shorter.
struct Place {
    directory: tempfile::TempDir,
    newest: LogInfo,
}

impl Place {
    async fn make() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let mut newest = None;
        for (turns, name) in [(3, "older"), (4, "newest")] {
            let runtime = open(&path("agents.db"));
            newest = Some(grow(&runtime, turns).await);
            runtime.close().await.unwrap();
            drop(runtime);
            fs::copy(path("agents.db"), path(&format!("{name}.db"))).unwrap();
            fs::copy(path("agents.db.keys"), path(&format!("{name}.keys"))).unwrap();
        }
        Self {
            newest: newest.unwrap(),
            directory,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Copies a file of a closed store over another one.
    fn copy(&self, from: &str, to: &str) {
        fs::copy(self.path(from), self.path(to)).unwrap();
    }

    fn open(&self) -> Runtime {
        open(&self.path("agents.db"))
    }

    /// Whether whoever asks for more to be signed is refused, and nothing more is signed.
    async fn refuses(&self, code: &str) {
        let runtime = self.open();
        let log = self.newest.log;
        let before = runtime.store().log_head(log).await.unwrap();
        for _ in 0..2 {
            let error = runtime.log_info("helper").await.unwrap_err();
            assert_eq!(error.code(), code, "{error}");
        }
        let model = ScriptedModel::from_fn(|_| Turn::text("hi"));
        let agent = Agent::builder("helper").model(Arc::new(model));
        let agent = agent.build().unwrap();
        // Runs go on, and what they record waits.
        let run = runtime.run(&agent, "hello").outcome().await.unwrap().run();
        let error = runtime.checkpointed(run).await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert_eq!(runtime.store().log_head(log).await.unwrap(), before);
        let error = runtime.close().await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
    }

    /// Changes rows of the closed store.
    fn change(&self, sql: &str) {
        let connection = rusqlite::Connection::open(self.path("agents.db")).unwrap();
        assert_eq!(connection.execute(sql, []).unwrap(), 1, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_file_that_is_put_back_is_refused() {
    let place = Place::make().await;
    place.copy("older.db", "agents.db");
    place.refuses("log_rolled_back").await;
    // The newest one is gone on with.
    place.copy("newest.db", "agents.db");
    let runtime = place.open();
    let grown = grow(&runtime, 1).await;
    assert_eq!(grown.size, place.newest.size + 1);
    runtime.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_history_is_refused_whatever_its_length() {
    let place = Place::make().await;
    // With the older keys nobody knows better, and the log goes on from where it was: to the size that was
    // signed in its other history, and past it.
    for (turns, more) in [(4, 0), (6, 2)] {
        place.copy("older.db", "agents.db");
        place.copy("older.keys", "agents.db.keys");
        let runtime = place.open();
        let other = grow(&runtime, turns).await;
        assert_eq!(other.size, place.newest.size + more);
        assert_ne!(other.checkpoint, place.newest.checkpoint);
        runtime.close().await.unwrap();
        drop(runtime);
        place.copy("newest.keys", "agents.db.keys");
        place.refuses("log_corrupt").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_root_for_a_signed_size_is_refused() {
    let place = Place::make().await;
    let size = place.newest.size;
    place.change(&format!(
        "UPDATE checkpoints SET root = zeroblob(32) WHERE size = {size}"
    ));
    place.refuses("log_corrupt").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_a_log_are_right_beside_other_logs_and_in_any_order() {
    let directory = tempfile::tempdir().unwrap();
    let runtime = open(&directory.path().join("agents.db"));
    let agent = |name: &str| {
        let model = ScriptedModel::from_fn(|_| Turn::text("hi"));
        let agent = Agent::builder(name).model(Arc::new(model));
        agent.build().unwrap()
    };
    let agents = [agent("one"), agent("two")];
    for number in 0..24 {
        let agent = &agents[usize::from(number % 3 == 0)];
        let run = runtime.run(agent, "hello").outcome().await.unwrap().run();
        runtime.checkpointed(run).await.unwrap();
    }
    for name in ["one", "two"] {
        let info = runtime.log_info(name).await.unwrap();
        let store = runtime.store();
        let all = store.sequenced(info.log, 0, 1_000).await.unwrap();
        assert_eq!(all.len() as u64, info.size);
        let froms = (0..all.len()).chain((0..=all.len() + 1).rev());
        for (from, limit) in froms.zip([1, 3, 7, 2, 30].into_iter().cycle()) {
            let page = store.sequenced(info.log, from as u64, limit).await.unwrap();
            let expected = all.iter().skip(from).take(limit);
            assert!(page.iter().eq(expected), "{name}: {limit} from {from}");
        }
        // Nodes in any order, with neighbours, repetitions, and places where there is none.
        let places = [
            (0, 1),
            (0, 2),
            (0, 3),
            (1, 0),
            (0, 0),
            (0, 0),
            (9, 0),
            (0, info.size),
            (0, 1),
        ];
        let nodes = store.log_nodes(info.log, &places).await.unwrap();
        let mut single = Vec::new();
        for place in places {
            single.extend(store.log_nodes(info.log, &[place]).await.unwrap());
        }
        assert_eq!(nodes, single);
        let there: Vec<bool> = nodes.iter().map(Option::is_some).collect();
        let expected = [true, true, true, true, true, true, false, false, true];
        assert_eq!(there, expected, "{name}");
        assert_ne!(nodes[0], nodes[1]);
        assert!(runtime.check_log(name).await.unwrap().holds());
    }
    runtime.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_are_missing_or_elsewhere_are_found() {
    let place = Place::make().await;
    let last = place.newest.size - 1;
    for (sql, code, level, index) in [
        (
            "DELETE FROM drafts WHERE position = 2".to_owned(),
            "leaf_missing",
            0,
            2,
        ),
        (
            format!("DELETE FROM drafts WHERE position = {last}"),
            "leaf_missing",
            0,
            last,
        ),
        (
            "UPDATE drafts SET position = NULL WHERE position = 2".to_owned(),
            "leaf_missing",
            0,
            2,
        ),
        (
            "UPDATE drafts SET log = 7 WHERE position = 4".to_owned(),
            "leaf_missing",
            0,
            4,
        ),
        (
            "UPDATE drafts SET leaf = CAST(leaf || x'00' AS BLOB) WHERE position = 3".to_owned(),
            "node_mismatch",
            0,
            3,
        ),
        (
            "DELETE FROM log_nodes WHERE level = 1 AND place = 1".to_owned(),
            "node_missing",
            1,
            1,
        ),
        (
            "DELETE FROM log_nodes WHERE level = 0 AND place = 1".to_owned(),
            "node_missing",
            0,
            1,
        ),
    ] {
        place.copy("newest.db", "agents.db");
        place.change(&sql);
        let runtime = place.open();
        let check = runtime.check_log("helper").await.unwrap();
        let damage = check.damage.expect(&sql);
        assert_eq!(
            (&*damage.code, damage.level, damage.index),
            (code, Some(level), index),
            "{sql}"
        );
        let error = runtime.log_info("helper").await.unwrap_err();
        assert_eq!(error.code(), "log_damaged", "{sql}");
        runtime.close().await.unwrap();
    }
    // What is no leaf at all cannot be read, and stops the log as well.
    place.copy("newest.db", "agents.db");
    place.change("UPDATE drafts SET leaf = 'text' WHERE position = 3");
    let runtime = place.open();
    let error = runtime.check_log("helper").await.unwrap_err();
    assert_eq!(error.code(), "store_corrupt", "{error}");
    let error = runtime.log_info("helper").await.unwrap_err();
    assert_eq!(error.code(), "log_damaged", "{error}");
    assert_eq!(error.details()["code"], "store_corrupt");
    runtime.close().await.unwrap();
    drop(runtime);

    // A log that was repaired is found whole, and lives again, without another runtime.
    place.copy("newest.db", "agents.db");
    place.change("DELETE FROM log_nodes WHERE level = 0 AND place = 1");
    let runtime = place.open();
    assert!(!runtime.check_log("helper").await.unwrap().holds());
    let sound = "ATTACH '{}' AS sound";
    let connection = rusqlite::Connection::open(place.path("agents.db")).unwrap();
    let sound = sound.replace("{}", place.path("newest.db").to_str().unwrap());
    connection.execute_batch(&sound).unwrap();
    let mend = "INSERT INTO log_nodes SELECT * FROM sound.log_nodes WHERE level = 0 AND place = 1";
    assert_eq!(connection.execute(mend, []).unwrap(), 1);
    assert!(runtime.check_log("helper").await.unwrap().holds());
    let grown = grow(&runtime, 1).await;
    assert_eq!(grown.size, place.newest.size + 1);
    runtime.close().await.unwrap();
}
