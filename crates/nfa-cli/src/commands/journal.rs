//! `nfa show`: the journal of a run.

use std::collections::BTreeMap;

use nfa_core::Error;
use nfa_core::content::Content;
use nfa_core::engine::Entry;
use nfa_core::ids::{Address, RunId};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::closing;
use crate::exit::{Exit, Failure};
use crate::open::Session;
use crate::out::Out;
use crate::people;

pub(crate) async fn show(
    store: &str,
    run: &str,
    content: bool,
    out: &mut Out,
) -> Result<Exit, Failure> {
    let session = Session::open_existing(store).await?;
    let worked = print(&session, run, content, out)
        .await
        .map_err(Failure::from);
    closing(session, worked).await
}

async fn print(session: &Session, run: &str, content: bool, out: &mut Out) -> Result<Exit, Error> {
    let run = session.find_run(run).await?;
    let journal = session.runtime.journal(run).await?;
    if !out.json() {
        head(session, run, out).await?;
    }
    let start = journal.first().map_or(0, |entry| entry.at.0);
    for entry in &journal {
        let opened = match content {
            true => open(session, run, entry).await?,
            false => Vec::new(),
        };
        match (out.json(), content) {
            (true, false) => out.record(entry),
            (true, true) => {
                let content = opened
                    .iter()
                    .filter_map(|named| Some((named.address, named.content.as_ref()?)));
                out.record(&Opened {
                    entry,
                    content: content.collect(),
                });
            }
            (false, _) => {
                let after = entry.at.0.saturating_sub(start);
                let (seconds, ms) = (after / 1000, after % 1000);
                out.line(&format!(
                    "{:>4}  +{seconds}.{ms:03}s  {}",
                    entry.seq,
                    people::entry(entry)
                ));
                for named in &opened {
                    let text = named.content.as_ref().map_or("(erased)".to_owned(), words);
                    for line in format!("{}: {}", named.field, people::clean(&text)).lines() {
                        out.line(&format!("        {line}"));
                    }
                }
            }
        }
    }
    Ok(Exit::Done)
}

async fn head(session: &Session, run: RunId, out: &mut Out) -> Result<(), Error> {
    let record = session.runtime.run_record(run).await?;
    out.line(&format!(
        "run {run}, agent {}, {}{}",
        people::short(&record.agent, 64),
        people::run_status(record.status),
        if record.owner.is_some() {
            ", executing"
        } else {
            ""
        },
    ));
    if let Some(name) = &record.session {
        out.line(&format!("session {}", people::short(&name.0, 100)));
    }
    if let Some((parent, step)) = &record.parent {
        out.line(&format!("started by run {parent}, step {step}"));
    }
    out.line(&format!("started {} UTC", people::time(record.created)));
    Ok(())
}

/// An entry with what it names.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OpenedEntry")]
pub(super) struct Opened<'a> {
    /// The entry.
    entry: &'a Entry,
    /// By address; what is erased is left out.
    content: BTreeMap<Address, &'a Content>,
}

struct Named {
    field: String,
    address: Address,
    content: Option<Content>,
}

async fn open(session: &Session, run: RunId, entry: &Entry) -> Result<Vec<Named>, Error> {
    let mut named = Vec::new();
    // Addresses are found in the entry's JSON, so that facts of later versions are opened too.
    addresses(
        "",
        &serde_json::to_value(entry).unwrap_or_default(),
        &mut named,
    );
    for one in &mut named {
        one.content = match session.runtime.content(run, one.address).await {
            Ok(content) => Some(content),
            Err(error) if error.code() == "content_erased" => None,
            Err(error) => return Err(error),
        };
    }
    Ok(named)
}

fn addresses(field: &str, value: &Value, found: &mut Vec<Named>) {
    match value {
        // As long as an address, but the name of a program.
        Value::String(_) if field == "program" => {}
        Value::String(text) => {
            if let Ok(address) = text.parse() {
                let field = field.to_owned();
                found.push(Named {
                    field,
                    address,
                    content: None,
                });
            }
        }
        Value::Array(items) => items.iter().for_each(|item| addresses(field, item, found)),
        Value::Object(fields) => fields
            .iter()
            .for_each(|(name, value)| addresses(name, value, found)),
        _ => {}
    }
}

/// Content as a person reads it.
fn words(content: &Content) -> String {
    match content {
        Content::ToolOutput { text, .. } | Content::Text { text } => text.clone(),
        Content::Message(message)
            if message.parts.len() == 1 && !message.joined_text().is_empty() =>
        {
            message.joined_text()
        }
        Content::Answer(answer)
            if answer.message.parts.len() == 1 && !answer.message.joined_text().is_empty() =>
        {
            answer.message.joined_text()
        }
        Content::Message(message) => json(&message.parts),
        Content::Answer(answer) => json(&answer.message.parts),
        other => json(other),
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
