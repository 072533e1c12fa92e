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

/// An answer, whose message is shared with requests only once a later turn sends it back, and the results
/// of its calls. Every turn hands over the same messages: an adapter may know them by their address.
pub(super) struct Answered {
    answer: Arc<ModelAnswer>,
    message: OnceLock<Arc<Message>>,
    results: Mutex<Option<Results>>,
}

/// What a model is told of one call, and whether it is a failure.
pub(super) type Told = (Arc<str>, bool);

/// A message of results, and what it was made of.
struct Results {
    told: Vec<Told>,
    message: Arc<Message>,
}

impl Answered {
    pub(super) fn message(&self) -> &Message {
        &self.answer.message
    }

    pub(super) fn shared_message(&self) -> &Arc<Message> {
        self.message
            .get_or_init(|| Arc::new(self.answer.message.clone()))
    }

    /// The message that tells of the calls' results; made anew when they are others than they were.
    pub(super) fn results(
        &self,
        told: Vec<Told>,
        make: impl FnOnce(&[Told]) -> Message,
    ) -> Arc<Message> {
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |kept: &Results| {
            let pairs = kept.told.iter().zip(&told);
            kept.told.len() == told.len()
                && pairs.into_iter().all(|((a, failed), (b, fails))| {
                    failed == fails && (Arc::ptr_eq(a, b) || a == b)
                })
        };
        if let Some(kept) = results.as_ref().filter(|kept| same(kept)) {
            return Arc::clone(&kept.message);
        }
        let message = Arc::new(make(&told));
        *results = Some(Results {
            told,
            message: Arc::clone(&message),
        });
        message
    }
}

impl From<Content> for Loaded {
    fn from(content: Content) -> Self {
        match content {
            Content::Message(message) => Self::Message(message),
            Content::Answer(answer) => Self::Answer(Arc::new(Answered {
                answer,
                message: OnceLock::new(),
                results: Mutex::default(),
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
    /// Messages made of content that is none.
    spoken: Mutex<HashMap<Address, Arc<Message>>>,
}

impl ContentCache {
    pub(super) fn new(vault: Arc<SubjectVault>) -> Self {
        Self {
            vault,
            loaded: Mutex::default(),
            spoken: Mutex::default(),
        }
    }

    pub(super) fn vault(&self) -> &SubjectVault {
        &self.vault
    }

    /// Content as a message; the same one as long as the content is the same.
    pub(super) fn message(&self, address: &Address) -> Option<Arc<Message>> {
        let content = match self.get(address)? {
            Loaded::Message(message) => return Some(message),
            content => content,
        };
        let mut spoken = self.spoken.lock().unwrap_or_else(PoisonError::into_inner);
        let message = spoken
            .entry(*address)
            .or_insert_with(|| Arc::new(Message::user(content.text())));
        Some(Arc::clone(message))
    }

    /// Adds what is not there yet. An address names its content: what is there is the same, and known to
    /// adapters already.
    pub(super) fn insert(&self, address: Address, content: Loaded) {
        self.loaded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(address)
            .or_insert(content);
    }

    /// Puts something else in the place of what was erased.
    fn replace(&self, address: Address, content: Loaded) {
        self.spoken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&address);
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
                    self.replace(*address, word.into());
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
