//! The packages as a new user gets them: the wheel and the tarball, installed outside the repository, and the
//! programs of their pages run against a model on this machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::theirs;
use crate::failure::{Failure, Result};
use crate::fake_server::FakeServer;
use crate::pages::{self, Language, Model, Program, SERVER_ON_PAGES};
use crate::provision::node::{Node, VERSIONS};
use crate::provision::python::Environment;
use crate::session::Session;
use crate::summary::{Outcome, Tally};
use crate::{bindings, process, workspace};

/// Small models on busy machines are slow; something that hangs is not.
const LIMIT: Duration = Duration::from_secs(180);
const RUN_BLOCK: &str = include_str!("../../run_block.py");
/// What pages may import besides the package.
const EXTRAS: &str = "pydantic,trio,opentelemetry";
/// The version of Node that runs TypeScript as it is.
const NODE_FOR_TYPESCRIPT: u32 = 24;
const IN_EITHER_MODULE: [&str; 2] = [
    "import('nfa-runtime').then(({ Runtime }) => Runtime.open('memory:')).then((rt) => rt.close())",
    "require('nfa-runtime').Runtime.open('memory:').then((rt) => rt.close())",
];

pub(super) fn run(session: &Session) -> Outcome {
    let mut report = Report::default();
    let outside = match Outside::make() {
        Ok(outside) => outside,
        Err(failure) => return failure.into(),
    };
    let python = python(session, &outside.0, &mut report);
    let node = node(session, &outside.0, &mut report);
    for failure in [python, node].into_iter().filter_map(Result::err) {
        match failure.is_refusal() {
            true => report.notes.push(failure.to_string()),
            false => report.failures.push(failure.to_string()),
        }
    }
    let programs = report.programs;
    match (report.failures.is_empty(), programs.run()) {
        (false, _) => Outcome::failed(report.failures.join("\n")).tests(programs),
        (true, 0) if report.notes.is_empty() => Outcome::failed("no page has a program"),
        (true, 0) => Outcome::skipped(report.notes.join("\n")),
        (true, _) => Outcome::ok(report.notes.join("\n")).tests(programs),
    }
}

#[derive(Default)]
struct Report {
    programs: Tally,
    notes: Vec<String>,
    failures: Vec<String>,
}

impl Report {
    /// Notes that a program was not run, since what it needs is not here.
    fn miss(&mut self, program: &Program, needed: &str) {
        self.programs.skipped += 1;
        let place = &program.place;
        self.notes
            .push(format!("{place} is not run: `{needed}` is not installed"));
    }

    fn take(&mut self, program: &Program, ran: Result<()>) {
        match ran {
            Ok(()) => self.programs.passed += 1,
            Err(failure) => {
                self.programs.failed += 1;
                self.failures.push(format!("{}: {failure}", program.place));
            }
        }
    }
}

/// A folder outside the repository, gone with this value.
struct Outside(PathBuf);

