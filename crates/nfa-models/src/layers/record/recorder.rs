//! Writing a recording.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use nfa_core::Error;
use nfa_core::ports::{CallContext, Capabilities, Model, ModelDelta, ModelRequest, ModelStream};
use serde_json::Value;

use super::super::watched::{Outcome, Watch, Watched};
use super::super::{canonical, lock};
use super::exchange::{Ending, Exchange, HEADER, RecordedDelta, failed, read};

/// A file that exchanges are recorded into. Clones write into the same file.
///
/// Recording again adds to what is there; a last line that was cut off in a crash is taken away first. An
/// exchange is one write, when it is over: answers, errors, and calls that were dropped. The file is written
/// where the call runs, without handing it to another thread: recording is for tests, not for servers. What
/// cannot be written never disturbs a call; [`Recorder::finish`] tells of it.
///
/// ```
/// use futures_util::StreamExt;
/// use nfa_core::ports::{CallContext, Model, ModelRequest};
/// use nfa_models::{Recorder, Replay, ReplayOrder};
/// use nfa_testkit::scripted::{ScriptedModel, Turn};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("hello.jsonl");
/// let (context, request) = (CallContext::detached(), ModelRequest::new(vec![]));
/// let recorder = Recorder::open(&path)?;
/// let model = recorder.around(ScriptedModel::new([Turn::text("hi")]));
/// let real = model.generate(&context, &request).next().await.unwrap()?;
/// recorder.finish()?;
///
/// let replay = Replay::open(&path, ReplayOrder::Recorded)?;
/// assert_eq!(replay.generate(&context, &request).next().await.unwrap()?, real);
/// replay.finish()?;
/// # Ok::<(), nfa_core::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Recorder(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    /// Exchanges asked so far.
    asked: u64,
    failure: Option<Error>,
}

impl Recorder {
    /// Opens the recording at `path`, or begins it.
    ///
    /// # Errors
    /// `recording_invalid` when the file is no recording of this version, `recording_failed` when it cannot be
    /// opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let io = |what| move |error| failed(path, what, error);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(io("open"))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io("read"))?;
        let text = valid_text(path, &bytes)?;
        let there = read(path, text)?;
        if there.whole < bytes.len() {
            file.set_len(there.whole as u64).map_err(io("repair"))?;
        }
        file.seek(std::io::SeekFrom::End(0)).map_err(io("read"))?;
        if there.whole == 0 {
            file.write_all(format!("{HEADER}\n").as_bytes())
                .map_err(io("write"))?;
        }
        let asked = there.exchanges.last().map_or(0, |(_, last)| last.at);
        Ok(Self(Arc::new(Shared {
            path: path.to_owned(),
            state: Mutex::new(State {
                file,
                asked,
                failure: None,
            }),
        })))
    }

    /// `inner`, with all that it is asked and says written down.
    pub fn around<M: Model>(&self, inner: M) -> Recording<M> {
        Recording {
            inner,
            recorder: self.clone(),
            deltas: false,
        }
    }

    /// Makes what was written durable.
    ///
    /// # Errors
    /// `recording_failed` when this, or any earlier write, failed: then exchanges are missing.
    pub fn finish(&self) -> Result<(), Error> {
        let mut state = lock(&self.0.state);
        match state.failure.take() {
            Some(failure) => Err(failure),
            None => state
                .file
                .sync_all()
                .map_err(|error| failed(&self.0.path, "write", error)),
        }
    }

    fn next(&self) -> u64 {
        let mut state = lock(&self.0.state);
        state.asked += 1;
        state.asked
    }

    fn write(&self, exchange: &Exchange) {
        let line = serde_json::to_string(exchange);
        let mut state = lock(&self.0.state);
        let written = match line {
            Ok(line) => state.file.write_all(format!("{line}\n").as_bytes()),
            Err(error) => Err(std::io::Error::new(ErrorKind::InvalidData, error)),
        };
        if let Err(error) = written {
            let failure = failed(&self.0.path, "write", error);
            state.failure.get_or_insert(failure);
        }
    }
}

/// The bytes as text; a code point that was cut off at the very end is part of a torn line.
pub(super) fn valid_text<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a str, Error> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) if error.error_len().is_none() => {
            let whole = bytes.get(..error.valid_up_to()).unwrap_or_default();
            Ok(std::str::from_utf8(whole).unwrap_or_default())
        }
        Err(error) => Err(failed(
            path,
            "read",
            std::io::Error::new(ErrorKind::InvalidData, error),
        )),
    }
}

/// A model whose exchanges are recorded; made by [`Recorder::around`].
#[derive(Debug)]
pub struct Recording<M> {
    inner: M,
    recorder: Recorder,
    deltas: bool,
}

impl<M> Recording<M> {
    /// The same, with every delta written down too: how the answer was cut is replayed, retractions included.
    #[must_use]
    pub fn with_deltas(mut self) -> Self {
        self.deltas = true;
        self
    }
}

impl<M: Model> Model for Recording<M> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn generate<'a>(
        &'a self,
        context: &'a CallContext,
        request: &'a ModelRequest,
    ) -> ModelStream<'a> {
        let scribe = Scribe {
            recorder: &self.recorder,
            model: self.inner.name(),
            at: self.recorder.next(),
            request,
            deltas: self.deltas.then(Vec::new),
        };
        Box::pin(Watched::new(self.inner.generate(context, request), scribe))
    }
}

/// Writes down one exchange.
struct Scribe<'a> {
    recorder: &'a Recorder,
    model: &'a str,
    at: u64,
    request: &'a ModelRequest,
    deltas: Option<Vec<RecordedDelta>>,
}

impl Watch for Scribe<'_> {
    fn delta(&mut self, delta: &ModelDelta) {
        if let Some(deltas) = &mut self.deltas {
            deltas.extend(RecordedDelta::of(delta));
        }
    }

    fn end(&mut self, outcome: Outcome<'_>) {
        let ending = match outcome {
            Outcome::Answer(answer) => Ending::Answer(Box::new(answer.clone())),
            Outcome::Error(error) => Ending::Error(error.into(), error.retry_after()),
            Outcome::Dropped => Ending::Dropped,
        };
        self.recorder.write(&Exchange {
            at: self.at,
            model: self.model.to_owned(),
            request: canonical::request(self.request)
                .map(canonical::normal)
                .unwrap_or(Value::Null),
            deltas: self.deltas.take().unwrap_or_default(),
            ending,
        });
    }
}
