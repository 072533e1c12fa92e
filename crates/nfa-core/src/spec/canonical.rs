//! Canonical JSON: the bytes that a program's hash is taken over.
//!
//! RFC 8785 with one restriction: integral floats become integers, and integers beyond ±(2^53 − 1) are
//! refused unless they are strings. The result does not depend on serde_json's optional features.

use serde_json::{Number, Value};

use crate::error::{Category, Component, Error};

const MAX_SAFE: f64 = 9_007_199_254_740_991.0;

/// Writes `value` canonically: keys sorted by UTF-16 code units, no white space, shortest numbers.
///
/// # Errors
/// `number_not_canonical` for an integer beyond ±(2^53 − 1): write it as a string.
///
/// ```
/// let value = serde_json::json!({ "b": 1.0, "a": ["€", 0.5] });
/// assert_eq!(nfa_core::spec::canonical_json(&value)?, r#"{"a":["€",0.5],"b":1}"#);
/// # Ok::<(), nfa_core::Error>(())
/// ```
pub fn canonical_json(value: &Value) -> Result<String, Error> {
    let mut out = String::new();
    write_value(value, &mut out)?;
    Ok(out)
}

fn write_value(value: &Value, out: &mut String) -> Result<(), Error> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_number(number, out)?,
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_value(item, out)?;
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut members: Vec<_> = map.iter().collect();
            members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (at, (key, member)) in members.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_string(key, out);
                out.push(':');
                write_value(member, out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

fn write_number(number: &Number, out: &mut String) -> Result<(), Error> {
    let refused = || {
        Error::new(
            Component::Spec,
            Category::Input,
            "number_not_canonical",
            format!("expected a number within ±(2^53 - 1), found {number}: write it as a string"),
        )
    };
    let float = number
        .as_f64()
        .filter(|float| float.is_finite())
        .ok_or_else(refused)?;
    // Through text, so that `arbitrary_precision` and the plain representation agree.
    let text = number.to_string();
    let integral = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'-');
    if float.abs() > MAX_SAFE {
        if integral || float.fract() == 0.0 && float.abs() < 1e21 {
            return Err(refused());
        }
        out.push_str(&ecmascript(float));
        return Ok(());
    }
    if float.fract() == 0.0 {
        #[expect(clippy::cast_possible_truncation, reason = "within ±2^53")]
        let integer = float as i64;
        out.push_str(&integer.to_string());
    } else {
        out.push_str(&ecmascript(float));
    }
    Ok(())
}

/// ECMAScript's Number::toString: Rust's shortest digits, with ECMAScript's choice of notation.
fn ecmascript(float: f64) -> String {
    let scientific = format!("{float:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-6..21).contains(&exponent) {
        return format!("{float}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{}", exponent.abs())
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            control if u32::from(control) < 0x20 => {
                out.push_str(&format!("\\u{:04x}", u32::from(control)))
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        canonical_json(&serde_json::from_str(text).unwrap()).unwrap()
    }

    #[test]
    fn canonical_numbers_follow_rfc_8785() {
        for (given, expected) in [
            ("0", "0"),
            ("-0.0", "0"),
            ("1.0", "1"),
            ("1e2", "100"),
            ("0.1", "0.1"),
            ("4.5", "4.5"),
            ("0.000001", "0.000001"),
            ("0.0000001", "1e-7"),
            ("1e30", "1e+30"),
            ("333333333.33333329", "333333333.3333333"),
            ("9007199254740991", "9007199254740991"),
        ] {
            assert_eq!(canonical(given), expected, "{given}");
        }
    }

    #[test]
    fn canonical_integers_beyond_two_to_the_53_are_refused() {
        for text in [
            "9007199254740993",
            "-9007199254740993",
            "18446744073709551615",
            "9007199254740994.0",
        ] {
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(
                canonical_json(&value).unwrap_err().code(),
                "number_not_canonical",
                "{text}"
            );
        }
        assert_eq!(canonical("\"9007199254740993\""), "\"9007199254740993\"");
    }

    #[test]
    fn canonical_keys_are_sorted_by_utf16() {
        assert_eq!(
            canonical(r#"{"\ufb33":1,"😀":2,"\u0080":3,"1":4,"\r":5}"#),
            "{\"\\r\":5,\"1\":4,\"\u{80}\":3,\"😀\":2,\"\u{fb33}\":1}"
        );
    }

    #[test]
    fn canonical_is_a_fixed_point() {
        let once = canonical(r#"{"z":[1.5,{"y":null,"x":"\u001f"}],"a":true}"#);
        assert_eq!(canonical(&once), once);
    }
}
