//! Leases of runs and logs: who may write, until when, under which epoch.

use nfa_core::Error;
use nfa_core::ids::{LogId, RunId};
use nfa_core::ports::{Lease, StoreRefusal};

use super::Writer;
use crate::codec::{integer, unsigned};
use crate::failure::sqlite;

impl Writer {
    pub(crate) fn claim(&mut self, run: RunId, owner: &str, ttl_ms: u64) -> Result<Lease, Error> {
        let row = self.run_row(run)?;
        self.runs.remove(&run);
        self.take(
            "SELECT owner, until, epoch FROM runs WHERE id = ?1",
            "UPDATE runs SET owner = ?1, until = ?2, epoch = ?3 WHERE id = ?4",
            row,
            owner,
            ttl_ms,
        )
    }

    pub(crate) fn claim_log(
        &mut self,
        log: LogId,
        owner: &str,
        ttl_ms: u64,
    ) -> Result<Lease, Error> {
        let row = self.log_row(log)?;
        self.take(
            "SELECT owner, until, epoch FROM logs WHERE id = ?1",
            "UPDATE logs SET owner = ?1, until = ?2, epoch = ?3 WHERE id = ?4",
            row,
            owner,
            ttl_ms,
        )
    }

    fn take(
        &self,
        look: &str,
        set: &str,
        row: i64,
        owner: &str,
        ttl_ms: u64,
    ) -> Result<Lease, Error> {
        let now = self.now();
        let (holder, until, epoch) = self
            .connection
            .prepare_cached(look)
            .and_then(|mut statement| {
                statement.query_row([row], |row| {
                    let holder: Option<String> = row.get(0)?;
                    Ok((holder, unsigned(row, 1), unsigned(row, 2)))
                })
            })
            .map_err(sqlite)?;
        let (until, epoch) = (until?, epoch?);
        if holder.is_some_and(|holder| holder != owner) && until > now.0 {
            return Err(StoreRefusal::LeaseHeld {
                remaining_ms: until - now.0,
            }
            .into());
        }
        let epoch = epoch + 1;
        self.connection
            .prepare_cached(set)
            .and_then(|mut statement| {
                statement.execute((owner, integer(now.plus(ttl_ms).0), integer(epoch), row))
            })
            .map_err(sqlite)?;
        Ok(Lease { epoch, ttl_ms })
    }

    pub(crate) fn renew(&mut self, owner: &str, ttl_ms: u64) -> Result<u64, Error> {
        let now = self.now();
        let mut renewed = 0;
        for sql in [
            "UPDATE runs SET until = max(until, ?1) WHERE owner = ?2 AND until > ?3 AND status < 2",
            "UPDATE logs SET until = max(until, ?1) WHERE owner = ?2 AND until > ?3",
        ] {
            renewed += self
                .connection
                .prepare_cached(sql)
                .and_then(|mut statement| {
                    statement.execute((integer(now.plus(ttl_ms).0), owner, integer(now.0)))
                })
                .map_err(sqlite)?;
        }
        Ok(renewed as u64)
    }
}
