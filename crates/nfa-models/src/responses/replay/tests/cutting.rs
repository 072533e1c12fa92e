//! Law L7: nothing depends on how the bytes were cut.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn l7_any_cutting_gives_the_same_answer(cuts in prop::collection::vec(0_usize..3000, 0..20)) {
        let text = stream(&[
            added(0, &json!({"type": "message", "id": "msg_1"})),
            json!({"type": "response.output_text.delta", "output_index": 0, "delta": "é—\u{1F600}"}),
            json!({"type": "response.output_text.delta", "output_index": 0, "delta": "x"}),
            done(0, &message("é—\u{1F600}x")),
            added(1, &json!({"type": "function_call", "id": "fc_1", "call_id": "call_a", "name": "add"})),
            json!({"type": "response.function_call_arguments.delta", "output_index": 1, "delta": "{}"}),
            done(1, &call("{}")),
            completed(json!([message("é—\u{1F600}x"), call("{}")])),
        ]);
        let bytes = text.as_bytes();
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces: Vec<_> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
        let (whole, cut) = (read(&[bytes]), read(&pieces));
        prop_assert_eq!(folded(&whole.0), folded(&cut.0));
        prop_assert_eq!(whole.1.unwrap(), cut.1.unwrap());
    }

    #[test]
    fn l7_whatever_events_come_the_deltas_are_the_answer(
        picks in prop::collection::vec(0_usize..12, 0..30),
    ) {
        let delta = |kind: &str, index: u32, delta: &str| json!({"type": format!("response.{kind}.delta"), "output_index": index, "content_index": 0, "delta": delta});
        let events = [
            added(0, &json!({"type": "message", "id": "msg_1"})),
            delta("output_text", 0, "Hel"),
            delta("output_text", 0, "lo."),
            delta("refusal", 0, "No."),
            done(0, &message("Hello.")),
            added(1, &json!({"type": "function_call", "id": "fc_1", "call_id": "call_a", "name": "add"})),
            delta("function_call_arguments", 1, "{}"),
            done(1, &call("{}")),
            added(2, &json!({"type": "reasoning", "id": "rs_1"})),
            delta("reasoning_text", 2, "Hm."),
            done(2, &reasoning()),
            done(3, &search()),
        ];
        let mut chosen: Vec<_> = picks.iter().map(|pick| events[*pick].clone()).collect();
        chosen.push(completed(json!([message("Hello.")])));
        let text = stream(&chosen);
        let (deltas, answer) = read(&[text.as_bytes()]);
        let single: Vec<_> = text.as_bytes().chunks(1).collect();
        let (pieces, again) = read(&single);
        prop_assert_eq!(folded(&deltas), folded(&pieces));
        let Ok(answer) = answer else {
            prop_assert!(again.is_err());
            return Ok(());
        };
        prop_assert_eq!(again.ok(), Some(answer.clone()));
        let (said, thoughts, refusal, calls) = folded(&deltas);
        prop_assert_eq!(said, answer.message.joined_text());
        let told = |kind: fn(&Part) -> Option<&str>| -> String {
            answer.message.parts.iter().filter_map(kind).collect()
        };
        prop_assert_eq!(thoughts, told(|part| match part {
            Part::Reasoning { text, .. } => Some(text),
            _ => None,
        }));
        prop_assert_eq!(refusal, told(|part| match part {
            Part::Refusal { text } => Some(text),
            _ => None,
        }));
        let called = answer.message.tool_calls();
        let called: Vec<_> = called.map(|call| (call.name.clone(), call.arguments.clone())).collect();
        prop_assert_eq!(calls, called);
    }

    #[test]
    fn l7_damaged_bytes_read_the_same_however_they_are_cut(
        damage in prop::collection::vec((0_usize..4000, any::<u8>()), 1..6),
    ) {
        let text = stream(&[
            added(0, &message("")),
            json!({"type": "response.output_text.delta", "output_index": 0, "delta": "Hi."}),
            done(0, &message("Hi.")),
            done(1, &reasoning()),
            done(2, &call("{}")),
            completed(json!([message("Hi."), reasoning(), call("{}"), search()])),
        ]);
        let mut bytes = text.into_bytes();
        let length = bytes.len();
        for (at, byte) in damage {
            bytes[at % length] = byte;
        }
        let single: Vec<_> = bytes.chunks(1).collect();
        let (whole, cut) = (read(&[&bytes]), read(&single));
        prop_assert_eq!(folded(&whole.0), folded(&cut.0));
        prop_assert_eq!(whole.1.ok(), cut.1.ok());
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read_whole(&bytes);
        let _ = read(&[&bytes]);
    }
}
