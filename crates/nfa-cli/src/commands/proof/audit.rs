//! `nfa proof audit`: an exported log, whole, in a folder or where it is served.

use std::path::{Path, PathBuf};

use nfa_core::{Category, Component, Error};
use nfa_proof::{Note, VerifyPolicy};
use nfa_runtime::{HttpLog, LogFolder};
use serde_json::{Value, json};

use crate::exit::{Exit, Failure};
use crate::out::Out;
use crate::people;

pub(super) async fn audit(
    log: &Path,
    policy: &VerifyPolicy,
    known: &[PathBuf],
    out: &mut Out,
) -> Result<Exit, Failure> {
    let known = known.iter().map(|file| note(file));
    let known = known.collect::<Result<Vec<_>, _>>()?;
    let audit = match log.to_str().filter(|log| is_url(log)) {
        Some(url) => HttpLog::new(url)?
            .audit(policy, &known)
            .await
            .map_err(unreadable)?,
        None => nfa_proof::audit(&LogFolder::new(log), policy, &known).map_err(|error| {
            unreadable(Error::new(
                Component::Cli,
                Category::Input,
                "log_unreadable",
                format!("the exported log cannot be read: {error}"),
            ))
        })?,
    };
    if out.json() {
        let mut record = serde_json::to_value(&audit).unwrap_or_default();
        if let Value::Object(record) = &mut record {
            record.insert("holds".to_owned(), json!(audit.holds()));
        }
        out.record(&record);
    } else {
        out.line(people::clean(&audit.to_string()).trim_end());
    }
    Ok(match audit.category() {
        None if audit.holds() => Exit::Done,
        Some(nfa_proof::Category::Invalid) => Exit::ProofInvalid,
        Some(nfa_proof::Category::PolicyUnmet) => Exit::ProofPolicyUnmet,
        _ => Exit::ProofUnreadable,
    })
}

fn is_url(log: &str) -> bool {
    log.starts_with("http://") || log.starts_with("https://")
}

/// A checkpoint that the auditor has.
fn note(file: &Path) -> Result<Note, Failure> {
    let bytes = std::fs::read(file).map_err(|error| {
        let name = file.display();
        unreadable(Error::new(
            Component::Cli,
            Category::Input,
            "checkpoint_unreadable",
            format!("{name}: expected a signed checkpoint: {error}"),
        ))
    })?;
    Note::parse(&bytes).map_err(|error| {
        let message = format!("{}: {}", file.display(), error.message());
        unreadable(Error::new(
            Component::Proof,
            Category::Input,
            error.code(),
            message,
        ))
    })
}

fn unreadable(error: Error) -> Failure {
    Failure {
        error,
        exit: Exit::ProofUnreadable,
    }
}
