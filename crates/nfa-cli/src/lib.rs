//! The nfa command line: `nfa run`, `nfa chat`, `nfa resume` and the rest.
//!
//! The `nfa` binary is a thin shell around [`run`]; [`agent_file`] reads agents from YAML and JSON.

#![deny(missing_docs)]

pub mod agent_file;
mod args;
mod commands;
mod exit;
mod follow;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod input;
mod interrupt;
mod open;
mod out;
mod people;
mod witnesses;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use nfa_core::{Category, Component, Error};

use args::Args;
use exit::{Exit, Failure};
use out::Out;

/// Runs the command line that `args` spell, the program's name first, and says how the process should end.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let json = args
        .iter()
        .take_while(|arg| *arg != "--")
        .any(|arg| arg == "--json");
    let mut out = Out::new(json);
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) if !error.use_stderr() => {
            out.text(&error.render().to_string());
            return Exit::Done.into();
        }
        Err(error) => {
            let message = error.render().to_string();
            let message = message.trim().trim_start_matches("error: ").to_owned();
            out.error(&Error::new(
                Component::Cli,
                Category::Input,
                "usage",
                message,
            ));
            return Exit::BadInput.into();
        }
    };
    match perform(args, &mut out) {
        Ok(exit) => exit.into(),
        Err(Failure { error, exit }) => {
            out.error(&error);
            exit.into()
        }
    }
}

fn perform(args: Args, out: &mut Out) -> Result<Exit, Failure> {
    // Several threads: a terminal or pipe that takes no more must not keep leases from being renewed.
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| {
            Error::new(
                Component::Cli,
                Category::Configuration,
                "no_tokio_runtime",
                error.to_string(),
            )
        })?;
    let exit = tokio.block_on(commands::perform(args, out));
    // A thread that still waits for a line of standard input must not keep the process.
    tokio.shutdown_background();
    exit
}
