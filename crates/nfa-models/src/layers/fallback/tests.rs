use std::sync::Arc;

use futures_util::StreamExt;
use nfa_core::Component;
use nfa_core::content::{Message, Part};
use nfa_core::ports::{MediaInput, ToolDefinition};
use nfa_testkit::scripted::{Gate, ScriptedModel, Turn};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn error(code: &'static str, category: Category) -> Error {
    Error::new(Component::Model, category, code, "x")
}

fn failing(name: &str, code: &'static str, category: Category) -> ScriptedModel {
    ScriptedModel::from_fn(move |_| Turn::error(error(code, category))).named(name)
}

fn answering(name: &str) -> ScriptedModel {
    ScriptedModel::from_fn(|_| Turn::text("fine")).named(name)
}

fn request() -> ModelRequest {
    let mut request = ModelRequest::new(vec![Arc::new(Message::user("hi"))]);
    request.deltas = true;
    request
}

async fn ask(model: &impl Model, request: &ModelRequest) -> Vec<Result<ModelDelta, Error>> {
    let context = CallContext::detached();
    model.generate(&context, request).collect().await
}

async fn end(model: &impl Model, request: &ModelRequest) -> Result<ModelAnswer, Error> {
    match ask(model, request).await.pop() {
        Some(Ok(ModelDelta::Finished(answer))) => Ok(*answer),
        Some(Err(error)) => Err(error),
        other => panic!("{other:?} is no end"),
    }
}

#[tokio::test]
async fn moves_on_from_what_another_model_may_answer_and_from_nothing_else() {
    use Category::{Cancelled, Configuration, Input, Internal, Transient};
    for (code, category, moves) in [
        (errors::UNAVAILABLE, Transient, true),
        (errors::RATE_LIMITED, Transient, true),
        (errors::CIRCUIT_OPEN, Transient, true),
        (errors::QUOTA, Configuration, true),
        (errors::AUTH, Configuration, true),
        (errors::NOT_FOUND, Configuration, true),
        (errors::MEDIA_UNSUPPORTED, Input, true),
        (errors::REQUEST_INVALID, Input, false),
        (errors::CONTEXT_LENGTH, Input, false),
        (errors::CANCELLED, Cancelled, false),
        (errors::DEADLINE, Cancelled, false),
        (errors::STREAM_ENDED, Internal, false),
    ] {
        let chain = Fallback::new(failing("one/a", code, category)).or(answering("two/b"));
        match end(&chain, &request()).await {
            Ok(answer) => {
                assert!(moves, "{code}");
                assert_eq!(answer.model, "two/scripted");
            }
            Err(found) => {
                assert!(!moves, "{code}");
                assert_eq!((found.code(), found.category()), (code, category));
            }
        }
        assert_eq!(chain.others[0].calls(), usize::from(moves), "{code}");
    }
    let chain = Fallback::new(answering("one/a")).or(answering("two/b"));
    assert_eq!(end(&chain, &request()).await.unwrap().model, "one/scripted");
    assert_eq!(chain.others[0].calls(), 0);
}

#[tokio::test]
async fn what_has_surfaced_is_retracted_before_the_next_model_begins() {
    let broken = || {
        let broken = error(errors::STREAM_TRUNCATED, Category::Transient);
        ScriptedModel::new([Turn::text("half").breaking_after(1, broken)])
    };
    let chain = Fallback::new(broken()).or(answering("two/b"));
    let items: Vec<_> = ask(&chain, &request())
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(items[0], ModelDelta::Text("half".into()));
    let reason = "stream_truncated".to_owned();
    assert_eq!(items[1], ModelDelta::Retracted { reason });
    assert_eq!(items[2], ModelDelta::Text("fine".into()));
    assert_eq!(items.len(), 4);

    // Where nobody is left, what surfaced stays.
    let chain = Fallback::new(broken());
    let items = ask(&chain, &request()).await;
    assert_eq!(items.len(), 2);
    assert_eq!(
        items[1].as_ref().unwrap_err().code(),
        "model_fallbacks_exhausted"
    );
}

#[tokio::test]
async fn a_model_that_lacks_what_is_asked_is_passed_over() {
    let able = |capabilities| answering("one/a").with_capabilities(capabilities);
    let plain = Capabilities::default;
    let mut with_tools = request();
    with_tools.tools = Arc::from([ToolDefinition {
        name: "add".into(),
        description: "Adds.".into(),
        parameters: Arc::new(json!({})),
    }]);
    let mut with_schema = request();
    with_schema.output_schema = Some(Arc::new(json!({})));
    let with_media = |kind: &str| {
        let mut message = Message::user("See.");
        message
            .parts
            .push(Part::media(kind, "https://example.org/x"));
        ModelRequest::new(vec![Arc::new(message)])
    };
    for (capabilities, asked) in [
        (plain().with_tools(false), with_tools),
        (plain().with_structured_output(false), with_schema),
        (
            plain().with_media(MediaInput::none().with_audio(true)),
            with_media("image/png"),
        ),
        (
            plain().with_media(MediaInput::default().with_files(false)),
            with_media("application/pdf"),
        ),
    ] {
        let chain = Fallback::new(able(capabilities)).or(answering("two/b"));
        assert_eq!(end(&chain, &asked).await.unwrap().model, "two/scripted");
        assert_eq!(chain.first.calls(), 0);
        // The same model is asked what it can do.
        assert_eq!(end(&chain, &request()).await.unwrap().model, "one/scripted");
        let alone = Fallback::new(able(capabilities));
        let refused = end(&alone, &asked).await.unwrap_err();
        assert_eq!(refused.code(), "model_fallbacks_exhausted");
        assert_eq!(refused.category(), Category::Input);
        assert!(refused.details()["tries"][0]["lacks"].is_string());
    }
    let hearing = able(plain().with_media(MediaInput::none().with_audio(true)));
    assert!(end(&hearing, &with_media("audio/wav")).await.is_ok());
}

