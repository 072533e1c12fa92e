//! `nfa erase`: what was said is destroyed, after a person has said so.

use nfa_core::ids::{RunId, SessionId, Subject};
use nfa_core::ports::RunFilter;
use nfa_core::runtime::{Erased, Erasure};
use nfa_core::{Category, Component, Error};
use nfa_proof::FieldId;
use schemars::JsonSchema;
use serde::Serialize;

use super::closing;
use crate::args::Erase;
use crate::exit::{Exit, Failure};
use crate::open::Session;
use crate::out::Out;
use crate::{input, people};

const SESSION_UNKNOWN: &str = "session_unknown";
const USER_UNKNOWN: &str = "user_unknown";

/// What `nfa erase --json` prints.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Erased")]
pub(super) struct ErasedRecord {
    /// What was to be erased.
    erased: Target,
    /// How many runs it was in; 0 for a field that was erased before.
    runs: usize,
    /// How many keys were destroyed; 0 when it was erased before, or others need the key.
    keys: usize,
    /// How many pieces of content and salts it was; none of them is left.
    blobs: usize,
    /// Fields that the erased field's content was kept for, since their values are taken from it too.
    kept_for: Vec<Place>,
}

/// What was to be erased.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Target {
    /// A session, by its name.
    Session(String),
    /// A user, by their name.
    User(String),
    /// A run, and those that it started.
    Run(RunId),
    /// One field of one leaf.
    Field(Place),
}

/// A field of a leaf.
#[derive(Serialize, JsonSchema)]
struct Place {
    /// The run.
    run: RunId,
    /// The entry that the leaf is of.
    entry: u64,
    /// The field's name, or its number where it has none.
    field: String,
}

impl Place {
    fn new(run: RunId, entry: u64, field: FieldId) -> Self {
        Self {
            run,
            entry,
            field: field.to_string(),
        }
    }
}

pub(crate) async fn erase(
    store: &str,
    what: Erase,
    yes: bool,
    out: &mut Out,
) -> Result<Exit, Failure> {
    if !yes && (out.json() || !input::is_terminal()) {
        return Err(unasked().into());
    }
    let mut session = Session::open_existing(store).await?;
    let worked = find_and_erase(&mut session, what, yes, out).await;
    closing(session, worked.map_err(Failure::from)).await
}

async fn find_and_erase(
    session: &mut Session,
    what: Erase,
    yes: bool,
    out: &mut Out,
) -> Result<Exit, Error> {
    let (what, erasure, words) = find(session, what).await?;
    if !yes && !is_sure(session, &words, out).await? {
        out.note("nothing was erased");
        return Ok(Exit::Stopped);
    }
    let erased = session.runtime.erase(erasure).await?;
    tell(what, &words, &erased, out);
    Ok(Exit::Done)
}

/// What is meant, and how a person calls it. What the store knows nothing of is refused: a name with a slip
/// of the pen must not look erased.
async fn find(session: &Session, what: Erase) -> Result<(Target, Erasure, String), Error> {
    Ok(match what {
        Erase::Session { name } => {
            let id: SessionId = name.as_str().into();
            let filter = RunFilter {
                session: Some(id.clone()),
                limit: Some(usize::MAX),
                ..RunFilter::default()
            };
            let runs = session.runtime.runs(filter).await?.len();
            known(runs, SESSION_UNKNOWN, "session", &name)?;
            let words = format!("session {}: what was said in {}", shown(&name), count(runs));
            (Target::Session(name), Erasure::Session(id), words)
        }
        Erase::User { name } => {
            let every = RunFilter {
                limit: Some(usize::MAX),
                ..RunFilter::default()
            };
            let subject = Subject::user(&name);
            let mut runs = session.runtime.runs(every).await?;
            runs.retain(|record| record.subject == subject);
            known(runs.len(), USER_UNKNOWN, "user", &name)?;
            let words = format!(
                "user {}: what was said in {}",
                shown(&name),
                count(runs.len())
            );
            let user = name.as_str().into();
            (Target::User(name), Erasure::User(user), words)
        }
        Erase::Run { run } => {
            let run = session.find_run(&run).await?;
            let words = format!("run {run}: what was said in it, and in the runs that it started");
            (Target::Run(run), Erasure::Run(run), words)
        }
        Erase::Field { run, entry, field } => {
            let field = field_named(&field)?;
            let run = session.find_run(&run).await?;
            let words = format!("run {run}: the field {field} of entry {entry}");
            (
                Target::Field(Place::new(run, entry, field)),
                Erasure::Field { run, entry, field },
                words,
            )
        }
    })
}

