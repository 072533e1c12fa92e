//! What was written before is not written again: the bytes of a message, kept as long as the message is.
//!
//! A conversation comes as the same [`Arc`]s turn after turn, so that a request is built by copying what
//! an earlier one wrote, and writing what is new. The bytes belong to the allocation, not to its content:
//! the key is the address, and a [`Weak`] beside the bytes keeps that address from being given away.
//! Shared content cannot change, since `Arc::get_mut` refuses while a `Weak` lives.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use nfa_core::Error;
use nfa_core::content::Message;
use nfa_core::ports::ToolDefinition;

/// Bytes of written messages that one adapter keeps.
const MESSAGES: usize = 16 << 20;
/// Bytes of written tools that one adapter keeps.
const TOOLS: usize = 1 << 20;
/// What a kept item costs beside its bytes, roughly.
const OVERHEAD: usize = 96;
/// Dead items that are not worth a search.
const SWEEP: usize = 64;

/// Written bytes by the item they were written from: one for each kind of item and each adapter, since
/// the bytes depend on nothing but the item and the adapter's own options. What depends on an item's
/// place in the request must not be in them.
#[derive(Debug)]
pub(crate) struct Written<T: ?Sized> {
    kept: Mutex<Generations<T>>,
    limit: usize,
    /// How often something had to be written.
    #[cfg(test)]
    writes: std::sync::atomic::AtomicUsize,
}

impl Default for Written<Message> {
    fn default() -> Self {
        Self::new(MESSAGES)
    }
}

impl Default for Written<[ToolDefinition]> {
    fn default() -> Self {
        Self::new(TOOLS)
    }
}

/// What was used of late, and what was used before that; the elder half goes when room is needed.
#[derive(Debug)]
struct Generations<T: ?Sized> {
    young: HashMap<usize, Kept<T>, Addresses>,
    old: HashMap<usize, Kept<T>, Addresses>,
    /// Bytes of the young.
    size: usize,
    /// Items that came since the dead ones were last looked for.
    since: usize,
}

#[derive(Debug)]
struct Kept<T: ?Sized> {
    item: Weak<T>,
    bytes: Box<[u8]>,
}

