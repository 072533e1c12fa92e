//! The function under the attribute, taken apart and checked.

use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Attribute, Expr, ExprLit, FnArg, Ident, ItemFn, Lit, Meta, Pat, PatType, ReturnType, Type,
};

use crate::options::{ParameterOptions, ToolOptions, check_name};

/// A function that can be a tool.
pub(crate) struct Function {
    /// The function as written, without what only the macro understands.
    pub(crate) item: ItemFn,
    /// The name that the model sees.
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) context: Option<Context>,
    pub(crate) parameters: Vec<Parameter>,
    /// `()` when none is written.
    pub(crate) output: Type,
    /// Attributes of the whole: `cfg`.
    pub(crate) conditions: Vec<Attribute>,
    /// Attributes of the value that stands for the tool: documentation, deprecation.
    pub(crate) about: Vec<Attribute>,
}

/// How the function takes the call's context.
pub(crate) struct Context {
    pub(crate) ty: Type,
    pub(crate) by_reference: bool,
}

/// One argument that the model gives.
pub(crate) struct Parameter {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    pub(crate) description: Option<String>,
    pub(crate) options: ParameterOptions,
    /// Attributes for `serde` and `schemars`.
    pub(crate) field: Vec<Attribute>,
}

impl Function {
    pub(crate) fn read(mut item: ItemFn, options: &ToolOptions) -> syn::Result<Self> {
        check_signature(&item, options)?;
        let name = options
            .name
            .as_ref()
            .map_or_else(|| item.sig.ident.unraw().to_string(), syn::LitStr::value);
        check_name(&name).map_err(|message| {
            let message = format!("{message}; write `#[tool(name = \"…\")]`");
            syn::Error::new(item.sig.ident.span(), message)
        })?;

        let (mut conditions, mut about, mut kept) = (Vec::new(), Vec::new(), Vec::new());
        for attribute in item.attrs.drain(..) {
            if attribute.path().is_ident("cfg") {
                conditions.push(attribute);
            } else if attribute.path().is_ident("doc") || attribute.path().is_ident("deprecated") {
                about.push(attribute);
            } else {
                kept.push(attribute);
            }
        }
        item.attrs = kept;
        let description = options
            .description
            .as_ref()
            .map(syn::LitStr::value)
            .or_else(|| documentation(&about))
            .unwrap_or_default();

        let mut context = None;
        let mut parameters = Vec::new();
        for (at, input) in item.sig.inputs.iter_mut().enumerate() {
            let FnArg::Typed(input) = input else {
                return Err(syn::Error::new(
                    input.span(),
                    "expected a free function: a tool has no `self`; pass what it needs as a dependency of \
                     the run, or implement `TypedTool`",
                ));
            };
            match as_context(&input.ty) {
                Some(by_reference) if at == 0 => {
                    let ty = (*input.ty).clone();
                    context = Some(Context { ty, by_reference });
                }
                Some(_) => {
                    return Err(syn::Error::new(
                        input.span(),
                        "expected the context to be the first parameter, and given once",
                    ));
                }
                None => parameters.push(Parameter::read(input)?),
            }
        }
        let output = match &item.sig.output {
            ReturnType::Default => syn::parse_quote!(()),
            ReturnType::Type(_, ty) => (**ty).clone(),
        };
        Ok(Self {
            item,
            name,
            description,
            context,
            parameters,
            output,
            conditions,
            about,
        })
    }
}

