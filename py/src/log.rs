//! Log records of the engine for Python's `logging`, passed on through a bounded queue so that logging never blocks.

use core::cell::RefCell;
use core::fmt::{self, Write as _};
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::collections::HashMap;
use std::sync::Mutex;

use pyo3::prelude::*;
use rustuya_record::FrameLog;
use rustuya_runtime_tokio::DeviceBuilder;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record as Values};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

use crate::calls::CallQueue;
use crate::lifecycle::lock;

/// Largest number of queued records; more are dropped and counted.
const CAPACITY: usize = 8192;

/// Lowest level of which records are made, as Python's number.
static LEVEL: AtomicU8 = AtomicU8::new(30);
static DROPPED: AtomicU64 = AtomicU64::new(0);
static QUEUE: CallQueue<LogRecord> = CallQueue::new("records", CAPACITY);
static CALLBACK: Mutex<Option<Py<PyAny>>> = Mutex::new(None);

struct LogRecord {
    level: u8,
    target: &'static str,
    text: String,
}

/// Sets the lowest level of which records are made, as a number of Python's module `logging`.
#[pyfunction]
pub(crate) fn set_log_level(level: u8) {
    LEVEL.store(level, Ordering::Release);
    tracing::callsite::rebuild_interest_cache();
}

/// Sets a function that is called with level, logger name and text of every record, instead of the loggers. None resets
/// it.
#[pyfunction]
#[pyo3(signature = (callback))]
pub(crate) fn set_log_callback(callback: Option<Py<PyAny>>) {
    let before = core::mem::replace(&mut *lock(&CALLBACK), callback);
    drop(before);
}

/// Frame log: 0 is off, 1 logs frames without values, 2 with values.
static FRAMES: AtomicU8 = AtomicU8::new(0);

/// Logs the frames and commands of devices created from now on to the logger `rustuya.frames`, with the values of DPs
/// if `values` is true. False ends it for all devices.
#[pyfunction]
pub(crate) fn set_frame_log(enabled: bool, values: bool) {
    FRAMES.store(u8::from(enabled) + u8::from(enabled && values), Ordering::Release);
}

/// Logs the frames of a device if the frame log is on.
pub(crate) fn with_frame_log(builder: DeviceBuilder, id: &str) -> DeviceBuilder {
    let mode = FRAMES.load(Ordering::Acquire);
    if mode == 0 {
        return builder;
    }
    let id = id.to_owned();
    let log = move |line: &str| {
        if FRAMES.load(Ordering::Acquire) > 0 {
            send(LogRecord { level: 10, target: "rustuya::frames", text: format!("{id} {line}") });
        }
    };
    builder.record(FrameLog::new(log).values(mode > 1))
}

/// Installs the collector. A subscriber that the process already has keeps the records.
pub(crate) fn install() {
    let collector = Collector { spans: Mutex::default(), next: AtomicU64::new(1) };
    let _ = tracing::subscriber::set_global_default(collector);
}

const fn number(level: Level) -> u8 {
    match level {
        Level::ERROR => 40,
        Level::WARN => 30,
        Level::INFO => 20,
        Level::DEBUG => 10,
        Level::TRACE => 5,
    }
}

struct Collector {
    /// Fields that each record of a device ends with.
    spans: Mutex<HashMap<u64, Span>>,
    next: AtomicU64,
}

struct Span {
    fields: Fields,
    handles: usize,
}

thread_local! {
    static ENTERED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

impl Subscriber for Collector {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Always enables spans: the level may be lowered later.
        metadata.target().starts_with("rustuya")
            && (metadata.is_span() || number(*metadata.level()) >= LEVEL.load(Ordering::Acquire))
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(if LEVEL.load(Ordering::Acquire) <= 5 { LevelFilter::TRACE } else { LevelFilter::DEBUG })
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut fields = Fields::default();
        span.record(&mut fields);
        lock(&self.spans).insert(id, Span { fields, handles: 1 });
        Id::from_u64(id)
    }

    fn record(&self, span: &Id, values: &Values<'_>) {
        if let Some(span) = lock(&self.spans).get_mut(&span.into_u64()) {
            let mut new = Fields::default();
            values.record(&mut new);
            // A value that is recorded again replaces the earlier one.
            span.fields.values.retain(|(name, _)| !new.values.iter().any(|(other, _)| other == name));
            span.fields.values.append(&mut new.values);
        }
    }

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let current = || ENTERED.with_borrow(|stack| stack.last().copied());
        let span = event.parent().map(Id::into_u64).or_else(current);
        if let Some(span) = span.and_then(|id| lock(&self.spans).get(&id).map(|span| span.fields.values.clone())) {
            fields.values.extend(span);
        }
        let metadata = event.metadata();
        send(LogRecord { level: number(*metadata.level()), target: metadata.target(), text: fields.line() });
    }

    fn enter(&self, span: &Id) {
        ENTERED.with_borrow_mut(|stack| stack.push(span.into_u64()));
    }

    fn exit(&self, span: &Id) {
        ENTERED.with_borrow_mut(|stack| {
            if let Some(at) = stack.iter().rposition(|entered| *entered == span.into_u64()) {
                stack.remove(at);
            }
        });
    }

    fn clone_span(&self, id: &Id) -> Id {
        if let Some(span) = lock(&self.spans).get_mut(&id.into_u64()) {
            span.handles += 1;
        }
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let mut spans = lock(&self.spans);
        let Some(span) = spans.get_mut(&id.into_u64()) else { return false };
        span.handles -= 1;
        let last = span.handles == 0;
        if last {
            spans.remove(&id.into_u64());
        }
        last
    }
}

#[derive(Clone, Default)]
struct Fields {
    message: String,
    values: Vec<(&'static str, String)>,
}

impl Fields {
    fn line(self) -> String {
        let mut line = self.message;
        for (name, value) in self.values {
            // Writing to text cannot fail.
            let _ = write!(line, " {name}={value}");
        }
        line
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.values.push((field.name(), value.to_owned()));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.values.push((field.name(), value.to_string()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            self.values.push((field.name(), format!("{value:?}")));
        }
    }
}

fn send(record: LogRecord) {
    if !QUEUE.send(record) {
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

/// Starts the thread that passes records on.
pub(crate) fn start(py: Python<'_>) -> PyResult<()> {
    QUEUE.start(py)
}

/// Makes that thread end between two records.
pub(crate) fn leave() {
    QUEUE.end();
}

/// Function to call, if one was set; level; name of the logger; text.
type LogCall = (Option<Py<PyAny>>, u8, String, String);

/// Waits for the next record of the thread that passes them on; `None` ends it. The record before was passed on.
#[pyfunction]
pub(crate) fn next_record(py: Python<'_>) -> Option<LogCall> {
    QUEUE.returned();
    let record = match DROPPED.swap(0, Ordering::Relaxed) {
        0 => QUEUE.next(py)?,
        lost => LogRecord { level: 30, target: "rustuya", text: format!("{lost} records were lost") },
    };
    let name = record.target.replacen('_', ".", 1).replace("::", ".");
    let callback = lock(&CALLBACK).as_ref().map(|callback| callback.clone_ref(py));
    QUEUE.hand_out().then_some((callback, record.level, name, record.text))
}
