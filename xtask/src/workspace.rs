//! Where the project is, and which examples it has.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::Value;

use crate::failure::{Failure, Result};
use crate::process;

/// One program under an `examples/` folder of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Example {
    pub(crate) package: String,
    pub(crate) name: String,
    pub(crate) source: PathBuf,
}

/// The folder that holds the workspace's `Cargo.toml`.
///
/// Cargo says at run time where xtask is: a target folder shared by two clones may hold an xtask that was
/// built in the other one.
pub(crate) fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let here = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        here.parent().map_or(here.clone(), Path::to_path_buf)
    })
}

/// Every example of every crate, as cargo sees them.
pub(crate) fn examples() -> Result<Vec<Example>> {
    let text = process::capture(process::cargo().args([
        "metadata",
        "--no-deps",
        "--format-version",
        "1",
    ]))?;
    let metadata: Value = serde_json::from_str(&text)
        .map_err(|error| Failure::new(format!("`cargo metadata` printed no JSON: {error}")))?;
    Ok(examples_in(&metadata))
}

fn examples_in(metadata: &Value) -> Vec<Example> {
    let list = |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned();
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let mut examples = Vec::new();
    for package in list(metadata, "packages").unwrap_or_default() {
        for target in list(&package, "targets").unwrap_or_default() {
            let is_example = list(&target, "kind")
                .is_some_and(|kinds| kinds.iter().any(|kind| kind == "example"));
            if let (true, Some(package), Some(name), Some(source)) = (
                is_example,
                text(&package, "name"),
                text(&target, "name"),
                text(&target, "src_path"),
            ) {
                examples.push(Example {
                    package,
                    name,
                    source: source.into(),
                });
            }
        }
    }
    examples.sort_by(|a, b| (&a.package, &a.name).cmp(&(&b.package, &b.name)));
    examples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_holds_the_workspace() {
        let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("readable");
        assert!(manifest.contains("[workspace]"));
    }

    #[test]
    fn only_targets_of_the_kind_example_are_examples() {
        let metadata = serde_json::json!({"packages": [{"name": "p", "targets": [
            {"name": "z", "kind": ["example"], "src_path": "/p/examples/z.rs"},
            {"name": "p", "kind": ["lib"], "src_path": "/p/src/lib.rs"},
            {"name": "a", "kind": ["example"], "src_path": "/p/examples/a.rs"},
        ]}]});
        let names: Vec<_> = examples_in(&metadata)
            .into_iter()
            .map(|example| example.name)
            .collect();
        assert_eq!(names, ["a", "z"]);
    }
}
