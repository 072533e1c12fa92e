use futures_util::StreamExt;
use nfa_core::content::Message;

use super::*;

async fn run(model: &ScriptedModel, deltas: bool) -> Vec<Result<ModelDelta, Error>> {
    let context = CallContext::detached();
    let mut request = ModelRequest::new(vec![Arc::new(Message::user("hi"))]);
    request.deltas = deltas;
    model.generate(&context, &request).collect().await
}

fn text_of(items: &[Result<ModelDelta, Error>]) -> Vec<String> {
    items
        .iter()
        .filter_map(|item| match item {
            Ok(ModelDelta::Text(text)) => Some(text.clone()),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn plays_its_turns_in_order_and_keeps_the_requests() {
    let model = ScriptedModel::new([Turn::text("one"), Turn::call("add", "{}")]);
    assert_eq!(run(&model, false).await.len(), 1);
    let items = run(&model, true).await;
    assert!(
        matches!(&items[0], Ok(ModelDelta::ToolCallStarted { index: 0, name }) if name == "add")
    );
    assert_eq!(model.calls(), 2);
    assert!(model.requests()[1].deltas);
    assert_eq!(model.remaining(), 0);
}

#[tokio::test]
async fn running_out_of_script_is_an_error() {
    let model = ScriptedModel::new([Turn::text("one")]);
    assert!(run(&model, false).await[0].is_ok());
    let items = run(&model, false).await;
    assert_eq!(items[0].as_ref().unwrap_err().code(), "script_exhausted");
}

#[tokio::test]
async fn chunks_hold_whole_characters() {
    let model = ScriptedModel::new([Turn::text("añb—c").in_chunks_of(2)]);
    assert_eq!(text_of(&run(&model, true).await), ["añ", "b—", "c"]);
}

#[tokio::test]
async fn a_gate_holds_an_answer_and_cancelling_ends_the_wait() {
    let gate = Gate::new();
    let model = ScriptedModel::new([
        Turn::text("abc").in_chunks_of(1).held_after(1, &gate),
        Turn::text("never").held_by(&Gate::new()),
    ]);
    let context = CallContext::detached();
    let mut request = ModelRequest::new(vec![]);
    request.deltas = true;
    let mut stream = model.generate(&context, &request);
    assert_eq!(
        stream.next().await.unwrap().unwrap(),
        ModelDelta::Text("a".into())
    );
    let ((), rest) = tokio::join!(
        async {
            gate.reached(1).await;
            gate.open();
        },
        stream.collect::<Vec<_>>()
    );
    assert_eq!(rest.len(), 3);

    let ((), items) = tokio::join!(
        async { context.cancellation.cancel() },
        model.generate(&context, &request).collect::<Vec<_>>()
    );
    assert_eq!(items[0].as_ref().unwrap_err().code(), "model_cancelled");
    assert_eq!(items.len(), 1);
}

#[tokio::test]
async fn breaks_and_retracts_where_the_script_says() {
    let broken = Error::new(
        Component::Model,
        Category::Transient,
        "stream_truncated",
        "cut",
    );
    let model = ScriptedModel::new([
        Turn::text("abc").in_chunks_of(1).breaking_after(2, broken),
        Turn::text("abc")
            .in_chunks_of(2)
            .retracted_after(1, "again"),
    ]);
    let items = run(&model, true).await;
    assert_eq!(text_of(&items), ["a", "b"]);
    assert_eq!(items[2].as_ref().unwrap_err().code(), "stream_truncated");
    assert!(items[2].as_ref().unwrap_err().is_retryable());

    let items = run(&model, true).await;
    assert!(matches!(&items[1], Ok(ModelDelta::Retracted { .. })));
    assert_eq!(text_of(&items), ["ab", "ab", "c"]);
}

#[tokio::test]
async fn a_function_sees_the_request() {
    let model = ScriptedModel::from_fn(|request| Turn::text(request.messages.len().to_string()));
    assert_eq!(text_of(&run(&model, true).await), ["1"]);
}
