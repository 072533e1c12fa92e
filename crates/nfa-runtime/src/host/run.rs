//! A run, as a host holds it.

use std::fmt;
use std::sync::Arc;

use nfa_core::content::{Message, Part, Role};
use nfa_core::ids::RunId;
use nfa_core::runtime::{Canceller, RunBuilder, RunHandle, WhenBusy};
use nfa_core::{Category, Component, Error};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use super::letter::Reply;
use nfa_core::runtime::Event;

/// The most events of one letter.
const BATCH: usize = 256;

/// How a run is started, as data.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StartOptions {
    /// The session that it speaks in.
    pub session: Option<String>,
    /// The user that it acts for.
    pub user: Option<String>,
    /// Waits while the session has another open run, instead of being refused.
    pub queue: bool,
}

impl StartOptions {
    /// The same for a builder.
    pub fn apply(self, mut builder: RunBuilder) -> RunBuilder {
        if let Some(session) = self.session {
            builder = builder.session(session);
        }
        if let Some(user) = self.user {
            builder = builder.user(user);
        }
        if self.queue {
            builder = builder.when_busy(WhenBusy::Queue);
        }
        builder
    }
}

/// What a host says to an agent: a text, a message, or the parts of one by the user.
///
/// # Errors
/// `input_malformed`.
pub fn message(input: Value) -> Result<Message, Error> {
    let parsed = match input {
        Value::String(text) => Ok(Message::from(text)),
        Value::Array(_) => serde_json::from_value::<Vec<Part>>(input).map(|parts| Message {
            role: Role::User,
            parts,
        }),
        _ => serde_json::from_value(input),
    };
    parsed.map_err(|error| {
        Error::new(
            Component::Runtime,
            Category::Input,
            "input_malformed",
            format!(
                "expected a text, a message with `role` and `parts`, or a list of parts: {error}"
            ),
        )
    })
}

/// A run under way. Cheap to clone; all clones are one. When the last is dropped, the run goes on by itself.
#[derive(Clone)]
pub struct HostRun(Arc<Held>);

struct Held {
    run: RunId,
    canceller: Canceller,
    handle: Mutex<RunHandle>,
}

impl fmt::Debug for HostRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HostRun").field(&self.0.run).finish()
    }
}

impl From<RunHandle> for HostRun {
    fn from(handle: RunHandle) -> Self {
        Self(Arc::new(Held {
            run: handle.run(),
            canceller: handle.canceller(),
            handle: Mutex::new(handle),
        }))
    }
}

impl HostRun {
    /// The run.
    pub fn id(&self) -> RunId {
        self.0.run
    }

    /// Asks it to stop.
    pub fn cancel(&self) {
        self.0.canceller.cancel();
    }

    /// The events that are ready, without waiting; none while somebody waits for [`HostRun::next_events`].
    pub fn ready_events(&self) -> Vec<Event> {
        match self.0.handle.try_lock() {
            Ok(mut handle) => handle.ready(BATCH),
            Err(_) => Vec::new(),
        }
    }

    /// Waits for events, and gives all that are ready; none after the last.
    ///
    /// # Errors
    /// As [`RunHandle::next`].
    pub async fn next_events(self) -> Result<Reply, Error> {
        let mut handle = self.0.handle.lock().await;
        Ok(Reply::Events(handle.next_batch(BATCH).await?))
    }

    /// How it ends. Events that were not taken are dropped.
    ///
    /// # Errors
    /// As [`RunHandle::outcome`].
    pub async fn outcome(self) -> Result<Reply, Error> {
        let mut handle = self.0.handle.lock().await;
        Ok(Reply::Outcome(Box::new(handle.outcome().await?)))
    }
}
