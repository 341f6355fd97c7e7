//! Operations in event loops.
//!
//! An operation is polled by the loop's own thread, so that nothing of it happens anywhere else, and cancelling it is
//! dropping it. Wakers put it into the loop's queue and ring its bell, once per batch: neither a waker nor a thread of
//! the engine ever waits for the GIL.

use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use std::collections::HashMap;
use std::panic::catch_unwind;
use std::sync::{Arc, Mutex, OnceLock, Weak, mpsc};
use std::task::Wake;

use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyTuple, PyWeakrefReference};

use crate::args;
use crate::bell::Bell;
use crate::device::{self, Device};
use crate::engine::{self, lock};
use crate::manager::{self, Manager};
use crate::operation::{Answer, Failure, Operation};
use crate::scanner::Scanner;
use crate::sub_device::SubDevice;
use crate::testing::{self, VirtualDevice};
use crate::verbs::{Options, Target};

/// What wakers know of a loop.
struct Queue {
    ready: Mutex<Vec<Arc<Task>>>,
    /// Whether the loop is on its way to look into the queue.
    called: AtomicBool,
    bell: Option<Bell>,
    /// Weak references to the loop and to its bridge.
    target: OnceLock<(Py<PyWeakrefReference>, Py<PyWeakrefReference>)>,
}

impl Queue {
    /// Has the loop look into the queue.
    fn call(self: Arc<Self>) {
        match &self.bell {
            Some(bell) => bell.ring(),
            // It fails in a process that is ending.
            None => drop(callers().send(self)),
        }
    }
}

struct Task {
    operation: Mutex<Option<Operation>>,
    queued: AtomicBool,
    queue: Weak<Queue>,
    /// The address of the future that stands for it.
    key: AtomicUsize,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        if self.queued.swap(true, Ordering::AcqRel) {
            return;
        }
        let Some(queue) = self.queue.upgrade() else { return };
        lock(&queue.ready).push(self);
        if !queue.called.swap(true, Ordering::AcqRel) {
            queue.call();
        }
    }
}

impl Task {
    /// What has come of the operation, if anything has. It is over then.
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

/// Gives a future its outcome, unless it was cancelled.
fn settle<'py>(future: &Bound<'py, PyAny>, result: PyResult<Bound<'py, PyAny>>) -> PyResult<()> {
    let _inside = engine::enter(future.py());
    if !future.call_method0("done")?.is_truthy()? {
        match result {
            Ok(value) => future.call_method1("set_result", (value,))?,
            Err(error) => future.call_method1("set_exception", (error,))?,
        };
    }
    Ok(())
}

/// The queues of all loops, for the end of the interpreter.
static BRIDGES: Mutex<Vec<Weak<Queue>>> = Mutex::new(Vec::new());

/// Has every loop give up what it waits for, so that threads that run one can be joined. Called when no operation can
/// be begun any more.
pub(crate) fn leave(py: Python<'_>) {
    let all = core::mem::take(&mut *lock(&BRIDGES));
    for queue in all.iter().filter_map(Weak::upgrade) {
        let Some((event_loop, bridge)) = queue.target.get() else { continue };
        if let (Some(event_loop), Some(bridge)) = (event_loop.bind(py).upgrade(), bridge.bind(py).upgrade()) {
            // It fails for a loop that was closed: nobody waits there.
            let _ = bridge.getattr("drain").and_then(|drain| event_loop.call_method1("call_soon_threadsafe", (drain,)));
        }
    }
}

/// What awaits the outcome.
struct Awaited {
    task: Arc<Task>,
    future: Py<PyAny>,
}

/// The operations of one event loop. Lives as long as the loop, whose attribute it is.
#[pyclass(frozen, weakref, module = "rustuya._native")]
pub(crate) struct LoopBridge {
    queue: Arc<Queue>,
    awaited: Mutex<HashMap<usize, Awaited>>,
}

