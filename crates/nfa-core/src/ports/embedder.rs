//! The `Embedder` port: texts as vectors, so that what is alike lies near.

mod hashing;

use super::{BoxResult, CallContext};
use crate::content::Usage;
use crate::error::{Category, Component, Error};

pub use hashing::HashingEmbedder;

/// Makes vectors of texts.
///
/// Vectors of embedders with different names are never to be compared, nor are those of one whose
/// [`Embedder::dimensions`] differ. Dropping the future gives the call up.
pub trait Embedder: Send + Sync {
    /// `provider/model`: what is stored beside a vector.
    fn name(&self) -> &str;

    /// How many numbers a vector has; the same for ever once it is known. `None` before the first answer of an
    /// embedder that was not told.
    fn dimensions(&self) -> Option<usize>;

    /// The vectors of `texts`, in their order. The batch may be of any size: an embedder splits it as its
    /// provider demands. An empty batch gives no vectors and costs nothing.
    ///
    /// # Errors
    /// `embedding_text_empty` for a text without anything but white space (see [`check_texts`]); otherwise those
    /// of the embedder. There are no partial answers.
    fn embed<'a>(
        &'a self,
        context: &'a CallContext,
        texts: &'a [&'a str],
    ) -> BoxResult<'a, Embedded>;
}

/// What an [`Embedder`] gives.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Embedded {
    /// One vector for each text, in the order of the texts; all of the same length, all numbers finite.
    pub vectors: Vec<Vec<f32>>,
    /// What it cost.
    pub usage: Usage,
    /// The model that answered, as the provider names it; empty when nothing was asked.
    pub model: String,
}

impl Embedded {
    /// Vectors, with what they cost and who made them.
    pub fn new(vectors: Vec<Vec<f32>>, usage: Usage, model: impl Into<String>) -> Self {
        Self {
            vectors,
            usage,
            model: model.into(),
        }
    }
}

/// Refuses a batch with a text that says nothing: providers do so too, or answer with noise.
///
/// # Errors
/// `embedding_text_empty`, with the text's place as `index` in the details.
pub fn check_texts(texts: &[&str]) -> Result<(), Error> {
    let Some(index) = texts.iter().position(|text| text.trim().is_empty()) else {
        return Ok(());
    };
    let error = Error::new(
        Component::Model,
        Category::Input,
        "embedding_text_empty",
        format!(
            "expected a text with something in it, found an empty one at place {index} of the batch; leave it out"
        ),
    );
    Err(error.with_details(serde_json::json!({ "index": index })))
}
