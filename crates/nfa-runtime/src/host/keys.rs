//! Key holders of the host language.

use std::fmt;

use nfa_core::content::SubjectKey;
use nfa_core::hex::Hex;
use nfa_core::ids::{LogId, Subject};
use nfa_core::ports::{BoxFuture, BoxResult, Keys, SignedHead};
use nfa_core::{Component, Error};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::host_loop::HostLoop;
use super::tool::malformed;

/// A key holder of the host language: the methods of [`Keys`] by their names, each given its arguments as an object
/// with their names. Keys, seeds and roots are lower-case hexadecimal; `last_signed` gives `{"size", "root"}`.
pub struct HostKeys<O> {
    host: HostLoop<O>,
    object: O,
}

impl<O> fmt::Debug for HostKeys<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostKeys")
    }
}

impl<O> HostKeys<O> {
    /// The key holder behind `object`; `host` calls it.
    pub fn new(host: HostLoop<O>, object: O) -> Self {
        Self { host, object }
    }
}

#[derive(Deserialize)]
struct Head {
    size: u64,
    root: Hex<[u8; 32]>,
}

type Secret = Hex<[u8; 32]>;

impl<O: Clone + Send + Sync + 'static> HostKeys<O> {
    async fn ask<T: DeserializeOwned>(
        &self,
        method: &'static str,
        arguments: Value,
    ) -> Result<T, Error> {
        let answer = self.host.call(self.object.clone(), method, None, arguments);
        let value = answer
            .await
            .map_err(|failure| failure.into_error(Component::Store))?;
        serde_json::from_value(value).map_err(|error| {
            // The value may be a secret: what is said of it is not.
            let of = format!("`{method}` of a key holder");
            let error = <serde_json::Error as serde::de::Error>::custom(match error.classify() {
                serde_json::error::Category::Data => "it is not what was asked for",
                _ => "it is no JSON",
            });
            malformed(Component::Store, &of, &error)
        })
    }

    async fn secret(&self, method: &'static str, arguments: Value) -> Result<[u8; 32], Error> {
        let secret: Secret = self.ask(method, arguments).await?;
        Ok(secret.0)
    }
}

impl<O: Clone + Send + Sync + 'static> Keys for HostKeys<O> {
    fn subject_key<'a>(&'a self, subject: &'a Subject) -> BoxFuture<'a, Result<SubjectKey, Error>> {
        Box::pin(async move {
            let arguments = json!({ "subject": subject });
            self.secret("subject_key", arguments)
                .await
                .map(SubjectKey::from_bytes)
        })
    }

    fn existing_subject_key<'a>(
        &'a self,
        subject: &'a Subject,
    ) -> BoxFuture<'a, Result<Option<SubjectKey>, Error>> {
        Box::pin(async move {
            let arguments = json!({ "subject": subject });
            let key: Option<Secret> = self.ask("existing_subject_key", arguments).await?;
            Ok(key.map(|key| SubjectKey::from_bytes(key.0)))
        })
    }

    fn destroy_subject_key<'a>(&'a self, subject: &'a Subject) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(self.ask("destroy_subject_key", json!({ "subject": subject })))
    }

    fn log_seed<'a>(&'a self, log: &'a LogId) -> BoxFuture<'a, Result<[u8; 32], Error>> {
        Box::pin(self.secret("log_seed", json!({ "log": log })))
    }

    fn later_log_seed<'a>(
        &'a self,
        log: &'a LogId,
        generation: u32,
    ) -> BoxResult<'a, Option<[u8; 32]>> {
        Box::pin(async move {
            let arguments = json!({ "log": log, "generation": generation });
            let seed: Option<Secret> = self.ask("later_log_seed", arguments).await?;
            Ok(seed.map(|seed| seed.0))
        })
    }

    fn make_log_seed<'a>(&'a self, log: &'a LogId, generation: u32) -> BoxResult<'a, [u8; 32]> {
        let arguments = json!({ "log": log, "generation": generation });
        Box::pin(self.secret("make_log_seed", arguments))
    }

    fn last_signed<'a>(&'a self, log: &'a LogId) -> BoxResult<'a, Option<SignedHead>> {
        Box::pin(async move {
            let head: Option<Head> = self.ask("last_signed", json!({ "log": log })).await?;
            Ok(head.map(|head| (head.size, head.root.0)))
        })
    }

    fn record_signed<'a>(
        &'a self,
        log: &'a LogId,
        size: u64,
        root: &'a [u8; 32],
    ) -> BoxFuture<'a, Result<(), Error>> {
        let arguments = json!({ "log": log, "size": size, "root": Hex(root) });
        Box::pin(self.ask("record_signed", arguments))
    }
}
