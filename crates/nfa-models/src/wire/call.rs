//! One call: sends the request, reads the answer under its deadlines, tells what comes.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use nfa_core::Error;
use nfa_core::content::ModelAnswer;
use nfa_core::ports::{CallContext, ModelDelta, ModelRequest, ModelStream};
use reqwest::Response;
use tokio::time::Sleep;

use super::answer::too_large;
use super::deadlines::Timer;
use super::mending::mended;
use super::sse::Parser;
use super::{Fold, Progress, Wire, failure, http};
use crate::endpoint::Endpoint;
use crate::errors;

/// How long the end of a body is waited for once all was said.
const PATIENCE: Duration = Duration::from_millis(5);
/// Bytes of an error's body that are read.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// Asks for one answer, streamed when somebody listens.
pub(crate) fn generate<'a, W: Wire>(
    wire: &'a W,
    context: &'a CallContext,
    request: &'a ModelRequest,
) -> ModelStream<'a> {
    if request.deltas {
        streamed(wire, context, request)
    } else {
        nfa_core::ports::single_answer(whole(wire, context, request))
    }
}

/// Asks for one JSON answer.
async fn whole<W: Wire>(
    wire: &W,
    context: &CallContext,
    request: &ModelRequest,
) -> Result<ModelAnswer, Error> {
    let endpoint = wire.endpoint();
    let mut timer = Timer::start(endpoint.deadlines, context.deadline, false);
    let asking = async {
        let mut response = send(wire, request).await?;
        let body = collect(endpoint, &mut response).await?;
        let mut fold = wire.fold(request);
        fold.body(&mended(&body))?;
        if !fold.is_finished() {
            return Err(errors::invalid(format!(
                "expected an answer with a finish reason, found {}",
                failure::excerpt(&body)
            )));
        }
        Ok(endpoint.priced(fold.finish()?))
    };
    tokio::select! {
        biased;
        answer = asking => answer,
        () = context.cancellation.cancelled() => Err(errors::cancelled()),
        error = timer.expired() => Err(error),
    }
}

/// Asks for a streamed answer.
fn streamed<'a, W: Wire>(
    wire: &'a W,
    context: &'a CallContext,
    request: &'a ModelRequest,
) -> ModelStream<'a> {
    let endpoint = wire.endpoint();
    Box::pin(Call {
        endpoint,
        cancelled: Box::pin(context.cancellation.cancelled()),
        timer: Timer::start(endpoint.deadlines, context.deadline, true),
        state: State::Sending(Box::pin(send(wire, request))),
        parser: Parser::new(endpoint.max_event_bytes),
        fold: wire.fold(request),
        answer: None,
        begun: false,
        unframed: None,
        patience: None,
    })
}

/// Sends the request; an answer with an error status is an error.
async fn send<W: Wire>(wire: &W, request: &ModelRequest) -> Result<Response, Error> {
    let endpoint = wire.endpoint();
    let url = wire.url(request);
    let body = wire.body(request)?;
    let mut response = endpoint.post(url, body).await?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = error_body(&mut response).await;
    Err(wire.failure(status, response.headers(), &body))
}

/// What there is of an error's body: a broken one tells more than that it broke.
pub(crate) async fn error_body(response: &mut Response) -> Vec<u8> {
    let mut body = Vec::new();
    while body.len() < MAX_ERROR_BODY
        && let Ok(Some(piece)) = response.chunk().await
    {
        body.extend_from_slice(&piece);
    }
    body
}

/// The whole body, without a copy when it came in one piece.
pub(crate) async fn collect(endpoint: &Endpoint, response: &mut Response) -> Result<Bytes, Error> {
    let limit = endpoint.max_answer_bytes;
    let mut first = Bytes::new();
    let mut pieces = Vec::new();
    while let Some(piece) = response
        .chunk()
        .await
        .map_err(|error| http::failure(error, &endpoint.url, true))?
    {
        if first.len() + pieces.len() + piece.len() > limit {
            return Err(too_large(limit));
        }
        if first.is_empty() && pieces.is_empty() {
            first = piece;
        } else {
            pieces.extend_from_slice(&std::mem::take(&mut first));
            pieces.extend_from_slice(&piece);
        }
    }
    Ok(if pieces.is_empty() {
        first
    } else {
        pieces.into()
    })
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

enum State<'a> {
    Sending(Boxed<'a, Result<Response, Error>>),
    Reading(Response),
    /// All was said; only the end of the body is missing.
    Draining(Response),
    Over,
}

struct Call<'a, F> {
    endpoint: &'a Endpoint,
    cancelled: Boxed<'a, ()>,
    timer: Timer,
    state: State<'a>,
    parser: Parser,
    fold: F,
    /// Set once the answer is whole; deltas may still wait.
    answer: Option<ModelAnswer>,
    begun: bool,
    /// The body, when it is no stream of events: an error, a page, or a whole answer.
    unframed: Option<Vec<u8>>,
    /// How long the end of the body is still waited for.
    patience: Option<Pin<Box<Sleep>>>,
}

impl<F: Fold + Unpin> Stream for Call<'_, F> {
    type Item = Result<ModelDelta, Error>;

    /// The next delta; the last one is the answer.
    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Some(delta) = this.fold.pop() {
            return Poll::Ready(Some(Ok(delta)));
        }
        if matches!(this.state, State::Over) && this.answer.is_none() {
            return Poll::Ready(None);
        }
        let item = ready!(this.poll_delta(task));
        if matches!(item, Ok(ModelDelta::Finished(_)) | Err(_)) {
            this.state = State::Over;
        }
        Poll::Ready(Some(item))
    }
}

