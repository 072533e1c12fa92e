//! What the engine logs, for Python's `logging`.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

/// Records that wait for Python; when it does not keep up, the oldest go.
const ROOM: usize = 10_000;

/// The engine's log records, from the first call of `Logs()` on. For one reader.
#[pyclass(frozen, module = "nfa_runtime._native")]
pub(crate) struct Logs(Arc<Waiting>);

static WAITING: OnceLock<Arc<Waiting>> = OnceLock::new();

#[derive(Default)]
struct Waiting {
    kept: Mutex<Kept>,
    changed: Condvar,
}

#[derive(Default)]
struct Kept {
    records: VecDeque<Record>,
    least: u8,
    lost: u64,
}

struct Record {
    level: u8,
    target: &'static str,
    message: String,
    fields: Vec<(&'static str, String)>,
    file: Option<&'static str>,
    line: Option<u32>,
}

impl Waiting {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Logs {
    /// Raises `RuntimeError` when something else of the process takes the records of `tracing` already.
    #[new]
    fn new() -> PyResult<Self> {
        if let Some(waiting) = WAITING.get() {
            return Ok(Self(Arc::clone(waiting)));
        }
        let waiting = Arc::new(Waiting::default());
        let layer = Bridge(Arc::clone(&waiting));
        Registry::default()
            .with(layer)
            .try_init()
            .map_err(|error| pyo3::exceptions::PyRuntimeError::new_err(error.to_string()))?;
        Ok(Self(Arc::clone(WAITING.get_or_init(|| waiting))))
    }

    /// From which level of Python's on records are kept: 10, 20, 30, 40; 5 for all.
    fn set_level(&self, level: u8) {
        self.0.kept().least = level;
    }

    /// Waits, without the interpreter's lock, for records: `(level, target, message, fields, file, line)` each.
    #[allow(
        clippy::type_complexity,
        reason = "a list of records, as Python takes them apart"
    )]
    fn wait(
        &self,
        py: Python<'_>,
        seconds: f64,
    ) -> Vec<(
        u8,
        &'static str,
        String,
        Vec<(&'static str, String)>,
        Option<&'static str>,
        Option<u32>,
    )> {
        let waiting = Arc::clone(&self.0);
        let patience = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::from_secs(1));
        let records = py.detach(move || {
            let kept = waiting.kept();
            let (mut kept, _) = waiting
                .changed
                .wait_timeout_while(kept, patience, |kept| kept.records.is_empty())
                .unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut kept.records)
        });
        let records = records.into_iter().map(|record| {
            (
                record.level,
                record.target,
                record.message,
                record.fields,
                record.file,
                record.line,
            )
        });
        records.collect()
    }
}

struct Bridge(Arc<Waiting>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Bridge {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let metadata = event.metadata();
        let level = level_of(metadata.level());
        let mut kept = self.0.kept();
        if kept.least == 0 || level < kept.least {
            return;
        }
        let mut record = Record {
            level,
            target: metadata.target(),
            message: String::new(),
            fields: Vec::new(),
            file: metadata.file(),
            line: metadata.line(),
        };
        event.record(&mut record);
        if kept.records.len() >= ROOM {
            kept.records.pop_front();
            kept.lost += 1;
        }
        kept.records.push_back(record);
        self.0.changed.notify_one();
    }
}

fn level_of(level: &Level) -> u8 {
    match *level {
        Level::ERROR => 40,
        Level::WARN => 30,
        Level::INFO => 20,
        Level::DEBUG => 10,
        Level::TRACE => 5,
    }
}

impl Visit for Record {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        let _ = write!(text, "{value:?}");
        self.put(field, text);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.to_owned());
    }
}

impl Record {
    fn put(&mut self, field: &Field, text: String) {
        if field.name() == "message" {
            self.message = text;
        } else {
            self.fields.push((field.name(), text));
        }
    }
}
