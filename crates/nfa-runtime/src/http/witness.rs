//! A witness that is asked over HTTP.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nfa_core::error::ErrorReport;
use nfa_core::ports::{BoxFuture, Witness, WitnessAnswer, WitnessRequest};
use nfa_core::{Category, Component, Error};
use nfa_proof::{MAX_NOTE_BYTES, Note, VerifierKey};
use reqwest::Url;
use serde_json::json;

use super::exchange::{Exchange, Received};
use super::failure;
use super::place::Place;

/// A [C2SP tlog-witness](https://c2sp.org/tlog-witness): it is sent each new checkpoint of a log, with the proof
/// that the log only grew, and answers with its signature.
///
/// ```
/// use std::sync::Arc;
/// use nfa_runtime::{HttpWitness, Runtime};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), nfa_runtime::Error> {
/// # use nfa_runtime::proof::CosignatureSigner;
/// # let key = CosignatureSigner::from_seed("witness.example", &[1; 32]).unwrap().verifier_key().to_string();
/// let witness = Arc::new(HttpWitness::new("https://witness.example/", &key)?);
/// let runtime = Runtime::options()
///     .with(|builder| builder.witness(witness.clone()))
///     .open("memory:")
///     .await?;
/// assert!(witness.last_failure().is_none(), "it was not asked yet");
/// # runtime.close().await }
/// ```
#[derive(Debug)]
pub struct HttpWitness {
    key: VerifierKey,
    verifier_key: String,
    url: Url,
    exchange: Exchange,
    last_failure: Mutex<Option<ErrorReport>>,
}

impl HttpWitness {
    /// The witness that has this key, and takes checkpoints under `url`, its submission prefix.
    ///
    /// # Errors
    /// `http_url_invalid` for what is no plain `http` or `https` URL, `key_malformed` for what is no C2SP
    /// verifier key.
    pub fn new(url: &str, verifier_key: &str) -> Result<Self, Error> {
        let key = VerifierKey::parse(verifier_key).map_err(|error| {
            Error::new(
                Component::Proof,
                Category::Input,
                error.code(),
                format!("a witness's key: {}", error.message()),
            )
        })?;
        Ok(Self {
            verifier_key: key.to_string(),
            key,
            url: Place::parse(url)?.under("add-checkpoint"),
            exchange: Exchange::new(Duration::from_secs(5)),
            last_failure: Mutex::default(),
        })
    }

    /// How long an answer may take to come whole. Default: 5 seconds. A runtime waits no longer than its own
    /// `witness_timeout` either.
    #[must_use]
    pub fn timeout(mut self, each: Duration) -> Self {
        self.exchange.timeout = each;
        self
    }

    /// Why it gave no signature when it was asked last; `None` if it did, or was not asked yet. A runtime only
    /// leaves the signature out: this is for who wonders why.
    pub fn last_failure(&self) -> Option<ErrorReport> {
        let last = self.last_failure.lock();
        last.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, failure: Option<ErrorReport>) {
        let mut last = self
            .last_failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *last = failure;
    }

    async fn ask(&self, request: WitnessRequest) -> Result<WitnessAnswer, Error> {
        let mut body = format!("old {}\n", request.old_size);
        for hash in &request.proof {
            body.push_str(&STANDARD.encode(hash));
            body.push('\n');
        }
        body.push('\n');
        body.push_str(&request.checkpoint);
        let received = self.exchange.post(&self.url, body, MAX_NOTE_BYTES).await?;
        self.read(received, &request.checkpoint)
    }

    fn read(&self, received: Received, checkpoint: &str) -> Result<WitnessAnswer, Error> {
        let Received {
            status,
            media_type,
            body,
        } = received;
        let invalid = |what: &str| failure::response_invalid(&self.url, what);
        match status {
            200 => {
                let lines = String::from_utf8(body).ok();
                let signed = lines.filter(|lines| self.is_signed(checkpoint, lines));
                let what = format!("expected signature lines, one of {}; found none", self.key);
                signed
                    .map(WitnessAnswer::Signed)
                    .ok_or_else(|| invalid(&what))
            }
            409 if media_type == "text/x.tlog.size" => {
                let size = std::str::from_utf8(&body).ok().and_then(size);
                let what = "expected a size and a line's end, found something else";
                size.map(WitnessAnswer::SignedLast)
                    .ok_or_else(|| invalid(what))
            }
            400 | 403 | 404 | 409 | 422 => Err(self.refused(status, &body)),
            other => Err(failure::status(&self.url, other, None)),
        }
    }

    /// Whether its key signed the checkpoint in one of these lines.
    fn is_signed(&self, checkpoint: &str, lines: &str) -> bool {
        let Some((text, _)) = checkpoint.rsplit_once("\n\n") else {
            return false;
        };
        let note = Note::parse(format!("{text}\n\n{lines}").as_bytes());
        let key = std::slice::from_ref(&self.key);
        note.and_then(|note| note.verify(key))
            .is_ok_and(|signed| !signed.is_empty())
    }

    /// It signed another size last, and is asked again only if the log has as many leaves.
    fn elsewhere(&self) -> Error {
        Error::new(
            Component::Proof,
            Category::Conflict,
            "witness_refused",
            format!(
                "{} did not sign: it signed another size last than the log has",
                self.url
            ),
        )
    }

    /// What its refusal means by the protocol, and its own words.
    fn refused(&self, status: u16, body: &[u8]) -> Error {
        let meaning = match status {
            400 => "it finds the request malformed",
            403 => "it knows the log, but not the key that signed",
            404 => "it does not know the log, or this is not its URL",
            409 => "it signed another root for this size: the log is shown in two versions",
            _ => "the log does not begin with what it signed before",
        };
        let words = String::from_utf8_lossy(body);
        let words: String = words
            .trim()
            .chars()
            .filter(|letter| !letter.is_control())
            .take(200)
            .collect();
        Error::new(
            Component::Proof,
            Category::Conflict,
            "witness_refused",
            format!(
                "{} did not sign (status {status}): {meaning}: {words}",
                self.url
            ),
        )
        .with_details(json!({ "status": status }))
    }
}

impl Witness for HttpWitness {
    fn verifier_key(&self) -> &str {
        &self.verifier_key
    }

    fn cosign(&self, request: WitnessRequest) -> BoxFuture<'_, Result<WitnessAnswer, Error>> {
        Box::pin(async move {
            // Whoever asks may lose patience before it answers.
            let late = failure::timeout(&self.url, self.exchange.timeout);
            self.note(Some(ErrorReport::from(&late)));
            let answer = self.ask(request).await;
            self.note(match &answer {
                Ok(WitnessAnswer::Signed(_)) => None,
                Ok(_) => Some(ErrorReport::from(&self.elsewhere())),
                Err(error) => Some(ErrorReport::from(error)),
            });
            answer
        })
    }
}

/// A size in its one form, and a line's end.
fn size(text: &str) -> Option<u64> {
    let digits = text.strip_suffix('\n')?;
    let size: u64 = digits.parse().ok()?;
    (size.to_string() == digits).then_some(size)
}
