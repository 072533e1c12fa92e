//! Where other agent libraries are installed, for the pages that show them beside ours. None is installed for
//! that: the bench of languages does so, or `NFA_PEERS_PYTHON` and `NFA_PEERS_NODE` name a Python and a folder.

use std::path::PathBuf;
use std::process::Command;

use crate::process;
use crate::session::Session;

/// A Python that can import `module`.
pub(super) fn python(session: &Session, module: &str) -> Option<PathBuf> {
    let named = std::env::var_os("NFA_PEERS_PYTHON").map(PathBuf::from);
    let installed = session.cache().made("languages", "python-");
    let installed = installed
        .into_iter()
        .map(|folder| folder.join("bin/python"));
    named.into_iter().chain(installed).find(|python| {
        let import = format!("import {}", module.replace('-', "_"));
        process::capture(Command::new(python).args(["-c", &import])).is_ok()
    })
}

/// A folder `node_modules` with `package` in it.
pub(super) fn node_modules(session: &Session, package: &str) -> Option<PathBuf> {
    let named = std::env::var_os("NFA_PEERS_NODE").map(PathBuf::from);
    named
        .into_iter()
        .chain(session.cache().made("languages", "node-"))
        .map(|folder| folder.join("node_modules"))
        .find(|modules| modules.join(package).is_dir())
}
