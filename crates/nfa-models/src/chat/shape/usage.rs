//! Tokens and money, wherever providers put them.

use std::fmt;

use nfa_core::content::Usage;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Usage; every count may be missing or null.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::chat) struct WireUsage {
    prompt_tokens: Option<Count>,
    completion_tokens: Option<Count>,
    prompt_tokens_details: Option<InputDetails>,
    completion_tokens_details: Option<OutputDetails>,
    prompt_cache_hit_tokens: Option<Count>,
    total_tokens: Option<Count>,
    /// Dollars (OpenRouter).
    cost: Option<Number>,
    /// Ten thousand millionths of a dollar (xAI).
    cost_in_usd_ticks: Option<Number>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct InputDetails {
    cached_tokens: Option<Count>,
    cache_write_tokens: Option<Count>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct OutputDetails {
    reasoning_tokens: Option<Count>,
}

impl WireUsage {
    pub(in crate::chat) fn usage(&self) -> Usage {
        let count = |count: Option<Count>| count.map_or(0, |count| count.0.whole());
        let details = self.prompt_tokens_details.unwrap_or_default();
        let reasoning = count(
            self.completion_tokens_details
                .and_then(|details| details.reasoning_tokens),
        );
        let input = count(self.prompt_tokens);
        let mut output = count(self.completion_tokens);
        // xAI counts thoughts beside what is said; only the total tells.
        let beside = input.saturating_add(output).saturating_add(reasoning);
        if reasoning > 0 && count(self.total_tokens) == beside {
            output = output.saturating_add(reasoning);
        }
        Usage {
            input_tokens: input,
            output_tokens: output,
            cached_tokens: count(details.cached_tokens.or(self.prompt_cache_hit_tokens)),
            cache_write_tokens: count(details.cache_write_tokens),
            reasoning_tokens: reasoning,
            cost_micro_usd: self.cost_micro_usd(),
        }
    }

    /// What the provider says that it cost, rounded up.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast of a float saturates"
    )]
    fn cost_micro_usd(&self) -> u64 {
        let dollars = self.cost.map(|cost| cost.0 * 1e6);
        let ticks = || self.cost_in_usd_ticks.map(|ticks| ticks.0 / 1e4);
        let micros = dollars.or_else(ticks).unwrap_or(0.0);
        // What a float adds to a whole number of millionths is no money.
        (micros - 1e-6).ceil().max(0.0) as u64
    }
}

/// A count, whatever number or other thing it is written as.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(transparent)]
struct Count(Number);

/// A number, whatever it is written as; 0 for what is none.
#[derive(Clone, Copy, Debug, Default)]
struct Number(f64);

impl Number {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast of a float saturates"
    )]
    fn whole(self) -> u64 {
        self.0 as u64
    }
}

#[allow(clippy::cast_precision_loss, reason = "no count of tokens is as large")]
impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_u64<E>(self, number: u64) -> Result<Number, E> {
                Ok(Number(number as f64))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Number, E> {
                Ok(Number(number as f64))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Number, E> {
                Ok(Number(number))
            }

            fn visit_str<E>(self, text: &str) -> Result<Number, E> {
                Ok(Number(text.parse().unwrap_or(0.0)))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Number, E> {
                Ok(Number(0.0))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Number, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Number(0.0))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Number, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Number(0.0))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(json: &str) -> Usage {
        serde_json::from_str::<WireUsage>(json).unwrap().usage()
    }

    #[test]
    fn thoughts_beside_what_is_said_count_as_written() {
        let xai = r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":22,"completion_tokens_details":{"reasoning_tokens":7}}"#;
        let openai = r#"{"prompt_tokens":10,"completion_tokens":12,"total_tokens":22,"completion_tokens_details":{"reasoning_tokens":7}}"#;
        for json in [xai, openai] {
            let usage = usage(json);
            assert_eq!(
                (usage.output_tokens, usage.reasoning_tokens),
                (12, 7),
                "{json}"
            );
        }
    }

    #[test]
    fn what_the_provider_says_that_it_cost_is_kept() {
        for (json, cost) in [
            (r#"{"cost":0.00125}"#, 1250),
            (r#"{"cost":0.0000003}"#, 1),
            (r#"{"cost":"0.5"}"#, 500_000),
            (r#"{"cost":-1}"#, 0),
            (r#"{"cost_in_usd_ticks":12500000}"#, 1250),
            ("{}", 0),
        ] {
            assert_eq!(usage(json).cost_micro_usd, cost, "{json}");
        }
    }

    #[test]
    fn counts_of_any_shape_are_read() {
        let usage = usage(
            r#"{"prompt_tokens":"7","completion_tokens":3.0,"prompt_tokens_details":{"cached_tokens":[],"cache_write_tokens":2},"prompt_cache_hit_tokens":9}"#,
        );
        assert_eq!((usage.input_tokens, usage.output_tokens), (7, 3));
        assert_eq!((usage.cached_tokens, usage.cache_write_tokens), (0, 2));
    }
}
