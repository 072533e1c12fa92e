//! `nfa chat`.

use std::process::Stdio;

use nfa_core::runtime::{Event, OutcomeStatus};
use nfa_testkit::scripted::Gate;
use nfa_testkit::server::{Reply, Script};
use rustix::process::Signal;
use tokio::io::AsyncWriteExt;

use crate::support::{Place, Running};

fn chat(place: &Place, args: &[&str]) -> Running {
    let mut command = place.command(&[&["chat", "agent.yaml"], args].concat());
    command.stdin(Stdio::piped());
    Running::new(command)
}

#[tokio::test]
async fn turns_are_one_session() {
    let place = Place::new(Script::replies([
        Reply::text("Hello Ada."),
        Reply::text("You are Ada."),
    ]))
    .await;
    let mut chat = chat(&place, &[]);
    let mut stdin = chat.child.stdin.take().unwrap();
    stdin.write_all(b"I am Ada.\n").await.unwrap();
    assert_eq!(
        chat.stdout.next_line().await.unwrap().unwrap(),
        "Hello Ada."
    );
    stdin.write_all(b"\nWho am I?\n").await.unwrap();
    assert_eq!(
        chat.stdout.next_line().await.unwrap().unwrap(),
        "You are Ada."
    );
    drop(stdin);
    chat.done().await.expect(0);
    let second = place.server.requests()[1].json();
    assert_eq!(second["messages"].as_array().unwrap().len(), 3, "{second}");
}

#[tokio::test]
async fn ctrl_c_cancels_the_turn_and_not_the_program() {
    let gate = Gate::new();
    let replies = [Reply::text("Late.").held_by(&gate), Reply::text("In time.")];
    let place = Place::new(Script::replies(replies)).await;
    let mut chat = chat(&place, &[]);
    let mut stdin = chat.child.stdin.take().unwrap();
    stdin.write_all(b"First.\n").await.unwrap();
    place.server.wait_for_requests(1).await;
    chat.send(Signal::INT);
    chat.said("the run was cancelled").await;
    // Between turns it is no end either.
    chat.send(Signal::INT);
    chat.said("no turn to cancel").await;
    stdin.write_all(b"Second.\n").await.unwrap();
    assert_eq!(chat.stdout.next_line().await.unwrap().unwrap(), "In time.");
    drop(stdin);
    chat.done().await.expect(0);
    assert!(place.server.violations().is_empty());
}

#[tokio::test]
async fn json_is_the_events_of_all_turns() {
    let place = Place::new(Script::always(Reply::text("Yes."))).await;
    let mut chat = chat(&place, &["--json", "--session", "s"]);
    let mut stdin = chat.child.stdin.take().unwrap();
    stdin.write_all(b"One.\nTwo.\n").await.unwrap();
    drop(stdin);
    let done = chat.done().await.expect(0);
    let finished = |event: &Event| matches!(event, Event::Finished { outcome } if outcome.status == OutcomeStatus::Completed);
    assert_eq!(
        done.records::<Event>()
            .iter()
            .filter(|event| finished(event))
            .count(),
        2
    );
    assert_eq!(
        place
            .nfa(&["runs", "--session", "s"])
            .await
            .expect(0)
            .stdout
            .lines()
            .count(),
        2
    );
}

#[tokio::test]
async fn sigterm_between_turns_ends() {
    let place = Place::new(Script::always(Reply::text("Yes."))).await;
    let mut chat = chat(&place, &[]);
    let mut stdin = chat.child.stdin.take().unwrap();
    stdin.write_all(b"One.\n").await.unwrap();
    chat.said("receipt: ").await;
    chat.send(Signal::TERM);
    chat.done().await.expect(0);
    drop(stdin);
}
