//! Measures nfa against a hand-written HTTP loop, in one run on one machine.
//!
//! `cargo xtask bench [--quick] [PART]…` prints tables, and last what was promised and what came of it.
//! The fake server has a core of its own; every contender is a process of its own on another core, and
//! they take turns, so that a noisy machine is noisy to all of them. Processor time is that of all threads
//! of the contender's process; ratios are medians of the rounds' own ratios.

mod allocator;
mod child;
mod contender;
mod engine;
mod exchange;
mod floor;
mod local;
mod machine;
mod plan;
mod sessions;
mod start;
mod statistics;
mod steps;
mod table;
mod work;
mod workload;

use std::io::Write as _;
use std::process::ExitCode;

use contender::Contender;
use plan::Plan;
use table::Goals;
use workload::Workload;

#[global_allocator]
static ALLOCATOR: allocator::Counting = allocator::Counting;

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Result<T> = std::result::Result<T, Failure>;

const USAGE: &str = "usage: nfa-benches [--quick | --smoke] [one | tools | stream | sessions | engine | steps | start]…

Without a part, all are measured. --quick measures roughly, in less than 20 seconds; --smoke only shows
that everything works. Stores go into the directory for temporary files (TMPDIR).
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "nfa-benches: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result<()> {
    match words {
        ["serve", workload] => work::serve(workload_of(workload)?),
        ["work", contender, workload, url] => {
            work::work(contender_of(contender)?, workload_of(workload)?, url)
        }
        ["first", contender, url] => work::first_answer(contender_of(contender)?, url),
        ["sessions", count, proof] => sessions::work(count.parse()?, *proof == "on"),
        words => measure(words),
    }
}

fn workload_of(word: &str) -> Result<Workload> {
    Workload::parse(word).ok_or_else(|| USAGE.into())
}

fn contender_of(word: &str) -> Result<Contender> {
    Contender::parse(word).ok_or_else(|| USAGE.into())
}

fn measure(words: &[&str]) -> Result<()> {
    let mut plan = Plan::whole();
    let mut parts = Vec::new();
    for word in words {
        match *word {
            "--quick" => plan = Plan::quick(),
            "--smoke" => plan = Plan::smoke(),
            "-h" | "--help" => return print(USAGE.trim_end()),
            "one" | "tools" | "stream" | "sessions" | "engine" | "steps" | "start" => {
                parts.push(*word);
            }
            _ => return Err(format!("unknown argument `{word}`\n{USAGE}").into()),
        }
    }
    let wanted = |part: &str| parts.is_empty() || parts.contains(&part);
    let mut goals = Goals::default();
    for workload in Workload::ALL {
        if wanted(workload.word()) {
            exchange::measure(&plan, workload, &mut goals)?;
        }
    }
    if wanted("start") {
        start::measure(&plan, &mut goals)?;
    }
    if wanted("sessions") {
        sessions::measure(&plan, &mut goals)?;
    }
    if wanted("engine") {
        engine::measure(&plan, &mut goals)?;
    }
    if wanted("steps") {
        steps::measure(&plan, &mut goals)?;
    }
    print("goals")?;
    print(&goals.table().to_string())
}

fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}
