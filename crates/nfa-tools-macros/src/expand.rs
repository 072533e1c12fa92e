//! The code that stands in for the function.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use syn::{Expr, ExprLit, Lit};

use crate::function::{Function, Parameter};
use crate::options::{ParameterDefault, ToolOptions};
use crate::root;

/// A unit struct of the function's name, with the function behind it.
pub(crate) fn expand(function: &Function, options: &ToolOptions) -> syn::Result<TokenStream> {
    let root = match &options.root {
        Some(path) => quote!(#path),
        None => root::find()?,
    };
    let Function {
        item,
        conditions,
        about,
        ..
    } = function;
    let visibility = &item.vis;
    let ident = &item.sig.ident;
    let mut inner = item.clone();
    inner.vis = syn::Visibility::Inherited;

    let arguments = arguments(function, &root);
    let direct = direct_call(function);
    let tool = typed_tool(function, options, &root);
    Ok(quote! {
        #(#conditions)*
        #(#about)*
        #[allow(non_camel_case_types)]
        #[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
        #visibility struct #ident;

        #(#conditions)*
        #[allow(deprecated)]
        const _: () = {
            #inner
            #arguments
            #direct
            #tool
        };
    })
}

fn arguments_ident() -> Ident {
    Ident::new("__NfaToolArguments", Span::mixed_site())
}

/// The struct that arguments are read into, which is also what the schema is made from.
fn arguments(function: &Function, root: &TokenStream) -> TokenStream {
    let ident = arguments_ident();
    let private = quote!(#root::__private).to_string().replace(' ', "");
    let (serde, schemars) = (format!("{private}::serde"), format!("{private}::schemars"));
    let mut defaults = TokenStream::new();
    let fields: Vec<TokenStream> = function
        .parameters
        .iter()
        .enumerate()
        .map(|(at, parameter)| field(at, parameter, &mut defaults))
        .collect();
    quote! {
        #[doc(hidden)]
        #[allow(unreachable_pub)]
        #[derive(#root::__private::serde::Deserialize, #root::__private::schemars::JsonSchema)]
        #[serde(crate = #serde, deny_unknown_fields)]
        #[schemars(crate = #schemars)]
        pub struct #ident { #(#fields),* }
        #defaults
    }
}

fn field(at: usize, parameter: &Parameter, defaults: &mut TokenStream) -> TokenStream {
    let Parameter {
        ident,
        ty,
        description,
        options,
        field,
    } = parameter;
    let description = description
        .as_ref()
        .map(|text| quote!(#[schemars(description = #text)]));
    let default = options.default.as_ref().map(|default| match default {
        ParameterDefault::OfType => quote!(#[serde(default)]),
        ParameterDefault::Value(value) => {
            let function = format_ident!("__nfa_tool_default_{at}");
            let name = function.to_string();
            // So that `default = "text"` does for a `String`.
            let value = match &**value {
                Expr::Lit(ExprLit {
                    lit: Lit::Str(_), ..
                }) => {
                    quote!(::core::convert::Into::into(#value))
                }
                value => quote!(#value),
            };
            defaults.extend(quote!(fn #function() -> #ty { #value }));
            quote!(#[serde(default = #name)])
        }
    });
    quote! { #(#field)* #description #default #ident: #ty }
}

/// Makes `add(1, 2)` work on the value `add`, through a function pointer.
fn direct_call(function: &Function) -> TokenStream {
    let ident = &function.item.sig.ident;
    let output = &function.output;
    let context = function.context.as_ref();
    let names: Vec<Ident> = context
        .map(|_| Ident::new("context", Span::mixed_site()))
        .into_iter()
        .chain(function.parameters.iter().map(|p| p.ident.clone()))
        .collect();
    let types: Vec<_> = context
        .map(|context| &context.ty)
        .into_iter()
        .chain(function.parameters.iter().map(|parameter| &parameter.ty))
        .collect();
    let borrowed = context.is_some_and(|context| context.by_reference);
    let lifetime = if borrowed {
        quote!('_)
    } else {
        quote!('static)
    };
    let (returned, body) = if function.item.sig.asyncness.is_some() {
        (
            quote! {
                ::core::pin::Pin<::std::boxed::Box<
                    dyn ::core::future::Future<Output = #output> + ::core::marker::Send + #lifetime
                >>
            },
            quote!(::std::boxed::Box::pin(#ident(#(#names),*))),
        )
    } else {
        (quote!(#output), quote!(#ident(#(#names),*)))
    };
    quote! {
        impl ::core::ops::Deref for #ident {
            type Target = fn(#(#types),*) -> #returned;

            fn deref(&self) -> &Self::Target {
                fn __nfa_tool_direct(#(#names: #types),*) -> #returned { #body }
                static __NFA_TOOL_DIRECT: fn(#(#types),*) -> #returned = __nfa_tool_direct;
                &__NFA_TOOL_DIRECT
            }
        }
    }
}

fn typed_tool(function: &Function, options: &ToolOptions, root: &TokenStream) -> TokenStream {
    let ident = &function.item.sig.ident;
    let arguments = arguments_ident();
    // Hygienic, so that a parameter may have any name.
    let [cx, given, returned] =
        ["context", "arguments", "returned"].map(|name| Ident::new(name, Span::mixed_site()));
    let (name, description) = (&function.name, &function.description);
    let names: Vec<&Ident> = function.parameters.iter().map(|p| &p.ident).collect();
    let context = function.context.as_ref().map(|context| {
        if context.by_reference {
            quote!(#cx,)
        } else {
            quote!(::core::clone::Clone::clone(#cx),)
        }
    });
    let call = if options.blocking.is_some() {
        quote! {
            #root::__private::blocking(#cx, move |#cx| {
                let _ = &#cx;
                #ident(#context #(#names),*)
            }).await
        }
    } else if function.item.sig.asyncness.is_some() {
        quote!(#ident(#context #(#names),*).await)
    } else {
        quote!(#ident(#context #(#names),*))
    };
    let effect = options.effect.as_ref().map(|variant| {
        quote! {
            fn effect(&self) -> #root::__private::Effect { #root::__private::Effect::#variant }
        }
    });
    let approval = options.approval.then(|| {
        quote! {
            fn approval(&self) -> #root::__private::Approval { #root::__private::Approval::Always }
        }
    });
    let timeout = options.timeout_ms.map(|ms| {
        quote! {
            fn timeout(&self) -> ::core::option::Option<::core::time::Duration> {
                ::core::option::Option::Some(::core::time::Duration::from_millis(#ms))
            }
        }
    });
    quote! {
        impl #root::__private::IntoTool for #ident {
            fn into_tool(self) -> ::std::sync::Arc<dyn #root::__private::Tool> {
                ::std::sync::Arc::new(#root::__private::Typed::new(self))
            }
        }

        impl #root::__private::TypedTool for #ident {
            type Args = #arguments;
            type Output = #root::__private::serde_json::Value;

            fn name(&self) -> &str { #name }
            fn description(&self) -> &str { #description }
            #effect
            #approval
            #timeout

            async fn call(
                &self,
                #cx: &#root::__private::CallContext,
                #given: #arguments,
            ) -> ::core::result::Result<
                #root::__private::serde_json::Value,
                #root::__private::ToolError,
            > {
                #[allow(unused_imports)]
                use #root::__private::returned::{ByDisplay, ByInto, ByNothing, ByValue};
                let _ = #cx;
                let #arguments { #(#names),* } = #given;
                #[allow(clippy::let_unit_value)]
                let #returned = #call;
                (&&&&#root::__private::returned::kind_of(&#returned)).kind().convert(#returned)
            }
        }
    }
}
