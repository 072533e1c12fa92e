//! Commands of the project: `cargo xtask help` lists them.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program talks to the terminal"
)]

mod api_docs;
mod args;
mod bindings;
mod demo;
mod failure;
mod fake_server;
mod generated;
mod model_server;
mod pages;
mod process;
mod provision;
mod session;
mod steps;
mod summary;
mod verifier_page;
mod workspace;

use std::fmt::Display;
use std::process::ExitCode;

use args::Command;
use failure::{Failure, Result};
use model_server::{Log, ModelServer};
use provision::Cache;
use provision::model::Model;
use provision::python::{Environment, VERIFIER};
use session::Session;
use steps::style::{self, Format};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match args::parse(&arguments).and_then(execute) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Tells the person at the terminal what is happening. Standard output is for
/// what they asked for.
fn say(what: impl Display) {
    eprintln!("xtask: {what}");
}

fn execute(command: Command) -> Result<ExitCode> {
    match command {
        Command::Help => print!("{}", args::USAGE),
        Command::Demo => demo::run()?,
        Command::Test(selection) => return steps::run(&steps::TEST, &selection),
        Command::Check(selection) => return steps::run(&steps::CHECK, &selection),
        Command::ApiDocs => api_docs()?,
        Command::Format => format()?,
        Command::Generate => generated::write()?,
        Command::Bench { arguments } => bench(&arguments)?,
        Command::Crash { rounds } => crash(rounds)?,
        Command::ModelServer { port } => serve(port)?,
        Command::Provision => provision()?,
        Command::VerifierPage => page()?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Measures the parts that are named, or all but the peers, which are not ours to build every time, and the
/// languages, which are a bench of their own.
fn bench(arguments: &[String]) -> Result<()> {
    if let Some((LANGUAGES, rest)) = arguments
        .split_first()
        .map(|(first, rest)| (first.as_str(), rest))
    {
        return bench_languages(rest);
    }
    say("building with optimisations; the first time takes some minutes");
    let named = |part: &str| arguments.iter().any(|word| word == part);
    let is_part = |word: &&String| !word.starts_with('-');
    let elsewhere = |word: &&String| [WIRE, PEERS].contains(&word.as_str());
    let all = arguments.iter().filter(is_part).count() == 0;
    if all
        || arguments
            .iter()
            .any(|word| is_part(&word) && !elsewhere(&word))
    {
        let mut cargo = process::cargo();
        cargo
            .args(["run", "--release", "--package", "nfa-benches", "--"])
            .args(arguments.iter().filter(|word| !elsewhere(word)));
        process::run(&mut cargo)?;
    }
    if all || named(WIRE) {
        let mut cargo = process::cargo();
        cargo.args(["bench", "--package", "nfa-models", "--features", "fuzzing"]);
        process::run(cargo.args(["--bench", WIRE]))?;
    }
    if named(PEERS) {
        let mut cargo = process::cargo();
        cargo.args(["run", "--release", "--manifest-path"]);
        process::run(cargo.arg("benches/peers/Cargo.toml"))?;
    }
    Ok(())
}

/// Agents in Python and Node beside their peers; everything after the word goes to the bench's own program.
fn bench_languages(arguments: &[String]) -> Result<()> {
    let named = std::env::var_os("PYTHON").filter(|python| !python.is_empty());
    let mut python = std::process::Command::new(named.unwrap_or_else(|| "python3".into()));
    python.arg(workspace::root().join("benches/languages/bench.py"));
    process::run(python.args(arguments))
}

/// The benchmarks of the bindings.
const LANGUAGES: &str = "languages";
/// The part of the benchmarks that looks into `nfa-models`.
const WIRE: &str = "wire";
/// The part that reads the same streams by other crates.
const PEERS: &str = "peers";

fn crash(rounds: u32) -> Result<()> {
    say(format_args!("killing and resuming {rounds} times"));
    let mut cargo = process::cargo();
    cargo.args([
        "test",
        "--package",
        "nfa-runtime",
        "--test",
        "crash",
        "--test",
        "log_crash",
        "--",
        "--nocapture",
    ]);
    process::run(cargo.env("NFA_CRASH_ROUNDS", rounds.to_string()))
}

fn api_docs() -> Result<()> {
    let session = Session::new(Cache::from_environment()?);
    for page in api_docs::write(&session)? {
        println!("{}", page.display());
    }
    Ok(())
}

fn format() -> Result<()> {
    process::run(process::cargo().args(["fmt", "--all"]))?;
    let session = Session::new(Cache::from_environment()?);
    style::format_python(&session, Format::Written)?;
    style::format_typescript(&session, Format::Written)
}

fn serve(port: u16) -> Result<()> {
    let model = Model::get(&Cache::from_environment()?)?;
    let mut server = ModelServer::start(&model, port, Log::Shown)?;
    println!("{}", server.base_url());
    say(format_args!(
        "serving `{}`; Ctrl-C ends it",
        provision::model::NAME
    ));
    server.wait()
}

fn page() -> Result<()> {
    let path = verifier_page::build()?;
    let size = std::fs::metadata(&path)
        .map_err(|error| Failure::io(path.display(), &error))?
        .len();
    println!("{}", path.display());
    say(format_args!("{} KiB; open it in a browser", size / 1024));
    Ok(())
}

fn provision() -> Result<()> {
    let cache = Cache::from_environment()?;
    let model = Model::get(&cache)?;
    println!("model     {}", model.weights.display());
    println!("server    {}", model.environment.python().display());
    println!(
        "verifier  {}",
        Environment::get(&cache, &VERIFIER)?.python().display()
    );
    match provision::chromium::get(&cache) {
        Ok(chromium) => println!("browser   {}", chromium.display()),
        Err(failure) if failure.is_refusal() => say(failure),
        Err(failure) => return Err(failure),
    }
    Ok(())
}
