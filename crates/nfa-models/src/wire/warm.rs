//! Whether what an adapter kept of earlier requests ever shows in a later one.

use std::sync::Arc;

use nfa_core::content::Message;
use nfa_core::ports::ModelRequest;

use super::Wire;

/// Lets one adapter write a conversation turn by turn, then with its beginning left out, and with every message
/// in it twice. Each time the body, or the error's code, must be that of an adapter that never wrote before.
pub(crate) fn writes_as_if_cold<W: Wire>(make: impl Fn() -> W, request: &ModelRequest) {
    let messages = &request.messages;
    let turns = (1..=messages.len()).map(|end| messages.iter().take(end).cloned().collect());
    let cuts = (1..messages.len()).map(|start| messages.iter().skip(start).cloned().collect());
    let twice = messages.iter().chain(messages).cloned().collect();
    let histories: Vec<Vec<Arc<Message>>> = turns.chain(cuts).chain([twice]).collect();
    let warm = make();
    for messages in histories {
        let mut request = request.clone();
        request.messages = messages;
        let written = |model: &W| match model.body(&request) {
            Ok(body) => String::from_utf8(body.to_vec()).unwrap(),
            Err(error) => error.code().to_owned(),
        };
        assert_eq!(written(&warm), written(&make()));
    }
}
