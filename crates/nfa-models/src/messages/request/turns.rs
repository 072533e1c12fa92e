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
    pub(super) turns: Vec<Turn<'a>>,
    /// Where the provider runs code for this conversation, when it said so.
    pub(super) container: Option<&'a Map<String, Value>>,
}

/// What one side says before the other does.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    pub(super) assistant: bool,
    pub(super) blocks: Vec<Placed<'a>>,
}

/// A block, and what of it its place decided.
#[derive(Debug)]
pub(super) struct Placed<'a> {
    pub(super) block: Block<'a>,
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
    fn is_thought(&self) -> bool {
        self.block.is_thought()
    }
}

impl Block<'_> {
    /// Whether it marks the end of what the provider is to cache itself.
    pub(super) fn is_marked(&self) -> bool {
        let (Self::Own(own) | Self::Media { own: Some(own), .. }) = self else {
            return false;
        };
        own.contains_key("cache_control")
    }

    fn is_thought(&self) -> bool {
        match self {
            Self::Thought { .. } => true,
            Self::Own(block) => {
                block.get("type").and_then(Value::as_str) == Some("redacted_thinking")
            }
            _ => false,
        }
    }

    /// The id of a use of one of the provider's own tools.
    fn own_use(&self) -> Option<&str> {
        let Self::Own(block) = self else { return None };
        let kind = block.get("type")?.as_str()?;
        kind.ends_with("_tool_use").then_some(())?;
        block.get("id")?.as_str()
    }

    /// Of a result of one of the provider's own tools: the id of its use.
    fn own_result(&self) -> Option<&str> {
        let Self::Own(block) = self else { return None };
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
            blocks: 0,
        };
        walk.conversation.messages.reserve(messages.len());
        for message in messages {
            walk.part = 0;
            walk.blocks = 0;
            walk.message(message);
            walk.conversation.messages.push((message, walk.blocks));
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

    /// Whether the model is in the middle of a turn that did not begin with a signed thought. Another model
    /// may have begun it, or it began before thinking was asked for. Results end no turn, even when the user
    /// says something with them.
    pub(super) fn goes_on_without_thoughts(&self) -> bool {
        let is_answer = |placed: &Placed<'_>| matches!(placed.block, Block::Result { .. });
        let spoke = |turn: &Turn<'_>| !turn.assistant && !turn.blocks.iter().any(is_answer);
        let since = self.turns.iter().rposition(spoke).map_or(0, |at| at + 1);
        let first = self.turns.iter().skip(since).find(|turn| turn.assistant);
        first.is_some_and(|turn| !turn.blocks.first().is_some_and(Placed::is_thought))
    }

    /// Drops the use of a provider's own tool that never got its result, as of an answer that was cut off.
    /// At the end of the conversation it stays: there the provider goes on with it.
    fn drop_unfinished(&mut self) {
        let blocks = || self.turns.iter().flat_map(|turn| &turn.blocks);
        if blocks().all(|placed| placed.block.own_use().is_none()) {
            return;
        }
        let results: HashSet<String> = blocks()
            .filter_map(|placed| placed.block.own_result().map(str::to_owned))
            .collect();
        let is_answer = |placed: &Placed<'_>| matches!(placed.block, Block::Result { .. });
        let under_way = match self.turns.as_slice() {
            [.., last] if last.assistant => self.turns.len() - 1,
            [.., before, last] if before.assistant && last.blocks.iter().all(is_answer) => {
                self.turns.len() - 2
            }
            _ => self.turns.len(),
        };
        for turn in self.turns.iter_mut().take(under_way) {
            // A result right behind belongs to it, whatever its id.
            let mut behind: Vec<bool> = turn
                .blocks
                .iter()
                .skip(1)
                .map(|placed| placed.block.own_result().is_some())
                .collect();
            behind.push(false);
            let mut behind = behind.into_iter();
            turn.blocks.retain(|placed| {
                let followed = behind.next().unwrap_or(false);
                placed
                    .block
                    .own_use()
                    .is_none_or(|id| followed || results.contains(id))
            });
        }
    }

    /// Keeps the rules of what an assistant's message may end with, and joins what became neighbours.
    fn tidy(&mut self) {
        for turn in &mut self.turns {
            while turn.assistant && turn.blocks.last().is_some_and(Placed::is_thought) {
                turn.blocks.pop();
            }
        }
        let mut joined: Vec<Turn<'a>> = Vec::with_capacity(self.turns.len());
        for turn in self.turns.drain(..) {
            match joined.last_mut() {
                _ if turn.blocks.is_empty() => {}
                Some(last) if last.assistant == turn.assistant => last.blocks.extend(turn.blocks),
                _ => joined.push(turn),
            }
        }
        self.turns = joined;
        if let Some(Turn {
            assistant: true,
            blocks,
        }) = self.turns.last_mut()
            && let Some(Placed {
                block: Block::Text { text, .. },
                alone,
                ..
            }) = blocks.last_mut()
        {
            *alone &= text.trim_end().len() == text.len();
            *text = match std::mem::take(text) {
                Cow::Borrowed(text) => Cow::Borrowed(text.trim_end()),
                Cow::Owned(text) => Cow::Owned(text.trim_end().to_owned()),
            };
        }
    }
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
    blocks: usize,
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
            Role::System if self.conversation.turns.is_empty() => {
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
                let begins = self
                    .conversation
                    .turns
                    .last()
                    .is_none_or(|turn| !turn.assistant);
                if begins {
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
                if self.blocks == 0 {
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
        let Some(turn) = self
            .conversation
            .turns
            .last_mut()
            .filter(|it| !it.assistant)
        else {
            return self.push(false, block, alone);
        };
        let before = |placed: &&Placed<'_>| matches!(placed.block, Block::Result { place: other, .. } if other < place);
        let at = turn.blocks.iter().take_while(before).count();
        let placed = Placed {
            block,
            message: self.conversation.messages.len(),
            part: self.part,
            alone,
        };
        turn.blocks.insert(at, placed);
        self.blocks += 1;
    }

    /// Adds to the turn of a side. `alone`: whether the block would be the same in any other place.
    fn push(&mut self, assistant: bool, block: Block<'a>, alone: bool) {
        let placed = Placed {
            block,
            message: self.conversation.messages.len(),
            part: self.part,
            alone,
        };
        self.blocks += 1;
        match self.conversation.turns.last_mut() {
            Some(turn) if turn.assistant == assistant => turn.blocks.push(placed),
            _ => self.conversation.turns.push(Turn {
                assistant,
                blocks: vec![placed],
            }),
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
            |character: char| character.is_ascii_alphanumeric() || "_-".contains(character);
        let base = match id {
            "" => Cow::Borrowed("call"),
            id if id.chars().all(allowed) => Cow::Borrowed(id),
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
