//! Erasing what was said: keys first, then content and salts. Journals and leaves stay, and every other
//! proof still verifies.
//!
//! An erasure is noted outside the database before anything is destroyed: after a crash the store completes
//! it when it is opened, and a database that is put back from a backup is erased again.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use nfa_proof::{FieldId, Leaf};

use super::lifecycle::Runtime;
use super::proof::{sources, without_field};
use super::resume::{read_journal, run_unknown};
use super::shared::Shared;
use crate::content::{SubjectVault, content_erased, entropy_unavailable};
use crate::error::{Category, Component, Error};
use crate::ids::{Address, RunId, SessionId, Subject};
use crate::ports::{
    ErasedField, ErasedKey, ErasureRecord, LeafDraft, ReplacedOpenings, RunFilter, RunRecord,
};

/// What is to be erased.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Erasure {
    /// Everything said in a session.
    Session(SessionId),
    /// Everything said by or to a user, in every session that they began.
    User(Arc<str>),
    /// Everything said in a run, and in the runs that it started.
    Run(RunId),
    /// One field of a leaf: its salt, and the content that its value is taken from. Content that another
    /// field is taken from as well stays until the last of them is erased.
    Field {
        /// The run.
        run: RunId,
        /// The entry that the leaf is of.
        entry: u64,
        /// The field.
        field: FieldId,
    },
}

/// What was erased.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Erased {
    /// How many runs lost content.
    pub runs: usize,
    /// How many keys were destroyed.
    pub keys: usize,
    /// How many pieces of content and openings were removed. Several places may have named one.
    pub blobs: usize,
    /// Fields for which content of the erased field was kept, as (run, entry, field).
    pub kept_for: Vec<(RunId, u64, FieldId)>,
}

/// An erasure that is thought out, but not begun.
#[derive(Default)]
struct Plan {
    subjects: Vec<Subject>,
    runs: Vec<RunRecord>,
    blobs: BTreeSet<Address>,
    fields: Vec<ErasedField>,
    replaced: Vec<ReplacedOpenings>,
    kept_for: Vec<(RunId, u64, FieldId)>,
}

impl Runtime {
    /// Erases content, durably. What is already erased, or was never there, is no error: the result says how
    /// much was found. Names (of sessions, users and agents), times and statuses stay.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use nfa_core::runtime::{Erasure, Runtime};
    ///
    /// let runtime = Runtime::builder().build()?;
    /// let erased = runtime.erase(Erasure::User("alice".into())).await?;
    /// assert_eq!(erased.runs, 0);
    /// # runtime.close().await
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `erasure_busy` while one of the runs is driven, `run_unknown`, `field_unknown`, `content_erased` for a
    /// field whose leaf has lost its openings, `erasure_unsupported`, `store_busy` when a reader keeps old
    /// bytes (erase again), and what the store gives.
    pub async fn erase(&self, what: Erasure) -> Result<Erased, Error> {
        let shared = &self.shared;
        shared.check_open()?;
        let plan = match what {
            Erasure::Session(id) => of_session(shared, id).await?,
            Erasure::User(user) => of_subject(shared, Subject::user(&user)).await?,
            Erasure::Run(run) => of_run(shared, run).await?,
            Erasure::Field { run, entry, field } => of_field(shared, run, entry, field).await?,
        };
        perform(shared, plan).await
    }
}

async fn perform(shared: &Shared, plan: Plan) -> Result<Erased, Error> {
    if let Some(driven) = plan.runs.iter().find(|record| record.owner.is_some()) {
        return Err(busy(driven.run));
    }
    let mut record = ErasureRecord {
        id: random_id()?,
        blobs: plan.blobs.into_iter().collect(),
        fields: plan.fields,
        ..ErasureRecord::default()
    };
    for subject in &plan.subjects {
        if let Some(key) = shared.keys.existing_subject_key(subject).await? {
            record.keys.push(ErasedKey {
                subject: subject.clone(),
                key: SubjectVault::new(&key, shared.sealing()).key_id(),
            });
        }
    }
    let erased = Erased {
        runs: plan.runs.len(),
        keys: record.keys.len(),
        blobs: record.blobs.len(),
        kept_for: plan.kept_for,
    };
    if record.keys.is_empty() && record.blobs.is_empty() && record.fields.is_empty() {
        return Ok(erased);
    }
    shared.store.note_erasure(record.clone()).await?;
    for key in &record.keys {
        shared.keys.destroy_subject_key(&key.subject).await?;
    }
    shared.store.erase(record, plan.replaced).await?;
    Ok(erased)
}

