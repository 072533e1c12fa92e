//! What a person at a terminal sees and is asked: the binary on a pseudo-terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;

use nfa_testkit::scripted::Gate;
use nfa_testkit::server::{Reply, Script};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::support::Place;

/// The far end of a terminal.
struct Terminal {
    near: File,
    seen: String,
}

impl Terminal {
    fn open() -> (Self, OwnedFd) {
        let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&near).unwrap();
        unlockpt(&near).unwrap();
        let name = ptsname(&near, Vec::new()).unwrap();
        let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY;
        let far = rustix::fs::open(&*name, flags, rustix::fs::Mode::empty()).unwrap();
        (
            Self {
                near: near.into(),
                seen: String::new(),
            },
            far,
        )
    }

    /// Reads until `text` has appeared.
    fn wait_for(&mut self, text: &str) {
        let mut bytes = [0; 4096];
        while !self.seen.contains(text) {
            match self.near.read(&mut bytes) {
                Ok(read) if read > 0 => {
                    self.seen.push_str(&String::from_utf8_lossy(&bytes[..read]))
                }
                end => panic!("{text:?} never came ({end:?}): {}", self.seen),
            }
        }
    }

    fn type_line(&mut self, line: &str) {
        writeln!(self.near, "{line}").unwrap();
    }
}

fn on_terminal(place: &Place, args: &[&str]) -> (Terminal, tokio::process::Child) {
    let (terminal, far) = Terminal::open();
    let mut command = place.command(args);
    command
        .stdin(far.try_clone().unwrap())
        .stdout(far.try_clone().unwrap())
        .stderr(far);
    let child = command.spawn().unwrap();
    (terminal, child)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

#[tokio::test]
async fn text_streams_as_it_comes() {
    let gate = Gate::new();
    // The head and the first pieces go out; the rest waits until the person has seen them.
    let reply = Reply::text("One, two, three.\u{1b}[31m")
        .in_chunks_of(5)
        .held_after(4, &gate);
    let place = Place::new(Script::always(reply)).await;
    let (mut terminal, mut child) = on_terminal(&place, &["run", "agent.yaml", "Count."]);
    let terminal = blocking(move || {
        terminal.wait_for("One, ");
        gate.open();
        terminal.wait_for("receipt: ");
        terminal
    })
    .await;
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
    assert_eq!(
        terminal.seen.matches("One, two, three.").count(),
        1,
        "{}",
        terminal.seen
    );
    assert!(
        !terminal.seen.contains('\u{1b}'),
        "a model does not drive the terminal"
    );
}

#[tokio::test]
async fn a_waiting_step_is_asked_about() {
    let place = Place::new(Script::tool_rounds(1, "pay", r#"{"cents":5}"#, "Done.")).await;
    place.agent("tools:\n  - name: pay\n    argv: [sh, -c, 'cat > /dev/null; echo 1']\n    parameters: { type: object }\n    approval: always\n");
    for (answer, code) in [("approve", 0), ("deny too dear", 0), ("later", 3)] {
        let (mut terminal, mut child) = on_terminal(&place, &["run", "agent.yaml", "Pay."]);
        let terminal = blocking(move || {
            terminal.wait_for("approve, deny [why], answer TEXT, or later?");
            terminal.type_line("what?");
            terminal.type_line(answer);
            terminal.wait_for("receipt: ");
            terminal
        })
        .await;
        assert_eq!(
            child.wait().await.unwrap().code(),
            Some(code),
            "{}",
            terminal.seen
        );
        let seen = &terminal.seen;
        assert!(
            seen.contains(r#"step 2 asks for approval: `pay` {"cents":5}"#),
            "{seen}"
        );
        assert_eq!(seen.contains("Done."), code == 0, "{seen}");
        assert_eq!(seen.contains("← ok: 1"), answer == "approve", "{seen}");
    }
}

#[tokio::test]
async fn erasing_is_asked_about() {
    let place = Place::new(Script::always(Reply::text("Hello."))).await;
    let args = ["run", "agent.yaml", "my secret", "--session", "s"];
    place.nfa(&args).await.expect(0);
    let run = place.only_run().await;
    // `None` is Ctrl-C; `yes` comes last, for then there is nothing left to ask about.
    for (answer, code) in [(Some("no"), 1), (Some("y"), 1), (None, 1), (Some("yes"), 0)] {
        let (mut terminal, mut child) = on_terminal(&place, &["erase", "session", "s"]);
        let pid = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
        let terminal = blocking(move || {
            terminal.wait_for("session `s`: what was said in 1 run");
            terminal.wait_for("Type yes: ");
            match answer {
                Some(answer) => terminal.type_line(answer),
                None => kill_process(pid, Signal::INT).unwrap(),
            }
            terminal.wait_for(if code == 0 {
                "erased: "
            } else {
                "nothing was erased"
            });
            terminal
        })
        .await;
        let seen = &terminal.seen;
        assert_eq!(child.wait().await.unwrap().code(), Some(code), "{seen}");
        let shown = place.nfa(&["show", &run, "--content"]).await.expect(0);
        assert_eq!(shown.stdout.contains("my secret"), code != 0, "{seen}");
    }
}
