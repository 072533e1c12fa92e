//! Writes what the bindings take over from the Rust sources, so that nobody writes it twice: the types that
//! cross the boundary, from the JSON Schemas of the Rust types, and the classes of errors, from
//! `docs/errors.md`. `cargo xtask generate` runs it; a test tells when its output is out of date.

pub mod errors;
pub mod model;
mod python;
pub mod roots;
pub mod schema;
mod typescript;

use std::path::Path;

use schema::Unreadable;

const TYPESCRIPT: &str = "bindings/node/ts/generated";
const PYTHON: &str = "bindings/python/python/nfa_runtime/_generated";

/// A generated file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its path below the project's root.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// Every generated file, for the project at `root`.
///
/// # Errors
/// What cannot be written as types or classes, and why.
pub fn files(root: &Path) -> Result<Vec<File>, Unreadable> {
    let types = model::merged(
        schema::definitions(&roots::written())?,
        schema::definitions(&roots::read())?,
    );
    let page = root.join("docs/errors.md");
    let page = std::fs::read_to_string(&page)
        .map_err(|error| Unreadable(format!("{}: {error}", page.display())))?;
    let table = errors::Table::read(&page)?;
    let file = |folder: &str, name: &str, text: String| File {
        path: format!("{folder}/{name}"),
        text,
    };
    Ok(vec![
        file(TYPESCRIPT, "types.ts", typescript::types(&types, &table)),
        file(TYPESCRIPT, "errors.ts", typescript::errors(&table)),
        file(PYTHON, "__init__.py", python::package()),
        file(PYTHON, "types.py", python::types(&types, &table)),
        file(PYTHON, "errors.py", python::errors(&table)),
    ])
}