fn check_signature(item: &ItemFn, options: &ToolOptions) -> syn::Result<()> {
    let signature = &item.sig;
    let refuse = |part: &dyn ToTokens, message: &str| {
        Err(syn::Error::new_spanned(part.to_token_stream(), message))
    };
    if let Some(part) = &signature.constness {
        return refuse(part, "expected a function that is not `const`");
    }
    if let Some(part) = &signature.unsafety {
        return refuse(
            part,
            "expected a safe function: a model chooses the arguments",
        );
    }
    if let Some(part) = &signature.abi {
        return refuse(part, "expected a Rust function");
    }
    if let Some(part) = &signature.variadic {
        return refuse(part, "expected a fixed number of parameters");
    }
    if signature.generics.lt_token.is_some() {
        return refuse(
            &signature.generics,
            "expected a function without generic parameters: the schema needs concrete types",
        );
    }
    if let Some(part) = &signature.generics.where_clause {
        return refuse(part, "expected a function without a `where` clause");
    }
    if let (Some(part), Some(_)) = (&options.blocking, &signature.asyncness) {
        return refuse(
            part,
            "expected a function that is not `async`: `blocking` is for work that never awaits",
        );
    }
    if let ReturnType::Type(_, ty) = &signature.output
        && matches!(**ty, Type::ImplTrait(_))
    {
        return refuse(ty, "expected a concrete type: name what the tool returns");
    }
    Ok(())
}

impl Parameter {
    fn read(input: &mut PatType) -> syn::Result<Self> {
        let Pat::Ident(pattern) = &*input.pat else {
            return Err(syn::Error::new(
                input.pat.span(),
                "expected a plain name: it is what the model calls the argument",
            ));
        };
        let ident = pattern.ident.clone();
        if let Some(message) = refused_type(&input.ty) {
            return Err(syn::Error::new(input.ty.span(), message));
        }
        let mut options = ParameterOptions::default();
        let (mut docs, mut field) = (Vec::new(), Vec::new());
        for attribute in input.attrs.drain(..) {
            let path = attribute.path();
            if path.is_ident("tool") {
                options.read(&attribute)?;
            } else if path.is_ident("doc") {
                docs.push(attribute);
            } else if path.is_ident("serde") || path.is_ident("schemars") {
                field.push(attribute);
            } else {
                return Err(syn::Error::new(
                    attribute.span(),
                    "expected a doc comment, `#[tool(…)]`, `#[serde(…)]` or `#[schemars(…)]`",
                ));
            }
        }
        let description = options
            .description
            .as_ref()
            .map(syn::LitStr::value)
            .or_else(|| documentation(&docs));
        Ok(Self {
            ident,
            ty: (*input.ty).clone(),
            description,
            options,
            field,
        })
    }
}

/// Why a parameter can't have this type, where that can be told from its look.
fn refused_type(ty: &Type) -> Option<String> {
    match ty {
        Type::Reference(reference) => {
            let inner = &reference.elem;
            let shown = quote!(#inner).to_string();
            let owned = match shown.as_str() {
                "str" => "String".to_owned(),
                other => match &**inner {
                    Type::Slice(slice) => {
                        let item = &slice.elem;
                        format!("Vec<{}>", quote!(#item))
                    }
                    _ => other.to_owned(),
                },
            };
            Some(format!(
                "expected an owned type, found a reference: write `{owned}`"
            ))
        }
        Type::ImplTrait(_) => Some(
            "expected a concrete type, found `impl Trait`: the schema is made from it".to_owned(),
        ),
        _ => None,
    }
}

/// Whether this is the call's context, and if so, whether it is taken by reference.
fn as_context(ty: &Type) -> Option<bool> {
    let (ty, by_reference) = match ty {
        Type::Reference(reference) if reference.mutability.is_none() => (&*reference.elem, true),
        other => (other, false),
    };
    let Type::Path(path) = ty else { return None };
    (path.path.segments.last()?.ident == "CallContext").then_some(by_reference)
}

/// The text of doc comments: without the blank that follows `///`, and without empty edges.
fn documentation(attributes: &[Attribute]) -> Option<String> {
    let lines: Vec<String> = attributes
        .iter()
        .filter_map(|attribute| match &attribute.meta {
            Meta::NameValue(meta) if meta.path.is_ident("doc") => match &meta.value {
                Expr::Lit(ExprLit {
                    lit: Lit::Str(text),
                    ..
                }) => Some(text.value()),
                _ => None,
            },
            _ => None,
        })
        .flat_map(|text| {
            text.split('\n')
                .map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end().to_owned())
                .collect::<Vec<_>>()
        })
        .collect();
    let text = lines.join("\n").trim().to_owned();
    (!text.is_empty()).then_some(text)
}
