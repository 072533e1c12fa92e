//! The typed trait and the closure form, erased.

use std::sync::Arc;
use std::time::Duration;

use nfa_core::spec::{Approval, Effect};
use nfa_tools::{
    CallContext, IntoTool, Reconciled, Tool, ToolError, ToolOutput, Typed, TypedTool, schemars,
    tool_fn,
};
use serde_json::{Value, json};

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Charge {
    customer: String,
    cents: u32,
}

struct Charger {
    prefix: &'static str,
}

impl TypedTool for Charger {
    type Args = Charge;
    type Output = String;

    fn name(&self) -> &str {
        "charge"
    }

    async fn call(&self, _: &CallContext, args: Charge) -> Result<String, ToolError> {
        tokio::task::yield_now().await;
        Ok(format!("{}{}:{}", self.prefix, args.customer, args.cents))
    }

    async fn reconcile(&self, _: &CallContext, args: Charge) -> Result<Reconciled, ToolError> {
        Ok(match args.cents {
            0 => Reconciled::NotDone,
            _ => Reconciled::Done(ToolOutput::new("charged")),
        })
    }
}

#[tokio::test]
async fn a_typed_tool_runs_and_reconciles() {
    let tool = Typed::new(Charger { prefix: "c-" }).into_tool();
    let context = CallContext::detached();
    let args = json!({ "customer": "a", "cents": 5 });
    let output = tool.call(&context, args.clone()).await.unwrap();
    assert_eq!(output.value, "c-a:5");
    assert_eq!(
        tool.reconcile(&context, args).await.unwrap(),
        Reconciled::Done(ToolOutput::new("charged"))
    );
    let none = json!({ "customer": "a", "cents": 0 });
    assert_eq!(
        tool.reconcile(&context, none).await.unwrap(),
        Reconciled::NotDone
    );
    assert!(tool.reconcile(&context, json!({})).await.is_err());
}

#[tokio::test]
async fn a_developer_can_have_it_otherwise() {
    let tool = Typed::new(Charger { prefix: "" })
        .named("bill")
        .description("Bills.")
        .effect(Effect::Keyed)
        .approval(Approval::Always)
        .timeout(Duration::from_micros(1))
        .label("team", "billing")
        .reconcile_with(
            |_, args| async move { Ok(Reconciled::Done(ToolOutput::new(args.customer))) },
        )
        .into_tool();
    let spec = tool.spec();
    assert_eq!((&*spec.name, &*spec.description), ("bill", "Bills."));
    assert_eq!(
        (spec.effect, spec.approval),
        (Effect::Keyed, Approval::Always)
    );
    assert_eq!(spec.timeout_ms, Some(1));
    assert_eq!(spec.labels["team"], "billing");
    let args = json!({ "customer": "a", "cents": 0 });
    assert_eq!(
        tool.reconcile(&CallContext::detached(), args)
            .await
            .unwrap(),
        Reconciled::Done(ToolOutput::new("a"))
    );
}

#[tokio::test]
async fn a_closure_runs_with_what_it_owns() {
    let prefix = Arc::<str>::from("p");
    let tool = tool_fn("charge", "Charges.", move |cx: CallContext, args: Charge| {
        let prefix = Arc::clone(&prefix);
        async move {
            if args.cents == 0 {
                return Err(ToolError::for_model("nothing to charge"));
            }
            let doubled: u32 = args.cents.to_string().parse()?;
            Ok(json!({ "customer": format!("{prefix}{}", args.customer), "cents": doubled, "step": cx.step.to_string() }))
        }
    })
    .into_tool();
    let context = CallContext::detached();
    let output = tool
        .call(&context, json!({ "customer": "a", "cents": 3 }))
        .await
        .unwrap();
    assert_eq!(
        output.value,
        json!({ "customer": "pa", "cents": 3, "step": "1" })
    );
    let refused = tool
        .call(&context, json!({ "customer": "a", "cents": 0 }))
        .await;
    assert!(matches!(refused, Err(ToolError::ForModel(message)) if message == "nothing to charge"));
    assert_eq!(
        tool.reconcile(&context, json!({ "customer": "a", "cents": 3 }))
            .await
            .unwrap(),
        Reconciled::Unknown
    );
}

#[test]
fn erased_tools_pass_through() {
    let tool: Arc<dyn Tool> = Typed::new(Charger { prefix: "" }).into_tool();
    assert_eq!(&*Arc::clone(&tool).into_tool().spec().name, "charge");
}

#[tokio::test]
async fn json_output_is_passed_on_as_it_is() {
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Any {
        value: Value,
    }
    let echo = tool_fn("echo", "", |_, any: Any| async {
        Ok::<_, ToolError>(any.value)
    })
    .into_tool();
    for value in [json!(null), json!("text"), json!([1, { "a": 2.5 }])] {
        let output = echo
            .call(&CallContext::detached(), json!({ "value": value }))
            .await
            .unwrap();
        assert_eq!(output.value, value);
    }
}
