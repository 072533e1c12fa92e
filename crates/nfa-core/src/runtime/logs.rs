//! The proof logs of agents, whole: exported, recomputed, witnessed, and shown to have only grown.

use nfa_proof::{TileSink, TileSource};

use super::lifecycle::Runtime;
use super::proof::{self, ConsistencyProof, LogCheck, LogExport, LogInfo, Pace};
use crate::error::{Category, Component, Error};
use crate::ports::AnchorRecord;

impl Runtime {
    /// Writes the log of an agent as C2SP tlog-tiles to `files`, such as a folder that a web server serves:
    /// what is new since the last export to the same place, and its newest checkpoint last.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), nfa_core::Error> {
    /// # let runtime = nfa_core::runtime::Runtime::builder().build()?;
    /// let mut files = std::collections::BTreeMap::new();
    /// let none_yet = runtime.export_log("helper", &mut files).await;
    /// assert_eq!(none_yet.unwrap_err().code(), "log_unknown");
    /// # runtime.close().await }
    /// ```
    ///
    /// # Errors
    /// `log_unknown` for an agent that never recorded anything, `not_checkpointed`, `proof_off`;
    /// `origin_mismatch` where another log is there, other codes of the proof page where what is there cannot be
    /// gone on with; `export_failed` when it cannot be read or written.
    pub async fn export_log<S>(&self, agent: &str, files: &mut S) -> Result<LogExport, Error>
    where
        S: TileSink + TileSource<Error = <S as TileSink>::Error> + Send,
        <S as TileSink>::Error: std::error::Error + Send + Sync + 'static,
    {
        let info = self.log_info(agent).await?;
        let checkpoint = self.shared.store.log_head(info.log).await?.checkpoint;
        let checkpoint = checkpoint.ok_or_else(|| not_checkpointed(agent))?;
        let first_key = self.log_keys(agent).await?.into_iter().next();
        let (store, own) = (&*self.shared.store, &self.shared.own);
        let before = proof::tiles(store, own, info.log, &checkpoint, files).await?;
        Ok(LogExport {
            origin: info.origin,
            first_key: first_key.map_or_else(|| info.verifier_key.clone(), |key| key.verifier_key),
            verifier_key: info.verifier_key,
            before,
            size: checkpoint.size,
        })
    }

    /// The proof that an agent's log of `to` leaves begins with the log of `from` leaves, whatever checkpoints
    /// were signed.
    ///
    /// # Errors
    /// `consistency_sizes` when the sizes are swapped or larger than the log; `log_unknown`, `proof_off`.
    pub async fn consistency(
        &self,
        agent: &str,
        from: u64,
        to: u64,
    ) -> Result<ConsistencyProof, Error> {
        let info = self.log_info(agent).await?;
        let store = &*self.shared.store;
        proof::consistency(store, info.log, info.origin, info.size, (from, to)).await
    }

    /// Recomputes an agent's log from its leaves: every node above them, and the roots that were signed. What is
    /// wrong is in the report; from then on the log is refused with `log_damaged`, until it is found whole
    /// again. The same is done in the background for each log that this runtime opens for appending.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), nfa_core::Error> {
    /// # let runtime = nfa_core::runtime::Runtime::builder().build()?;
    /// # runtime.pause_agent("helper").await?;
    /// # runtime.log_info("helper").await?;
    /// let check = runtime.check_log("helper").await?;
    /// assert!(check.holds(), "{:?}", check.damage);
    /// assert_eq!((check.size, check.checked), (1, 1));
    /// # runtime.close().await }
    /// ```
    ///
    /// # Errors
    /// `log_unknown`, `proof_off`, `log_key_missing`, `store_corrupt` for a leaf that cannot even be read, and what
    /// else the store gives.
    pub async fn check_log(&self, agent: &str) -> Result<LogCheck, Error> {
        let log = self.existing_log(agent).await?;
        self.shared.sequencer()?.check(log, Pace::Awaited).await
    }

    /// Signs what is due, asks every witness that did not sign the newest checkpoint of an agent's log, and
    /// waits for those that answer in time. Which did is in the checkpoint.
    ///
    /// # Errors
    /// `log_unknown`, `proof_off`, and what the store gives.
    pub async fn witnessed(&self, agent: &str) -> Result<LogInfo, Error> {
        let info = self.log_info(agent).await?;
        let sequencer = self.shared.sequencer()?;
        sequencer.witness(info.log).await?;
        sequencer.info(info.log).await
    }
}

impl Runtime {
    /// Gives the newest checkpoint of an agent's log to every anchor now, asks what became of the earlier ones,
    /// and says where all that are not verified and the newest one that is stand.
    ///
    /// # Errors
    /// `no_anchor`, `log_unknown`, `proof_off`, and what the store gives. What an anchor refuses is told by the
    /// record.
    pub async fn anchor(&self, agent: &str) -> Result<Vec<AnchorRecord>, Error> {
        let info = self.log_info(agent).await?;
        self.shared.sequencer()?.anchor_now(info.log).await?;
        let head = self.shared.store.log_head(info.log).await?;
        let above = head.anchored.saturating_sub(1);
        self.shared
            .store
            .anchors(info.log, above, MOST_RECORDS)
            .await
    }

    /// Where the checkpoints of an agent's log stand with the anchors: those over more than `above` leaves, the
    /// smallest first, at most 1,000.
    ///
    /// # Errors
    /// `log_unknown`, and what the store gives.
    pub async fn anchors(&self, agent: &str, above: u64) -> Result<Vec<AnchorRecord>, Error> {
        let log = self.existing_log(agent).await?;
        self.shared.store.anchors(log, above, MOST_RECORDS).await
    }
}

/// The most records of anchors that are listed at once.
const MOST_RECORDS: usize = 1000;

fn not_checkpointed(agent: &str) -> Error {
    Error::new(
        Component::Proof,
        Category::Transient,
        "not_checkpointed",
        format!("the log of `{agent}` has no signed checkpoint yet: await a receipt, then export"),
    )
}
