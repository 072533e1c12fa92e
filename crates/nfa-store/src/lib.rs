//! A SQLite store: one file, many runs, several processes.
//!
//! [`SqliteStore`] keeps everything of [`nfa_core::ports::Store`] in one file with a write-ahead log, and
//! the keys of what is in it in a second, owner-only file beside it (`agents.db` and `agents.db.keys`).
//! One connection writes and lets all waiting commits share a transaction and a sync of the disk: on a
//! thread of its own at `full`; at the others, where a commit waits for no disk, on the caller's when
//! nobody else is at it. A few threads read. Two to four processes may use one file at once.
//!
//! What survives which failure:
//!
//! | durability | killed process | loss of power |
//! |---|---|---|
//! | `full` (default) | every completed commit | every completed commit |
//! | `relaxed` | every completed commit | the file stays whole; the newest commits may be lost, indices of proof logs and signed heads never |
//! | `memory` | nothing | nothing |
//!
//! A damaged, foreign or newer file is refused and never changed; [`Salvage`] exports what can be read.

#![deny(missing_docs)]

mod codec;
mod connection;
mod erasure;
mod erasure_list;
mod failure;
mod key_file;
mod keys;
mod options;
mod queue;
mod reader;
mod rows;
mod salvage;
mod schema;
mod spares;
mod store;
mod writer;

pub use options::{Options, SqliteUrl};
pub use salvage::{Salvage, SalvageReport};
pub use store::SqliteStore;
