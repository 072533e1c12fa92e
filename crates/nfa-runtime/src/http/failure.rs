//! What can go wrong between here and there, in one set of codes.

use std::error::Error as _;
use std::time::Duration;

use nfa_core::{Category, Component, Error};
use reqwest::Url;

const URL_INVALID: &str = "http_url_invalid";
const TLS: &str = "http_tls";
const UNREACHABLE: &str = "http_unreachable";
const TIMEOUT: &str = "http_timeout";
const CONNECTION_LOST: &str = "http_connection_lost";
const TOO_LARGE: &str = "http_response_too_large";
const RESPONSE_INVALID: &str = "http_response_invalid";
const REDIRECT_REFUSED: &str = "http_redirect_refused";
const STATUS: &str = "http_status";

pub(super) fn url_invalid(message: String) -> Error {
    Error::new(Component::Proof, Category::Input, URL_INVALID, message)
}

pub(super) fn tls(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    configuration(
        TLS,
        format!(
            "the HTTP client could not be set up: {error}; are the machine's certificates readable?"
        ),
    )
    .with_source(error)
}

/// A failed exchange. `begun`: the head of the answer had come.
pub(super) fn broken(error: reqwest::Error, url: &Url, begun: bool) -> Error {
    let error = error.without_url();
    let causes = causes(&error);
    let (code, message) = match (error.is_connect(), begun) {
        (true, _) if error.is_timeout() => (TIMEOUT, format!("{url}: no connection in time")),
        (true, _) => (UNREACHABLE, format!("{url}: no connection: {causes}")),
        (false, true) => (
            CONNECTION_LOST,
            format!("{url}: the connection broke inside the answer: {causes}"),
        ),
        (false, false) => (
            CONNECTION_LOST,
            format!("{url}: the connection broke before the answer: {causes}"),
        ),
    };
    transient(code, message).with_source(error)
}

pub(super) fn timeout(url: &Url, limit: Duration) -> Error {
    transient(
        TIMEOUT,
        format!(
            "{url}: expected the whole answer within {} ms",
            limit.as_millis()
        ),
    )
}

pub(super) fn too_large(url: &Url, limit: usize) -> Error {
    configuration(
        TOO_LARGE,
        format!("{url}: expected at most {limit} bytes, found more"),
    )
}

pub(super) fn response_invalid(url: &Url, what: &str) -> Error {
    configuration(RESPONSE_INVALID, format!("{url}: {what}"))
}

pub(super) fn redirect_refused(url: &Url, why: &str) -> Error {
    configuration(REDIRECT_REFUSED, format!("{url}: {why}"))
}

/// A status that is no answer. Later it may be another where it speaks of the server, or of haste.
pub(super) fn status(url: &Url, status: u16, retry_after: Option<Duration>) -> Error {
    let message = format!("{url}: expected status 200, found {status}");
    let error = if matches!(status, 408 | 425 | 429 | 500..=599) {
        transient(STATUS, message)
    } else {
        configuration(STATUS, message)
    };
    match retry_after {
        Some(after) => error.with_retry_after(after),
        None => error,
    }
}

fn transient(code: &'static str, message: String) -> Error {
    Error::new(Component::Proof, Category::Transient, code, message)
}

fn configuration(code: &'static str, message: String) -> Error {
    Error::new(Component::Proof, Category::Configuration, code, message)
}

fn causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
