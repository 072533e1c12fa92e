//! What the caller of a scenario does.

use std::sync::Arc;

use nfa_core::content::{Message, Part, Role};
use nfa_core::ids::{SessionId, StepPath};
use nfa_core::spec::Limits;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// One thing that the caller does. Runs are known by the name that `as` gave them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Act {
    /// Starts a run with events, and reads them to the end.
    Run {
        /// What the user says: a text, or a list of parts.
        input: Said,
        /// The session that it speaks in.
        #[serde(default)]
        session: Option<SessionId>,
        /// The user that it acts for.
        #[serde(default)]
        user: Option<Arc<str>>,
        /// The name by which later acts know it.
        #[serde(default = "first", rename = "as")]
        name: Arc<str>,
        /// What the caller does when it sees an event, once each.
        #[serde(default)]
        on: Vec<Reaction>,
        /// The code of the error by which it is refused, when it is to be.
        #[serde(default)]
        refused: Option<Arc<str>>,
    },
    /// Goes on with a run with events, and reads them to the end.
    Resume {
        /// The run.
        #[serde(default = "first")]
        run: Arc<str>,
        /// Limits from here on.
        #[serde(default)]
        limits: Option<Limits>,
        /// What the caller does when it sees an event, once each.
        #[serde(default)]
        on: Vec<Reaction>,
        /// The code of the error by which it is refused, when it is to be.
        #[serde(default)]
        refused: Option<Arc<str>>,
    },
    /// Says yes to a step that asks.
    Approve {
        /// The run.
        #[serde(default = "first")]
        run: Arc<str>,
        /// The step.
        step: StepPath,
        /// Who says so.
        #[serde(default)]
        by: Option<String>,
    },
    /// Says no to a step that asks.
    Deny {
        /// The run.
        #[serde(default = "first")]
        run: Arc<str>,
        /// The step.
        step: StepPath,
        /// Why.
        #[serde(default)]
        reason: Option<String>,
        /// Who says so.
        #[serde(default)]
        by: Option<String>,
    },
    /// Gives a step that asks its result.
    Answer {
        /// The run.
        #[serde(default = "first")]
        run: Arc<str>,
        /// The step.
        step: StepPath,
        /// The result.
        text: String,
        /// Who says so.
        #[serde(default)]
        by: Option<String>,
    },
    /// Stops a run: in a reaction by the handle that gave the event, otherwise by the runtime.
    Cancel {
        /// The run.
        #[serde(default = "first")]
        run: Arc<str>,
    },
    /// Closes the runtime and opens another on the same store, as a new process does. A store in memory is kept
    /// open instead.
    Reopen {},
    /// Erases what was said in a session, by or to a user, or in a run: exactly one of them.
    Erase {
        /// The session.
        #[serde(default)]
        session: Option<SessionId>,
        /// The user.
        #[serde(default)]
        user: Option<Arc<str>>,
        /// The run.
        #[serde(default)]
        run: Option<Arc<str>>,
    },
    /// Writes down the canonical journal of a run as it is now. At the end those of all runs are, in the order of
    /// their starts.
    Journal {
        /// The run.
        #[serde(default = "first")]
        run: Arc<str>,
    },
}

fn first() -> Arc<str> {
    "run".into()
}

/// What a user says.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Said {
    /// A text.
    Text(String),
    /// The parts of a message.
    Parts(Vec<Part>),
}

impl From<Said> for Message {
    fn from(said: Said) -> Self {
        match said {
            Said::Text(text) => Message::user(text),
            Said::Parts(parts) => Message {
                role: Role::User,
                parts,
            },
        }
    }
}

/// What the caller does when it sees an event.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reaction {
    /// Members that the event has, deltas joined.
    pub event: Value,
    /// `approve`, `deny`, `answer` or `cancel`.
    pub then: Act,
}
