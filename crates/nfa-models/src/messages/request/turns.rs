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
    /// The instructions before the first message.
    pub(super) system: Vec<Cow<'a, str>>,
    pub(super) turns: Vec<Turn<'a>>,
    /// Where the provider runs code for this conversation, when it said so.
    pub(super) container: Option<&'a Map<String, Value>>,
}

/// What one side says before the other does.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    pub(super) assistant: bool,
    pub(super) blocks: Vec<Block<'a>>,
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

impl Block<'_> {
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
            ids: HashSet::new(),
        };
        for message in messages {
            walk.message(message);
        }
        let mut conversation = walk.conversation;
        conversation.drop_unfinished();
        conversation.tidy();
        conversation
    }

    /// Whether the model is in the middle of a turn that did not begin with a signed thought. Another model
    /// may have begun it, or it began before thinking was asked for. Results end no turn, even when the user
    /// says something with them.
    pub(super) fn goes_on_without_thoughts(&self) -> bool {
        let is_answer = |block: &Block<'_>| matches!(block, Block::Result { .. });
        let spoke = |turn: &Turn<'_>| !turn.assistant && !turn.blocks.iter().any(is_answer);
        let since = self.turns.iter().rposition(spoke).map_or(0, |at| at + 1);
        let first = self.turns.iter().skip(since).find(|turn| turn.assistant);
        first.is_some_and(|turn| !turn.blocks.first().is_some_and(Block::is_thought))
    }

    /// Drops the use of a provider's own tool that never got its result, as of an answer that was cut off.
    /// At the end of the conversation it stays: there the provider goes on with it.
    fn drop_unfinished(&mut self) {
        let results: HashSet<String> = self
            .turns
            .iter()
            .flat_map(|turn| &turn.blocks)
            .filter_map(|block| block.own_result().map(str::to_owned))
            .collect();
        let is_answer = |block: &Block<'_>| matches!(block, Block::Result { .. });
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
                .map(|block| block.own_result().is_some())
                .collect();
            behind.push(false);
            let mut behind = behind.into_iter();
            turn.blocks.retain(|block| {
                let followed = behind.next().unwrap_or(false);
                block
                    .own_use()
                    .is_none_or(|id| followed || results.contains(id))
            });
        }
    }

    /// Keeps the rules of what an assistant's message may end with, and joins what became neighbours.
    fn tidy(&mut self) {
        for turn in &mut self.turns {
            while turn.assistant && turn.blocks.last().is_some_and(Block::is_thought) {
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
            && let Some(Block::Text { text, .. }) = blocks.last_mut()
        {
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
    /// The calls of the latest answer: their ids, and the ids that they are sent under.
    calls: Vec<(&'a str, Cow<'a, str>)>,
    /// Every id that was sent.
    ids: HashSet<Cow<'a, str>>,
}

impl<'a> Walk<'a> {
    fn message(&mut self, message: &'a Message) {
        match message.role {
            Role::System if self.conversation.turns.is_empty() => {
                let texts = message.parts.iter().filter_map(|part| said(part));
                self.conversation.system.extend(texts.map(Cow::Borrowed));
            }
            Role::System => {
                for text in message.parts.iter().filter_map(|part| said(part)) {
                    let text = format!("<system>\n{text}\n</system>");
                    self.push(false, plain(text));
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
                    self.answered(part);
                }
            }
            Role::User => {
                let before = self.conversation.turns.len();
                let blocks = self.last_blocks();
                for part in &message.parts {
                    self.spoken(part);
                }
                // The provider takes no message that is empty; the model is to know that it was.
                if self.conversation.turns.len() == before && self.last_blocks() == blocks {
                    self.push(false, plain("(an empty message)"));
                }
            }
            _ => {
                for part in &message.parts {
                    self.spoken(part);
                }
            }
        }
    }

    fn last_blocks(&self) -> usize {
        let last = self.conversation.turns.last();
        last.map_or(0, |turn| turn.blocks.len())
    }

    fn answered(&mut self, part: &'a Part) {
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
                let id = self.new_id(&call.id);
                self.calls.push((&call.id, id.clone()));
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
            self.push(true, block);
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
            self.push(false, block);
        }
    }

    /// Puts a result before everything else that the turn says, in the order of the calls.
    fn result(&mut self, result: &'a ToolResult) {
        let call = self.calls.iter().position(|(id, _)| *id == result.call_id);
        let id = call.and_then(|place| self.calls.get(place));
        let (Some(place), Some((_, id))) = (call, id) else {
            return self.push(false, plain(result.text.as_str()));
        };
        let block = Block::Result {
            id: id.clone(),
            place,
            result,
        };
        match self.conversation.turns.last_mut() {
            Some(turn) if !turn.assistant => {
                let before = |block: &Block<'_>| matches!(block, Block::Result { place: other, .. } if *other < place);
                let at = turn.blocks.iter().take_while(|block| before(block)).count();
                turn.blocks.insert(at, block);
            }
            _ => self.push(false, block),
        }
    }

    fn push(&mut self, assistant: bool, block: Block<'a>) {
        match self.conversation.turns.last_mut() {
            Some(turn) if turn.assistant == assistant => turn.blocks.push(block),
            _ => self.conversation.turns.push(Turn {
                assistant,
                blocks: vec![block],
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
    /// comes later changes nothing, so that the beginning of a conversation is always sent alike.
    fn new_id(&mut self, id: &'a str) -> Cow<'a, str> {
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
        while self.ids.contains(&free) {
            number += 1;
            free = format!("{base}_{number}").into();
        }
        self.ids.insert(free.clone());
        free
    }
}

/// What a part says, when it is more than white space: the provider takes no empty text.
fn said(part: &Part) -> Option<&str> {
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
