use serde_json::json;

use super::*;

fn read(body: &Value, count: usize) -> Result<Answer, Error> {
    Answer::read(body.to_string().as_bytes(), count)
}

#[test]
fn numbers_and_base64_are_read_in_the_order_of_their_indices() {
    let body = json!({
        "data": [{"index": 1, "embedding": [1, -2.5e-1]}, {"index": 0, "embedding": "AAAAPwAAAMA="}],
        "model": "m", "usage": {"prompt_tokens": 3, "total_tokens": 3},
    });
    let answer = read(&body, 2).unwrap();
    assert_eq!(answer.vectors, [[0.5, -2.0], [1.0, -0.25]]);
    assert_eq!((answer.usage.input_tokens, &*answer.model), (3, "m"));
    // Without indices the order is that of the texts.
    let bare = json!({"data": [{"embedding": [1]}, {"embedding": [2]}]});
    assert_eq!(read(&bare, 2).unwrap().vectors, [[1.0], [2.0]]);
}

#[test]
fn what_is_no_answer_to_the_request_is_refused() {
    let item = |index: usize, embedding: Value| json!({"index": index, "embedding": embedding});
    let one = || item(0, json!([1.0]));
    for (data, count, code) in [
        (json!([one()]), 1, "ok"),
        (json!([one()]), 2, "model_response_invalid"),
        (json!([one(), one()]), 2, "model_response_invalid"),
        (
            json!([item(2, json!([1])), one()]),
            2,
            "model_response_invalid",
        ),
        (json!([item(0, json!([]))]), 1, "model_response_invalid"),
        (json!([item(0, json!("AAAA"))]), 1, "model_response_invalid"),
        (json!([item(0, json!("?"))]), 1, "model_response_invalid"),
        // Not a number, in base64.
        (
            json!([item(0, json!("AADAfw=="))]),
            1,
            "model_response_invalid",
        ),
        (json!([item(0, json!([1e39]))]), 1, "model_response_invalid"),
        (json!([item(0, json!(["x"]))]), 1, "model_response_invalid"),
        (json!([item(0, Value::Null)]), 1, "model_response_invalid"),
    ] {
        let found = read(&json!({"data": data}), count);
        let found = found.as_ref().map_or_else(Error::code, |_| "ok");
        assert_eq!(found, code, "{data}");
    }
    let error = json!({"error": {"message": "x", "code": 429}});
    assert_eq!(read(&error, 1).unwrap_err().code(), "model_rate_limited");
    let page = Answer::read(b"<html>", 1).unwrap_err();
    assert_eq!(page.code(), "model_response_invalid");
}

#[test]
fn a_request_holds_what_was_asked_for() {
    let base = "http://h";
    let plain = Embeddings::builder("p/m", "m", base).build().unwrap();
    let body: Value = serde_json::from_slice(&plain.body(&["a", "b"]).unwrap()).unwrap();
    assert_eq!(body, json!({"model": "m", "input": ["a", "b"]}));
    assert_eq!(plain.dimensions(), None);
    let told = Embeddings::builder("p/m", "m", base)
        .dimensions(8)
        .encoding(Encoding::Base64)
        .extra("input_type", json!("query"))
        .build()
        .unwrap();
    let body: Value = serde_json::from_slice(&told.body(&["a"]).unwrap()).unwrap();
    let expected = json!({
        "model": "m", "input": ["a"], "dimensions": 8, "encoding_format": "base64", "input_type": "query",
    });
    assert_eq!(body, expected);
    let ours = Embeddings::builder("p/m", "m", base).extra("input", json!([]));
    assert_eq!(ours.build().unwrap_err().code(), "model_request_invalid");
}

#[test]
fn vectors_of_another_length_are_refused() {
    let embedder = Embeddings::builder("p/m", "m", "http://h").build().unwrap();
    embedder.check(&[vec![0.0; 3], vec![1.0; 3]]).unwrap();
    assert_eq!(embedder.dimensions(), Some(3));
    let error = embedder.check(&[vec![0.0; 4]]).unwrap_err();
    assert_eq!(error.code(), "model_response_invalid");
}

mod cassettes;