impl Outside {
    fn make() -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("nfa-packages-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| Failure::io(folder.display(), &error))?;
        Ok(Self(folder))
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        // What is left is in the folder for things that may be left.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn python(session: &Session, outside: &Path, report: &mut Report) -> Result<()> {
    let tools = session.bindings()?;
    let wheels = outside.join("wheels");
    let mut maturin = Command::new(tools.program("maturin")?);
    maturin
        .current_dir(workspace::root())
        .args(["build", "--manifest-path", "bindings/python/Cargo.toml"])
        .args(["--compatibility", "linux", "--interpreter"])
        .arg(tools.python())
        .arg("--out")
        .arg(&wheels);
    process::run_on_stderr(&mut maturin)?;
    let wheel = only_file(&wheels, ".whl")?;
    let wheel = format!("{}[{EXTRAS}]", wheel.display());
    let environment = Environment::of_wheel(outside.join("python"), &wheel)?;

    let runner = outside.join("run_block.py");
    write(&runner, RUN_BLOCK)?;
    let pages = pages_of("bindings/python");
    for program in programs(&pages, &[Language::Python], report)? {
        let python = match &program.needs {
            None => environment.python(),
            Some(module) => match theirs::python(session, module) {
                Some(python) => python,
                None => {
                    report.miss(&program, module);
                    continue;
                }
            },
        };
        let run = Place::of(outside, &program).and_then(|place| {
            let mut command = Command::new(python);
            command.arg(&runner).arg(&place.file);
            place.run(session, &program, &mut command)
        });
        report.take(&program, run);
    }
    Ok(())
}

fn node(session: &Session, outside: &Path, report: &mut Report) -> Result<()> {
    let (node, package) = bindings::node(session)?;
    let [main, binary] = pack(node, &package)?;
    let project = outside.join("project");
    let manifest = project.join("package.json");
    fs::create_dir_all(&project).map_err(|error| Failure::io(project.display(), &error))?;
    write(&manifest, "{ \"private\": true, \"type\": \"module\" }\n")?;
    let mut install = node.npm();
    install
        .current_dir(&project)
        .arg("install")
        .arg(main)
        .arg(binary);
    for name in [
        "typescript",
        "zod",
        "valibot",
        "@valibot/to-json-schema",
        "@types/node",
    ] {
        install.arg(format!("{name}@{}", version_of(&package, name)?));
    }
    process::run_on_stderr(&mut install)?;

    for major in VERSIONS {
        let node = Node::get(session.cache(), major)?;
        for (script, kind) in IN_EITHER_MODULE.into_iter().zip(["module", "commonjs"]) {
            let mut command = Command::new(&node.program);
            command.current_dir(&project);
            process::capture(
                command
                    .arg(format!("--input-type={kind}"))
                    .args(["-e", script]),
            )?;
        }
    }

    let pages = pages_of("bindings/node");
    let languages = [Language::TypeScript, Language::JavaScript];
    let runtime = Node::get(session.cache(), NODE_FOR_TYPESCRIPT)?;
    for program in programs(&pages, &languages, report)? {
        if let Some(package) = &program.needs {
            match theirs::node_modules(session, package) {
                None => report.miss(&program, package),
                Some(modules) => {
                    let run = Place::of(&outside.join("theirs"), &program).and_then(|place| {
                        link(&modules, &place.folder.join("node_modules"))?;
                        let mut command = Command::new(&runtime.program);
                        command.arg(&place.file);
                        place.run(session, &program, &mut command)
                    });
                    report.take(&program, run);
                }
            }
            continue;
        }
        let run = Place::of(&project, &program).and_then(|place| {
            if program.language == Language::TypeScript {
                check_types(&runtime, &project, &place.file)?;
            }
            let mut command = Command::new(&runtime.program);
            command.arg(&place.file);
            place.run(session, &program, &mut command)
        });
        report.take(&program, run);
    }
    Ok(())
}

/// The tarballs of the package and of the one with this platform's binary, as resolvers of packages want them.
fn pack(node: &Node, package: &Path) -> Result<[PathBuf; 2]> {
    let of_node = |script: &str| {
        let mut command = Command::new(&node.program);
        command.current_dir(package).arg(script);
        node.first_on_path(&mut command);
        command
    };
    let said = process::stdout(&mut of_node("scripts/pack.mjs"))?;
    let names: Vec<_> = said.split_whitespace().collect();
    let [main, binary] = names.as_slice() else {
        return Err(Failure::new(format!(
            "expected two tarballs, packed {names:?}"
        )));
    };
    let [main, binary] = [main, binary].map(|name| package.join("build/pack").join(name));
    process::capture(
        of_node("node_modules/publint/src/cli.js")
            .arg("--strict")
            .arg(&main),
    )?;
    process::capture(of_node("node_modules/@arethetypeswrong/cli/dist/index.js").arg(&main))?;
    Ok([main, binary])
}

/// The version that the package's own tests use.
fn version_of(package: &Path, name: &str) -> Result<String> {
    let path = package.join("package-lock.json");
    let text = fs::read_to_string(&path).map_err(|error| Failure::io(path.display(), &error))?;
    let lock: Option<serde_json::Value> = serde_json::from_str(&text).ok();
    let entry = format!("node_modules/{name}");
    lock.as_ref()
        .and_then(|lock| lock.get("packages")?.get(&entry)?.get("version")?.as_str())
        .map(str::to_owned)
        .ok_or_else(|| Failure::new(format!("{} has no `{name}`", path.display())))
}

fn check_types(node: &Node, project: &Path, file: &Path) -> Result<()> {
    let mut compiler = Command::new(&node.program);
    compiler
        .current_dir(project)
        .arg("node_modules/typescript/bin/tsc")
        .args([
            "--noEmit", "--strict", "--target", "esnext", "--module", "nodenext",
        ])
        .args(["--types", "node", "--ignoreConfig"])
        .arg(file);
    process::tee(&mut compiler, Some(LIMIT), |_| ())
}

/// The README of a package, its guide, and the pages for those who come from elsewhere.
fn pages_of(package: &str) -> Vec<PathBuf> {
    let mut pages = vec![Path::new(package).join("README.md")];
    pages.extend(pages::in_folder(&format!("{package}/docs")));
    pages.extend(pages::in_folder("docs/coming-from"));
    pages
}

#[cfg(unix)]
fn link(to: &Path, from: &Path) -> Result<()> {
    std::os::unix::fs::symlink(to, from).map_err(|error| Failure::io(from.display(), &error))
}

#[cfg(not(unix))]
fn link(to: &Path, from: &Path) -> Result<()> {
    std::os::windows::fs::symlink_dir(to, from).map_err(|error| Failure::io(from.display(), &error))
}

fn programs(
    pages: &[PathBuf],
    languages: &[Language],
    report: &mut Report,
) -> Result<Vec<Program>> {
    let mut wanted = Vec::new();
    for page in pages {
        for program in pages::programs(page)? {
            if !languages.contains(&program.language) {
                continue;
            }
            match &program.skip {
                Some(reason) => {
                    report.programs.skipped += 1;
                    report
                        .notes
                        .push(format!("{} is not run: {reason}", program.place));
                }
                None => wanted.push(program),
            }
        }
    }
    Ok(wanted)
}

/// Where one program runs: a folder of its own, so that stores are new.
struct Place {
    folder: PathBuf,
    file: PathBuf,
}

impl Place {
    fn of(parent: &Path, program: &Program) -> Result<Self> {
        let name: String = program
            .place
            .chars()
            .map(|letter| {
                if letter.is_alphanumeric() {
                    letter
                } else {
                    '_'
                }
            })
            .collect();
        let folder = parent.join(name);
        fs::create_dir_all(&folder).map_err(|error| Failure::io(folder.display(), &error))?;
        let file = folder.join(format!("program.{}", program.language.suffix()));
        write(&file, &program.text)?;
        Ok(Self { folder, file })
    }

