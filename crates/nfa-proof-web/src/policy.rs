//! The policy as a page or a script writes it.

use nfa_proof::{VerifierKey, VerifyPolicy};
use serde::Deserialize;

use crate::refusal::Refusal;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Policy {
    #[serde(default)]
    log_keys: Vec<String>,
    #[serde(default)]
    cutoffs: Vec<Cutoff>,
    #[serde(default)]
    witnesses: Vec<String>,
    /// All of them, if it is left out.
    witnesses_required: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cutoff {
    key: String,
    size: u64,
}

impl Policy {
    pub(crate) fn parse(json: &[u8]) -> Result<VerifyPolicy, Refusal> {
        let policy: Self =
            serde_json::from_slice(json).map_err(|error| Refusal::of_policy(&error))?;
        let witnesses = keys("witnesses", &policy.witnesses)?;
        // More than the memory can number is more than there are.
        let required = policy.witnesses_required.map_or(witnesses.len(), |number| {
            usize::try_from(number).unwrap_or(usize::MAX)
        });
        let verify = VerifyPolicy::new(keys("log_keys", &policy.log_keys)?)
            .with_witnesses(witnesses, required);
        policy
            .cutoffs
            .iter()
            .enumerate()
            .try_fold(verify, |verify, (number, cutoff)| {
                let key = key("cutoffs", number, &cutoff.key)?;
                Ok(verify.with_cutoff(key, cutoff.size))
            })
    }
}

fn keys(member: &str, texts: &[String]) -> Result<Vec<VerifierKey>, Refusal> {
    let keys = texts.iter().enumerate();
    keys.map(|(number, text)| key(member, number, text))
        .collect()
}

fn key(member: &str, number: usize, text: &str) -> Result<VerifierKey, Refusal> {
    VerifierKey::parse(text.trim()).map_err(|error| Refusal::of_key(member, number, &error))
}
