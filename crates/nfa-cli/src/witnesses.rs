//! Witnesses of the command line: asked to sign that the logs only grow, and missed by nobody but a policy.

use std::sync::Arc;

use nfa_core::error::ErrorReport;
use nfa_core::ports::Witness as _;
use nfa_core::runtime::LogInfo;
use nfa_core::{Category, Component, Error};
use nfa_proof::{Note, VerifierKey};
use nfa_runtime::{HttpWitness, RuntimeOptions};
use serde_json::json;

use crate::out::Out;
use crate::people;

/// Those that a command asks.
#[derive(Clone, Default)]
pub(crate) struct Witnesses(Vec<Arc<HttpWitness>>);

impl Witnesses {
    /// Each `URL VKEY`, as the command line has them.
    pub(crate) fn parse(texts: &[String]) -> Result<Self, Error> {
        let witness = |text: &String| {
            let words: Vec<&str> = text.split_whitespace().collect();
            match &words[..] {
                [url, key] => HttpWitness::new(url, key).map(Arc::new),
                _ => Err(malformed(text)),
            }
        };
        texts
            .iter()
            .map(witness)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Has the runtime ask them.
    pub(crate) fn asked_by(&self, options: RuntimeOptions) -> RuntimeOptions {
        self.0.iter().fold(options, |options, witness| {
            options.with(|builder| builder.witness(Arc::<HttpWitness>::clone(witness)))
        })
    }

    /// Says which gave no signature when they were asked last, and why.
    pub(crate) fn tell(&self, out: &Out) {
        for failure in self.0.iter().filter_map(|witness| witness.last_failure()) {
            let why = people::clean(&failure.message);
            out.note(&format!("a witness did not sign: {why}"));
        }
    }

    /// An error unless all of them signed the newest checkpoint.
    pub(crate) fn all_signed(&self, info: &LogInfo) -> Result<(), Error> {
        let note = info.checkpoint.as_deref().map(str::as_bytes);
        let note = note.and_then(|note| Note::parse(note).ok());
        let signed = |key: &str| {
            let key = VerifierKey::parse(key).ok();
            let found = note
                .as_ref()
                .zip(key)
                .map(|(note, key)| note.verify(&[key]));
            found.is_some_and(|found| found.is_ok_and(|found| !found.is_empty()))
        };
        let missing: Vec<(&str, Option<ErrorReport>)> = self
            .0
            .iter()
            .filter(|witness| !signed(witness.verifier_key()))
            .map(|witness| (witness.verifier_key(), witness.last_failure()))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let why = |(key, failure): &(&str, Option<ErrorReport>)| match failure {
            Some(failure) => people::clean(&failure.message),
            None => format!("{key} gave none"),
        };
        let whys: Vec<_> = missing.iter().map(why).collect();
        let details: Vec<_> = missing
            .iter()
            .map(|(key, failure)| json!({ "key": key, "error": failure }))
            .collect();
        Err(Error::new(
            Component::Cli,
            Category::Transient,
            "witnesses_missing",
            format!(
                "expected the signatures of {} witnesses, {} are missing: {}",
                self.0.len(),
                missing.len(),
                whys.join("; ")
            ),
        )
        .with_details(json!({ "witnesses": details })))
    }
}

fn malformed(text: &str) -> Error {
    Error::new(
        Component::Cli,
        Category::Input,
        "witness_malformed",
        format!(
            "expected the URL of a witness, a space and its key, found `{}`",
            people::short(text, 120)
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_witness_is_a_url_and_a_key() {
        let signer = nfa_proof::CosignatureSigner::from_seed("w.example", &[1; 32]).unwrap();
        let key = signer.verifier_key().to_string();
        let parse = |text: &str| Witnesses::parse(&[text.to_owned()]).map(|all| all.0.len());
        assert_eq!(parse(&format!(" https://w.example/  {key} ")).unwrap(), 1);
        let refused = |text: &str| parse(text).unwrap_err().code().to_owned();
        assert_eq!(refused(""), "witness_malformed");
        assert_eq!(refused(&key), "witness_malformed");
        assert_eq!(
            refused(&format!("https://w {key} more")),
            "witness_malformed"
        );
        assert_eq!(refused(&format!("{key} https://w")), "key_malformed");
        assert_eq!(refused(&format!("w.example {key}")), "http_url_invalid");
    }
}
