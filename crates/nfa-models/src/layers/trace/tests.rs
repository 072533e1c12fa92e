use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use nfa_core::content::{Message, Role, ToolResult, Usage};
use nfa_core::content::{Part, ToolCall};
use nfa_core::ports::ToolDefinition;
use nfa_core::spec::ModelSettings;
use nfa_core::{Category, Component};
use nfa_testkit::scripted::{Gate, ScriptedModel, Turn, answers};
use serde_json::json;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;

use super::super::lock;
use super::*;

/// Everything that a subscriber is told: spans by id, each with its fields, and the words of events.
#[derive(Clone, Default)]
struct Collected(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    spans: BTreeMap<u64, BTreeMap<String, String>>,
    closed: Vec<u64>,
    events: Vec<String>,
}

struct Fields<'a>(&'a mut BTreeMap<String, String>);

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

impl<S: tracing::Subscriber> Layer<S> for Collected {
    fn on_new_span(
        &self,
        attributes: &Attributes<'_>,
        id: &Id,
        _: tracing_subscriber::layer::Context<'_, S>,
    ) {
        let mut seen = lock(&self.0);
        let fields = seen.spans.entry(id.into_u64()).or_default();
        fields.insert("name".to_owned(), attributes.metadata().name().to_owned());
        attributes.record(&mut Fields(fields));
    }

    fn on_record(
        &self,
        id: &Id,
        values: &Record<'_>,
        _: tracing_subscriber::layer::Context<'_, S>,
    ) {
        let mut seen = lock(&self.0);
        values.record(&mut Fields(seen.spans.get_mut(&id.into_u64()).unwrap()));
    }

    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        let mut fields = BTreeMap::new();
        event.record(&mut Fields(&mut fields));
        let mut seen = lock(&self.0);
        seen.events.push(format!("{fields:?}"));
    }

    fn on_close(&self, id: Id, _: tracing_subscriber::layer::Context<'_, S>) {
        lock(&self.0).closed.push(id.into_u64());
    }
}

/// The fields of the only span that `work` makes, which is closed by then, and everything else that was told.
async fn traced(work: impl Future<Output = ()>) -> (BTreeMap<String, String>, String) {
    let collected = Collected::default();
    let subscriber = Registry::default().with(collected.clone());
    {
        let _default = tracing::subscriber::set_default(subscriber);
        work.await;
    }
    let seen = lock(&collected.0);
    assert_eq!(seen.spans.len(), 1);
    assert_eq!(seen.closed.len(), 1);
    let all = format!("{:?} {:?}", seen.spans, seen.events);
    (seen.spans.values().next().unwrap().clone(), all)
}

/// Words that only content holds.
const SECRETS: [&str; 7] = [
    "sesame", "umbrella", "walnut", "lantern", "harbour", "meadow", "violin",
];

fn request() -> ModelRequest {
    let mut request = ModelRequest::new(vec![
        Arc::new(Message::system("The password is sesame.")),
        Arc::new(Message::user("umbrella")),
        Arc::new(Message {
            role: Role::Assistant,
            parts: vec![Part::ToolCall(ToolCall::new(
                "c1",
                "find",
                r#"{"q":"walnut"}"#,
            ))],
        }),
        Arc::new(Message {
            role: Role::Tool,
            parts: vec![Part::ToolResult(ToolResult {
                call_id: "c1".to_owned(),
                name: "find".to_owned(),
                text: "lantern".to_owned(),
                is_error: false,
            })],
        }),
    ]);
    request.deltas = true;
    request.tools = Arc::from([ToolDefinition {
        name: "find".into(),
        description: "Finds a harbour.".into(),
        parameters: Arc::new(json!({})),
    }]);
    request.settings = Arc::new(ModelSettings {
        temperature: Some(0.5),
        max_output_tokens: Some(100),
        ..ModelSettings::default()
    });
    request
}

fn answering() -> ScriptedModel {
    let mut answer = answers::text("meadow");
    answer.model = "gpt-5-mini-2025-08-07".to_owned();
    answer.response_id = Some("resp_1".to_owned());
    answer.message.parts.insert(0, Part::reasoning("violin"));
    answer.usage = Usage {
        input_tokens: 12,
        output_tokens: 3,
        cached_tokens: 5,
        ..Usage::default()
    };
    ScriptedModel::new([Turn::answer(answer).in_chunks_of(2)]).named("openai/gpt-5-mini")
}

