use nfa_core::ports::ToolCalling;

use super::*;

fn providers(pairs: &'static [(&'static str, &'static str)]) -> Providers {
    Providers::new().with_environment(move |name| {
        pairs
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| (*value).to_owned())
    })
}

fn code(providers: &Providers, spec: &ModelSpec) -> String {
    match providers.model(spec) {
        Ok(model) => format!("ok {}", model.name()),
        Err(error) => error.code().to_owned(),
    }
}

#[test]
fn openai_needs_its_key_unless_it_is_elsewhere() {
    let spec = ModelSpec::from("openai/gpt-5-mini");
    assert_eq!(code(&providers(&[]), &spec), "model_key_missing");
    let error = providers(&[]).model(&spec).err().unwrap();
    assert!(error.message().contains("OPENAI_API_KEY"));
    assert_eq!(
        code(&providers(&[("OPENAI_API_KEY", "k")]), &spec),
        "ok openai/gpt-5-mini"
    );
    let local = providers(&[("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")]);
    assert_eq!(code(&local, &spec), "ok openai/gpt-5-mini");
    let mut named = spec.clone();
    named.api_key_env = Some("MY_KEY".to_owned());
    assert_eq!(code(&local, &named), "model_key_missing");
    assert_eq!(
        code(&providers(&[("OPENAI_API_KEY", "a\nb")]), &spec),
        "model_key_invalid"
    );
}

#[test]
fn names_are_checked() {
    let all = providers(&[]);
    assert_eq!(code(&all, &"gpt-5".into()), "model_spec_invalid");
    assert_eq!(code(&all, &"/gpt-5".into()), "model_spec_invalid");
    assert_eq!(code(&all, &"llamacpp/x".into()), "model_spec_invalid");
    assert_eq!(code(&all, &"opanai/x".into()), "model_unknown_provider");
    let error = all.model(&"opanai/x".into()).err().unwrap();
    assert!(error.message().contains("nearest are `openai`"), "{error}");
    let mut spec = ModelSpec::from("llamacpp/x");
    spec.base_url = Some("http://127.0.0.1:1".to_owned());
    assert_eq!(code(&all, &spec), "ok llamacpp/x");
    spec.tool_calling = Some("magic".to_owned());
    assert_eq!(code(&all, &spec), "model_spec_invalid");
    spec.tool_calling = Some("constrained".to_owned());
    let model = all.model(&spec).unwrap();
    assert_eq!(model.capabilities().tool_calling, ToolCalling::Constrained);
}

#[test]
fn every_built_in_provider_can_be_asked() {
    let all = Providers::new()
        .with_environment(|name| name.ends_with("_API_KEY").then(|| "k".to_owned()));
    for name in all.names() {
        let mut spec = ModelSpec::from(format!("{name}/m"));
        let needs_place = [
            "anthropic-compatible",
            "llamacpp",
            "openai-compatible",
            "vllm",
        ];
        if needs_place.contains(&name) {
            assert_eq!(code(&all, &spec), "model_spec_invalid", "{name}");
            spec.base_url = Some("http://127.0.0.1:1".to_owned());
        }
        assert_eq!(code(&all, &spec), format!("ok {name}/m"));
    }
}

#[test]
fn a_wire_is_one_that_the_provider_speaks() {
    let all = providers(&[("OPENAI_API_KEY", "k"), ("ANTHROPIC_API_KEY", "k")]);
    let mut spec = ModelSpec::from("openai/m");
    for (wire, expected) in [
        ("chat_completions", "ok openai/m"),
        ("responses", "ok openai/m"),
        ("messages", "model_spec_invalid"),
        ("telex", "model_spec_invalid"),
    ] {
        spec.wire = Some(wire.to_owned());
        assert_eq!(code(&all, &spec), expected, "{wire}");
    }
    spec.wire = Some("responses".to_owned());
    spec.tool_calling = Some("constrained".to_owned());
    assert_eq!(code(&all, &spec), "model_spec_invalid");
    // Its own place speaks Responses by itself, any other the older wire.
    spec.wire = None;
    assert_eq!(code(&all, &spec), "model_spec_invalid");
    spec.base_url = Some("http://127.0.0.1:1/v1".to_owned());
    assert_eq!(code(&all, &spec), "ok openai/m");
}

#[test]
fn a_provider_of_ones_own_is_a_line() {
    let mut all = providers(&[("ACME_API_KEY", "k")]);
    let acme = Provider::new(WireKind::Messages)
        .at("http://127.0.0.1:1/v1")
        .keyed("ACME_API_KEY");
    all.add("acme", acme);
    assert_eq!(code(&all, &"acme/m".into()), "ok acme/m");
    let without_key = Provider::new(WireKind::Messages)
        .at("http://127.0.0.1:1/v1")
        .keyed("ACME_KEY");
    all.add("acme", without_key);
    assert_eq!(code(&all, &"acme/m".into()), "model_key_missing");
}

#[test]
fn fallbacks_are_checked_with_the_model_that_they_stand_in_for() {
    let all = providers(&[("OPENAI_API_KEY", "k")]);
    let mut spec = ModelSpec::from("openai/m");
    spec.fallback = vec!["ollama/n".into()];
    assert_eq!(code(&all, &spec), "ok openai/m");
    spec.fallback = vec!["anthropic/n".into()];
    assert_eq!(code(&all, &spec), "model_key_missing");
    let mut other = ModelSpec::from("ollama/n");
    other.settings.seed = Some(1);
    spec.fallback = vec![other];
    assert_eq!(code(&all, &spec), "model_spec_invalid");
}

#[test]
fn embedders_are_found_by_name_too() {
    let all = providers(&[("OPENAI_API_KEY", "k"), ("ANTHROPIC_API_KEY", "k")]);
    let code = |spec: &ModelSpec| match all.embedder(spec) {
        Ok(embedder) => format!("ok {}", embedder.name()),
        Err(error) => error.code().to_owned(),
    };
    let mut spec = ModelSpec::from("openai/text-embedding-3-small");
    assert_eq!(code(&spec), "ok openai/text-embedding-3-small");
    spec.settings
        .extra
        .insert("dimensions".to_owned(), 64.into());
    assert_eq!(all.embedder(&spec).unwrap().dimensions(), Some(64));
    assert_eq!(code(&"anthropic/m".into()), "model_spec_invalid");
    assert_eq!(code(&"mistral/m".into()), "model_key_missing");
    assert_eq!(code(&"opanai/m".into()), "model_unknown_provider");
}

#[test]
fn headers_are_checked() {
    let all = providers(&[]);
    let mut spec = ModelSpec::from("ollama/m");
    spec.headers.insert("x-team".to_owned(), "blue".to_owned());
    assert_eq!(code(&all, &spec), "ok ollama/m");
    spec.headers.insert("x team".to_owned(), "blue".to_owned());
    assert_eq!(code(&all, &spec), "model_spec_invalid");
}

#[test]
fn a_registered_provider_comes_first() {
    let mut all = providers(&[]);
    let scripted = nfa_testkit::scripted::ScriptedModel::new([]).named("openai/fake");
    all.register_model("openai", Arc::new(scripted));
    assert_eq!(code(&all, &"openai/gpt-5-mini".into()), "ok openai/fake");
}