    /// Runs `command`, for which `openai/…` is a model on this machine.
    fn run(&self, session: &Session, program: &Program, command: &mut Command) -> Result<()> {
        crate::say(format_args!("running {}", program.place));
        let script = self.folder.join("turns.json");
        let answers = match &program.model {
            Model::Real => None,
            Model::Mode(mode) => Some(vec![mode.clone()]),
            Model::Script(turns) => {
                write(&script, turns)?;
                Some(vec!["--script".to_owned(), script.display().to_string()])
            }
        };
        let fake = match answers {
            Some(answers) => {
                let answers: Vec<_> = answers.iter().map(String::as_str).collect();
                Some(FakeServer::start(
                    &session.built()?.program("fake-llm"),
                    &answers,
                )?)
            }
            None => None,
        };
        let base_url = match &fake {
            Some(fake) => fake.base_url().to_owned(),
            None => session.model_server()?.base_url(),
        };
        write(
            &self.file,
            &program.text.replace(SERVER_ON_PAGES, &base_url),
        )?;
        command
            .current_dir(&self.folder)
            .env_remove("PYTHONPATH")
            .env("OPENAI_BASE_URL", base_url)
            .env("OPENAI_API_KEY", "none")
            // Theirs would be sent elsewhere.
            .env("OPENAI_AGENTS_DISABLE_TRACING", "1");
        process::tee(command, Some(LIMIT), |_| ())
    }
}

fn only_file(folder: &Path, suffix: &str) -> Result<PathBuf> {
    let entries = fs::read_dir(folder).map_err(|error| Failure::io(folder.display(), &error))?;
    let mut found: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().ends_with(suffix))
        .collect();
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => Err(Failure::new(format!(
            "no `*{suffix}` in {}",
            folder.display()
        ))),
        (Some(_), false) => Err(Failure::new(format!(
            "several `*{suffix}` in {}",
            folder.display()
        ))),
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|error| Failure::io(path.display(), &error))
}
