//! What is read, what is refused, and with which words.

use insta::assert_snapshot;
use nfa_core::spec::{Approval, Effect, ToolRef};

use super::*;

const GOOD: &str = "\
name: helper
model:
  name: openai-compatible/small
  base_url: http://127.0.0.1:1/v1
  settings: { temperature: 0, stop: [END] }
instructions: |
  Answer briefly.
  No more than that.
tools:
  - name: clock
    description: Tells the time.
    argv: [date, -u]
    effect: pure
  - name: pay
    argv: [pay]
    parameters:
      type: object
      properties: { cents: { type: integer } }
    effect: keyed
    approval: always
    timeout_ms: 5000
  - agent: reviewer
    own_run: true
handoffs: [reviewer]
limits: { turns: 5 }
memory:
  history: { runs: 3 }
agents:
  - name: reviewer
    model: ollama/llama3.2
";

fn refused(source: &str) -> String {
    refused_as("agent.yaml", source).message().to_owned()
}

fn refused_as(file: &str, source: &str) -> Error {
    match from_str(file, source) {
        Ok(spec) => panic!("accepted as {spec:?}"),
        Err(error) => error,
    }
}

/// The good file with one piece replaced, so that a refusal is of that piece.
fn with(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    GOOD.replacen(from, to, 1)
}

#[test]
fn a_whole_agent_is_read() {
    let spec = from_str("agent.yaml", GOOD).unwrap();
    assert_eq!(spec.model.settings.temperature, Some(0.0));
    assert_eq!(spec.instructions, "Answer briefly.\nNo more than that.\n");
    let [
        ToolRef::Command(clock),
        ToolRef::Command(pay),
        ToolRef::Agent { agent, own_run },
    ] = &spec.tools[..]
    else {
        panic!("{:?}", spec.tools)
    };
    assert_eq!(clock.argv, ["date", "-u"]);
    assert_eq!(
        (pay.effect, pay.approval),
        (Effect::Keyed, Approval::Always)
    );
    assert_eq!((&**agent, *own_run), ("reviewer", true));
    assert_eq!(spec.limits.turns, 5);
    assert_eq!(spec.memory.history.runs, Some(3));
    assert_eq!(&*spec.agents[0].name, "reviewer");
}

#[test]
fn yaml_json_and_serde_read_the_same() {
    let spec = from_str("agent.yaml", GOOD).unwrap();
    let json = serde_json::to_string_pretty(&spec).unwrap();
    assert_eq!(from_str("agent.json", &json).unwrap(), spec);
    assert_eq!(from_str("agent.yaml", &json).unwrap(), spec);
    assert_eq!(serde_saphyr::from_str::<AgentSpec>(GOOD).unwrap(), spec);
}

#[test]
fn json_that_yaml_reads_otherwise_keeps_its_meaning() {
    let source =
        "{\t\"name\": \"a\", \"model\": \"x/y\",\n\t\"instructions\": \"\\ud83d\\ude00\\/\"}";
    assert_eq!(from_str("a.json", source).unwrap().instructions, "😀/");
    let twice = "{\"name\": \"a\",\n \"model\": \"x/y\", \"name\": \"b\"}";
    assert_eq!(refused_as("a.json", twice).code(), "agent_file_syntax");
}

#[test]
fn aliases_and_merges_are_read() {
    let source = "\
name: a
model: &m { name: x/y, settings: { seed: 7 } }
agents:
  - name: b
    model: *m
";
    let spec = from_str("a.yaml", source).unwrap();
    assert_eq!(spec.agents[0].model, spec.model);
}

#[test]
fn unknown_field_names_the_nearest() {
    assert_snapshot!(refused(&with("instructions:", "instuctions:")));
}

#[test]
fn unknown_field_deep_inside_has_its_path() {
    assert_snapshot!(refused(&with("timeout_ms: 5000", "timeout: 5000")));
}

#[test]
fn unknown_variant_names_the_nearest() {
    assert_snapshot!(refused(&with("effect: pure", "effect: pur")));
}

#[test]
fn wrong_type_says_what_was_expected() {
    assert_snapshot!(refused(&with("turns: 5", "turns: five")));
}

#[test]
fn negative_number_is_refused() {
    assert_snapshot!(refused(&with("turns: 5", "turns: -5")));
}

#[test]
fn number_for_text_hints_at_quotes() {
    assert_snapshot!(refused(&with("name: helper", "name: 42")));
}

#[test]
fn nothing_where_a_list_is_expected() {
    assert_snapshot!(refused(&with("handoffs: [reviewer]", "handoffs:")));
}

#[test]
fn missing_field_is_named() {
    assert_snapshot!(refused("instructions: Be brief.\nmodel: x/y\n"));
}

#[test]
fn tool_of_no_kind_is_refused() {
    assert_snapshot!(refused(&with("    argv: [pay]\n", "")));
}

#[test]
fn tool_by_name_needs_code() {
    let source = with("  - agent: reviewer\n    own_run: true", "  - search");
    assert_eq!(refused_as("agent.yaml", &source).code(), "tool_needs_code");
    assert_snapshot!(refused(&source));
}

