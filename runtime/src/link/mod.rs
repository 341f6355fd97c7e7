//! Link of one device: machine, buffers and queue behind one lock, shared by callers and by the loop that drives it.
//!
//! Callers send from their own thread while the connection is up and has room. The loop is woken only when something is
//! left over or a deadline moved. Under the lock no waker is called, cloned or dropped and no tap is called, because
//! both are foreign code: the thread that held the lock does it afterwards. The driver's transport and direct writer do
//! run under it, and so do the functions of [`Sources`](crate::Sources) and the subscriber of `tracing`; none of them may
//! call back into the device. Callers that wait for nothing do not wait for the lock either: the thread that holds it
//! sends for them.

mod announced;
mod calls;
mod engine;
mod freshness;
mod machine;
mod observers;
pub(crate) mod queue;
pub(crate) mod request;
mod tap;
mod waiter;

use core::fmt;
use core::net::SocketAddr;
use core::sync::atomic::Ordering;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::{Arc, LazyLock, PoisonError, TryLockError, Weak};
use std::time::Instant;

use rustuya_proto::{Cid, CommandCode, DeviceConfig, LossReason};

use crate::buffers::Pool;
use crate::destination::Destination;
use crate::effect::Effect;
use crate::error::CommandError;
use crate::limiter::Limiter;
use crate::memory::Common;
use crate::pacing::Pacing;
use crate::runtime::{DirectWriter, Transport};
use crate::slot::Slot;
use crate::sync::{AtomicUsize, Mutex, MutexGuard};
use crate::wipe::wipe_stack;
pub(crate) use engine::Engine;
pub(crate) use request::{Operation, Request, Writes};
pub(crate) use tap::SharedTap;

/// State shared by all links of one registry.
#[derive(Debug)]
pub(crate) struct Env {
    pub(crate) pool: Pool,
    pub(crate) limiter: Limiter,
    /// Memory budget of all devices together.
    pub(crate) memory: Arc<Common>,
}

impl Env {
    pub(crate) fn new(dials_at_once: usize, memory_limit: usize) -> Arc<Self> {
        let (limiter, memory) = (Limiter::new(dials_at_once), Common::new(memory_limit));
        Arc::new(Self { pool: Pool::default(), limiter, memory })
    }

    /// Environment of links without a registry: shares free buffers, and limits nothing.
    pub(crate) fn standalone() -> &'static Arc<Self> {
        static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Env::new(usize::MAX, usize::MAX));
        &ENV
    }
}

/// Settings of one device that the machine does not need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Time limit for a command to get its connection.
    pub(crate) timeout: Duration,
    /// Completes commands as soon as they are queued.
    pub(crate) nowait: bool,
    /// Queries the state on each persistent connection.
    pub(crate) query_on_connect: bool,
    pub(crate) pacing: Pacing,
    /// Size limit of a received frame, in bytes.
    pub(crate) receive_limit: usize,
    /// Memory limit of the device's state, in bytes.
    pub(crate) memory_limit: usize,
    /// Size limit of the queue of each listener, in bytes.
    pub(crate) backlog_limit: usize,
    /// Host name to look up for each connection; the machine gets a [`stand_in`](crate::destination::stand_in) address.
    pub(crate) host: Option<Arc<str>>,
}

impl Options {
    /// Returns whether each connection begins with a query. A connection made for one command serves that command
    /// alone, and a device that sleeps is awake for little else.
    pub(crate) fn queries_state(&self, config: &DeviceConfig) -> bool {
        self.query_on_connect && config.persist && self.pacing.sleeps.is_none()
    }
}

/// Link of one device.
pub(crate) struct Link {
    pub(crate) id: Arc<str>,
    env: Arc<Env>,
    engine: Mutex<Engine>,
    /// Commands that arrived while another thread held the engine, from callers that wait for nothing.
    submissions: Mutex<Submissions>,
    snapshot: Snapshot,
}

/// Requests in the boxes in which the queue keeps them.
type Submissions = Vec<Box<Request>>;

/// State of the engine as of the last release of its lock, readable without the lock.
struct Snapshot(AtomicUsize);

impl Snapshot {
    const CLOSED: usize = 1;
    const NOWAIT: usize = 2;
    const COUNTED: u32 = 2;

    fn of(engine: &Engine) -> usize {
        let closed = if engine.is_closed() { Self::CLOSED } else { 0 };
        let nowait = if engine.options.nowait { Self::NOWAIT } else { 0 };
        closed | nowait | (engine.queue.len() << Self::COUNTED)
    }
}

