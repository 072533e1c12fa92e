//! Recorded provider traffic: read as it is, sent back as it was, and judged.

mod stated;
mod written;

use std::collections::BTreeMap;

use nfa_core::content::{ModelAnswer, Part};
use nfa_testkit::server::judge;
use serde_json::Value;

use super::{folded, read, read_whole};
use crate::cassettes::{Cassette, Then, cassettes};
use stated::Stated;

/// What became of one provider's exchanges.
#[derive(Default)]
struct Row {
    streams: usize,
    wholes: usize,
    errors: usize,
    opaque: usize,
    failed: usize,
}

fn recorded() -> Option<Vec<Cassette>> {
    cassettes(|path| path.ends_with("/chat/completions"))
}

fn provider(cassette: &Cassette) -> &str {
    cassette.name.split('/').next().unwrap_or_default()
}

/// Every recorded exchange goes through the parser, and says what the exchange states.
#[test]
fn recorded_traffic_is_read_as_it_is() {
    let Some(cassettes) = recorded() else { return };
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    let mut failures = Vec::new();
    for cassette in &cassettes {
        let row = rows.entry(provider(cassette)).or_default();
        for (at, exchange) in cassette.exchanges.iter().enumerate() {
            if let Err(failure) = check(&exchange.then, row) {
                row.failed += 1;
                failures.push(format!("{}, exchange {at}: {failure}", cassette.name));
            }
        }
    }
    eprintln!(
        "{:<12} {:>8} {:>8} {:>8} {:>12} {:>8}",
        "provider", "streams", "wholes", "errors", "kept opaque", "failed"
    );
    for (provider, row) in &rows {
        eprintln!(
            "{provider:<12} {:>8} {:>8} {:>8} {:>12} {:>8}",
            row.streams, row.wholes, row.errors, row.opaque, row.failed
        );
        assert!(row.streams > 0 && row.wholes > 0, "{provider}");
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn check(then: &Then, row: &mut Row) -> Result<(), String> {
    if then.body_encoding.is_some() {
        return Err("a body in base64".to_owned());
    }
    let body = then.body.as_str();
    if then.status != 200 {
        row.errors += 1;
        return check_error(then.status, body);
    }
    let (answer, stated) = if then.is_stream() {
        row.streams += 1;
        let (deltas, answer) = read(&[body.as_bytes()], None);
        let answer = answer.map_err(|error| error.to_string())?;
        let stated = Stated::of_stream(body);
        let (said, thought, refused, called) = folded(&deltas);
        stated.same("deltas of text", &said, &stated.text)?;
        stated.same("deltas of thoughts", &thought, &stated.reasoning)?;
        stated.same("deltas of the refusal", &refused, &stated.refusal)?;
        stated.same("calls in deltas", &called.len(), &stated.calls.len())?;
        for size in [1, 7] {
            let pieces: Vec<_> = body.as_bytes().chunks(size).collect();
            let (_, again) = read(&pieces, None);
            stated.same("the answer in pieces", &again.ok().as_ref(), &Some(&answer))?;
        }
        (answer, stated)
    } else {
        row.wholes += 1;
        let answer = read_whole(body.as_bytes()).map_err(|error| error.to_string())?;
        (answer, Stated::of_whole(body))
    };
    row.opaque += usize::from(has_opaque(&answer));
    stated.compare(&answer)
}

fn has_opaque(answer: &ModelAnswer) -> bool {
    answer.message.parts.iter().any(|part| match part {
        Part::Text { opaque, .. } | Part::Reasoning { opaque, .. } | Part::Media { opaque, .. } => {
            opaque.is_some()
        }
        Part::ToolCall(call) => call.opaque.is_some(),
        Part::Opaque(_) => true,
        _ => false,
    })
}

fn check_error(status: u16, body: &str) -> Result<(), String> {
    let expected = match status {
        401 | 403 => "model_auth",
        404 => "model_not_found",
        429 => "model_rate_limited",
        503 => "model_overloaded",
        500.. => "model_unavailable",
        _ => "model_request_invalid",
    };
    let value: Value = serde_json::from_str(body).map_err(|error| error.to_string())?;
    let said = ["/error/message", "/message", "/detail"]
        .iter()
        .find_map(|place| value.pointer(place)?.as_str())
        .ok_or("no message")?;
    let status = reqwest::StatusCode::from_u16(status).map_err(|error| error.to_string())?;
    let headers = reqwest::header::HeaderMap::new();
    let error = crate::wire::failure::of_status(status, &headers, body.as_bytes());
    if error.code() == expected && error.message().contains(said) {
        Ok(())
    } else {
        Err(format!("expected {expected} and `{said}`, found {error}"))
    }
}

/// Where recorded requests are wrong by our judge, and why that is.
const WRONG: [(&str, &str); 2] = [
    // DeepSeek overlooks a field that is null.
    ("deepseek/", "tool_choice:null_field"),
    // OpenAI refused it for that.
    ("openai/error_identity_edge/", "temperature:range"),
];

/// Every recorded request is right by the judge that judges ours: it is not stricter than providers are.
#[test]
fn recorded_requests_are_judged_right() {
    let Some(cassettes) = recorded() else { return };
    let mut wrong = Vec::new();
    let mut excepted = [0; WRONG.len()];
    let mut right = 0;
    for cassette in &cassettes {
        for exchange in &cassette.exchanges {
            let found = judge::chat_completions(&exchange.when.json());
            right += usize::from(found.is_empty());
            for violation in found {
                let what = format!("{}:{}", violation.path, violation.rule);
                let except = WRONG
                    .iter()
                    .position(|(place, rule)| cassette.name.starts_with(place) && what == *rule);
                match except {
                    Some(at) => excepted[at] += 1,
                    None => wrong.push(format!("{}: {violation:?}", cassette.name)),
                }
            }
        }
    }
    eprintln!(
        "{right} recorded requests are judged right, {excepted:?} times there was an exception"
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(right > 0 && !excepted.contains(&0), "{excepted:?}");
}
