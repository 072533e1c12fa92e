//! How long a model may think: from our efforts to what the provider takes.

use nfa_core::spec::{ModelSettings, ReasoningEffort};
use serde_json::{Value, json};

/// Tokens below which the provider takes no budget.
const LEAST_BUDGET: u64 = 1024;

/// How a model is told how long to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Thinking {
    /// In tokens: `thinking.budget_tokens`, of 1024 (minimal), 4096 (low), 8192 (medium) or 24576 (high).
    Budget,
    /// By a word: `thinking.type` is `adaptive`, and `output_config.effort` is `low` (also for minimal),
    /// `medium` or `high`.
    Adaptive,
}

impl Thinking {
    /// What the model of this name takes: Claude models from version 4.6 on decide for themselves how long,
    /// everything else gets a budget.
    pub fn of(model: &str) -> Self {
        let name = model.find("claude").and_then(|at| model.get(at..));
        let mut words = name.unwrap_or_default().split(['-', '.', '@', ':']).skip(1);
        let mut number = || words.next().and_then(|word| word.parse::<u32>().ok());
        // `claude-FAMILY-MAJOR-MINOR`; a word of many digits is a date.
        let (family, major, minor) = (number(), number(), number());
        let minor = minor.filter(|minor| *minor < 100).unwrap_or(0);
        match (family, major) {
            (None, Some(major)) if major < 100 && (major, minor) >= (4, 6) => Self::Adaptive,
            _ => Self::Budget,
        }
    }
}

/// What of a request is about thinking.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Thought {
    /// The field `thinking`.
    pub(super) field: Option<Value>,
    /// `output_config.effort`.
    pub(super) effort: Option<&'static str>,
    /// The limit of the answer, thoughts included.
    pub(super) max_tokens: u64,
}

impl Thought {
    /// Whether the model will think: it takes few samplings then.
    pub(super) fn thinks(&self) -> bool {
        self.field
            .as_ref()
            .is_some_and(|field| field["type"] != "disabled")
    }
}

/// What the settings ask for. `open`: whether the model is in the middle of a turn that it began without
/// thinking; a budget may not be given there.
pub(super) fn thought(
    way: Thinking,
    settings: &ModelSettings,
    default_tokens: u64,
    open: bool,
) -> Thought {
    let limit = match settings.extra.get("max_tokens").and_then(Value::as_u64) {
        Some(limit) => Some(limit),
        None => settings.max_output_tokens,
    };
    if let Some(field) = settings.extra.get("thinking") {
        let budget = field["budget_tokens"].as_u64().unwrap_or(0);
        return Thought {
            field: Some(field.clone()),
            effort: None,
            max_tokens: limit.unwrap_or_else(|| default_tokens.saturating_add(budget)),
        };
    }
    let off = |field| Thought {
        field,
        effort: None,
        max_tokens: limit.unwrap_or(default_tokens),
    };
    let (budget, word) = match settings.reasoning_effort {
        None => return off(None),
        Some(ReasoningEffort::None) => return off(Some(json!({"type": "disabled"}))),
        Some(ReasoningEffort::Minimal) => (LEAST_BUDGET, "low"),
        Some(ReasoningEffort::Low) => (4096, "low"),
        Some(ReasoningEffort::High) => (24_576, "high"),
        Some(_) => (8192, "medium"),
    };
    let max_tokens = limit.unwrap_or_else(|| default_tokens.saturating_add(budget));
    match way {
        Thinking::Adaptive => Thought {
            field: Some(json!({"type": "adaptive"})),
            effort: Some(word),
            max_tokens,
        },
        // Under a small limit at least half of it is left for the answer, as far as the least budget allows.
        Thinking::Budget if !open && max_tokens > LEAST_BUDGET => {
            let most = limit.map_or(u64::MAX, |limit| (limit / 2).max(LEAST_BUDGET));
            let budget = budget.min(most);
            Thought {
                field: Some(json!({"type": "enabled", "budget_tokens": budget})),
                effort: None,
                max_tokens,
            }
        }
        Thinking::Budget => off(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_models_by_their_names() {
        for adaptive in [
            "claude-opus-4-7",
            "claude-sonnet-4-6",
            "claude-opus-5",
            "anthropic/claude-opus-4-8",
            "anthropic/claude-opus-4.6",
            "us.anthropic.claude-opus-4-6-v1:0",
            "claude-haiku-5-20270101",
        ] {
            assert_eq!(Thinking::of(adaptive), Thinking::Adaptive, "{adaptive}");
        }
        for budget in [
            "claude-haiku-4-5",
            "claude-haiku-4-5-20251001",
            "claude-sonnet-4-20250514",
            "claude-opus-4-1@20250805",
            "claude-3-7-sonnet-20250219",
            "qwen3-4.6b",
            "",
        ] {
            assert_eq!(Thinking::of(budget), Thinking::Budget, "{budget}");
        }
    }

    fn asked(effort: ReasoningEffort, limit: Option<u64>, open: bool) -> Thought {
        let settings = ModelSettings {
            reasoning_effort: Some(effort),
            max_output_tokens: limit,
            ..ModelSettings::default()
        };
        thought(Thinking::Budget, &settings, 8192, open)
    }

    #[test]
    fn a_budget_is_always_below_the_limit() {
        use ReasoningEffort::{High, Low, Medium, Minimal};
        for effort in [Minimal, Low, Medium, High] {
            for limit in [None, Some(1025), Some(1500), Some(4000), Some(100_000)] {
                let thought = asked(effort, limit, false);
                let budget = thought.field.as_ref().unwrap()["budget_tokens"]
                    .as_u64()
                    .unwrap();
                assert!((1024..thought.max_tokens).contains(&budget), "{thought:?}");
                assert!(limit.is_none_or(|limit| limit == thought.max_tokens));
            }
            assert_eq!(asked(effort, Some(1024), false).field, None);
            assert_eq!(asked(effort, None, true).field, None);
        }
        assert_eq!(asked(High, None, false).max_tokens, 8192 + 24_576);
        let none = asked(ReasoningEffort::None, None, false);
        assert!(!none.thinks() && none.field == Some(json!({"type": "disabled"})));
    }
}
