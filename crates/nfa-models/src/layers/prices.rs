//! What models cost, by name.

use std::collections::BTreeMap;

use nfa_core::Error;
use serde::Deserialize;

use crate::errors;
use crate::price::Price;

/// Prices by `provider/model`. It begins empty: prices change, so they are the user's to state.
///
/// A name is looked for as it stands; then without a date or version at its end (`-2025-08-07`, `-20250807`,
/// `-0613`, `@20250807`, `-001`, `-latest`); then among the names that end with `*`, where the longest counts.
///
/// ```
/// use nfa_models::{Price, PriceTable};
///
/// // US dollars for a million tokens.
/// let prices = PriceTable::from_json(r#"{
///     "openai/gpt-5-mini": { "input": 0.25, "output": 2, "cached": 0.025 },
///     "ollama/*": { "input": 0, "output": 0 }
/// }"#)?;
/// let mini = Some(Price::new(250_000, 2_000_000).with_cached(25_000));
/// assert_eq!(prices.price("openai/gpt-5-mini-2025-08-07"), mini);
/// assert_eq!(prices.price("ollama/llama3.2"), Some(Price::new(0, 0)));
/// assert_eq!(prices.price("openai/gpt-5"), None);
/// # Ok::<(), nfa_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PriceTable {
    names: BTreeMap<String, Price>,
    /// Without their `*`.
    prefixes: BTreeMap<String, Price>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    input: f64,
    output: f64,
    cached: Option<f64>,
    cache_write: Option<f64>,
    reasoning: Option<f64>,
}

impl PriceTable {
    /// A table without prices.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads an object of `provider/model` names; each has `input` and `output`, and may have `cached`,
    /// `cache_write` and `reasoning`, in US dollars for a million tokens.
    ///
    /// # Errors
    /// `price_table_invalid`, with the name or the line that is wrong.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let invalid = |found: String| {
            errors::input(
                errors::PRICE_TABLE_INVALID,
                format!(
                    "expected an object of `provider/model` with `input` and `output` in US dollars for a million tokens, found {found}"
                ),
            )
        };
        let rows: BTreeMap<String, Row> = serde_json::from_str(text)
            .map_err(|error| invalid(error.to_string()).with_source(error))?;
        let mut table = Self::new();
        for (name, row) in rows {
            let micro = |dollars: f64| {
                // Up to a million dollars for a million tokens; beyond that it is a mistake.
                if !(0.0..=1e6).contains(&dollars) {
                    return Err(invalid(format!("the price {dollars} of `{name}`")));
                }
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                let micro = (dollars * 1e6).round() as u64;
                Ok(micro)
            };
            let mut price = Price::new(micro(row.input)?, micro(row.output)?);
            if let Some(cached) = row.cached {
                price = price.with_cached(micro(cached)?);
            }
            if let Some(cache_write) = row.cache_write {
                price = price.with_cache_write(micro(cache_write)?);
            }
            if let Some(reasoning) = row.reasoning {
                price = price.with_reasoning(micro(reasoning)?);
            }
            table = table.with(name, price);
        }
        Ok(table)
    }

    /// The same with this price of `provider/model`, or of all names that begin so when it ends with `*`.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, price: Price) -> Self {
        let name = name.into();
        match name.strip_suffix('*') {
            Some(prefix) => self.prefixes.insert(prefix.to_owned(), price),
            None => self.names.insert(name, price),
        };
        self
    }

    /// The price of `provider/model`, if the table knows it.
    pub fn price(&self, name: &str) -> Option<Price> {
        let exact = |name: &str| self.names.get(name).copied();
        exact(name).or_else(|| exact(undated(name)?)).or_else(|| {
            let prefixes = self.prefixes.iter().rev();
            let mut fitting = prefixes.filter(|(prefix, _)| name.starts_with(prefix.as_str()));
            // Of prefixes of one name, the longer one sorts later.
            fitting.next().map(|(_, price)| *price)
        })
    }
}

