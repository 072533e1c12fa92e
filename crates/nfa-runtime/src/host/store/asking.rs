//! The engine asks a store of the host.

use bytes::Bytes;
use nfa_core::content::Sealed;
use nfa_core::engine::Entry;
use nfa_core::hex::Hex;
use nfa_core::ids::{Address, LogId, ProgramHash, RunId, SessionId, StepPath, Subject, Timestamp};
use nfa_core::ports::{
    AnchorBacklog, AnchorClaim, AnchorRecord, Batch, BoxFuture, BoxResult, CheckpointRecord,
    ErasureRecord, InboxItem, LeafDraft, Lease, LogDraft, LogHead, Posted, ReplacedOpenings,
    RunFilter, RunRecord, SequencedBatch, SessionHead, SessionItem, Store, StoreCapabilities,
};
use nfa_core::{Component, Error};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::HostStore;
use crate::host::tool::malformed;

impl<O: Clone + Send + Sync + 'static> HostStore<O> {
    /// Asks at once, so that calls reach the host in the order in which they were made.
    fn ask<T: DeserializeOwned>(
        &self,
        method: &'static str,
        arguments: Value,
    ) -> impl Future<Output = Result<T, Error>> + Send + use<T, O> {
        let answer = self.host.call(self.object.clone(), method, None, arguments);
        async move {
            let value = answer
                .await
                .map_err(|failure| failure.into_error(Component::Store))?;
            serde_json::from_value(value).map_err(|error| {
                malformed(Component::Store, &format!("`{method}` of a store"), &error)
            })
        }
    }
}

