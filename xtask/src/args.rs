//! The command line: what may be asked for, and how a wrong line is answered.

use crate::failure::{Failure, Result};

pub(crate) const USAGE: &str = "\
Commands of the project.

  cargo xtask demo                        run the main job on a real model
  cargo xtask test [--only STEP]… [--list]   run every test; installs what it needs
  cargo xtask check [--only STEP]… [--list]  format, clippy, docs, dependencies: quick
  cargo xtask api-docs                    write the references of the packages for Python and Node
  cargo xtask format                      write every source as the formatters want it
  cargo xtask generate                    write what the bindings take over from the Rust sources
  cargo xtask bench [ARGS]…               measure and print the tables
  cargo xtask bench languages [ARGS]…     the same in Python and Node, beside other SDKs
  cargo xtask crash [--rounds N]          kill and resume for longer (default 1000)
  cargo xtask model-server [--port N]     serve the small model on 127.0.0.1
  cargo xtask provision                   fetch what demo and test need, and stop
  cargo xtask verifier-page               build the page that verifies bundles in a browser

Environment:
  NFA_CACHE        where downloads are kept (default: $HOME/.cache/nfa)
  NFA_CHROMIUM     the browser to test the verifier's page in
  NFA_NO_INSTALL   set to 1: install nothing, skip what needs it and say so
  NFA_FUZZ         set to 1: `test` also fuzzes each target for a minute
  OPENAI_API_KEY   `demo` uses this provider instead of the local model
                   (with OPENAI_BASE_URL and OPENAI_MODEL)
  PYTHON           the Python (3.10 or later) to build environments with
";

/// One command with its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    Demo,
    Test(Selection),
    Check(Selection),
    ApiDocs,
    Format,
    Generate,
    Bench { arguments: Vec<String> },
    Crash { rounds: u32 },
    ModelServer { port: u16 },
    Provision,
    VerifierPage,
    Help,
}

/// Which steps of a list are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    /// Names of steps; all when empty.
    pub(crate) only: Vec<String>,
    /// Name the steps and run none.
    pub(crate) list: bool,
}

/// Reads the arguments after the program's name.
pub(crate) fn parse(arguments: &[String]) -> Result<Command> {
    let Some((name, rest)) = arguments.split_first() else {
        return Ok(Command::Help);
    };
    match name.as_str() {
        "demo" => none(name, rest, Command::Demo),
        "api-docs" => none(name, rest, Command::ApiDocs),
        "format" => none(name, rest, Command::Format),
        "generate" => none(name, rest, Command::Generate),
        "provision" => none(name, rest, Command::Provision),
        "verifier-page" => none(name, rest, Command::VerifierPage),
        "help" | "--help" | "-h" => Ok(Command::Help),
        "test" => selection(rest).map(Command::Test),
        "check" => selection(rest).map(Command::Check),
        "bench" => Ok(Command::Bench {
            arguments: rest.to_vec(),
        }),
        "crash" => Ok(Command::Crash {
            rounds: number(rest, "--rounds", 1000)?,
        }),
        "model-server" => Ok(Command::ModelServer {
            port: number(rest, "--port", 0)?,
        }),
        other => Err(Failure::new(format!("unknown command `{other}`"))
            .fix("`cargo xtask help` lists the commands")),
    }
}

fn none(name: &str, rest: &[String], command: Command) -> Result<Command> {
    match rest.first() {
        None => Ok(command),
        Some(extra) => Err(unexpected(extra).fix(format!("`{name}` takes no arguments"))),
    }
}

fn selection(arguments: &[String]) -> Result<Selection> {
    let mut selection = Selection::default();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--list" => selection.list = true,
            "--only" => selection
                .only
                .push(value("--only", arguments.next())?.to_owned()),
            other => match other.strip_prefix("--only=") {
                Some(step) => selection.only.push(step.to_owned()),
                None => return Err(unexpected(other).fix("expected `--only STEP` or `--list`")),
            },
        }
    }
    Ok(selection)
}

fn number<N: std::str::FromStr>(arguments: &[String], option: &str, default: N) -> Result<N> {
    let mut number = default;
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument != option {
            return Err(unexpected(argument).fix(format!("expected `{option} NUMBER`")));
        }
        let text = value(option, arguments.next())?;
        number = text
            .parse()
            .map_err(|_| Failure::new(format!("`{option}` expects a number, found `{text}`")))?;
    }
    Ok(number)
}

fn value<'a>(option: &str, value: Option<&'a String>) -> Result<&'a str> {
    value
        .map(String::as_str)
        .ok_or_else(|| Failure::new(format!("`{option}` expects a value")))
}

fn unexpected(argument: &str) -> Failure {
    Failure::new(format!("unexpected argument `{argument}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Result<Command> {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        parse(&words)
    }

    #[test]
    fn every_command_is_understood() {
        assert_eq!(line(""), Ok(Command::Help));
        assert_eq!(line("verifier-page"), Ok(Command::VerifierPage));
        assert_eq!(line("demo"), Ok(Command::Demo));
        assert_eq!(line("generate"), Ok(Command::Generate));
        assert_eq!(line("crash"), Ok(Command::Crash { rounds: 1000 }));
        assert_eq!(line("crash --rounds 7"), Ok(Command::Crash { rounds: 7 }));
        assert_eq!(
            line("model-server --port 8080"),
            Ok(Command::ModelServer { port: 8080 })
        );
        assert_eq!(
            line("bench --quick one"),
            Ok(Command::Bench {
                arguments: vec!["--quick".into(), "one".into()]
            })
        );
        assert_eq!(
            line("test --only doc --only=fuzz"),
            Ok(Command::Test(Selection {
                only: vec!["doc".into(), "fuzz".into()],
                list: false
            }))
        );
        assert_eq!(
            line("check --list"),
            Ok(Command::Check(Selection {
                only: Vec::new(),
                list: true
            }))
        );
    }

    #[test]
    fn a_wrong_line_says_what_was_expected() {
        for (wrong, expected) in [
            ("tset", "unknown command `tset`"),
            ("demo now", "takes no arguments"),
            ("test --olny doc", "expected `--only STEP`"),
            ("test --only", "`--only` expects a value"),
            ("crash --rounds many", "expects a number, found `many`"),
            ("crash 7", "expected `--rounds NUMBER`"),
            (
                "model-server --port 70000",
                "expects a number, found `70000`",
            ),
        ] {
            let message = line(wrong).expect_err(wrong).to_string();
            assert!(message.contains(expected), "{wrong}: {message}");
        }
    }

    #[test]
    fn the_usage_names_every_command() {
        for name in [
            "demo",
            "test",
            "check",
            "api-docs",
            "format",
            "generate",
            "bench",
            "crash",
            "model-server",
            "provision",
            "verifier-page",
        ] {
            assert!(USAGE.contains(&format!("cargo xtask {name}")), "{name}");
        }
    }
}
