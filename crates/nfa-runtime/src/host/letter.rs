//! What lies in the queue of a host's loop.

use nfa_core::ports::CallContext;
use nfa_core::runtime::{Event, Outcome};
use nfa_core::{Error, ids::RunId};
use serde_json::Value;

use super::run::HostRun;

/// Names a future of the engine that the host waits for; unique within its loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// Names a call of a host's object; unique within its loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub u64);

/// Something for the host's thread.
#[derive(Debug)]
#[non_exhaustive]
pub enum Letter<O> {
    /// A future that was spawned has ended.
    Settled {
        /// Which.
        ticket: Ticket,
        /// With what.
        result: Result<Reply, Error>,
    },
    /// The engine wants something of an object of the host.
    Call {
        /// Names the call in the answer.
        call: CallId,
        /// The object.
        object: O,
        /// What is asked of it, by the name of the port's method.
        method: &'static str,
        /// Who asks, for methods that are told.
        context: Option<Box<CallContext>>,
        /// What the method is given.
        arguments: Value,
    },
    /// Nobody waits for this call any more. Its answer is dropped.
    Cancelled {
        /// Which.
        call: CallId,
    },
    /// Something of the binding's own, such as an object that may be let go of.
    Own(O),
}

/// What a future of the engine gives.
#[derive(Debug)]
#[non_exhaustive]
pub enum Reply {
    /// Nothing but that it is done.
    Unit,
    /// JSON.
    Json(Value),
    /// A run that was started or resumed.
    Run(HostRun),
    /// Several of them, with what kept some from being resumed.
    Runs(Vec<(RunId, Result<HostRun, Error>)>),
    /// Events of a run; none when it is over.
    Events(Vec<Event>),
    /// How a run ended.
    Outcome(Box<Outcome>),
    /// A runtime that was opened.
    Runtime(crate::Runtime),
}
