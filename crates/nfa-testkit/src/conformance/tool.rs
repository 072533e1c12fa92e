//! The `Tool` port's suite.
//!
//! What the runtime relies on, checked with calls that the tool's author gives:
//!
//! - the spec is valid, the same each time, and survives being stored;
//! - a call ends as its case says, with an output or an error of the right kind;
//! - a `pure` or `idempotent` tool may be called many times at once;
//! - a call that was never polled does nothing, and one that is dropped or cancelled leaves nothing running.
//!
//! ```
//! use nfa_core::ports::{BoxFuture, CallContext, Tool, ToolError, ToolOutput};
//! use nfa_core::spec::{Effect, ToolSpec};
//! use nfa_testkit::conformance::tool::{Case, run};
//! use serde_json::{Value, json};
//!
//! struct Upper(ToolSpec);
//!
//! impl Tool for Upper {
//!     fn spec(&self) -> &ToolSpec {
//!         &self.0
//!     }
//!
//!     fn call<'a>(&'a self, _: &'a CallContext, arguments: Value) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
//!         Box::pin(async move {
//!             let text = arguments["text"].as_str().ok_or_else(|| ToolError::for_model("expected a text"))?;
//!             Ok(ToolOutput::new(text.to_uppercase()))
//!         })
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let spec = ToolSpec::new("upper", "Makes capitals.", json!({ "type": "object" })).with_effect(Effect::Pure);
//! run(Upper(spec), [
//!     Case::gives(json!({ "text": "a" }), "A"),
//!     Case::tells_model(json!({}), "expected a text"),
//! ]).await?;
//! # Ok(()) }
//! ```

use std::fmt;
use std::time::Duration;

use futures_util::future::join_all;
use nfa_core::ports::{CallContext, IntoTool, Tool, ToolError, ToolOutput};
use nfa_core::spec::{CompiledTool, Effect, Schema, ToolSpec, canonical_json};
use serde_json::Value;

/// How long anything may take before it counts as never.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a tool that was told to stop is waited for, before it is dropped.
const GRACE: Duration = Duration::from_millis(200);
const AT_ONCE: usize = 8;

/// One call, and what should come of it.
pub struct Case {
    arguments: Value,
    expected: Expected,
}

enum Expected {
    Output(Value),
    Success,
    ForModel(String),
    Fatal(String),
    Runs(Box<dyn Fn() -> bool + Send + Sync>),
}

impl Case {
    /// The call gives this value.
    pub fn gives(arguments: Value, output: impl Into<Value>) -> Self {
        Self::new(arguments, Expected::Output(output.into()))
    }

    /// The call gives some value.
    pub fn succeeds(arguments: Value) -> Self {
        Self::new(arguments, Expected::Success)
    }

    /// The call fails, and the model is told something with `part` in it.
    pub fn tells_model(arguments: Value, part: impl Into<String>) -> Self {
        Self::new(arguments, Expected::ForModel(part.into()))
    }

    /// The call fails, and the run stops with an error of this code.
    pub fn stops_run(arguments: Value, code: impl Into<String>) -> Self {
        Self::new(arguments, Expected::Fatal(code.into()))
    }

    /// The call goes on until it is given up. `running` looks from outside whether anything of it runs.
    pub fn runs_until_given_up(
        arguments: Value,
        running: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::new(arguments, Expected::Runs(Box::new(running)))
    }

    fn new(arguments: Value, expected: Expected) -> Self {
        Self {
            arguments,
            expected,
        }
    }
}

/// What a tool does that it should not, or the other way round.
#[derive(Clone, PartialEq, Eq)]
pub struct Violations(Vec<String>);

impl Violations {
    /// One line each.
    pub fn lines(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the tool does not conform:")?;
        self.0.iter().try_for_each(|line| write!(f, "\n- {line}"))
    }
}

impl fmt::Debug for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Violations {}

/// Runs the suite. A tool that must not run twice is called once for each case, and three times for one that runs
/// until it is given up.
///
/// # Errors
/// Everything that does not conform.
pub async fn run(
    tool: impl IntoTool,
    cases: impl IntoIterator<Item = Case>,
) -> Result<(), Violations> {
    let tool = tool.into_tool();
    let mut violations = Violations(Vec::new());
    let schema = check_spec(&*tool, &mut violations.0);
    for (at, case) in cases.into_iter().enumerate() {
        let mut found = Vec::new();
        if let Some(faults) = schema
            .as_ref()
            .and_then(|schema| schema.faults(&case.arguments))
        {
            found.push(format!(
                "the arguments do not match the tool's own schema, so that no run would make this call: {faults}"
            ));
        } else {
            check_case(&*tool, &case, &mut found).await;
        }
        violations
            .0
            .extend(found.into_iter().map(|line| format!("case {at}: {line}")));
    }
    if violations.0.is_empty() {
        Ok(())
    } else {
        Err(violations)
    }
}

