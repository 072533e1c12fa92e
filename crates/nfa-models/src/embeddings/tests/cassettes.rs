//! Recorded provider traffic: read by our parser and by plain JSON, and compared.

use std::collections::BTreeMap;

use nfa_testkit::server::judge;
use serde_json::Value;

use super::Answer;
use crate::cassettes::{Exchange, cassettes};
use crate::wire::failure;

#[derive(Default)]
struct Row {
    wholes: usize,
    errors: usize,
    failed: Vec<String>,
}

#[test]
fn recorded_traffic_is_read_as_it_is() {
    let Some(cassettes) = cassettes(|path| path.ends_with("/embeddings")) else {
        return;
    };
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    for cassette in &cassettes {
        let provider = cassette.name.split(['/', '\\']).next().unwrap_or_default();
        let row = rows.entry(provider).or_default();
        for (at, exchange) in cassette.exchanges.iter().enumerate() {
            if let Err(found) = check(exchange, row) {
                row.failed.push(format!("{} #{at}: {found}", cassette.name));
            }
        }
    }
    eprintln!("provider | endpoint | streams | wholes | errors | kept opaque | failed");
    for (provider, row) in &rows {
        eprintln!(
            "{provider} | embeddings | 0 | {} | {} | 0 | {}",
            row.wholes,
            row.errors,
            row.failed.len()
        );
    }
    let failed: Vec<_> = rows.values().flat_map(|row| &row.failed).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let sum = |count: fn(&Row) -> usize| rows.values().map(count).sum::<usize>();
    assert!(sum(|row| row.wholes) > 0 && sum(|row| row.errors) > 0);
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what}: expected {expected:?}, found {found:?}"))
}

fn check(exchange: &Exchange, row: &mut Row) -> Result<(), String> {
    let request = exchange.when.json();
    if let Some(violation) = judge::embeddings(&request).first() {
        return Err(format!("the recorded request: {violation}"));
    }
    let body = exchange.then.body.as_bytes();
    let stated: Value = serde_json::from_slice(body).unwrap();
    if exchange.then.status != 200 {
        row.errors += 1;
        let status = reqwest::StatusCode::from_u16(exchange.then.status).unwrap();
        let headers = reqwest::header::HeaderMap::new();
        let error = failure::of_status(status, &headers, body);
        let too_large = exchange.then.body.contains("too large to process");
        let code = match exchange.then.status {
            500 if too_large => "model_context_length",
            501 => "model_unavailable",
            404 => "model_not_found",
            400 => "model_request_invalid",
            other => return Err(format!("a status without expectation: {other}")),
        };
        same("code", error.code(), code)?;
        same("retryable", error.is_retryable(), false)?;
        let message = stated
            .pointer("/error/message")
            .unwrap_or(&stated["message"]);
        let message = message.as_str().unwrap();
        return same("message", error.message().contains(message), true);
    }
    row.wholes += 1;
    let count = request["input"].as_array().map_or(1, Vec::len);
    let answer = Answer::read(body, count).map_err(|error| error.to_string())?;
    let data = stated["data"].as_array().unwrap();
    same("vectors", answer.vectors.len(), data.len())?;
    for item in data {
        let at = usize::try_from(item["index"].as_u64().unwrap()).unwrap();
        let numbers = item["embedding"].as_array().unwrap();
        let vector = &answer.vectors[at];
        same("dimensions", vector.len(), numbers.len())?;
        for (found, stated) in vector.iter().zip(numbers) {
            let apart = f64::from(*found) - stated.as_f64().unwrap();
            same("near", apart.abs() < 1e-7, true)?;
        }
    }
    if let Some(dimensions) = request["dimensions"].as_u64() {
        same("asked", answer.vectors[0].len() as u64, dimensions)?;
    }
    let tokens = stated["usage"]["prompt_tokens"].as_u64().unwrap();
    same("usage", answer.usage.input_tokens, tokens)?;
    same("model", &*answer.model, stated["model"].as_str().unwrap())
}
