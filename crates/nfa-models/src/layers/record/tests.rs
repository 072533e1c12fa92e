use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use nfa_core::content::{Message, Opaque, Part};
use nfa_core::ports::{CallContext, Model, ModelDelta, ModelRequest, ModelStream, ToolDefinition};
use nfa_core::spec::ModelSettings;
use nfa_core::{Category, Component, Error};
use nfa_testkit::scripted::{Gate, ScriptedModel, Turn};
use serde_json::json;
use tempfile::TempDir;

use super::*;

fn file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recording.jsonl");
    (folder, path)
}

fn asking(text: &str) -> ModelRequest {
    let mut request = ModelRequest::new(vec![Arc::new(Message::user(text))]);
    request.deltas = true;
    request
}

async fn ask(model: &impl Model, request: &ModelRequest) -> Vec<Result<ModelDelta, Error>> {
    let context = CallContext::detached();
    model.generate(&context, request).collect().await
}

fn shown(items: &[Result<ModelDelta, Error>]) -> String {
    format!("{items:?}")
}

fn broken() -> Error {
    Error::new(
        Component::Model,
        Category::Transient,
        "stream_truncated",
        "cut",
    )
    .with_details(json!({ "status": 200 }))
}

/// Requests with everything in them that a request can hold.
fn requests() -> Vec<ModelRequest> {
    let mut full = asking("Add.");
    full.tools = Arc::from([ToolDefinition {
        name: "add".into(),
        description: "Adds.".into(),
        parameters: Arc::new(json!({ "type": "object" })),
    }]);
    full.output_schema = Some(Arc::new(json!({ "type": "string" })));
    full.settings = Arc::new(ModelSettings {
        temperature: Some(0.5),
        seed: Some(i64::MAX),
        ..ModelSettings::default()
    });
    let mut media = Message::user("See\u{0}\u{1F600}\n.");
    media.parts.push(Part::media("image/png", "data:,"));
    media.parts.push(Part::Opaque(Opaque {
        provider: "test".to_owned(),
        value: json!({ "x": [0.1, 2.0, -0.0, 1e300] }),
    }));
    full.messages.push(Arc::new(media));
    vec![asking("one"), full, asking("three")]
}

fn turns() -> Vec<Turn> {
    vec![
        Turn::text("Hello.").in_chunks_of(2),
        Turn::call("add", r#"{"a":1}"#).after_text("I add."),
        Turn::text("half of it")
            .in_chunks_of(4)
            .breaking_after(1, broken()),
    ]
}

#[tokio::test]
async fn what_was_recorded_is_said_again() {
    let (_folder, path) = file();
    let recorder = Recorder::open(&path).unwrap();
    let model = recorder
        .around(ScriptedModel::new(turns()).named("openai/gpt-5"))
        .with_deltas();
    let mut real = Vec::new();
    for request in requests() {
        real.push(shown(&ask(&model, &request).await));
    }
    recorder.finish().unwrap();

    for order in [ReplayOrder::Recorded, ReplayOrder::Any] {
        let replay = Replay::open(&path, order).unwrap();
        assert_eq!(replay.name(), "openai/gpt-5");
        for (request, real) in requests().iter().zip(&real) {
            assert_eq!(&shown(&ask(&replay, request).await), real);
        }
        replay.finish().unwrap();
    }
    // Any order, and without deltas.
    let replay = Replay::open(&path, ReplayOrder::Any).unwrap();
    for request in requests().iter_mut().rev() {
        request.deltas = false;
        assert_eq!(ask(&replay, request).await.len(), 1);
    }
    replay.finish().unwrap();
}

#[tokio::test]
async fn deltas_that_were_not_recorded_are_made_of_the_answer() {
    let (_folder, path) = file();
    let recorder = Recorder::open(&path).unwrap();
    ask(
        &recorder.around(ScriptedModel::new(turns())),
        &asking("one"),
    )
    .await;
    let replay = Replay::open(&path, ReplayOrder::Recorded).unwrap();
    let items = ask(&replay, &asking("one")).await;
    assert_eq!(
        items[0].as_ref().unwrap(),
        &ModelDelta::Text("Hello.".into())
    );
    assert_eq!(items.len(), 2);
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains("deltas"), "{text}");
    assert_eq!(text.lines().count(), 2);
}