#[pymethods]
impl LoopBridge {
    /// Makes the bridge of a loop.
    #[staticmethod]
    fn attach<'py>(event_loop: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Self>> {
        let py = event_loop.py();
        engine::engine(py)?;
        let _inside = engine::enter(py);
        let bell = Bell::new(event_loop)?;
        let (ready, called) = (Mutex::default(), AtomicBool::new(false));
        let queue = Arc::new(Queue { ready, called, bell, target: OnceLock::new() });
        let bridge = Bound::new(py, Self { queue: Arc::clone(&queue), awaited: Mutex::default() })?;
        let weak = |object: &Bound<'py, PyAny>| PyWeakrefReference::new(object).map(Bound::unbind);
        let _ = queue.target.set((weak(event_loop)?, weak(bridge.as_any())?));
        let mut all = lock(&BRIDGES);
        all.retain(|known| known.strong_count() > 0);
        all.push(Arc::downgrade(&queue));
        drop(all);
        if let Some(bell) = &queue.bell {
            bell.hang(event_loop, bridge.getattr("drain")?)?;
        }
        Ok(bridge)
    }

    /// Takes the operations forward that were woken. Called by the loop.
    fn drain(&self, py: Python<'_>) -> PyResult<()> {
        if let Some(bell) = &self.queue.bell {
            bell.quiet();
        }
        // Before the queue is taken: who comes later calls again.
        self.queue.called.store(false, Ordering::Release);
        let ready = core::mem::take(&mut *lock(&self.queue.ready));
        // What goes wrong with one of them keeps none of the others waiting.
        let mut failed = None;
        for task in ready {
            task.queued.store(false, Ordering::Release);
            let Some(result) = task.poll() else { continue };
            let awaited = lock(&self.awaited).remove(&task.key.load(Ordering::Relaxed));
            let Some(Awaited { future, .. }) = awaited else { continue };
            let result = match result {
                Ok(Ok(answer)) => answer.into_python(py),
                Ok(Err(failure)) => Err(failure.into_error(py)),
                Err(Panicked) => Err(PyRuntimeError::new_err("a bug in rustuya: see the message of the panic")),
            };
            failed = failed.or(settle(future.bind(py), result).err());
        }
        if engine::is_leaving()
            && let Err(ending) = engine::check(py)
        {
            let all = core::mem::take(&mut *lock(&self.awaited));
            for Awaited { task, future } in all.into_values() {
                task.drop_operation();
                failed = failed.or(settle(future.bind(py), Err(ending.clone_ref(py))).err());
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Drops the operation that a future stands for. A command that was not sent is not sent any more.
    fn cancel(&self, future: &Bound<'_, PyAny>) {
        let awaited = lock(&self.awaited).remove(&(future.as_ptr() as usize));
        if let Some(awaited) = awaited {
            awaited.task.drop_operation();
        }
    }

    /// How many operations are under way.
    fn __len__(&self) -> usize {
        lock(&self.awaited).len()
    }

    fn __bool__(&self) -> bool {
        true
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // Held only by the thread that runs Python code of this loop.
        if let Ok(awaited) = self.awaited.try_lock() {
            for entry in awaited.values() {
                visit.call(&entry.future)?;
            }
        }
        Ok(())
    }

    fn __clear__(&self) {
        let all = core::mem::take(&mut *lock(&self.awaited));
        all.values().for_each(|entry| entry.task.drop_operation());
    }
}

impl Drop for LoopBridge {
    fn drop(&mut self) {
        if engine::is_forked() {
            return core::mem::forget(core::mem::take(&mut *lock(&self.awaited)));
        }
        lock(&self.awaited).values().for_each(|entry| entry.task.drop_operation());
    }
}

/// Begins an operation in the loop's own thread. Returns a future of the loop, or the outcome alone in a tuple when
/// there is nothing to wait for.
pub(crate) fn start<'py>(bridge: &Bound<'py, LoopBridge>, mut operation: Operation) -> PyResult<Bound<'py, PyAny>> {
    let py = bridge.py();
    engine::check(py)?;
    let this = bridge.get();
    let task = Arc::new(Task {
        operation: Mutex::new(None),
        queued: AtomicBool::new(false),
        queue: Arc::downgrade(&this.queue),
        key: AtomicUsize::new(0),
    });
    // Woken at once, it is queued; the loop looks at it when this has returned.
    let waker = Waker::from(Arc::clone(&task));
    if let Poll::Ready(result) = operation.as_mut().poll(&mut Context::from_waker(&waker)) {
        let value = result.map_err(|failure| failure.into_error(py))?.into_python(py)?;
        return Ok(PyTuple::new(py, [value])?.into_any());
    }
    let closed = || PyRuntimeError::new_err("the event loop is gone");
    let (event_loop, _) = this.queue.target.get().ok_or_else(closed)?;
    let _inside = engine::enter(py);
    let future = event_loop.bind(py).upgrade().ok_or_else(closed)?.call_method0("create_future")?;
    let key = future.as_ptr() as usize;
    task.key.store(key, Ordering::Relaxed);
    *lock(&task.operation) = Some(operation);
    lock(&this.awaited).insert(key, Awaited { task, future: future.clone().unbind() });
    Ok(future)
}

