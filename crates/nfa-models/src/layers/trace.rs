//! Spans, with the names of OpenTelemetry's conventions for generative AI.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;
use nfa_core::Error;
use nfa_core::content::FinishReason;
use nfa_core::ports::{CallContext, Capabilities, Model, ModelDelta, ModelRequest, ModelStream};
use tracing::Span;
use tracing::field::Empty;

use super::watched::{Outcome, Watch, Watched};
use crate::errors;

mod content;

/// A model whose calls are spans of the crate `tracing`, for whichever subscriber the program has.
///
/// Each call is a span `chat` at level INFO, from the call to its end; the inner model runs inside it. Its
/// `otel.name` is `chat MODEL`, as a bridge to OpenTelemetry reads it, and its fields are named as in the
/// semantic conventions: `gen_ai.operation.name`, `gen_ai.provider.name`, `gen_ai.request.model` and the settings
/// that are set, `gen_ai.agent.name`, `gen_ai.output.type`; then `gen_ai.response.model`, `gen_ai.response.id`,
/// `gen_ai.response.finish_reasons` (a JSON array, since a field holds no list), `gen_ai.usage.input_tokens`,
/// `gen_ai.usage.output_tokens` and the cached ones, or `error.type` with the code of the error. A call that
/// nobody wanted any more has the code `model_cancelled`.
///
/// **No content is in them**, neither of messages nor of tools, nor the words of errors, which may quote a prompt;
/// only [`Traced::with_content`] adds it.
///
/// ```
/// use nfa_core::ports::Model;
/// use nfa_models::Traced;
/// use nfa_testkit::scripted::ScriptedModel;
///
/// let model = Traced::new(ScriptedModel::new([]).named("openai/gpt-5-mini"));
/// assert_eq!(model.name(), "openai/gpt-5-mini");
/// ```
#[derive(Debug)]
pub struct Traced<M> {
    inner: M,
    provider: String,
    model: String,
    span_name: String,
    content: bool,
}

impl<M: Model> Traced<M> {
    /// `inner`, traced.
    pub fn new(inner: M) -> Self {
        let (provider, model) = inner.name().split_once('/').unwrap_or(("", inner.name()));
        Self {
            provider: provider_name(provider).to_owned(),
            span_name: format!("chat {model}"),
            model: model.to_owned(),
            inner,
            content: false,
        }
    }

    /// The same, with everything that is said in the spans: `gen_ai.system_instructions`,
    /// `gen_ai.input.messages`, `gen_ai.output.messages` and `gen_ai.tool.definitions`, as JSON. Whoever reads the
    /// traces then reads what users said.
    #[must_use]
    pub fn with_content(mut self) -> Self {
        self.content = true;
        self
    }

    fn span(&self, context: &CallContext, request: &ModelRequest) -> Span {
        let settings = &request.settings;
        tracing::info_span!(
            "chat",
            otel.name = %self.span_name,
            otel.kind = "client",
            otel.status_code = Empty,
            gen_ai.operation.name = "chat",
            gen_ai.provider.name = %self.provider,
            gen_ai.request.model = %self.model,
            gen_ai.request.max_tokens = settings.max_output_tokens,
            gen_ai.request.temperature = settings.temperature,
            gen_ai.request.top_p = settings.top_p,
            gen_ai.request.seed = settings.seed,
            gen_ai.output.type = if request.output_schema.is_some() { "json" } else { "text" },
            gen_ai.agent.name = %context.agent,
            gen_ai.response.model = Empty,
            gen_ai.response.id = Empty,
            gen_ai.response.finish_reasons = Empty,
            gen_ai.usage.input_tokens = Empty,
            gen_ai.usage.output_tokens = Empty,
            gen_ai.usage.cache_read.input_tokens = Empty,
            gen_ai.usage.cache_creation.input_tokens = Empty,
            error.r#type = Empty,
            gen_ai.system_instructions = Empty,
            gen_ai.input.messages = Empty,
            gen_ai.output.messages = Empty,
            gen_ai.tool.definitions = Empty,
        )
    }
}

/// How the conventions call a provider; others keep their name.
fn provider_name(provider: &str) -> &str {
    match provider {
        "azure" => "azure.ai.openai",
        "bedrock" => "aws.bedrock",
        "gemini" | "google" => "gcp.gemini",
        "mistral" => "mistral_ai",
        "vertex" => "gcp.vertex_ai",
        "xai" => "x_ai",
        other => other,
    }
}

fn finish_reason(finish: FinishReason) -> &'static str {
    match finish {
        FinishReason::Stop => "stop",
        FinishReason::ToolCalls => "tool_call",
        FinishReason::Length => "length",
        FinishReason::ContentFilter => "content_filter",
        FinishReason::Refusal => "refusal",
        _ => "other",
    }
}

impl<M: Model> Model for Traced<M> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn generate<'a>(
        &'a self,
        context: &'a CallContext,
        request: &'a ModelRequest,
    ) -> ModelStream<'a> {
        let span = self.span(context, request);
        if span.is_disabled() {
            return self.inner.generate(context, request);
        }
        if self.content {
            content::of_request(&span, request);
        }
        let inner = span.in_scope(|| self.inner.generate(context, request));
        let note = Note {
            span: span.clone(),
            content: self.content,
        };
        Box::pin(InSpan {
            span,
            inner: Some(Watched::new(inner, note)),
        })
    }
}

/// Notes how a call ended in its span.
struct Note {
    span: Span,
    content: bool,
}

impl Watch for Note {
    fn delta(&mut self, _: &ModelDelta) {}

    fn end(&mut self, outcome: Outcome<'_>) {
        let span = &self.span;
        let failed = |code: &str| {
            span.record("error.type", code);
            span.record("otel.status_code", "ERROR");
        };
        match outcome {
            Outcome::Answer(answer) => {
                let finish = finish_reason(answer.finish);
                let usage = answer.usage;
                if !answer.model.is_empty() {
                    span.record("gen_ai.response.model", &*answer.model);
                }
                if let Some(id) = &answer.response_id {
                    span.record("gen_ai.response.id", &**id);
                }
                span.record("gen_ai.response.finish_reasons", format!("[\"{finish}\"]"));
                for (name, tokens) in [
                    ("gen_ai.usage.input_tokens", usage.input_tokens),
                    ("gen_ai.usage.output_tokens", usage.output_tokens),
                    ("gen_ai.usage.cache_read.input_tokens", usage.cached_tokens),
                    (
                        "gen_ai.usage.cache_creation.input_tokens",
                        usage.cache_write_tokens,
                    ),
                ] {
                    span.record(name, tokens);
                }
                if self.content {
                    content::of_answer(span, answer, finish);
                }
            }
            Outcome::Error(error) => failed(error.code()),
            Outcome::Dropped => failed(errors::CANCELLED),
        }
    }
}

/// A stream that is polled, and dropped, inside a span.
struct InSpan<'a> {
    span: Span,
    inner: Option<Watched<'a, Note>>,
}

impl Stream for InSpan<'_> {
    type Item = Result<ModelDelta, Error>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let _entered = this.span.enter();
        match &mut this.inner {
            Some(inner) => Pin::new(inner).poll_next(task),
            None => Poll::Ready(None),
        }
    }
}

impl Drop for InSpan<'_> {
    fn drop(&mut self) {
        let _entered = self.span.enter();
        self.inner = None;
    }
}

#[cfg(test)]
mod tests;
