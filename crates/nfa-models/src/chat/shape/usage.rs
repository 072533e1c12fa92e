//! Tokens and money, wherever providers put them.

use nfa_core::content::Usage;
use serde::Deserialize;

use crate::wire::shape::Number;

/// Usage; every count may be missing or null.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::chat) struct WireUsage {
    prompt_tokens: Option<Number>,
    completion_tokens: Option<Number>,
    prompt_tokens_details: Option<InputDetails>,
    completion_tokens_details: Option<OutputDetails>,
    prompt_cache_hit_tokens: Option<Number>,
    total_tokens: Option<Number>,
    /// Dollars (OpenRouter).
    cost: Option<Number>,
    /// Ten thousand millionths of a dollar (xAI).
    cost_in_usd_ticks: Option<Number>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct InputDetails {
    cached_tokens: Option<Number>,
    cache_write_tokens: Option<Number>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct OutputDetails {
    reasoning_tokens: Option<Number>,
}

impl WireUsage {
    pub(in crate::chat) fn usage(&self) -> Usage {
        let count = |count: Option<Number>| count.map_or(0, Number::whole);
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
