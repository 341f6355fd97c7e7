//! The one engine of a process: a tokio runtime, a registry, a service that finds devices. Started by what needs it
//! first.

use core::cell::Cell;
use core::hash::{Hash, Hasher};
use core::net::{Ipv4Addr, SocketAddrV4};
use core::pin::pin;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Wake;
use std::thread::{Thread, ThreadId};
use std::time::Instant;

use pyo3::prelude::*;
use rustuya_runtime_tokio::{AddError, DeviceBuilder, Discovery, Registry, TokioHandle, need_descriptors};
use tokio::runtime::{Handle, Runtime};

use crate::operation::{Answer, Operation};
use crate::words::words;
use crate::{args, errors, exit, log};

/// What a process has once.
pub(crate) struct Engine {
    runtime: Runtime,
    pub(crate) registry: Registry,
    discovery: Mutex<Option<Discovery>>,
    settings: Settings,
}

/// What [`configure`] sets.
#[derive(Clone, Debug)]
struct Settings {
    worker_threads: usize,
    dials_at_once: usize,
    /// Bytes that are remembered of all devices.
    memory_limit: Option<usize>,
    /// Bytes that wait for each listener of a manager.
    backlog_limit: Option<usize>,
    discovery: bool,
    ports: [u16; 3],
    bind: Ipv4Addr,
    broadcast: Option<Ipv4Addr>,
    probe_to: Vec<SocketAddrV4>,
    trust_relayed: bool,
}

static SETTINGS: Mutex<Settings> = Mutex::new(Settings {
    worker_threads: 2,
    dials_at_once: 128,
    memory_limit: None,
    backlog_limit: None,
    discovery: true,
    ports: [6666, 6667, 7000],
    bind: Ipv4Addr::UNSPECIFIED,
    broadcast: None,
    probe_to: Vec::new(),
    trust_relayed: false,
});
static ENGINE: OnceLock<Engine> = OnceLock::new();
static ENDING: AtomicBool = AtomicBool::new(false);
static LIFE: AtomicU8 = AtomicU8::new(Life::Running as u8);

/// What has become of the process, as far as this library is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Life {
    /// Everything works.
    Running,
    /// This is a child whose parent has the engine's threads.
    Forked,
    /// The interpreter is about to end: threads come back from their waits.
    Leaving,
    /// The interpreter ends: nobody may enter it any more.
    Over,
}

pub(crate) fn set_life(life: Life) {
    LIFE.store(life as u8, Ordering::SeqCst);
}

/// Whether this is a forked child that inherited an engine without its threads, whose locks may be held for good.
pub(crate) fn is_forked() -> bool {
    LIFE.load(Ordering::Acquire) == Life::Forked as u8
}

pub(crate) fn is_leaving() -> bool {
    LIFE.load(Ordering::Acquire) >= Life::Leaving as u8
}

/// Whether the interpreter has begun to end: from then on, what is closed is not closed by the program.
pub(crate) fn is_ending() -> bool {
    ENDING.load(Ordering::Acquire)
}

pub(crate) fn set_ending() {
    ENDING.store(true, Ordering::Release);
}

fn is_over() -> bool {
    LIFE.load(Ordering::SeqCst) == Life::Over as u8
}

/// Python code that was called and has not returned: functions of the program that hear of something, with no frames of
/// this library below them; and Python code with such frames.
static INSIDE: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];
/// The thread in which the interpreter ends.
static LAST: OnceLock<ThreadId> = OnceLock::new();