fn check_spec(tool: &dyn Tool, found: &mut Vec<String>) -> Option<Schema> {
    let spec = tool.spec();
    if spec != tool.spec() {
        found.push("the spec differs from one look to the next".to_owned());
    }
    match serde_json::to_value(spec).and_then(serde_json::from_value::<ToolSpec>) {
        Ok(again) if again == *spec => {}
        Ok(again) => found.push(format!("the spec reads back as another: {again:?}")),
        Err(error) => found.push(format!("the spec does not read back: {error}")),
    }
    if let Err(error) = canonical_json(&spec.parameters) {
        found.push(format!("the parameters have no canonical form: {error}"));
    }
    match CompiledTool::new(spec) {
        Ok(compiled) => Some(compiled.parameters),
        Err(error) => {
            found.push(format!("the spec is refused: {error}"));
            None
        }
    }
}

async fn check_case(tool: &dyn Tool, case: &Case, found: &mut Vec<String>) {
    if let Expected::Runs(running) = &case.expected {
        return check_given_up(tool, &case.arguments, running, found).await;
    }
    let times = match tool.spec().effect {
        Effect::Pure | Effect::Idempotent => AT_ONCE,
        _ => 1,
    };
    let context = CallContext::detached();
    let calls = join_all((0..times).map(|_| tool.call(&context, case.arguments.clone())));
    let Ok(results) = tokio::time::timeout(PATIENCE, calls).await else {
        return found.push(format!("did not end within {PATIENCE:?}"));
    };
    for result in results {
        if let Some(line) = compare(&case.expected, result)
            && !found.contains(&line)
        {
            found.push(line);
        }
    }
}

fn compare(expected: &Expected, result: Result<ToolOutput, ToolError>) -> Option<String> {
    let wanted = match expected {
        Expected::Output(value) => format!("the output {value}"),
        Expected::Success => "an output".to_owned(),
        Expected::ForModel(part) => format!("an error that tells the model \"{part}\""),
        Expected::Fatal(code) => format!("an error that stops the run with the code `{code}`"),
        Expected::Runs(_) => "no end".to_owned(),
    };
    let seen = match (expected, result) {
        (Expected::Output(value), Ok(output)) if output.value == *value => return None,
        (Expected::Success, Ok(_)) => return None,
        (Expected::ForModel(part), Err(ToolError::ForModel(message)))
            if !message.is_empty() && message.contains(part) =>
        {
            return None;
        }
        (Expected::Fatal(code), Err(ToolError::Fatal(error))) if error.code() == code => {
            return None;
        }
        (_, Ok(output)) => format!("the output {}", output.value),
        (_, Err(ToolError::ForModel(message))) => {
            format!("an error that tells the model \"{message}\"")
        }
        (_, Err(ToolError::Fatal(error))) => format!("an error that stops the run: {error}"),
        (_, Err(other)) => format!("an error: {other}"),
    };
    Some(format!("expected {wanted}, found {seen}"))
}

async fn check_given_up(
    tool: &dyn Tool,
    arguments: &Value,
    running: &(dyn Fn() -> bool + Send + Sync),
    found: &mut Vec<String>,
) {
    if running() {
        return found.push("something runs before the call".to_owned());
    }
    let context = CallContext::detached();
    drop(tool.call(&context, arguments.clone()));
    if running() {
        return found.push("a call that was never polled runs".to_owned());
    }

    for cancelled in [false, true] {
        let context = CallContext::detached();
        let mut call = tool.call(&context, arguments.clone());
        let started = tokio::select! {
            result = &mut call => {
                let seen = result.map(|output| output.value);
                return found.push(format!("expected no end before it is given up, found {seen:?}"));
            }
            started = becomes(true, running) => started,
        };
        if !started {
            return found.push(format!("nothing ran within {PATIENCE:?}"));
        }
        let how = if cancelled {
            context.cancellation.cancel();
            // A tool need not listen. One that does may tidy up; then it is dropped, as the driver does.
            let _ = tokio::time::timeout(GRACE, &mut call).await;
            "cancelled"
        } else {
            "dropped"
        };
        drop(call);
        if !becomes(false, running).await {
            return found.push(format!("still runs {PATIENCE:?} after the call was {how}"));
        }
    }
}