impl<F: Fold> Call<'_, F> {
    fn poll_delta(&mut self, task: &mut Context<'_>) -> Poll<Result<ModelDelta, Error>> {
        loop {
            if let Some(delta) = self.fold.pop() {
                return Poll::Ready(Ok(delta));
            }
            if let Some(answer) = self.answer.take() {
                return Poll::Ready(Ok(ModelDelta::Finished(Box::new(answer))));
            }
            if matches!(self.state, State::Draining(_)) {
                ready!(self.poll_drained(task));
                self.state = State::Over;
                self.close()?;
                continue;
            }
            let Some(piece) = ready!(self.poll_piece(task))? else {
                self.end()?;
                continue;
            };
            if piece.is_empty() || self.is_unframed(&piece)? {
                continue;
            }
            match take(&mut self.parser, &mut self.fold, &piece)? {
                Progress::Done => {
                    self.state = match std::mem::replace(&mut self.state, State::Over) {
                        State::Reading(response) => State::Draining(response),
                        other => other,
                    };
                }
                Progress::Content => self.timer.progress(),
                Progress::None => {}
            }
        }
    }

    /// The next bytes; empty once the head has come, `None` at the end. An end that comes by force after
    /// the finish reason is an end all the same: nothing of the answer is missing.
    fn poll_piece(&mut self, task: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        let piece = match self.poll_wire(task) {
            Poll::Ready(piece) => piece,
            Poll::Pending => {
                if self.cancelled.as_mut().poll(task).is_ready() {
                    return Poll::Ready(Err(errors::cancelled()));
                }
                Err(ready!(self.timer.poll_expired(task)))
            }
        };
        Poll::Ready(match piece {
            Ok(Some(piece)) => {
                self.timer.head_came();
                Ok(Some(piece))
            }
            Err(_) if self.fold.is_finished() && !self.fold.needs_end() => Ok(None),
            other => other,
        })
    }

    fn poll_wire(&mut self, task: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        match &mut self.state {
            State::Sending(sending) => {
                let response = ready!(sending.as_mut().poll(task))?;
                self.state = State::Reading(response);
                Poll::Ready(Ok(Some(Bytes::new())))
            }
            State::Reading(response) | State::Draining(response) => {
                // It keeps nothing between polls but what is in the response.
                let piece = ready!(pin!(response.chunk()).poll(task));
                Poll::Ready(piece.map_err(|error| {
                    let cause = http::failure(error, &self.endpoint.url, true);
                    errors::truncated("a broken connection").with_source(cause)
                }))
            }
            State::Over => Poll::Ready(Ok(None)),
        }
    }

    /// Keeps a body that is no stream of events; its first byte tells, whatever its type claims.
    fn is_unframed(&mut self, piece: &[u8]) -> Result<bool, Error> {
        if !self.begun
            && let Some(first) = piece.iter().find(|byte| !byte.is_ascii_whitespace())
        {
            self.begun = true;
            if matches!(first, b'{' | b'[' | b'<') {
                self.unframed = Some(Vec::new());
            }
        }
        let Some(body) = &mut self.unframed else {
            return Ok(false);
        };
        let limit = self.endpoint.max_answer_bytes;
        if body.len() + piece.len() > limit {
            return Err(too_large(limit));
        }
        body.extend_from_slice(piece);
        Ok(true)
    }

    fn close(&mut self) -> Result<(), Error> {
        self.answer = Some(self.endpoint.priced(self.fold.finish()?));
        Ok(())
    }

    /// The body is over, without the stream's last event.
    fn end(&mut self) -> Result<(), Error> {
        if let Some(body) = self.unframed.take() {
            self.fold.body(&mended(&body))?;
            return self.close();
        }
        let fold = &mut self.fold;
        let last = self
            .parser
            .finish(&mut |data| fold.event(&mended(data)).map(|_| ()));
        if !self.fold.is_finished() {
            // An event that was cut is part of what was truncated; a whole one may say what happened.
            return match last {
                Err(error) if error.code() != errors::RESPONSE_INVALID => Err(error),
                _ => Err(errors::truncated(self.fold.answer().found())),
            };
        }
        self.close()
    }

    /// Reads the body's own end, which lets the connection serve the next call. It comes together with
    /// the last event; a server that keeps us waiting for it is not waited for.
    fn poll_drained(&mut self, task: &mut Context<'_>) -> Poll<()> {
        while let Poll::Ready(piece) = self.poll_wire(task) {
            if !matches!(piece, Ok(Some(_))) {
                return Poll::Ready(());
            }
        }
        let patience = self
            .patience
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(PATIENCE)));
        patience.as_mut().poll(task)
    }
}

/// Feeds a piece; what comes after the stream's last event is ignored.
pub(super) fn take(
    parser: &mut Parser,
    fold: &mut impl Fold,
    piece: &[u8],
) -> Result<Progress, Error> {
    let mut progress = Progress::None;
    parser.feed(piece, &mut |data| {
        if progress == Progress::Done {
            return Ok(());
        }
        match fold.event(&mended(data))? {
            Progress::None => {}
            came => progress = came,
        }
        Ok(())
    })?;
    Ok(progress)
}
