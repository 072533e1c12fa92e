//! `nfa proof audit URL`: an exported log where it is served.

use std::process::Stdio;

use nfa_testkit::server::{Reply, Script};
use nfa_testkit::web::{Answer, WebServer};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::logs::{export, files, talk, talked, text};
use crate::support::Place;

async fn audited(place: &Place, log: &str, key: &str, code: i32) -> Value {
    let args = ["proof", "audit", log, "--key", key, "--json"];
    place.nfa(&args).await.expect(code).records().remove(0)
}

#[tokio::test]
async fn an_exported_folder_is_audited_behind_any_static_file_server() {
    let place = talked(&["one", "two"]).await;
    export(&place).await;
    talk(&place, &["three"]).await;
    let exported = export(&place).await;
    let key = text(&exported, "verifier_key");
    let mut server = Command::new("python3")
        .args(["-u", "-m", "http.server", "0", "--bind", "127.0.0.1"])
        .current_dir(place.path("log"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap().unwrap();
    let port = line.split("port ").nth(1).unwrap();
    let url = format!("http://127.0.0.1:{}", port.split(' ').next().unwrap());

    let here = audited(&place, "log", key, 0).await;
    assert_eq!(audited(&place, &url, key, 0).await, here);
    let args = ["proof", "audit", &url, "--key", key];
    let people = place.nfa(&args).await.expect(0);
    assert!(people.stdout.starts_with("HOLDS"), "{}", people.stdout);

    let entries = format!("log/tile/entries/000.p/{}", exported["size"]);
    let mut bytes = std::fs::read(place.path(&entries)).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    place.write(&entries, &bytes);
    let changed = audited(&place, &url, key, 10).await;
    assert_eq!(changed["holds"], false);
    let other = talked(&["one"]).await;
    let other_key = export(&other).await;
    *bytes.last_mut().unwrap() ^= 1;
    place.write(&entries, &bytes);
    let unmet = audited(&place, &url, text(&other_key, "verifier_key"), 11).await;
    assert_eq!(unmet["findings"][0]["code"], "log_key_unknown");
    let elsewhere = audited(&place, &format!("{url}/tile"), key, 12).await;
    assert_eq!(elsewhere["findings"][0]["code"], "checkpoint_missing");
    server.kill().await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_broken_or_hostile_makes_the_log_unreadable() {
    let place = talked(&["one"]).await;
    let exported = export(&place).await;
    let key = text(&exported, "verifier_key");
    let log = files(&place.path("log"));
    type Fault = fn(Answer) -> Answer;
    let faults: [(&str, Fault, &str); 4] = [
        ("/endless", Answer::endless, "http_response_too_large"),
        (
            "/reset",
            |answer| answer.reset_after(5),
            "http_connection_lost",
        ),
        (
            "/page",
            |_| Answer::ok("<html>").header("content-type", "text/html"),
            "http_response_invalid",
        ),
        (
            "/loop",
            |_| Answer::status(302).header("location", "entries"),
            "http_redirect_refused",
        ),
    ];
    let server = WebServer::start(move |asked| {
        let fault = faults
            .iter()
            .find_map(|(prefix, fault, _)| Some((asked.path().strip_prefix(prefix)?, Some(fault))));
        let (path, fault) = fault.unwrap_or((asked.path(), None));
        let answer = match log.get(path.trim_start_matches('/')) {
            Some(bytes) => Answer::ok(bytes.clone()),
            None => Answer::status(404),
        };
        match fault.filter(|_| path.contains("entries")) {
            Some(fault) => fault(answer),
            None => answer,
        }
    })
    .await
    .unwrap();
    audited(&place, &server.url(), key, 0).await;
    for (prefix, _, code) in faults {
        let url = format!("{}{prefix}", server.url());
        let args = ["proof", "audit", &url, "--key", key, "--json"];
        let done = place.nfa(&args).await.expect(12);
        assert_eq!((done.error().code.as_str(), &*done.stdout), (code, ""));
    }
    let wrong = ["proof", "audit", "http://", "--key", key, "--json"];
    let error = place.nfa(&wrong).await.expect(2).error();
    assert_eq!(error.code, "http_url_invalid");
}

#[tokio::test]
async fn no_store_is_needed_and_none_is_made() {
    let place = Place::new(Script::always(Reply::text("Hello."))).await;
    let server = WebServer::files(place.path("log")).await.unwrap();
    let other = talked(&["one"]).await;
    let exported = export(&other).await;
    std::fs::rename(other.path("log"), place.path("log")).unwrap();
    audited(&place, &server.url(), text(&exported, "verifier_key"), 0).await;
    assert!(!place.path("nfa.db").exists());
}