async fn ask(model: &impl Model) {
    let (context, request) = (CallContext::detached(), request());
    assert!(
        !model
            .generate(&context, &request)
            .collect::<Vec<_>>()
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn a_call_is_a_span_with_the_names_of_the_conventions() {
    let model = Traced::new(answering());
    let (fields, _) = traced(ask(&model)).await;
    for (name, value) in [
        ("name", "chat"),
        ("otel.name", "chat gpt-5-mini"),
        ("otel.kind", "client"),
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "openai"),
        ("gen_ai.request.model", "gpt-5-mini"),
        ("gen_ai.request.max_tokens", "100"),
        ("gen_ai.request.temperature", "0.5"),
        ("gen_ai.output.type", "text"),
        ("gen_ai.agent.name", "detached"),
        ("gen_ai.response.model", "gpt-5-mini-2025-08-07"),
        ("gen_ai.response.id", "resp_1"),
        ("gen_ai.response.finish_reasons", "[\"stop\"]"),
        ("gen_ai.usage.input_tokens", "12"),
        ("gen_ai.usage.output_tokens", "3"),
        ("gen_ai.usage.cache_read.input_tokens", "5"),
    ] {
        assert_eq!(fields.get(name).map(String::as_str), Some(value), "{name}");
    }
    for absent in ["error.type", "otel.status_code", "gen_ai.request.top_p"] {
        assert_eq!(fields.get(absent), None, "{absent}");
    }
}

#[tokio::test]
async fn content_is_in_the_spans_only_when_it_is_asked_for() {
    let plain = Traced::new(answering());
    let (fields, all) = traced(ask(&plain)).await;
    for secret in SECRETS {
        assert!(!all.contains(secret), "{secret} is in {all}");
    }
    assert_eq!(fields.get("gen_ai.input.messages"), None);

    let open = Traced::new(answering()).with_content();
    let (fields, all) = traced(ask(&open)).await;
    for secret in SECRETS {
        assert!(all.contains(secret), "{secret} is not in {all}");
    }
    let of = |name: &str| -> serde_json::Value { serde_json::from_str(&fields[name]).unwrap() };
    let said = |text: &str| json!({ "type": "text", "content": text });
    assert_eq!(
        of("gen_ai.system_instructions"),
        json!([said("The password is sesame.")])
    );
    let input = of("gen_ai.input.messages");
    assert_eq!(
        input[0],
        json!({ "role": "user", "parts": [said("umbrella")] })
    );
    assert_eq!(input[1]["parts"][0]["arguments"], json!({ "q": "walnut" }));
    assert_eq!(input[2]["parts"][0]["type"], "tool_call_response");
    let output = of("gen_ai.output.messages");
    assert_eq!(output[0]["finish_reason"], "stop");
    assert_eq!(output[0]["parts"][1], said("meadow"));
    assert_eq!(of("gen_ai.tool.definitions")[0]["name"], "find");
}

#[tokio::test]
async fn an_error_is_its_code_and_not_its_words() {
    let error = Error::new(
        Component::Model,
        Category::Transient,
        "stream_truncated",
        "the prompt `umbrella` was cut",
    );
    let broken = Turn::text("meadow").breaking_after(1, error);
    let model = Traced::new(ScriptedModel::new([broken]).named("gemini/flash"));
    let (fields, all) = traced(ask(&model)).await;
    assert_eq!(fields["error.type"], "stream_truncated");
    assert_eq!(fields["otel.status_code"], "ERROR");
    assert_eq!(fields["gen_ai.provider.name"], "gcp.gemini");
    assert_eq!(fields.get("gen_ai.response.finish_reasons"), None);
    assert!(!all.contains("umbrella"), "{all}");
}

#[tokio::test]
async fn a_dropped_call_closes_its_span() {
    let script = ScriptedModel::new([Turn::text("never").held_by(&Gate::new())]);
    let model = Traced::new(script);
    let (fields, _) = traced(async {
        let (context, request) = (CallContext::detached(), request());
        let mut stream = model.generate(&context, &request);
        assert!(futures_util::poll!(stream.next()).is_pending());
    })
    .await;
    assert_eq!(fields["error.type"], "model_cancelled");
}

/// Says in an event what it is asked inside of.
struct Inside;

impl Model for Inside {
    fn name(&self) -> &str {
        "test/inside"
    }

    fn generate<'a>(&'a self, _: &'a CallContext, _: &'a ModelRequest) -> ModelStream<'a> {
        nfa_core::ports::single_answer(async {
            let name = Span::current().metadata().map(|metadata| metadata.name());
            tracing::info!(inside = name);
            Ok(answers::text("hi"))
        })
    }
}

#[tokio::test]
async fn the_model_runs_inside_the_span_and_without_a_subscriber_as_well() {
    let (_, all) = traced(ask(&Traced::new(Inside))).await;
    assert!(all.contains(r#"\"inside\": \"chat\""#), "{all}");
    ask(&Traced::new(Inside).with_content()).await;
}