#[tokio::test]
async fn a_request_that_does_not_match_is_told_where_it_differs() {
    let (_folder, path) = file();
    let recorder = Recorder::open(&path).unwrap();
    let model = recorder.around(ScriptedModel::from_fn(|_| Turn::text("fine")));
    for text in ["How is the weather in Lyon?", "Say hello."] {
        ask(&model, &asking(text)).await;
    }
    let mut warm = asking("Say hello.");
    warm.settings = Arc::new(ModelSettings {
        temperature: Some(1.0),
        ..ModelSettings::default()
    });
    let replay = Replay::open(&path, ReplayOrder::Any).unwrap();
    let items = ask(&replay, &warm).await;
    let error = items[0].as_ref().unwrap_err();
    assert_eq!(
        (error.code(), error.category()),
        ("replay_unmatched", Category::Input)
    );
    assert_eq!(error.details()["path"], "/settings");
    assert_eq!(error.details()["line"], 3);
    assert!(
        error
            .message()
            .contains("recorded nothing, asked `{\"temperature\":1}`"),
        "{error}"
    );
    // A request that does not match uses nothing up.
    assert_eq!(replay.remaining(), 2);
    let left = replay.finish().unwrap_err();
    assert_eq!(
        (left.code(), &left.details()["lines"]),
        ("replay_unused", &json!([2, 3]))
    );

    // In the recorded order, the second request may not come first.
    let replay = Replay::open(&path, ReplayOrder::Recorded).unwrap();
    let items = ask(&replay, &asking("Say hello.")).await;
    let error = items[0].as_ref().unwrap_err();
    assert_eq!(error.details()["line"], 2);
    assert_eq!(error.details()["path"], "/messages/0/parts/0/text");
    assert!(
        error.message().contains("`How is the weather in Lyon?`"),
        "{error}"
    );
    for text in ["How is the weather in Lyon?", "Say hello."] {
        assert!(ask(&replay, &asking(text)).await.iter().all(Result::is_ok));
    }
    replay.finish().unwrap();
    let items = ask(&replay, &asking("Say hello.")).await;
    let error = items[0].as_ref().unwrap_err();
    assert!(error.message().contains("all 2 exchanges"), "{error}");
}

/// A person may have edited the file, and wrote numbers and members in another way.
#[tokio::test]
async fn the_same_json_is_the_same_request() {
    let (_folder, path) = file();
    let recorder = Recorder::open(&path).unwrap();
    let mut request = asking("hi");
    request.settings = Arc::new(ModelSettings {
        temperature: Some(1.0),
        top_p: Some(0.5),
        ..ModelSettings::default()
    });
    ask(&recorder.around(ScriptedModel::new(turns())), &request).await;
    let text = fs::read_to_string(&path).unwrap();
    let (one, other) = (
        r#"{"temperature":1,"top_p":0.5}"#,
        r#"{ "top_p": 5e-1, "temperature": 1.0 }"#,
    );
    assert!(text.contains(one), "{text}");
    for text in [text.clone(), text.replace(one, other)] {
        fs::write(&path, text).unwrap();
        let replay = Replay::open(&path, ReplayOrder::Recorded).unwrap();
        assert!(ask(&replay, &request).await.iter().all(Result::is_ok));
    }
}

#[tokio::test]
async fn equal_requests_are_answered_one_after_the_other() {
    let (_folder, path) = file();
    let recorder = Recorder::open(&path).unwrap();
    let model = recorder.around(ScriptedModel::new([
        Turn::text("first"),
        Turn::text("second"),
    ]));
    for _ in 0..2 {
        ask(&model, &asking("again")).await;
    }
    let replay = Replay::open(&path, ReplayOrder::Any).unwrap();
    for expected in ["first", "second"] {
        let items = ask(&replay, &asking("again")).await;
        assert_eq!(
            items[0].as_ref().unwrap(),
            &ModelDelta::Text(expected.into())
        );
    }
}

