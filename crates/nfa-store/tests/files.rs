//! Files that are not as they should be: refused with a code, and left as they were.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use nfa_core::content::{Sealed, SubjectKey};
use nfa_core::engine::{Entry, Fact};
use nfa_core::ids::{Address, LogId, ProgramHash, RunId, StepPath, Subject, Timestamp};
use nfa_core::ports::{
    Admission, Batch, Durability, Keys, LeaseChange, MemoryKeys, RunFilter, RunStatus, Store,
};
use nfa_store::{Options, Salvage, SqliteStore};

fn relaxed() -> Options {
    Options::with_durability(Durability::Relaxed)
}

fn code(file: &Path) -> String {
    match SqliteStore::open(file, relaxed()) {
        Ok(_) => "opened".to_owned(),
        Err(error) => error.code().to_owned(),
    }
}

fn admission(number: u8) -> Batch {
    let run = RunId([number; 16]);
    Batch {
        run,
        epoch: 1,
        expected: 0,
        at: Timestamp(1),
        admission: Some(Admission {
            program: (ProgramHash([1; 32]), Bytes::from_static(b"{}")),
            agent: "agent".into(),
            agent_leaves: 0,
            session: None,
            subject: Subject::run(run),
            parent: None,
            owner: "owner".into(),
            ttl_ms: 60_000,
        }),
        entries: vec![Entry {
            v: 1,
            seq: 0,
            at: Timestamp(1),
            epoch: 1,
            fact: Fact::HandedOver {
                frame: StepPath::root(),
                to: "x".repeat(500).into(),
            },
        }],
        blobs: vec![(
            Subject::run(run),
            Sealed {
                address: Address([number; 32]),
                envelope: vec![number; 2000].into(),
            },
        )],
        session: None,
        timers: Vec::new(),
        acknowledged: Vec::new(),
        drafts: Vec::new(),
        status: RunStatus::Running,
        lease: LeaseChange::Keep,
    }
}

/// A closed store of 200 runs.
async fn filled(file: &Path) {
    let store = SqliteStore::open(file, relaxed()).unwrap();
    for number in 0..200 {
        store.commit(admission(number)).await.unwrap();
    }
    store.close().await.unwrap();
}

#[tokio::test]
async fn other_files_are_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("text");
    fs::write(
        &text,
        "not a database, but long enough to look at. ".repeat(200),
    )
    .unwrap();
    let before = fs::read(&text).unwrap();
    assert_eq!(code(&text), "store_foreign");
    assert_eq!(fs::read(&text).unwrap(), before);

    let other = directory.path().join("other.db");
    let connection = rusqlite::Connection::open(&other).unwrap();
    connection.execute_batch("CREATE TABLE mine (x)").unwrap();
    drop(connection);
    let before = fs::read(&other).unwrap();
    assert_eq!(code(&other), "store_foreign");
    assert_eq!(fs::read(&other).unwrap(), before);

    assert_eq!(
        code(&directory.path().join("missing/agents.db")),
        "store_failed"
    );
    assert_eq!(code(directory.path()), "store_failed");
    assert_eq!(code(&directory.path().join("agents.db")), "opened");
}

#[tokio::test]
async fn a_newer_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agents.db");
    filled(&file).await;
    assert_eq!(code(&file), "opened");
    let connection = rusqlite::Connection::open(&file).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    assert_eq!(code(&file), "store_too_new");
}

#[tokio::test]
async fn a_truncated_file_is_reported_and_what_is_left_can_be_exported() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agents.db");
    filled(&file).await;

    let mut whole = Vec::new();
    let report = Salvage::open_read_only(&file)
        .unwrap()
        .export(&mut whole)
        .unwrap();
    assert!(report.unreadable.is_empty(), "{report:?}");
    assert!(
        Salvage::open_read_only(&file)
            .unwrap()
            .check()
            .unwrap()
            .is_empty()
    );
    let all = report.rows;
    assert!(all >= 401, "{report:?}");

    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() * 2 / 3 / 4096 * 4096]).unwrap();
    let cut = fs::read(&file).unwrap();
    assert_eq!(code(&file), "store_corrupt");
    assert_eq!(
        fs::read(&file).unwrap(),
        cut,
        "the damaged file was changed"
    );

    let salvage = Salvage::open_read_only(&file).unwrap();
    assert!(!salvage.check().is_ok_and(|lines| lines.is_empty()));
    let mut lines = Vec::new();
    let report = salvage.export(&mut lines).unwrap();
    assert!(!report.unreadable.is_empty(), "{report:?}");
    assert!(report.rows > 0 && report.rows < all, "{report:?} of {all}");
    for line in String::from_utf8(lines).unwrap().lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    assert_eq!(fs::read(&file).unwrap(), cut, "the export changed the file");
}