async fn of_session(shared: &Shared, id: SessionId) -> Result<Plan, Error> {
    let own = Subject::session(&id);
    match shared.store.session(&id).await? {
        Some(head) if head.subject != own => {
            let all = runs_of(shared, &head.subject).await?;
            let roots = all
                .iter()
                .filter(|record| record.session.as_ref() == Some(&id));
            let roots: Vec<RunId> = roots.map(|record| record.run).collect();
            some_of(shared, all, roots).await
        }
        _ => of_subject(shared, own).await,
    }
}

async fn of_run(shared: &Shared, run: RunId) -> Result<Plan, Error> {
    let record = shared
        .store
        .run(run)
        .await?
        .ok_or_else(|| run_unknown(run))?;
    if record.subject == Subject::run(run) {
        return of_subject(shared, record.subject).await;
    }
    let all = runs_of(shared, &record.subject).await?;
    some_of(shared, all, vec![run]).await
}

/// Everything of a subject.
async fn of_subject(shared: &Shared, subject: Subject) -> Result<Plan, Error> {
    let runs = runs_of(shared, &subject).await?;
    let mut blobs = BTreeSet::new();
    for record in &runs {
        blobs.extend(named_by(shared, record.run).await?);
    }
    Ok(Plan {
        subjects: vec![subject],
        runs,
        blobs,
        ..Plan::default()
    })
}

/// Some runs of a subject, and those that they started. The key stays, for the others; so does content that
/// others name too.
async fn some_of(shared: &Shared, all: Vec<RunRecord>, roots: Vec<RunId>) -> Result<Plan, Error> {
    let mut chosen: HashSet<RunId> = roots.into_iter().collect();
    loop {
        let before = chosen.len();
        for record in &all {
            if record
                .parent
                .as_ref()
                .is_some_and(|(parent, _)| chosen.contains(parent))
            {
                chosen.insert(record.run);
            }
        }
        if chosen.len() == before {
            break;
        }
    }
    let (runs, others): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|record| chosen.contains(&record.run));
    let mut blobs = BTreeSet::new();
    for record in &runs {
        blobs.extend(named_by(shared, record.run).await?);
    }
    for record in &others {
        for kept in named_by(shared, record.run).await? {
            blobs.remove(&kept);
        }
    }
    Ok(Plan {
        runs,
        blobs,
        ..Plan::default()
    })
}

async fn of_field(shared: &Shared, run: RunId, entry: u64, field: FieldId) -> Result<Plan, Error> {
    let record = shared
        .store
        .run(run)
        .await?
        .ok_or_else(|| run_unknown(run))?;
    let of_entry = |leaf: &&(LeafDraft, Option<u64>)| leaf.0.entry == entry && has(&leaf.0, field);
    let leaves = shared.store.leaves(run).await?;
    let (draft, _) = leaves
        .iter()
        .find(of_entry)
        .ok_or_else(|| field_unknown(run, entry, field))?;
    let vault = shared.existing_vault(&record.subject).await?;
    let plain = openings(shared, &vault, &draft.openings)
        .await?
        .ok_or_else(content_erased)?;
    let Some((_, mut taken_from)) = sources(&plain)?
        .into_iter()
        .find(|(number, _)| *number == field.number())
    else {
        // It was erased before.
        return Ok(Plan::default());
    };
    let mut kept_for = Vec::new();
    for other in runs_of(shared, &record.subject).await? {
        for (leaf, _) in shared.store.leaves(other.run).await? {
            let Some(plain) = openings(shared, &vault, &leaf.openings).await? else {
                continue;
            };
            for (number, needed) in sources(&plain)? {
                let same = leaf.openings == draft.openings && number == field.number();
                let before = taken_from.len();
                taken_from.retain(|address| same || !needed.contains(address));
                if taken_from.len() < before
                    && let Some(field) = FieldId::new(number)
                {
                    kept_for.push((other.run, leaf.entry, field));
                }
            }
        }
    }
    let new = vault.seal(&without_field(&plain, field.number())?)?;
    let mut blobs: BTreeSet<Address> = taken_from.into_iter().collect();
    blobs.insert(draft.openings);
    Ok(Plan {
        fields: vec![ErasedField {
            log: draft.log,
            run,
            entry,
            field: field.number(),
        }],
        replaced: vec![ReplacedOpenings {
            old: draft.openings,
            run,
            new: (record.subject.clone(), new),
        }],
        runs: vec![record],
        blobs,
        kept_for,
        ..Plan::default()
    })
}

