//! Content of one run, decoded once.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use foldhash::HashMap;

use crate::content::{Content, Message, ModelAnswer, SubjectVault, content_erased};
use crate::error::{Category, Component, Error};
use crate::ids::Address;
use crate::ports::Store;

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

    /// The bytes that a proof discloses for it.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Message(message) => message.joined_text(),
            Self::Answer(answered) => answered.message().joined_text(),
            Self::Output { text, .. } => text.to_string(),
            Self::Json(value) => value.to_string(),
        }
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
