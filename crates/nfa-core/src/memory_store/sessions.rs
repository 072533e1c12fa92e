//! Sessions and their items.

use std::collections::{BTreeMap, HashMap};

use crate::ids::{LogId, RunId, SessionId, Subject};
use crate::ports::{ContextHead, SessionHead, SessionItem, SessionUpdate, StoreRefusal};

/// All sessions by name.
#[derive(Default)]
pub(super) struct Sessions {
    by_id: HashMap<SessionId, Box<Session>>,
}

struct Session {
    subject: Subject,
    pseudonym: [u8; 16],
    open_run: Option<RunId>,
    leaf_sequences: BTreeMap<LogId, u64>,
    context: Option<ContextHead>,
    items: Vec<SessionItem>,
}

impl Sessions {
    /// Whether `update` by `run` may be applied.
    pub(super) fn check(&self, run: RunId, update: &SessionUpdate) -> Result<(), StoreRefusal> {
        let session = self.by_id.get(&update.id);
        if let Some(session) = session
            && let Some(open) = session.open_run.filter(|open| *open != run)
            && (update.open == Some(true) || !update.append.is_empty())
        {
            return Err(StoreRefusal::SessionBusy {
                session: update.id.clone(),
                open,
            });
        }
        let found = session.is_some();
        if found == update.create.is_some() {
            return Err(StoreRefusal::StaleWriter {
                what: "sessions of that name",
                expected: u64::from(!found),
                found: u64::from(found),
            });
        }
        let length = session.map_or(0, |session| session.items.len() as u64);
        if update.expected_length != length {
            return Err(StoreRefusal::StaleWriter {
                what: "session length",
                expected: update.expected_length,
                found: length,
            });
        }
        Ok(())
    }

    /// Applies a checked update.
    pub(super) fn apply(&mut self, run: RunId, update: SessionUpdate) {
        if let Some((subject, pseudonym)) = update.create {
            let session = Session {
                subject,
                pseudonym,
                open_run: None,
                leaf_sequences: BTreeMap::new(),
                context: None,
                items: Vec::new(),
            };
            self.by_id.insert(update.id.clone(), Box::new(session));
        }
        let Some(session) = self.by_id.get_mut(&update.id) else {
            return;
        };
        session.items.extend(update.append);
        session.leaf_sequences.extend(update.leaf_sequences);
        session.context = update.context.or(session.context);
        match update.open {
            Some(true) => session.open_run = Some(run),
            Some(false) if session.open_run == Some(run) => session.open_run = None,
            _ => {}
        }
    }

    pub(super) fn head(&self, id: &SessionId) -> Option<SessionHead> {
        let (id, session) = self.by_id.get_key_value(id)?;
        Some(SessionHead {
            id: id.clone(),
            subject: session.subject.clone(),
            pseudonym: session.pseudonym,
            length: session.items.len() as u64,
            open_run: session.open_run,
            leaf_sequences: session.leaf_sequences.clone(),
            context: session.context,
        })
    }

    /// The longest tail in which at most `runs` runs speak.
    pub(super) fn tail(&self, id: &SessionId, runs: Option<u32>) -> Vec<SessionItem> {
        let Some(session) = self.by_id.get(id) else {
            return Vec::new();
        };
        let Some(runs) = runs else {
            return session.items.clone();
        };
        let mut seen: Vec<RunId> = Vec::new();
        let mut tail: Vec<SessionItem> = session
            .items
            .iter()
            .rev()
            .take_while(|item| {
                if !seen.contains(&item.run) {
                    seen.push(item.run);
                }
                seen.len() <= runs as usize
            })
            .cloned()
            .collect();
        tail.reverse();
        tail
    }
}
