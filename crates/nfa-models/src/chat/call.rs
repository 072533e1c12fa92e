//! One call: sends the request, reads the answer under its deadlines, tells what comes.

use std::pin::{Pin, pin};
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use nfa_core::Error;
use nfa_core::content::ModelAnswer;
use nfa_core::ports::{CallContext, ModelDelta, ModelRequest, ModelStream};
use reqwest::{Method, Request, Response};
use tokio::time::Sleep;

use super::fold::{Fold, Progress};
use super::{ChatCompletions, failure};
use crate::constrained::Decoder;
use crate::deadlines::Timer;
use crate::sse::Parser;
use crate::{errors, http};

/// How long the end of a body is waited for once all was said.
const PATIENCE: Duration = Duration::from_millis(5);
/// Bytes of an error's body that are read.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// Asks for one JSON answer.
pub(super) async fn whole(
    model: &ChatCompletions,
    context: &CallContext,
    request: &ModelRequest,
) -> Result<ModelAnswer, Error> {
    let mut timer = Timer::start(model.deadlines, context.deadline, false);
    let asking = async {
        let mut response = send(model, request).await?;
        let mut pieces = Vec::new();
        let body = collect(model, &mut response, &mut pieces, model.max_answer_bytes).await?;
        let mut fold = fold_for(model, request);
        fold.body(&body)?;
        if !fold.is_finished() {
            return Err(errors::invalid(format!(
                "expected a chat completion with a finish reason, found {}",
                failure::excerpt(&body)
            )));
        }
        fold.finish(model.price.as_ref())
    };
    tokio::select! {
        biased;
        answer = asking => answer,
        () = context.cancellation.cancelled() => Err(errors::cancelled()),
        error = timer.expired() => Err(error),
    }
}

/// Asks for a streamed answer.
pub(super) fn streamed<'a>(
    model: &'a ChatCompletions,
    context: &'a CallContext,
    request: &'a ModelRequest,
) -> ModelStream<'a> {
    Box::pin(Call {
        model,
        cancelled: Box::pin(context.cancellation.cancelled()),
        timer: Timer::start(model.deadlines, context.deadline, true),
        wire: Wire::Sending(Box::pin(send(model, request))),
        parser: Parser::new(model.max_event_bytes),
        fold: fold_for(model, request),
        begun: false,
        unframed: None,
        patience: None,
    })
}

fn fold_for(model: &ChatCompletions, request: &ModelRequest) -> Fold {
    let decoder = model
        .writing()
        .is_constrained(request)
        .then(|| Decoder::new(request.output_schema.is_some()));
    Fold::new(request.deltas, decoder, model.max_answer_bytes)
}

/// Sends the request; an answer with an error status is an error.
async fn send(model: &ChatCompletions, request: &ModelRequest) -> Result<Response, Error> {
    let client = model.http.for_url(&model.url)?;
    let body = model.writing().body(request)?;
    let mut sent = client.execute(post(model, &body)).await;
    // A server may close an idle connection just as we use it again. That says nothing about the
    // request, so it goes out once more, on another connection.
    if let Err(error) = &sent
        && model.warm.load(Ordering::Relaxed)
        && http::is_closed_unanswered(error)
    {
        sent = client.execute(post(model, &body)).await;
    }
    let mut response = sent.map_err(|error| http::failure(error, &model.url, false))?;
    model.warm.store(true, Ordering::Relaxed);
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let mut body = Vec::new();
    // What is there of a broken error body tells more than that it broke.
    while body.len() < MAX_ERROR_BODY
        && let Ok(Some(piece)) = response.chunk().await
    {
        body.extend_from_slice(&piece);
    }
    Err(failure::of_status(status, response.headers(), &body))
}

fn post(model: &ChatCompletions, body: &Bytes) -> Request {
    let mut http = Request::new(Method::POST, model.url.clone());
    http.headers_mut().clone_from(&model.headers);
    *http.body_mut() = Some(body.clone().into());
    http
}