#[tokio::test]
async fn exchanges_stand_in_the_order_of_asking() {
    let (_folder, path) = file();
    let recorder = Recorder::open(&path).unwrap();
    let gate = Gate::new();
    let slow = recorder.around(ScriptedModel::new([Turn::text("slow").held_by(&gate)]));
    let fast = recorder.around(ScriptedModel::new([Turn::text("fast")]));
    let (first, second) = (asking("first"), asking("second"));
    tokio::join!(ask(&slow, &first), async {
        gate.reached(1).await;
        ask(&fast, &second).await;
        gate.open();
    });
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.find("fast") < text.find("slow"));
    let replay = Replay::open(&path, ReplayOrder::Recorded).unwrap();
    for request in [first, second] {
        assert!(ask(&replay, &request).await.iter().all(Result::is_ok));
    }
}

#[tokio::test]
async fn recording_again_goes_on_after_a_crash() {
    let (_folder, path) = file();
    let record = async |text: &str| {
        let recorder = Recorder::open(&path).unwrap();
        let model = recorder.around(ScriptedModel::from_fn(|_| Turn::text("naïve — fine")));
        ask(&model, &asking(text)).await;
        recorder.finish().unwrap();
    };
    record("one").await;
    let one = fs::read(&path).unwrap();
    record("two").await;
    let both = fs::read(&path).unwrap();
    // Whatever was left of the second line, in the middle of a code point too.
    for cut in (one.len()..both.len()).step_by(3) {
        fs::write(&path, &both[..cut]).unwrap();
        let replay = Replay::open(&path, ReplayOrder::Any).unwrap();
        assert_eq!(replay.remaining(), 1);
        record("three").await;
        let replay = Replay::open(&path, ReplayOrder::Recorded).unwrap();
        for text in ["one", "three"] {
            assert!(
                ask(&replay, &asking(text)).await.iter().all(Result::is_ok),
                "{cut}"
            );
        }
        replay.finish().unwrap();
    }
    // A header that was cut off is written again.
    fs::write(&path, &one[..7]).unwrap();
    record("one").await;
    assert_eq!(fs::read(&path).unwrap(), one);
}