/// Python code is running that this library has called.
pub(crate) struct Inside(&'static AtomicUsize);

impl Inside {
    fn begin(count: &'static AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }

    /// A function of the program.
    pub(crate) fn callback() -> Self {
        Self::begin(&INSIDE[0])
    }

    fn above_ours() -> Self {
        Self::begin(&INSIDE[1])
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Announces that Python code is about to be called. Up to Python 3.13 the interpreter, when it ends, kills a daemon
/// thread that waits for the GIL; with frames of this library below the Python code, that aborts the process. So the
/// end waits until nobody is inside, and whoever comes later sleeps here for good, without the GIL.
pub(crate) fn enter(py: Python<'_>) -> Inside {
    let inside = Inside::above_ours();
    if is_over() {
        drop(inside);
        py.detach(stay_outside);
        return Inside::above_ours();
    }
    inside
}

fn ends_here() -> bool {
    LAST.get().is_some_and(|last| *last == std::thread::current().id())
}

/// Comes back only while the interpreter may be entered.
pub(crate) fn stay_outside() {
    if is_over() && !ends_here() {
        sleep_for_good();
    }
}

fn sleep_for_good() {
    loop {
        std::thread::park();
    }
}

/// Notes that the interpreter ends in this thread, and nobody else may enter it any more.
pub(crate) fn end(py: Python<'_>) {
    let _ = LAST.set(std::thread::current().id());
    set_life(Life::Over);
    py.detach(|| {
        wait_outside(&INSIDE[1], OUT_OF_OURS);
        wait_outside(&INSIDE[0], OUT);
    });
}

/// Runs Python code in a thread of this library; `None` when the interpreter is about to end.
pub(crate) fn attach<T>(work: impl FnOnce(Python<'_>) -> T) -> Option<T> {
    let _inside = Inside::above_ours();
    if LIFE.load(Ordering::SeqCst) == Life::Running as u8 { Python::try_attach(work) } else { None }
}

/// How long a function of the program may take to return before the interpreter ends all the same.
const OUT: Duration = Duration::from_secs(2);

/// The same for Python code with frames of this library below it. To go on without it aborts the process up to 3.13, and it
/// is never long, but for machines where many programs want to run.
const OUT_OF_OURS: Duration = Duration::from_secs(30);

fn wait_outside(count: &AtomicUsize, limit: Duration) {
    let ends = Instant::now() + limit;
    while count.load(Ordering::SeqCst) > 0 && Instant::now() < ends {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Waits until the function of the program that was called has returned. Other threads may still make calls.
pub(crate) fn wait_for_callbacks(py: Python<'_>) {
    py.detach(|| wait_outside(&INSIDE[0], OUT));
}

/// The engine if something has started it.
pub(crate) fn started() -> Option<&'static Engine> {
    ENGINE.get()
}

/// The engine, started if need be.
pub(crate) fn engine(py: Python<'_>) -> PyResult<&'static Engine> {
    check(py)?;
    let engine = match ENGINE.get() {
        Some(engine) => engine,
        // What stands in the way of it may be gone at the next call.
        None => {
            let started = Engine::start().map_err(|error| errors::no_engine(py, error))?;
            ENGINE.get_or_init(|| started)
        }
    };
    log::start(py)?;
    Ok(engine)
}

/// Whether calls can work at all.
pub(crate) fn check(py: Python<'_>) -> PyResult<()> {
    if is_forked() {
        let text = "rustuya was in use when this process was forked, and its threads stayed behind: use the \
                    start method 'spawn' or 'forkserver', or use rustuya for the first time after the fork";
        return Err(errors::leaf(py, "ForkedError", 906, text));
    }
    if is_leaving() {
        return Err(errors::leaf(py, "ClosedError", 906, "the interpreter is ending"));
    }
    Ok(())
}

impl Engine {
    fn start() -> std::io::Result<Self> {
        // With fewer, tokio panics instead of saying so.
        need_descriptors(6)?;
        let settings = lock(&SETTINGS).clone();
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let builder = builder.worker_threads(settings.worker_threads).thread_name("rustuya-io").enable_all();
        let runtime = builder.build()?;
        log::install();
        let driver = TokioHandle(runtime.handle().clone());
        let mut registry = Registry::builder(driver).dials_at_once(settings.dials_at_once).without_discovery();
        if let Some(bytes) = settings.memory_limit {
            registry = registry.memory_limit(bytes);
        }
        if let Some(bytes) = settings.backlog_limit {
            registry = registry.backlog_limit(bytes);
        }
        let registry = registry.build();
        Ok(Self { runtime, registry, discovery: Mutex::new(None), settings })
    }

    pub(crate) fn handle(&self) -> &Handle {
        self.runtime.handle()
    }

    pub(crate) fn driver(&self) -> TokioHandle {
        TokioHandle(self.handle().clone())
    }

    /// Has the device located by its announcements. Without ports to hear them on, that matters only to devices
    /// without an address.
    pub(crate) fn with_discovery(&self, builder: DeviceBuilder, located: bool) -> Result<DeviceBuilder, AddError> {
        if !self.settings.discovery {
            let off = || std::io::Error::other("discovery was switched off by rustuya.configure()");
            return if located { Ok(builder) } else { Err(AddError::Discovery(off())) };
        }
        let mut discovery = lock(&self.discovery);
        if discovery.is_none() {
            match self.start_discovery() {
                Ok(started) => *discovery = Some(started),
                Err(error) if !located => return Err(AddError::Discovery(error)),
                Err(error) => tracing::debug!(%error, "announcements cannot be received"),
            }
        }
        Ok(match &*discovery {
            Some(discovery) => builder.discovery(discovery),
            None => builder,
        })
    }

    fn start_discovery(&self) -> std::io::Result<Discovery> {
        let Settings { ports, bind, broadcast, probe_to, trust_relayed, .. } = &self.settings;
        let mut builder = Discovery::builder().ports(*ports).bind_address(*bind).probe_to(probe_to.iter().copied());
        builder = builder.trust_relayed(*trust_relayed);
        if let Some(broadcast) = broadcast {
            builder = builder.broadcast_address(*broadcast);
        }
        builder.start(&self.driver())
    }
}

/// Sets what the engine is like. Possible until the first device, manager or scanner is made.
#[doc = words!(args: worker_threads dials_at_once memory_limit backlog_limit discovery ports bind_address broadcast_address probe_to trust_relayed)]
#[doc = words!(raises: address types ended)]
#[pyfunction]
#[pyo3(signature = (*, worker_threads=None, dials_at_once=None, memory_limit=None, backlog_limit=None,
                    discovery=None, ports=None, bind_address=None,
                    broadcast_address=None, probe_to=None, trust_relayed=None))]
#[expect(clippy::too_many_arguments, reason = "they are keyword arguments in Python")]
pub(crate) fn configure(
    py: Python<'_>,
    worker_threads: Option<args::WorkerThreads>,
    dials_at_once: Option<args::DialsAtOnce>,
    memory_limit: Option<args::MemoryLimit>,
    backlog_limit: Option<args::BacklogLimit>,
    discovery: Option<args::UseDiscovery>,
    ports: Option<args::Ports>,
    bind_address: Option<args::BindAddress>,
    broadcast_address: Option<args::BroadcastAddress>,
    probe_to: Option<args::ProbeTo>,
    trust_relayed: Option<args::TrustRelayed>,
) -> PyResult<()> {
    check(py)?;
    if ENGINE.get().is_some() {
        let text = "call configure() before the first device, manager or scanner is made";
        return Err(errors::leaf(py, "ClosedError", 906, text));
    }
    let address = |text: &str| text.parse::<Ipv4Addr>().map_err(|_| errors::no_address(py, text));
    let mut settings = lock(&SETTINGS).clone();
    if let Some(threads) = worker_threads {
        settings.worker_threads = threads.0.clamp(1, 64);
    }
    settings.dials_at_once = dials_at_once.map_or(settings.dials_at_once, |given| given.0);
    settings.memory_limit = memory_limit.map(|given| given.0).or(settings.memory_limit);
    settings.backlog_limit = backlog_limit.map(|given| given.0).or(settings.backlog_limit);
    settings.discovery = discovery.map_or(settings.discovery, |given| given.0);
    settings.ports = ports.map_or(settings.ports, |given| given.0);
    settings.trust_relayed = trust_relayed.map_or(settings.trust_relayed, |given| given.0);
    if let Some(bind) = bind_address {
        settings.bind = address(&bind.0)?;
    }
    if let Some(broadcast) = broadcast_address {
        settings.broadcast = Some(address(&broadcast.0)?);
    }
    if let Some(to) = probe_to {
        let socket = |(host, port): &(String, u16)| Ok(SocketAddrV4::new(address(host)?, *port));
        settings.probe_to = to.0.iter().map(socket).collect::<PyResult<_>>()?;
    }
    *lock(&SETTINGS) = settings;
    Ok(())
}

/// The longest time that a signal waits for its handler during a blocking call.
const SLICE: Duration = Duration::from_millis(50);

struct Parker {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.woken.swap(true, Ordering::AcqRel) {
            self.thread.unpark();
        }
    }
}

thread_local! {
    static PARKER: Cell<Option<Arc<Parker>>> = const { Cell::new(None) };
}

/// Waits for a future without the GIL, and lets signal handlers run meanwhile. `None` after `limit`.
///
/// The first look is taken with the GIL held: no thread of the engine ever waits for it, and most commands are done
/// at once.
pub(crate) fn block<F>(py: Python<'_>, future: F, limit: Option<Duration>) -> PyResult<Option<F::Output>>
where
    F: Future + Send,
    F::Output: Send,
{
    let mut future = pin!(future);
    let parker = PARKER
        .take()
        .unwrap_or_else(|| Arc::new(Parker { thread: std::thread::current(), woken: AtomicBool::new(false) }));
    let waker = Waker::from(Arc::clone(&parker));
    parker.woken.store(false, Ordering::Release);
    if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
        PARKER.set(Some(parker));
        return Ok(Some(output));
    }
    let ends = limit.and_then(|limit| Instant::now().checked_add(limit));
    loop {
        let step = py.detach(|| {
            let step = wait(&parker, ends, || future.as_mut().poll(&mut Context::from_waker(&waker)));
            // A thread that came back now would be killed inside of this function.
            stay_outside();
            step
        });
        match step {
            Step::Done(output) => {
                PARKER.set(Some(parker));
                return Ok(Some(output));
            }
            Step::Over => return Ok(None),
            Step::Slice => {
                py.check_signals()?;
                exit::look(py);
                if is_leaving() {
                    return Err(errors::leaf(py, "ClosedError", 906, "the interpreter is ending"));
                }
                // A handler may have waited on this thread, too, and taken the wake-up.
                parker.woken.store(true, Ordering::Release);
            }
        }
    }
}

enum Step<T> {
    Done(T),
    Over,
    Slice,
}

fn wait<T>(parker: &Parker, ends: Option<Instant>, mut poll: impl FnMut() -> Poll<T>) -> Step<T> {
    let slice = Instant::now() + SLICE;
    loop {
        if parker.woken.swap(false, Ordering::AcqRel)
            && let Poll::Ready(output) = poll()
        {
            return Step::Done(output);
        }
        let now = Instant::now();
        let until = ends.map_or(slice, |ends| ends.min(slice));
        if now >= until {
            return if ends.is_some_and(|ends| now >= ends) { Step::Over } else { Step::Slice };
        }
        std::thread::park_timeout(until - now);
    }
}

/// Something to wait for in an event loop, for so many seconds at most.
pub(crate) fn within(
    py: Python<'_>,
    timeout: Option<f64>,
    event: impl Future<Output = ()> + Send + 'static,
) -> PyResult<Operation> {
    let Some(limit) = seconds(timeout)? else {
        return Ok(Box::pin(async move {
            event.await;
            Ok(Answer::Nothing)
        }));
    };
    let _runtime = engine(py)?.handle().enter();
    let limited = tokio::time::timeout(limit, event);
    Ok(Box::pin(async move {
        let _ = limited.await;
        Ok(Answer::Nothing)
    }))
}

/// A time limit in seconds, as Python gives it.
pub(crate) fn seconds(limit: Option<f64>) -> PyResult<Option<Duration>> {
    let duration = |seconds: f64| {
        // A time that has passed is one that is over at once; but `max` takes what is no number for zero.
        Duration::try_from_secs_f64(if seconds < 0.0 { 0.0 } else { seconds })
            .map_err(|_| pyo3::exceptions::PyValueError::new_err("a time limit is a number of seconds, or None"))
    };
    limit.filter(|limit| *limit != f64::INFINITY).map(duration).transpose()
}

/// The hash of a handle: equal handles have equal ones.
pub(crate) fn hash(handle: &impl Hash) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    handle.hash(&mut hasher);
    hasher.finish()
}

/// Locks what cannot be poisoned in a way that matters.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A handle whose drop must not happen in a forked child: it would wait for locks whose holders do not exist there.
pub(crate) struct Held<T>(Option<T>);

impl<T> Held<T> {
    pub(crate) const fn new(handle: T) -> Self {
        Self(Some(handle))
    }

    /// The handle, unless this process is a forked child.
    pub(crate) fn get(&self, py: Python<'_>) -> PyResult<&T> {
        if is_forked() {
            check(py)?;
        }
        self.0.as_ref().ok_or_else(|| errors::leaf(py, "ClosedError", 906, "the handle is gone"))
    }
}

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        if is_forked() {
            core::mem::forget(self.0.take());
        }
    }
}
