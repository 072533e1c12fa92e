//! A provider's key: a secret that never shows in logs.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use reqwest::header::HeaderValue;
use zeroize::Zeroizing;

use crate::errors;
use nfa_core::Error;

/// A provider's API key. Its `Debug` shows nothing of it, and its memory is wiped when it goes.
///
/// ```
/// use nfa_models::ApiKey;
///
/// assert_eq!(format!("{:?}", ApiKey::new("sk-secret")), "ApiKey(..)");
/// ```
#[derive(Clone)]
pub struct ApiKey(Zeroizing<String>);

impl ApiKey {
    /// Wraps a key; white space around it is dropped.
    pub fn new(key: impl Into<String>) -> Self {
        let key = Zeroizing::new(key.into());
        Self(Zeroizing::new(key.trim().to_owned()))
    }

    /// `Bearer KEY` as a header that HTTP libraries do not print.
    pub(crate) fn bearer(&self) -> Result<HeaderValue, Error> {
        sensitive(&Zeroizing::new(format!("Bearer {}", *self.0)))
    }

    /// The key alone, as such a header.
    pub(crate) fn bare(&self) -> Result<HeaderValue, Error> {
        sensitive(&self.0)
    }

    /// The same for equal keys, within this process only; tells nothing of the key.
    pub(crate) fn identity(&self) -> u64 {
        static SECRET: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        SECRET.hash_one(self.0.as_str())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn sensitive(text: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        errors::configuration(
            errors::KEY_INVALID,
            "the API key holds characters that no header may hold; was it copied whole?",
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(..)")
    }
}
