//! What all wires share: one call over HTTP, its deadlines, its stream, and the answer in the making.
//!
//! A wire says how its requests are written ([`Wire`]) and how its events are read ([`Fold`]); everything
//! between the two is here once.

mod answer;
mod call;
pub(crate) mod deadlines;
pub(crate) mod failure;
pub(crate) mod http;
mod mending;
pub(crate) mod object;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod replay;
pub(crate) mod retry_after;
pub(crate) mod sent;
pub(crate) mod shape;
pub(crate) mod sse;
#[cfg(test)]
pub(crate) mod warm;
mod written;

use bytes::Bytes;
use nfa_core::Error;
use nfa_core::content::ModelAnswer;
use nfa_core::ports::{ModelDelta, ModelRequest};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use url::Url;

pub(crate) use answer::AnswerBuilder;
pub(crate) use call::{collect, error_body, generate};
pub(crate) use written::Written;

use crate::endpoint::Endpoint;

/// One provider protocol: how a request is written, and what reads its answer.
pub(crate) trait Wire: Send + Sync {
    /// What reads an answer.
    type Fold: Fold + Send + Unpin;

    /// Where the model is.
    fn endpoint(&self) -> &Endpoint;

    /// Where this request goes.
    fn url(&self, _request: &ModelRequest) -> &Url {
        &self.endpoint().url
    }

    /// The request's body.
    fn body(&self, request: &ModelRequest) -> Result<Bytes, Error>;

    /// What reads the answer to this request.
    fn fold(&self, request: &ModelRequest) -> Self::Fold;

    /// What an answer with an error status means.
    fn failure(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
        failure::of_status(status, headers, body)
    }
}

/// What one piece of the wire brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing of the answer.
    None,
    /// Content, or the finish reason.
    Content,
    /// The last event of the stream; whatever follows is ignored.
    Done,
}

/// Folds what the wire brings, whole or in pieces, into one answer; deltas are a by-product.
pub(crate) trait Fold {
    /// Takes the data of one event.
    fn event(&mut self, data: &[u8]) -> Result<Progress, Error>;

    /// Takes an answer that came whole.
    fn body(&mut self, data: &[u8]) -> Result<(), Error>;

    /// The answer under way.
    fn answer(&mut self) -> &mut AnswerBuilder;

    /// Whether the model said why it stopped: nothing of the answer is missing then.
    fn is_finished(&self) -> bool;

    /// Whether the model may go on after it said why it stopped, so that only the body's own end is an end.
    fn needs_end(&self) -> bool {
        false
    }

    /// The answer, when all has come; the deltas that its end brings stay in [`Fold::pop`].
    fn finish(&mut self) -> Result<ModelAnswer, Error> {
        self.answer().finish()
    }

    /// The next delta that is ready.
    fn pop(&mut self) -> Option<ModelDelta> {
        self.answer().pop()
    }
}
