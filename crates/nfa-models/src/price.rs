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
}

impl Price {
    /// Prices of tokens read and written; cached ones cost as much as others.
    pub fn new(input: u64, output: u64) -> Self {
        Self {
            input_per_million_micro_usd: input,
            output_per_million_micro_usd: output,
            cached_per_million_micro_usd: input,
        }
    }

    /// The same with another price of cached tokens.
    #[must_use]
    pub fn with_cached(mut self, cached: u64) -> Self {
        self.cached_per_million_micro_usd = cached;
        self
    }

    /// What `usage` costs, rounded up.
    pub fn cost_micro_usd(&self, usage: &Usage) -> u64 {
        let cached = usage.cached_tokens.min(usage.input_tokens);
        let cost = |tokens: u64, price: u64| u128::from(tokens) * u128::from(price);
        let total = cost(
            usage.input_tokens - cached,
            self.input_per_million_micro_usd,
        ) + cost(cached, self.cached_per_million_micro_usd)
            + cost(usage.output_tokens, self.output_per_million_micro_usd);
        u64::try_from(total.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }
}
