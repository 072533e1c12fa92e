//! What can go wrong on the way, on purpose.

use std::time::Duration;

/// A fault of the wire or of the provider. `after` counts events of the stream.
///
/// Faults of a stream leave an answer that is not streamed as it is, unless they say otherwise.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// The connection is reset after so many events; in mid-body when not streamed.
    ResetMidStream {
        /// Events before it.
        after: usize,
    },
    /// The connection is closed after so many events, before the body's own end; in mid-body when not
    /// streamed.
    CloseMidStream {
        /// Events before it.
        after: usize,
    },
    /// The body ends cleanly after so many events, without finish reason or `[DONE]`.
    EofWithoutTerminator {
        /// Events before it.
        after: usize,
    },
    /// The finish reason comes, but no `[DONE]`: some servers do so.
    NoDone,
    /// Nothing more comes after so many events, and the connection stays open; in mid-body when not
    /// streamed.
    Stall {
        /// Events before it.
        after: usize,
    },
    /// Not even the head of the answer comes, and the connection stays open.
    StallBeforeHead,
    /// The connection is closed before a byte of the answer, as a server does that was just about to.
    CloseBeforeHead,
    /// One byte at a time, with a pause before each.
    SlowLoris {
        /// The pause.
        pause: Duration,
    },
    /// The body arrives in pieces of so many bytes.
    SplitEvery {
        /// Bytes of a piece.
        bytes: usize,
    },
    /// Every character of several bytes arrives in two pieces.
    SplitCodePoints,
    /// The arguments of every call are cut off: no JSON.
    InvalidArguments,
    /// Every call is of a tool that nobody has.
    UnknownTool,
    /// All calls of the answer have one id.
    DuplicateCallIds,
    /// The calls have no ids.
    MissingCallIds,
    /// The deltas of calls have no index.
    MissingCallIndex,
    /// The id and name of a call come with every delta of it.
    RepeatedCallIds,
    /// Arguments come as an object instead of its text, all at once.
    ArgumentsAsObject,
    /// The deltas of parallel calls come in turn instead of call by call.
    InterleavedCalls,
    /// After the head, comments instead of events, for ever.
    KeepAlivesOnly {
        /// The pause before each.
        pause: Duration,
    },
    /// After the head, events that carry a role and no content, for ever.
    RoleOnly {
        /// The pause before each.
        pause: Duration,
    },
    /// A page for people, with status 200.
    Html,
    /// The right body under `text/plain`.
    WrongContentType,
    /// Status 200, and a body that is an error.
    OkWithErrorBody,
    /// An event that is an error, after so many events; then the stream ends.
    ErrorEvent {
        /// Events before it.
        after: usize,
    },
    /// Lines end with CR LF.
    CrLf,
    /// Comments between the events.
    Comments,
    /// The stream begins with a byte order mark.
    ByteOrderMark,
}
