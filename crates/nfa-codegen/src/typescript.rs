//! TypeScript: interfaces, unions that a member tells apart, and classes of errors.

use std::fmt::Write as _;

use crate::errors::{CATEGORIES, Table};
use crate::model::{Definition, Field, Kind, Shape};

const TEMPLATE: &str = include_str!("../templates/errors.ts");

pub(crate) fn types(types: &[Definition], table: &Table) -> String {
    let mut out = String::from(
        "// Generated from the JSON Schemas of the Rust types by `cargo xtask generate`: do not edit.\n",
    );
    for definition in types {
        out.push('\n');
        write_type(&mut out, definition);
    }
    out.push('\n');
    comment(&mut out, "", "The code of an error.");
    out.push_str("export type ErrorCode =\n");
    let codes: Vec<_> = table
        .codes
        .keys()
        .map(|code| format!("  | \"{code}\""))
        .collect();
    let _ = writeln!(out, "{};", codes.join("\n"));
    out
}

fn write_type(out: &mut String, definition: &Definition) {
    let name = &definition.name;
    match &definition.kind {
        Kind::Alias(shape) => {
            comment(out, "", &definition.doc);
            let _ = writeln!(out, "export type {name} = {};", written(shape));
        }
        Kind::Words(words) => {
            comment(out, "", &with_meanings(&definition.doc, words));
            let words: Vec<_> = words
                .iter()
                .map(|(word, _)| format!("\"{word}\""))
                .collect();
            let _ = writeln!(out, "export type {name} = {};", words.join(" | "));
        }
        Kind::Object(own) => {
            comment(out, "", &definition.doc);
            let _ = writeln!(out, "export interface {name} {{");
            fields(out, own);
            out.push_str("}\n");
        }
        Kind::Tagged { shared, variants } => {
            let base = format!("{name}Base");
            if !shared.is_empty() {
                comment(out, "", &format!("What every {{@link {name}}} has."));
                let _ = writeln!(out, "export interface {base} {{");
                fields(out, shared);
                out.push_str("}\n\n");
            }
            for variant in variants {
                comment(out, "", &variant.doc);
                let mut bases: Vec<&str> = Vec::new();
                if !shared.is_empty() {
                    bases.push(&base);
                }
                bases.extend(variant.extends.as_deref());
                let extends = match bases.is_empty() {
                    true => String::new(),
                    false => format!(" extends {}", bases.join(", ")),
                };
                let _ = writeln!(out, "export interface {}{extends} {{", variant.name);
                fields(out, &variant.fields);
                out.push_str("}\n\n");
            }
            comment(out, "", &definition.doc);
            let names: Vec<_> = variants
                .iter()
                .map(|variant| format!("  | {}", variant.name))
                .collect();
            let _ = writeln!(out, "export type {name} =\n{};", names.join("\n"));
        }
    }
}

fn fields(out: &mut String, fields: &[Field]) {
    for field in fields {
        comment(out, "  ", &field.doc);
        let mark = if field.required { "" } else { "?" };
        let _ = writeln!(out, "  {}{mark}: {};", field.name, written(&field.shape));
    }
}

fn written(shape: &Shape) -> String {
    match shape {
        Shape::Any => "unknown".to_owned(),
        Shape::String => "string".to_owned(),
        Shape::Integer | Shape::Number => "number".to_owned(),
        Shape::Boolean => "boolean".to_owned(),
        Shape::Null => "null".to_owned(),
        Shape::Literal(word) => format!("\"{word}\""),
        Shape::List(inner) => match **inner {
            Shape::Union(_) => format!("({})[]", written(inner)),
            _ => format!("{}[]", written(inner)),
        },
        Shape::Map(inner) => format!("Record<string, {}>", written(inner)),
        Shape::Named(name) => name.clone(),
        Shape::Union(arms) => arms.iter().map(written).collect::<Vec<_>>().join(" | "),
    }
}

/// A documentation comment; nothing for a text that is empty.
fn comment(out: &mut String, indent: &str, text: &str) {
    let lines: Vec<_> = text.lines().collect();
    match lines.as_slice() {
        [] => {}
        [only] => {
            let _ = writeln!(out, "{indent}/** {only} */");
        }
        lines => {
            let _ = writeln!(out, "{indent}/**");
            for line in lines {
                let _ = writeln!(out, "{}", format!("{indent} * {line}").trim_end());
            }
            let _ = writeln!(out, "{indent} */");
        }
    }
}

/// A text and what each of its words means, one a line.
fn with_meanings(doc: &str, words: &[(String, String)]) -> String {
    let mut text = doc.to_owned();
    let mut lead = "\n\n";
    for (word, meaning) in words.iter().filter(|(_, meaning)| !meaning.is_empty()) {
        let meaning = meaning.replace('\n', " ");
        let _ = write!(text, "{lead}- `\"{word}\"`: {meaning}");
        lead = "\n";
    }
    text.trim_start().to_owned()
}

pub(crate) fn errors(table: &Table) -> String {
    let mut classes = String::new();
    let mut class = |name: &str, below: &str, doc: &str| {
        comment(&mut classes, "", doc);
        let _ = writeln!(
            classes,
            "export class {name} extends {below} {{\n  static {{\n    this.prototype.name = \"{name}\";\n  }}\n}}\n",
        );
    };
    for (category, name) in CATEGORIES {
        class(name, "NfaError", &table.doc_of_category(category));
    }
    for one in &table.classes {
        class(&one.name, &one.below, &one.doc_with_codes());
    }
    let by_category: String = CATEGORIES
        .iter()
        .map(|(category, class)| format!("  {category}: {class},\n"))
        .collect();
    let by_code: String = table
        .own_classes()
        .map(|(code, class)| format!("  {code}: {class},\n"))
        .collect();
    let codes: String = table
        .codes
        .iter()
        .map(|(name, code)| {
            let class = table.class_of(name).unwrap_or("NfaError");
            let categories: Vec<_> = code
                .categories
                .iter()
                .map(|one| format!("\"{one}\""))
                .collect();
            format!(
                "  {name}: {{ class: {class}, categories: [{}], component: \"{}\" }},\n",
                categories.join(", "),
                code.component,
            )
        })
        .collect();
    TEMPLATE
        .replace("#CLASSES#\n", &classes)
        .replace("#BY_CATEGORY#", &by_category)
        .replace("#BY_CODE#", &by_code)
        .replace("#CODES#", &codes)
}