/// The thread that wakes loops that have no bell.
fn callers() -> mpsc::Sender<Arc<Queue>> {
    static CALLERS: OnceLock<mpsc::Sender<Arc<Queue>>> = OnceLock::new();
    let callers = CALLERS.get_or_init(|| {
        let (sender, queues) = mpsc::channel();
        // Without a thread, sending fails, and loops are not woken: nothing else would work either.
        let _ = std::thread::Builder::new().name("rustuya-asyncio".to_owned()).spawn(move || call(&queues));
        sender
    });
    callers.clone()
}

fn call(queues: &mpsc::Receiver<Arc<Queue>>) {
    while let Ok(queue) = queues.recv() {
        let called = engine::attach(|py| {
            let (event_loop, bridge) = queue.target.get()?;
            let (event_loop, bridge) = (event_loop.bind(py).upgrade()?, bridge.bind(py).upgrade()?);
            let drain = bridge.getattr("drain").ok()?;
            if event_loop.call_method1("call_soon_threadsafe", (drain,)).is_err() {
                // The loop was closed: nobody will ever take the outcomes.
                bridge.cast::<LoopBridge>().ok()?.get().__clear__();
            }
            Some(())
        });
        if called.is_none() {
            break;
        }
    }
}

/// The commands of a device or sub-device, and the waits of the other nouns, as futures of a loop.
#[pyclass(frozen, module = "rustuya._native")]
pub(crate) struct AsyncVerbs(Option<Subject>);

/// What the commands are for: the handle itself, which may be closed meanwhile.
enum Subject {
    Device(Py<Device>),
    Sub(Py<SubDevice>),
}

impl AsyncVerbs {
    fn target(&self, py: Python<'_>) -> PyResult<Target> {
        match &self.0 {
            Some(Subject::Device(device)) => device.get().target(py),
            Some(Subject::Sub(sub)) => sub.get().target(py),
            None => Err(PyTypeError::new_err("this stands for no device")),
        }
    }
}

type Awaitable<'py> = PyResult<Bound<'py, PyAny>>;

#[pymethods]
impl AsyncVerbs {
    #[new]
    fn py_new(target: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let Some(target) = target else { return Ok(Self(None)) };
        if let Ok(device) = target.cast::<Device>() {
            return Ok(Self(Some(Subject::Device(device.clone().unbind()))));
        }
        match target.cast::<SubDevice>() {
            Ok(sub) => Ok(Self(Some(Subject::Sub(sub.clone().unbind())))),
            Err(_) => Err(args::wrong_type(target, "device", "a Device or SubDevice of the package rustuya")),
        }
    }