impl<T: ?Sized> Written<T> {
    /// Keeps at most about `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            kept: Mutex::new(Generations {
                young: HashMap::default(),
                old: HashMap::default(),
                size: 0,
                since: 0,
            }),
            limit,
            #[cfg(test)]
            writes: std::sync::atomic::AtomicUsize::new(0),
        }
    }

    /// How often something had to be written.
    #[cfg(test)]
    pub(crate) fn writes(&self) -> usize {
        self.writes.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Adds what `write` writes for `item`: elements of a list with commas between them, none, one or
    /// several. A comma goes before them unless `out` ends with the list's opening bracket.
    ///
    /// # Errors
    /// That of `write`; nothing is kept then.
    pub(crate) fn elements(
        &self,
        item: &Arc<T>,
        out: &mut Vec<u8>,
        write: impl FnOnce(&T, &mut Vec<u8>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let before = out.len();
        if out.last().is_some_and(|last| *last != b'[') {
            out.push(b',');
        }
        let start = out.len();
        if !self.copy(item, out) {
            #[cfg(test)]
            self.writes
                .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            write(item, out)?;
            self.keep(item, out.get(start..).unwrap_or_default());
        }
        if out.len() == start {
            out.truncate(before);
        }
        Ok(())
    }

    fn copy(&self, item: &Arc<T>, out: &mut Vec<u8>) -> bool {
        let at = address(item);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = kept.young.get(&at) {
            out.extend_from_slice(&found.bytes);
            return true;
        }
        let Some(found) = kept.old.remove(&at) else {
            return false;
        };
        out.extend_from_slice(&found.bytes);
        self.insert(&mut kept, at, found);
        true
    }

    fn keep(&self, item: &Arc<T>, bytes: &[u8]) {
        // What is as large as that would push out everything else.
        if bytes.len() > self.limit / 4 {
            return;
        }
        let new = Kept {
            item: Arc::downgrade(item),
            bytes: bytes.into(),
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        self.insert(&mut kept, address(item), new);
    }

    fn insert(&self, kept: &mut Generations<T>, at: usize, new: Kept<T>) {
        kept.since += 1;
        let full = kept.size + cost(&new) > self.limit / 2;
        if full || kept.since > kept.young.len() / 2 + SWEEP {
            kept.sweep();
        }
        // Dead ones made room for long; else the young become the old.
        if full && kept.size > self.limit / 4 {
            kept.old = std::mem::take(&mut kept.young);
            kept.size = 0;
        }
        kept.size += cost(&new);
        if let Some(gone) = kept.young.insert(at, new) {
            kept.size = kept.size.saturating_sub(cost(&gone));
        }
    }
}

impl<T: ?Sized> Generations<T> {
    /// Lets go of what nobody can ask for any more: it costs room, and may have been erased elsewhere.
    fn sweep(&mut self) {
        for items in [&mut self.young, &mut self.old] {
            items.retain(|_, one| one.item.strong_count() > 0);
        }
        self.size = self.young.values().map(cost).sum();
        self.since = 0;
    }
}

fn cost<T: ?Sized>(kept: &Kept<T>) -> usize {
    kept.bytes.len() + OVERHEAD
}

fn address<T: ?Sized>(item: &Arc<T>) -> usize {
    Arc::as_ptr(item).cast::<()>().addr()
}

/// Addresses are spread by one multiplication: they come from our own allocator, not from outside.
#[derive(Clone, Copy, Debug, Default)]
struct Addresses;

impl std::hash::BuildHasher for Addresses {
    type Hasher = Spread;

    fn build_hasher(&self) -> Spread {
        Spread(0)
    }
}

struct Spread(u64);

impl std::hash::Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_usize(usize::from(*byte));
        }
    }

    fn write_usize(&mut self, address: usize) {
        let mixed = (self.0 ^ address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Writes a list of `items` and counts how often something had to be written.
    fn list(written: &Written<str>, items: &[Arc<str>]) -> (String, usize) {
        let count = Cell::new(0);
        let mut out = b"[".to_vec();
        for item in items {
            let write = |text: &str, out: &mut Vec<u8>| {
                count.set(count.get() + 1);
                out.extend_from_slice(text.as_bytes());
                Ok(())
            };
            written.elements(item, &mut out, write).unwrap();
        }
        (String::from_utf8(out).unwrap(), count.get())
    }

    fn arcs(texts: &[&str]) -> Vec<Arc<str>> {
        texts.iter().map(|text| Arc::from(*text)).collect()
    }

    #[test]
    fn what_was_written_is_copied_and_commas_stand_between() {
        let written = Written::new(1 << 20);
        let mut items = arcs(&["", "1,2", "", "3"]);
        assert_eq!(list(&written, &items), ("[1,2,3".to_owned(), 4));
        items.push("4".into());
        assert_eq!(list(&written, &items), ("[1,2,3,4".to_owned(), 1));
        // The same text in another allocation is another item.
        assert_eq!(list(&written, &arcs(&["4"])), ("[4".to_owned(), 1));
    }

    #[test]
    fn an_address_is_never_taken_for_what_lay_there_before() {
        let written = Written::new(1 << 20);
        for round in 0..1000 {
            let text = format!("{:04}", round);
            let items = [Arc::from(text.as_str())];
            assert_eq!(list(&written, &items), (format!("[{text}"), 1));
        }
    }

    #[test]
    fn an_error_keeps_nothing() {
        let written = Written::new(1 << 20);
        let item: Arc<str> = "1".into();
        let mut out = b"[".to_vec();
        let failing = |_: &str, _: &mut Vec<u8>| Err(crate::errors::cancelled());
        assert!(written.elements(&item, &mut out, failing).is_err());
        assert_eq!(list(&written, &[item]), ("[1".to_owned(), 1));
    }

    #[test]
    fn what_nobody_holds_any_more_goes_soon() {
        let written = Written::new(1 << 30);
        let held: Vec<_> = (0..100).map(|at| Arc::from(at.to_string())).collect();
        list(&written, &held);
        for round in 0..1000 {
            list(&written, &[Arc::from(round.to_string())]);
            let kept = written.kept.lock().unwrap();
            assert!(kept.young.len() <= 400, "{}", kept.young.len());
        }
        assert_eq!(list(&written, &held).1, 0, "what is held was let go");
    }

    #[test]
    fn memory_is_bounded_and_what_is_used_stays() {
        let limit = 64 << 10;
        let written = Written::new(limit);
        let used = arcs(&["used"]);
        let text = "x".repeat(1000);
        let mut alive = Vec::new();
        let mut again = 0;
        for round in 0..1000 {
            let new = arcs(&[&text]);
            list(&written, &new);
            // Every other one lives on.
            if round % 2 == 0 {
                alive.extend(new);
            }
            again += list(&written, &used).1;
            let kept = written.kept.lock().unwrap();
            let size: usize = kept.young.values().chain(kept.old.values()).map(cost).sum();
            assert!(size <= limit, "{size}");
        }
        assert_eq!(again, 1, "what every round uses was written again");
        assert!(
            list(&written, &alive).1 > 0,
            "more was kept than the limit lets"
        );
        let huge = arcs(&[&"y".repeat(limit)]);
        assert_eq!(list(&written, &huge).1, 1);
        assert_eq!(list(&written, &huge).1, 1);
    }
}