#[tokio::test]
async fn too_long_a_conversation_goes_to_a_larger_window_only() {
    let window = |name: &str, tokens| {
        answering(name).with_capabilities(Capabilities::default().with_context_tokens(tokens))
    };
    let small = || {
        failing("one/small", errors::CONTEXT_LENGTH, Category::Input)
            .with_capabilities(Capabilities::default().with_context_tokens(8_000))
    };
    let chain = Fallback::new(small())
        .or(window("two/same", 8_000))
        .or(answering("three/unknown"))
        .or(window("four/large", 128_000));
    let answer = end(&chain, &request()).await.unwrap();
    assert_eq!(answer.model, "four/scripted");
    assert_eq!(
        chain
            .others
            .iter()
            .map(ScriptedModel::calls)
            .collect::<Vec<_>>(),
        [0, 0, 1]
    );

    let chain = Fallback::new(small()).or(window("two/same", 8_000));
    let refused = end(&chain, &request()).await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.category()),
        (errors::FALLBACKS_EXHAUSTED, Category::Input)
    );
    assert_eq!(
        refused.details()["tries"][0]["code"],
        "model_context_length"
    );
    assert!(
        refused.message().contains("larger than 8000 tokens"),
        "{refused}"
    );
}

#[tokio::test]
async fn the_error_at_the_end_tells_of_every_try() {
    let waiting = |name: &'static str, seconds: u64| {
        struct Limited(&'static str, u64);
        impl Model for Limited {
            fn name(&self) -> &str {
                self.0
            }
            fn generate<'a>(&'a self, _: &'a CallContext, _: &'a ModelRequest) -> ModelStream<'a> {
                let error = error(errors::RATE_LIMITED, Category::Transient)
                    .with_retry_after(SECOND * u32::try_from(self.1).unwrap());
                nfa_core::ports::single_answer(std::future::ready(Err(error)))
            }
        }
        Arc::new(Limited(name, seconds)) as Arc<dyn Model>
    };
    let broke: Arc<dyn Model> = failing("two/b", errors::QUOTA, Category::Configuration).into();
    let chain = Fallback::new(waiting("one/a", 9))
        .or(Arc::clone(&broke))
        .or(waiting("three/c", 4));
    let found = end(&chain, &request()).await.unwrap_err();
    assert_eq!(found.code(), "model_fallbacks_exhausted");
    assert!(found.is_retryable());
    assert_eq!(found.retry_after(), Some(SECOND * 4));
    let tries = found.details()["tries"].as_array().unwrap();
    let codes: Vec<_> = tries
        .iter()
        .map(|tried| tried["code"].as_str().unwrap())
        .collect();
    assert_eq!(
        codes,
        ["model_rate_limited", "model_quota", "model_rate_limited"]
    );
    for part in ["one/a", "two/b", "three/c", "model_quota"] {
        assert!(found.message().contains(part), "{found}");
    }
    let hopeless = end(&Fallback::new(broke), &request()).await.unwrap_err();
    assert_eq!(hopeless.category(), Category::Configuration);

    // An error that ends the call keeps its code, and still tells what was tried before.
    let chain = Fallback::new(failing("one/a", errors::UNAVAILABLE, Category::Transient))
        .or(failing("two/b", errors::REQUEST_INVALID, Category::Input));
    let found = end(&chain, &request()).await.unwrap_err();
    assert_eq!(found.code(), "model_request_invalid");
    assert_eq!(found.details()["tries"][0]["model"], "one/a");
}

#[tokio::test]
async fn a_cancelled_chain_asks_nobody_else() {
    let gate = Gate::new();
    let chain = Fallback::new(ScriptedModel::new([Turn::text("never").held_by(&gate)]))
        .or(answering("two/b"));
    let (context, request) = (CallContext::detached(), request());
    let (items, ()) = tokio::join!(
        chain.generate(&context, &request).collect::<Vec<_>>(),
        async {
            gate.reached(1).await;
            context.cancellation.cancel();
        }
    );
    assert_eq!(items[0].as_ref().unwrap_err().code(), "model_cancelled");
    assert_eq!(items.len(), 1);
    assert_eq!(chain.others[0].calls(), 0);
}

#[test]
fn an_answer_says_who_gave_it() {
    for (model, said, expected) in [
        (
            "openai/gpt-5",
            "gpt-5-2025-08-07",
            "openai/gpt-5-2025-08-07",
        ),
        ("openai/gpt-5", "", "openai/gpt-5"),
        ("openrouter/auto", "openai/gpt-5", "openai/gpt-5"),
        ("custom", "x", "x"),
    ] {
        let mut answer = nfa_testkit::scripted::answers::text("hi");
        answer.model = said.to_owned();
        sign(&mut answer, model);
        assert_eq!(answer.model, expected);
    }
}