fn has(draft: &LeafDraft, field: FieldId) -> bool {
    Leaf::decode(&draft.leaf)
        .is_ok_and(|leaf| leaf.fields().iter().any(|known| known.field == field))
}

/// The plain openings of a leaf; `None` where they are erased.
async fn openings(
    shared: &Shared,
    vault: &SubjectVault,
    address: &Address,
) -> Result<Option<bytes::Bytes>, Error> {
    let envelope = shared.store.blobs(std::slice::from_ref(address)).await?;
    let Some(envelope) = envelope.into_iter().next().flatten() else {
        return Ok(None);
    };
    match vault.open(address, &envelope) {
        Err(error) if error.code() == "content_erased" => Ok(None),
        opened => opened.map(Some),
    }
}

/// Every run of a subject.
async fn runs_of(shared: &Shared, subject: &Subject) -> Result<Vec<RunRecord>, Error> {
    let every = RunFilter {
        limit: Some(usize::MAX),
        ..RunFilter::default()
    };
    let mut runs = shared.store.runs(every).await?;
    runs.retain(|record| record.subject == *subject);
    Ok(runs)
}

/// Every address in a run's journal, inbox and leaves.
async fn named_by(shared: &Shared, run: RunId) -> Result<BTreeSet<Address>, Error> {
    let mut named = BTreeSet::new();
    for entry in read_journal(shared, run).await? {
        collect(&as_json(&entry)?, &mut named);
    }
    for item in shared.store.inbox(run).await? {
        collect(&as_json(&item)?, &mut named);
    }
    for (draft, _) in shared.store.leaves(run).await? {
        named.insert(draft.openings);
    }
    Ok(named)
}

fn as_json(value: &impl serde::Serialize) -> Result<serde_json::Value, Error> {
    serde_json::to_value(value).map_err(|error| {
        Error::new(
            Component::Runtime,
            Category::Internal,
            "content_not_json",
            format!("an entry cannot be written as JSON: {error}"),
        )
    })
}

/// Whatever is written as an address, in whatever kind of entry: a hash that is none names no blob.
fn collect(value: &serde_json::Value, named: &mut BTreeSet<Address>) {
    match value {
        serde_json::Value::String(text) => named.extend(text.parse::<Address>().ok()),
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect(item, named)),
        serde_json::Value::Object(members) => {
            members.values().for_each(|member| collect(member, named));
        }
        _ => {}
    }
}

fn random_id() -> Result<Box<str>, Error> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(entropy_unavailable)?;
    Ok(RunId(id).to_string().into())
}

fn busy(run: RunId) -> Error {
    Error::new(
        Component::Runtime,
        Category::Conflict,
        "erasure_busy",
        format!(
            "run {run} is being driven and would write what is to be erased: cancel it or wait for its end, \
             then erase; nothing was erased"
        ),
    )
    .with_details(serde_json::json!({ "run": run }))
}

fn field_unknown(run: RunId, entry: u64, field: FieldId) -> Error {
    Error::new(
        Component::Proof,
        Category::Input,
        "field_unknown",
        format!(
            "entry {entry} of run {run} has no leaf with field {}: the receipt names the entries that have \
             leaves",
            field.number()
        ),
    )
}
