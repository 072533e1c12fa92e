//! The outboxes of anchors.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use super::logs::Logs;
use crate::ids::{LogId, Timestamp};
use crate::ports::{
    AnchorBacklog, AnchorClaim, AnchorRecord, AnchorState, CheckpointRecord, GrownLog, LogHead,
    StoreRefusal,
};

/// One outbox for each anchor, by its name.
#[derive(Default)]
pub(super) struct Outboxes(HashMap<Arc<str>, Outbox>);

type Outbox = BTreeMap<(LogId, u64), AnchorRecord>;

impl Outboxes {
    /// The records of a log over more than `above` leaves.
    fn above(&self, log: LogId, above: u64) -> impl Iterator<Item = &AnchorRecord> {
        let sizes = (
            Bound::Excluded((log, above)),
            Bound::Included((log, u64::MAX)),
        );
        let outboxes = self.0.values();
        outboxes.flat_map(move |outbox| outbox.range(sizes).map(|(_, record)| record))
    }

    pub(super) fn claim(&mut self, claim: &AnchorClaim) -> Vec<AnchorRecord> {
        let Some(outbox) = self.0.get_mut(&claim.anchor) else {
            return Vec::new();
        };
        let mut due: Vec<&mut AnchorRecord> = outbox
            .values_mut()
            .filter(|record| {
                is_open(record)
                    && record.due <= claim.due
                    && claim.log.is_none_or(|log| log == record.log)
            })
            .collect();
        due.sort_by_key(|record| (record.checkpoint.size, record.log));
        let claimed = due.into_iter().take(claim.limit).map(|record| {
            record.due = claim.until;
            record.clone()
        });
        claimed.collect()
    }

    pub(super) fn record(&mut self, record: AnchorRecord) {
        let place = (record.log, record.checkpoint.size);
        let outbox = self.0.get_mut(&record.anchor);
        if let Some(known) = outbox.and_then(|outbox| outbox.get_mut(&place))
            && is_open(known)
        {
            *known = record;
        }
    }

    pub(super) fn of_log(&self, log: LogId, above: u64, limit: usize) -> Vec<AnchorRecord> {
        let mut records: Vec<&AnchorRecord> = self.above(log, above).collect();
        records.sort_by_key(|record| (record.checkpoint.size, record.anchor.clone()));
        records.into_iter().take(limit).cloned().collect()
    }

    /// Where a log stands, with what anchors keep of it.
    pub(super) fn head(&self, logs: &Logs, log: LogId) -> Result<LogHead, StoreRefusal> {
        let kept = self.above(log, 0).filter(|record| !is_open(record));
        Ok(LogHead {
            anchored: kept
                .map(|record| record.checkpoint.size)
                .max()
                .unwrap_or_default(),
            ..logs.head(log)?
        })
    }

    pub(super) fn backlog(&self, logs: &Logs, anchor: &str) -> AnchorBacklog {
        let outbox = self.0.get(anchor);
        let grown = logs.checkpoints().filter_map(|(log, checkpoint)| {
            let mut sizes = outbox.into_iter().flat_map(|outbox| {
                let sizes = outbox.range((log, 0)..=(log, u64::MAX));
                sizes.map(|((_, size), _)| *size)
            });
            let anchored = sizes.next_back().unwrap_or_default();
            (checkpoint.size > anchored).then(|| GrownLog {
                log,
                checkpoint: checkpoint.clone(),
                anchored,
            })
        });
        AnchorBacklog {
            grown: grown.collect(),
            next_due: outbox
                .into_iter()
                .flat_map(BTreeMap::values)
                .filter(|record| is_open(record))
                .map(|record| record.due)
                .min(),
        }
    }

    pub(super) fn enqueue(
        &mut self,
        logs: &Logs,
        anchor: &str,
        log: LogId,
        checkpoint: CheckpointRecord,
        now: Timestamp,
    ) -> Result<(), StoreRefusal> {
        if logs.root(log, checkpoint.size)? != Some(checkpoint.root) {
            return Err(StoreRefusal::CheckpointConflict {
                reason: "no checkpoint of this size with this root was recorded",
            });
        }
        let name: Arc<str> = anchor.into();
        let outbox = self.0.entry(Arc::clone(&name)).or_default();
        outbox
            .entry((log, checkpoint.size))
            .or_insert_with(|| AnchorRecord {
                log,
                anchor: name,
                checkpoint,
                state: AnchorState::Pending,
                since: now,
                due: now,
                tries: 0,
                failure: None,
            });
        Ok(())
    }
}

fn is_open(record: &AnchorRecord) -> bool {
    !matches!(record.state, AnchorState::Verified { .. })
}
