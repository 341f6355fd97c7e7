//! One device's link: the machine, its buffers and its commands behind one lock, where callers and the loop meet.
//!
//! Callers send from their own thread where the connection is up and has room; the loop is woken only when something
//! is left over or a deadline moved. While the lock is held no waker is called, cloned or dropped, and no tap is told:
//! both are done by whoever held it, after that. What does run under it are the driver's pipe and outlet, and the
//! subscriber of `tracing`, which must not call back into the device. Callers who wait for nothing do not wait for the
//! lock either: whoever holds it sends for them.

mod announced;
mod calls;
mod claim;
mod engine;
mod fresh;
mod machine;
mod observers;
pub(crate) mod queue;
pub(crate) mod request;
mod tap;

use core::fmt;
use core::net::SocketAddr;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
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
use crate::wipe::wipe_stack;
pub(crate) use engine::Engine;
pub(crate) use request::{Ask, Writes};
pub(crate) use tap::SharedTap;

/// What the links of one registry share.
#[derive(Debug)]
pub(crate) struct Env {
    pub(crate) pool: Pool,
    pub(crate) limiter: Limiter,
    /// What is remembered of all of them.
    pub(crate) memory: Arc<Common>,
}

impl Env {
    pub(crate) fn new(dials_at_once: usize, memory_limit: usize) -> Arc<Self> {
        let (limiter, memory) = (Limiter::new(dials_at_once), Common::new(memory_limit));
        Arc::new(Self { pool: Pool::default(), limiter, memory })
    }

    /// What links without a registry share: free buffers, and nothing that would make one depend on another.
    pub(crate) fn standalone() -> &'static Arc<Self> {
        static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Env::new(usize::MAX, usize::MAX));
        &ENV
    }
}

/// How one device is to be treated, beyond what the machine has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// How long a command waits for the connection.
    pub(crate) timeout: Duration,
    /// Commands are done as soon as they are queued.
    pub(crate) nowait: bool,
    /// The state is asked for on each connection that is kept.
    pub(crate) query_on_connect: bool,
    pub(crate) pacing: Pacing,
    /// The largest frame that is received, in bytes.
    pub(crate) receive_limit: usize,
    /// What is remembered of the device, in bytes.
    pub(crate) memory_limit: usize,
    /// What waits for each of its listeners, in bytes.
    pub(crate) backlog_limit: usize,
    /// The host name to be looked up for each connection; the machine has a [`stand_in`](crate::destination::stand_in).
    pub(crate) host: Option<Arc<str>>,
}

impl Options {
    /// Whether each connection begins with a query. One that is made for a command is for that command, and a device
    /// that sleeps is awake for little else.
    pub(crate) fn asks(&self, config: &DeviceConfig) -> bool {
        self.query_on_connect && config.persist && self.pacing.sleeps.is_none()
    }
}

/// One device's link.
pub(crate) struct Link {
    pub(crate) id: Arc<str>,
    env: Arc<Env>,
    engine: Mutex<Engine>,
    /// Commands that came while somebody else had the engine, from callers who wait for nothing.
    inbox: Mutex<Vec<Parcel>>,
    glance: Glance,
}

/// A command on its way to the engine.
struct Parcel {
    ask: Ask,
    cid: Option<Cid>,
    slot: Arc<Slot>,
    timeout: Option<Duration>,
}

/// What can be seen of the engine without waiting for it: how it was when it was last left.
struct Glance(AtomicUsize);