#[tokio::test]
async fn what_is_no_recording_is_refused_and_left_alone() {
    let (folder, path) = file();
    let header = "{\"nfa_recording\":1}\n";
    let line = |end: &str| {
        let comma = if end.is_empty() { "" } else { "," };
        format!("{header}{{\"at\":1,\"model\":\"a/b\",\"request\":{{}}{comma}{end}}}\n")
    };
    fs::write(&path, line(r#""dropped":true"#)).unwrap();
    assert_eq!(
        Replay::open(&path, ReplayOrder::Any).unwrap().remaining(),
        1
    );
    for (content, line) in [
        ("# Notes\n".to_owned(), 1),
        ("{\"nfa_recording\":2}\n".to_owned(), 1),
        ("\n".to_owned(), 1),
        (format!("{header}{{}}\n"), 2),
        (format!("{header}{{\"at\":1}}\nnonsense\n"), 2),
        (line(r#""dropped":true,"extra":1"#), 2),
        (line(r#""dropped":false"#), 2),
        (line(""), 2),
    ] {
        fs::write(&path, &content).unwrap();
        let refused = [
            Recorder::open(&path).map(|_| ()).unwrap_err(),
            Replay::open(&path, ReplayOrder::Any)
                .map(|_| ())
                .unwrap_err(),
        ];
        for error in refused {
            assert_eq!(error.code(), "recording_invalid", "{content}");
            assert!(
                error.message().contains(&format!("line {line}:")),
                "{error}"
            );
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
    fs::write(&path, "").unwrap();
    assert_eq!(
        Replay::open(&path, ReplayOrder::Any).unwrap_err().code(),
        "recording_invalid"
    );
    Recorder::open(&path).unwrap();
    assert_eq!(
        Replay::open(&path, ReplayOrder::Any).unwrap().remaining(),
        0
    );
    let missing = folder.path().join("missing.jsonl");
    let error = Replay::open(&missing, ReplayOrder::Any).unwrap_err();
    assert_eq!(
        (error.code(), error.category()),
        ("recording_failed", Category::Configuration)
    );
    assert_eq!(
        Recorder::open(folder.path()).unwrap_err().code(),
        "recording_failed"
    );
}

#[tokio::test]
async fn a_dropped_call_is_recorded_as_far_as_it_came() {
    let (_folder, path) = file();
    let recorder = Recorder::open(&path).unwrap();
    let model = recorder
        .around(ScriptedModel::new([Turn::text("ab")
            .in_chunks_of(1)
            .held_after(1, &Gate::new())]))
        .with_deltas();
    let (context, request) = (CallContext::detached(), asking("one"));
    let mut stream = model.generate(&context, &request);
    stream.next().await.unwrap().unwrap();
    drop(stream);
    let replay = Replay::open(&path, ReplayOrder::Recorded).unwrap();
    let mut stream = replay.generate(&context, &request);
    assert_eq!(
        stream.next().await.unwrap().unwrap(),
        ModelDelta::Text("a".into())
    );
    assert!(futures_util::poll!(stream.next()).is_pending());
    context.cancellation.cancel();
    assert_eq!(
        stream.next().await.unwrap().unwrap_err().code(),
        "model_cancelled"
    );
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn an_error_keeps_how_long_to_wait() {
    struct Limited;
    impl Model for Limited {
        fn name(&self) -> &str {
            "one/a"
        }
        fn generate<'a>(&'a self, _: &'a CallContext, _: &'a ModelRequest) -> ModelStream<'a> {
            let error = broken().with_retry_after(Duration::from_millis(1500));
            nfa_core::ports::single_answer(std::future::ready(Err(error)))
        }
    }
    let (_folder, path) = file();
    let recorder = Recorder::open(&path).unwrap();
    ask(&recorder.around(Limited), &asking("one")).await;
    let replay = Replay::open(&path, ReplayOrder::Any).unwrap();
    let items = ask(&replay, &asking("one")).await;
    let error = items[0].as_ref().unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_millis(1500)));
    assert_eq!(error.details(), &json!({ "status": 200 }));
}

#[tokio::test]
async fn a_recording_may_hold_several_models() {
    let (_folder, path) = file();
    let recorder = Recorder::open(&path).unwrap();
    for name in ["one/a", "two/b"] {
        let script = ScriptedModel::new([Turn::text(name)]).named(name);
        ask(&recorder.around(script), &asking("hi")).await;
    }
    let replay = Replay::open(&path, ReplayOrder::Recorded)
        .unwrap()
        .of_model("two/b");
    let items = ask(&replay, &asking("hi")).await;
    assert_eq!(
        items[0].as_ref().unwrap(),
        &ModelDelta::Text("two/b".into())
    );
    replay.finish().unwrap();
}

proptest::proptest! {
    /// Whatever a file holds, it is read or refused with the line that is wrong.
    #[test]
    fn any_text_is_a_recording_or_is_refused(
        text in "(\\{\"nfa_recording\":1\\}\n)?([ -~]{0,40}\n){0,3}[ -~]{0,10}",
        member in "(\"[a-z_]{1,8}\":(1|true|\\{\\}|\"x\"|null),?){0,4}",
    ) {
        let line = format!("{{\"nfa_recording\":1}}\n{{\"at\":1,\"model\":\"a\",{member}}}\n");
        for text in [text, line] {
            match exchange::read(std::path::Path::new("r"), &text) {
                Ok(read) => proptest::prop_assert!(read.whole <= text.len()),
                Err(error) => {
                    proptest::prop_assert_eq!(error.code(), "recording_invalid");
                    proptest::prop_assert!(error.message().contains(", line "));
                }
            }
        }
    }
}

#[cfg(feature = "fuzzing")]
proptest::proptest! {
    #[test]
    fn the_body_of_the_fuzz_target_holds(
        line in "\"at\":[0-9]{1,3},\"model\":\"a/b\",\"request\":(1|\\{\\}|null|\"[ -!#-\\[\\]-~]{0,9}\"),\"dropped\":true",
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60),
    ) {
        fuzz(format!("{}\n{{{line}}}\n", exchange::HEADER).as_bytes());
        fuzz(&bytes);
    }
}
