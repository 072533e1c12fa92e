//! The codes of this crate's errors, and how they are made.
//!
//! A caller decides by [`nfa_core::Category`] and `is_retryable`; the codes say precisely what happened.

use nfa_core::{Category, Component, Error};

/// The provider does not accept the key (401, 403, from some 400). Configuration.
pub const AUTH: &str = "model_auth";
/// A key is needed and its environment variable is not set. Configuration.
pub const KEY_MISSING: &str = "model_key_missing";
/// A key holds characters that no header may hold. Configuration.
pub const KEY_INVALID: &str = "model_key_invalid";
/// The account has no credit left (402, 429 with `insufficient_quota`, or `billing_error`). Configuration.
pub const QUOTA: &str = "model_quota";
/// The provider knows no such model or path (404, from some 400). Configuration.
pub const NOT_FOUND: &str = "model_not_found";
/// Too many requests or tokens a minute (429). Transient; may say when to come back.
pub const RATE_LIMITED: &str = "model_rate_limited";
/// The provider has no capacity now (503, 529). Transient.
pub const OVERLOADED: &str = "model_overloaded";
/// The provider failed, or cannot be reached (408, 409, 5xx, DNS). Transient.
pub const UNAVAILABLE: &str = "model_unavailable";
/// Nothing listens at the provider's address. Transient.
pub const REFUSED_CONNECTION: &str = "model_refused_connection";
/// The connection broke before the answer was complete. Transient.
pub const CONNECTION_LOST: &str = "model_connection_lost";
/// The conversation does not fit the model. Input.
pub const CONTEXT_LENGTH: &str = "model_context_length";
/// The provider refuses the request as wrong (400, 413, 422), or it cannot be written. Input.
pub const REQUEST_INVALID: &str = "model_request_invalid";
/// A part of a message cannot be sent over this wire. Input.
pub const MEDIA_UNSUPPORTED: &str = "model_media_unsupported";
/// No connection in time. Transient.
pub const TIMEOUT_CONNECT: &str = "model_timeout_connect";
/// No head of an answer in time. Transient.
pub const TIMEOUT_HEADERS: &str = "model_timeout_headers";
/// No first content in time; keep-alives are no content. Transient.
pub const TIMEOUT_FIRST_TOKEN: &str = "model_timeout_first_token";
/// Too long a silence between two pieces of content. Transient.
pub const TIMEOUT_GAP: &str = "model_timeout_gap";
/// No complete answer in time. Transient.
pub const TIMEOUT_TOTAL: &str = "model_timeout_total";
/// The caller's own deadline passed. Cancelled.
pub const DEADLINE: &str = "model_deadline_exceeded";
/// The caller no longer wants the answer. Cancelled.
pub const CANCELLED: &str = "model_cancelled";
/// The stream ended before the model said why it stopped. Transient.
pub const STREAM_TRUNCATED: &str = "stream_truncated";
/// The answer is not what the protocol says: HTML, no JSON, no choice. Transient.
pub const RESPONSE_INVALID: &str = "model_response_invalid";
/// An event or answer is larger than the adapter takes. Input.
pub const RESPONSE_TOO_LARGE: &str = "model_response_too_large";
/// A model's name or options cannot be used. Configuration.
pub const SPEC_INVALID: &str = "model_spec_invalid";
/// No provider of that name is registered. Configuration.
pub const UNKNOWN_PROVIDER: &str = "model_unknown_provider";
/// TLS could not be set up, or the provider's certificate is not trusted. Configuration.
pub const TLS: &str = "model_tls";
/// The inner model's stream ended without an answer: a defect of that adapter. Internal.
pub const STREAM_ENDED: &str = "model_stream_ended";
/// The provider failed too often of late, and is left alone for a while. Transient; says when to come back.
pub const CIRCUIT_OPEN: &str = "model_circuit_open";
/// No model of a chain could answer. Transient when one of them may later, else configuration or input.
pub const FALLBACKS_EXHAUSTED: &str = "model_fallbacks_exhausted";
/// A recording cannot be opened, read or written. Configuration.
pub const RECORDING_FAILED: &str = "recording_failed";
/// A file is no recording of a version that is known, or a line of it is wrong. Input.
pub const RECORDING_INVALID: &str = "recording_invalid";
/// A replayed model is asked what was not recorded. Input.
pub const REPLAY_UNMATCHED: &str = "replay_unmatched";
/// Recorded exchanges were not asked for. Input.
pub const REPLAY_UNUSED: &str = "replay_unused";
/// A price table cannot be read. Input.
pub const PRICE_TABLE_INVALID: &str = "price_table_invalid";
/// No turn in time under the limit that was set for the account. Transient.
pub const RATE_LIMIT_WAIT: &str = "model_rate_limit_wait";

fn of(category: Category, code: &'static str, message: impl Into<String>) -> Error {
    Error::new(Component::Model, category, code, message)
}

pub(crate) fn transient(code: &'static str, message: impl Into<String>) -> Error {
    of(Category::Transient, code, message)
}

pub(crate) fn configuration(code: &'static str, message: impl Into<String>) -> Error {
    of(Category::Configuration, code, message)
}

pub(crate) fn input(code: &'static str, message: impl Into<String>) -> Error {
    of(Category::Input, code, message)
}

pub(crate) fn internal(code: &'static str, message: impl Into<String>) -> Error {
    of(Category::Internal, code, message)
}

pub(crate) fn cancelled() -> Error {
    of(
        Category::Cancelled,
        CANCELLED,
        "the call was cancelled before the answer was complete",
    )
}

pub(crate) fn deadline() -> Error {
    of(
        Category::Cancelled,
        DEADLINE,
        "the caller's deadline passed before the answer was complete",
    )
}

pub(crate) fn truncated(found: &str) -> Error {
    transient(
        STREAM_TRUNCATED,
        format!("expected a finish reason before the end of the stream, found {found}"),
    )
}

pub(crate) fn invalid(message: impl Into<String>) -> Error {
    transient(RESPONSE_INVALID, message)
}
