//! `nfa proof verify`: a bundle, with nothing but the file and a policy.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use nfa_core::{Category, Component, Error};
use nfa_proof::{Bundle, MAX_BUNDLE_BYTES, ProofError, VerifyPolicy};
use serde_json::json;

use crate::exit::{Exit, Failure};
use crate::out::Out;
use crate::people;

pub(super) fn verify(file: &Path, policy: &VerifyPolicy, out: &mut Out) -> Result<Exit, Failure> {
    let bytes = read(file)?;
    let report = Bundle::from_slice(&bytes)
        .and_then(|bundle| bundle.verify(policy))
        .map_err(|error| refused(file, &error))?;
    if out.json() {
        out.record(&report);
    } else {
        out.line(&people::clean(&report.to_string()));
    }
    Ok(Exit::Done)
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let limit = MAX_BUNDLE_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        File::open(file).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    read.map(|_| bytes).map_err(|error| Failure {
        error: Error::new(
            Component::Cli,
            Category::Input,
            "bundle_unreadable",
            format!("{}: expected a proof bundle: {error}", file.display()),
        ),
        exit: Exit::ProofUnreadable,
    })
}

fn refused(file: &Path, error: &ProofError) -> Failure {
    let (verdict, exit) = match error.category() {
        nfa_proof::Category::Invalid => ("INVALID", Exit::ProofInvalid),
        nfa_proof::Category::PolicyUnmet => ("not verified", Exit::ProofPolicyUnmet),
        nfa_proof::Category::Unreadable => ("cannot be read", Exit::ProofUnreadable),
        _ => ("cannot be verified", Exit::BadInput),
    };
    let message = format!("{}: {verdict}: {}", file.display(), error.message());
    let report = Error::new(Component::Proof, Category::Input, error.code(), message)
        .with_details(json!({ "verdict": error.category().as_str() }));
    Failure {
        error: report,
        exit,
    }
}
