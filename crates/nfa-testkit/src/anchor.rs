//! A small anchor: it puts what it is given into keccak trees, as a contract on a chain would keep them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use nfa_core::ports::{
    Anchor, AnchorEvidence, AnchorStatus, AnchorSubmission, AnchorTicket, BoxResult, KeccakEvidence,
};
use nfa_core::{Category, Component, Error};
use nfa_proof::{AnchorLeaf, AnchorTree, ProofError, uint256};
use tokio::sync::Notify;

const CHAIN: u64 = 1337;
const CONTRACT: [u8; 20] = [0x57; 20];
const TOKEN: u64 = 578;

/// An anchor in memory, for tests. Each batch becomes one transaction with one tree; it keeps what was
/// [confirmed](TestAnchor::confirm), and takes the same (origin, size) once.
///
/// ```
/// use nfa_core::ports::{Anchor, AnchorStatus, AnchorSubmission};
/// use nfa_testkit::anchor::TestAnchor;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let anchor = TestAnchor::new("chain");
/// let submission = AnchorSubmission {
///     origin: "example.org/log".into(),
///     size: 1,
///     root: [7; 32],
///     checkpoint: "a signed note".into(),
/// };
/// let ticket = anchor.submit(vec![submission.clone()]).await?.remove(0)?;
/// assert_eq!(anchor.check(&submission, &ticket).await?, AnchorStatus::Waiting);
/// anchor.confirm();
/// assert!(matches!(anchor.check(&submission, &ticket).await?, AnchorStatus::Verified(_)));
/// # Ok(()) }
/// ```
pub struct TestAnchor {
    name: String,
    chain: Mutex<Chain>,
    heard: Notify,
}

#[derive(Default)]
struct Chain {
    transactions: Vec<Transaction>,
    /// Where each checkpoint is.
    places: HashMap<(Arc<str>, u64), (usize, usize)>,
    submitted: Vec<(Arc<str>, u64)>,
    calls: usize,
    confirms_at_once: bool,
    fault: Option<AnchorFault>,
    forged: bool,
}

struct Transaction {
    leaves: Vec<AnchorLeaf>,
    tree: AnchorTree,
    confirmed: bool,
}

/// What goes wrong with a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnchorFault {
    /// It is refused as a whole.
    Refuse,
    /// It is taken, and the answer is lost.
    TakeAndFail,
    /// Nobody ever answers.
    Hang,
    /// Too few answers come.
    AnswerShort,
}

impl TestAnchor {
    /// An anchor of this name that keeps nothing yet.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            chain: Mutex::default(),
            heard: Notify::new(),
        }
    }

    /// The same, which keeps everything as soon as it takes it.
    #[must_use]
    pub fn confirming(self) -> Self {
        self.chain().confirms_at_once = true;
        self
    }

    fn chain(&self) -> std::sync::MutexGuard<'_, Chain> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps for good what it took.
    pub fn confirm(&self) {
        for transaction in &mut self.chain().transactions {
            transaction.confirmed = true;
        }
    }

    /// Loses what is not confirmed, as a chain that drops transactions.
    pub fn lose(&self) {
        let mut chain = self.chain();
        let Chain {
            transactions,
            places,
            ..
        } = &mut *chain;
        places.retain(|_, (number, _)| {
            let place = transactions.get(*number);
            place.is_some_and(|transaction| transaction.confirmed)
        });
    }

    /// Lets every submission go wrong until told otherwise.
    pub fn fail(&self, fault: Option<AnchorFault>) {
        self.chain().fault = fault;
    }

    /// Gives proofs that prove nothing.
    pub fn forge(&self) {
        self.chain().forged = true;
    }

    /// Every checkpoint that was ever submitted, in order, each as often as it was.
    pub fn submitted(&self) -> Vec<(Arc<str>, u64)> {
        self.chain().submitted.clone()
    }

    /// How often something was submitted, whatever came of it.
    pub fn calls(&self) -> usize {
        self.chain().calls
    }

    /// Waits until something was submitted `calls` times.
    pub async fn heard(&self, calls: usize) {
        loop {
            let heard = self.heard.notified();
            if self.calls() >= calls {
                return;
            }
            heard.await;
        }
    }

    /// The roots of the trees that it keeps.
    pub fn roots(&self) -> Vec<[u8; 32]> {
        let chain = self.chain();
        let kept = chain.transactions.iter();
        kept.filter(|transaction| transaction.confirmed)
            .map(|transaction| transaction.tree.root())
            .collect()
    }

    fn take(&self, batch: Vec<AnchorSubmission>) -> Result<Taken, Error> {
        let mut chain = self.chain();
        chain.calls += 1;
        let fault = chain.fault;
        if fault == Some(AnchorFault::Refuse) {
            return Err(unreachable("the chain is down"));
        }
        let number = chain.transactions.len();
        let mut leaves = Vec::new();
        let mut answers = Vec::with_capacity(batch.len());
        for submission in batch {
            let key = (Arc::clone(&submission.origin), submission.size);
            chain.submitted.push(key.clone());
            if let Some(root) = chain.root(&key)
                && root != submission.root
            {
                answers.push(Err(conflict(submission.size)));
                continue;
            }
            let fresh = (number, leaves.len());
            let place = *chain.places.entry(key).or_insert(fresh);
            if place == fresh {
                leaves.push(AnchorLeaf {
                    chain_id: CHAIN,
                    origin: submission.origin.to_string(),
                    token_id: uint256(TOKEN),
                    size: submission.size,
                    root: submission.root,
                });
            }
            answers.push(Ok(format!("{}/{}", place.0, place.1).into()));
        }
        if !leaves.is_empty() {
            let tree = AnchorTree::new(&leaves).map_err(told)?;
            let confirmed = chain.confirms_at_once;
            chain.transactions.push(Transaction {
                leaves,
                tree,
                confirmed,
            });
        }
        match fault {
            Some(AnchorFault::TakeAndFail) => Err(unreachable("no answer came")),
            Some(AnchorFault::Hang) => Ok(Taken::Never),
            Some(AnchorFault::AnswerShort) => {
                answers.pop();
                Ok(Taken::Answers(answers))
            }
            _ => Ok(Taken::Answers(answers)),
        }
    }
}

