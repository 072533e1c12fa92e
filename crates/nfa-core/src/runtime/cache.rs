//! Content of one run, decoded once.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use foldhash::{HashMap, HashSet};

use super::context;
use crate::content::{
    Content, FinishReason, Message, ModelAnswer, SubjectVault, Usage, content_erased,
};
use crate::engine::Exchange;
use crate::error::{Category, Component, Error};
use crate::ids::Address;
use crate::ports::Store;

/// What a model is told in place of what was erased.
const ERASED: &str = "[erased]";

fn erased_answer() -> Content {
    Content::Answer(Arc::new(ModelAnswer {
        message: Message::assistant(ERASED),
        finish: FinishReason::Other,
        usage: Usage::default(),
        model: String::new(),
        response_id: None,
    }))
}

/// A piece of content, ready to use.
#[derive(Clone)]
pub(super) enum Loaded {
    Message(Arc<Message>),
    Answer(Arc<Answered>),
    Output { text: Arc<str>, is_error: bool },
    Json(Arc<serde_json::Value>),
}

/// An answer, whose message is shared with requests only once a later turn sends it back.
pub(super) struct Answered {
    answer: Arc<ModelAnswer>,
    message: OnceLock<Arc<Message>>,
}

impl Answered {
    pub(super) fn message(&self) -> &Message {
        &self.answer.message
    }

    pub(super) fn shared_message(&self) -> &Arc<Message> {
        self.message
            .get_or_init(|| Arc::new(self.answer.message.clone()))
    }
}

impl From<Content> for Loaded {
    fn from(content: Content) -> Self {
        match content {
            Content::Message(message) => Self::Message(message),
            Content::Answer(answer) => Self::Answer(Arc::new(Answered {
                answer,
                message: OnceLock::new(),
            })),
            Content::ToolOutput { text, is_error } => Self::Output {
                text: text.into(),
                is_error,
            },
            Content::Text { text } => Self::Output {
                text: text.into(),
                is_error: false,
            },
            Content::Json { value } => Self::Json(Arc::new(value)),
        }
    }
}

impl Loaded {
    /// What a model is told when this is the result of a call.
    pub(super) fn as_result(&self) -> (Arc<str>, bool) {
        match self {
            Self::Output { text, is_error } => (Arc::clone(text), *is_error),
            Self::Answer(answered) => (answered.message().joined_text().into(), false),
            Self::Message(message) => (message.joined_text().into(), false),
            Self::Json(value) => (value.to_string().into(), false),
        }
    }

    /// It as a text.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Message(message) => message.joined_text(),
            Self::Answer(answered) => answered.message().joined_text(),
            Self::Output { text, .. } => text.to_string(),
            Self::Json(value) => value.to_string(),
        }
    }

    /// Adds the bytes that a proof discloses for it: those of its text.
    pub(super) fn write_text(&self, out: &mut Vec<u8>) {
        match self {
            Self::Message(message) => write_texts(message, out),
            Self::Answer(answered) => write_texts(answered.message(), out),
            Self::Output { text, .. } => out.extend_from_slice(text.as_bytes()),
            Self::Json(value) => out.extend_from_slice(value.to_string().as_bytes()),
        }
    }
}

fn write_texts(message: &Message, out: &mut Vec<u8>) {
    for text in message.texts() {
        out.extend_from_slice(text.as_bytes());
    }
}

/// Opens and keeps the content of one subject.
pub(super) struct ContentCache {
    vault: Arc<SubjectVault>,
    loaded: Mutex<HashMap<Address, Loaded>>,
}

impl ContentCache {
    pub(super) fn new(vault: Arc<SubjectVault>) -> Self {
        Self {
            vault,
            loaded: Mutex::default(),
        }
    }

    pub(super) fn vault(&self) -> &SubjectVault {
        &self.vault
    }

    pub(super) fn insert(&self, address: Address, content: Loaded) {
        self.loaded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(address, content);
    }

    pub(super) fn get(&self, address: &Address) -> Option<Loaded> {
        self.loaded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(address)
            .cloned()
    }

    /// Makes sure that all of `wanted` are loaded.
    pub(super) async fn load(
        &self,
        store: &dyn Store,
        wanted: impl Iterator<Item = Address>,
    ) -> Result<(), Error> {
        let absent: Vec<Address> = {
            let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
            wanted
                .filter(|address| !loaded.contains_key(address))
                .collect()
        };
        if absent.is_empty() {
            return Ok(());
        }
        let envelopes = store.blobs(&absent).await?;
        for (address, envelope) in absent.iter().zip(envelopes) {
            let content = self.open(address, envelope)?;
            self.insert(*address, content.into());
        }
        Ok(())
    }

    /// Loads what was said before. What was erased is replaced by a word that says so, and an answer loses its
    /// calls together with their results (law L5). Gives whether anything was.
    pub(super) async fn load_history(
        &self,
        store: &dyn Store,
        history: &[Exchange],
    ) -> Result<bool, Error> {
        let wanted: Vec<Address> = context::addresses(history).collect();
        let mut gone = HashSet::default();
        for (address, envelope) in wanted.iter().zip(store.blobs(&wanted).await?) {
            match self.open(address, envelope) {
                Ok(content) => self.insert(*address, content.into()),
                Err(error) if error.code() == "content_erased" => {
                    gone.insert(*address);
                }
                Err(error) => return Err(error),
            }
        }
        for exchange in history {
            let (said, results) = match exchange {
                Exchange::Message(address) => {
                    let word = Content::Message(Arc::new(Message::user(ERASED)));
                    ((address, word), &[][..])
                }
                Exchange::Answer {
                    answer, results, ..
                } => ((answer, erased_answer()), results.as_slice()),
            };
            let results = results.iter().flatten().map(|address| {
                let text = ERASED.to_owned();
                let is_error = false;
                (address, Content::ToolOutput { text, is_error })
            });
            for (address, word) in std::iter::once(said).chain(results) {
                if gone.contains(address) {
                    self.insert(*address, word.into());
                }
            }
        }
        Ok(!gone.is_empty())
    }

    /// Loads one piece.
    pub(super) async fn fetch(&self, store: &dyn Store, address: Address) -> Result<Loaded, Error> {
        self.load(store, std::iter::once(address)).await?;
        self.get(&address).ok_or_else(content_erased)
    }

    fn open(&self, address: &Address, envelope: Option<Bytes>) -> Result<Content, Error> {
        let plain = self
            .vault
            .open(address, &envelope.ok_or_else(content_erased)?)?;
        serde_json::from_slice(&plain).map_err(|error| {
            Error::new(
                Component::Store,
                Category::Configuration,
                "content_unknown",
                format!("a blob holds content that this version does not know: {error}"),
            )
        })
    }
}
