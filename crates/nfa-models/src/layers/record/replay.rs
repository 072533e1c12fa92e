//! Answering from a recording.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use futures_util::stream::{self, StreamExt};
use nfa_core::Error;
use nfa_core::ports::{
    CallContext, Capabilities, Model, ModelDelta, ModelRequest, ModelStream, single_answer,
};
use serde_json::{Value, json};

use super::super::waiting::unless_over;
use super::super::{canonical, lock, retold};
use super::differ::compare;
use super::exchange::{Ending, Exchange, failed, read};
use super::recorder::valid_text;
use crate::errors;

/// In which order requests must come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplayOrder {
    /// As recorded: the third request must be the third of the recording.
    Recorded,
    /// Any: each request is answered by the first exchange with the same request that was not used yet.
    Any,
}

/// A model that says what a recording says, and checks what it is asked.
///
/// A request that does not match is the error `replay_unmatched`: it names the nearest recorded request and
/// the first place where the two differ. Whether deltas are asked for is no part of the match: they are given
/// as recorded, or made of the answer. An exchange is used once. A call that was dropped when it was recorded
/// says what it had said, and then nothing more until it is dropped or over.
#[derive(Debug)]
pub struct Replay {
    path: PathBuf,
    name: String,
    capabilities: Capabilities,
    order: ReplayOrder,
    exchanges: Mutex<Vec<Recorded>>,
}

#[derive(Debug)]
struct Recorded {
    line: usize,
    exchange: Exchange,
    used: bool,
}

impl Replay {
    /// Reads the recording at `path`. The model has the name of the first that was recorded.
    ///
    /// # Errors
    /// `recording_failed` when the file cannot be read, `recording_invalid` when it is no recording of this
    /// version or a line of it is wrong.
    pub fn open(path: impl AsRef<Path>, order: ReplayOrder) -> Result<Self, Error> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|error| failed(path, "read", error))?;
        let read = read(path, valid_text(path, &bytes)?)?;
        if read.whole == 0 {
            return Err(errors::input(
                errors::RECORDING_INVALID,
                format!(
                    "{}: expected a recording, found an empty file",
                    path.display()
                ),
            ));
        }
        let recorded = |(line, mut exchange): (usize, Exchange)| {
            exchange.request = canonical::normal(exchange.request);
            Recorded {
                line,
                exchange,
                used: false,
            }
        };
        let exchanges: Vec<_> = read.exchanges.into_iter().map(recorded).collect();
        let first = exchanges.first();
        let name = first.map_or("replay/empty", |first| &first.exchange.model);
        Ok(Self {
            path: path.to_owned(),
            name: name.to_owned(),
            capabilities: Capabilities::default(),
            order,
            exchanges: Mutex::new(exchanges),
        })
    }

    /// The same with the exchanges of this model only, and its name: for a recording of several.
    #[must_use]
    pub fn of_model(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        lock(&self.exchanges).retain(|recorded| recorded.exchange.model == self.name);
        self
    }

    /// The same with other capabilities.
    #[must_use]
    pub fn with_capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Exchanges that were not used yet.
    pub fn remaining(&self) -> usize {
        lock(&self.exchanges)
            .iter()
            .filter(|recorded| !recorded.used)
            .count()
    }

    /// Whether all that was recorded was asked for.
    ///
    /// # Errors
    /// `replay_unused`, with the lines of what was not.
    pub fn finish(&self) -> Result<(), Error> {
        let exchanges = lock(&self.exchanges);
        let unused = exchanges.iter().filter(|recorded| !recorded.used);
        let lines: Vec<_> = unused.map(|recorded| recorded.line).collect();
        if lines.is_empty() {
            return Ok(());
        }
        Err(errors::input(
            errors::REPLAY_UNUSED,
            format!(
                "expected all {} exchanges of {} to be asked for; those of lines {lines:?} were not",
                exchanges.len(),
                self.path.display()
            ),
        )
        .with_details(json!({ "lines": lines })))
    }

    /// The exchange that answers `request`.
    fn take(&self, request: &ModelRequest) -> Result<Exchange, Error> {
        let asked = canonical::request(request)
            .map(canonical::normal)
            .map_err(|error| {
                errors::input(
                    errors::REQUEST_INVALID,
                    "the request cannot be written as JSON",
                )
                .with_source(error)
            })?;
        let mut exchanges = lock(&self.exchanges);
        let mut unused = exchanges.iter_mut().filter(|recorded| !recorded.used);
        let found = match self.order {
            ReplayOrder::Recorded => unused
                .next()
                .filter(|recorded| recorded.exchange.request == asked),
            ReplayOrder::Any => unused.find(|recorded| recorded.exchange.request == asked),
        };
        if let Some(recorded) = found {
            recorded.used = true;
            return Ok(recorded.exchange.clone());
        }
        Err(self.unmatched(&exchanges, &asked))
    }

    fn unmatched(&self, exchanges: &[Recorded], asked: &Value) -> Error {
        let path = self.path.display();
        let unused = exchanges.iter().filter(|recorded| !recorded.used);
        let candidates = unused.take(match self.order {
            ReplayOrder::Recorded => 1,
            ReplayOrder::Any => usize::MAX,
        });
        let nearest = candidates
            .map(|recorded| (recorded, compare(&recorded.exchange.request, asked)))
            .min_by_key(|(_, (differences, _))| *differences);
        let Some((recorded, (_, Some(first)))) = nearest else {
            let message = format!(
                "all {} exchanges of {path} were asked for already, and one more request came",
                exchanges.len()
            );
            return errors::input(errors::REPLAY_UNMATCHED, message);
        };
        let (line, at) = (recorded.line, recorded.exchange.at);
        let expected = match self.order {
            ReplayOrder::Recorded => "the next recorded request",
            ReplayOrder::Any => "the nearest recorded request",
        };
        errors::input(
            errors::REPLAY_UNMATCHED,
            format!(
                "expected {expected}, exchange {at} in line {line} of {path}; the request differs first at `{}`: recorded {}, asked {}. Record again when that is meant",
                first.path, first.recorded, first.asked
            ),
        )
        .with_details(json!({
            "line": line,
            "path": first.path,
            "recorded": first.recorded,
            "asked": first.asked,
        }))
    }
}

impl Model for Replay {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn generate<'a>(
        &'a self,
        context: &'a CallContext,
        request: &'a ModelRequest,
    ) -> ModelStream<'a> {
        let exchange = match self.take(request) {
            Ok(exchange) => exchange,
            Err(error) => return single_answer(std::future::ready(Err(error))),
        };
        let deltas: Vec<ModelDelta> = match (&exchange.ending, request.deltas) {
            (_, false) => Vec::new(),
            (Ending::Answer(answer), true) if exchange.deltas.is_empty() => {
                retold::deltas(answer).into()
            }
            (_, true) => exchange.deltas.into_iter().map(Into::into).collect(),
        };
        let end = async move {
            match exchange.ending {
                Ending::Answer(answer) => Ok(ModelDelta::Finished(answer)),
                Ending::Error(report, wait) => {
                    let error = Error::from(report);
                    Err(match wait {
                        Some(wait) => error.with_retry_after(wait),
                        None => error,
                    })
                }
                Ending::Dropped => unless_over(context, std::future::pending()).await?,
            }
        };
        Box::pin(stream::iter(deltas.into_iter().map(Ok)).chain(stream::once(end)))
    }
}
