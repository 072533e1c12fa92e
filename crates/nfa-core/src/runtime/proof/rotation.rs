//! The keys of a log: each but the first is named by a leaf that the one before it signed.

use nfa_proof::{KeyEvent, LeafKind, Signer, VerifierKey};

use super::generations::{Generation, Generations, LogKey};
use super::proof_error;
use super::sequencer::Sequencer;
use crate::error::{Category, Component, Error};
use crate::ids::LogId;

impl Sequencer {
    /// The log's keys as its leaves tell, and the number of the next leaf that belongs to no run.
    pub(super) async fn generations(&self, log: LogId) -> Result<(Generations, u64), Error> {
        let origin = self.origin_of(log);
        let (events, next) = self.own.key_events(log).await?;
        let seed = self.keys.log_seed(&log).await?;
        let mut keys = vec![Generation {
            signer: Signer::from_seed(&origin, &seed).map_err(proof_error)?,
            since: Some(0),
            cut_off: None,
        }];
        for leaf in &events {
            if let Some(new) = leaf.event.new_key() {
                let number = u32::try_from(keys.len()).unwrap_or(u32::MAX);
                let seed = self.keys.later_log_seed(&log, number).await?;
                let signer = seed.map(|seed| Signer::from_seed(&origin, &seed));
                let signer = signer.transpose().map_err(proof_error)?;
                let signer = signer.filter(|signer| signer.verifier_key() == *new);
                keys.push(Generation {
                    signer: signer.ok_or_else(|| key_missing(log, &new.to_string()))?,
                    since: leaf.index.map(|index| index + 1),
                    cut_off: None,
                });
            }
            if let Some(size) = leaf.event.cutoff() {
                let old = leaf.event.old();
                let of = keys.iter_mut();
                for key in of.filter(|key| key.signer.verifier_key() == *old) {
                    key.cut_off = Some(key.cut_off.map_or(size, |known| known.min(size)));
                }
            }
        }
        Ok((Generations(keys), next))
    }

    pub(in crate::runtime) async fn keys_of(&self, log: LogId) -> Result<Vec<LogKey>, Error> {
        Ok(self.generations(log).await?.0.list())
    }

    /// All of them, whether or not they still count.
    pub(super) async fn verifier_keys(&self, log: LogId) -> Result<Vec<VerifierKey>, Error> {
        let (keys, _) = self.generations(log).await?;
        let signers = keys.0.iter().map(|key| &key.signer);
        Ok(signers.map(Signer::verifier_key).collect())
    }

    /// Names a new key, in a leaf that the newest one signs. Its seed is durable before, and an unused one
    /// of an attempt that a crash ended is taken up.
    pub(in crate::runtime) async fn rotate(&self, log: LogId) -> Result<LogKey, Error> {
        loop {
            let (keys, number) = self.generations(log).await?;
            let generation = u32::try_from(keys.0.len()).unwrap_or(u32::MAX);
            let Some(newest) = keys.0.last() else {
                return Err(key_missing(log, "its first"));
            };
            let seed = self.keys.make_log_seed(&log, generation).await?;
            let new = Signer::from_seed(&self.origin_of(log), &seed).map_err(proof_error)?;
            let event = KeyEvent::Rotate {
                old: newest.signer.verifier_key(),
                new: new.verifier_key(),
                cutoff: None,
            };
            if self.tell(log, number, event, &newest.signer).await? {
                return Ok(LogKey {
                    verifier_key: new.verifier_key().to_string(),
                    named_at: None,
                    cut_off: None,
                });
            }
        }
    }

    /// Says from which size on a key no longer counts: by default from the next checkpoint on. `None` while
    /// the leaf that names its successor waits for its index.
    pub(in crate::runtime) async fn cut_off(
        &self,
        log: LogId,
        key: &str,
        size: Option<u64>,
    ) -> Result<Option<LogKey>, Error> {
        loop {
            let (keys, number) = self.generations(log).await?;
            let named = |known: &Generation| known.signer.verifier_key().to_string() == key;
            let mut from = keys.0.iter().skip_while(|known| !named(known));
            let Some(old) = from.next() else {
                return Err(key_unknown(log, key));
            };
            let Some(successor) = from.next() else {
                return Err(key_newest(log));
            };
            if successor.since.is_none() {
                return Ok(None);
            }
            let size = match size {
                Some(size) => size,
                None => self.store.log_head(log).await?.size + 1,
            };
            let event = KeyEvent::Revoke {
                old: old.signer.verifier_key(),
                cutoff: size,
            };
            if self.tell(log, number, event, &old.signer).await? {
                let cut_off = old.cut_off.map_or(size, |known| known.min(size));
                return Ok(Some(LogKey {
                    verifier_key: key.to_owned(),
                    named_at: old.since.and_then(|since| since.checked_sub(1)),
                    cut_off: Some(cut_off),
                }));
            }
        }
    }

    async fn tell(
        &self,
        log: LogId,
        number: u64,
        event: KeyEvent,
        signer: &Signer,
    ) -> Result<bool, Error> {
        let signed = event.sign(signer).map_err(proof_error)?;
        let told = self
            .own
            .draft(log, number, LeafKind::Key, signed.values())
            .await?;
        self.note(log);
        Ok(told)
    }
}

fn key_missing(log: LogId, key: &str) -> Error {
    Error::new(
        Component::Proof,
        Category::Configuration,
        "log_key_missing",
        format!(
            "log {log} is signed by the key {key}, which is not among the keys: restore the newest copy of them"
        ),
    )
}

fn key_unknown(log: LogId, key: &str) -> Error {
    Error::new(
        Component::Proof,
        Category::Input,
        "log_key_foreign",
        format!("`{key}` is no key of log {log}: list its keys"),
    )
}

fn key_newest(log: LogId) -> Error {
    Error::new(
        Component::Proof,
        Category::Conflict,
        "log_key_newest",
        format!("log {log} would have no key left: rotate it first, then cut the old one off"),
    )
}
