//! Asking another model when one cannot answer.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::Stream;
use nfa_core::content::ModelAnswer;
use nfa_core::ports::{CallContext, Capabilities, Model, ModelDelta, ModelRequest, ModelStream};
use nfa_core::{Category, Error};
use serde_json::{Value, json};

use super::watched::is_content;
use crate::errors;

/// Models in the order in which they are asked; the next one only when the one before cannot answer.
///
/// **Who is asked.** A model that lacks what the request needs ([`Capabilities::lacks`]) is passed over. The
/// next one is asked after an error that is transient (put [`crate::Retry`] around the members, not around
/// the chain, and it has been tried again by then; an open breaker is one of these), or of the configuration
/// (no credit, a key that is not accepted, no such model), or when a part cannot be sent over the wire. After
/// `model_context_length` only a model is asked whose window is declared larger. Every other error ends the
/// call: a request that is wrong is wrong everywhere.
///
/// **What is heard.** When deltas have surfaced, [`ModelDelta::Retracted`] voids them before the next model
/// begins. `ModelAnswer::model` says who answered: `provider/model`, with the model as its provider names it.
///
/// **When nobody answers**, the error is `model_fallbacks_exhausted`; its `details.tries` has one object for
/// each member: `model`, and `code` and `message`, or `lacks`. It is transient when any of the errors was, and
/// asks to wait as long as the least patient of them.
///
/// Name and capabilities are those of the first: the others stand in for it.
///
/// ```
/// use std::sync::Arc;
///
/// use futures_util::StreamExt;
/// use nfa_core::ports::{CallContext, Model, ModelDelta, ModelRequest};
/// use nfa_core::{Category, Component, Error};
/// use nfa_models::Fallback;
/// use nfa_testkit::scripted::{ScriptedModel, Turn};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let broke = Error::new(Component::Model, Category::Configuration, "model_quota", "no credit left");
/// let first: Arc<dyn Model> = ScriptedModel::new([Turn::error(broke)]).named("openai/gpt-5").into();
/// let second = ScriptedModel::new([Turn::text("hi")]).named("ollama/llama3.2").into();
/// let model = Fallback::new(first).or(second);
/// let (context, request) = (CallContext::detached(), ModelRequest::new(vec![]));
/// let last = model.generate(&context, &request).next().await;
/// let Some(Ok(ModelDelta::Finished(answer))) = last else { panic!("no answer") };
/// assert_eq!(answer.model, "ollama/scripted");
/// # });
/// ```
#[derive(Debug)]
pub struct Fallback<M> {
    first: M,
    others: Vec<M>,
}

impl<M: Model> Fallback<M> {
    /// A chain of one.
    pub fn new(first: M) -> Self {
        Self {
            first,
            others: Vec::new(),
        }
    }

    /// The same with one more to ask when those before it cannot answer.
    #[must_use]
    pub fn or(mut self, next: M) -> Self {
        self.others.push(next);
        self
    }

    fn get(&self, at: usize) -> Option<&M> {
        match at.checked_sub(1) {
            None => Some(&self.first),
            Some(at) => self.others.get(at),
        }
    }
}

impl<M: Model> Model for Fallback<M> {
    fn name(&self) -> &str {
        self.first.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.first.capabilities()
    }

    fn generate<'a>(
        &'a self,
        context: &'a CallContext,
        request: &'a ModelRequest,
    ) -> ModelStream<'a> {
        let mut walk = Walk {
            chain: self,
            context,
            request,
            next: 0,
            asked: None,
            larger_than: None,
            surfaced: false,
            tries: Vec::new(),
            over: false,
        };
        walk.advance();
        Box::pin(walk)
    }
}

/// What became of a member that did not answer.
enum Try<'a> {
    Failed(&'a str, Error),
    Lacks(&'a str, String),
}

struct Walk<'a, M> {
    chain: &'a Fallback<M>,
    context: &'a CallContext,
    request: &'a ModelRequest,
    /// The member to look at next.
    next: usize,
    /// Who is asked now.
    asked: Option<(&'a M, ModelStream<'a>)>,
    /// The window that was too small.
    larger_than: Option<u64>,
    surfaced: bool,
    tries: Vec<Try<'a>>,
    over: bool,
}

impl<'a, M: Model> Walk<'a, M> {
    /// Asks the next member that can do what is asked, if there is one.
    fn advance(&mut self) {
        self.asked = None;
        while let Some(model) = self.chain.get(self.next) {
            self.next += 1;
            match self.lacks(model) {
                None => {
                    self.asked = Some((model, model.generate(self.context, self.request)));
                    return;
                }
                Some(what) => self.tries.push(Try::Lacks(model.name(), what)),
            }
        }
    }

    fn lacks(&self, model: &M) -> Option<String> {
        let capabilities = model.capabilities();
        if let Some(what) = capabilities.lacks(self.request) {
            return Some(what.to_owned());
        }
        let window = self.larger_than?;
        let larger = capabilities.context_tokens.is_some_and(|own| own > window);
        (!larger).then(|| format!("a window declared larger than {window} tokens"))
    }

