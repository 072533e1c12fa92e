//! A store of the engine, asked as one of the host is: for stores of the host that stand around one of ours, and
//! for showing that the JSON of the port loses nothing.

use nfa_core::content::Sealed;
use nfa_core::hex::Hex;
use nfa_core::ids::{Address, LogId, ProgramHash, RunId, SessionId, Subject, Timestamp};
use nfa_core::ports::{
    AnchorClaim, AnchorRecord, Batch, CheckpointRecord, ErasureRecord, InboxItem, LogDraft,
    ReplacedOpenings, RunFilter, SequencedBatch, Store,
};
use nfa_core::{Category, Component, Error};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Does what `method` of a [`HostStore`](super::HostStore) asks, with one of the engine's stores.
///
/// # Errors
/// Those of the store, and `operation_malformed` for an unknown method or wrong arguments.
pub async fn serve_store(
    store: &dyn Store,
    method: &str,
    arguments: Value,
) -> Result<Value, Error> {
    match method {
        "commit" => {
            let Commit { batch } = read(method, arguments)?;
            Ok(json!(store.commit(batch).await?))
        }
        "journal" => {
            let Journal { run, from, limit } = read(method, arguments)?;
            Ok(json!(store.journal(run, from, limit).await?))
        }
        "blobs" => {
            let Blobs { addresses } = read(method, arguments)?;
            let envelopes = store.blobs(&addresses).await?;
            let blobs = addresses.into_iter().zip(envelopes);
            let blobs: Vec<Option<Sealed>> = blobs
                .map(|(address, envelope)| {
                    Some(Sealed {
                        address,
                        envelope: envelope?,
                    })
                })
                .collect();
            Ok(json!(blobs))
        }
        "run" => {
            let Run { run } = read(method, arguments)?;
            Ok(json!(store.run(run).await?))
        }
        "runs" => {
            let Runs { filter } = read(method, arguments)?;
            Ok(json!(store.runs(filter).await?))
        }
        "program" => {
            let Program { hash } = read(method, arguments)?;
            let found = store.program(hash).await?;
            Ok(json!(found.as_ref().map(Hex)))
        }
        "session" => {
            let Session { id } = read(method, arguments)?;
            Ok(json!(store.session(&id).await?))
        }
        "session_items" => {
            let SessionItems { id, runs } = read(method, arguments)?;
            Ok(json!(store.session_items(&id, runs).await?))
        }
        "claim" => {
            let Claim { run, owner, ttl_ms } = read(method, arguments)?;
            Ok(json!(store.claim(run, &owner, ttl_ms).await?))
        }
        "renew" => {
            let Renew { owner, ttl_ms } = read(method, arguments)?;
            Ok(json!(store.renew(&owner, ttl_ms).await?))
        }
        "post" => {
            let Post { item, blobs } = read(method, arguments)?;
            Ok(json!(store.post(item, blobs).await?))
        }
        "inbox" => {
            let Inbox { run } = read(method, arguments)?;
            Ok(json!(store.inbox(run).await?))
        }
        "notified" => {
            let Notified { owner } = read(method, arguments)?;
            Ok(json!(store.notified(&owner).await?))
        }
        "due_timers" => {
            let DueTimers { now, limit } = read(method, arguments)?;
            Ok(json!(store.due_timers(now, limit).await?))
        }
        "log" => {
            let Log { agent } = read(method, arguments)?;
            Ok(json!(store.log(&agent).await?))
        }
        "existing_log" => {
            let ExistingLog { agent } = read(method, arguments)?;
            Ok(json!(store.existing_log(&agent).await?))
        }
        "claim_log" => {
            let ClaimLog { log, owner, ttl_ms } = read(method, arguments)?;
            Ok(json!(store.claim_log(log, &owner, ttl_ms).await?))
        }
        "unsequenced" => {
            let Unsequenced { log, limit } = read(method, arguments)?;
            Ok(json!(store.unsequenced(log, limit).await?))
        }
        "draft" => {
            let Draft { draft } = read(method, arguments)?;
            Ok(json!(store.draft(draft).await?))
        }
        "log_leaves" => {
            let LogLeaves { log, from, limit } = read(method, arguments)?;
            Ok(json!(store.log_leaves(log, from, limit).await?))
        }
        "sequence" => {
            let Sequence { batch } = read(method, arguments)?;
            Ok(json!(store.sequence(batch).await?))
        }
        "record_checkpoint" => {
            let RecordCheckpoint {
                log,
                epoch,
                checkpoint,
            } = read(method, arguments)?;
            Ok(json!(
                store.record_checkpoint(log, epoch, checkpoint).await?
            ))
        }
        "log_head" => {
            let LogHead { log } = read(method, arguments)?;
            Ok(json!(store.log_head(log).await?))
        }
        "log_nodes" => {
            let LogNodes { log, places } = read(method, arguments)?;
            let nodes = store.log_nodes(log, &places).await?;
            let nodes: Vec<_> = nodes.iter().map(|node| node.as_ref().map(Hex)).collect();
            Ok(json!(nodes))
        }
        "sequenced" => {
            let Sequenced { log, from, limit } = read(method, arguments)?;
            let leaves = store.sequenced(log, from, limit).await?;
            let leaves: Vec<_> = leaves.iter().map(Hex).collect();
            Ok(json!(leaves))
        }
        "leaves" => {
            let Leaves { run } = read(method, arguments)?;
            Ok(json!(store.leaves(run).await?))
        }
        "anchor_backlog" => {
            let AnchorBacklog { anchor } = read(method, arguments)?;
            Ok(json!(store.anchor_backlog(&anchor).await?))
        }
        "enqueue_anchor" => {
            let EnqueueAnchor {
                anchor,
                log,
                checkpoint,
                now,
            } = read(method, arguments)?;
            Ok(json!(
                store.enqueue_anchor(&anchor, log, checkpoint, now).await?
            ))
        }
        "claim_anchors" => {
            let ClaimAnchors { claim } = read(method, arguments)?;
            Ok(json!(store.claim_anchors(claim).await?))
        }
        "record_anchor" => {
            let RecordAnchor { record } = read(method, arguments)?;
            Ok(json!(store.record_anchor(record).await?))
        }
        "anchors" => {
            let Anchors { log, above, limit } = read(method, arguments)?;
            Ok(json!(store.anchors(log, above, limit).await?))
        }
        "note_erasure" => {
            let NoteErasure { erasure } = read(method, arguments)?;
            Ok(json!(store.note_erasure(erasure).await?))
        }
        "erase" => {
            let Erase { erasure, replaced } = read(method, arguments)?;
            Ok(json!(store.erase(erasure, replaced).await?))
        }
        "close" => Ok(json!(store.close().await?)),
        _ => Err(malformed(format!("a store has no method `{method}`"))),
    }
}

