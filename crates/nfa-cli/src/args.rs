//! The words of the command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use nfa_core::ports::RunStatus;

use crate::exit;

/// Durable, provable agents from the command line.
#[derive(Debug, Parser)]
#[command(name = "nfa", version, after_help = exit::HELP, max_term_width = 100)]
pub(crate) struct Args {
    /// Where runs are kept: `sqlite:FILE`, or `memory:` for this process only.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "NFA_STORE",
        hide_env_values = true,
        default_value = "sqlite:nfa.db"
    )]
    pub(crate) store: String,

    /// One JSON object a line instead of text: events and entries as the library has them.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run an agent on one input; Ctrl-C cancels the run.
    Run {
        /// The agent: a YAML or JSON file.
        agent: PathBuf,
        /// What to say to it; `-` reads standard input.
        input: String,
        #[command(flatten)]
        who: Who,
        #[command(flatten)]
        asked: Asked,
    },
    /// Talk with an agent, a line a turn; Ctrl-C cancels the turn, Ctrl-D ends.
    Chat {
        /// The agent: a YAML or JSON file.
        agent: PathBuf,
        #[command(flatten)]
        who: Who,
        #[command(flatten)]
        asked: Asked,
    },
    /// List runs, newest first.
    Runs {
        /// Only these statuses.
        #[arg(long, value_enum, value_delimiter = ',')]
        status: Vec<Status>,
        /// Only runs of this session.
        #[arg(long)]
        session: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// Show the journal of a run.
    Show {
        /// The run's id, or the beginning of it.
        run: String,
        /// Open what the entries name: messages, answers, results.
        #[arg(long)]
        content: bool,
    },
    /// Go on with a run that was interrupted, waits, failed, was cancelled or hit a limit.
    Resume {
        /// The run's id, or the beginning of it.
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        run: Option<String>,
        /// Every interrupted run that no process executes.
        #[arg(long)]
        all: bool,
        /// Model calls that the run may make in all, instead of the agent's limit.
        #[arg(long, conflicts_with = "all")]
        turns: Option<u32>,
        /// Tokens that the run may use in all, instead of the agent's limit.
        #[arg(long, conflicts_with = "all")]
        tokens: Option<u64>,
        #[command(flatten)]
        asked: Asked,
    },
    /// Stop a run, whichever process executes it.
    Cancel {
        /// The run's id, or the beginning of it.
        run: String,
    },
    /// Answer a step that asks, whichever process executes the run.
    Signal {
        /// The run's id, or the beginning of it.
        run: String,
        #[command(subcommand)]
        signal: Signal,
    },
    /// Destroy what was said, for good; journals and leaves stay, and every proof of the rest still verifies.
    Erase {
        #[command(subcommand)]
        what: Erase,
        /// Do not ask first.
        #[arg(long, global = true)]
        yes: bool,
    },
    /// Export, verify and look at proofs.
    #[command(subcommand)]
    Proof(Proof),
    /// Print a JSON Schema.
    Schema {
        /// Of what.
        #[arg(value_enum)]
        of: Schema,
    },
}

/// For whom a run is.
#[derive(Debug, clap::Args)]
pub(crate) struct Who {
    /// The conversation: the agent sees what was said in it before.
    #[arg(long)]
    pub(crate) session: Option<String>,
    /// The person whose content it is, across sessions.
    #[arg(long)]
    pub(crate) user: Option<String>,
}

