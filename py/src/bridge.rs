//! Bridge from operations to event loops.
//!
//! Only the loop's own thread polls an operation, so cancelling it means dropping it. Wakers queue the operation and
//! wake the loop once per batch: neither a waker nor a thread of the engine ever waits for the GIL.

use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use std::collections::HashMap;
use std::panic::catch_unwind;
use std::sync::{Arc, Mutex, OnceLock, Weak, mpsc};
use std::task::Wake;

use pyo3::exceptions::PyRuntimeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyTuple, PyWeakrefReference};

use crate::engine::engine;
use crate::held::check;
use crate::lifecycle::{self, lock};
use crate::operation::{Answer, Failure, Operation};
use crate::wakeup::SocketPair;

/// Woken operations of one loop.
struct ReadyQueue {
    ready: Mutex<Vec<Arc<Task>>>,
    /// True if the loop was woken and has not drained the queue yet.
    wake_pending: AtomicBool,
    /// `None` for a loop that cannot watch sockets.
    wakeup: Option<SocketPair>,
    /// Weak references to the loop and to its bridge.
    target: OnceLock<(Py<PyWeakrefReference>, Py<PyWeakrefReference>)>,
}

impl ReadyQueue {
    /// Wakes the loop, which then drains the queue.
    fn wake_loop(self: Arc<Self>) {
        match &self.wakeup {
            Some(wakeup) => wakeup.wake(),
            // Sending fails only in a process that is ending.
            None => drop(wake_thread().send(self)),
        }
    }
}

struct Task {
    operation: Mutex<Option<Operation>>,
    queued: AtomicBool,
    queue: Weak<ReadyQueue>,
    /// Address of the future that the operation settles.
    key: AtomicUsize,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        if self.queued.swap(true, Ordering::AcqRel) {
            return;
        }
        let Some(queue) = self.queue.upgrade() else { return };
        lock(&queue.ready).push(self);
        if !queue.wake_pending.swap(true, Ordering::AcqRel) {
            queue.wake_loop();
        }
    }
}

impl Task {
    /// Polls the operation. Returns its outcome once it is done, `None` before and after.
    fn poll(self: &Arc<Self>) -> Option<Result<Result<Answer, Failure>, Panicked>> {
        let waker = Waker::from(Arc::clone(self));
        let mut operation = lock(&self.operation).take()?;
        let polled = AssertUnwindSafe(|| operation.as_mut().poll(&mut Context::from_waker(&waker)));
        match catch_unwind(polled) {
            Ok(Poll::Ready(result)) => Some(Ok(result)),
            Ok(Poll::Pending) => {
                *lock(&self.operation) = Some(operation);
                None
            }
            Err(_) => Some(Err(Panicked)),
        }
    }

    fn drop_operation(&self) {
        let operation = lock(&self.operation).take();
        drop(operation);
    }
}

/// The operation panicked.
struct Panicked;

/// Sets the outcome of a future, unless it was cancelled.
fn settle<'py>(future: &Bound<'py, PyAny>, result: PyResult<Bound<'py, PyAny>>) -> PyResult<()> {
    let _inside = lifecycle::enter(future.py());
    if !future.call_method0("done")?.is_truthy()? {
        match result {
            Ok(value) => future.call_method1("set_result", (value,))?,
            Err(error) => future.call_method1("set_exception", (error,))?,
        };
    }
    Ok(())
}

/// Queues of all loops, for the end of the interpreter.
static QUEUES: Mutex<Vec<Weak<ReadyQueue>>> = Mutex::new(Vec::new());

/// Ends the operations of every loop, so that threads that run one can be joined. Called when no operation can be
/// started any more.
pub(crate) fn leave(py: Python<'_>) {
    let all = core::mem::take(&mut *lock(&QUEUES));
    for queue in all.iter().filter_map(Weak::upgrade) {
        let Some((event_loop, bridge)) = queue.target.get() else { continue };
        if let (Some(event_loop), Some(bridge)) = (event_loop.bind(py).upgrade(), bridge.bind(py).upgrade()) {
            // Fails for a closed loop, where nothing waits.
            let _ = bridge.getattr("drain").and_then(|drain| event_loop.call_method1("call_soon_threadsafe", (drain,)));
        }
    }
}

/// A started operation with the future that it settles.
struct Started {
    task: Arc<Task>,
    future: Py<PyAny>,
}

/// Operations of one event loop. An attribute of the loop, and lives as long as it.
#[pyclass(frozen, weakref, module = "rustuya._native")]
pub(crate) struct LoopBridge {
    queue: Arc<ReadyQueue>,
    started: Mutex<HashMap<usize, Started>>,
}

