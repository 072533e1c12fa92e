//! Where the generated code finds `nfa-tools`: a direct dependency, or inside the facade.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Span, TokenStream};
use quote::quote;

/// The path of `nfa_tools` in the crate that is being compiled.
pub(crate) fn find() -> syn::Result<TokenStream> {
    if let Some(name) = dependency("nfa-tools") {
        return Ok(quote!(::#name));
    }
    if let Some(name) = dependency("nfa-runtime") {
        return Ok(quote!(::#name::tools));
    }
    Err(syn::Error::new(
        Span::call_site(),
        "expected `nfa-runtime` or `nfa-tools` among the dependencies in Cargo.toml; if it is reached \
         another way, write `#[tool(crate = path::to::nfa_tools)]`",
    ))
}

fn dependency(package: &str) -> Option<syn::Ident> {
    let name = match crate_name(package).ok()? {
        // Its tests, examples and doc tests are crates of their own; the library names itself
        // with `extern crate self`.
        FoundCrate::Itself => package.replace('-', "_"),
        FoundCrate::Name(name) => name,
    };
    Some(syn::Ident::new(&name, Span::call_site()))
}
