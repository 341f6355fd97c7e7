//! Link of one device: machine, buffers and queue behind one lock, shared by callers and by the loop that drives it.
//!
//! Callers send from their own thread while the connection is up and has room. The loop is woken only when something is
//! left over or a deadline moved. Under the lock no waker is called, cloned or dropped and no tap is called, because
//! both are foreign code: the thread that held the lock does it afterwards. The driver's transport and direct writer do
//! run under it, and so do the functions of [`Sources`](crate::driver::Sources) and the subscriber of `tracing`; none of them may
//! call back into the device. Callers that wait for nothing do not wait for the lock either: the thread that holds it
//! sends for them.

mod action;
mod announced;
mod calls;
mod completion;
mod effect;
mod engine;
mod freshness;
mod limiter;
mod machine;
mod observers;
mod pacing;
mod partial;
mod pending_effects;
mod publisher;
mod queue;
mod request;
mod settings;
mod slot;
mod state_query;
mod state_report;
mod tap;
mod waiter;
mod watchers;

use core::fmt;
use core::net::SocketAddr;
use core::sync::atomic::Ordering;
use core::task::{Context, Poll, Waker};
use std::sync::{Arc, PoisonError, TryLockError, Weak};
use std::task::Wake;

use rustuya_proto::{Cid, CommandCode, DeviceConfig, LossReason};

use crate::io::transport::{DirectWriter, Transport};
use crate::report::error::CommandError;
use crate::sync::{AtomicUsize, Mutex, MutexGuard};
use crate::wipe::wipe_stack;
pub use action::Action;
pub(crate) use effect::Effect;
use engine::Engine;
pub use pacing::Pacing;
pub(crate) use request::{Operation, Request, Writes};
pub(crate) use settings::{Env, Options};
pub(crate) use slot::{Caller, Slot};
pub(crate) use tap::SharedTap;

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
        let engine = Engine::new(config, options, tap, Arc::clone(&id), &env.memory);
        let snapshot = Snapshot(AtomicUsize::new(Snapshot::of(&engine)));
        Arc::new(Self { id, env: Arc::clone(env), engine: Mutex::new(engine), submissions: Mutex::default(), snapshot })
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

/// Makes a waker that wakes the loop of a link, whichever waker the loop has by then. Cloning and dropping it runs no
/// foreign code.
fn alarm(link: &Arc<Link>) -> Waker {
    struct Alarm(Weak<Link>);
    impl Wake for Alarm {
        fn wake(self: Arc<Self>) {
            if let Some(link) = self.0.upgrade() {
                link.with(|engine, _| engine.wake_loop());
            }
        }
    }
    Waker::from(Arc::new(Alarm(Arc::downgrade(link))))
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
        self.0.with(|engine, env| engine.poll(transport, &mut waker, &|| alarm(&self.0), env))
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
mod testing;
#[cfg(test)]
mod tests;
