//! Writing tools: the typed trait, the closure form, and how both become a `dyn Tool`.

mod blocking;
mod closure;
mod integral;
pub mod returned;
mod schema;
mod typed;

pub use blocking::blocking;
pub use closure::{FnTool, tool_fn};
pub use schema::parameters_of;
pub use typed::{Typed, TypedTool};