fn read<T: DeserializeOwned>(method: &str, arguments: Value) -> Result<T, Error> {
    serde_json::from_value(arguments)
        .map_err(|error| malformed(format!("wrong arguments of `{method}` of a store: {error}")))
}

fn malformed(message: String) -> Error {
    Error::new(
        Component::Store,
        Category::Input,
        "operation_malformed",
        message,
    )
}

#[derive(Deserialize)]
struct Commit {
    batch: Batch,
}

#[derive(Deserialize)]
struct Journal {
    run: RunId,
    from: u64,
    limit: usize,
}

#[derive(Deserialize)]
struct Blobs {
    addresses: Vec<Address>,
}

#[derive(Deserialize)]
struct Run {
    run: RunId,
}

#[derive(Deserialize)]
struct Runs {
    filter: RunFilter,
}

#[derive(Deserialize)]
struct Program {
    hash: ProgramHash,
}

#[derive(Deserialize)]
struct Session {
    id: SessionId,
}

#[derive(Deserialize)]
struct SessionItems {
    id: SessionId,
    runs: Option<u32>,
}

#[derive(Deserialize)]
struct Claim {
    run: RunId,
    owner: String,
    ttl_ms: u64,
}

#[derive(Deserialize)]
struct Renew {
    owner: String,
    ttl_ms: u64,
}

#[derive(Deserialize)]
struct Post {
    item: InboxItem,
    blobs: Vec<(Subject, Sealed)>,
}

#[derive(Deserialize)]
struct Inbox {
    run: RunId,
}

#[derive(Deserialize)]
struct Notified {
    owner: String,
}

#[derive(Deserialize)]
struct DueTimers {
    now: Timestamp,
    limit: usize,
}

#[derive(Deserialize)]
struct Log {
    agent: String,
}

#[derive(Deserialize)]
struct ExistingLog {
    agent: String,
}

#[derive(Deserialize)]
struct ClaimLog {
    log: LogId,
    owner: String,
    ttl_ms: u64,
}

#[derive(Deserialize)]
struct Unsequenced {
    log: LogId,
    limit: usize,
}

#[derive(Deserialize)]
struct Draft {
    draft: LogDraft,
}

#[derive(Deserialize)]
struct LogLeaves {
    log: LogId,
    from: u64,
    limit: usize,
}

#[derive(Deserialize)]
struct Sequence {
    batch: SequencedBatch,
}

#[derive(Deserialize)]
struct RecordCheckpoint {
    log: LogId,
    epoch: u64,
    checkpoint: CheckpointRecord,
}

#[derive(Deserialize)]
struct LogHead {
    log: LogId,
}

#[derive(Deserialize)]
struct LogNodes {
    log: LogId,
    places: Vec<(u8, u64)>,
}

#[derive(Deserialize)]
struct Sequenced {
    log: LogId,
    from: u64,
    limit: usize,
}

#[derive(Deserialize)]
struct Leaves {
    run: RunId,
}

#[derive(Deserialize)]
struct AnchorBacklog {
    anchor: String,
}

#[derive(Deserialize)]
struct EnqueueAnchor {
    anchor: String,
    log: LogId,
    checkpoint: CheckpointRecord,
    now: Timestamp,
}

#[derive(Deserialize)]
struct ClaimAnchors {
    claim: AnchorClaim,
}

#[derive(Deserialize)]
struct RecordAnchor {
    record: AnchorRecord,
}

#[derive(Deserialize)]
struct Anchors {
    log: LogId,
    above: u64,
    limit: usize,
}

#[derive(Deserialize)]
struct NoteErasure {
    erasure: ErasureRecord,
}

#[derive(Deserialize)]
struct Erase {
    erasure: ErasureRecord,
    replaced: Vec<ReplacedOpenings>,
}
