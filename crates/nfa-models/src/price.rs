//! What tokens cost.

use nfa_core::content::Usage;

/// The price of a model, in millionths of a US dollar for a million tokens.
///
/// ```
/// use nfa_core::content::Usage;
/// use nfa_models::Price;
///
/// // 0.25 $ a million read, 2 $ a million written, a tenth of the first from the cache.
/// let price = Price::new(250_000, 2_000_000).with_cached(25_000);
/// let usage = Usage { input_tokens: 3_000_000, output_tokens: 1_000_000, cached_tokens: 1_000_000, ..Usage::default() };
/// assert_eq!(price.cost_micro_usd(&usage), 500_000 + 25_000 + 2_000_000);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Price {
    /// Tokens read.
    pub input_per_million_micro_usd: u64,
    /// Tokens written.
    pub output_per_million_micro_usd: u64,
    /// Tokens read from the provider's cache.
    pub cached_per_million_micro_usd: u64,
    /// Tokens read that the provider put into its cache.
    pub cache_write_per_million_micro_usd: u64,
    /// Tokens written while thinking.
    pub reasoning_per_million_micro_usd: u64,
}

impl Price {
    /// Prices of tokens read and written; those from or for the cache cost as much as others read, and those of
    /// reasoning as much as others written.
    pub fn new(input: u64, output: u64) -> Self {
        Self {
            input_per_million_micro_usd: input,
            output_per_million_micro_usd: output,
            cached_per_million_micro_usd: input,
            cache_write_per_million_micro_usd: input,
            reasoning_per_million_micro_usd: output,
        }
    }

    /// The same with another price of cached tokens.
    #[must_use]
    pub fn with_cached(mut self, cached: u64) -> Self {
        self.cached_per_million_micro_usd = cached;
        self
    }

    /// The same with another price of tokens that go into the cache.
    #[must_use]
    pub fn with_cache_write(mut self, cache_write: u64) -> Self {
        self.cache_write_per_million_micro_usd = cache_write;
        self
    }

    /// The same with another price of reasoning tokens.
    #[must_use]
    pub fn with_reasoning(mut self, reasoning: u64) -> Self {
        self.reasoning_per_million_micro_usd = reasoning;
        self
    }

    /// What `usage` costs, rounded up.
    pub fn cost_micro_usd(&self, usage: &Usage) -> u64 {
        let cached = usage.cached_tokens.min(usage.input_tokens);
        let cache_write = usage.cache_write_tokens.min(usage.input_tokens - cached);
        let reasoning = usage.reasoning_tokens.min(usage.output_tokens);
        let parts = [
            (
                usage.input_tokens - cached - cache_write,
                self.input_per_million_micro_usd,
            ),
            (cached, self.cached_per_million_micro_usd),
            (cache_write, self.cache_write_per_million_micro_usd),
            (
                usage.output_tokens - reasoning,
                self.output_per_million_micro_usd,
            ),
            (reasoning, self.reasoning_per_million_micro_usd),
        ];
        let cost = |(tokens, price): (u64, u64)| u128::from(tokens) * u128::from(price);
        let total: u128 = parts.into_iter().map(cost).fold(0, u128::saturating_add);
        u64::try_from(total.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_token_has_its_price() {
        let price = Price::new(1_000_000, 10_000_000)
            .with_cached(100_000)
            .with_cache_write(1_250_000)
            .with_reasoning(20_000_000);
        let usage = Usage {
            input_tokens: 1000,
            output_tokens: 100,
            cached_tokens: 300,
            cache_write_tokens: 200,
            reasoning_tokens: 40,
            cost_micro_usd: 7,
        };
        let cost = 500.0 + 300.0 * 0.1 + 200.0 * 1.25 + 60.0 * 10.0 + 40.0 * 20.0;
        assert_eq!(price.cost_micro_usd(&usage), cost as u64);
        let flat = Price::new(1_000_000, 10_000_000);
        assert_eq!(flat.cost_micro_usd(&usage), 2000);
    }

    #[test]
    fn parts_that_are_larger_than_the_whole_cost_no_more_than_the_whole() {
        let price = Price::new(1_000_000, 1_000_000);
        let usage = Usage {
            input_tokens: 10,
            output_tokens: 10,
            cached_tokens: 100,
            cache_write_tokens: 100,
            reasoning_tokens: 100,
            ..Usage::default()
        };
        assert_eq!(price.cost_micro_usd(&usage), 20);
        let much = Price::new(u64::MAX, u64::MAX);
        let all = Usage {
            input_tokens: u64::MAX,
            output_tokens: u64::MAX,
            ..Usage::default()
        };
        assert_eq!(much.cost_micro_usd(&all), u64::MAX);
    }
}