/// Asks. Anything but `yes`, the end of the input and Ctrl-C mean no.
async fn is_sure(session: &mut Session, words: &str, out: &Out) -> Result<bool, Error> {
    out.note(words);
    out.prompt("Destroy it for good? No copy is kept. Type yes: ");
    let line = tokio::select! {
        line = session.lines.next() => line.transpose()?,
        _ = session.interrupts.next() => {
            out.note("");
            None
        }
    };
    Ok(line.is_some_and(|line| line.trim() == "yes"))
}

fn tell(what: Target, words: &str, erased: &Erased, out: &mut Out) {
    let record = ErasedRecord {
        erased: what,
        runs: erased.runs,
        keys: erased.keys,
        blobs: erased.blobs,
        kept_for: erased
            .kept_for
            .iter()
            .map(|(run, entry, field)| Place::new(*run, *entry, *field))
            .collect(),
    };
    if out.json() {
        out.record(&record);
        return;
    }
    if record.keys == 0 && record.blobs == 0 {
        out.line(&format!("{words}\nerased: it was so before"));
        return;
    }
    let keys = match record.keys {
        0 => String::new(),
        1 => "1 key destroyed, ".to_owned(),
        keys => format!("{keys} keys destroyed, "),
    };
    out.line(&format!(
        "{words}\nerased: {keys}{} pieces of content and salts are gone",
        record.blobs
    ));
    for Place { run, entry, field } in &record.kept_for {
        out.line(&format!(
            "kept: content that the field {field} of entry {entry} of run {run} is made of too; erase that as well"
        ));
    }
    out.line(
        "still there: names, times, statuses and every leaf. Proofs that are exported from now on verify, \
         with this reported as erased; those that somebody already has still show it.",
    );
}

/// A field by its name or number.
pub(super) fn field_named(text: &str) -> Result<FieldId, Error> {
    // A number that has no name is shown as `field-99`.
    let number = text.strip_prefix("field-").unwrap_or(text).parse().ok();
    number
        .and_then(FieldId::new)
        .or_else(|| FieldId::from_name(text))
        .ok_or_else(|| {
            let names: Vec<_> = FieldId::REGISTRY.iter().map(ToString::to_string).collect();
            Error::new(
                Component::Cli,
                Category::Input,
                "field_unknown",
                format!(
                    "expected the name or number of a leaf's field, found {}; the names are {}",
                    shown(text),
                    names.join(", ")
                ),
            )
        })
}

fn known(runs: usize, code: &'static str, kind: &str, name: &str) -> Result<(), Error> {
    if runs > 0 {
        return Ok(());
    }
    Err(Error::new(
        Component::Cli,
        Category::Input,
        code,
        format!(
            "no run in this store is of the {kind} {}: `nfa runs` lists them; nothing was erased",
            shown(name)
        ),
    ))
}

fn unasked() -> Error {
    Error::new(
        Component::Cli,
        Category::Input,
        "usage",
        "erasing is for good, and there is no terminal to ask at: say --yes; nothing was erased",
    )
}

fn shown(name: &str) -> String {
    format!("`{}`", people::short(name, 64))
}

fn count(runs: usize) -> String {
    match runs {
        1 => "1 run".to_owned(),
        runs => format!("{runs} runs"),
    }
}
