//! A Chromium to run pages in: the machine's own, or the distribution's package.

use std::path::PathBuf;
use std::process::Command;

use super::Cache;
use crate::failure::{Failure, Result};
use crate::process;

const NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// `NFA_CHROMIUM`, or the first that is on the path, or Debian's, installed when that is possible.
pub(crate) fn get(cache: &Cache) -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("NFA_CHROMIUM").filter(|value| !value.is_empty()) {
        let named = PathBuf::from(named);
        return match works(&named) {
            true => Ok(named),
            false => Err(Failure::new(format!(
                "NFA_CHROMIUM names {}, which does not run",
                named.display()
            ))),
        };
    }
    if let Some(found) = find() {
        return Ok(found);
    }
    let why_not = match (cache.may_install, is_root_of_debian()) {
        (true, true) => None,
        (false, _) => Some("there is no Chromium here, and NFA_NO_INSTALL is set"),
        (true, false) => Some("there is no Chromium here, nor Debian's apt-get as root"),
    };
    if let Some(why_not) = why_not {
        return Err(Failure::refusal(why_not).fix(
            "install one (Debian: apt-get install chromium), or set NFA_CHROMIUM to its program",
        ));
    }
    let _lock = cache.begin_install("Chromium")?;
    // Another process may have installed it while we waited.
    if let Some(found) = find() {
        return Ok(found);
    }
    crate::say("installing the package `chromium`");
    let install = || apt(&["install", "--yes", "--no-install-recommends", "chromium"]);
    // The lists of packages may be missing or old.
    install().or_else(|_| apt(&["update"]).and_then(|()| install()))?;
    find().ok_or_else(|| {
        Failure::new("the package `chromium` is installed, and brought no program that runs")
            .fix("set NFA_CHROMIUM to a Chromium")
    })
}

fn find() -> Option<PathBuf> {
    NAMES.iter().map(PathBuf::from).find(works)
}

fn works(program: &PathBuf) -> bool {
    process::capture(Command::new(program).arg("--version")).is_ok()
}

fn is_root_of_debian() -> bool {
    let is_root = process::capture(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    is_root && process::capture(Command::new("apt-get").arg("--version")).is_ok()
}

fn apt(arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive");
    process::run_on_stderr(&mut command)
}
