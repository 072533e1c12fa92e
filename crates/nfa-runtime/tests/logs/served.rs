//! Logs over HTTP: served as they are exported, and by servers that are broken or hostile.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use nfa_proof::{
    Category, Checkpoint, Leaf, LeafHeader, LeafKind, Note, Opening, Sha256, Signer, TileExport,
    TileSink as _, TileSource as _, VerifyPolicy, audit,
};
use nfa_runtime::{HttpLog, LogFolder};
use nfa_testkit::web::{Answer, Asked, WebServer};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::{place, turn};

type Files = BTreeMap<String, Vec<u8>>;

fn signer() -> Signer {
    Signer::from_seed("log.example", &[5; 32]).unwrap()
}

fn policy() -> VerifyPolicy {
    VerifyPolicy::new([signer().verifier_key()])
}

/// A log of one session, with a checkpoint at each of these sizes, exported at each.
fn exported(sizes: &[u64]) -> Files {
    let mut files = Files::new();
    for size in sizes {
        let before = files.clone();
        let mut export = TileExport::<Sha256, _>::resume(files, &before).unwrap();
        for sequence in export.size()..*size {
            let header = LeafHeader {
                kind: LeafKind::Interaction,
                agent: [1; 16],
                session: [2; 16],
                run: [3; 16],
                sequence,
                time_ms: 1_767_225_600_000,
                parent: None,
            };
            let opening = Opening::new(nfa_proof::FieldId::PROMPT, [7; 32], "What is 2 + 40?");
            let leaf = Leaf::new(header, vec![opening.commitment()]).unwrap();
            export.push(&leaf.encode()).unwrap();
        }
        let checkpoint = Checkpoint::new::<Sha256>("log.example", *size, export.root()).unwrap();
        files = export.finish(&checkpoint.sign(&signer()).unwrap()).unwrap();
    }
    files
}

fn served(files: &Files, asked: &Asked) -> Answer {
    let path = asked.path().strip_prefix("/log/");
    match path.and_then(|path| files.get(path)) {
        Some(bytes) => Answer::ok(bytes.clone()),
        None => Answer::status(404),
    }
}

async fn serve(files: Files) -> (WebServer, HttpLog) {
    serve_with(move |asked| served(&files, asked)).await
}

async fn serve_with(
    answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
) -> (WebServer, HttpLog) {
    let server = WebServer::start(answer).await.unwrap();
    let log = HttpLog::new(&format!("{}/log", server.url())).unwrap();
    (server, log)
}

#[tokio::test]
async fn an_audit_over_http_says_what_the_one_of_the_files_says() {
    for sizes in [&[1][..], &[255, 256], &[257], &[3, 700, 4000]] {
        let files = exported(sizes);
        let here = audit(&files, &policy(), &[]).unwrap();
        assert!(here.holds(), "{here}");
        let (server, log) = serve(files.clone()).await;
        let there = log.audit(&policy(), &[]).await.unwrap();
        assert_eq!(there, here);
        let mut asked: Vec<_> = server
            .asked()
            .iter()
            .map(|asked| asked.path().to_owned())
            .collect();
        let all = asked.len();
        asked.sort();
        asked.dedup();
        assert_eq!(asked.len(), all, "no file is fetched twice");

        let mut wrong = files;
        let entries = wrong.iter_mut().find(|(path, _)| path.contains("entries"));
        *entries.unwrap().1.last_mut().unwrap() ^= 1;
        let here = audit(&wrong, &policy(), &[]).unwrap();
        let (_server, log) = serve(wrong).await;
        let there = log.audit(&policy(), &[]).await.unwrap();
        assert_eq!(there, here);
        assert_eq!(there.category(), Some(Category::Invalid), "{there}");
    }
}

