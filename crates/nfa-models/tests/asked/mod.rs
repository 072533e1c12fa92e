//! Asking a model, and what it says.

use futures_util::StreamExt;
use nfa_core::Error;
use nfa_core::content::ModelAnswer;
use nfa_core::ports::{CallContext, Model, ModelDelta, ModelRequest};

/// The deltas of one call, and the answer or error that ends it: the last thing that comes.
pub(crate) async fn ask(
    model: &impl Model,
    request: &ModelRequest,
) -> (Vec<ModelDelta>, Result<ModelAnswer, Error>) {
    let context = CallContext::detached();
    let mut stream = model.generate(&context, request);
    let mut said = Vec::new();
    let mut end = None;
    while let Some(item) = stream.next().await {
        assert!(end.is_none(), "something came after the end");
        match item {
            Ok(ModelDelta::Finished(answer)) => end = Some(Ok(*answer)),
            Ok(delta) => said.push(delta),
            Err(error) => end = Some(Err(error)),
        }
    }
    (said, end.expect("no end"))
}
