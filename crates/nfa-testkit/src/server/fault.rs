//! What can go wrong on the way, on purpose.

use std::time::Duration;

/// A fault of the wire or of the provider. `after` counts events of the stream.
///
/// Faults of a stream leave an answer that is not streamed as it is, unless they say otherwise. Each is put
/// into the answer after its wire has written it, so that it is the same fault on every wire.
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
    /// The connection is reset before a byte of the answer.
    ResetBeforeHead,
    /// The head comes at once, the rest after a pause.
    SlowFirstToken {
        /// The pause.
        pause: Duration,
    },
    /// Nothing more comes half-way through the stream, in the middle of an event: inside the arguments of
    /// an answer that is one long call. In mid-body when not streamed.
    StallInside,
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
    /// The event in the middle comes again and again, for ever; a body that never ends when not streamed.
    EndlessContent,
    /// After the head, an event that never ends; a body that never ends when not streamed.
    EndlessEvent,
    /// An event that is an error, after so many events; then the stream ends.
    ErrorEvent {
        /// Events before it.
        after: usize,
    },
    /// An event that is no JSON, after so many events; then the stream goes on.
    MalformedEvent {
        /// Events before it.
        after: usize,
    },
    /// Every event comes twice.
    DuplicateEvents,
    /// Every second event between the first and the last comes before the one that it follows.
    ReorderedEvents,
    /// Before every event one of a type that nobody knows.
    UnknownEvents,
    /// After the last event the one in the middle comes once more, and then what is no event at all.
    DataAfterEnd,
    /// The event in the middle carries so many bytes that say nothing.
    HugeEvent {
        /// The bytes.
        bytes: usize,
    },
    /// Every event's data comes in several lines.
    MultiLineData,
    /// Lines end with CR LF.
    CrLf,
    /// Lines end with CR.
    Cr,
    /// Comments between the events.
    Comments,
    /// The stream begins with a byte order mark.
    ByteOrderMark,
    /// Every U+1F600 of the answer is written as one half of its escape, streamed or not.
    LoneSurrogate,
    /// Every U+1F600 of the answer is written as a byte that is no UTF-8, streamed or not.
    InvalidUtf8,
    /// Usage is not stated, streamed or not.
    NoUsage,
    /// Every number of the usage is one that cannot be, streamed or not.
    WrongUsage,
}
