//! Numbers as JSON means them: `2.0` is the integer 2, for a schema and so for a tool.

use serde_json::{Number, Value};

/// The largest magnitude at which every integer is also a float.
const MAX_SAFE: f64 = 9_007_199_254_740_991.0;

/// Makes integers of floats without a fraction, which Rust's integer types would refuse.
pub(crate) fn integral_floats_to_integers(value: &mut Value) {
    match value {
        Value::Number(number) if !number.is_i64() && !number.is_u64() => {
            if let Some(float) = number.as_f64()
                && float.fract() == 0.0
                && float.abs() <= MAX_SAFE
            {
                #[expect(clippy::cast_possible_truncation, reason = "within ±2^53")]
                let integer = float as i64;
                *number = Number::from(integer);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(integral_floats_to_integers),
        Value::Object(members) => members.values_mut().for_each(integral_floats_to_integers),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_floats_without_a_fraction_change() {
        let mut value = json!({ "a": [2.0, -0.0, 2.5, 7, "2.0"], "b": 1e300, "c": u64::MAX });
        integral_floats_to_integers(&mut value);
        assert_eq!(
            value.to_string(),
            json!({ "a": [2, 0, 2.5, 7, "2.0"], "b": 1e300, "c": u64::MAX }).to_string()
        );
    }
}
