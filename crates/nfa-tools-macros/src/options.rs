//! What is written between the parentheses of `#[tool(…)]`, on a function and on a parameter.

use syn::meta::ParseNestedMeta;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Attribute, Expr, Ident, LitStr, Path, Token};

use crate::duration;

const EFFECTS: [(&str, &str); 5] = [
    ("pure", "Pure"),
    ("idempotent", "Idempotent"),
    ("keyed", "Keyed"),
    ("transactional", "Transactional"),
    ("at_most_once", "AtMostOnce"),
];

/// The options of a tool.
#[derive(Default)]
pub(crate) struct ToolOptions {
    pub(crate) name: Option<LitStr>,
    pub(crate) description: Option<LitStr>,
    /// The variant of `Effect`.
    pub(crate) effect: Option<Ident>,
    pub(crate) approval: bool,
    pub(crate) timeout_ms: Option<u64>,
    /// The word itself, so that an error can point at it.
    pub(crate) blocking: Option<Path>,
    pub(crate) root: Option<Path>,
}

impl Parse for ToolOptions {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut options = Self::default();
        let tokens: proc_macro2::TokenStream = input.parse()?;
        syn::meta::parser(|meta| options.read(&meta)).parse2(tokens)?;
        Ok(options)
    }
}

impl ToolOptions {
    fn read(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        if meta.path.is_ident("name") {
            let name: LitStr = meta.value()?.parse()?;
            check_name(&name.value()).map_err(|message| syn::Error::new(name.span(), message))?;
            return once(meta, &mut self.name, name);
        }
        if meta.path.is_ident("description") {
            return once(meta, &mut self.description, meta.value()?.parse()?);
        }
        if meta.path.is_ident("effect") {
            let given: LitStr = meta.value()?.parse()?;
            let Some((_, variant)) = EFFECTS.iter().find(|(name, _)| *name == given.value()) else {
                let names = EFFECTS.map(|(name, _)| format!("`{name}`")).join(", ");
                return Err(syn::Error::new(
                    given.span(),
                    format!("expected one of {names}, found `{}`", given.value()),
                ));
            };
            return once(meta, &mut self.effect, Ident::new(variant, given.span()));
        }
        if meta.path.is_ident("approval") {
            self.approval = true;
            return Ok(());
        }
        if meta.path.is_ident("timeout") {
            let given: LitStr = meta.value()?.parse()?;
            let Some(ms) = duration::milliseconds(&given.value()) else {
                return Err(syn::Error::new(
                    given.span(),
                    format!(
                        "expected a time such as \"500ms\", \"10s\", \"2m\" or \"1h\", found \"{}\"",
                        given.value()
                    ),
                ));
            };
            return once(meta, &mut self.timeout_ms, ms);
        }
        if meta.path.is_ident("blocking") {
            self.blocking = Some(meta.path.clone());
            return Ok(());
        }
        if meta.path.is_ident("crate") {
            return once(meta, &mut self.root, meta.value()?.parse()?);
        }
        Err(meta.error(
            "expected `name`, `description`, `effect`, `approval`, `timeout`, `blocking` or `crate`",
        ))
    }
}

/// The options of a parameter.
#[derive(Default)]
pub(crate) struct ParameterOptions {
    pub(crate) description: Option<LitStr>,
    pub(crate) default: Option<ParameterDefault>,
}

/// What a parameter is when it is not given.
pub(crate) enum ParameterDefault {
    /// `Default::default()`.
    OfType,
    Value(Box<Expr>),
}

impl ParameterOptions {
    /// Adds what one `#[tool(…)]` says.
    pub(crate) fn read(&mut self, attribute: &Attribute) -> syn::Result<()> {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("description") {
                return once(&meta, &mut self.description, meta.value()?.parse()?);
            }
            if meta.path.is_ident("default") {
                let default = if meta.input.peek(Token![=]) {
                    ParameterDefault::Value(meta.value()?.parse()?)
                } else {
                    ParameterDefault::OfType
                };
                return once(&meta, &mut self.default, default);
            }
            Err(meta.error("expected `description` or `default`"))
        })
    }
}

fn once<T>(meta: &ParseNestedMeta<'_>, slot: &mut Option<T>, value: T) -> syn::Result<()> {
    if slot.replace(value).is_some() {
        return Err(meta.error("given twice"));
    }
    Ok(())
}

/// The rule for names of tools; the runtime has the same.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if (1..=64).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(());
    }
    Err(format!(
        "expected a tool's name to be 1 to 64 of A-Z a-z 0-9 _ -, found `{name}`"
    ))
}