    /// Takes in why a member did not answer; gives the error back when it ends the call.
    fn failed(&mut self, model: &'a M, error: Error) -> Result<(), Error> {
        match (error.category(), error.code()) {
            (Category::Transient | Category::Configuration, _) | (_, errors::MEDIA_UNSUPPORTED) => {
            }
            (_, errors::CONTEXT_LENGTH) => match model.capabilities().context_tokens {
                Some(window) => self.larger_than = self.larger_than.max(Some(window)),
                None => return Err(error),
            },
            _ => return Err(error),
        }
        self.tries.push(Try::Failed(model.name(), error));
        Ok(())
    }

    fn exhausted(&mut self) -> Error {
        let tries = std::mem::take(&mut self.tries);
        let words: Vec<_> = tries.iter().map(Try::words).collect();
        let details: Vec<_> = tries.iter().map(Try::details).collect();
        let failures: Vec<_> = tries.into_iter().filter_map(Try::error).collect();
        let transient = failures.iter().any(Error::is_retryable);
        let too_long = failures
            .last()
            .is_some_and(|last| last.code() == errors::CONTEXT_LENGTH);
        let message = format!("no model of the chain could answer: {}", words.join("; "));
        let make = match (transient, too_long || failures.is_empty()) {
            (true, _) => errors::transient,
            (false, true) => errors::input,
            (false, false) => errors::configuration,
        };
        let mut error =
            make(errors::FALLBACKS_EXHAUSTED, message).with_details(json!({ "tries": details }));
        // A member that may answer at once, as far as anybody knows, is not waited for.
        let waits = failures.iter().filter(|error| error.is_retryable());
        let waits = waits.map(|error| error.retry_after().unwrap_or(Duration::ZERO));
        if let Some(wait) = waits.min().filter(|wait| !wait.is_zero()) {
            error = error.with_retry_after(wait);
        }
        match failures.into_iter().next_back() {
            Some(last) => error.with_source(last),
            None => error,
        }
    }

    /// An error that ends the call, with what was tried before it.
    fn end(&mut self, error: Error) -> Error {
        if self.tries.is_empty() {
            return error;
        }
        let tries: Vec<_> = self.tries.drain(..).map(|tried| tried.details()).collect();
        let mut details = match error.details() {
            Value::Object(details) => details.clone(),
            _ => serde_json::Map::new(),
        };
        details.insert("tries".to_owned(), tries.into());
        error.with_details(details.into())
    }
}

impl Try<'_> {
    fn words(&self) -> String {
        match self {
            Self::Failed(model, error) => format!("`{model}`: {error}"),
            Self::Lacks(model, what) => format!("`{model}` lacks {what}"),
        }
    }

    fn details(&self) -> Value {
        match self {
            Self::Failed(model, error) => {
                json!({ "model": model, "code": error.code(), "message": error.message() })
            }
            Self::Lacks(model, what) => json!({ "model": model, "lacks": what }),
        }
    }

    fn error(self) -> Option<Error> {
        match self {
            Self::Failed(_, error) => Some(error),
            Self::Lacks(..) => None,
        }
    }
}

/// Says in the answer who gave it. A name that says its provider already is left alone.
fn sign(answer: &mut ModelAnswer, model: &str) {
    if answer.model.is_empty() {
        model.clone_into(&mut answer.model);
    } else if !answer.model.contains('/')
        && let Some((provider, _)) = model.split_once('/')
    {
        answer.model = format!("{provider}/{}", answer.model);
    }
}

impl<M: Model> Stream for Walk<'_, M> {
    type Item = Result<ModelDelta, Error>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.over {
            return Poll::Ready(None);
        }
        loop {
            let Some((model, stream)) = &mut this.asked else {
                this.over = true;
                return Poll::Ready(Some(Err(this.exhausted())));
            };
            let model: &M = model;
            let error = match ready!(stream.as_mut().poll_next(task)) {
                Some(Ok(ModelDelta::Finished(mut answer))) => {
                    sign(&mut answer, model.name());
                    this.over = true;
                    this.asked = None;
                    return Poll::Ready(Some(Ok(ModelDelta::Finished(answer))));
                }
                Some(Ok(delta)) => {
                    this.surfaced = is_content(&delta);
                    return Poll::Ready(Some(Ok(delta)));
                }
                Some(Err(error)) => error,
                None => errors::internal(
                    errors::STREAM_ENDED,
                    format!(
                        "the stream of `{}` ended without an answer or an error",
                        model.name()
                    ),
                ),
            };
            let reason = error.code().to_owned();
            if let Err(error) = this.failed(model, error) {
                this.over = true;
                this.asked = None;
                return Poll::Ready(Some(Err(this.end(error))));
            }
            this.advance();
            // What surfaced before the last error stays: it is all there is.
            if this.asked.is_some() && std::mem::take(&mut this.surfaced) {
                return Poll::Ready(Some(Ok(ModelDelta::Retracted { reason })));
            }
        }
    }
}

#[cfg(test)]
mod tests;