/// Waits until `running` says so; `false` when it never does.
async fn becomes(wanted: bool, running: &(dyn Fn() -> bool + Send + Sync)) -> bool {
    let wait = async {
        while running() != wanted {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.is_ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use nfa_core::ports::BoxFuture;
    use nfa_core::{Category, Component, Error};
    use serde_json::json;

    use super::*;

    type Behaviour =
        dyn Fn(Value) -> BoxFuture<'static, Result<ToolOutput, ToolError>> + Send + Sync;

    struct Scripted {
        spec: ToolSpec,
        behaviour: Box<Behaviour>,
    }

    impl Tool for Scripted {
        fn spec(&self) -> &ToolSpec {
            &self.spec
        }

        fn call<'a>(
            &'a self,
            _: &'a CallContext,
            arguments: Value,
        ) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
            (self.behaviour)(arguments)
        }
    }

    fn tool(
        behaviour: impl Fn(Value) -> BoxFuture<'static, Result<ToolOutput, ToolError>>
        + Send
        + Sync
        + 'static,
    ) -> Scripted {
        let parameters = json!({
            "type": "object",
            "properties": { "n": { "type": "integer" } },
            "additionalProperties": false,
        });
        Scripted {
            spec: ToolSpec::new("scripted", "", parameters),
            behaviour: Box::new(behaviour),
        }
    }

    fn answers() -> Scripted {
        tool(|arguments| {
            Box::pin(async move {
                match arguments["n"].as_i64() {
                    Some(0) => Err(ToolError::for_model("zero is too little")),
                    Some(1) => Err(ToolError::Fatal(Error::new(
                        Component::Tool,
                        Category::Configuration,
                        "no_key",
                        "no key",
                    ))),
                    n => Ok(ToolOutput::new(n)),
                }
            })
        })
    }

    async fn violations(tool: Scripted, case: Case) -> Vec<String> {
        run(tool, [case]).await.unwrap_err().lines().to_vec()
    }

    #[tokio::test]
    async fn a_tool_that_does_as_it_says_conforms() {
        for effect in [Effect::AtMostOnce, Effect::Pure] {
            let mut tool = answers();
            tool.spec.effect = effect;
            let cases = [
                Case::gives(json!({ "n": 7 }), 7),
                Case::succeeds(json!({})),
                Case::tells_model(json!({ "n": 0 }), "too little"),
                Case::stops_run(json!({ "n": 1 }), "no_key"),
            ];
            run(tool, cases).await.unwrap();
        }
    }

    #[tokio::test]
    async fn another_end_is_a_violation() {
        for (case, part) in [
            (Case::gives(json!({ "n": 7 }), 8), "found the output 7"),
            (Case::succeeds(json!({ "n": 0 })), "zero is too little"),
            (
                Case::tells_model(json!({ "n": 0 }), "other"),
                "zero is too little",
            ),
            (
                Case::tells_model(json!({ "n": 1 }), "no key"),
                "stops the run",
            ),
            (Case::stops_run(json!({ "n": 1 }), "other"), "no_key"),
            (
                Case::stops_run(json!({ "n": 0 }), "no_key"),
                "tells the model",
            ),
            (
                Case::succeeds(json!({ "n": "x" })),
                "do not match the tool's own schema",
            ),
            (
                Case::runs_until_given_up(json!({ "n": 7 }), || false),
                "expected no end",
            ),
            (
                Case::runs_until_given_up(json!({ "n": 7 }), || true),
                "before the call",
            ),
        ] {
            let lines = violations(answers(), case).await;
            assert_eq!(lines.len(), 1, "{lines:?}");
            assert!(lines[0].contains(part), "{lines:?}");
        }
    }

    #[tokio::test]
    async fn a_spec_that_no_agent_could_use_is_a_violation() {
        let mut broken = answers();
        broken.spec.name = "two words".into();
        let error = run(broken, []).await.unwrap_err();
        assert!(error.to_string().contains("tool_invalid"), "{error}");
        let mut broken = answers();
        broken.spec.parameters = json!({ "type": "object", "maxProperties": u64::MAX });
        let error = run(broken, []).await.unwrap_err();
        assert!(
            error.to_string().contains("number_not_canonical"),
            "{error}"
        );
    }

    /// Counts while it lives.
    struct Counted(Arc<AtomicUsize>);

    impl Counted {
        fn new(count: &Arc<AtomicUsize>) -> Self {
            count.fetch_add(1, Ordering::SeqCst);
            Self(Arc::clone(count))
        }
    }

    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }

    #[tokio::test]
    async fn a_call_that_ends_with_its_future_conforms() {
        let count = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&count);
        let tool = tool(move |_| {
            let count = Arc::clone(&count);
            Box::pin(async move {
                let _running = Counted::new(&count);
                std::future::pending().await
            })
        });
        let running = move || seen.load(Ordering::SeqCst) > 0;
        run(tool, [Case::runs_until_given_up(json!({}), running)])
            .await
            .unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_outlives_its_future_is_a_violation() {
        let count = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&count);
        let tool = tool(move |_| {
            let count = Arc::clone(&count);
            Box::pin(async move {
                tokio::spawn(async move {
                    let _running = Counted::new(&count);
                    std::future::pending::<()>().await;
                });
                std::future::pending().await
            })
        });
        let running = move || seen.load(Ordering::SeqCst) > 0;
        let lines = violations(tool, Case::runs_until_given_up(json!({}), running)).await;
        assert!(lines[0].contains("after the call was dropped"), "{lines:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_starts_unpolled_or_never_ends_is_a_violation() {
        let count = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&count);
        let eager = tool(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            Box::pin(std::future::pending())
        });
        let running = move || seen.load(Ordering::SeqCst) > 0;
        let lines = violations(eager, Case::runs_until_given_up(json!({}), running)).await;
        assert!(lines[0].contains("never polled"), "{lines:?}");

        let stuck = tool(|_| Box::pin(std::future::pending()));
        let lines = violations(stuck, Case::succeeds(json!({}))).await;
        assert!(lines[0].contains("did not end"), "{lines:?}");
    }
}
