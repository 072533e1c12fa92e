//! What every contender does: the same requests, the same answers, the same tool.

use serde::{Deserialize, Serialize};

/// Rounds of the tool in [`Workload::Tools`].
pub(crate) const ROUNDS: usize = 3;
/// Chunks of text in [`Workload::Stream`].
pub(crate) const CHUNKS: usize = 256;

pub(crate) const INSTRUCTIONS: &str = "Answer briefly.";
pub(crate) const QUESTION: &str = "What is 2 + 40?";
const ANSWER: &str = "The answer is 42.";
const WORD: &str = "word ";

/// What one run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Workload {
    /// One model turn.
    One,
    /// Three rounds of a tool, then the answer.
    Tools,
    /// One turn, streamed in 256 chunks.
    Stream,
}

impl Workload {
    pub(crate) const ALL: [Self; 3] = [Self::One, Self::Tools, Self::Stream];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::One => "one model turn",
            Self::Tools => "three tool rounds",
            Self::Stream => "256 streamed chunks",
        }
    }

    /// The word by which a child process is told.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Tools => "tools",
            Self::Stream => "stream",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|all| all.word() == word)
    }

    /// What the server plays.
    pub(crate) fn script(self) -> nfa_testkit::server::Script {
        use nfa_testkit::server::{Reply, Script};
        match self {
            Self::One => Script::always(Reply::text(ANSWER)),
            Self::Tools => Script::tool_rounds(ROUNDS, "add", r#"{"a":2,"b":40}"#, ANSWER),
            Self::Stream => {
                Script::always(Reply::text(WORD.repeat(CHUNKS)).in_chunks_of(WORD.len()))
            }
        }
    }

    /// A contender that did not get the whole answer did not do the work.
    pub(crate) fn check(self, text: &str) -> crate::Result<()> {
        let right = match self {
            Self::One | Self::Tools => text == ANSWER,
            Self::Stream => text.len() == WORD.len() * CHUNKS,
        };
        if right {
            return Ok(());
        }
        Err(format!("{}: the answer is wrong: {text:?}", self.title()).into())
    }
}
