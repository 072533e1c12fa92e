//! What came of each step, and the counts that test runners printed on the way.

use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

use crate::failure::Failure;

/// How many tests passed, failed and were skipped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Tally {
    /// Adds what a line of output says, if it is a summary of cargo test, nextest, pytest or Node.
    pub(crate) fn read(&mut self, line: &str) {
        let line = line.trim_start();
        // Node has a line for each of them.
        if let Some(rest) = line.strip_prefix("ℹ ") {
            let Some((what, count)) = rest.split_once(' ') else {
                return;
            };
            self.add(count.parse().unwrap_or(0), what);
            return;
        }
        let is_pytest = line.starts_with("====") && line.contains(" in ");
        let is_summary = line.starts_with("test result:") || line.starts_with("Summary [");
        if !is_summary && !is_pytest {
            return;
        }
        let words: Vec<&str> = line
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .collect();
        for pair in words.windows(2) {
            let [count, what] = pair else { continue };
            let Ok(count) = count.parse::<u64>() else {
                continue;
            };
            self.add(count, what);
        }
    }

    fn add(&mut self, count: u64, what: &str) {
        match what {
            "passed" | "pass" => self.passed += count,
            "failed" | "timed" | "fail" | "error" | "errors" | "cancelled" => self.failed += count,
            "skipped" | "ignored" | "todo" => self.skipped += count,
            _ => {}
        }
    }

    /// Tests that ran.
    pub(crate) fn run(&self) -> u64 {
        self.passed + self.failed
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
        } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Done; what a reader may want to know besides.
    Ok(String),
    Failed(String),
    /// Not done, and why.
    Skipped(String),
}

/// What a step gives back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    pub(crate) tests: Tally,
}

impl Outcome {
    pub(crate) fn ok(note: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Ok(note.into()),
            tests: Tally::default(),
        }
    }

    pub(crate) fn failed(why: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Failed(why.into()),
            tests: Tally::default(),
        }
    }

    pub(crate) fn skipped(why: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Skipped(why.into()),
            tests: Tally::default(),
        }
    }

    pub(crate) fn tests(self, tests: Tally) -> Self {
        Self { tests, ..self }
    }
}

/// A refusal to install skips the step; anything else fails it.
impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        if failure.is_refusal() {
            Self::skipped(failure.to_string())
        } else {
            Self::failed(failure.to_string())
        }
    }
}

/// One line of the summary.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) step: &'static str,
    pub(crate) outcome: Outcome,
    pub(crate) took: Duration,
}

/// Everything that a run did.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    pub(crate) records: Vec<Record>,
}

impl Summary {
    /// Whether no step failed.
    pub(crate) fn is_ok(&self) -> bool {
        !self
            .records
            .iter()
            .any(|record| matches!(record.outcome.verdict, Verdict::Failed(_)))
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self
            .records
            .iter()
            .map(|record| record.step.len())
            .max()
            .unwrap_or(0);
        let mut all = Tally::default();
        for Record {
            step,
            outcome,
            took,
        } in &self.records
        {
            let (word, why) = match &outcome.verdict {
                Verdict::Ok(note) => ("ok", note),
                Verdict::Failed(why) => ("FAILED", why),
                Verdict::Skipped(why) => ("skipped", why),
            };
            let seconds = took.as_secs();
            write!(f, "{word:<8} {step:<width$} {seconds:>5} s")?;
            if outcome.tests != Tally::default() {
                write!(f, "  {}", outcome.tests)?;
            }
            for (line_number, line) in why.lines().enumerate() {
                if line_number == 0 {
                    write!(f, "  {line}")?;
                } else {
                    write!(f, "\n         {line}")?;
                }
            }
            writeln!(f)?;
            all += outcome.tests;
        }
        // A run without tests (`check`) claims none.
        if all != Tally::default() {
            writeln!(f, "\ntests: {all}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Tally {
        let mut tally = Tally::default();
        lines.iter().for_each(|line| tally.read(line));
        tally
    }

    #[test]
    fn all_runners_are_understood() {
        assert_eq!(
            read(&[
                "running 3 tests",
                "test a ... ok",
                "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.01s",
                "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            ]),
            Tally {
                passed: 4,
                failed: 2,
                skipped: 1
            }
        );
        assert_eq!(
            read(&[
                "     Summary [   1.204s] 12/14 tests run: 9 passed (1 slow, 2 flaky), 2 failed, 1 timed out, 2 skipped"
            ]),
            Tally {
                passed: 9,
                failed: 3,
                skipped: 2
            }
        );
    }

    #[test]
    fn those_of_other_languages_too() {
        assert_eq!(
            read(&[
                "collected 12 items",
                "============ 1 failed, 9 passed, 2 skipped, 1 error in 0.52s ============",
                "ℹ tests 7",
                "ℹ suites 0",
                "ℹ pass 5",
                "ℹ fail 1",
                "ℹ cancelled 0",
                "ℹ skipped 1",
                "ℹ duration_ms 1041.2",
            ]),
            Tally {
                passed: 14,
                failed: 3,
                skipped: 3
            }
        );
    }

    #[test]
    fn a_line_that_is_no_summary_counts_nothing() {
        assert_eq!(
            read(&["the log says: 7 passed, 9 failed"]),
            Tally::default()
        );
    }

    #[test]
    fn the_summary_names_every_step_and_ends_with_the_counts() {
        let record = |step, outcome| Record {
            step,
            outcome,
            took: Duration::from_secs(2),
        };
        let passed = Tally {
            passed: 5,
            failed: 0,
            skipped: 1,
        };
        let mut summary = Summary {
            records: vec![
                record("doc", Outcome::ok("").tests(passed)),
                record("wasm", Outcome::skipped("no target\n  to do: add it")),
            ],
        };
        assert!(summary.is_ok());
        let text = summary.to_string();
        assert!(
            text.contains("ok       doc      2 s  5 passed, 0 failed, 1 skipped"),
            "{text}"
        );
        assert!(
            text.contains("skipped  wasm     2 s  no target\n           to do: add it"),
            "{text}"
        );
        assert!(
            text.ends_with("\ntests: 5 passed, 0 failed, 1 skipped\n"),
            "{text}"
        );

        summary
            .records
            .push(record("lean", Outcome::failed("hyper")));
        assert!(!summary.is_ok());
        assert!(summary.to_string().contains("FAILED   lean"));
    }

    #[test]
    fn only_a_refusal_skips() {
        let skipped: Outcome = Failure::refusal("not allowed").into();
        assert!(matches!(skipped.verdict, Verdict::Skipped(_)));
        let failed: Outcome = Failure::new("no network").into();
        assert!(matches!(failed.verdict, Verdict::Failed(_)));
    }
}