#[test]
fn agent_as_a_bare_tool_is_told_how() {
    assert_snapshot!(refused(&with(
        "  - agent: reviewer\n    own_run: true",
        "  - reviewer"
    )));
}

#[test]
fn unknown_agent_names_the_nearest() {
    let source = with("handoffs: [reviewer]", "handoffs: [reviewr]");
    assert_eq!(refused_as("agent.yaml", &source).code(), "unknown_agent");
    assert_snapshot!(refused(&source));
}

#[test]
fn yaml_syntax_has_its_place() {
    assert_snapshot!(refused("name: helper\nmodel: [x\nlimits: 3\n"));
}

#[test]
fn json_syntax_has_its_place() {
    assert_snapshot!(refused_as("agent.json", "{\"name\": \"a\",\n \"model\": x}").message());
}

#[test]
fn field_twice_is_refused() {
    assert_snapshot!(refused("name: a\nmodel: x/y\nname: b\n"));
}

#[test]
fn two_documents_are_refused() {
    assert_snapshot!(refused("name: a\nmodel: x/y\n---\nname: b\nmodel: x/y\n"));
}

#[test]
fn empty_file_is_refused() {
    assert_snapshot!(refused(""));
}

#[test]
fn details_hold_the_same_for_programs() {
    let error = refused_as("agent.yaml", &with("effect: pure", "effect: pur"));
    let details = error.details();
    assert_eq!(error.code(), "agent_file_invalid");
    assert_eq!(details["file"], "agent.yaml");
    assert_eq!(details["line"], 13);
    assert_eq!(details["column"], 13);
    assert_eq!(details["path"], "tools[0].effect");
    assert_eq!(details["nearest"], "pure");
    assert_eq!(details["expected"][0], "pure");
}

#[test]
fn bombs_are_refused() {
    let deep = format!(
        "name: a\nmodel: x/y\noutput: {}{}",
        "[".repeat(5_000),
        "]".repeat(5_000)
    );
    assert_eq!(refused_as("a.yaml", &deep).code(), "agent_file_syntax");
    let mut laughs =
        "name: a\nmodel: x/y\noutput:\n  a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let below = vec![format!("*a{}", level - 1); 9].join(", ");
        laughs.push_str(&format!("  a{level}: &a{level} [{below}]\n"));
    }
    assert_eq!(refused_as("a.yaml", &laughs).code(), "agent_file_syntax");
    let long = format!(
        "name: a\nmodel: x/y\ninstructions: {}",
        "x".repeat(MAX_BYTES)
    );
    assert_eq!(refused_as("a.yaml", &long).code(), "agent_file_syntax");
    // The control: a few aliases and a little depth are fine.
    let fine = format!(
        "name: a\nmodel: x/y\noutput: {{ a: &a [x], b: *a, c: {}{} }}",
        "[".repeat(20),
        "]".repeat(20)
    );
    assert!(from_str("a.yaml", &fine).is_ok());
}

#[test]
fn files_are_read_within_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.yaml");
    assert_eq!(read(&path).unwrap_err().code(), "agent_file_unreadable");
    std::fs::write(&path, [b'a', 0xff]).unwrap();
    assert_eq!(read(&path).unwrap_err().code(), "agent_file_unreadable");
    std::fs::write(&path, vec![b'#'; MAX_BYTES + 1]).unwrap();
    assert_eq!(read(&path).unwrap_err().code(), "agent_file_unreadable");
    std::fs::write(&path, GOOD).unwrap();
    assert!(read(&path).is_ok());
}

mod never_panics {
    use proptest::prelude::*;

    use super::GOOD;
    use crate::fuzzing;

    /// Pieces that documents are made of, so that random ones get past the first character.
    const PIECES: [&str; 40] = [
        "name",
        "model",
        "tools",
        "agents",
        "limits",
        "output",
        "memory",
        "handoffs",
        "argv",
        "agent",
        "effect",
        ": ",
        ":\n",
        "\n",
        "\n  ",
        "\n    ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "&a ",
        "*a",
        "<<",
        "!!str ",
        "\"",
        "'",
        "|\n",
        "# ",
        "---\n",
        "x/y",
        "1e999",
        "-1",
        ".nan",
        "18446744073709551616",
        "null",
        "true",
        "\t",
        "é",
    ];

    proptest! {
        #[test]
        fn whatever_the_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            fuzzing::agent_file(&bytes);
        }

        #[test]
        fn whatever_the_text(text in ".{0,200}") {
            fuzzing::agent_file(text.as_bytes());
        }

        #[test]
        fn whatever_the_pieces(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..60)) {
            fuzzing::agent_file(pieces.concat().as_bytes());
        }

        #[test]
        fn whatever_was_cut_or_changed(
            at in 0..GOOD.len(),
            length in 0_usize..20,
            piece in prop::sample::select(&PIECES[..]),
        ) {
            let end = (at + length).min(GOOD.len());
            let text = format!("{}{piece}{}", &GOOD[..at], &GOOD[end..]);
            fuzzing::agent_file(text.as_bytes());
        }
    }
}
