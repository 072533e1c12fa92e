//! What a provider's error means: from status, headers and body to a stable code.

use nfa_core::Error;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::retry_after;
use crate::errors;

/// An answer with an error status.
pub(crate) fn of_status(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
    let said = Said::of(body);
    let mut error = classify(status.as_u16(), &said).with_details(json!({
        "status": status.as_u16(),
        "code": said.code,
        "type": said.kind,
    }));
    if let Some(after) = retry_after::of_answer(status.as_u16(), headers, body) {
        error = error.with_retry_after(after);
    }
    match headers.get("x-should-retry").map(|value| value.as_bytes()) {
        Some(b"true") => error.with_retryable(true),
        Some(b"false") => error.with_retryable(false),
        _ => error,
    }
}

/// An error where an answer should be: under status 200, or in a stream.
pub(crate) fn in_body(body: &[u8]) -> Error {
    let said = Said::of(body);
    let status = said.status.unwrap_or_else(|| {
        let has = |word: &str| said.code.contains(word) || said.kind.contains(word);
        if has("rate_limit") || has("insufficient_quota") {
            429
        } else if has("overloaded") || has("slow_down") {
            503
        } else if has("authentication") || has("invalid_api_key") || has("permission") {
            401
        } else if has("invalid_") || has("exceed_context") || has("context_length") {
            400
        } else if has("billing") {
            402
        } else if has("not_found") {
            404
        } else if has("request_too_large") {
            413
        } else {
            500
        }
    });
    classify(status, &said).with_details(json!({
        "status": status,
        "code": said.code,
        "type": said.kind,
    }))
}

/// The beginning of a body, for a message.
pub(crate) fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body.get(..200).unwrap_or(body));
    let text = text.trim();
    if text.is_empty() {
        return "nothing".to_owned();
    }
    if text.starts_with('<') {
        return "a page of HTML or XML (is the base URL right?)".to_owned();
    }
    format!("`{text}`")
}

#[derive(Debug, Default)]
struct Said {
    message: String,
    code: String,
    kind: String,
    /// Google's reason, such as `API_KEY_INVALID`.
    reason: String,
    status: Option<u16>,
}

/// What Google's `ErrorInfo` gives as the reason.
fn reason(error: &Value) -> String {
    let details = error.get("details").and_then(Value::as_array);
    let mut reasons = details
        .into_iter()
        .flatten()
        .filter_map(|detail| detail.get("reason").and_then(Value::as_str));
    reasons.next().unwrap_or_default().to_owned()
}

impl Said {
    fn of(body: &[u8]) -> Self {
        let Ok(value) = serde_json::from_slice::<Value>(body) else {
            return Self {
                message: excerpt(body),
                ..Self::default()
            };
        };
        // Google answers a stream that failed with a list of one.
        let value = match value {
            Value::Array(mut list) if list.len() == 1 => list.pop().unwrap_or_default(),
            value => value,
        };
        let inner = match value.get("error") {
            Some(Value::Object(_)) => value.get("error"),
            _ => None,
        };
        let inner = inner.unwrap_or(&value);
        let text = |name: &str| match inner.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        let message = ["message", "detail", "error"]
            .into_iter()
            .map(text)
            .find(|text| !text.is_empty())
            .unwrap_or_else(|| excerpt(body));
        let status = [
            inner.get("code"),
            inner.get("status"),
            inner.get("raw_status_code"),
        ]
        .into_iter()
        .flatten()
        .filter_map(Value::as_u64)
        .find(|status| (400..600).contains(status))
        .and_then(|status| u16::try_from(status).ok());
        Self {
            message: message.chars().take(1000).collect(),
            code: text("code"),
            kind: text(if inner.get("type").is_some() {
                "type"
            } else {
                "status"
            }),
            reason: reason(inner),
            status,
        }
    }

    /// Some providers say so under status 400.
    fn is_unknown_model(&self) -> bool {
        self.code == "model_not_found" || self.message.starts_with("Model not found")
    }

    /// Some providers say so under status 400.
    fn is_bad_key(&self) -> bool {
        self.code == "invalid_api_key"
            || self.reason == "API_KEY_INVALID"
            || self.message.starts_with("Incorrect API key")
    }

    /// Anthropic tells of an empty account under several statuses.
    fn is_unpaid(&self) -> bool {
        self.kind == "billing_error" || self.message.contains("credit balance is too low")
    }

    fn is_context_length(&self) -> bool {
        const WORDS: [&str; 10] = [
            "context length",
            "context_length",
            "exceed_context",
            "context size",
            "context window",
            "maximum context",
            "prompt is too long",
            "exceed context limit",
            "exceeds the maximum number of tokens",
            "too large to process",
        ];
        let message = self.message.to_ascii_lowercase();
        WORDS.iter().any(|word| {
            message.contains(word) || self.code.contains(word) || self.kind.contains(word)
        })
    }
}

fn classify(status: u16, said: &Said) -> Error {
    let message = |what: &str| format!("{what} (status {status}): {}", said.message);
    if matches!(
        said.code.as_str(),
        "tool_use_failed" | "json_validate_failed"
    ) {
        // Groq: the fault is the model's, and another try may do better.
        return errors::invalid(message("the model wrote what the provider could not read"));
    }
    match status {
        400 | 413 | 422 | 500 if said.is_context_length() => errors::input(
            errors::CONTEXT_LENGTH,
            message("the conversation is longer than the model takes"),
        ),
        400 if said.is_unknown_model() => errors::configuration(
            errors::NOT_FOUND,
            message("the provider knows no such model; check its name"),
        ),
        400..=403 if said.is_unpaid() => {
            errors::configuration(errors::QUOTA, message("the account has no credit left"))
        }
        _ if matches!(status, 401 | 403) || status == 400 && said.is_bad_key() => {
            errors::configuration(
                errors::AUTH,
                message("the provider does not accept the API key"),
            )
        }
        402 => errors::configuration(errors::QUOTA, message("the account has no credit left")),
        404 => errors::configuration(
            errors::NOT_FOUND,
            message(
                "the provider knows no such model or path; check the model's name and the base URL",
            ),
        ),
        429 if said.code == "insufficient_quota" || said.kind == "insufficient_quota" => {
            errors::configuration(errors::QUOTA, message("the account has no credit left"))
        }
        429 => errors::transient(
            errors::RATE_LIMITED,
            message("the provider asks for fewer requests"),
        ),
        503 | 529 => errors::transient(
            errors::OVERLOADED,
            message("the provider has no capacity now"),
        ),
        408 | 409 | 425 => errors::transient(
            errors::UNAVAILABLE,
            message("the provider asks to try again"),
        ),
        501 | 505 => errors::transient(errors::UNAVAILABLE, message("the provider cannot do this"))
            .with_retryable(false),
        500.. => errors::transient(errors::UNAVAILABLE, message("the provider failed")),
        300..400 => errors::configuration(
            errors::NOT_FOUND,
            message("the provider answers from another address; correct the base URL"),
        ),
        _ => errors::input(
            errors::REQUEST_INVALID,
            message("the provider refuses the request"),
        ),
    }
}