/// A name without the date or version at its end.
fn undated(name: &str) -> Option<&str> {
    if let Some(base) = name.strip_suffix("-latest") {
        return Some(base);
    }
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((base, version)) = name.rsplit_once('@') {
        return (!version.is_empty() && digits(version)).then_some(base);
    }
    let (base, last) = name.rsplit_once('-')?;
    if !digits(last) {
        return None;
    }
    match last.len() {
        // `-2025-08-07`, or a version such as `-08`, which is none.
        2 => {
            let (base, month) = base.rsplit_once('-')?;
            let (base, year) = base.rsplit_once('-')?;
            let date = digits(month) && month.len() == 2 && digits(year) && year.len() == 4;
            date.then_some(base)
        }
        3 | 4 | 8 => Some(base),
        _ => None,
    }
}

/// The body of a fuzz target: a table is read or refused, and any name may be looked for.
#[cfg(feature = "fuzzing")]
pub fn fuzz(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(table) = PriceTable::from_json(&text) {
        let names = table.names.keys().chain(table.prefixes.keys());
        assert!(names.clone().all(|name| table.price(name).is_some()));
    }
    let _ = PriceTable::new().with("a/b", Price::new(1, 1)).price(&text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dated_names_have_the_price_of_their_model_and_others_do_not() {
        let price = Price::new(1, 2);
        let table = PriceTable::new().with("openai/gpt-5", price);
        for name in [
            "openai/gpt-5",
            "openai/gpt-5-2025-08-07",
            "openai/gpt-5-20250807",
            "openai/gpt-5-0613",
            "openai/gpt-5-001",
            "openai/gpt-5@20250807",
            "openai/gpt-5-latest",
        ] {
            assert_eq!(table.price(name), Some(price), "{name}");
        }
        for name in [
            "openai/gpt-5-mini",
            "openai/gpt-5.1",
            "openai/gpt-5-mini-2025-08-07",
            "openai/gpt-5-12",
            "openai/gpt-5-2025-08",
            "openai/gpt-5@",
            "azure/gpt-5",
            "openai/gpt",
            "",
        ] {
            assert_eq!(table.price(name), None, "{name}");
        }
    }

    #[test]
    fn the_nearest_name_counts() {
        let table = PriceTable::new()
            .with("a/*", Price::new(1, 1))
            .with("a/b*", Price::new(2, 2))
            .with("a/b-c", Price::new(3, 3))
            .with("a/b-c-2025-01-01", Price::new(4, 4))
            .with("*", Price::new(5, 5));
        for (name, expected) in [
            ("a/x", 1),
            ("a/bx", 2),
            ("a/b-c", 3),
            ("a/b-c-2025-02-02", 3),
            ("a/b-c-2025-01-01", 4),
            ("z/z", 5),
        ] {
            let price = table.price(name).unwrap();
            assert_eq!(price, Price::new(expected, expected), "{name}");
        }
    }

    #[test]
    fn a_wrong_table_is_refused() {
        let all = r#"{"a/b":{"input":1,"output":2,"cached":0.1,"cache_write":1.25,"reasoning":3}}"#;
        let price = PriceTable::from_json(all).unwrap().price("a/b").unwrap();
        let expected = Price::new(1_000_000, 2_000_000)
            .with_cached(100_000)
            .with_cache_write(1_250_000)
            .with_reasoning(3_000_000);
        assert_eq!(price, expected);
        for (text, told) in [
            ("[]", "map"),
            (r#"{"a/b":{"input":1}}"#, "output"),
            (r#"{"a/b":{"input":-1,"output":1}}"#, "`a/b`"),
            (r#"{"a/b":{"input":1e7,"output":1}}"#, "`a/b`"),
            (r#"{"a/b":{"input":1,"output":1,"cahced":1}}"#, "cahced"),
        ] {
            let error = PriceTable::from_json(text).unwrap_err();
            assert_eq!(error.code(), "price_table_invalid");
            assert!(error.message().contains(told), "{error}");
        }
    }

    #[cfg(feature = "fuzzing")]
    proptest::proptest! {
        #[test]
        fn the_body_of_the_fuzz_target_holds(
            name in "[a-z/@0-9*-]{0,20}",
            row in "(\"input\":[0-9.]{1,4},?|\"output\":1,?){0,3}",
        ) {
            fuzz(format!("{{\"{name}\":{{{row}}}}}").as_bytes());
            fuzz(name.as_bytes());
        }
    }
}
