//! The `nfa` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    nfa_cli::run(std::env::args_os())
}