enum Taken {
    Answers(Vec<Result<AnchorTicket, Error>>),
    Never,
}

impl Chain {
    fn root(&self, key: &(Arc<str>, u64)) -> Option<[u8; 32]> {
        let (number, at) = self.places.get(key)?;
        Some(self.transactions.get(*number)?.leaves.get(*at)?.root)
    }

    fn status(&self, submission: &AnchorSubmission) -> Result<AnchorStatus, Error> {
        let key = (Arc::clone(&submission.origin), submission.size);
        let Some((number, at)) = self.places.get(&key) else {
            return Ok(AnchorStatus::Lost);
        };
        let transaction = self.transactions.get(*number);
        let Some(transaction) = transaction.filter(|transaction| transaction.confirmed) else {
            return Ok(AnchorStatus::Waiting);
        };
        let mut proof = transaction.tree.proof(*at).map_err(told)?;
        if self.forged {
            proof.push([0; 32]);
        }
        Ok(AnchorStatus::Verified(AnchorEvidence::KeccakTree(
            KeccakEvidence {
                chain_id: CHAIN,
                contract: CONTRACT,
                token_id: uint256(TOKEN),
                tree_root: transaction.tree.root(),
                proof,
            },
        )))
    }
}

impl Anchor for TestAnchor {
    fn name(&self) -> &str {
        &self.name
    }

    fn submit(
        &self,
        batch: Vec<AnchorSubmission>,
    ) -> BoxResult<'_, Vec<Result<AnchorTicket, Error>>> {
        Box::pin(async move {
            let taken = self.take(batch);
            self.heard.notify_waiters();
            match taken? {
                Taken::Answers(answers) => Ok(answers),
                Taken::Never => std::future::pending().await,
            }
        })
    }

    fn check<'a>(
        &'a self,
        submission: &'a AnchorSubmission,
        _: &'a str,
    ) -> BoxResult<'a, AnchorStatus> {
        Box::pin(std::future::ready(self.chain().status(submission)))
    }

    fn newest<'a>(&'a self, origin: &'a str) -> BoxResult<'a, Option<(u64, [u8; 32])>> {
        let chain = self.chain();
        let kept = chain.transactions.iter();
        let kept = kept.filter(|transaction| transaction.confirmed);
        let newest = kept
            .flat_map(|transaction| &transaction.leaves)
            .filter(|leaf| leaf.origin == origin)
            .max_by_key(|leaf| leaf.size)
            .map(|leaf| (leaf.size, leaf.root));
        Box::pin(std::future::ready(Ok(newest)))
    }
}

fn unreachable(what: &str) -> Error {
    Error::new(
        Component::Proof,
        Category::Transient,
        "anchor_unreachable",
        what.to_owned(),
    )
}

fn conflict(size: u64) -> Error {
    Error::new(
        Component::Proof,
        Category::Conflict,
        "anchor_conflict",
        format!("another root was anchored for {size} leaves"),
    )
}

fn told(error: ProofError) -> Error {
    Error::new(
        Component::Proof,
        Category::Internal,
        error.code(),
        error.message().to_owned(),
    )
}
