//! Verifying a proof, which needs no runtime.

use nfa_core::{Category, Component, Error};
use nfa_proof::{Bundle, VerifierKey, VerifyPolicy};
use serde::Deserialize;
use serde_json::{Value, json};

use super::operation::{malformed, to_json};

/// Verifies a bundle under a policy, both as JSON, and gives the report; needs no runtime.
///
/// The policy has `log_keys` and `witnesses`, which are C2SP verifier keys, `witnesses_required` (all, if it is left
/// out), and `cutoffs` with a `key` and a `size`.
///
/// # Errors
/// `policy_malformed`, `key_malformed`, and what the [proof page](https://docs.rs/nfa-proof) names for a bundle that
/// does not hold; `details.verdict` is then `invalid`, `policy_unmet` or `unreadable`.
pub fn verify(bundle: &Value, policy: Value) -> Result<Value, Error> {
    let policy: PolicyData = serde_json::from_value(policy).map_err(|error| {
        policy_malformed(format!(
            "expected a policy with `log_keys` and the like: {error}"
        ))
    })?;
    let policy = policy.build()?;
    let bytes = serde_json::to_vec(bundle).map_err(|error| malformed(error.to_string()))?;
    let report = Bundle::from_slice(&bytes)
        .and_then(|bundle| bundle.verify(&policy))
        .map_err(|error| {
            let (code, verdict) = (error.code().to_owned(), error.category().as_str());
            let message = format!("{verdict}: {}", error.message());
            Error::new(Component::Proof, Category::Input, code, message)
                .with_details(json!({ "verdict": verdict }))
        })?;
    to_json(&report)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyData {
    #[serde(default)]
    log_keys: Vec<String>,
    #[serde(default)]
    witnesses: Vec<String>,
    witnesses_required: Option<usize>,
    #[serde(default)]
    cutoffs: Vec<CutoffData>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CutoffData {
    key: String,
    size: u64,
}

impl PolicyData {
    fn build(&self) -> Result<VerifyPolicy, Error> {
        let witnesses = keys(&self.witnesses)?;
        let required = self.witnesses_required.unwrap_or(witnesses.len());
        if required > witnesses.len() {
            return Err(policy_malformed(format!(
                "expected the keys of at least {required} witnesses, since so many must sign; found {}",
                witnesses.len()
            )));
        }
        let policy = VerifyPolicy::new(keys(&self.log_keys)?).with_witnesses(witnesses, required);
        self.cutoffs.iter().try_fold(policy, |policy, cutoff| {
            Ok(policy.with_cutoff(key(&cutoff.key)?, cutoff.size))
        })
    }
}

fn keys(texts: &[String]) -> Result<Vec<VerifierKey>, Error> {
    texts.iter().map(|text| key(text)).collect()
}

fn key(text: &str) -> Result<VerifierKey, Error> {
    VerifierKey::parse(text.trim()).map_err(|error| {
        Error::new(
            Component::Proof,
            Category::Input,
            error.code().to_owned(),
            error.message().to_owned(),
        )
    })
}

fn policy_malformed(message: String) -> Error {
    Error::new(
        Component::Proof,
        Category::Input,
        "policy_malformed",
        message,
    )
}
