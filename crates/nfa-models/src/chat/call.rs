//! One call: sends the request, reads the answer under its deadlines, tells what comes.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures_util::stream;
use nfa_core::Error;
use nfa_core::content::ModelAnswer;
use nfa_core::ports::{CallContext, ModelDelta, ModelRequest, ModelStream};
use reqwest::{Method, Request, Response};

use super::fold::{Fold, Progress};
use super::{ChatCompletions, failure};
use crate::constrained::Decoder;
use crate::deadlines::Timer;
use crate::sse::Parser;
use crate::{errors, http};

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
    let call = Box::new(Call {
        model,
        context,
        request,
        timer: Timer::start(model.deadlines, context.deadline, true),
        response: None,
        parser: Parser::new(model.max_event_bytes),
        fold: fold_for(model, request),
        begun: false,
        unframed: None,
    });
    Box::pin(stream::unfold(Some(call), |call| async move {
        let mut call = call?;
        match call.next().await {
            Ok(delta) => {
                let last = matches!(delta, ModelDelta::Finished(_));
                Some((Ok(delta), (!last).then_some(call)))
            }
            Err(error) => Some((Err(error), None)),
        }
    }))
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

struct Call<'a> {
    model: &'a ChatCompletions,
    context: &'a CallContext,
    request: &'a ModelRequest,
    timer: Timer,
    response: Option<Response>,
    parser: Parser,
    fold: Fold,
    begun: bool,
    /// The body, when it is no stream of events: an error, a page, or a whole answer.
    unframed: Option<Vec<u8>>,
}

impl Call<'_> {
    /// The next delta; the last one is the answer.
    async fn next(&mut self) -> Result<ModelDelta, Error> {
        loop {
            if let Some(delta) = self.fold.pop() {
                return Ok(delta);
            }
            if self.fold.is_over() {
                return Ok(ModelDelta::Finished(Box::new(self.fold.take_answer()?)));
            }
            let Some(piece) = self.piece().await? else {
                self.end()?;
                continue;
            };
            if piece.is_empty() {
                continue;
            }
            if self.is_unframed(&piece)? {
                continue;
            }
            match take(&mut self.parser, &mut self.fold, &piece)? {
                Progress::Done => {
                    self.drain().await;
                    self.fold.close(self.model.price.as_ref())?;
                }
                Progress::Content => self.timer.progress(),
                Progress::None => {}
            }
        }
    }

    /// The next bytes; empty once the head has come, `None` at the end. An end that comes by force after
    /// the finish reason is an end all the same: nothing of the answer is missing.
    async fn piece(&mut self) -> Result<Option<Bytes>, Error> {
        let Self {
            model,
            context,
            request,
            timer,
            response,
            ..
        } = self;
        let reading = async {
            match response {
                None => {
                    *response = Some(send(model, request).await?);
                    Ok(Some(Bytes::new()))
                }
                Some(response) => response.chunk().await.map_err(|error| {
                    let cause = http::failure(error, &model.url, true);
                    errors::truncated("a broken connection").with_source(cause)
                }),
            }
        };
        let piece = tokio::select! {
            biased;
            piece = reading => piece,
            () = context.cancellation.cancelled() => return Err(errors::cancelled()),
            error = timer.expired() => Err(error),
        };
        match piece {
            Ok(Some(piece)) => {
                timer.head_came();
                Ok(Some(piece))
            }
            Err(_) if self.fold.is_finished() => Ok(None),
            other => other,
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
    async fn drain(&mut self) {
        let Some(response) = &mut self.response else {
            return;
        };
        let rest = async { while let Ok(Some(_)) = response.chunk().await {} };
        let _ = tokio::time::timeout(std::time::Duration::from_millis(5), rest).await;
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
