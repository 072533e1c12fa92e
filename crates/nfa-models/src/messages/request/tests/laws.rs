//! Any conversation that the runtime may give, by whomever it was written.

use std::collections::HashSet;
use std::sync::Arc;

use nfa_core::content::{Message, Part, Role, ToolCall};
use nfa_core::spec::{ModelSettings, PromptCache, ReasoningEffort};
use nfa_testkit::server::judge;
use proptest::prelude::*;
use serde_json::json;

use super::{kept, model, result, said, set, thought, try_written, user, with_tools};
use crate::messages::Messages;
use crate::wire::warm::writes_as_if_cold;

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof!["[ \n]{0,2}", "[a-z ]{0,6}", any::<String>()]
}

/// Parts of an answer, by this provider or by others.
fn answer_part() -> impl Strategy<Value = Part> {
    let owner = prop_oneof![Just("anthropic/messages"), Just("openai/responses")];
    let item = prop_oneof![
        Just(json!({"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}})),
        Just(json!({"type": "web_search_tool_result", "tool_use_id": "s1", "content": []})),
        Just(json!({"type": "server_tool_use", "id": "s2", "name": "web_search", "input": {}})),
        Just(json!({"type": "container", "id": "c"})),
    ];
    let thoughts = prop_oneof![
        Just(json!({"type": "thinking", "signature": "s"})),
        Just(json!({"type": "redacted_thinking", "data": "x"})),
    ];
    prop_oneof![
        3 => any_text().prop_map(Part::text),
        1 => any_text().prop_map(|text| Part::Refusal { text }),
        1 => any_text().prop_map(Part::reasoning),
        2 => (owner.clone(), thoughts).prop_map(|(owner, value)| thought(owner, value)),
        2 => (owner, item).prop_map(|(owner, value)| Part::Opaque(kept(owner, value))),
        3 => ("[a|:]{0,2}", any_text(), any_text()).prop_map(|(id, name, arguments)| {
            Part::ToolCall(ToolCall::new(id, name, arguments))
        }),
        1 => Just(Part::media("image/png", "https://h/a.png")),
    ]
}

/// A conversation as the runtime gives it: ids are unique in an answer, and every call has its result.
fn conversation() -> impl Strategy<Value = Vec<Arc<Message>>> {
    let answer = (
        prop::collection::vec(answer_part(), 0..5),
        any_text(),
        any::<u8>(),
    );
    let exchanges = prop::collection::vec((any_text(), prop::collection::vec(answer, 0..3)), 1..4);
    exchanges.prop_map(|exchanges| {
        let mut messages = vec![Arc::new(Message::system("Be brief."))];
        for (asked, answers) in exchanges {
            messages.push(user(&asked));
            for (mut parts, said_back, odd) in answers {
                let mut ids = HashSet::new();
                parts.retain(|part| match part {
                    Part::ToolCall(call) => ids.insert(call.id.clone()),
                    _ => true,
                });
                let results: Vec<_> = parts
                    .iter()
                    .filter_map(|part| match part {
                        Part::ToolCall(call) => Some(result(&call.id, &said_back)),
                        _ => None,
                    })
                    .collect();
                messages.push(said(Role::Assistant, parts));
                if odd % 2 == 0 {
                    messages.push(said(Role::Tool, results));
                } else {
                    messages.extend(
                        results
                            .into_iter()
                            .rev()
                            .map(|it| said(Role::Tool, vec![it])),
                    );
                }
                if odd % 5 == 0 {
                    messages.push(Arc::new(Message::system(said_back)));
                }
            }
        }
        messages
    })
}

proptest! {
    #[test]
    fn l5_any_conversation_is_judged_right(
        messages in conversation(),
        effort in prop::option::of(prop_oneof![Just(ReasoningEffort::None), Just(ReasoningEffort::Low), Just(ReasoningEffort::High)]),
        cache in prop::option::of(prop_oneof![Just(PromptCache::Short), Just(PromptCache::Long)]),
        limit in prop::option::of(1_u64..5000),
        parallel: Option<bool>,
        temperature in prop::option::of(0.0..2.0),
        adaptive: bool,
        cut in 2_usize..40,
    ) {
        // Cut anywhere where no call waits for its result.
        let mut messages = messages;
        messages.truncate(cut);
        while messages.last().is_some_and(|last| last.tool_calls().next().is_some())
            || messages.last().is_some_and(|last| last.role == Role::Tool && last.parts.len() == 1)
        {
            messages.pop();
        }
        prop_assume!(messages.len() > 1);
        let settings = ModelSettings {
            reasoning_effort: effort,
            prompt_cache: cache,
            max_output_tokens: limit,
            parallel_tool_calls: parallel,
            temperature,
            top_p: temperature,
            ..ModelSettings::default()
        };
        let name = if adaptive { "claude-opus-4-7" } else { "claude-haiku-4-5" };
        let model = Messages::builder("anthropic/m", name, "http://h");
        let body = try_written(model, &set(with_tools(messages), settings)).unwrap();
        prop_assert_eq!(judge::messages(&body), [], "{}", body);
    }

    #[test]
    fn what_was_kept_changes_nothing(
        messages in conversation(),
        cache in prop::option::of(Just(PromptCache::Short)),
    ) {
        let settings = ModelSettings { prompt_cache: cache, ..ModelSettings::default() };
        writes_as_if_cold(|| model().build().unwrap(), &set(with_tools(messages), settings));
    }
}