#[pymethods]
impl LoopBridge {
    /// Creates the bridge of a loop.
    #[staticmethod]
    fn attach<'py>(event_loop: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Self>> {
        let py = event_loop.py();
        engine(py)?;
        let _inside = lifecycle::enter(py);
        let wakeup = SocketPair::new(event_loop)?;
        let (ready, wake_pending) = (Mutex::default(), AtomicBool::new(false));
        let queue = Arc::new(ReadyQueue { ready, wake_pending, wakeup, target: OnceLock::new() });
        let bridge = Bound::new(py, Self { queue: Arc::clone(&queue), started: Mutex::default() })?;
        let weak = |object: &Bound<'py, PyAny>| PyWeakrefReference::new(object).map(Bound::unbind);
        let _ = queue.target.set((weak(event_loop)?, weak(bridge.as_any())?));
        let mut all = lock(&QUEUES);
        all.retain(|known| known.strong_count() > 0);
        all.push(Arc::downgrade(&queue));
        drop(all);
        if let Some(wakeup) = &queue.wakeup {
            wakeup.watch(event_loop, bridge.getattr("drain")?)?;
        }
        Ok(bridge)
    }

    /// Polls the woken operations. Called by the loop.
    fn drain(&self, py: Python<'_>) -> PyResult<()> {
        if let Some(wakeup) = &self.queue.wakeup {
            wakeup.clear();
        }
        // Before the queue is taken: a later waker wakes the loop again.
        self.queue.wake_pending.store(false, Ordering::Release);
        let ready = core::mem::take(&mut *lock(&self.queue.ready));
        // The failure of one must not keep the others waiting.
        let mut failed = None;
        for task in ready {
            task.queued.store(false, Ordering::Release);
            let Some(result) = task.poll() else { continue };
            let started = lock(&self.started).remove(&task.key.load(Ordering::Relaxed));
            let Some(Started { future, .. }) = started else { continue };
            let result = match result {
                Ok(Ok(answer)) => answer.into_python(py),
                Ok(Err(failure)) => Err(failure.into_error(py)),
                Err(Panicked) => Err(PyRuntimeError::new_err("a bug in rustuya: see the message of the panic")),
            };
            failed = failed.or(settle(future.bind(py), result).err());
        }
        if lifecycle::is_leaving()
            && let Err(ending) = check(py)
        {
            let all = core::mem::take(&mut *lock(&self.started));
            for Started { task, future } in all.into_values() {
                task.drop_operation();
                failed = failed.or(settle(future.bind(py), Err(ending.clone_ref(py))).err());
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Drops the operation of a future. A command that was not sent yet is discarded.
    fn cancel(&self, future: &Bound<'_, PyAny>) {
        let started = lock(&self.started).remove(&(future.as_ptr() as usize));
        if let Some(started) = started {
            started.task.drop_operation();
        }
    }

    /// Number of operations that have not ended.
    fn __len__(&self) -> usize {
        lock(&self.started).len()
    }

    fn __bool__(&self) -> bool {
        true
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // Only the loop's own thread takes this lock; the garbage collector must not wait for it.
        if let Ok(started) = self.started.try_lock() {
            for entry in started.values() {
                visit.call(&entry.future)?;
            }
        }
        Ok(())
    }

    fn __clear__(&self) {
        let all = core::mem::take(&mut *lock(&self.started));
        all.values().for_each(|entry| entry.task.drop_operation());
    }
}

impl Drop for LoopBridge {
    fn drop(&mut self) {
        if lifecycle::is_forked() {
            return core::mem::forget(core::mem::take(&mut *lock(&self.started)));
        }
        lock(&self.started).values().for_each(|entry| entry.task.drop_operation());
    }
}

/// Starts an operation in the loop's own thread. Returns a future of the loop, or the outcome in a tuple of one when
/// the operation is done at once.
pub(crate) fn start<'py>(bridge: &Bound<'py, LoopBridge>, mut operation: Operation) -> PyResult<Bound<'py, PyAny>> {
    let py = bridge.py();
    check(py)?;
    let this = bridge.get();
    let task = Arc::new(Task {
        operation: Mutex::new(None),
        queued: AtomicBool::new(false),
        queue: Arc::downgrade(&this.queue),
        key: AtomicUsize::new(0),
    });
    // A wake-up during this poll queues the task; the loop polls it after this function has returned.
    let waker = Waker::from(Arc::clone(&task));
    if let Poll::Ready(result) = operation.as_mut().poll(&mut Context::from_waker(&waker)) {
        let value = result.map_err(|failure| failure.into_error(py))?.into_python(py)?;
        return Ok(PyTuple::new(py, [value])?.into_any());
    }
    let closed = || PyRuntimeError::new_err("the event loop is gone");
    let (event_loop, _) = this.queue.target.get().ok_or_else(closed)?;
    let _inside = lifecycle::enter(py);
    let future = event_loop.bind(py).upgrade().ok_or_else(closed)?.call_method0("create_future")?;
    let key = future.as_ptr() as usize;
    task.key.store(key, Ordering::Relaxed);
    *lock(&task.operation) = Some(operation);
    lock(&this.started).insert(key, Started { task, future: future.clone().unbind() });
    Ok(future)
}

/// Returns the queue of the thread that wakes loops which cannot watch sockets.
fn wake_thread() -> mpsc::Sender<Arc<ReadyQueue>> {
    static QUEUE: OnceLock<mpsc::Sender<Arc<ReadyQueue>>> = OnceLock::new();
    let queue = QUEUE.get_or_init(|| {
        let (sender, queues) = mpsc::channel();
        // Without a thread, sending fails, and loops are not woken: nothing else would work either.
        let _ = std::thread::Builder::new().name("rustuya-asyncio".to_owned()).spawn(move || wake_loops(&queues));
        sender
    });
    queue.clone()
}

fn wake_loops(queues: &mpsc::Receiver<Arc<ReadyQueue>>) {
    while let Ok(queue) = queues.recv() {
        let called = lifecycle::attach(|py| {
            let (event_loop, bridge) = queue.target.get()?;
            let (event_loop, bridge) = (event_loop.bind(py).upgrade()?, bridge.bind(py).upgrade()?);
            let drain = bridge.getattr("drain").ok()?;
            if event_loop.call_method1("call_soon_threadsafe", (drain,)).is_err() {
                // The loop was closed: its futures will never be settled.
                bridge.cast::<LoopBridge>().ok()?.get().__clear__();
            }
            Some(())
        });
        if called.is_none() {
            break;
        }
    }
}
