//! The proof logs of agents, whole: exported, witnessed, and shown to have only grown.

use nfa_proof::{TileSink, TileSource};

use super::lifecycle::Runtime;
use super::proof::{self, ConsistencyProof, LogExport, LogInfo};
use crate::error::{Category, Component, Error};

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

fn not_checkpointed(agent: &str) -> Error {
    Error::new(
        Component::Proof,
        Category::Transient,
        "not_checkpointed",
        format!("the log of `{agent}` has no signed checkpoint yet: await a receipt, then export"),
    )
}
