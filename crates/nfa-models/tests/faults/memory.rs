//! Memory: whatever comes, and however long, a call holds no more than its limits and what it must hand over.
//!
//! The client's side runs in a process of its own, whose peak of resident memory is what counts; the server
//! stays in this one.

#![cfg(target_os = "linux")]

use std::process::Command;
use std::time::Duration;

use nfa_testkit::server::{FakeServer, Fault, Reply, Script};

use crate::support::{TEXT, ask, code, deadlines, said};
use crate::wires::{Adapter, Setup, WIRES};

const MEGABYTE: usize = 1 << 20;
/// The limits of the client: bytes of an event and of an answer.
const LIMITS: (usize, usize) = (2 * MEGABYTE, 16 * MEGABYTE);
/// Limits for answers of ten megabytes: the last event of some wires is the whole answer once more.
const LARGE: (usize, usize) = (32 * MEGABYTE, 64 * MEGABYTE);

/// A figure of this process in bytes, such as `VmHWM`.
fn figure(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    let kilobytes = line.split_whitespace().nth(1).unwrap();
    kilobytes.parse::<usize>().unwrap() * 1024
}

/// The client's side: asks once to be warm, then once for what counts.
#[tokio::test]
#[ignore = "run by another test"]
async fn asks_and_measures() {
    let variable = |name: &str| std::env::var(name).unwrap();
    let name = variable("NFA_TEST_WIRE");
    let wire = WIRES.iter().find(|wire| wire.name == name).unwrap();
    let address = variable("NFA_TEST_ADDRESS").parse().unwrap();
    let deltas = variable("NFA_TEST_DELTAS") == "true";
    let mut setup = Setup::new(wire.url(address));
    setup.limits = match variable("NFA_TEST_LARGE").as_str() {
        "true" => LARGE,
        _ => LIMITS,
    };
    let patience = Duration::from_millis(variable("NFA_TEST_PATIENCE_MS").parse().unwrap());
    setup.deadlines = deadlines(|limits| limits.first_token = patience);
    let model = Adapter((wire.build)(setup));
    ask(&model, deltas).await.1.unwrap();
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = figure("VmRSS");
    let (told, answer) = ask(&model, deltas).await;
    let grown = figure("VmHWM").saturating_sub(before);
    drop(told);
    println!("measured {} {grown}", code(&answer));
}

/// How a call for `reply` ends, and by how many bytes the client's memory grew at the most.
async fn measured(
    wire: &str,
    reply: Reply,
    deltas: bool,
    large: bool,
    patience: u32,
) -> (String, usize) {
    let script = Script::replies([Reply::text(TEXT), reply]);
    let server = FakeServer::start(script).await.unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "memory::asks_and_measures",
            "--ignored",
            "--nocapture",
        ])
        .env("NFA_TEST_WIRE", wire)
        .env("NFA_TEST_ADDRESS", server.address().to_string())
        .env("NFA_TEST_DELTAS", deltas.to_string())
        .env("NFA_TEST_LARGE", large.to_string())
        .env("NFA_TEST_PATIENCE_MS", patience.to_string());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let line = said.lines().find_map(|line| line.split_once("measured "));
    let (code, grown) = line
        .and_then(|(_, line)| line.split_once(' '))
        .unwrap_or_else(|| panic!("{said} {:?}", String::from_utf8_lossy(&output.stderr)));
    (code.to_owned(), grown.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_stays_within_the_limits_whatever_comes() {
    let long = || Reply::text("0123456789".repeat(MEGABYTE)).in_chunks_of(64 * 1024);
    let error = Reply::error(500, "bad", "x").with_fault(Fault::EndlessEvent);
    let pause = Duration::ZERO;
    let too_large = "model_response_too_large";
    let late = "model_timeout_first_token";
    for (reply, deltas, expected, most) in [
        // What a call without any fault may grow by: the measure's own noise.
        (Reply::text(TEXT), true, "ok", 2 * MEGABYTE),
        // What must be held, and a few times that.
        (
            said(Fault::HugeEvent { bytes: MEGABYTE }),
            true,
            "ok",
            8 * MEGABYTE,
        ),
        (long(), true, "ok", 6 * 10 * MEGABYTE),
        (long(), false, "ok", 6 * 10 * MEGABYTE),
        // What never ends, up to the limits.
        (
            said(Fault::EndlessEvent),
            true,
            too_large,
            3 * LIMITS.0 + 2 * MEGABYTE,
        ),
        (said(Fault::EndlessEvent), false, too_large, 3 * LIMITS.1),
        (
            Reply::text("0123456789".repeat(1000))
                .in_chunks_of(1000)
                .with_fault(Fault::EndlessContent),
            true,
            too_large,
            3 * LIMITS.1,
        ),
        (error, false, "model_unavailable", 2 * MEGABYTE),
        // What says nothing, for ever.
        (
            said(Fault::KeepAlivesOnly { pause }),
            true,
            late,
            2 * MEGABYTE,
        ),
        (said(Fault::RoleOnly { pause }), true, late, 2 * MEGABYTE),
    ] {
        for wire in WIRES {
            let patience = if expected == late { 500 } else { 60_000 };
            let large = most == 6 * 10 * MEGABYTE;
            let (ended, grown) = measured(wire.name, reply.clone(), deltas, large, patience).await;
            let fault = format!("{reply:?}");
            let fault = &fault[fault.len().saturating_sub(400)..];
            assert_eq!(ended, expected, "{}: {fault}", wire.name);
            assert!(grown <= most, "{}: {grown} of {most}: {fault}", wire.name);
        }
    }
}

/// The measure sees what is held: an answer of ten megabytes is at least that.
#[tokio::test(flavor = "multi_thread")]
async fn the_measure_sees_what_is_held() {
    for wire in WIRES {
        let long = Reply::text("0123456789".repeat(MEGABYTE)).in_chunks_of(64 * 1024);
        let (ended, grown) = measured(wire.name, long, true, true, 60_000).await;
        assert_eq!(ended, "ok");
        assert!(grown > 10 * MEGABYTE, "{}: {grown}", wire.name);
    }
}
