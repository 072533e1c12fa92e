//! What a process says before it dies: a line of JSON each, on its standard output.

use nfa_core::ids::{LogId, RunId};
use nfa_proof::Bundle;
use nfa_runtime::{Receipt, ReceiptState};
use serde::{Deserialize, Serialize};

use crate::watched::{Side, Step};

/// By which a line is told from those of the test harness, which may have begun it.
const MARK: &str = "@nfa ";

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub(crate) enum Said {
    /// It begins to work.
    Opened,
    /// It has come to where it is to be killed, and waits for it.
    At { step: Step, side: Side },
    /// It signs a head, or has signed it.
    Head {
        log: LogId,
        size: u64,
        root: [u8; 32],
        note: Option<String>,
    },
    /// A key got its seed.
    Seed {
        log: LogId,
        generation: u32,
        seed: [u8; 32],
    },
    /// A run's leaves are under a signed checkpoint.
    Receipt {
        run: RunId,
        leaves: Vec<(LogId, u64)>,
    },
    /// The proof of a run.
    Bundle { log: LogId, bundle: String },
    /// A log got this key.
    Rotated { log: LogId, key: String },
    /// A key counts below this size only.
    CutOff { log: LogId, key: String, size: u64 },
}

impl Said {
    /// A run's leaves under their checkpoint.
    pub(crate) fn receipt(run: RunId, receipt: &Receipt) -> Self {
        assert_eq!(receipt.state, ReceiptState::Checkpointed);
        let leaves = receipt.leaves.iter();
        let leaves = leaves.map(|leaf| (leaf.log, leaf.index.unwrap()));
        Self::Receipt {
            run,
            leaves: leaves.collect(),
        }
    }

    /// A proof that was given out.
    pub(crate) fn bundle(log: LogId, bundle: &Bundle) -> Self {
        let bundle = String::from_utf8(bundle.to_vec().unwrap()).unwrap();
        Self::Bundle { log, bundle }
    }

    /// Says it. What was said counts, even if the process is killed before this returns.
    pub(crate) fn say(&self) {
        let line = serde_json::to_string(self).expect("what is said is JSON");
        println!("{MARK}{line}");
    }

    /// Hears a line; `None` for one that is no message, or torn.
    pub(crate) fn hear(line: &str) -> Option<Self> {
        let (_, said) = line.split_once(MARK)?;
        serde_json::from_str(said).ok()
    }
}
