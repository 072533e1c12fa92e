//! From our conversation to the provider's turns: roles alternate, results come first in the message after
//! their calls, and nothing is there that a strict provider refuses.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use nfa_core::content::{Citation, Message, Opaque, Part, Role, ToolCall, ToolResult};
use serde_json::{Map, Value};

use crate::endpoint::Endpoint;

/// A conversation as it is sent.
#[derive(Debug, Default)]
pub(super) struct Conversation<'a> {
    /// Messages before the first turn that instruct.
    pub(super) instructions: Vec<&'a Arc<Message>>,
    /// Every message, and how many blocks came of it before any was left out.
    pub(super) messages: Vec<(&'a Arc<Message>, usize)>,
    /// What was said after the instructions; neighbours of one side are a turn.
    pub(super) blocks: Vec<Placed<'a>>,
    /// Where the provider runs code for this conversation, when it said so.
    pub(super) container: Option<&'a Map<String, Value>>,
}

/// A block, and what of it its place decided.
#[derive(Debug)]
pub(super) struct Placed<'a> {
    pub(super) block: Block<'a>,
    /// Whether the assistant says it.
    pub(super) assistant: bool,
    /// The place of its message in the conversation, and of its part in the message.
    pub(super) message: usize,
    part: usize,
    /// Whether it is what it would be in any other place.
    alone: bool,
}

/// One block of content.
#[derive(Debug)]
pub(super) enum Block<'a> {
    /// Text, the sources that it names, and what else the provider said of it.
    Text {
        text: Cow<'a, str>,
        citations: &'a [Citation],
        own: Option<&'a Map<String, Value>>,
    },
    /// A signed thought: its text, and the rest of its block.
    Thought {
        text: &'a str,
        own: &'a Map<String, Value>,
    },
    /// A block of the provider as it is.
    Own(&'a Map<String, Value>),
    /// A call, under an id that the provider takes.
    Call {
        id: Cow<'a, str>,
        call: &'a ToolCall,
        own: Option<&'a Map<String, Value>>,
    },
    /// The result of the `place`th call of the turn before.
    Result {
        id: Cow<'a, str>,
        place: usize,
        result: &'a ToolResult,
    },
    /// An image or document.
    Media {
        media_type: &'a str,
        url: &'a str,
        name: Option<&'a str>,
        own: Option<&'a Map<String, Value>>,
    },
}

impl Placed<'_> {
    /// Whether it marks the end of what the provider is to cache itself.
    pub(super) fn is_marked(&self) -> bool {
        let (Block::Own(own) | Block::Media { own: Some(own), .. }) = &self.block else {
            return false;
        };
        own.contains_key("cache_control")
    }

    fn is_answer(&self) -> bool {
        matches!(self.block, Block::Result { .. })
    }

    fn is_thought(&self) -> bool {
        match &self.block {
            Block::Thought { .. } => true,
            Block::Own(block) => {
                block.get("type").and_then(Value::as_str) == Some("redacted_thinking")
            }
            _ => false,
        }
    }

    /// The id of a use of one of the provider's own tools.
    fn own_use(&self) -> Option<&str> {
        let Block::Own(block) = &self.block else {
            return None;
        };
        let kind = block.get("type")?.as_str()?;
        kind.ends_with("_tool_use").then_some(())?;
        block.get("id")?.as_str()
    }

    /// Of a result of one of the provider's own tools: the id of its use.
    fn own_result(&self) -> Option<&str> {
        let Block::Own(block) = &self.block else {
            return None;
        };
        block.get("tool_use_id")?.as_str()
    }
}

impl<'a> Conversation<'a> {
    /// What `messages` are for the provider at `endpoint`.
    pub(super) fn of(endpoint: &'a Endpoint, messages: &'a [Arc<Message>]) -> Self {
        let mut walk = Walk {
            endpoint,
            conversation: Self::default(),
            calls: Vec::new(),
            ids: HashSet::with_capacity(messages.len() / 2),
            part: 0,
            count: 0,
        };
        walk.conversation.messages.reserve(messages.len());
        walk.conversation.blocks.reserve(messages.len());
        for message in messages {
            walk.part = 0;
            walk.count = 0;
            walk.message(message);
            walk.conversation.messages.push((message, walk.count));
        }
        let mut conversation = walk.conversation;
        conversation.drop_unfinished();
        conversation.tidy();
        conversation
    }

