//! An answer in the making: parts that grow, and the deltas that tell of it.

use std::collections::VecDeque;

use nfa_core::Error;
use nfa_core::content::{FinishReason, Message, ModelAnswer, Part, Role, ToolCall, Usage};
use nfa_core::ports::ModelDelta;

use crate::errors;

/// Parts in the order in which they began. A part is named by its place.
#[derive(Debug)]
pub(crate) struct AnswerBuilder {
    deltas: Option<VecDeque<ModelDelta>>,
    parts: Vec<Building>,
    calls: u32,
    pub(crate) finish: Option<FinishReason>,
    pub(crate) usage: Usage,
    /// The model that answers, as the provider names it.
    pub(crate) model: String,
    /// The provider's id of the answer.
    pub(crate) id: String,
    size: usize,
    limit: usize,
}

#[derive(Debug)]
struct Building {
    part: Part,
    /// Of a call: its place among the calls.
    index: u32,
    /// Of a call: whether its name was told.
    told: bool,
}

impl AnswerBuilder {
    /// An answer that also makes deltas when `deltas`, and is refused at more than `limit` bytes.
    pub(crate) fn new(deltas: bool, limit: usize) -> Self {
        Self {
            deltas: deltas.then(VecDeque::new),
            parts: Vec::new(),
            calls: 0,
            finish: None,
            usage: Usage::default(),
            model: String::new(),
            id: String::new(),
            size: 0,
            limit,
        }
    }

    /// The next delta that is ready.
    pub(crate) fn pop(&mut self) -> Option<ModelDelta> {
        self.deltas.as_mut()?.pop_front()
    }

    /// Counts bytes of the wire towards the limit.
    pub(crate) fn count(&mut self, bytes: usize) -> Result<(), Error> {
        self.size = self.size.saturating_add(bytes);
        if self.size <= self.limit {
            return Ok(());
        }
        Err(too_large(self.limit))
    }

    /// Whether nothing has come yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// How many parts have begun.
    pub(crate) fn len(&self) -> usize {
        self.parts.len()
    }

    /// Begins a part that no delta tells of: an empty one that will grow, or one of the provider's own.
    pub(crate) fn push(&mut self, part: Part) -> usize {
        self.parts.push(Building {
            part,
            index: 0,
            told: false,
        });
        self.parts.len() - 1
    }

    /// A part that has begun.
    pub(crate) fn part(&mut self, at: usize) -> Option<&mut Part> {
        self.parts.get_mut(at).map(|building| &mut building.part)
    }

    /// The newest part, to go on with.
    pub(crate) fn last(&mut self) -> Option<(usize, &mut Part)> {
        let at = self.parts.len().checked_sub(1)?;
        self.part(at).map(|part| (at, part))
    }

    /// More text of the text, reasoning or refusal at `at`.
    pub(crate) fn grow(&mut self, at: usize, more: &str) {
        if more.is_empty() {
            return;
        }
        let Some(building) = self.parts.get_mut(at) else {
            return;
        };
        let (text, make): (_, fn(String) -> ModelDelta) = match &mut building.part {
            Part::Text { text, .. } => (text, ModelDelta::Text),
            Part::Reasoning { text, .. } => (text, ModelDelta::Reasoning),
            Part::Refusal { text } => (text, ModelDelta::Refusal),
            _ => return,
        };
        text.push_str(more);
        let Some(deltas) = &mut self.deltas else {
            return;
        };
        // Pieces that came together leave together: a delta that is still waiting grows.
        match (deltas.back_mut(), &building.part) {
            (Some(ModelDelta::Text(waiting)), Part::Text { .. })
            | (Some(ModelDelta::Reasoning(waiting)), Part::Reasoning { .. })
            | (Some(ModelDelta::Refusal(waiting)), Part::Refusal { .. }) => {
                waiting.push_str(more);
            }
            _ => deltas.push_back(make(more.to_owned())),
        }
    }

    /// Begins a call. Its id and name may come later, by [`AnswerBuilder::name`].
    pub(crate) fn call(&mut self, call: ToolCall) -> usize {
        let arguments = !call.arguments.is_empty();
        self.parts.push(Building {
            part: Part::ToolCall(call),
            index: self.calls,
            told: false,
        });
        self.calls = self.calls.saturating_add(1);
        let at = self.parts.len() - 1;
        self.tell(at, arguments);
        at
    }

