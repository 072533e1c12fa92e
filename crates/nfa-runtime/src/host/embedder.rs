//! Embedders of the host language.

use std::fmt;

use nfa_core::content::Usage;
use nfa_core::ports::{BoxResult, CallContext, Embedded, Embedder, check_texts};
use nfa_core::{Category, Component, Error};
use serde::Deserialize;
use serde_json::json;

use super::host_loop::HostLoop;
use super::patience::while_wanted;
use super::tool::malformed;

/// An embedder of the host language: `embed` of an object, given `{"texts": […]}`, gives
/// `{"vectors": [[…], …], "usage"?: …, "model"?: …}`.
pub struct HostEmbedder<O> {
    name: String,
    dimensions: usize,
    host: HostLoop<O>,
    object: O,
}

impl<O> fmt::Debug for HostEmbedder<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostEmbedder")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl<O> HostEmbedder<O> {
    /// The embedder of this name, whose vectors have so many numbers; `host` calls it.
    pub fn new(name: impl Into<String>, dimensions: usize, host: HostLoop<O>, object: O) -> Self {
        Self {
            name: name.into(),
            dimensions,
            host,
            object,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    vectors: Vec<Vec<f32>>,
    #[serde(default)]
    usage: Usage,
    model: Option<String>,
}

impl<O: Clone + Send + Sync + 'static> Embedder for HostEmbedder<O> {
    fn name(&self) -> &str {
        &self.name
    }

    fn dimensions(&self) -> Option<usize> {
        Some(self.dimensions)
    }

    fn embed<'a>(
        &'a self,
        context: &'a CallContext,
        texts: &'a [&'a str],
    ) -> BoxResult<'a, Embedded> {
        Box::pin(async move {
            check_texts(texts)?;
            if texts.is_empty() {
                return Ok(Embedded::default());
            }
            let arguments = json!({ "texts": texts });
            let object = self.object.clone();
            let answer = self.host.call(object, "embed", Some(context), arguments);
            let value = while_wanted(context, answer)
                .await?
                .map_err(|failure| failure.into_error(Component::Model))?;
            let of = format!("embedder `{}`", self.name);
            let given: Given = serde_json::from_value(value)
                .map_err(|error| malformed(Component::Model, &of, &error))?;
            self.check(&given, texts.len())?;
            let model = given.model.unwrap_or_else(|| self.name.clone());
            Ok(Embedded::new(given.vectors, given.usage, model))
        })
    }
}

impl<O> HostEmbedder<O> {
    fn check(&self, given: &Given, texts: usize) -> Result<(), Error> {
        let wrong = |found: String| {
            Err(Error::new(
                Component::Model,
                Category::Input,
                "host_value_malformed",
                format!(
                    "embedder `{}` was asked for {texts} vectors of {} finite numbers and gave {found}",
                    self.name, self.dimensions
                ),
            ))
        };
        if given.vectors.len() != texts {
            return wrong(format!("{} vectors", given.vectors.len()));
        }
        for vector in &given.vectors {
            if vector.len() != self.dimensions {
                return wrong(format!("one of {}", vector.len()));
            }
            if vector.iter().any(|number| !number.is_finite()) {
                return wrong("one with a number that is not finite".to_owned());
            }
        }
        Ok(())
    }
}
