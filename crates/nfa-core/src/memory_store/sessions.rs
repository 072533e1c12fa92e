//! Sessions and their items.
//!
//! An item is some five bytes: what it is, and where its run and its blob are. It begins with its kind, and
//! whether its run is that of the item before, another at a place, or one that is not here.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use super::arena::{Arena, Place};
use super::blobs::{Blobs, put_address, take_address};
use super::runs::Head;
use super::shelf::Shelf;
use super::wire::{Reader, at_difference, difference, put_number};
use crate::ids::{LogId, RunId, SessionId, Subject};
use crate::ports::{
    ContextHead, SessionHead, SessionItem, SessionItemKind, SessionUpdate, StoreRefusal,
};

const MESSAGE: u8 = 0;
const ANSWER: u8 = 1;
const TOOL_RESULT: u8 = 2;
const KIND: u8 = 0x0F;
const RUN_AT: u8 = 0x40;
const RUN_WRITTEN: u8 = 0x80;

/// All sessions by name, and the names of sessions that are not here yet.
#[derive(Default)]
pub(super) struct Sessions {
    index: HashTable<u32>,
    by_number: Shelf<Named>,
    hasher: RandomState,
}

struct Named {
    id: SessionId,
    session: Option<Box<Session>>,
}

struct Session {
    subject: Subject,
    pseudonym: [u8; 16],
    open_run: Option<RunId>,
    /// The run of the latest item.
    latest: Option<Place>,
    length: u64,
    items: Vec<u8>,
    leaf_sequences: Vec<(LogId, u64)>,
    context: Option<Box<ContextHead>>,
}

impl Sessions {
    /// The number that stands for a name.
    pub(super) fn number(&mut self, id: &SessionId) -> u32 {
        if let Some(number) = self.find(id) {
            return number;
        }
        let number = u32::try_from(self.by_number.len()).unwrap_or(u32::MAX);
        self.by_number.push(Named {
            id: id.clone(),
            session: None,
        });
        let (by_number, hasher) = (&self.by_number, &self.hasher);
        let rehash = |number: &u32| {
            let named = by_number.get(place_in(*number));
            named.map_or(0, |named| hasher.hash_one(&named.id))
        };
        self.index
            .insert_unique(hasher.hash_one(id), number, rehash);
        number
    }

    fn find(&self, id: &SessionId) -> Option<u32> {
        let is_it = |number: &u32| self.id(*number) == Some(id);
        self.index.find(self.hasher.hash_one(id), is_it).copied()
    }

    pub(super) fn id(&self, number: u32) -> Option<&SessionId> {
        self.by_number.get(place_in(number)).map(|named| &named.id)
    }

    pub(super) fn subject(&self, number: u32) -> Option<&Subject> {
        let named = self.by_number.get(place_in(number))?;
        named.session.as_ref().map(|session| &session.subject)
    }

    fn session(&self, id: &SessionId) -> Option<&Session> {
        self.by_number
            .get(place_in(self.find(id)?))?
            .session
            .as_deref()
    }

    /// Whether `update` by `run` may be applied.
    pub(super) fn check(&self, run: RunId, update: &SessionUpdate) -> Result<(), StoreRefusal> {
        let session = self.session(&update.id);
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
        let length = session.map_or(0, |session| session.length);
        if update.expected_length != length {
            return Err(StoreRefusal::StaleWriter {
                what: "session length",
                expected: update.expected_length,
                found: length,
            });
        }
        Ok(())
    }

    /// Makes the session of a checked update, if it is new.
    pub(super) fn create(&mut self, update: &mut SessionUpdate) {
        let Some((subject, pseudonym)) = update.create.take() else {
            return;
        };
        let number = self.number(&update.id);
        if let Some(named) = self.by_number.get_mut(place_in(number)) {
            named.session = Some(Box::new(Session {
                subject,
                pseudonym,
                open_run: None,
                latest: None,
                length: 0,
                items: Vec::new(),
                leaf_sequences: Vec::new(),
                context: None,
            }));
        }
    }