    /// The calls of the answer so far.
    pub(crate) fn tool_calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.parts
            .iter()
            .filter_map(|building| match &building.part {
                Part::ToolCall(call) => Some(call),
                _ => None,
            })
    }

    /// Gives the call at `at` its id and name; what it has already it keeps.
    pub(crate) fn name(&mut self, at: usize, id: &str, name: &str) {
        let Some(Part::ToolCall(call)) = self.part(at) else {
            return;
        };
        if call.id.is_empty() {
            call.id.push_str(id);
        }
        if call.name.is_empty() {
            call.name.push_str(name);
        }
        let arguments = !call.arguments.is_empty();
        self.tell(at, arguments);
    }

    /// More of the arguments of the call at `at`.
    pub(crate) fn arguments(&mut self, at: usize, json: &str) {
        let Some(building) = self.parts.get_mut(at) else {
            return;
        };
        let Part::ToolCall(call) = &mut building.part else {
            return;
        };
        call.arguments.push_str(json);
        let (true, Some(deltas)) = (building.told, &mut self.deltas) else {
            return;
        };
        match deltas.back_mut() {
            Some(ModelDelta::ToolCallArguments {
                index,
                json: waiting,
            }) if *index == building.index => waiting.push_str(json),
            _ => deltas.push_back(ModelDelta::ToolCallArguments {
                index: building.index,
                json: json.to_owned(),
            }),
        }
    }

    /// Tells of a call once it has a name.
    fn tell(&mut self, at: usize, arguments: bool) {
        let Some(building) = self.parts.get_mut(at) else {
            return;
        };
        let Part::ToolCall(call) = &building.part else {
            return;
        };
        if building.told || call.name.is_empty() {
            return;
        }
        building.told = true;
        let Some(deltas) = &mut self.deltas else {
            return;
        };
        let index = building.index;
        deltas.push_back(ModelDelta::ToolCallStarted {
            index,
            name: call.name.clone(),
        });
        if arguments {
            deltas.push_back(ModelDelta::ToolCallArguments {
                index,
                json: call.arguments.clone(),
            });
        }
    }

    /// Puts the parts in the order of their keys, just before the answer is finished: places named so far
    /// mean nothing after it.
    pub(crate) fn arrange<K: Ord>(&mut self, key: impl Fn(usize) -> K) {
        let mut parts: Vec<_> = self.parts.drain(..).enumerate().collect();
        parts.sort_by_key(|(at, _)| key(*at));
        self.parts.extend(parts.into_iter().map(|(_, part)| part));
    }

    /// What there is of an answer without an end, for a message.
    pub(crate) fn found(&self) -> &'static str {
        if self.is_empty() {
            "an end before any content"
        } else {
            "an end in the middle of the answer"
        }
    }

    /// The whole answer.
    pub(crate) fn finish(&mut self) -> Result<ModelAnswer, Error> {
        let Some(finish) = self.finish else {
            return Err(errors::truncated("no finish reason"));
        };
        let mut parts: Vec<Part> = self
            .parts
            .drain(..)
            .map(|building| building.part)
            .filter(|part| !is_nothing(part))
            .collect();
        if parts
            .iter()
            .any(|part| matches!(part, Part::ToolCall(call) if call.name.is_empty()))
        {
            return Err(errors::invalid(
                "expected a name in every tool call, found one without",
            ));
        }
        give_unique_ids(&mut parts);
        let refused = parts
            .iter()
            .any(|part| matches!(part, Part::Refusal { .. }));
        let finish = match finish {
            // Servers differ in what they call an answer that holds calls or a refusal.
            FinishReason::Stop | FinishReason::Other if self.calls > 0 => FinishReason::ToolCalls,
            FinishReason::Stop if refused => FinishReason::Refusal,
            FinishReason::ToolCalls if self.calls == 0 => FinishReason::Stop,
            finish => finish,
        };
        Ok(ModelAnswer {
            message: Message {
                role: Role::Assistant,
                parts,
            },
            finish,
            usage: self.usage,
            model: std::mem::take(&mut self.model),
            response_id: (!self.id.is_empty()).then(|| std::mem::take(&mut self.id)),
        })
    }
}

/// An answer that is refused for its size.
pub(crate) fn too_large(limit: usize) -> Error {
    errors::input(
        errors::RESPONSE_TOO_LARGE,
        format!("the answer is larger than {limit} bytes"),
    )
}

/// A part that began and never said anything.
fn is_nothing(part: &Part) -> bool {
    match part {
        Part::Text {
            text,
            citations,
            opaque,
        } => text.is_empty() && citations.is_empty() && opaque.is_none(),
        Part::Reasoning { text, opaque } => text.is_empty() && opaque.is_none(),
        Part::Refusal { text } => text.is_empty(),
        _ => false,
    }
}

/// A missing id, or one that an earlier call of the answer has, becomes `call_N`, the first that is free.
fn give_unique_ids(parts: &mut [Part]) {
    let mut taken = std::collections::HashSet::new();
    let mut wanting = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        if let Part::ToolCall(call) = part
            && (call.id.is_empty() || !taken.insert(call.id.clone()))
        {
            wanting.push(at);
        }
    }
    let mut number = 0;
    for at in wanting {
        let free = loop {
            number += 1;
            let id = format!("call_{number}");
            if taken.insert(id.clone()) {
                break id;
            }
        };
        if let Some(Part::ToolCall(call)) = parts.get_mut(at) {
            call.id = free;
        }
    }
}