    fn status<'py>(
        &self,
        bridge: &Bound<'py, LoopBridge>,
        wait: Option<args::WaitFor>,
        timeout: Option<args::Timeout>,
    ) -> Awaitable<'py> {
        start(bridge, self.target(bridge.py())?.status(bridge.py(), Options::of(&wait, &timeout))?.start())
    }

    fn query<'py>(
        &self,
        bridge: &Bound<'py, LoopBridge>,
        dps: Option<args::Dps<'py>>,
        timeout: Option<args::Timeout>,
    ) -> Awaitable<'py> {
        start(bridge, self.target(bridge.py())?.query(dps, timeout.map(|limit| limit.0))?)
    }

    fn set_value<'py>(
        &self,
        bridge: &Bound<'py, LoopBridge>,
        dp_id: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
        wait: Option<args::WaitFor>,
        timeout: Option<args::Timeout>,
    ) -> Awaitable<'py> {
        start(bridge, self.target(bridge.py())?.set_value(dp_id, value, Options::of(&wait, &timeout))?.start())
    }

    fn set_dps<'py>(
        &self,
        bridge: &Bound<'py, LoopBridge>,
        dps: &Bound<'py, PyAny>,
        wait: Option<args::WaitFor>,
        timeout: Option<args::Timeout>,
    ) -> Awaitable<'py> {
        start(bridge, self.target(bridge.py())?.set_dps(dps, Options::of(&wait, &timeout))?.start())
    }

    fn update_dps<'py>(
        &self,
        bridge: &Bound<'py, LoopBridge>,
        dp_ids: args::DpIds<'py>,
        wait: Option<args::WaitFor>,
        timeout: Option<args::Timeout>,
    ) -> Awaitable<'py> {
        start(
            bridge,
            self.target(bridge.py())?.update_dps(bridge.py(), &dp_ids.0, Options::of(&wait, &timeout))?.start(),
        )
    }

    fn request<'py>(
        &self,
        bridge: &Bound<'py, LoopBridge>,
        command: args::Command,
        data: Option<&Bound<'py, PyAny>>,
        cid: Option<args::Cid>,
        wait: Option<args::WaitFor>,
        timeout: Option<args::Timeout>,
    ) -> Awaitable<'py> {
        let order = self.target(bridge.py())?.request(
            bridge.py(),
            command.0,
            data,
            cid.as_ref().map(|cid| &*cid.0),
            Options::of(&wait, &timeout),
        )?;
        start(bridge, order.start())
    }

    fn sub_discover<'py>(
        &self,
        bridge: &Bound<'py, LoopBridge>,
        wait: Option<args::WaitFor>,
        timeout: Option<args::Timeout>,
    ) -> Awaitable<'py> {
        start(bridge, self.target(bridge.py())?.sub_discover(bridge.py(), Options::of(&wait, &timeout))?.start())
    }

    #[staticmethod]
    fn detect_dps<'py>(bridge: &Bound<'py, LoopBridge>, device: &Device) -> Awaitable<'py> {
        start(bridge, device::detected(device.open(bridge.py())?))
    }

    #[staticmethod]
    fn wait_connected<'py>(
        bridge: &Bound<'py, LoopBridge>,
        device: &Device,
        timeout: Option<args::Timeout>,
    ) -> Awaitable<'py> {
        start(bridge, device::connected(device.open(bridge.py())?, timeout.map(|limit| limit.0))?)
    }

    #[staticmethod]
    fn wait_ready<'py>(
        bridge: &Bound<'py, LoopBridge>,
        device: &Device,
        timeout: Option<args::Timeout>,
    ) -> Awaitable<'py> {
        start(bridge, device::ready(device.open(bridge.py())?, timeout.map(|limit| limit.0))?)
    }

    #[staticmethod]
    fn wait_settled<'py>(
        bridge: &Bound<'py, LoopBridge>,
        manager: &Manager,
        timeout: Option<args::Timeout>,
    ) -> Awaitable<'py> {
        start(bridge, manager::settled(manager.inner(bridge.py())?, timeout.map(|limit| limit.0))?)
    }

    #[staticmethod]
    fn close<'py>(bridge: &Bound<'py, LoopBridge>, device: &Device) -> Awaitable<'py> {
        start(bridge, device.closed(bridge.py())?)
    }

    #[staticmethod]
    fn shutdown<'py>(bridge: &Bound<'py, LoopBridge>, manager: &Manager) -> Awaitable<'py> {
        start(bridge, manager::ended(manager.inner(bridge.py())?))
    }

    #[staticmethod]
    fn shutdown_all<'py>(bridge: &Bound<'py, LoopBridge>) -> Awaitable<'py> {
        match manager::all_ended() {
            Some(operation) => start(bridge, operation),
            None => start(bridge, Box::pin(core::future::ready(Ok(Answer::Nothing)))),
        }
    }

    #[staticmethod]
    fn unplug<'py>(bridge: &Bound<'py, LoopBridge>, device: &VirtualDevice) -> Awaitable<'py> {
        start(bridge, testing::unplugged(device.inner(bridge.py())?))
    }

    #[staticmethod]
    fn plug<'py>(bridge: &Bound<'py, LoopBridge>, device: &VirtualDevice) -> Awaitable<'py> {
        start(bridge, testing::plugged(device.inner(bridge.py())?))
    }

    #[staticmethod]
    fn stop<'py>(bridge: &Bound<'py, LoopBridge>, device: &VirtualDevice) -> Awaitable<'py> {
        start(bridge, testing::stopped(device.inner(bridge.py())?))
    }

    #[staticmethod]
    fn scan<'py>(bridge: &Bound<'py, LoopBridge>, scanner: &Scanner) -> Awaitable<'py> {
        start(bridge, scanner.all(bridge.py())?)
    }

    #[staticmethod]
    fn discover<'py>(bridge: &Bound<'py, LoopBridge>, scanner: &Scanner, id: args::Id) -> Awaitable<'py> {
        start(bridge, scanner.one(bridge.py(), &id.0)?)
    }
}
