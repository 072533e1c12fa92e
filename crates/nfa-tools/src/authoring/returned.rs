//! What a function under `#[tool]` may return: a value, or a `Result` with an error of some kind.
//!
//! The kind is chosen at the call, where the type is known, by how many references the method search has to
//! take off; the traits hold no code.

use std::fmt::Display;
use std::marker::PhantomData;

use nfa_core::ports::{ToolError, ToolOutput};
use serde::Serialize;
use serde_json::Value;

/// The type of a returned value, without the value.
pub struct Kind<T>(PhantomData<fn() -> T>);

/// Asks for the kind of a returned value.
pub fn kind_of<T>(_: &T) -> Kind<T> {
    Kind(PhantomData)
}

fn to_json(value: &impl Serialize) -> Result<Value, ToolError> {
    ToolOutput::serialize(value).map(|output| output.value)
}

/// A `Result` whose error converts into a [`ToolError`].
pub struct Converts;

impl Converts {
    /// The value as JSON, or the error.
    pub fn convert<T: Serialize, E: Into<ToolError>>(
        self,
        returned: Result<T, E>,
    ) -> Result<Value, ToolError> {
        returned
            .map_err(Into::into)
            .and_then(|value| to_json(&value))
    }
}

/// Chooses [`Converts`].
pub trait ByInto {
    /// The kind.
    fn kind(&self) -> Converts {
        Converts
    }
}

impl<T, E: Into<ToolError>> ByInto for &&&Kind<Result<T, E>> {}

/// A `Result` whose error can be displayed: it is for the model.
pub struct Displays;

impl Displays {
    /// The value as JSON, or the error.
    pub fn convert<T: Serialize, E: Display>(
        self,
        returned: Result<T, E>,
    ) -> Result<Value, ToolError> {
        returned
            // The alternate form, with which error types of the `anyhow` kind show their causes.
            .map_err(|error| ToolError::for_model(format!("{error:#}")))
            .and_then(|value| to_json(&value))
    }
}

/// Chooses [`Displays`].
pub trait ByDisplay {
    /// The kind.
    fn kind(&self) -> Displays {
        Displays
    }
}

impl<T, E: Display> ByDisplay for &&Kind<Result<T, E>> {}

/// Implemented by nothing: it makes the compiler say what is wrong.
///
/// ```compile_fail,E0277
/// struct Silent;
///
/// #[nfa_tools::tool]
/// fn fails() -> Result<u8, Silent> { Err(Silent) }
/// ```
///
/// With a way to say it, the same compiles:
///
/// ```
/// struct Silent;
///
/// impl std::fmt::Display for Silent {
///     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("…") }
/// }
///
/// #[nfa_tools::tool]
/// fn fails() -> Result<u8, Silent> { Err(Silent) }
/// ```
#[diagnostic::on_unimplemented(
    message = "a tool cannot fail with `{Self}`: nothing could be told to the model",
    label = "expected `ToolError`, a `std::error::Error`, or a type that implements `Display`"
)]
pub trait ToolFailure {}

/// A `Result` whose error says nothing.
pub struct Refused;

impl Refused {
    /// Does not compile.
    pub fn convert<T, E: ToolFailure>(self, returned: Result<T, E>) -> Result<Value, ToolError> {
        drop(returned);
        Ok(Value::Null)
    }
}

/// Chooses [`Refused`].
pub trait ByNothing {
    /// The kind.
    fn kind(&self) -> Refused {
        Refused
    }
}

impl<T, E> ByNothing for &Kind<Result<T, E>> {}

/// A value.
pub struct Plain;

impl Plain {
    /// The value as JSON.
    pub fn convert<T: Serialize>(self, returned: T) -> Result<Value, ToolError> {
        to_json(&returned)
    }
}

/// Chooses [`Plain`].
pub trait ByValue {
    /// The kind.
    fn kind(&self) -> Plain {
        Plain
    }
}

impl<T> ByValue for Kind<T> {}
