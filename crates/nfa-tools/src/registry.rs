//! The tools of a process, by name.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use nfa_core::ports::{IntoTool, Tool};
use nfa_core::spec::{CompiledTool, ToolSpec};
use nfa_core::{Category, Component, Error};

/// Tools by name: what a process can run, and what an agent that names its tools may use.
#[derive(Clone, Default)]
pub struct Registry {
    tools: BTreeMap<Arc<str>, Arc<dyn Tool>>,
}

impl Registry {
    /// Without tools.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tool, under its own name.
    ///
    /// # Errors
    /// `duplicate_name` when there is one of that name; `tool_invalid` and `schema_invalid` for a spec that no
    /// agent could use.
    pub fn insert(&mut self, tool: impl IntoTool) -> Result<(), Error> {
        let tool = tool.into_tool();
        CompiledTool::new(tool.spec())?;
        let name = Arc::clone(&tool.spec().name);
        if self.tools.contains_key(&name) {
            return Err(refused(
                "duplicate_name",
                format!(
                    "a tool named `{name}` is registered already: give one of them another name"
                ),
            ));
        }
        self.tools.insert(name, tool);
        Ok(())
    }

    /// A tool by name.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Tool>> {
        self.tools.get(name)
    }

    /// A tool that should be there.
    ///
    /// # Errors
    /// `unknown_tool`, with the nearest name.
    pub fn require(&self, name: &str) -> Result<&Arc<dyn Tool>, Error> {
        self.get(name).ok_or_else(|| {
            let shown: String = name.chars().take(80).collect();
            let hint = match (self.nearest(name), self.tools.is_empty()) {
                (Some(near), _) => format!("did you mean `{near}`?"),
                (None, true) => "no tool is registered".to_owned(),
                (None, false) => {
                    let names: Vec<&str> = self.tools.keys().map(|name| &**name).collect();
                    format!("registered: {}", names.join(", "))
                }
            };
            refused(
                "unknown_tool",
                format!("no tool is named `{shown}`; {hint}"),
            )
        })
    }

    /// The registered name that is most like `name`, when one is like it at all.
    pub fn nearest(&self, name: &str) -> Option<&str> {
        // Longer than any name, and the comparison takes the product of both lengths.
        if name.len() > 128 {
            return None;
        }
        let wanted = name.to_ascii_lowercase();
        let (distance, near) = self
            .tools
            .keys()
            .map(|known| {
                let distance = strsim::damerau_levenshtein(&wanted, &known.to_ascii_lowercase());
                (distance, &**known)
            })
            .min()?;
        (distance <= (name.chars().count() / 3).max(1)).then_some(near)
    }

    /// Every tool's spec, sorted by name.
    pub fn specs(&self) -> Vec<ToolSpec> {
        self.iter().map(|tool| tool.spec().clone()).collect()
    }

    /// Every tool, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Tool>> {
        self.tools.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.tools.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tools.is_empty()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.tools.keys()).finish()
    }
}

fn refused(code: &'static str, message: String) -> Error {
    Error::new(Component::Tool, Category::Input, code, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ToolError, schemars, tool_fn};

    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Nothing {}

    fn named(name: &str) -> impl IntoTool + use<> {
        tool_fn(name, "", |_, _: Nothing| async { Ok::<_, ToolError>(()) })
    }

    fn registry(names: &[&str]) -> Registry {
        let mut registry = Registry::new();
        for name in names {
            registry.insert(named(name)).unwrap();
        }
        registry
    }

    #[test]
    fn a_name_is_taken_once() {
        let mut registry = registry(&["add"]);
        assert_eq!(
            registry.insert(named("add")).unwrap_err().code(),
            "duplicate_name"
        );
        registry.insert(named("Add")).unwrap();
        assert_eq!(registry.len(), 2);
    }

    #[test]
    fn a_spec_that_no_agent_could_use_is_refused() {
        let mut registry = Registry::new();
        for name in ["", "a b", "é", &"a".repeat(65)] {
            assert_eq!(
                registry.insert(named(name)).unwrap_err().code(),
                "tool_invalid",
                "{name}"
            );
        }
        let number = tool_fn("number", "", |_, _: i64| async { Ok::<_, ToolError>(()) });
        assert_eq!(registry.insert(number).unwrap_err().code(), "tool_invalid");
        assert!(registry.is_empty());
        registry.insert(named(&"a".repeat(64))).unwrap();
    }

    #[test]
    fn an_unknown_name_gets_the_nearest() {
        let registry = registry(&["search_web", "read_file"]);
        assert!(registry.require("read_file").is_ok());
        let message = |name: &str| registry.require(name).err().unwrap().message().to_owned();
        assert!(message("serach_web").contains("did you mean `search_web`?"));
        assert!(message("ReadFile").contains("did you mean `read_file`?"));
        assert!(message("zzz").contains("registered: read_file, search_web"));
        assert!(message(&"x".repeat(100_000)).len() < 300);
        let error = Registry::new().require("a").err().unwrap();
        assert_eq!(error.code(), "unknown_tool");
        assert!(error.message().contains("no tool is registered"));
    }
}
