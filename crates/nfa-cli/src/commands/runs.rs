//! `nfa runs`.

use nfa_core::ports::{RunFilter, RunRecord};

use super::closing;
use crate::args::Status;
use crate::exit::{Exit, Failure};
use crate::open::Session;
use crate::out::Out;
use crate::people;

pub(crate) async fn list(
    store: &str,
    statuses: Vec<Status>,
    of_session: Option<String>,
    limit: usize,
    out: &mut Out,
) -> Result<Exit, Failure> {
    let session = Session::open_existing(store).await?;
    let filter = RunFilter {
        statuses: statuses.into_iter().map(Into::into).collect(),
        session: of_session.map(Into::into),
        limit: Some(limit),
        ..RunFilter::default()
    };
    let worked = session.runtime.runs(filter).await.map_err(Failure::from);
    for record in closing(session, worked).await? {
        if out.json() {
            out.record(&record);
        } else {
            out.line(&line(&record));
        }
    }
    Ok(Exit::Done)
}

fn line(record: &RunRecord) -> String {
    let id = people::short_id(record.run);
    let status = people::run_status(record.status);
    let updated = people::time(record.updated);
    let agent = people::short(&record.agent, 24);
    let session = record
        .session
        .as_ref()
        .map_or("-".to_owned(), |name| people::short(&name.0, 32));
    let held = if record.owner.is_some() {
        ", executing"
    } else {
        ""
    };
    format!(
        "{id}  {updated}  {status:<13}  {agent:<16}  {session}  {} entries{held}",
        record.length
    )
}