    /// The message that all of these blocks came of, if they are all of its blocks, in its own order, and none
    /// is other than it would be elsewhere.
    pub(super) fn whole(&self, blocks: &[Placed<'a>]) -> Option<&'a Arc<Message>> {
        let (message, count) = self.messages.get(blocks.first()?.message)?;
        let as_said = blocks.len() == *count
            && blocks.iter().all(|placed| placed.alone)
            && blocks.is_sorted_by(|one, next| one.part < next.part);
        as_said.then_some(message)
    }

    /// What one side says before the other does, and so on.
    pub(super) fn turns(&self) -> impl DoubleEndedIterator<Item = &[Placed<'a>]> {
        self.blocks
            .chunk_by(|one, next| one.assistant == next.assistant)
    }

    /// Whether the model is in the middle of a turn that did not begin with a signed thought. Another model
    /// may have begun it, or it began before thinking was asked for. Results end no turn, even when the user
    /// says something with them.
    pub(super) fn goes_on_without_thoughts(&self) -> bool {
        let under_way = self
            .turns()
            .rev()
            .take_while(|turn| is_assistant(turn) || turn.iter().any(Placed::is_answer));
        let first = under_way.filter(|turn| is_assistant(turn)).last();
        first.is_some_and(|turn| !turn.first().is_some_and(Placed::is_thought))
    }

    /// Drops the use of a provider's own tool that never got its result, as of an answer that was cut off.
    /// At the end of the conversation it stays: there the provider goes on with it.
    fn drop_unfinished(&mut self) {
        let blocks = &self.blocks;
        if blocks.iter().all(|placed| placed.own_use().is_none()) {
            return;
        }
        let results: HashSet<&str> = blocks.iter().filter_map(Placed::own_result).collect();
        let mut newest = self.turns().rev();
        let under_way = match (newest.next(), newest.next()) {
            (Some(last), _) if is_assistant(last) => last.len(),
            (Some(last), Some(before)) if last.iter().all(Placed::is_answer) => {
                last.len() + before.len()
            }
            _ => 0,
        };
        drop(newest);
        let over = blocks.len().saturating_sub(under_way);
        let stays = |(at, placed): (usize, &Placed<'_>)| {
            // A result right behind belongs to it, whatever its id.
            let followed = blocks.get(at + 1).is_some_and(|next| {
                next.assistant == placed.assistant && next.own_result().is_some()
            });
            let finished = |id| followed || results.contains(id);
            at >= over || placed.own_use().is_none_or(finished)
        };
        let stays: Vec<bool> = blocks.iter().enumerate().map(stays).collect();
        let mut stays = stays.into_iter();
        self.blocks.retain(|_| stays.next().unwrap_or(true));
    }

    /// Keeps the rules of what an assistant's message may end with.
    fn tidy(&mut self) {
        let ends_in_thought =
            |turn: &[Placed<'_>]| is_assistant(turn) && turn.last().is_some_and(Placed::is_thought);
        if self.turns().any(ends_in_thought) {
            let mut at_end = true;
            self.blocks.reverse();
            self.blocks.retain(|placed| {
                at_end = !placed.assistant || at_end && placed.is_thought();
                !placed.assistant || !at_end
            });
            self.blocks.reverse();
        }
        if let Some(Placed {
            assistant: true,
            block: Block::Text { text, .. },
            alone,
            ..
        }) = self.blocks.last_mut()
        {
            *alone &= text.trim_end().len() == text.len();
            *text = match std::mem::take(text) {
                Cow::Borrowed(text) => Cow::Borrowed(text.trim_end()),
                Cow::Owned(text) => Cow::Owned(text.trim_end().to_owned()),
            };
        }
    }
}

/// Whose turn it is.
pub(super) fn is_assistant(turn: &[Placed<'_>]) -> bool {
    turn.first().is_some_and(|placed| placed.assistant)
}

/// The walk through a conversation.
struct Walk<'a> {
    endpoint: &'a Endpoint,
    conversation: Conversation<'a>,
    /// The calls of the latest answer.
    calls: Vec<SentCall<'a>>,
    /// Every id that was sent.
    ids: HashSet<Cow<'a, str>>,
    /// The place of the part that is looked at, and the blocks that came of its message so far.
    part: usize,
    count: usize,
}

/// The id of a call, and what it is sent under.
struct SentCall<'a> {
    id: &'a str,
    sent: Cow<'a, str>,
    /// Whether any other conversation would send it so.
    alone: bool,
}

impl<'a> Walk<'a> {
    fn message(&mut self, message: &'a Arc<Message>) {
        match message.role {
            Role::System if self.conversation.blocks.is_empty() => {
                if message.parts.iter().any(|part| said(part).is_some()) {
                    self.conversation.instructions.push(message);
                }
            }
            Role::System => {
                for text in message.parts.iter().filter_map(said) {
                    self.part += 1;
                    let text = format!("<system>\n{text}\n</system>");
                    self.push(false, plain(text), true);
                }
            }
            Role::Assistant => {
                let newest = self.conversation.blocks.last();
                if newest.is_none_or(|placed| !placed.assistant) {
                    self.calls.clear();
                }
                for part in &message.parts {
                    self.part += 1;
                    self.answered(part);
                }
            }
            Role::User => {
                for part in &message.parts {
                    self.part += 1;
                    self.spoken(part);
                }
                // The provider takes no message that is empty; the model is to know that it was.
                if self.count == 0 {
                    self.push(false, plain("(an empty message)"), true);
                }
            }
            _ => {
                for part in &message.parts {
                    self.part += 1;
                    self.spoken(part);
                }
            }
        }
    }

    fn answered(&mut self, part: &'a Part) {
        let mut alone = true;
        let block = match part {
            Part::Text {
                citations, opaque, ..
            } => said(part).map(|text| Block::Text {
                text: text.into(),
                citations,
                own: self.own(opaque.as_deref()),
            }),
            Part::Refusal { .. } => said(part).map(plain),
            Part::Reasoning { text, opaque } => self.own(opaque.as_deref()).map(|own| {
                let kind = own.get("type").and_then(Value::as_str);
                if kind == Some("thinking") {
                    Block::Thought { text, own }
                } else {
                    Block::Own(own)
                }
            }),
            Part::ToolCall(call) => {
                let id;
                (id, alone) = self.new_id(&call.id);
                self.calls.push(SentCall {
                    id: &call.id,
                    sent: id.clone(),
                    alone,
                });
                Some(Block::Call {
                    id,
                    call,
                    own: self.own(call.opaque.as_deref()),
                })
            }
            // An assistant's message takes no media; that there was something is no secret.
            Part::Media { media_type, .. } => Some(plain(format!("({media_type})"))),
            Part::Opaque(opaque) => match self.own(Some(opaque)) {
                Some(own) if own.get("type").and_then(Value::as_str) == Some("container") => {
                    self.conversation.container = Some(own);
                    None
                }
                own => own.map(Block::Own),
            },
            _ => None,
        };
        if let Some(block) = block {
            self.push(true, block, alone);
        }
    }

    fn spoken(&mut self, part: &'a Part) {
        let block = match part {
            Part::Text { .. } | Part::Refusal { .. } => said(part).map(plain),
            Part::Media {
                media_type,
                url,
                name,
                opaque,
            } => Some(Block::Media {
                media_type,
                url,
                name: name.as_deref(),
                own: self.own(opaque.as_deref()),
            }),
            Part::ToolResult(result) => return self.result(result),
            Part::Opaque(opaque) => self.own(Some(opaque)).map(Block::Own),
            _ => None,
        };
        if let Some(block) = block {
            self.push(false, block, true);
        }
    }

    /// Puts a result before everything else that the turn says, in the order of the calls.
    fn result(&mut self, result: &'a ToolResult) {
        let place = self.calls.iter().position(|call| call.id == result.call_id);
        let call = place.and_then(|place| self.calls.get(place));
        let (Some(place), Some(call)) = (place, call) else {
            return self.push(false, plain(result.text.as_str()), false);
        };
        let alone = call.alone;
        let block = Block::Result {
            id: call.sent.clone(),
            place,
            result,
        };
        let blocks = &self.conversation.blocks;
        let begin = blocks.iter().rposition(|placed| placed.assistant);
        let begin = begin.map_or(0, |at| at + 1);
        let before = |placed: &&Placed<'_>| matches!(placed.block, Block::Result { place: other, .. } if other < place);
        let earlier = blocks.iter().skip(begin).take_while(before).count();
        let placed = self.placed(false, block, alone);
        self.conversation.blocks.insert(begin + earlier, placed);
    }

    /// Adds to the turn of a side. `alone`: whether the block would be the same in any other place.
    fn push(&mut self, assistant: bool, block: Block<'a>, alone: bool) {
        let placed = self.placed(assistant, block, alone);
        self.conversation.blocks.push(placed);
    }

    fn placed(&mut self, assistant: bool, block: Block<'a>, alone: bool) -> Placed<'a> {
        self.count += 1;
        Placed {
            block,
            assistant,
            message: self.conversation.messages.len(),
            part: self.part,
            alone,
        }
    }

    /// What this provider gave us to send back.
    fn own(&self, opaque: Option<&'a Opaque>) -> Option<&'a Map<String, Value>> {
        opaque
            .and_then(|opaque| self.endpoint.own(opaque))
            .and_then(Value::as_object)
    }

    /// The id itself where the provider takes it, and no earlier call has it; otherwise one made of it. What
    /// comes later changes nothing, so that the beginning of a conversation is always sent alike. Says also
    /// whether the id is the one that is made of it first.
    fn new_id(&mut self, id: &'a str) -> (Cow<'a, str>, bool) {
        let allowed =
            |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
        let base = match id {
            "" => Cow::Borrowed("call"),
            id if id.bytes().all(|byte| allowed(byte.into())) => Cow::Borrowed(id),
            id => id
                .chars()
                .map(|character| if allowed(character) { character } else { '_' })
                .collect(),
        };
        let mut free = base.clone();
        let mut number = 1;
        while !self.ids.insert(free.clone()) {
            number += 1;
            free = format!("{base}_{number}").into();
        }
        (free, number == 1)
    }
}

/// What a part says, when it is more than white space: the provider takes no empty text.
pub(super) fn said(part: &Part) -> Option<&str> {
    match part {
        Part::Text { text, .. } | Part::Refusal { text } if !text.trim().is_empty() => Some(text),
        _ => None,
    }
}

fn plain<'a>(text: impl Into<Cow<'a, str>>) -> Block<'a> {
    Block::Text {
        text: text.into(),
        citations: &[],
        own: None,
    }
}
