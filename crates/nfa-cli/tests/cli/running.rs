//! `nfa run`, `nfa runs`, `nfa show`.

use nfa_core::engine::{Entry, Fact};
use nfa_core::runtime::{Agent, Event, OutcomeStatus, Runtime};
use nfa_core::spec::AgentSpec;
use nfa_testkit::scripted::Gate;
use nfa_testkit::server::{Reply, Script};
use serde_json::Value;
use tokio::io::AsyncWriteExt;

use crate::support::{Place, Running, finish};

const ADD: &str = "\
instructions: Add.
tools:
  - name: add
    description: Adds.
    argv: [sh, -c, 'cat > /dev/null; echo 42']
    parameters: { type: object, properties: { a: { type: integer }, b: { type: integer } } }
    effect: pure
";

fn add_script() -> Script {
    Script::tool_rounds(1, "add", r#"{"a":2,"b":40}"#, "It is 42.")
}

#[tokio::test]
async fn the_answer_is_all_that_goes_to_a_pipe() {
    let place = Place::new(add_script()).await;
    place.agent(ADD);
    let done = place
        .nfa(&["run", "agent.yaml", "What is 2 + 40?"])
        .await
        .expect(0);
    assert_eq!(done.stdout, "It is 42.\n");
    let run = place.only_run().await;
    for said in [
        &*format!("run {run}\n"),
        "→ add {\"a\":2,\"b\":40} (step 2)\n",
        "← ok: 42 (step 2)\n",
        "receipt: ",
        "checkpointed",
    ] {
        assert!(done.stderr.contains(said), "{said:?} in {}", done.stderr);
    }
    assert!(place.server.violations().is_empty());
}

/// What a provider was asked, without what differs between two runs of one agent.
fn asked(place: &Place, from: usize) -> Vec<Value> {
    place
        .server
        .requests()
        .iter()
        .skip(from)
        .map(|request| request.json())
        .collect()
}

#[tokio::test]
async fn one_yaml_agent_gives_one_answer_through_library_cli_and_json() {
    let place = Place::new(add_script()).await;
    let file = place.agent(ADD);

    let spec: AgentSpec = serde_saphyr::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let agent = Agent::from_spec(spec).build().unwrap();
    let runtime = nfa_runtime::Runtime::open("memory:").await.unwrap();
    let runtime: &Runtime = &runtime;
    let mut library = runtime
        .run(&agent, "What is 2 + 40?")
        .start()
        .await
        .unwrap();
    let library = library.outcome().await.unwrap();
    runtime.close().await.unwrap();
    assert_eq!(library.text(), "It is 42.");

    let plain = place
        .nfa(&["run", "agent.yaml", "What is 2 + 40?"])
        .await
        .expect(0);
    assert_eq!(plain.stdout, format!("{}\n", library.text()));

    let json = place
        .nfa(&["run", "agent.yaml", "What is 2 + 40?", "--json"])
        .await
        .expect(0);
    let outcome = json.outcome();
    assert_eq!(outcome.text, library.text());
    assert_eq!(outcome.status, library.status());
    assert_eq!(outcome.usage, library.summary().usage);
    let spoken: String = json
        .records::<Event>()
        .iter()
        .filter_map(|event| match event {
            Event::TextDelta { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(spoken, library.text());

    let requests = asked(&place, 0);
    assert_eq!(requests.len(), 6);
    assert_eq!(requests[0..2], requests[2..4]);
    assert_eq!(requests[2..4], requests[4..6]);
}

#[tokio::test]
async fn json_lines_are_events_and_entries() {
    let place = Place::new(add_script()).await;
    place.agent(ADD);
    let done = place
        .nfa(&["--json", "run", "agent.yaml", "What is 2 + 40?"])
        .await
        .expect(0);
    assert_eq!(done.stderr, "");
    let events = done.records::<Event>();
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::ToolStarted { tool, .. } if &**tool == "add"))
    );
    assert!(matches!(events.last(), Some(Event::Finished { .. })));
    let live: Vec<Entry> = events
        .into_iter()
        .filter_map(|event| match event {
            Event::Entry { entry } => Some(*entry),
            _ => None,
        })
        .collect();
    let run = place.only_run().await;
    let stored = place
        .nfa(&["show", &run[..8], "--json"])
        .await
        .expect(0)
        .records::<Entry>();
    assert_eq!(live, stored);
    assert!(matches!(
        stored.last().unwrap().fact,
        Fact::RunFinished { .. }
    ));
}

#[tokio::test]
async fn show_opens_what_the_entries_name() {
    let place = Place::new(add_script()).await;
    place.agent(ADD);
    place
        .nfa(&["run", "agent.yaml", "What is 2 + 40?"])
        .await
        .expect(0);
    let run = place.only_run().await;
    let closed = place.nfa(&["show", &run]).await.expect(0).stdout;
    let open = place
        .nfa(&["show", &run, "--content"])
        .await
        .expect(0)
        .stdout;
    assert!(
        closed.starts_with(&format!("run {run}, agent helper, completed\n")),
        "{closed}"
    );
    assert!(closed.contains("2  call finished: ok"), "{closed}");
    for words in ["input: What is 2 + 40?", "result: 42", "output: It is 42."] {
        assert!(open.contains(words), "{words:?} in {open}");
        assert!(!closed.contains(words));
    }
    let json = place
        .nfa(&["show", &run, "--content", "--json"])
        .await
        .expect(0);
    let first: Value = json.records().remove(0);
    let input = first["entry"]["input"].as_str().unwrap();
    assert_eq!(
        first["content"][input]["parts"][0]["text"],
        "What is 2 + 40?"
    );
}

#[tokio::test]
async fn a_session_remembers() {
    let place = Place::new(Script::always(Reply::text("Noted."))).await;
    place
        .nfa(&["run", "agent.yaml", "I am Ada.", "--session", "ada"])
        .await
        .expect(0);
    place
        .nfa(&["run", "agent.yaml", "Who am I?", "--session", "ada"])
        .await
        .expect(0);
    place
        .nfa(&["run", "agent.yaml", "Who am I?", "--session", "bob"])
        .await
        .expect(0);
    let heard = |request: usize| {
        asked(&place, request)[0]["messages"]
            .to_string()
            .contains("I am Ada.")
    };
    assert!(heard(1));
    assert!(!heard(2));
    let of_ada = place.nfa(&["runs", "--session", "ada"]).await.expect(0);
    assert_eq!(of_ada.stdout.lines().count(), 2);
    assert_eq!(
        place.nfa(&["runs"]).await.expect(0).stdout.lines().count(),
        3
    );
    assert_eq!(
        place
            .nfa(&["runs", "--limit", "1"])
            .await
            .expect(0)
            .stdout
            .lines()
            .count(),
        1
    );
}

#[tokio::test]
async fn a_dash_reads_standard_input() {
    let place = Place::new(Script::always(Reply::text("Hello."))).await;
    let mut command = place.command(&["run", "agent.yaml", "-"]);
    command.stdin(std::process::Stdio::piped());
    let mut running = Running::new(command);
    let mut stdin = running.child.stdin.take().unwrap();
    stdin.write_all("Grüß dich.\n".as_bytes()).await.unwrap();
    drop(stdin);
    assert_eq!(running.done().await.expect(0).stdout, "Hello.\n");
    assert_eq!(asked(&place, 0)[0]["messages"][0]["content"], "Grüß dich.");
}

#[tokio::test]
async fn a_failed_run_says_why() {
    let place = Place::new(Script::always(Reply::error(400, "bad", "no such thing"))).await;
    let done = place.nfa(&["run", "agent.yaml", "Hello"]).await.expect(1);
    assert_eq!(done.stdout, "");
    assert!(
        done.stderr.contains("the run failed [model_"),
        "{}",
        done.stderr
    );
    assert!(
        done.stderr.contains("try again: nfa resume "),
        "{}",
        done.stderr
    );
    let json = place
        .nfa(&["run", "agent.yaml", "Hello", "--json"])
        .await
        .expect(1);
    let outcome = json.outcome();
    assert_eq!(outcome.status, OutcomeStatus::Failed);
    assert!(done.stderr.contains(&outcome.error.unwrap().code));
    let failed = place.nfa(&["runs", "--status", "failed"]).await.expect(0);
    assert_eq!(failed.stdout.lines().count(), 2);
    let others = place
        .nfa(&["runs", "--status", "completed,waiting"])
        .await
        .expect(0);
    assert_eq!(others.stdout, "");
}

#[tokio::test]
async fn a_limit_is_told_and_can_be_raised() {
    let place = Place::new(Script::endless_tool_loop("add", "{}")).await;
    place.agent(&format!("{ADD}limits: {{ turns: 2 }}\n"));
    let done = place.nfa(&["run", "agent.yaml", "Go"]).await.expect(1);
    assert!(
        done.stderr
            .contains("the run stopped at its limit of turns"),
        "{}",
        done.stderr
    );
    assert_eq!(place.server.count(), 2);
    let run = place.only_run().await;
    place.nfa(&["resume", &run, "--turns", "4"]).await.expect(1);
    assert_eq!(place.server.count(), 4);
}

#[tokio::test]
async fn a_reader_that_goes_away_is_no_panic() {
    let gate = Gate::new();
    let script = Script::always(Reply::text("A long answer. ".repeat(1_000)).held_by(&gate));
    let place = Place::new(script).await;
    let mut running = place.spawn(&["run", "agent.yaml", "Hello", "--json"]);
    let first = running.stdout.next_line().await.unwrap();
    assert!(first.is_some());
    let Running {
        mut child,
        stdout,
        stderr,
        ..
    } = running;
    drop(stdout);
    gate.open();
    let mut stderr = stderr;
    while let Some(line) = stderr.next_line().await.unwrap() {
        assert!(!line.contains("panic"), "{line}");
    }
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
    // The run went on to its end.
    let run = place.only_run().await;
    assert!(matches!(
        place.journal(&run).await.last(),
        Some(Fact::RunFinished { .. })
    ));
}

#[tokio::test]
async fn a_memory_store_leaves_no_file() {
    let place = Place::new(Script::always(Reply::text("Hello."))).await;
    place
        .nfa(&["run", "agent.yaml", "Hi", "--store", "memory:"])
        .await
        .expect(0);
    assert!(!place.path("nfa.db").exists());
    let mut command = place.command(&["run", "agent.yaml", "Hi"]);
    command.env(
        "NFA_STORE",
        format!("sqlite:{}", place.path("other.db").display()),
    );
    finish(command).await.expect(0);
    assert!(place.path("other.db").exists());
    assert!(!place.path("nfa.db").exists());
}