/// The whole body, without a copy when it came in one piece.
async fn collect(
    model: &ChatCompletions,
    response: &mut Response,
    pieces: &mut Vec<u8>,
    limit: usize,
) -> Result<Bytes, Error> {
    let mut first = Bytes::new();
    while let Some(piece) = response
        .chunk()
        .await
        .map_err(|error| http::failure(error, &model.url, true))?
    {
        if first.len() + pieces.len() + piece.len() > limit {
            return Err(errors::input(
                errors::RESPONSE_TOO_LARGE,
                format!("the answer is larger than {limit} bytes"),
            ));
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
        std::mem::take(pieces).into()
    })
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

enum Wire<'a> {
    Sending(Boxed<'a, Result<Response, Error>>),
    Reading(Response),
    /// All was said; only the end of the body is missing.
    Draining(Response),
    Over,
}

struct Call<'a> {
    model: &'a ChatCompletions,
    cancelled: Boxed<'a, ()>,
    timer: Timer,
    wire: Wire<'a>,
    parser: Parser,
    fold: Fold,
    begun: bool,
    /// The body, when it is no stream of events: an error, a page, or a whole answer.
    unframed: Option<Vec<u8>>,
    /// How long the end of the body is still waited for.
    patience: Option<Pin<Box<Sleep>>>,
}

impl Stream for Call<'_> {
    type Item = Result<ModelDelta, Error>;

    /// The next delta; the last one is the answer.
    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Some(delta) = this.fold.pop() {
            return Poll::Ready(Some(Ok(delta)));
        }
        if matches!(this.wire, Wire::Over) && !this.fold.is_over() {
            return Poll::Ready(None);
        }
        let item = ready!(this.poll_delta(task));
        if matches!(item, Ok(ModelDelta::Finished(_)) | Err(_)) {
            this.wire = Wire::Over;
        }
        Poll::Ready(Some(item))
    }
}

impl Call<'_> {
    fn poll_delta(&mut self, task: &mut Context<'_>) -> Poll<Result<ModelDelta, Error>> {
        loop {
            if let Some(delta) = self.fold.pop() {
                return Poll::Ready(Ok(delta));
            }
            if self.fold.is_over() {
                let answer = self.fold.take_answer()?;
                return Poll::Ready(Ok(ModelDelta::Finished(Box::new(answer))));
            }
            if matches!(self.wire, Wire::Draining(_)) {
                ready!(self.poll_drained(task));
                self.wire = Wire::Over;
                self.fold.close(self.model.price.as_ref())?;
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
                    self.wire = match std::mem::replace(&mut self.wire, Wire::Over) {
                        Wire::Reading(response) => Wire::Draining(response),
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
            Err(_) if self.fold.is_finished() => Ok(None),
            other => other,
        })
    }

    fn poll_wire(&mut self, task: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        match &mut self.wire {
            Wire::Sending(sending) => {
                let response = ready!(sending.as_mut().poll(task))?;
                self.wire = Wire::Reading(response);
                Poll::Ready(Ok(Some(Bytes::new())))
            }
            Wire::Reading(response) | Wire::Draining(response) => {
                // It keeps nothing between polls but what is in the response.
                let piece = ready!(pin!(response.chunk()).poll(task));
                Poll::Ready(piece.map_err(|error| {
                    let cause = http::failure(error, &self.model.url, true);
                    errors::truncated("a broken connection").with_source(cause)
                }))
            }
            Wire::Over => Poll::Ready(Ok(None)),
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
        let limit = self.model.max_answer_bytes;
        if body.len() + piece.len() > limit {
            return Err(errors::input(
                errors::RESPONSE_TOO_LARGE,
                format!("the answer is larger than {limit} bytes"),
            ));
        }
        body.extend_from_slice(piece);
        Ok(true)
    }

    /// The body is over, without `[DONE]`.
    fn end(&mut self) -> Result<(), Error> {
        if let Some(body) = self.unframed.take() {
            self.fold.body(&body)?;
            return self.fold.close(self.model.price.as_ref());
        }
        let fold = &mut self.fold;
        let last = self.parser.finish(&mut |data| fold.event(data).map(|_| ()));
        if !self.fold.is_finished() {
            // An event that was cut is part of what was truncated; a whole one may say what happened.
            return match last {
                Err(error) if error.code() != errors::RESPONSE_INVALID => Err(error),
                _ => Err(errors::truncated(self.fold.found())),
            };
        }
        self.fold.close(self.model.price.as_ref())
    }

    /// Reads the body's own end, which lets the connection serve the next call. It comes together with
    /// `[DONE]`; a server that keeps us waiting for it is not waited for.
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

/// Feeds a piece; what comes after `[DONE]` is ignored.
pub(super) fn take(parser: &mut Parser, fold: &mut Fold, piece: &[u8]) -> Result<Progress, Error> {
    let mut progress = Progress::None;
    parser.feed(piece, &mut |data| {
        if progress == Progress::Done {
            return Ok(());
        }
        match fold.event(data)? {
            Progress::None => {}
            came => progress = came,
        }
        Ok(())
    })?;
    Ok(progress)
}
