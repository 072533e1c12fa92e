//! A closure as a tool.

use std::future::Future;
use std::marker::PhantomData;

use nfa_core::ports::{CallContext, ToolError};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::typed::{Typed, TypedTool};

/// What [`tool_fn`] makes a tool of.
pub struct FnTool<F, A> {
    name: String,
    description: String,
    function: F,
    arguments: PhantomData<fn(A)>,
}

/// Makes a tool of a closure, which may own what it needs.
///
/// ```
/// use nfa_tools::{ToolError, schemars, tool_fn};
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Greet { name: String }
///
/// let greeting = "Good day".to_owned();
/// let tool = tool_fn("greet", "Greets somebody.", move |_context, args: Greet| {
///     let text = format!("{greeting}, {}", args.name);
///     async move { Ok::<_, ToolError>(text) }
/// });
/// # assert_eq!(tool.name(), "greet");
/// ```
pub fn tool_fn<F, A, Fut, O>(
    name: impl Into<String>,
    description: impl Into<String>,
    function: F,
) -> Typed<FnTool<F, A>>
where
    F: Fn(CallContext, A) -> Fut + Send + Sync + 'static,
    A: DeserializeOwned + JsonSchema + Send + 'static,
    Fut: Future<Output = Result<O, ToolError>> + Send + 'static,
    O: Serialize + 'static,
{
    Typed::new(FnTool {
        name: name.into(),
        description: description.into(),
        function,
        arguments: PhantomData,
    })
}

impl<F, A, Fut, O> TypedTool for FnTool<F, A>
where
    F: Fn(CallContext, A) -> Fut + Send + Sync + 'static,
    A: DeserializeOwned + JsonSchema + Send + 'static,
    Fut: Future<Output = Result<O, ToolError>> + Send + 'static,
    O: Serialize + 'static,
{
    type Args = A;
    type Output = O;

    fn name(&self) -> &str {
        &self.name
    }

    fn description(&self) -> &str {
        &self.description
    }

    async fn call(&self, context: &CallContext, arguments: A) -> Result<O, ToolError> {
        (self.function)(context.clone(), arguments).await
    }
}