#[tokio::test]
async fn damage_inside_is_reported_when_it_is_met() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agents.db");
    filled(&file).await;
    let mut bytes = fs::read(&file).unwrap();
    let from = 4096 * 8;
    let until = bytes.len() - 4096;
    bytes[from..until].fill(0xa5);
    fs::write(&file, &bytes).unwrap();
    let mut codes = Vec::new();
    match SqliteStore::open(&file, relaxed()) {
        Err(error) => codes.push(error.code().to_owned()),
        Ok(store) => {
            for number in 0..200 {
                if let Err(error) = store.journal(RunId([number; 16]), 0, 10).await {
                    codes.push(error.code().to_owned());
                }
            }
        }
    }
    assert!(
        codes.iter().any(|code| code == "store_corrupt"),
        "{codes:?}"
    );
    assert!(
        codes
            .iter()
            .all(|code| code == "store_corrupt" || code == "run_unknown"),
        "{codes:?}"
    );
}

#[tokio::test]
async fn an_unknown_entry_is_refused_with_its_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agents.db");
    filled(&file).await;
    let strange = [
        r#"{"v":1,"seq":0,"at":1,"epoch":1,"type":"dreamt","of":"sheep"}"#,
        r#"{"v":1,"seq":0,"at":1,"epoch":1,"type":"handed_over","frame":"","to":"x","because":"y"}"#,
        r#"{"v":2,"seq":0,"at":1,"epoch":1,"type":"handed_over","frame":"","to":"x"}"#,
    ];
    let known = r#"{"to":"x", "v":1,"seq":0,"at":1,"epoch":1,"type":"handed_over","frame":""}"#;
    for json in strange.into_iter().chain([known]) {
        let connection = rusqlite::Connection::open(&file).unwrap();
        connection
            .execute(
                "UPDATE entries SET json = CAST(?1 AS BLOB) WHERE id = 1",
                [json],
            )
            .unwrap();
        drop(connection);
        let store = SqliteStore::open(&file, relaxed()).unwrap();
        let result = store.journal(RunId([0; 16]), 0, 10).await;
        if json == known {
            assert_eq!(result.unwrap().len(), 1);
            continue;
        }
        let error = result.unwrap_err();
        assert_eq!(error.code(), "unknown_entry", "{json}");
        assert_eq!(error.details()["entry"], json);
        assert_eq!(store.journal(RunId([1; 16]), 0, 10).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn keys_are_for_their_owner_only() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agents.db");
    let keys = directory.path().join("agents.db.keys");
    let store = SqliteStore::open(&file, relaxed()).unwrap();
    store.keys().subject_key(&Subject::user("a")).await.unwrap();
    for entry in fs::read_dir(directory.path()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_string_lossy().contains(".keys") {
            let mode = entry.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{:?}", entry.file_name());
        }
    }
    drop(store);
    for mode in [0o640, 0o604] {
        fs::set_permissions(&keys, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(code(&file), "keys_exposed");
    }
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(code(&file), "opened");
    let elsewhere = directory.path().join("elsewhere");
    fs::rename(&keys, &elsewhere).unwrap();
    assert_eq!(code(&file), "keys_missing");
    assert!(!keys.exists(), "new keys were made for an old store");
    fs::rename(&elsewhere, &keys).unwrap();
    assert_eq!(code(&file), "opened");
    let other = directory.path().join("other.db");
    assert_eq!(code(&other), "opened");
    fs::copy(directory.path().join("other.db.keys"), &keys).unwrap();
    assert_eq!(code(&file), "keys_missing");
}

/// What every holder of keys does.
async fn holds_keys(keys: &dyn Keys) {
    let (alice, bob) = (Subject::user("alice"), Subject::user("bob"));
    assert!(keys.existing_subject_key(&alice).await.unwrap().is_none());
    let key = keys.subject_key(&alice).await.unwrap();
    assert_eq!(
        keys.subject_key(&alice).await.unwrap().expose(),
        key.expose()
    );
    let fresh = keys.fresh_subject_key(&bob).await.unwrap();
    assert_ne!(fresh.expose(), key.expose());
    let found = keys.existing_subject_key(&bob).await.unwrap().unwrap();
    assert_eq!(found.expose(), fresh.expose());
    keys.destroy_subject_key(&alice).await.unwrap();
    assert!(keys.existing_subject_key(&alice).await.unwrap().is_none());
    assert_ne!(
        keys.subject_key(&alice).await.unwrap().expose(),
        key.expose()
    );

    let (one, two) = (LogId([1; 16]), LogId([2; 16]));
    let seed = keys.log_seed(&one).await.unwrap();
    assert_eq!(keys.log_seed(&one).await.unwrap(), seed);
    assert_ne!(keys.log_seed(&two).await.unwrap(), seed);
    assert_eq!(keys.later_log_seed(&one, 1).await.unwrap(), None);
    let later = keys.make_log_seed(&one, 1).await.unwrap();
    assert_ne!(later, seed);
    assert_eq!(keys.make_log_seed(&one, 1).await.unwrap(), later);
    assert_eq!(keys.later_log_seed(&one, 1).await.unwrap(), Some(later));
    assert_eq!(keys.later_log_seed(&two, 1).await.unwrap(), None);
    assert_eq!(keys.log_seed(&one).await.unwrap(), seed);

    assert_eq!(keys.last_signed(&one).await.unwrap(), None);
    keys.record_signed(&one, 4, &[4; 32]).await.unwrap();
    keys.record_signed(&one, 4, &[4; 32]).await.unwrap();
    for (size, root) in [(3, [3; 32]), (4, [5; 32])] {
        let error = keys.record_signed(&one, size, &root).await.unwrap_err();
        assert_eq!(error.code(), "log_rolled_back");
    }
    keys.record_signed(&one, 6, &[6; 32]).await.unwrap();
    assert_eq!(keys.last_signed(&one).await.unwrap(), Some((6, [6; 32])));
    assert_eq!(keys.last_signed(&two).await.unwrap(), None);
}

#[tokio::test]
async fn keys_are_held_in_memory_and_in_a_file() {
    holds_keys(&MemoryKeys::new()).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agents.db");
    let store = SqliteStore::open(&file, relaxed()).unwrap();
    let keys = store.keys();
    holds_keys(keys.as_ref()).await;
    let bob = Subject::user("bob");
    let key = keys.subject_key(&bob).await.unwrap();
    store.close().await.unwrap();
    assert_eq!(
        keys.subject_key(&Subject::user("carol"))
            .await
            .unwrap_err()
            .code(),
        "store_closed"
    );
    drop(store);
    let store = SqliteStore::open(&file, relaxed()).unwrap();
    let keys = store.keys();
    assert_eq!(keys.subject_key(&bob).await.unwrap().expose(), key.expose());
    let log = LogId([1; 16]);
    assert_eq!(keys.last_signed(&log).await.unwrap(), Some((6, [6; 32])));
}

#[tokio::test]
async fn a_destroyed_key_is_in_no_file_any_more() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agents.db");
    let holders = |key: &SubjectKey| {
        fs::read_dir(directory.path())
            .unwrap()
            .filter(|entry| {
                let bytes = fs::read(entry.as_ref().unwrap().path()).unwrap();
                bytes.windows(32).any(|window| window == key.expose())
            })
            .count()
    };
    let store = SqliteStore::open(&file, relaxed()).unwrap();
    let keys = store.keys();
    let alice = Subject::user("alice");
    let (admitted, proposed) = (RunId([1; 16]), RunId([2; 16]));
    let mut destroyed = vec![(alice.clone(), keys.subject_key(&alice).await.unwrap())];
    for run in [admitted, proposed] {
        let subject = Subject::run(run);
        let key = keys.fresh_subject_key(&subject).await.unwrap();
        destroyed.push((subject, key));
    }
    store.commit(admission(1)).await.unwrap();
    for (subject, key) in &destroyed {
        assert_ne!(holders(key), 0);
        let found = keys.existing_subject_key(subject).await.unwrap().unwrap();
        assert_eq!(found.expose(), key.expose());
    }
    for (subject, key) in &destroyed {
        keys.destroy_subject_key(subject).await.unwrap();
        assert_eq!(holders(key), 0, "{subject:?}");
    }
    store.commit(admission(2)).await.unwrap();
    drop((keys, store));
    let store = SqliteStore::open(&file, relaxed()).unwrap();
    let keys = store.keys();
    for (subject, _) in &destroyed {
        assert!(keys.existing_subject_key(subject).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn runs_find_their_keys_again_and_share_none() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agents.db");
    let mut keys = std::collections::HashMap::new();
    // Twice, each time more than one draw of keys.
    for opened in 0..2 {
        let store = SqliteStore::open(&file, relaxed()).unwrap();
        for number in opened * 100..opened * 100 + 100 {
            let subject = Subject::run(RunId([number; 16]));
            let key = store.keys().fresh_subject_key(&subject).await.unwrap();
            store.commit(admission(number)).await.unwrap();
            let before = keys.insert(*key.expose(), subject);
            assert!(before.is_none(), "{before:?} has the same key");
        }
    }
    let store = SqliteStore::open(&file, relaxed()).unwrap();
    for (key, subject) in keys {
        let found = store.keys().subject_key(&subject).await.unwrap();
        assert_eq!(*found.expose(), key);
    }
}

#[tokio::test]
async fn a_store_can_use_keys_from_elsewhere_and_be_dropped_without_closing() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agents.db");
    let keys: Arc<dyn Keys> = Arc::new(MemoryKeys::new());
    let store = SqliteStore::open_with_keys(&file, relaxed(), keys).unwrap();
    let pending: Vec<_> = (0..50)
        .map(|number| store.commit(admission(number)))
        .collect();
    drop(pending);
    drop(store);
    assert!(!directory.path().join("agents.db.keys").exists());
    let store = SqliteStore::open_with_keys(&file, relaxed(), Arc::new(MemoryKeys::new())).unwrap();
    assert_eq!(store.runs(RunFilter::default()).await.unwrap().len(), 50);
}

#[tokio::test]
async fn a_full_disk_is_told_and_leaves_the_store_usable() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agents.db");
    filled(&file).await;
    let connection = rusqlite::Connection::open(&file).unwrap();
    let pages: i64 = connection
        .query_row("PRAGMA page_count", [], |row| row.get(0))
        .unwrap();
    drop(connection);
    let options = Options {
        max_pages: Some(u32::try_from(pages).unwrap() + 2),
        ..relaxed()
    };
    let store = SqliteStore::open(&file, options).unwrap();
    let mut large = admission(201);
    large.blobs[0].1.envelope = vec![1; 100_000].into();
    let error = store.commit(large).await.unwrap_err();
    assert_eq!(error.code(), "store_failed");
    assert!(error.message().contains("disk is full"), "{error}");
    assert!(error.is_retryable());
    assert!(store.run(RunId([201; 16])).await.unwrap().is_none());
    assert_eq!(store.journal(RunId([7; 16]), 0, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_locked_store_is_busy_after_a_bounded_wait() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("agents.db");
    let options = Options {
        patience: std::time::Duration::from_millis(50),
        ..relaxed()
    };
    let store = SqliteStore::open(&file, options).unwrap();
    let other = rusqlite::Connection::open(&file).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.commit(admission(1)).await.unwrap_err();
    assert_eq!(error.code(), "store_busy");
    assert!(error.is_retryable());
    other.execute_batch("COMMIT").unwrap();
    store.commit(admission(1)).await.unwrap();
}
