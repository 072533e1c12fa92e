//! The typed face of a tool, and the adapter that erases it.

use std::any::Any;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use nfa_core::ports::{BoxFuture, CallContext, Reconciled, Tool, ToolError, ToolOutput};
use nfa_core::spec::{Approval, Effect, ToolSpec};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::integral::integral_floats_to_integers;
use super::schema::parameters_of;

/// A tool with typed arguments and output: what `#[tool]` implements, and what a type that carries state
/// implements by hand. [`Typed`] makes a [`Tool`] of it.
///
/// ```
/// use nfa_core::spec::Effect;
/// use nfa_tools::{CallContext, Reconciled, ToolError, ToolOutput, TypedTool, schemars};
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Charge { customer: String, cents: u32 }
///
/// struct Charger { endpoint: String }
///
/// impl TypedTool for Charger {
///     type Args = Charge;
///     type Output = String;
///
///     fn name(&self) -> &str { "charge" }
///     fn description(&self) -> &str { "Charges a customer." }
///     fn effect(&self) -> Effect { Effect::Keyed }
///
///     async fn call(&self, context: &CallContext, args: Charge) -> Result<String, ToolError> {
///         // The key is the same for every attempt of this step: the other side recognises a repetition.
///         Ok(format!("{}/{}?key={}", self.endpoint, args.customer, context.idempotency_key))
///     }
/// }
/// ```
pub trait TypedTool: Send + Sync + 'static {
    /// The arguments: a struct, whose JSON Schema the model sees.
    type Args: DeserializeOwned + JsonSchema + Send;
    /// What the model reads: a string as it is, anything else as JSON.
    type Output: Serialize + 'static;

    /// 1 to 64 of `A-Z a-z 0-9 _ -`.
    fn name(&self) -> &str;

    /// What the model reads to know when to use it.
    fn description(&self) -> &str {
        ""
    }

    /// What repeating a call means; by default, it must not run twice.
    fn effect(&self) -> Effect {
        Effect::default()
    }

    /// Whether a person is asked first.
    fn approval(&self) -> Approval {
        Approval::default()
    }

    /// Wall time of one call. The driver gives a longer one up, by dropping it.
    fn timeout(&self) -> Option<Duration> {
        None
    }

    /// Performs one call. Write it as `async fn`.
    fn call(
        &self,
        context: &CallContext,
        arguments: Self::Args,
    ) -> impl Future<Output = Result<Self::Output, ToolError>> + Send;

    /// Finds out what became of an `at_most_once` call that a crash interrupted. The default does not know, and
    /// a person is asked.
    fn reconcile(
        &self,
        context: &CallContext,
        arguments: Self::Args,
    ) -> impl Future<Output = Result<Reconciled, ToolError>> + Send {
        let _ = (context, arguments);
        async { Ok(Reconciled::Unknown) }
    }
}

type Reconcile<A> =
    dyn Fn(CallContext, A) -> BoxFuture<'static, Result<Reconciled, ToolError>> + Send + Sync;

/// A [`TypedTool`] as a [`Tool`], with what the developer wants otherwise.
///
/// ```
/// use std::time::Duration;
/// use nfa_core::spec::{Approval, Effect};
/// use nfa_tools::{Tool, Typed, tool};
///
/// /// Deletes a file.
/// #[tool]
/// async fn delete(path: String) -> Result<(), std::io::Error> { std::fs::remove_file(path) }
///
/// let careful = Typed::new(delete)
///     .approval(Approval::Always)
///     .effect(Effect::Idempotent)
///     .timeout(Duration::from_secs(2));
/// assert_eq!(careful.spec().timeout_ms, Some(2000));
/// ```
pub struct Typed<T: TypedTool> {
    tool: T,
    spec: ToolSpec,
    reconcile: Option<Box<Reconcile<T::Args>>>,
}

impl<T: TypedTool> Typed<T> {
    /// The tool as it describes itself.
    pub fn new(tool: T) -> Self {
        let mut spec = ToolSpec::new(tool.name(), tool.description(), parameters_of::<T::Args>())
            .with_effect(tool.effect())
            .with_approval(tool.approval());
        spec.timeout_ms = tool.timeout().map(milliseconds);
        Self {
            tool,
            spec,
            reconcile: None,
        }
    }

    /// The name that the model sees.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// Gives it another name.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.spec.name = name.into();
        self
    }

    /// Gives it another description.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.spec.description = description.into();
        self
    }

    /// States what repeating a call means.
    #[must_use]
    pub fn effect(mut self, effect: Effect) -> Self {
        self.spec.effect = effect;
        self
    }

    /// States whether a person is asked first.
    #[must_use]
    pub fn approval(mut self, approval: Approval) -> Self {
        self.spec.approval = approval;
        self
    }

    /// Limits the wall time of one call.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.spec.timeout_ms = Some(milliseconds(timeout));
        self
    }

    /// Adds a label, which becomes part of the program's hash.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.spec.labels.insert(key.into(), value.into());
        self
    }

    /// States how to find out what became of a call that a crash interrupted.
    #[must_use]
    pub fn reconcile_with<F, Fut>(mut self, reconcile: F) -> Self
    where
        F: Fn(CallContext, T::Args) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Reconciled, ToolError>> + Send + 'static,
    {
        self.reconcile = Some(Box::new(move |context, arguments| {
            Box::pin(reconcile(context, arguments))
        }));
        self
    }

    fn read(&self, mut arguments: Value) -> Result<T::Args, ToolError> {
        integral_floats_to_integers(&mut arguments);
        serde_json::from_value(arguments).map_err(|error| {
            ToolError::for_model(format!(
                "the arguments do not fit the parameters of `{}`: {error}",
                self.spec.name
            ))
        })
    }
}

impl<T: TypedTool> Tool for Typed<T> {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call<'a>(
        &'a self,
        context: &'a CallContext,
        arguments: Value,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        Box::pin(async move {
            let arguments = self.read(arguments)?;
            let mut output = self.tool.call(context, arguments).await?;
            // What is JSON already need not be written out again.
            match (&mut output as &mut dyn Any).downcast_mut::<Value>() {
                Some(value) => Ok(ToolOutput::new(value.take())),
                None => ToolOutput::serialize(&output),
            }
        })
    }

    fn reconcile<'a>(
        &'a self,
        context: &'a CallContext,
        arguments: Value,
    ) -> BoxFuture<'a, Result<Reconciled, ToolError>> {
        Box::pin(async move {
            let arguments = self.read(arguments)?;
            match &self.reconcile {
                Some(reconcile) => reconcile(context.clone(), arguments).await,
                None => self.tool.reconcile(context, arguments).await,
            }
        })
    }
}

/// At least one: a time of zero would be no time at all.
fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
}
