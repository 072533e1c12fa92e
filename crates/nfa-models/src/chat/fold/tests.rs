//! The short way leads where the full one does.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::cassettes::cassettes;
use crate::wire::Fold as _;
use crate::wire::sse::Parser;

fn fold() -> Fold {
    Fold::new(true, None, 1 << 30, "p/w".into())
}

/// Reads the events both ways, and gives how many took the short one.
fn both(events: &[Vec<u8>]) -> usize {
    let (mut fast, mut full) = (fold(), fold().in_full());
    let mut short = 0;
    for event in events {
        let way = fast.short_way.as_mut().unwrap();
        short += usize::from(way.find(event).is_some());
        let found = fast.chunk(event).map_err(|error| error.code().to_owned());
        let expected = full.chunk(event).map_err(|error| error.code().to_owned());
        let shown = String::from_utf8_lossy(event);
        assert_eq!(found, expected, "{shown}");
        let [deltas, others] = [&mut fast, &mut full]
            .map(|fold| std::iter::from_fn(|| fold.pop()).collect::<Vec<_>>());
        assert_eq!(deltas, others, "{shown}");
    }
    let [answer, other] = [fast, full].map(|mut fold| {
        fold.answer.finish.get_or_insert(FinishReason::Stop);
        fold.finish().map_err(|error| error.code().to_owned())
    });
    assert_eq!(answer, other);
    short
}

#[test]
fn recorded_streams_are_read_alike_both_ways() {
    let Some(cassettes) = cassettes(|path| path.ends_with("/chat/completions")) else {
        return;
    };
    let (mut events, mut short) = (0, 0);
    for exchange in cassettes.iter().flat_map(|cassette| &cassette.exchanges) {
        if !exchange.then.is_stream() || exchange.then.status != 200 {
            continue;
        }
        let mut list = Vec::new();
        let mut parser = Parser::new(1 << 20);
        let mut event = |data: &[u8]| {
            if data.starts_with(b"{") {
                list.push(data.to_vec());
            }
            Ok(())
        };
        parser
            .feed(exchange.then.body.as_bytes(), &mut event)
            .unwrap();
        events += list.len();
        short += both(&list);
    }
    eprintln!("{short} of {events} recorded events take the short way");
    assert!(short * 2 > events, "{short} of {events}");
}

/// A chunk as several servers write it.
fn chunk() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof!["[a-z \"\\\\\n\u{1}é\u{1F600}]{0,6}", Just(String::new())];
    let delta = (text, 0..16_u8, 0..3_u8).prop_map(|(text, kind, index)| match kind {
        0..=3 => json!({"content": text}),
        4 => json!({"role": "assistant", "content": text, "refusal": null}),
        5 => json!({"reasoning_content": text, "content": null}),
        6 => json!({"reasoning": text, "content": ""}),
        7 => json!({"reasoning": text, "reasoning_content": "x"}),
        8 => json!({"content": text, "surprise": text}),
        9 => json!({"tool_calls": [{"index": index, "id": "a", "function": {"name": "f", "arguments": text}}]}),
        12 | 13 => json!({"reasoning": text, "reasoning_details": [{"type": "reasoning.text", "index": index / 2, "format": "f", "text": text}]}),
        14 => json!({"content": "", "reasoning": text, "reasoning_details": [{"type": "reasoning.summary", "summary": text, "index": 0}]}),
        15 => json!({"reasoning": text, "reasoning_details": [{"type": "reasoning.text", "index": index, "format": "f", "text": "x", "signature": text}]}),
        10 => json!({"content": [{"type": "text", "text": text}]}),
        _ => json!({"tool_calls": [{"index": index, "function": {"arguments": text}}]}),
    });
    let ends = (0..20_u8, "[a-z]{0,4}", 0..3_u8);
    (delta, ends).prop_map(|(delta, (end, padding, choice))| {
        let finish = (end == 0).then_some("stop");
        let index = u8::from(choice == 0 && end == 1);
        let mut body = json!({"id": "r", "model": "m", "choices": [{"index": index, "delta": delta, "finish_reason": finish}]});
        match end {
            2 => body["usage"] = json!({"prompt_tokens": 1}),
            3 => body["error"] = json!({"message": padding}),
            4 => body["citations"] = json!(["https://x.example"]),
            5 => body["choices"][0]["logprobs"] = json!({"content": [{"token": padding}]}),
            6..=9 => body["obfuscation"] = padding.into(),
            10 => body["p"] = padding.into(),
            _ => {}
        }
        body.to_string().into_bytes()
    })
}

proptest! {
    #[test]
    fn any_stream_is_read_alike_both_ways(events in prop::collection::vec(chunk(), 0..24), broken: Option<(usize, usize, u8)>) {
        let mut events = events;
        if let Some((event, at, byte)) = broken
            && !events.is_empty()
        {
            let event = event % events.len();
            let at = at % events[event].len();
            events[event][at] = byte;
        }
        both(&events);
    }
}
