//! A script: which reply each request gets.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

use super::reply::Reply;
use super::request::Request;
use crate::scripted::{answers, lock};

/// Which reply each request gets.
pub struct Script(Kind);

enum Kind {
    Replies(Mutex<VecDeque<Reply>>),
    Always(Reply),
    Function(Box<dyn Fn(&Request) -> Reply + Send + Sync>),
}

impl Script {
    /// One reply a request, in this order; a request too many gets status 400, `script_exhausted`.
    pub fn replies(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self(Kind::Replies(Mutex::new(replies.into_iter().collect())))
    }

    /// The same reply for every request.
    pub fn always(reply: Reply) -> Self {
        Self(Kind::Always(reply))
    }

    /// What `function` makes of each request.
    pub fn from_fn(function: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self(Kind::Function(Box::new(function)))
    }

    /// The vectors of whatever texts a request holds.
    pub fn embeddings() -> Self {
        Self::from_fn(Reply::embeddings)
    }

    /// Calls `tool` until the conversation holds `rounds` results, then says `text`. It decides by the
    /// request alone, so that any number of conversations can share the server.
    pub fn tool_rounds(rounds: usize, tool: &str, arguments: &str, text: &str) -> Self {
        let calls: Vec<_> = (0..rounds)
            .map(|round| {
                let mut answer = answers::call(tool, arguments);
                for part in &mut answer.message.parts {
                    if let nfa_core::content::Part::ToolCall(call) = part {
                        call.id = format!("call_{}", round + 1);
                    }
                }
                Reply::answer(answer).with_response_id(format!("answer_{round}"))
            })
            .collect();
        let last = Reply::text(text);
        Self::from_fn(move |request| calls.get(request.tool_results()).unwrap_or(&last).clone())
    }

    /// Calls `tool` again and again, for ever.
    pub fn endless_tool_loop(tool: &str, arguments: &str) -> Self {
        let (tool, arguments) = (tool.to_owned(), arguments.to_owned());
        Self::from_fn(move |request| {
            let mut answer = answers::call(&tool, arguments.as_str());
            for part in &mut answer.message.parts {
                if let nfa_core::content::Part::ToolCall(call) = part {
                    call.id = format!("call_{}", request.tool_results() + 1);
                }
            }
            Reply::answer(answer).with_response_id(format!("answer_{}", request.tool_results()))
        })
    }

    /// These replies in this order, again and again: a server that flaps.
    pub fn cycle(replies: impl IntoIterator<Item = Reply>) -> Self {
        let replies = Mutex::new(replies.into_iter().collect::<VecDeque<_>>());
        Self::from_fn(move |request| {
            let mut replies = lock(&replies);
            replies.rotate_left(1);
            replies
                .back()
                .cloned()
                .unwrap_or_else(|| exhausted(request))
        })
    }

    /// The reply of the request's API key ([`Request::api_key`]); any other key gets status 401.
    pub fn by_key(replies: impl IntoIterator<Item = (&'static str, Reply)>) -> Self {
        let replies: Vec<_> = replies.into_iter().collect();
        Self::from_fn(move |request| {
            let key = request.api_key().unwrap_or_default();
            let own = replies.iter().find(|(known, _)| *known == key);
            own.map_or_else(
                || Reply::error(401, "invalid_api_key", "no such key"),
                |(_, reply)| reply.clone(),
            )
        })
    }

    /// Each reply until so long after the first request, and then `after`: a brown-out that passes.
    pub fn by_time(windows: impl IntoIterator<Item = (Duration, Reply)>, after: Reply) -> Self {
        let windows: Vec<_> = windows.into_iter().collect();
        let first = OnceLock::new();
        Self::from_fn(move |_| {
            let since = first.get_or_init(Instant::now).elapsed();
            let now = windows.iter().find(|(until, _)| since < *until);
            now.map_or(&after, |(_, reply)| reply).clone()
        })
    }

    pub(super) fn reply(&self, request: &Request) -> Reply {
        match &self.0 {
            Kind::Replies(replies) => lock(replies)
                .pop_front()
                .unwrap_or_else(|| exhausted(request)),
            Kind::Always(reply) => reply.clone(),
            Kind::Function(function) => function(request),
        }
    }
}

fn exhausted(request: &Request) -> Reply {
    let message = format!("the script has no reply for request {}", request.number());
    Reply::error(400, "script_exhausted", &message)
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Replies(_) => "Script(replies)",
            Kind::Always(_) => "Script(always)",
            Kind::Function(_) => "Script(function)",
        })
    }
}
