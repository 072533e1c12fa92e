//! Reading an agent from a file: YAML or JSON, within bounds, refused with line, path and what was meant.
//!
//! ```
//! use nfa_cli::agent_file;
//!
//! let spec = agent_file::from_str("helper.yaml", "name: helper\nmodel: ollama/llama3.2\n")?;
//! assert_eq!(&*spec.name, "helper");
//!
//! let error = agent_file::from_str("helper.yaml", "name: helper\nmodle: ollama/llama3.2\n").unwrap_err();
//! assert_eq!(error.code(), "agent_file_invalid");
//! assert!(error.message().starts_with("helper.yaml:2:1: modle: there is no field `modle`"));
//! assert!(error.message().contains("did you mean `model`?"));
//! # Ok::<(), nfa_core::Error>(())
//! ```

mod decode;
mod fault;
mod names;
mod node;
mod parse;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use nfa_core::spec::AgentSpec;
use nfa_core::{Category, Component, Error};

use decode::decode;
use parse::{Format, MAX_BYTES};

/// Reads the agent in the file at `path`; JSON when it is called `.json`, else YAML.
///
/// # Errors
/// `agent_file_unreadable`, and as [`from_str`].
pub fn read(path: &Path) -> Result<AgentSpec, Error> {
    let name = path.display().to_string();
    let unreadable = |what: String| {
        Error::new(
            Component::Spec,
            Category::Input,
            "agent_file_unreadable",
            format!("{name}: {what}"),
        )
    };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| unreadable(format!("expected an agent file: {error}")))?;
    if bytes.len() > MAX_BYTES {
        return Err(unreadable(format!(
            "expected at most {MAX_BYTES} bytes, found more"
        )));
    }
    let text = String::from_utf8(bytes)
        .map_err(|error| unreadable(format!("expected UTF-8: {}", error.utf8_error())))?;
    from_str(&name, &text)
}

/// Reads the agent in `source`; `file` is what messages call it, and JSON when it ends so.
///
/// # Errors
/// `agent_file_syntax`, `agent_file_invalid`, `unknown_agent`, `tool_needs_code`: the message begins with
/// file, line, column and path, and the details hold them one by one.
pub fn from_str(file: &str, source: &str) -> Result<AgentSpec, Error> {
    let json = Path::new(file)
        .extension()
        .is_some_and(|end| end.eq_ignore_ascii_case("json"));
    let format = if json { Format::Json } else { Format::Yaml };
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    let node = parse::parse(source, format).map_err(|fault| fault.into_error(file, source))?;
    let spec = decode(&node).map_err(|fault| fault.into_error(file, source))?;
    names::check(&spec).map_err(|fault| {
        let at = node.nearest_to(&fault.full_path()).at;
        fault.at(at).into_error(file, source)
    })?;
    Ok(spec)
}

#[cfg(test)]
mod tests;
