//! The `#[tool]` attribute. Use it through `nfa-tools` or `nfa-runtime`, where it is documented.

#![deny(missing_docs)]

mod duration;
mod expand;
mod function;
mod options;
mod root;

use proc_macro::TokenStream;
use syn::parse_macro_input;

/// Turns a function into a tool: a value of the function's name.
///
/// Name, description and schema come from the signature and the doc comments. The value can be given to
/// an agent or a registry, and still be called like the function, so that it can be tested as one.
///
/// On the function:
///
/// | option | meaning |
/// |---|---|
/// | `name = "…"` | the name that the model sees; default: the function's |
/// | `description = "…"` | what the model reads; default: the doc comment |
/// | `effect = "…"` | `pure`, `idempotent`, `keyed`, `transactional` or `at_most_once` (the default): what repeating a call means |
/// | `approval` | a person is asked before every call |
/// | `timeout = "10s"` | wall time of one call, in `ms`, `s`, `m` or `h` |
/// | `blocking` | the function is not `async` and takes its time: it runs on a thread for such work |
/// | `crate = path` | where `nfa-tools` is, when it can't be found by itself |
///
/// On a parameter, besides a doc comment: `#[tool(description = "…")]`, `#[tool(default)]`,
/// `#[tool(default = …)]`, and whatever `serde` and `schemars` understand on a field. A parameter of type
/// `Option` need not be given.
///
/// The first parameter may be the call's context, as `CallContext` or `&CallContext`; the model does not see
/// it. Every other parameter is owned, and needs `Deserialize` and `JsonSchema`. The function returns a value
/// that can be serialised, or a `Result` of one with an error that is a `ToolError`, converts into one (as
/// every `std::error::Error` does) or can be displayed; all but a `ToolError::Fatal` are told to the model.
///
/// The types in its signature are at least as visible as the function. A variable of the function's name can't
/// be made where the tool is in scope ("cannot shadow unit structs"), since the name now stands for a value.
///
/// A function that is not `async` runs where the call runs, which suits a computation of microseconds; for
/// anything slower write `blocking`, so that it does not keep other runs waiting.
#[proc_macro_attribute]
pub fn tool(options: TokenStream, item: TokenStream) -> TokenStream {
    let options = parse_macro_input!(options as options::ToolOptions);
    let item = parse_macro_input!(item as syn::ItemFn);
    function::Function::read(item, &options)
        .and_then(|function| expand::expand(&function, &options))
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}
