//! From bytes to a tree, within bounds.

use serde::de::IgnoredAny;
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{Error, RenderOptions, SnippetMode, UserMessageFormatter};

use super::fault::Fault;
use super::node::{Node, Place};

/// The most bytes that an agent file may have.
pub(super) const MAX_BYTES: usize = 1024 * 1024;
/// Lists and fields inside each other.
const MAX_DEPTH: usize = 64;
const MAX_NODES: usize = 50_000;
/// Values repeated by `*alias`, all together.
const MAX_REPEATED: usize = 10_000;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Yaml,
}

pub(super) fn parse(source: &str, format: Format) -> Result<Node, Fault> {
    if source.len() > MAX_BYTES {
        return Err(syntax(format!(
            "expected at most {MAX_BYTES} bytes, found {}",
            source.len()
        )));
    }
    match format {
        Format::Json => json(source),
        Format::Yaml => yaml(source).map_err(|error| yaml_fault(&error)),
    }
}

fn yaml(source: &str) -> Result<Node, Error> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: MAX_NODES * 4,
            max_documents: 1,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_total_scalar_bytes: MAX_BYTES,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_REPEATED,
            max_replay_stack_depth: 16,
        },
        // YAML 1.2: `no` is text.
        strict_booleans: true,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(source, options)
}

/// JSON is read as YAML, which knows where things are, once it is known to be JSON.
fn json(source: &str) -> Result<Node, Fault> {
    serde_json::from_str::<IgnoredAny>(source).map_err(|error| json_fault(&error))?;
    let value: serde_json::Value =
        serde_json::from_str(source).map_err(|error| json_fault(&error))?;
    match yaml(source) {
        Ok(node) if node.to_json() == value => Ok(node),
        Err(error) if matches!(error.without_snippet(), Error::DuplicateMappingKey { .. }) => {
            Err(yaml_fault(&error))
        }
        // Not every JSON text means the same in YAML; then the places are lost, not the meaning.
        _ => Ok(value.into()),
    }
}

fn syntax(message: String) -> Fault {
    Fault::new("agent_file_syntax", message)
}

fn json_fault(error: &serde_json::Error) -> Fault {
    let text = error.to_string();
    let place = Place {
        line: error.line() as u64,
        column: error.column().max(1) as u64,
    };
    let message = text.split(" at line ").next().unwrap_or(&text);
    syntax(format!("this is no JSON: {message}")).at(place)
}

fn yaml_fault(error: &Error) -> Fault {
    let fault = match error.without_snippet() {
        Error::Budget { breach: BudgetBreach::Documents { .. }, .. } => {
            syntax("expected one document, found another after `---`: one file is one agent, which may define others under `agents`".to_owned())
        }
        Error::Budget { .. } => syntax(format!(
            "expected a document of at most {MAX_NODES} values, {MAX_DEPTH} inside each other, and {MAX_REPEATED} repeated by aliases; found more"
        )),
        _ => unreadable(error),
    };
    match error.location() {
        Some(location) => fault.at(location.into()),
        None => fault,
    }
}

fn unreadable(error: &Error) -> Fault {
    let mut options = RenderOptions::new(&UserMessageFormatter);
    options.snippets = SnippetMode::Off;
    let text = error.render_with_options(options);
    // The place is said once, in front.
    let message = text.split(" at line ").next().unwrap_or(&text);
    syntax(format!("this cannot be read as YAML: {message}"))
}
