//! `nfa proof export`: the proof of a run, or what its holder chooses to show of it.

use std::path::Path;

use nfa_core::ids::LogId;
use nfa_core::runtime::Receipt;
use nfa_core::{Category, Component, Error};
use nfa_proof::{Bundle, FieldId};
use serde_json::json;

use super::proof_error;
use crate::args::Shown;
use crate::commands::erase::field_named;
use crate::exit::Exit;
use crate::open::Session;
use crate::out::Out;

pub(super) async fn export(
    session: &Session,
    run: &str,
    file: &Path,
    agent: Option<&str>,
    shown: &Shown,
    out: &mut Out,
) -> Result<Exit, Error> {
    let run = session.find_run(run).await?;
    let receipt = session.runtime.checkpointed(run).await?;
    let record = session.runtime.run_record(run).await?;
    let info = session
        .runtime
        .log_info(agent.unwrap_or(&record.agent))
        .await?;
    let bundle = match (&shown.sent, &shown.entry[..]) {
        (None, _) => session.runtime.proof(run, agent).await?,
        (Some(sent), [entry]) => {
            let messages = (!sent.is_empty()).then_some(&sent[..]);
            session.runtime.context_proof(run, *entry, messages).await?
        }
        (Some(_), _) => {
            return Err(refused(
                "usage",
                "`--sent` is about one turn: expected one `--entry`, found more",
            ));
        }
    };
    if bundle.origin() != info.origin {
        return Err(refused(
            "field_unknown",
            "the leaf of that entry is in another agent's log: name that agent with `--agent`",
        ));
    }
    let bundle = choose(bundle, info.log, &receipt, shown)?;
    let bytes = bundle
        .to_vec()
        .map_err(|error| proof_error(&error, Category::Internal))?;
    if file == Path::new("-") {
        out.bytes(&bytes);
        return Ok(Exit::Done);
    }
    std::fs::write(file, &bytes).map_err(|error| {
        Error::new(
            Component::Cli,
            Category::Input,
            "file_not_written",
            format!("{}: cannot be written: {error}", file.display()),
        )
    })?;
    if out.json() {
        out.record(&json!({
            "run": run,
            "file": file.display().to_string(),
            "bytes": bytes.len(),
            "leaves": bundle.leaves().len(),
            "origin": bundle.origin(),
            "verifier_key": info.verifier_key,
        }));
    } else {
        let (leaves, name) = (bundle.leaves().len(), file.display());
        out.line(&format!("{name}: {leaves} leaves, {} bytes", bytes.len()));
        out.note(&format!(
            "verify: nfa proof verify {name} --key '{}'",
            info.verifier_key
        ));
    }
    Ok(Exit::Done)
}

/// The bundle with the leaves and fields that were named, and with the key events that lead to its key.
fn choose(bundle: Bundle, log: LogId, receipt: &Receipt, shown: &Shown) -> Result<Bundle, Error> {
    let own: Vec<(u64, u64)> = receipt
        .leaves
        .iter()
        .filter(|leaf| leaf.log == log)
        .filter_map(|leaf| Some((leaf.entry, leaf.index?)))
        .collect();
    for entry in &shown.entry {
        if !own.iter().any(|(of, _)| of == entry) {
            return Err(refused(
                "field_unknown",
                &format!(
                    "entry {entry} has no leaf in this log: `nfa proof receipt RUN --json` names those that do"
                ),
            ));
        }
    }
    let mut fields = Vec::new();
    for name in &shown.field {
        let field = field_named(name)?;
        let mut openings = bundle.leaves().iter().flat_map(|leaf| &leaf.disclosed);
        if !openings.any(|opening| opening.field == field) {
            return Err(refused(
                "field_unknown",
                &format!("no leaf of the run can show `{field}`: it has none, or it was erased"),
            ));
        }
        fields.push(field);
    }
    let is_shown = |field: FieldId| {
        // Parts of the context are nothing without its head.
        let sent = shown.sent.is_some() && field == FieldId::CONTEXT;
        sent || fields.is_empty() || fields.contains(&field)
    };
    let mut left = bundle.clone();
    for leaf in bundle.leaves() {
        // A leaf that is of no entry is a key event.
        let Some((entry, index)) = own.iter().find(|(_, index)| *index == leaf.index) else {
            continue;
        };
        left = if shown.entry.is_empty() || shown.entry.contains(entry) {
            let fields = leaf.disclosed.iter().map(|opening| opening.field);
            fields
                .filter(|field| !is_shown(*field))
                .try_fold(left, |left, field| left.redact(*index, field))
        } else {
            left.leave_out(*index)
        }
        .map_err(|error| proof_error(&error, Category::Internal))?;
    }
    Ok(left)
}

fn refused(code: &'static str, message: &str) -> Error {
    Error::new(Component::Cli, Category::Input, code, message.to_owned())
}