    /// Applies a checked update of a session that exists. The blobs that it names are stored.
    pub(super) fn apply(
        &mut self,
        arena: &Arena,
        blobs: &Blobs,
        run: &Head,
        update: SessionUpdate,
    ) {
        let number = self.number(&update.id);
        let named = self.by_number.get_mut(place_in(number));
        let Some(session) = named.and_then(|named| named.session.as_deref_mut()) else {
            return;
        };
        for item in &update.append {
            session.append(arena, blobs, run, item);
        }
        for (log, next) in update.leaf_sequences {
            match session.leaf_sequences.iter_mut().find(|(l, _)| *l == log) {
                Some((_, stands)) => *stands = next,
                None => {
                    session.leaf_sequences.reserve_exact(1);
                    session.leaf_sequences.push((log, next));
                }
            }
        }
        if let Some(context) = update.context {
            match &mut session.context {
                Some(stands) => **stands = context,
                none => *none = Some(Box::new(context)),
            }
        }
        match update.open {
            Some(true) => session.open_run = Some(run.id),
            Some(false) if session.open_run == Some(run.id) => session.open_run = None,
            _ => {}
        }
    }

    pub(super) fn head(&self, id: &SessionId) -> Option<SessionHead> {
        let named = self.by_number.get(place_in(self.find(id)?))?;
        let session = named.session.as_deref()?;
        Some(SessionHead {
            id: named.id.clone(),
            subject: session.subject.clone(),
            pseudonym: session.pseudonym,
            length: session.length,
            open_run: session.open_run,
            leaf_sequences: session
                .leaf_sequences
                .iter()
                .copied()
                .collect::<BTreeMap<_, _>>(),
            context: session.context.as_deref().copied(),
        })
    }

    /// The longest tail in which at most `runs` runs speak. `None` where what is kept cannot be read.
    pub(super) fn tail(
        &self,
        arena: &Arena,
        id: &SessionId,
        runs: Option<u32>,
    ) -> Option<Vec<SessionItem>> {
        let Some(session) = self.session(id) else {
            return Some(Vec::new());
        };
        let mut items = session.read(arena)?;
        let Some(runs) = runs else {
            return Some(items);
        };
        let mut seen: Vec<RunId> = Vec::new();
        let length = items
            .iter()
            .rev()
            .take_while(|item| {
                if !seen.contains(&item.run) {
                    seen.push(item.run);
                }
                seen.len() <= runs as usize
            })
            .count();
        Some(items.split_off(items.len() - length))
    }
}

fn place_in(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl Session {
    fn append(&mut self, arena: &Arena, blobs: &Blobs, run: &Head, item: &SessionItem) {
        // An idle session has little room to spare; a busy one grows by a quarter at a time.
        if self.items.capacity() - self.items.len() < 48 {
            self.items.reserve_exact(48 + self.items.len() / 4);
        }
        let (kind, call) = match item.kind {
            SessionItemKind::Message => (MESSAGE, None),
            SessionItemKind::Answer => (ANSWER, None),
            SessionItemKind::ToolResult { call } => (TOOL_RESULT, Some(call)),
        };
        let place = (item.run == run.id).then_some(run.place);
        let out = &mut self.items;
        match place {
            Some(_) if self.latest == place => out.push(kind),
            Some(at) => {
                out.push(kind | RUN_AT);
                let before = self.latest.map_or(0, Place::number);
                put_number(out, difference(at.number(), before));
            }
            None => {
                out.push(kind | RUN_WRITTEN);
                out.extend_from_slice(&item.run.0);
            }
        }
        if let Some(call) = call {
            put_number(out, u64::from(call));
        }
        put_address(
            blobs,
            arena,
            out,
            &item.address,
            place.unwrap_or(Place::new(0)),
        );
        self.latest = place;
        self.length += 1;
    }

    fn read(&self, arena: &Arena) -> Option<Vec<SessionItem>> {
        let mut record = Reader(&self.items);
        let mut items = Vec::with_capacity(usize::try_from(self.length).ok()?);
        let (mut latest, mut run) = (None, RunId([0; 16]));
        while let Some(first) = record.byte() {
            if first & RUN_WRITTEN != 0 {
                (latest, run) = (None, RunId(record.array()?));
            } else if first & RUN_AT != 0 {
                let before = latest.map_or(0, Place::number);
                let at = Place::new(at_difference(record.number()?, before));
                (latest, run) = (Some(at), Head::read(arena, at)?.id);
            }
            let kind = match first & KIND {
                MESSAGE => SessionItemKind::Message,
                ANSWER => SessionItemKind::Answer,
                TOOL_RESULT => SessionItemKind::ToolResult {
                    call: record.number32()?,
                },
                _ => return None,
            };
            let address = take_address(arena, &mut record, latest.unwrap_or(Place::new(0)))?;
            items.push(SessionItem { run, kind, address });
        }
        Some(items)
    }
}
