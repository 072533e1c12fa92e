//! Standard input: a whole input at once, or a line at a time beside everything else.

use std::io::{self, BufRead, IsTerminal, Read};

use nfa_core::{Category, Component, Error};
use tokio::sync::mpsc;

/// The most bytes that one input or line may have.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// All of standard input, without the last line's end.
pub(crate) async fn whole() -> Result<String, Error> {
    let read = tokio::task::spawn_blocking(|| {
        let mut bytes = Vec::new();
        io::stdin()
            .lock()
            .take(MAX_BYTES + 1)
            .read_to_end(&mut bytes)?;
        Ok::<_, io::Error>(bytes)
    });
    let bytes = read
        .await
        .map_err(|error| unreadable(&error))?
        .map_err(|error| unreadable(&error))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(unreadable(&format!(
            "expected at most {MAX_BYTES} bytes, found more"
        )));
    }
    let mut text = String::from_utf8(bytes).map_err(|error| unreadable(&error.utf8_error()))?;
    text.truncate(text.trim_end_matches(['\n', '\r']).len());
    Ok(text)
}

fn unreadable(why: &dyn std::fmt::Display) -> Error {
    Error::new(
        Component::Cli,
        Category::Input,
        "input_unreadable",
        format!("standard input: expected UTF-8 text: {why}"),
    )
}

/// Lines of standard input, read on a thread of their own: waiting for one can be given up.
#[derive(Default)]
pub(crate) struct Lines {
    reader: Option<Reader>,
    /// A line was asked for and has not come yet.
    owed: bool,
}

struct Reader {
    asked: std::sync::mpsc::Sender<()>,
    lines: mpsc::UnboundedReceiver<Result<String, Error>>,
}

impl Reader {
    fn start() -> Self {
        let (asked, requests) = std::sync::mpsc::channel();
        let (sender, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            // Only what is asked for: the rest is left to whoever reads standard input next.
            while let Ok(()) = requests.recv() {
                let line = match read_line() {
                    Ok(Some(line)) => Ok(line),
                    Ok(None) => break,
                    Err(error) => Err(unreadable(&error)),
                };
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { asked, lines }
    }
}

impl Lines {
    /// The next line, or `None` at the end. Dropping the future loses no line.
    pub(crate) async fn next(&mut self) -> Option<Result<String, Error>> {
        let reader = self.reader.get_or_insert_with(Reader::start);
        if !self.owed {
            self.owed = reader.asked.send(()).is_ok();
        }
        let line = reader.lines.recv().await;
        self.owed = false;
        line
    }
}

fn read_line() -> io::Result<Option<String>> {
    let mut line = String::new();
    let read = io::stdin().lock().take(MAX_BYTES).read_line(&mut line)?;
    Ok((read > 0).then(|| line.trim_end_matches(['\n', '\r']).to_owned()))
}

/// Whether a person can be asked.
pub(crate) fn is_terminal() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}