impl<O: Clone + Send + Sync + 'static> Store for HostStore<O> {
    fn capabilities(&self) -> StoreCapabilities {
        self.capabilities
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<(), Error>> {
        let answer = self.ask("commit", json!({ "batch": batch }));
        Box::pin(answer)
    }

    fn journal(
        &self,
        run: RunId,
        from: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Entry>, Error>> {
        let answer = self.ask(
            "journal",
            json!({ "run": run, "from": from, "limit": limit }),
        );
        Box::pin(answer)
    }

    fn blobs<'a>(
        &'a self,
        addresses: &'a [Address],
    ) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, Error>> {
        let answer = self.ask::<Vec<Option<Sealed>>>("blobs", json!({ "addresses": addresses }));
        Box::pin(async move {
            let blobs = answer.await?.into_iter();
            Ok(blobs.map(|blob| Some(blob?.envelope)).collect())
        })
    }

    fn run(&self, run: RunId) -> BoxFuture<'_, Result<Option<RunRecord>, Error>> {
        let answer = self.ask("run", json!({ "run": run }));
        Box::pin(answer)
    }

    fn runs(&self, filter: RunFilter) -> BoxFuture<'_, Result<Vec<RunRecord>, Error>> {
        let answer = self.ask("runs", json!({ "filter": filter }));
        Box::pin(answer)
    }

    fn program(&self, hash: ProgramHash) -> BoxFuture<'_, Result<Option<Bytes>, Error>> {
        let answer = self.ask::<Option<Hex<Bytes>>>("program", json!({ "hash": hash }));
        Box::pin(async move { Ok(answer.await?.map(|hex| hex.0)) })
    }

    fn session<'a>(
        &'a self,
        id: &'a SessionId,
    ) -> BoxFuture<'a, Result<Option<SessionHead>, Error>> {
        let answer = self.ask("session", json!({ "id": id }));
        Box::pin(answer)
    }

    fn session_items<'a>(
        &'a self,
        id: &'a SessionId,
        runs: Option<u32>,
    ) -> BoxFuture<'a, Result<Vec<SessionItem>, Error>> {
        let answer = self.ask("session_items", json!({ "id": id, "runs": runs }));
        Box::pin(answer)
    }

    fn claim<'a>(
        &'a self,
        run: RunId,
        owner: &'a str,
        ttl_ms: u64,
    ) -> BoxFuture<'a, Result<Lease, Error>> {
        let answer = self.ask(
            "claim",
            json!({ "run": run, "owner": owner, "ttl_ms": ttl_ms }),
        );
        Box::pin(answer)
    }

    fn renew<'a>(&'a self, owner: &'a str, ttl_ms: u64) -> BoxFuture<'a, Result<u64, Error>> {
        let answer = self.ask("renew", json!({ "owner": owner, "ttl_ms": ttl_ms }));
        Box::pin(answer)
    }

    fn post(
        &self,
        item: InboxItem,
        blobs: Vec<(Subject, Sealed)>,
    ) -> BoxFuture<'_, Result<Posted, Error>> {
        let answer = self.ask("post", json!({ "item": item, "blobs": blobs }));
        Box::pin(answer)
    }

    fn inbox(&self, run: RunId) -> BoxFuture<'_, Result<Vec<InboxItem>, Error>> {
        let answer = self.ask("inbox", json!({ "run": run }));
        Box::pin(answer)
    }

    fn notified<'a>(&'a self, owner: &'a str) -> BoxFuture<'a, Result<Vec<RunId>, Error>> {
        let answer = self.ask("notified", json!({ "owner": owner }));
        Box::pin(answer)
    }

    fn due_timers(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(RunId, StepPath)>, Error>> {
        let answer = self.ask("due_timers", json!({ "now": now, "limit": limit }));
        Box::pin(answer)
    }

    fn log<'a>(&'a self, agent: &'a str) -> BoxFuture<'a, Result<LogId, Error>> {
        let answer = self.ask("log", json!({ "agent": agent }));
        Box::pin(answer)
    }

    fn existing_log<'a>(&'a self, agent: &'a str) -> BoxFuture<'a, Result<Option<LogId>, Error>> {
        let answer = self.ask("existing_log", json!({ "agent": agent }));
        Box::pin(answer)
    }

    fn claim_log<'a>(
        &'a self,
        log: LogId,
        owner: &'a str,
        ttl_ms: u64,
    ) -> BoxFuture<'a, Result<Lease, Error>> {
        let answer = self.ask(
            "claim_log",
            json!({ "log": log, "owner": owner, "ttl_ms": ttl_ms }),
        );
        Box::pin(answer)
    }

    fn unsequenced(
        &self,
        log: LogId,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<(u64, LeafDraft)>, Error>> {
        let answer = self.ask("unsequenced", json!({ "log": log, "limit": limit }));
        Box::pin(answer)
    }

    fn draft(&self, draft: LogDraft) -> BoxFuture<'_, Result<(), Error>> {
        let answer = self.ask("draft", json!({ "draft": draft }));
        Box::pin(answer)
    }

    fn log_leaves(
        &self,
        log: LogId,
        from: u64,
        limit: usize,
    ) -> BoxResult<'_, Vec<(LeafDraft, Option<u64>)>> {
        let answer = self.ask(
            "log_leaves",
            json!({ "log": log, "from": from, "limit": limit }),
        );
        Box::pin(answer)
    }

    fn sequence(&self, batch: SequencedBatch) -> BoxFuture<'_, Result<(), Error>> {
        let answer = self.ask("sequence", json!({ "batch": batch }));
        Box::pin(answer)
    }

    fn record_checkpoint(
        &self,
        log: LogId,
        epoch: u64,
        checkpoint: CheckpointRecord,
    ) -> BoxFuture<'_, Result<(), Error>> {
        let answer = self.ask(
            "record_checkpoint",
            json!({ "log": log, "epoch": epoch, "checkpoint": checkpoint }),
        );
        Box::pin(answer)
    }

    fn log_head(&self, log: LogId) -> BoxFuture<'_, Result<LogHead, Error>> {
        let answer = self.ask("log_head", json!({ "log": log }));
        Box::pin(answer)
    }

    fn log_nodes<'a>(
        &'a self,
        log: LogId,
        places: &'a [(u8, u64)],
    ) -> BoxFuture<'a, Result<Vec<Option<[u8; 32]>>, Error>> {
        let answer = self.ask::<Vec<Option<Hex<[u8; 32]>>>>(
            "log_nodes",
            json!({ "log": log, "places": places }),
        );
        Box::pin(async move {
            let nodes = answer.await?.into_iter();
            Ok(nodes.map(|node| Some(node?.0)).collect())
        })
    }

    fn sequenced(&self, log: LogId, from: u64, limit: usize) -> BoxResult<'_, Vec<Bytes>> {
        let answer = self.ask::<Vec<Hex<Bytes>>>(
            "sequenced",
            json!({ "log": log, "from": from, "limit": limit }),
        );
        Box::pin(async move { Ok(answer.await?.into_iter().map(|hex| hex.0).collect()) })
    }

    fn leaves(&self, run: RunId) -> BoxResult<'_, Vec<(LeafDraft, Option<u64>)>> {
        let answer = self.ask("leaves", json!({ "run": run }));
        Box::pin(answer)
    }

    fn anchor_backlog<'a>(&'a self, anchor: &'a str) -> BoxResult<'a, AnchorBacklog> {
        let answer = self.ask("anchor_backlog", json!({ "anchor": anchor }));
        Box::pin(answer)
    }

    fn enqueue_anchor<'a>(
        &'a self,
        anchor: &'a str,
        log: LogId,
        checkpoint: CheckpointRecord,
        now: Timestamp,
    ) -> BoxResult<'a, ()> {
        let answer = self.ask(
            "enqueue_anchor",
            json!({ "anchor": anchor, "log": log, "checkpoint": checkpoint, "now": now }),
        );
        Box::pin(answer)
    }

    fn claim_anchors(&self, claim: AnchorClaim) -> BoxResult<'_, Vec<AnchorRecord>> {
        let answer = self.ask("claim_anchors", json!({ "claim": claim }));
        Box::pin(answer)
    }

    fn record_anchor(&self, record: AnchorRecord) -> BoxResult<'_, ()> {
        let answer = self.ask("record_anchor", json!({ "record": record }));
        Box::pin(answer)
    }

    fn anchors(&self, log: LogId, above: u64, limit: usize) -> BoxResult<'_, Vec<AnchorRecord>> {
        let answer = self.ask(
            "anchors",
            json!({ "log": log, "above": above, "limit": limit }),
        );
        Box::pin(answer)
    }

    fn note_erasure(&self, erasure: ErasureRecord) -> BoxFuture<'_, Result<(), Error>> {
        let answer = self.ask("note_erasure", json!({ "erasure": erasure }));
        Box::pin(answer)
    }

    fn erase(
        &self,
        erasure: ErasureRecord,
        replaced: Vec<ReplacedOpenings>,
    ) -> BoxFuture<'_, Result<(), Error>> {
        let answer = self.ask("erase", json!({ "erasure": erasure, "replaced": replaced }));
        Box::pin(answer)
    }

    fn close(&self) -> BoxFuture<'_, Result<(), Error>> {
        let answer = self.ask("close", json!({}));
        Box::pin(answer)
    }
}