/// Who is asked to sign that the logs only grow.
#[derive(Debug, clap::Args)]
pub(crate) struct Asked {
    /// A witness that is asked to sign that the log only grows (C2SP tlog-witness): where it takes checkpoints,
    /// and its key. May be given several times; in the variable, with commas between.
    #[arg(
        long,
        value_name = "URL VKEY",
        env = "NFA_WITNESS",
        hide_env_values = true,
        value_delimiter = ','
    )]
    pub(crate) witness: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Signal {
    /// Yes, run it.
    Approve {
        /// The step that asks, such as `2`.
        step: String,
        /// Who decides; the proof log commits to it.
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
    /// No; the model is told.
    Deny {
        /// The step that asks, such as `2`.
        step: String,
        /// Why, for the model.
        #[arg(long)]
        reason: Option<String>,
        /// Who decides; the proof log commits to it.
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
    /// Give the result that the step should have.
    Answer {
        /// The step that asks, such as `2`.
        step: String,
        /// The result.
        text: String,
        /// Who decides; the proof log commits to it.
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Erase {
    /// Everything said in a session.
    Session {
        /// Its name.
        name: String,
    },
    /// Everything said by or to a user, in every session that they began.
    User {
        /// Their name, as `--user` had it.
        name: String,
    },
    /// Everything said in a run, and in the runs that it started.
    Run {
        /// The run's id, or the beginning of it.
        run: String,
    },
    /// One field of one leaf, such as the prompt of a turn.
    Field {
        /// The run's id, or the beginning of it.
        run: String,
        /// The entry that the leaf is of; `nfa proof receipt RUN` names them.
        entry: u64,
        /// The field: `prompt`, `response`, `arguments` and so on, or its number.
        field: String,
    },
}

/// What a proof shows; everything that is not erased, unless something is named.
#[derive(Debug, clap::Args)]
pub(crate) struct Shown {
    /// Only the leaf of this entry, as `nfa proof receipt RUN --json` names it; may be given several times.
    #[arg(long, value_name = "ENTRY")]
    pub(crate) entry: Vec<u64>,
    /// Only this field, such as `response`, by its name or number; may be given several times. The others stay
    /// hidden.
    #[arg(long, value_name = "FIELD")]
    pub(crate) field: Vec<String>,
    /// What the model was sent in the turn of `--entry`: all its messages, or those with these numbers, from 0.
    #[arg(
        long,
        value_name = "N,N",
        num_args = 0..,
        require_equals = true,
        value_delimiter = ',',
        requires = "entry"
    )]
    pub(crate) sent: Option<Vec<u64>>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Proof {
    /// Write the proof of a run to a file that can be verified offline.
    Export {
        /// The run's id, or the beginning of it.
        run: String,
        /// The file; `-` is standard output.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// The agent whose log it is, where several took part; otherwise the first.
        #[arg(long)]
        agent: Option<String>,
        #[command(flatten)]
        shown: Shown,
    },
    /// Verify a proof; no store and no network are needed. Exits with 10, 11 or 12 where it does not hold.
    Verify {
        /// The file; `-` is standard input.
        file: PathBuf,
        #[command(flatten)]
        trust: Trust,
    },
    /// Write the whole log of an agent to a folder that any web server can serve (C2SP tlog-tiles); only what
    /// is new since the last time.
    ExportLog {
        /// The agent's name.
        agent: String,
        /// The folder; made if absent.
        #[arg(short, long, value_name = "DIR")]
        output: PathBuf,
    },
    /// Check an exported log whole: every leaf, tile, checkpoint and sequence number. Exits with 10, 11 or 12
    /// where it does not hold.
    Audit {
        /// The folder, or the `http://` or `https://` URL that it is served under.
        log: PathBuf,
        #[command(flatten)]
        trust: Trust,
        /// A checkpoint of this log from elsewhere, such as the last audit; may be given several times.
        #[arg(long, value_name = "FILE")]
        known: Vec<PathBuf>,
    },
    /// Print the proof that an agent's log of TO leaves begins with its log of FROM leaves.
    Consistency {
        /// The agent's name.
        agent: String,
        /// The older size.
        from: u64,
        /// The newer size.
        to: u64,
    },
    /// Print the newest signed checkpoint of an agent's log, and the key to verify it with. With witnesses, they
    /// are asked first; exits with 11 where one of them did not sign.
    Checkpoint {
        /// The agent's name.
        agent: String,
        #[command(flatten)]
        asked: Asked,
    },
    /// Print where the leaves of a run stand in the log.
    Receipt {
        /// The run's id, or the beginning of it.
        run: String,
    },
}

/// Whose signatures are asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct Trust {
    /// The log's verifier key, from a place that you trust; may be given several times.
    #[arg(long, value_name = "VKEY", required_unless_present = "policy")]
    pub(crate) key: Vec<String>,
    /// A witness's verifier key; may be given several times.
    #[arg(long, value_name = "VKEY")]
    pub(crate) witness: Vec<String>,
    /// How many of the witnesses must have signed; all, unless said.
    #[arg(long, value_name = "N")]
    pub(crate) witnesses: Option<usize>,
    /// The same and more as JSON: `log_keys`, `cutoffs` (each `key` and `size`), `witnesses`,
    /// `witnesses_required`.
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Schema {
    /// An agent file.
    Agent,
    /// A line of `nfa run`, `nfa chat` and `nfa resume` with `--json`.
    Event,
    /// A line of `nfa show` with `--json`.
    Entry,
    /// A line of `nfa show --content` with `--json`.
    OpenedEntry,
    /// A line of `nfa runs` with `--json`.
    Run,
    /// What `nfa erase` prints with `--json`.
    Erased,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Status {
    Running,
    Waiting,
    Completed,
    Failed,
    Cancelled,
    LimitReached,
}

impl From<Status> for RunStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Running => Self::Running,
            Status::Waiting => Self::Waiting,
            Status::Completed => Self::Completed,
            Status::Failed => Self::Failed,
            Status::Cancelled => Self::Cancelled,
            Status::LimitReached => Self::LimitReached,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_words_fit_together() {
        Args::command().debug_assert();
    }
}
