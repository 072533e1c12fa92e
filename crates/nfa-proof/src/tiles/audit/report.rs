//! What an audit says, for programs and for people.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::findings::{Finding, Findings};
use super::signatures::Signed;
use super::walk::Walked;
use crate::checkpoint::Checkpoint;
use crate::encoding::to_base64;
use crate::error::Category;
use crate::log_keys::KeyReport;
use crate::shown::Shown;

/// The report on an exported log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Audit {
    /// The log, if its checkpoint could be read.
    pub origin: Option<String>,
    /// What its tree hashes with.
    pub hasher: Option<&'static str>,
    /// How many leaves its checkpoint covers.
    pub size: u64,
    /// The root that it signed, in base64.
    pub root: Option<String>,
    /// The key that signed, as a vkey: one of the policy, or one that it led to.
    pub key: Option<String>,
    /// Every key that speaks for the log: those of the policy, then those that its key leaves
    /// named.
    pub keys: Vec<KeyReport>,
    /// The witnesses of the policy that signed, as vkeys.
    pub witnesses: Vec<String>,
    /// The sizes of all checkpoints that the leaves were held against, the newest included.
    pub checkpoints: Vec<u64>,
    /// How many leaves were read.
    pub leaves: u64,
    /// How many of each kind.
    pub kinds: BTreeMap<&'static str, u64>,
    /// How many sessions they are of.
    pub sessions: u64,
    /// Whether the tree was rebuilt to its end. If not, a root that is not found wrong is not
    /// found right either.
    pub complete: bool,
    /// Everything that is wrong.
    pub findings: Vec<Finding>,
}

impl Audit {
    /// Whether nothing at all is wrong.
    pub fn holds(&self) -> bool {
        self.complete && self.findings.is_empty()
    }

    /// The gravest category of the findings: invalid, then unreadable, then an unmet policy.
    pub fn category(&self) -> Option<Category> {
        let gravest = [
            Category::Invalid,
            Category::Unreadable,
            Category::PolicyUnmet,
            Category::Usage,
        ];
        gravest.into_iter().find(|category| {
            let name = category.as_str();
            self.findings.iter().any(|finding| finding.category == name)
        })
    }

    pub(super) fn unread(findings: Findings) -> Self {
        Self {
            origin: None,
            hasher: None,
            size: 0,
            root: None,
            key: None,
            keys: Vec::new(),
            witnesses: Vec::new(),
            checkpoints: Vec::new(),
            leaves: 0,
            kinds: BTreeMap::new(),
            sessions: 0,
            complete: false,
            findings: findings.0,
        }
    }

    pub(super) fn of(
        checkpoint: &Checkpoint,
        signed: Signed,
        held: Vec<u64>,
        walked: Walked,
        findings: Findings,
    ) -> Self {
        Self {
            origin: Some(checkpoint.origin().to_owned()),
            hasher: Some(checkpoint.hasher().as_str()),
            size: checkpoint.size(),
            root: Some(to_base64(checkpoint.root())),
            key: signed.key,
            keys: signed
                .keys
                .iter()
                .flat_map(|keys| keys.keys().iter().map(KeyReport::of))
                .collect(),
            witnesses: signed.witnesses,
            checkpoints: held,
            leaves: walked.leaves,
            kinds: walked.kinds,
            sessions: walked.sessions,
            complete: walked.size == checkpoint.size(),
            findings: findings.0,
        }
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}",
            if self.holds() {
                "HOLDS"
            } else {
                "DOES NOT HOLD"
            }
        )?;
        if let (Some(origin), Some(hasher), Some(root)) = (&self.origin, self.hasher, &self.root) {
            let (origin, size) = (Shown(origin), self.size);
            writeln!(
                f,
                "log      {origin} ({hasher}), {size} leaves, root {root}"
            )?;
        }
        if let Some(key) = &self.key {
            writeln!(f, "signed   by {}", Shown(key))?;
        }
        for KeyReport {
            key,
            introduced_by,
            cutoff,
        } in &self.keys
        {
            let named = introduced_by.map(|leaf| format!(", named in leaf {leaf}"));
            let cut = cutoff.map(|size| format!(", counts below {size} leaves"));
            let (named, cut) = (named.unwrap_or_default(), cut.unwrap_or_default());
            if !named.is_empty() || !cut.is_empty() {
                writeln!(f, "key      {}{named}{cut}", Shown(key))?;
            }
        }
        for key in &self.witnesses {
            writeln!(f, "witness  {}", Shown(key))?;
        }
        writeln!(
            f,
            "read     {} leaves of {} sessions, {} checkpoints{}",
            self.leaves,
            self.sessions,
            self.checkpoints.len(),
            if self.complete {
                ""
            } else {
                "; not to the end"
            }
        )?;
        for (kind, count) in &self.kinds {
            writeln!(f, "         {count} {kind}")?;
        }
        for Finding {
            code,
            leaf,
            message,
            ..
        } in &self.findings
        {
            write!(f, "  ! ")?;
            if let Some(leaf) = leaf {
                write!(f, "leaf {leaf}: ")?;
            }
            writeln!(f, "{} [{code}]", Shown(message))?;
        }
        writeln!(f, "not proved")?;
        writeln!(
            f,
            "  - That everything was recorded: a log holds what its operator recorded."
        )?;
        if self.witnesses.is_empty() {
            writeln!(
                f,
                "  - That others are shown the same log: no witness of yours signed it."
            )?;
        }
        writeln!(
            f,
            "  - Anything about the values: leaves hold commitments only."
        )
    }
}
