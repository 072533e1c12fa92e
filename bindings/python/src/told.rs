//! Telling the caller of a run of every call of a model, for traces.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{SystemTime, UNIX_EPOCH};

use futures_core::Stream;
use nfa_runtime::Error;
use nfa_runtime::content::ModelAnswer;
use nfa_runtime::host::HostSurroundings;
use nfa_runtime::ports::{CallContext, Capabilities, Model, ModelDelta, ModelRequest, ModelStream};
use serde_json::{Value, json};

use crate::Object;

/// A model whose calls are told of when they end.
pub(crate) struct Told(Arc<dyn Model>);

impl Told {
    pub(crate) fn new(model: Arc<dyn Model>) -> Self {
        Self(model)
    }
}

impl Model for Told {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn generate<'a>(
        &'a self,
        context: &'a CallContext,
        request: &'a ModelRequest,
    ) -> ModelStream<'a> {
        Box::pin(Watched {
            inner: self.0.generate(context, request),
            context,
            told: Some(json!({
                "model": self.0.name(),
                "start": nanoseconds(),
                "settings": *request.settings,
                "output_schema": request.output_schema.is_some(),
            })),
        })
    }
}

struct Watched<'a> {
    inner: ModelStream<'a>,
    context: &'a CallContext,
    told: Option<Value>,
}

impl Watched<'_> {
    fn tell(&mut self, how: Result<&ModelAnswer, &str>) {
        let (Some(Value::Object(mut told)), Ok(surroundings)) = (
            self.told.take(),
            HostSurroundings::<Object>::of(self.context),
        ) else {
            return;
        };
        told.insert("end".to_owned(), nanoseconds().into());
        match how {
            Ok(answer) => {
                told.insert("usage".to_owned(), json!(answer.usage));
                told.insert("finish".to_owned(), json!(answer.finish));
                told.insert("response_model".to_owned(), json!(answer.model));
                told.insert("response_id".to_owned(), json!(answer.response_id));
            }
            Err(code) => {
                told.insert("error".to_owned(), code.into());
            }
        }
        let given = Arc::clone(&surroundings.given);
        // Nobody waits for what the caller makes of it.
        drop(surroundings.host.call(
            given,
            "model_called",
            Some(self.context),
            Value::Object(told),
        ));
    }
}

impl Stream for Watched<'_> {
    type Item = Result<ModelDelta, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = std::task::ready!(self.inner.as_mut().poll_next(context));
        match &item {
            Some(Ok(ModelDelta::Finished(answer))) => self.tell(Ok(answer)),
            Some(Err(error)) => self.tell(Err(error.code())),
            _ => {}
        }
        Poll::Ready(item)
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.tell(Err("model_cancelled"));
    }
}

fn nanoseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since
        .ok()
        .and_then(|since| u64::try_from(since.as_nanos()).ok())
        .unwrap_or_default()
}
