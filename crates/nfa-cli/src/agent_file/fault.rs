//! What is wrong with a document, where, and what was meant.

use std::fmt::{self, Write as _};

use nfa_core::{Category, Component, Error};
use serde::de::{Expected, Unexpected};
use serde_json::json;

use super::node::{Place, Segment};

/// One thing that is wrong with a document.
#[derive(Debug)]
pub(super) struct Fault(Box<Inner>);

#[derive(Debug)]
struct Inner {
    code: &'static str,
    at: Option<Place>,
    /// From the inside out while it is built.
    path: Vec<Segment>,
    message: String,
    expected: Vec<String>,
    nearest: Option<String>,
}

impl Fault {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code,
            at: None,
            path: Vec::new(),
            message: message.into(),
            expected: Vec::new(),
            nearest: None,
        }))
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new("agent_file_invalid", message)
    }

    pub(super) fn at(mut self, place: Place) -> Self {
        if place.is_known() {
            self.0.at.get_or_insert(place);
        }
        self
    }

    pub(super) fn within(mut self, segment: Segment) -> Self {
        self.0.path.push(segment);
        self
    }

    pub(super) fn on(mut self, path: &[Segment]) -> Self {
        self.0.path = path.iter().rev().cloned().collect();
        self
    }

    /// States which names there are, and finds the one that was probably meant.
    pub(super) fn among<'a>(
        mut self,
        found: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        self.0.expected = known.into_iter().map(str::to_owned).collect();
        self.0.nearest = nearest(found, &self.0.expected).map(str::to_owned);
        self
    }

    /// From the outside in.
    pub(super) fn full_path(&self) -> Vec<Segment> {
        self.0.path.iter().rev().cloned().collect()
    }

    /// `tools[1].effect`; empty for the whole document.
    fn path(&self) -> String {
        let mut text = String::new();
        for segment in self.0.path.iter().rev() {
            let _ = match segment {
                Segment::Index(index) => write!(text, "[{index}]"),
                Segment::Field(name) if text.is_empty() => write!(text, "{}", short(name)),
                Segment::Field(name) => write!(text, ".{}", short(name)),
            };
        }
        text
    }

    fn sentence(&self) -> String {
        let mut text = self.0.message.clone();
        if !self.0.expected.is_empty() {
            let names: Vec<_> = self
                .0
                .expected
                .iter()
                .map(|name| format!("`{name}`"))
                .collect();
            let _ = write!(text, "; expected one of {}", names.join(", "));
        }
        if let Some(nearest) = &self.0.nearest {
            let _ = write!(text, "; did you mean `{nearest}`?");
        }
        text
    }

    /// The error that a person reads: `file:line:column: path: what`, then the line itself.
    pub(super) fn into_error(self, file: &str, source: &str) -> Error {
        let path = self.path();
        let mut message = file.to_owned();
        if let Some(at) = self.0.at {
            let _ = write!(message, ":{}:{}", at.line, at.column);
        }
        if !path.is_empty() {
            let _ = write!(message, ": {path}");
        }
        let _ = write!(message, ": {}", self.sentence());
        if let Some(at) = self.0.at {
            message.push_str(&excerpt(source, at));
        }
        let details = json!({
            "file": file,
            "line": self.0.at.map(|at| at.line),
            "column": self.0.at.map(|at| at.column),
            "path": path,
            "expected": self.0.expected,
            "nearest": self.0.nearest,
        });
        Error::new(Component::Spec, Category::Input, self.0.code, message).with_details(details)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence())
    }
}

impl std::error::Error for Fault {}

impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::invalid(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let mut message = format!("expected {}, found {}", plain(expected), seen(found));
        let wants_text = expected.to_string().contains("string");
        if wants_text
            && matches!(
                found,
                Unexpected::Bool(_)
                    | Unexpected::Unsigned(_)
                    | Unexpected::Signed(_)
                    | Unexpected::Float(_)
            )
        {
            message.push_str(": put it in quotes if it is meant as text");
        }
        Self::invalid(message)
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid(format!(
            "expected {}, found {}",
            plain(expected),
            seen(found)
        ))
    }

    fn invalid_length(found: usize, expected: &dyn Expected) -> Self {
        Self::invalid(format!(
            "expected {}, found {found} of them",
            plain(expected)
        ))
    }

    fn unknown_variant(found: &str, expected: &'static [&'static str]) -> Self {
        Self::invalid(format!("`{}` is not known here", short(found)))
            .among(found, expected.iter().copied())
    }

    fn unknown_field(found: &str, expected: &'static [&'static str]) -> Self {
        Self::invalid(format!("there is no field `{}`", short(found)))
            .among(found, expected.iter().copied())
    }

    fn missing_field(field: &'static str) -> Self {
        Self::invalid(format!("the field `{field}` is missing"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::invalid(format!("the field `{field}` is there twice"))
    }
}

/// What serde expects, in the words of a document.
fn plain(expected: &dyn Expected) -> String {
    let text = expected.to_string();
    match text.as_str() {
        "a string" | "string" | "str" => "text".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "u8" | "u16" | "u32" | "u64" | "usize" => format!("a whole number from 0 ({text})"),
        "i8" | "i16" | "i32" | "i64" => format!("a whole number ({text})"),
        "f32" | "f64" => "a number".to_owned(),
        _ if text.starts_with("struct ") || text == "a map" => "fields (`name: value`)".to_owned(),
        _ if text.starts_with("variant of ") || text.starts_with("enum ") => "a name".to_owned(),
        _ => text,
    }
}

fn seen(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Unsigned(value) => format!("the number {value}"),
        Unexpected::Signed(value) => format!("the number {value}"),
        Unexpected::Float(value) => format!("the number {value}"),
        Unexpected::Str(text) => format!("the text `{}`", short(text)),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "fields".to_owned(),
        other => other.to_string(),
    }
}

/// At most 60 characters of what somebody wrote, on one line.
fn short(text: &str) -> String {
    let mut cut: String = text
        .chars()
        .take(60)
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    if text.chars().nth(60).is_some() {
        cut.push('…');
    }
    cut
}

/// The name that was probably meant: close, or with the wrong case or dashes.
fn nearest<'a>(found: &str, known: &'a [String]) -> Option<&'a str> {
    let found: String = short(found).to_lowercase().replace(['-', ' '], "_");
    known
        .iter()
        .map(|name| {
            (
                strsim::damerau_levenshtein(&found, &name.to_lowercase()),
                name,
            )
        })
        .filter(|(distance, name)| *distance <= (name.chars().count() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name.as_str())
}

/// The line that a place is in, with a mark below it.
fn excerpt(source: &str, at: Place) -> String {
    const WIDTH: usize = 100;
    let index = usize::try_from(at.line)
        .unwrap_or(usize::MAX)
        .saturating_sub(1);
    let column = usize::try_from(at.column)
        .unwrap_or(usize::MAX)
        .saturating_sub(1);
    let Some(line) = source.lines().nth(index).filter(|_| column < WIDTH) else {
        return String::new();
    };
    let shown: String = line
        .chars()
        .take(WIDTH)
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    let number = at.line.to_string();
    let margin = " ".repeat(number.len());
    let indent = " ".repeat(column);
    format!("\n {number} | {}\n {margin} | {indent}^", shown.trim_end())
}