/// The folder that an export is written to, behind any static file server, and nothing else.
#[tokio::test]
async fn the_folder_of_an_export_is_audited_behind_a_server_of_somebody_else() {
    let (runtime, agent) = place(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let mut files = LogFolder::new(folder.path().join("some where"));
    turn(&runtime, &agent).await;
    runtime.export_log("helper", &mut files).await.unwrap();
    turn(&runtime, &agent).await;
    let export = runtime.export_log("helper", &mut files).await.unwrap();
    runtime.close().await.unwrap();
    let key = nfa_proof::VerifierKey::parse(&export.verifier_key).unwrap();
    let policy = VerifyPolicy::new([key]);

    let mut server = Command::new("python3")
        .args(["-u", "-m", "http.server", "0", "--bind", "127.0.0.1"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap().unwrap();
    let port = line.split("port ").nth(1).unwrap();
    let port = port.split_whitespace().next().unwrap();
    let url = format!("http://127.0.0.1:{port}/some%20where");
    let there = HttpLog::new(&url).unwrap().audit(&policy, &[]).await;
    let there = there.unwrap();
    assert!(there.holds(), "{there}");
    assert_eq!(there, audit(&files, &policy, &[]).unwrap());
    assert_eq!(there.checkpoints.len(), 2);

    let entries = format!("tile/entries/000.p/{}", export.size);
    let mut bytes = files.get(&entries).unwrap().unwrap();
    bytes[30] ^= 4;
    files.put(&entries, &bytes).unwrap();
    let changed = HttpLog::new(&url).unwrap().audit(&policy, &[]).await;
    assert_eq!(changed.unwrap().category(), Some(Category::Invalid));
    server.kill().await.unwrap();
}

#[tokio::test]
async fn a_partial_tile_that_was_replaced_is_read_from_its_full_one() {
    let small = exported(&[300]);
    let mut files = exported(&[300, 600]);
    files.retain(|path, _| !path.starts_with("tile/") || !path.contains("001.p/"));
    files.retain(|path, _| !path.starts_with("checkpoint"));
    files.insert("checkpoint".to_owned(), small["checkpoint"].clone());
    let (server, log) = serve(files.clone()).await;
    let found = log.audit(&policy(), &[]).await.unwrap();
    assert!(found.holds() && found.size == 300, "{found}");
    let asked = server.asked();
    for path in ["/log/tile/0/001.p/44", "/log/tile/0/001"] {
        assert!(asked.iter().any(|asked| asked.path() == path), "{path}");
    }
    files.remove("tile/0/001").unwrap();
    let (_server, log) = serve(files).await;
    let found = log.audit(&policy(), &[]).await.unwrap();
    assert_eq!(found.findings[0].code, "tile_missing");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn what_is_packed_is_unpacked_and_bounded() {
    let files = exported(&[300]);
    let packed = |asked: &Asked| {
        assert_eq!(asked.header("accept-encoding"), Some("gzip, identity"));
        let answer = served(&exported(&[300]), asked);
        match asked.path().contains("entries") {
            true => gzip_of(answer),
            false => answer,
        }
    };
    let (_server, log) = serve_with(packed).await;
    let found = log.audit(&policy(), &[]).await.unwrap();
    assert_eq!(found, audit(&files, &policy(), &[]).unwrap());

    let bomb = gzip(&vec![0; 64 * 1024 * 1024]);
    assert!(bomb.len() < 100_000);
    for (encoding, body, code) in [
        ("gzip", bomb, "http_response_too_large"),
        ("gzip", b"no gzip".to_vec(), "http_response_invalid"),
        ("gzip", gzip(b"cut")[..12].to_vec(), "http_response_invalid"),
        ("br", b"whatever".to_vec(), "http_response_invalid"),
    ] {
        let (_server, log) =
            serve_with(move |_| Answer::ok(body.clone()).header("content-encoding", encoding))
                .await;
        let error = log.file("tile/0/000").await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(!error.is_retryable());
    }
}

fn gzip_of(answer: Answer) -> Answer {
    let bytes = gzip(answer.content());
    answer.body(bytes).header("content-encoding", "gzip")
}

/// Half of what is promised.
fn half(answer: Answer) -> Answer {
    let all = answer.content().to_vec();
    let half = all[..all.len() / 2].to_vec();
    answer.body(half).promise(all.len() as u64)
}

/// Each fault on a file of its own: of a checkpoint, a tile and leaves.
#[tokio::test]
async fn a_server_that_is_broken_or_hostile_is_told_by_a_code() {
    type Fault = fn(Answer) -> Answer;
    let html =
        |_| Answer::ok("<html>Not found</html>").header("content-type", "Text/HTML; charset=x");
    let forbidden = |_| Answer::status(403);
    let failing = |_| Answer::status(500);
    let faults: [(Fault, &str, bool); 12] = [
        (Answer::endless, "http_response_too_large", false),
        (
            |answer| answer.promise(1 << 40),
            "http_response_too_large",
            false,
        ),
        (half, "http_connection_lost", true),
        (|answer| answer.reset_after(3), "http_connection_lost", true),
        (
            |answer| answer.drip(Duration::from_millis(50)),
            "http_timeout",
            true,
        ),
        (|_| Answer::silence(), "http_timeout", true),
        (html, "http_response_invalid", false),
        (forbidden, "http_status", false),
        (failing, "http_status", true),
        (
            |_| Answer::status(302).header("location", "x"),
            "http_redirect_refused",
            false,
        ),
        (|_| Answer::status(302), "http_redirect_refused", false),
        (
            |_| Answer::status(302).header("location", "file:///etc/passwd"),
            "http_redirect_refused",
            false,
        ),
    ];
    let paths = ["checkpoint", "tile/0/000", "tile/entries/001.p/44"];
    let cases = paths
        .iter()
        .flat_map(|path| faults.map(|fault| (*path, fault)));
    let audits = cases.map(async |(path, (fault, code, again))| {
        let files = exported(&[300]);
        let (server, log) = serve_with(move |asked| {
            let answer = served(&files, asked);
            match asked.path().strip_prefix("/log/") {
                Some(at) if at == path || at.ends_with('x') => fault(answer),
                _ => answer,
            }
        })
        .await;
        let short = Duration::from_millis(if code == "http_timeout" { 300 } else { 60_000 });
        let error = log.timeout(short).audit(&policy(), &[]).await.unwrap_err();
        assert_eq!(error.code(), code, "{path}: {error}");
        assert!(error.message().contains(path) || code == "http_redirect_refused");
        assert_eq!(error.is_retryable(), again, "{error}");
        let asked = server.asked();
        let times = asked.iter().filter(|asked| asked.path().ends_with(path));
        assert_eq!(times.count(), if again { 3 } else { 1 }, "{path}: {error}");
    });
    futures_util::future::join_all(audits).await;
}

#[tokio::test]
async fn what_passes_is_waited_for_and_what_moved_is_followed() {
    let files = exported(&[300]);
    let times = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&times);
    let (_server, log) = serve_with(move |asked| {
        let moved = asked.path().replace("/log/", "/log/moved/");
        match asked.path().strip_prefix("/log/moved/") {
            None => Answer::status(308).header("location", &moved),
            Some(path)
                if path.contains("entries") && counted.fetch_add(1, Ordering::Relaxed) == 0 =>
            {
                Answer::status(503).header("retry-after", "0")
            }
            Some(path) => files
                .get(path)
                .map_or_else(|| Answer::status(404), |bytes| Answer::ok(bytes.clone())),
        }
    })
    .await;
    let found = log.audit(&policy(), &[]).await.unwrap();
    assert!(found.holds(), "{found}");
    assert_eq!(
        times.load(Ordering::Relaxed),
        3,
        "two files, one of them twice"
    );
}

#[tokio::test]
async fn where_nobody_listens_there_is_no_log() {
    let server = WebServer::start(|_| Answer::status(404)).await.unwrap();
    let log = HttpLog::new(&server.url()).unwrap();
    let nothing = log.audit(&policy(), &[]).await.unwrap();
    assert_eq!(nothing.findings[0].code, "checkpoint_missing");
    // What a server gives for everything that it does not have is no checkpoint.
    let page = WebServer::start(|_| Answer::ok("<html></html>"))
        .await
        .unwrap();
    let page = HttpLog::new(&page.url())
        .unwrap()
        .audit(&policy(), &[])
        .await;
    assert_eq!(page.unwrap().category(), Some(Category::Unreadable));

    // A port that nobody has while this socket, which does not listen, keeps it.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let log = HttpLog::new(&format!("http://{}", socket.local_addr().unwrap())).unwrap();
    let error = log.audit(&policy(), &[]).await.unwrap_err();
    assert_eq!(error.code(), "http_unreachable", "{error}");
    for wrong in ["ftp://127.0.0.1/", "127.0.0.1", "http://a:b@127.0.0.1/"] {
        let error = HttpLog::new(wrong).unwrap_err();
        assert_eq!(error.code(), "http_url_invalid", "{wrong}");
    }
    for wrong in ["../checkpoint", "checkpoint?x", "/etc/passwd", ""] {
        let error = log.file(wrong).await.unwrap_err();
        assert_eq!(error.code(), "http_url_invalid", "{wrong}");
    }
}

/// An export writes the list of checkpoints before the newest one: a reader in between sees no rollback.
#[tokio::test]
async fn a_log_that_grows_while_it_is_read_holds() {
    let (old, new) = (exported(&[300]), exported(&[300, 600]));
    for grows in [true, false] {
        let (old, new) = (old.clone(), new.clone());
        let times = AtomicUsize::new(0);
        let (_server, log) = serve_with(move |asked| {
            let newest = asked.path() == "/log/checkpoint";
            let early = newest && times.fetch_add(1, Ordering::Relaxed) == 0;
            served(
                if early || (newest && !grows) {
                    &old
                } else {
                    &new
                },
                asked,
            )
        })
        .await;
        let found = log.audit(&policy(), &[]).await.unwrap();
        assert_eq!(found.holds(), grows, "{found}");
        if !grows {
            assert_eq!(found.findings[0].code, "checkpoint_rollback");
        }
    }
}

#[tokio::test]
async fn an_audit_that_nobody_waits_for_ends() {
    let files = exported(&[4000]);
    let (server, log) = serve_with(move |asked| match asked.path().contains("entries") {
        true => Answer::silence(),
        false => served(&files, asked),
    })
    .await;
    let policy = policy();
    tokio::select! {
        audit = log.audit(&policy, &[]) => panic!("{audit:?}"),
        () = server.wait_for_requests(3) => {}
    }
    // The end of this test waits for the thread that reads.
}

#[tokio::test]
async fn a_known_checkpoint_is_held_against_what_is_served() {
    let (small, large) = (exported(&[300]), exported(&[600]));
    let known = |files: &Files| Note::parse(&files["checkpoint"]).unwrap();
    let (_server, log) = serve(large.clone()).await;
    let found = log.audit(&policy(), &[known(&small)]).await.unwrap();
    assert!(found.holds() && found.checkpoints == [300, 600], "{found}");
    let (_server, log) = serve(small).await;
    let found = log.audit(&policy(), &[known(&large)]).await.unwrap();
    assert_eq!(found.findings[0].code, "checkpoint_rollback");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_is_a_source_of_tiles_for_threads_that_may_wait() {
    let files = exported(&[300]);
    let (_server, log) = serve(files.clone()).await;
    let read = tokio::task::spawn_blocking(move || {
        let reader = nfa_proof::TileReader::<Sha256, _>::new(&log, 300);
        nfa_proof::root_at::<Sha256, _>(300, &reader).unwrap()
    });
    let root = read.await.unwrap();
    let note = Note::parse(&files["checkpoint"]).unwrap();
    assert_eq!(Checkpoint::parse(note.text()).unwrap().root(), &root);
}