impl Glance {
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
            let glance = Glance(AtomicUsize::new(Glance::of(&engine)));
            Self { id, env: Arc::clone(env), engine: Mutex::new(engine), inbox: Mutex::default(), glance }
        })
    }

    /// Does something to the engine, and wakes whom it concerns once the lock is released.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Engine, &Env) -> T) -> T {
        let result = self.visit(self.engine.lock().unwrap_or_else(PoisonError::into_inner), act);
        self.take_in();
        result
    }

    /// Does something to the engine for a caller who holds another lock: nothing foreign is run before
    /// [`settle`](Self::settle), which is to be called once that lock is free.
    pub(crate) fn quietly<T>(&self, act: impl FnOnce(&mut Engine) -> T) -> T {
        let mut engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
        let result = act(&mut engine);
        self.glance.0.store(Glance::of(&engine), Ordering::Relaxed);
        result
    }

    /// Wakes whom it concerns, and takes in what came meanwhile.
    pub(crate) fn settle(&self) {
        self.with(|_, _| ());
    }

    fn visit<T>(&self, mut engine: MutexGuard<'_, Engine>, act: impl FnOnce(&mut Engine, &Env) -> T) -> T {
        for parcel in core::mem::take(&mut *self.inbox()) {
            engine.post(parcel, &self.env);
        }
        let result = act(&mut engine, &self.env);
        let wakes = core::mem::take(&mut engine.wakes);
        self.glance.0.store(Glance::of(&engine), Ordering::Relaxed);
        let tap = engine.machine.tap().cloned();
        let keyed = core::mem::take(&mut engine.machine.keyed);
        drop(engine);
        wakes.into_iter().for_each(Waker::wake);
        if let Some(tap) = tap {
            tap.tell();
        }
        if keyed {
            wipe_stack();
        }
        result
    }

    /// Takes in what came while the engine was held: by this caller, who has just let go of it, or by another, who
    /// does the same.
    fn take_in(&self) {
        while self.has_mail()
            && let Some(engine) = self.free_engine()
        {
            self.visit(engine, |_, _| ());
        }
    }

    fn free_engine(&self) -> Option<MutexGuard<'_, Engine>> {
        match self.engine.try_lock() {
            Ok(engine) => Some(engine),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn has_mail(&self) -> bool {
        !self.inbox().is_empty()
    }

    fn inbox(&self) -> MutexGuard<'_, Vec<Parcel>> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a command on its way. `timeout` limits the whole of it.
    pub(crate) fn submit(&self, ask: Ask, cid: Option<Cid>, slot: Arc<Slot>, timeout: Option<Duration>) {
        let parcel = Parcel { ask, cid, slot, timeout };
        self.with(|engine, env| engine.submit(parcel, env));
    }

    /// Tells listeners of a failure that its caller did not wait for.
    pub(crate) fn report(&self, command: CommandCode, cid: Option<&Cid>, error: CommandError) {
        self.with(|engine, _| engine.report(command, cid, error));
    }

    /// Looks for the effect of a write that was given before.
    pub(crate) fn expect(&self, slot: &Arc<Slot>, cid: Option<&Cid>, effect: Effect) {
        self.with(|engine, _| engine.expect(slot, cid, effect));
    }

    /// Gives a command on its way without waiting, not even for the engine.
    pub(crate) fn post(
        &self,
        ask: Ask,
        cid: Option<Cid>,
        slot: Arc<Slot>,
        timeout: Option<Duration>,
    ) -> Result<(), CommandError> {
        if self.is_closed() {
            return Err(self.with(|engine, _| engine.refusal()));
        }
        let parcel = Parcel { ask, cid, slot, timeout };
        if let Some(engine) = self.free_engine() {
            let posted = self.visit(engine, |engine, env| {
                let has_room = engine.has_room();
                if has_room {
                    engine.post(parcel, env);
                }
                has_room
            });
            self.take_in();
            return if posted { Ok(()) } else { Err(CommandError::Busy) };
        }
        let mut inbox = self.inbox();
        if inbox.len() + (self.glance.0.load(Ordering::Relaxed) >> Glance::COUNTED) >= queue::MOST_WAITING {
            return Err(CommandError::Busy);
        }
        inbox.push(parcel);
        drop(inbox);
        self.take_in();
        Ok(())
    }

    /// Whether the device was closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.glance.0.load(Ordering::Relaxed) & Glance::CLOSED != 0
    }

    /// Whether commands are done as soon as they are queued.
    pub(crate) fn is_nowait(&self) -> bool {
        self.glance.0.load(Ordering::Relaxed) & Glance::NOWAIT != 0
    }

    /// Ends the link; what is encoded is given a moment to leave.
    pub(crate) fn close(&self) {
        self.with(|engine, _| engine.close());
    }

    /// Whether the link has ended, and its tap was told so. One who asks from within the tap does not wait: the end
    /// may need the thread that it is on.
    pub(crate) fn poll_closed(&self, cx: &Context<'_>) -> Poll<()> {
        let mut waker = Some(cx.waker().clone());
        let (ended, tap) = self.with(|engine, _| (engine.poll_closed(&mut waker), engine.machine.tap().cloned()));
        match tap {
            None => ended,
            Some(tap) if tap.is_told_here() => Poll::Ready(()),
            Some(tap) if ended.is_ready() => tap.poll_told(cx),
            Some(_) => Poll::Pending,
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A link in the hands of the loop that drives it. When it is dropped before its end, as with a runtime that shuts
/// down, every command is answered all the same.
///
/// ```
/// # use rustuya_runtime::{DrivenLink, Action, Transport};
/// # use std::task::Waker;
/// /// What a loop does once there is no connection left to care about.
/// fn finish(link: &DrivenLink, waker: &Waker) {
///     link.close();
///     while link.poll(None, waker) != Action::End {}
/// }
/// ```
#[derive(Debug)]
pub struct DrivenLink(Arc<Link>);

/// What the loop has to do next.
///
/// ```
/// # use rustuya_runtime::Action;
/// /// How a loop that must not block takes its orders.
/// fn meaning(order: Action) -> &'static str {
///     match order {
///         Action::Dial(_) => "open a connection in the background, then report it",
///         Action::Hangup => "drop the connection",
///         Action::Reset => "reset the connection",
///         Action::Again => "yield, then turn again",
///         Action::Sleep(_) => "wait for the pipe, the waker, or this time",
///         Action::End => "return",
///     }
/// }
/// # assert_eq!(meaning(Action::End), "return");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "every variant is an order that a loop must obey")]
pub enum Action {
    /// Open a TCP connection without Nagle's delay, and report [`DrivenLink::dialed`] or [`DrivenLink::lost`]. Then
    /// call [`DrivenLink::poll`] again.
    Dial(Destination),
    /// Drop the connection, or stop dialing. Then call [`DrivenLink::poll`] again.
    Hangup,
    /// Reset the connection: [`reset_on_drop`](crate::reset_on_drop), then drop it. A part of a frame was written, and the
    /// rest finds no room: some firmware that is left with it waits for the rest until it is power-cycled, unless it
    /// sees an error in place of an orderly end. Then call [`DrivenLink::poll`] again.
    Reset,
    /// Let others have their turn, then call [`DrivenLink::poll`] again.
    Again,
    /// Sleep until the pipe is ready, the waker is called, or this time, if there is one.
    Sleep(Option<Instant>),
    /// End the loop.
    End,
}

impl DrivenLink {
    pub(crate) const fn new(link: Arc<Link>) -> Self {
        Self(link)
    }

    /// The device id, for names and logs.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Does all that can be done now, through `pipe` while a connection is open, and says what to do next. `waker` is
    /// called when there is a reason to call this again before the ordered time.
    pub fn poll(&self, pipe: Option<&mut dyn Transport>, waker: &Waker) -> Action {
        // Wakers are foreign code: they are cloned, called and dropped while no lock is held.
        let mut waker = Some(waker.clone());
        self.0.with(|engine, env| engine.poll(pipe, &mut waker, env))
    }

    /// The host name of the order was looked up, and this of its addresses is dialed. To be reported before
    /// [`dialed`](Self::dialed).
    pub fn resolved(&self, to: SocketAddr) {
        self.0.with(|engine, _| engine.resolved(to));
    }

    /// The ordered connection is open. `outlet`, if there is one, writes to it from other threads.
    pub fn dialed(&self, outlet: Option<Arc<dyn DirectWriter>>) {
        self.0.with(|engine, env| engine.dialed(outlet, env));
    }

    /// Ends the link, as [`Device::close`](crate::Device::close): for a runtime that shuts down and takes the second
    /// for it. The following turns lead to [`Action::End`].
    pub fn close(&self) {
        self.0.with(|engine, _| {
            engine.gone |= !engine.is_closed();
            engine.close();
        });
    }

    /// Whether a part of a frame was written to the connection and the rest was not. A loop that ends without an order,
    /// because its runtime shuts down, resets the connection then, as with [`Action::Reset`].
    pub fn is_cut(&self) -> bool {
        self.0.with(|engine, _| engine.is_cut())
    }

    /// The ordered dial failed.
    pub fn lost(&self, why: LossReason) {
        self.0.with(|engine, _| engine.lost(why));
    }
}

impl Drop for DrivenLink {
    fn drop(&mut self) {
        self.0.with(|engine, env| engine.abandon(env));
    }
}

#[cfg(test)]
mod tests;
