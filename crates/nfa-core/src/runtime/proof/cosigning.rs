//! Having witnesses sign what was signed.

use super::sequencer::Sequencer;
use super::witnessing::Witnessing;
use crate::error::Error;
use crate::ids::LogId;

impl Sequencer {
    /// Asks the witnesses for their signatures under every checkpoint that they were not asked for.
    pub(in crate::runtime) async fn witness_noted(&self) -> Result<(), Error> {
        let Some(witnessing) = self.witnessing() else {
            return Ok(());
        };
        let _turn = witnessing.turn.lock().await;
        let mut outcome = Ok(());
        for log in witnessing.take_due() {
            outcome = outcome.and(self.witness_now(witnessing, log).await);
        }
        outcome
    }

    /// Asks the witnesses that did not sign the newest checkpoint of `log`, and keeps what they give.
    pub(in crate::runtime) async fn witness(&self, log: LogId) -> Result<(), Error> {
        let Some(witnessing) = self.witnessing() else {
            return Ok(());
        };
        let _turn = witnessing.turn.lock().await;
        self.witness_now(witnessing, log).await
    }

    async fn witness_now(&self, witnessing: &Witnessing, log: LogId) -> Result<(), Error> {
        let Some(checkpoint) = self.store.log_head(log).await?.checkpoint else {
            return Ok(());
        };
        let cosigned = witnessing.cosigned(&*self.store, log, &checkpoint).await?;
        match cosigned {
            Some(checkpoint) => self.keep_cosigned(log, checkpoint).await,
            None => Ok(()),
        }
    }
}