impl Link {
    pub(crate) fn new(config: &DeviceConfig, options: Options, tap: Option<SharedTap>, env: &Arc<Env>) -> Arc<Self> {
        let id: Arc<str> = config.id.as_str().into();
        Arc::new_cyclic(|link| {
            let engine = Engine::new(config, options, tap, (Arc::clone(&id), Weak::clone(link)), &env.memory);
            let snapshot = Snapshot(AtomicUsize::new(Snapshot::of(&engine)));
            Self { id, env: Arc::clone(env), engine: Mutex::new(engine), submissions: Mutex::default(), snapshot }
        })
    }

    /// Runs `act` on the engine, then calls the collected wakers without the lock.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Engine, &Env) -> T) -> T {
        let result = self.run(self.engine.lock().unwrap_or_else(PoisonError::into_inner), act);
        self.drain_submissions();
        result
    }

    /// Runs `act` on the engine for a caller that holds another lock. Calls no foreign code; the caller must call
    /// [`flush_wakes`](Self::flush_wakes) once its own lock is free.
    pub(crate) fn with_deferred_wakes<T>(&self, act: impl FnOnce(&mut Engine) -> T) -> T {
        let mut engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
        let result = act(&mut engine);
        self.snapshot.0.store(Snapshot::of(&engine), Ordering::Relaxed);
        result
    }

    /// Calls the wakers collected so far, and queues the commands that arrived meanwhile.
    pub(crate) fn flush_wakes(&self) {
        self.with(|_, _| ());
    }

    fn run<T>(&self, mut engine: MutexGuard<'_, Engine>, act: impl FnOnce(&mut Engine, &Env) -> T) -> T {
        // Releases the lock of the submissions before anything is sent, so that other callers need not wait for it.
        let submissions = core::mem::take(&mut *self.submissions());
        for request in submissions {
            engine.submit_nowait(request, &self.env);
        }
        let result = act(&mut engine, &self.env);
        let wakes = core::mem::take(&mut engine.wakes);
        self.snapshot.0.store(Snapshot::of(&engine), Ordering::Relaxed);
        let tap = engine.machine.tap().cloned();
        let used_keys = core::mem::take(&mut engine.machine.used_keys);
        drop(engine);
        wakes.into_iter().for_each(Waker::wake);
        if let Some(tap) = tap {
            tap.deliver();
        }
        if used_keys {
            wipe_stack();
        }
        result
    }

    /// Queues the commands that arrived while the engine was held. A thread that fails to get the engine may leave: the
    /// holder repeats this after it releases the lock.
    fn drain_submissions(&self) {
        while self.has_submissions()
            && let Some(engine) = self.free_engine()
        {
            self.run(engine, |_, _| ());
        }
    }

    fn free_engine(&self) -> Option<MutexGuard<'_, Engine>> {
        match self.engine.try_lock() {
            Ok(engine) => Some(engine),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn has_submissions(&self) -> bool {
        !self.submissions().is_empty()
    }

    fn submissions(&self) -> MutexGuard<'_, Submissions> {
        self.submissions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Submits a command.
    pub(crate) fn submit(&self, request: Box<Request>) {
        self.with(|engine, env| engine.submit(request, env));
    }

    /// Reports a failure to listeners, because its caller is gone.
    pub(crate) fn report(&self, command: CommandCode, cid: Option<&Cid>, error: CommandError) {
        self.with(|engine, _| engine.report(command, cid, error));
    }

    /// Starts to watch for the effect of a write that was submitted before.
    pub(crate) fn expect(&self, slot: &Arc<Slot>, cid: Option<&Cid>, effect: Effect) {
        self.with(|engine, _| engine.expect(slot, cid, effect));
    }

    /// Submits a command without waiting, not even for the engine's lock.
    pub(crate) fn submit_nowait(&self, request: Box<Request>) -> Result<(), CommandError> {
        if self.is_closed() {
            return Err(self.with(|engine, _| engine.refusal()));
        }
        if let Some(engine) = self.free_engine() {
            let submitted = self.run(engine, |engine, env| {
                let has_room = engine.has_room();
                if has_room {
                    engine.submit_nowait(request, env);
                }
                has_room
            });
            self.drain_submissions();
            return if submitted { Ok(()) } else { Err(CommandError::Busy) };
        }
        let mut submissions = self.submissions();
        if submissions.len() + (self.snapshot.0.load(Ordering::Relaxed) >> Snapshot::COUNTED) >= queue::MOST_WAITING {
            return Err(CommandError::Busy);
        }
        submissions.push(request);
        drop(submissions);
        self.drain_submissions();
        Ok(())
    }

    /// Returns whether the device was closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.snapshot.0.load(Ordering::Relaxed) & Snapshot::CLOSED != 0
    }

    /// Returns whether commands complete as soon as they are queued.
    pub(crate) fn is_nowait(&self) -> bool {
        self.snapshot.0.load(Ordering::Relaxed) & Snapshot::NOWAIT != 0
    }

    /// Closes the link; encoded bytes get a short time to be written.
    pub(crate) fn close(&self) {
        self.with(|engine, _| engine.close());
    }

    /// Ready when the link has ended and its tap has received everything. A call from within the tap does not wait: the
    /// end may need the thread that this runs on.
    pub(crate) fn poll_closed(&self, cx: &Context<'_>) -> Poll<()> {
        let mut waker = Some(cx.waker().clone());
        let (ended, tap) = self.with(|engine, _| (engine.poll_closed(&mut waker), engine.machine.tap().cloned()));
        match tap {
            None => ended,
            Some(tap) if tap.is_delivering_here() => Poll::Ready(()),
            Some(tap) if ended.is_ready() => tap.poll_delivered(cx),
            Some(_) => Poll::Pending,
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Link as the loop that drives it sees it. Dropping it before its end, as a runtime does that shuts down, still
/// answers every command.
///
/// ```
/// # use rustuya_runtime::driver::{DrivenLink, Action, Transport};
/// # use std::task::Waker;
/// /// What a loop does once there is no connection left to care about.
/// fn finish(link: &DrivenLink, waker: &Waker) {
///     link.close();
///     while link.poll(None, waker) != Action::End {}
/// }
/// ```
#[derive(Debug)]
pub struct DrivenLink(Arc<Link>);

/// Next step of the loop.
///
/// ```
/// # use rustuya_runtime::driver::Action;
/// /// What a loop that must not block does for each action.
/// fn meaning(action: Action) -> &'static str {
///     match action {
///         Action::Dial(_) => "open a connection in the background, then report it",
///         Action::Hangup => "drop the connection",
///         Action::Reset => "reset the connection",
///         Action::Again => "yield, then poll again",
///         Action::Sleep(_) => "wait for the transport, the waker, or this time",
///         Action::End => "return",
///     }
/// }
/// # assert_eq!(meaning(Action::End), "return");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a loop must handle every variant")]
pub enum Action {
    /// Open a TCP connection without Nagle's delay, and report [`DrivenLink::dialed`] or [`DrivenLink::lost`]. Then
    /// call [`DrivenLink::poll`] again.
    Dial(Destination),
    /// Drop the connection, or stop dialing. Then call [`DrivenLink::poll`] again.
    Hangup,
    /// Reset the connection: [`reset_on_drop`](crate::driver::reset_on_drop), then drop it. Part of a frame was written, and
    /// the rest finds no room. Some firmware that is left with such a part waits for the rest until it is power-cycled,
    /// unless it sees an error in place of an orderly end. Then call [`DrivenLink::poll`] again.
    Reset,
    /// Yield to other tasks, then call [`DrivenLink::poll`] again.
    Again,
    /// Sleep until the transport is ready, the waker is called, or this time has come, if there is one.
    Sleep(Option<Instant>),
    /// End the loop.
    End,
}

impl DrivenLink {
    pub(crate) const fn new(link: Arc<Link>) -> Self {
        Self(link)
    }

    /// Returns the device id, for names and logs.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Does all that can be done now, through `transport` while a connection is open, and returns the next step.
    /// `waker` is called when there is a reason to call this again before the time of the step.
    pub fn poll(&self, transport: Option<&mut dyn Transport>, waker: &Waker) -> Action {
        // Wakers are foreign code: clone, call and drop them without a lock.
        let mut waker = Some(waker.clone());
        self.0.with(|engine, env| engine.poll(transport, &mut waker, env))
    }

    /// Reports that the host name of [`Action::Dial`] was looked up and that this address is dialed. Call it before
    /// [`dialed`](Self::dialed).
    pub fn resolved(&self, to: SocketAddr) {
        self.0.with(|engine, _| engine.resolved(to));
    }

    /// Reports that the connection is open. `writer`, if there is one, writes to it from other threads.
    pub fn dialed(&self, writer: Option<Arc<dyn DirectWriter>>) {
        self.0.with(|engine, env| engine.dialed(writer, env));
    }

    /// Closes the link, as [`Device::close`](crate::Device::close) does. For a runtime that shuts down and can wait a
    /// second for what is left to be written. The following polls lead to [`Action::End`].
    pub fn close(&self) {
        self.0.with(|engine, _| {
            engine.runtime_ended |= !engine.is_closed();
            engine.close();
        });
    }

    /// Returns whether part of a frame was written to the connection and the rest was not. A loop that ends on its own,
    /// because its runtime shuts down, then resets the connection, as with [`Action::Reset`].
    pub fn is_cut(&self) -> bool {
        self.0.with(|engine, _| engine.is_cut())
    }

    /// Reports that dialing failed.
    pub fn lost(&self, why: LossReason) {
        self.0.with(|engine, _| engine.lost(why));
    }
}

impl Drop for DrivenLink {
    fn drop(&mut self) {
        self.0.with(|engine, env| engine.abandon(env));
    }
}

#[cfg(all(test, rustuya_loom))]
mod models;
#[cfg(test)]
mod tests;
