//! The ids that calls have on the wire: unique in the whole conversation, and short enough.
//!
//! Other wires count their calls from one in every answer, or write long ids. A call that this provider made
//! keeps its own.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// Longest id that the provider takes.
const LONGEST: usize = 64;

/// The ids of a conversation, given in its order.
#[derive(Debug, Default)]
pub(super) struct CallIds<'a> {
    /// What the newest call of an id is called on the wire.
    sent: HashMap<&'a str, Cow<'a, str>>,
    /// Ids that we made.
    made: HashSet<String>,
}

impl<'a> CallIds<'a> {
    /// Room for the ids of so many calls.
    pub(super) fn with_capacity(calls: usize) -> Self {
        Self {
            sent: HashMap::with_capacity(calls),
            made: HashSet::new(),
        }
    }

    /// The id of a call.
    pub(super) fn call(&mut self, id: &'a str) -> Cow<'a, str> {
        let mut sent = alone(id);
        let mut number = 1;
        while self.is_taken(&sent) {
            number += 1;
            sent = Cow::Owned(format!("call_{:016x}_{number}", fingerprint(id)));
        }
        if let Cow::Owned(made) = &sent {
            self.made.insert(made.clone());
        }
        self.sent.insert(id, sent.clone());
        sent
    }

    /// The first call of an id that can be sent is sent under it, unless another one was: it is taken then.
    fn is_taken(&self, id: &str) -> bool {
        can_be_sent(id) && self.sent.contains_key(id) || self.made.contains(id)
    }

    /// The id in a result: of the newest call that it can answer.
    pub(super) fn result(&mut self, id: &'a str) -> Cow<'a, str> {
        match self.sent.get(id) {
            Some(sent) => sent.clone(),
            None => self.call(id),
        }
    }
}

/// What a call is called on the wire when no other call has the name.
pub(super) fn alone(id: &str) -> Cow<'_, str> {
    if can_be_sent(id) {
        Cow::Borrowed(id)
    } else {
        Cow::Owned(format!("call_{:016x}", fingerprint(id)))
    }
}

fn can_be_sent(id: &str) -> bool {
    (1..=LONGEST).contains(&id.len())
}

/// FNV-1a: the same id is called the same in every request.
fn fingerprint(id: &str) -> u64 {
    id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_can_be_kept_and_pairs_what_cannot() {
        let long = "x".repeat(65);
        let mut ids = CallIds::default();
        assert_eq!(ids.call("call_1"), "call_1");
        assert_eq!(ids.result("call_1"), "call_1");
        let again = ids.call("call_1");
        assert_ne!(again, "call_1");
        assert_eq!(ids.result("call_1"), again);
        let third = ids.call("call_1");
        assert!(third != again && third != "call_1");
        let short = ids.call(&long);
        assert!(short.len() <= 64);
        assert_eq!(ids.result(&long), short);
        assert_eq!(ids.call("call_2"), "call_2");
    }
}
