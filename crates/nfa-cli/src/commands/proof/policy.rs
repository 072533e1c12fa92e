//! Whom a verifier trusts, as the command line and a policy file say it.

use std::path::Path;

use nfa_core::{Category, Component, Error};
use nfa_proof::{VerifierKey, VerifyPolicy};
use serde::Deserialize;

use super::proof_error;
use crate::args::Trust;

/// A policy file.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Policy {
    #[serde(default)]
    log_keys: Vec<String>,
    #[serde(default)]
    cutoffs: Vec<Cutoff>,
    #[serde(default)]
    witnesses: Vec<String>,
    /// All of them, if it is left out.
    witnesses_required: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cutoff {
    key: String,
    size: u64,
}

/// The file's policy, and the keys of the command line beside it.
pub(super) fn read(trust: &Trust) -> Result<VerifyPolicy, Error> {
    let mut policy = match &trust.policy {
        Some(file) => parse(file)?,
        None => Policy::default(),
    };
    policy.log_keys.extend_from_slice(&trust.key);
    policy.witnesses.extend_from_slice(&trust.witness);
    let witnesses = keys(&policy.witnesses)?;
    let required = trust.witnesses.or(policy.witnesses_required);
    let required = required.unwrap_or(witnesses.len());
    if required > witnesses.len() {
        return Err(malformed(format!(
            "expected the keys of at least {required} witnesses, since so many must sign; found {}",
            witnesses.len()
        )));
    }
    let verify = VerifyPolicy::new(keys(&policy.log_keys)?).with_witnesses(witnesses, required);
    policy.cutoffs.iter().try_fold(verify, |verify, cutoff| {
        Ok(verify.with_cutoff(key(&cutoff.key)?, cutoff.size))
    })
}

fn parse(file: &Path) -> Result<Policy, Error> {
    let name = file.display();
    let text = std::fs::read(file)
        .map_err(|error| malformed(format!("{name}: expected a policy: {error}")))?;
    serde_json::from_slice(&text)
        .map_err(|error| malformed(format!("{name}: expected a policy as JSON: {error}")))
}

fn keys(texts: &[String]) -> Result<Vec<VerifierKey>, Error> {
    texts.iter().map(|text| key(text)).collect()
}

fn key(text: &str) -> Result<VerifierKey, Error> {
    VerifierKey::parse(text.trim()).map_err(|error| proof_error(&error, Category::Input))
}

fn malformed(message: String) -> Error {
    Error::new(Component::Cli, Category::Input, "policy_malformed", message)
}
