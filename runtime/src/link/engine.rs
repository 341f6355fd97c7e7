//! The inside of a link. It carries out the machine's orders and tells it what happened, and decides nothing about
//! the protocol.

use core::net::{IpAddr, SocketAddr};
use core::task::{Poll, Waker};
use core::time::Duration;
use std::io;
use std::sync::{Arc, Weak};
use std::task::Wake;

use rustuya_proto::{self as proto, ConnId, DeviceConfig, Event as Lent, LossReason, Output};

use super::machine::Machine;
use super::observers::Observers;
use super::queue::{Completion, Pass, Queue};
use super::request::{Ask, Request};
use super::tap::SharedTap;
use super::{Action, Env, Link, Options};
use crate::buffers::Buffers;
use crate::clock::Clock;
use crate::destination::Destination;
use crate::effect::Look;
use crate::error::CommandError;
use crate::limiter::Permit;
use crate::memory::Common;
use crate::runtime::{DirectWriter, Transport};
use crate::slot::{Caller, Slot};
use crate::sources::Sources;

/// The engine of one device's link.
pub(crate) struct Engine {
    pub(super) machine: Machine,
    pub(super) clock: Clock,
    pub(super) buffers: Buffers,
    pub(super) wire: Wire,
    permit: Permit,
    /// The loop has a connection, or is dialing one.
    loop_has_wire: bool,
    /// When a connection that is not kept is made again for a read that was lost with it.
    redial_at: Option<proto::Instant>,
    /// Of this link itself, for wakers.
    link: Weak<Link>,
    /// The loop's waker, until it is called: then the loop brings it again.
    waker: Option<Waker>,
    /// The loop waits for a listener.
    paused: bool,
    /// It ends, or has ended, because its runtime does.
    pub(super) gone: bool,
    /// When the last command came whose caller waits for nothing; zero if none did.
    pub(super) posted: proto::Instant,
    /// Commands sent before the alarm was set.
    sent_before: u64,
    /// Until when the loop sleeps.
    pub(super) armed: Option<proto::Instant>,
    pub(super) phase: Phase,
    pub(crate) options: Options,
    pub(super) queue: Queue,
    pub(super) observers: Observers,
    /// Waiting for the end.
    closing: Vec<Waker>,
    /// To be called once the lock is released.
    pub(super) wakes: Vec<Waker>,
    span: tracing::Span,
    /// The address that the span tells.
    pub(super) dialed_before: Option<IpAddr>,
}

/// The connection as far as the operating system is concerned.
pub(super) enum Wire {
    Off,
    /// To be dialed when the limiter allows it.
    Held(ConnId, SocketAddr),
    Dialing(ConnId),
    Up(ConnId, Option<Arc<dyn DirectWriter>>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Running,
    /// Closed by the user; what is encoded may leave until then.
    Closing(Option<proto::Instant>),
    Ended,
}

/// Outputs handled in one turn.
const FAIR_SHARE: u32 = 64;

/// The first delay before a connection that is not kept is made again for a read, and half of the second one.
const REDIAL: Duration = Duration::from_millis(50);

/// How long a dial counts as one of those at a time. Hosts of a LAN answer within milliseconds; who takes longer goes on,
/// and holds nobody up.
const DIAL: Duration = Duration::from_millis(500);

/// How long encoded bytes may take to leave on closing.
const GRACE: Duration = Duration::from_secs(1);

impl Engine {
    pub(super) fn new(
        config: &DeviceConfig,
        options: Options,
        tap: Option<SharedTap>,
        (id, link): (Arc<str>, Weak<Link>),
        memory: &Arc<Common>,
    ) -> Self {
        let clock = Clock::start();
        let span = tracing::debug_span!("device", id = &*id, address = tracing::field::Empty);
        let mut buffers = Buffers::new();
        buffers.limit_rx(options.receive_limit);
        let asks = options.asks(config);
        Self {
            // Whatever clock it is given next, its time begins here.
            machine: Machine::new(config, tap, options.receive_limit, proto::Instant::ZERO),
            clock,
            buffers,
            wire: Wire::Off,
            permit: Permit::None,
            loop_has_wire: false,
            redial_at: None,
            link,
            waker: None,
            paused: false,
            gone: false,
            posted: proto::Instant::ZERO,
            sent_before: 0,
            armed: None,
            phase: Phase::Running,
            observers: Observers::new(id, &options, memory, asks),
            options,
            queue: Queue::default(),
            closing: Vec::new(),
            wakes: Vec::new(),
            span,
            dialed_before: None,
        }
    }

    pub(super) fn poll(
        &mut self,
        mut pipe: Option<&mut dyn Transport>,
        waker: &mut Option<Waker>,
        env: &Env,
    ) -> Action {
        core::mem::swap(&mut self.waker, waker);
        self.paused = false;
        let span = self.span.clone();
        let _in = span.enter();
        let mut now = self.clock.now();
        for _ in 0..FAIR_SHARE {
            if self.loop_has_wire && matches!(self.wire, Wire::Off | Wire::Held(..)) {
                return self.let_go();
            }
            if self.phase == Phase::Ended || self.close_now(now) {
                return self.end(env);
            }
            if self.permit.ends().is_some_and(|ends| ends <= now) {
                self.pass_on(env);
            }
            if let Some(order) = self.dial_held(now, env) {
                return order;
            }
            self.expire(now);
            self.answer_watchers();
            self.look_for_effects(now);
            self.redial(now);
            // What is received but not told stays where it is: the machine is not asked before listeners have room. But
            // no command waits for a listener.
            if self.observers.news.presses()
                && self.queue.is_idle()
                && self.observers.effects.is_empty()
                && let Some(ends) = self.observers.news.pressed_until(self.clock.system_time(), || alarm(&self.link))
            {
                self.paused = true;
                return self.sleep(now, Some(self.clock.machine_time(ends)), env);
            }
            self.buffers.lend_tx(&env.pool);
            let until = match self.machine.poll(now, &mut self.buffers) {
                Output::Dial { conn, to } => {
                    self.pass_on(env);
                    self.wire = Wire::Held(conn, to);
                    continue;
                }
                Output::Hangup { conn } => {
                    if let Some(pipe) = &mut pipe {
                        self.finish_frame(conn, &mut **pipe, now);
                    }
                    self.hang_up(conn, env);
                    continue;
                }
                Output::Event(event) => {
                    if let Lent::Down { .. } = event {
                        env.limiter.release(&mut self.permit, &mut self.wakes);
                    }
                    self.observers.hear(&event, &self.machine, now, &mut self.queue, &mut self.wakes);
                    continue;
                }
                Output::Wait { until } => until,
            };
            self.ask_for_state(now);
            self.send(now);
            let pipe: Option<&mut dyn Transport> = match &mut pipe {
                Some(pipe) => Some(&mut **pipe),
                None => None,
            };
            match self.transfer(pipe, env, now) {
                Transfer::Moved => now = self.clock.now(),
                Transfer::Nothing => return self.sleep(now, until, env),
            }
        }
        Action::Again
    }

    /// Dials when that is allowed.
    fn dial_held(&mut self, now: proto::Instant, env: &Env) -> Option<Action> {
        let Wire::Held(conn, to) = self.wire else { return None };
        self.machine.handle_held(conn, now);
        if !env.limiter.acquire(&mut self.permit, now + DIAL, || alarm(&self.link)) {
            return None;
        }
        let to = match &self.options.host {
            Some(host) => Destination::Name(Arc::clone(host), to.port()),
            None => {
                self.note_address(to.ip());
                self.observers.note_tried(to.ip(), now);
                Destination::Socket(to)
            }
        };
        tracing::debug!(%to, "dialing");
        self.wire = Wire::Dialing(conn);
        self.loop_has_wire = true;
        Some(Action::Dial(to))
    }

    /// Lets the next in line dial.
    fn pass_on(&mut self, env: &Env) {
        env.limiter.release(&mut self.permit, &mut self.wakes);
    }

    fn note_address(&mut self, ip: IpAddr) {
        if self.dialed_before.replace(ip) != Some(ip) {
            self.span.record("address", tracing::field::display(ip));
        }
    }

    /// The host name was looked up.
    pub(super) fn resolved(&mut self, to: SocketAddr) {
        if self.options.host.is_some() && matches!(self.wire, Wire::Dialing(_)) {
            tracing::debug!(parent: &self.span, %to, "dialing");
            self.note_address(to.ip());
        }
    }

    /// Where the device is, as configured, looked up or heard.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        match &self.options.host {
            Some(_) => self.dialed_before,
            None => self.machine.address(),
        }
    }

    /// Writes and reads.
    fn transfer(&mut self, pipe: Option<&mut dyn Transport>, env: &Env, now: proto::Instant) -> Transfer {
        let (Wire::Up(conn, _), Some(pipe)) = (&self.wire, pipe) else { return Transfer::Nothing };
        let conn = *conn;
        let mut moved = false;
        if !self.buffers.tx.is_empty() {
            match flush(&mut self.buffers, &self.machine, now, |bytes| pipe.write(bytes)) {
                Ok(any) => moved = any,
                Err(why) => return self.fail(conn, why),
            }
            self.note_written();
        }
        if let Phase::Closing(_) = self.phase {
            return if moved { Transfer::Moved } else { Transfer::Nothing };
        }
        self.buffers.lend_rx(&env.pool);
        loop {
            let spare = self.buffers.rx.spare_mut();
            if spare.is_empty() {
                // The machine takes what it can first.
                return Transfer::Moved;
            }
            return match pipe.read(spare) {
                Ok(0) => self.fail(conn, LossReason::Closed),
                Ok(n) => {
                    self.machine.note_received(now, spare.get(..n).unwrap_or_default());
                    self.buffers.rx.commit(n);
                    Transfer::Moved
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if moved {
                        Transfer::Moved
                    } else {
                        Transfer::Nothing
                    }
                }
                Err(error) => self.fail(conn, crate::buffers::loss(&error)),
            };
        }
    }

    pub(super) fn fail(&mut self, conn: ConnId, why: LossReason) -> Transfer {
        self.wire = Wire::Off;
        self.machine.handle_lost(conn, why, self.clock.now());
        Transfer::Moved
    }

    fn sleep(&mut self, now: proto::Instant, until: Option<proto::Instant>, env: &Env) -> Action {
        self.buffers.reclaim(&env.pool);
        let waiting = self.queue.deadline(now, self.machine.is_up(), &self.options.pacing);
        let grace = match self.phase {
            Phase::Closing(grace) => grace,
            _ => None,
        };
        // While commands come, an earlier alarm that has not gone off is left as it is: it costs one look around, where
        // the next command would otherwise have to wake the loop to set it anew.
        let commanded = self.sent_before != self.observers.metrics.sent;
        let set = self.armed.filter(|armed| commanded && *armed > now);
        if set.is_none() {
            self.sent_before = self.observers.metrics.sent;
        }
        // Nothing is asked any more while it ends.
        let effect = self.observers.effects.deadline().filter(|_| self.phase == Phase::Running);
        self.armed =
            [until, waiting, grace, effect, self.redial_at, self.permit.ends(), set].into_iter().flatten().min();
        Action::Sleep(self.armed.map(|at| self.clock.wake_up(at)))
    }

    /// Takes time and randomness from there, before anything has happened.
    pub(crate) fn live_by(&mut self, sources: Sources) {
        self.clock = Clock::with(sources.now);
        self.machine.random = Some(sources.random);
    }

    pub(super) fn dialed(&mut self, outlet: Option<Arc<dyn DirectWriter>>, env: &Env) {
        if let Wire::Dialing(conn) = self.wire {
            // Who answers the dial and then nothing holds nobody up.
            self.pass_on(env);
            self.wire = Wire::Up(conn, outlet);
            self.machine.handle_dialed(conn, self.clock.now());
        }
    }

    pub(super) fn lost(&mut self, why: LossReason) {
        if let Wire::Dialing(conn) | Wire::Up(conn, _) = self.wire {
            self.wire = Wire::Off;
            self.loop_has_wire = false;
            self.machine.handle_lost(conn, why, self.clock.now());
        }
    }

    fn hang_up(&mut self, which: ConnId, env: &Env) {
        match self.wire {
            Wire::Held(conn, _) | Wire::Dialing(conn) | Wire::Up(conn, _) if conn == which => {
                self.wire = Wire::Off;
                self.pass_on(env);
            }
            _ => {}
        }
    }

    /// Has the loop let go of its connection.
    fn let_go(&mut self) -> Action {
        self.loop_has_wire = false;
        if self.buffers.tx.is_cut() {
            self.buffers.tx.clear();
            return Action::Reset;
        }
        Action::Hangup
    }

    /// Writes the rest of a frame that was begun, if there is room for it.
    fn finish_frame(&mut self, conn: ConnId, pipe: &mut dyn Transport, now: proto::Instant) {
        while matches!(self.wire, Wire::Up(current, _) if current == conn)
            && self.buffers.tx.is_cut()
            && let Ok(written @ 1..) = pipe.write(self.buffers.tx.next_write(0))
        {
            let bytes = self.buffers.tx.pending().get(..written).unwrap_or_default();
            self.machine.note_sent(now, bytes);
            self.buffers.tx.consume(written);
        }
    }

    /// Whether the connection holds a part of a frame whose rest is not written.
    pub(super) const fn is_cut(&self) -> bool {
        matches!(self.wire, Wire::Up(..)) && self.buffers.tx.is_cut()
    }

    /// While closing: whether nothing is left to be written, or no time.
    fn close_now(&mut self, now: proto::Instant) -> bool {
        let Phase::Closing(grace) = &mut self.phase else { return false };
        let ends = *grace.get_or_insert(now + GRACE);
        self.buffers.tx.is_empty() || ends <= now || !matches!(self.wire, Wire::Up(..))
    }

    /// Tells everybody that this is over.
    fn end(&mut self, env: &Env) -> Action {
        if self.loop_has_wire {
            self.wire = Wire::Off;
            return self.let_go();
        }
        self.abandon(env);
        Action::End
    }

    /// The loop is gone, whatever the reason: answers every command, ends the listeners.
    pub(super) fn abandon(&mut self, env: &Env) {
        if self.phase == Phase::Ended && self.closing.is_empty() {
            return;
        }
        self.gone |= self.phase == Phase::Running;
        self.phase = Phase::Ended;
        self.wire = Wire::Off;
        let why = self.refusal();
        let (queue, mut completion) = self.completion();
        queue.refuse_waiting(&why, &mut completion);
        self.pass_on(env);
        let now = self.clock.now();
        self.machine.close(now);
        // The machine tells the fate of what was sent; it has nothing else to say.
        for _ in 0..FAIR_SHARE {
            match self.machine.poll(now, &mut self.buffers) {
                Output::Event(event) => {
                    self.observers.hear(&event, &self.machine, now, &mut self.queue, &mut self.wakes);
                }
                Output::Wait { .. } => break,
                Output::Dial { .. } | Output::Hangup { .. } => {}
            }
        }
        let (queue, mut completion) = self.completion();
        queue.refuse_all(&why, &mut completion);
        let unseen = self.observers.effects.take();
        unseen.iter().for_each(|slot| slot.settle(&mut self.wakes));
        self.buffers.rx.clear();
        self.buffers.tx.clear();
        self.buffers.reclaim(&env.pool);
        self.observers.news.close(&mut self.wakes);
        self.wakes.append(&mut self.closing);
        // Called rather than dropped here: what a foreign waker does when it goes is done while the lock is free.
        self.wakes.extend(self.waker.take());
        tracing::debug!(parent: &self.span, "closed");
    }

    /// Refuses what was not sent, and has the loop end.
    pub(super) fn close(&mut self) {
        if self.phase != Phase::Running {
            return;
        }
        self.phase = Phase::Closing(None);
        let why = self.refusal();
        let (queue, mut completion) = self.completion();
        queue.refuse_waiting(&why, &mut completion);
        self.wake_loop();
    }

    /// Takes `waker` where it is to be called at the end.
    pub(super) fn poll_closed(&mut self, waker: &mut Option<Waker>) -> Poll<()> {
        if self.phase == Phase::Ended {
            return Poll::Ready(());
        }
        self.closing.extend(waker.take_if(|waker| !self.closing.iter().any(|known| known.will_wake(waker))));
        Poll::Pending
    }

    pub(super) fn send(&mut self, now: proto::Instant) {
        if self.queue.is_empty() || !self.machine.is_up() || self.phase != Phase::Running {
            return;
        }
        self.expire(now);
        let Self { machine, buffers, options, observers, wakes, queue, .. } = self;
        let mut completion = observers.completion(wakes);
        queue.send(&mut Pass { machine, buffers, pacing: &options.pacing, now }, &mut completion);
    }

    pub(super) fn note_written(&mut self) {
        if self.buffers.tx.is_empty() {
            self.queue.note_written(&mut self.wakes);
        }
    }

    fn expire(&mut self, now: proto::Instant) {
        let (up, reason) = (self.machine.is_up(), self.machine.diagnosis());
        let refuted = self.refuted();
        let Self { machine, observers, wakes, queue, .. } = self;
        let mut completion = observers.completion(wakes);
        if let Some(reason) = refuted {
            queue.fail_waiting(reason, &mut completion);
        }
        queue.expire_sent(now, machine, &mut completion);
        queue.expire(now, up, reason, &mut completion);
        if queue.resume(now, &mut completion) {
            self.connect(now);
        }
    }

    /// Asks the device what it shows of the writes whose push has not come.
    fn look_for_effects(&mut self, now: proto::Instant) {
        if self.observers.effects.is_empty() || self.phase != Phase::Running {
            return;
        }
        for Look { ids, cid, ends, slot } in self.observers.effects.due(now) {
            let deadline = ends.unwrap_or_else(|| now + self.options.timeout);
            let request = Request {
                looks_for: Some(slot),
                ..Request::new(Ask::StatusOf(ids), cid, Slot::new(Caller::Answer), now, deadline)
            };
            self.queue.add(Box::new(request));
            self.connect(now);
        }
    }

    /// Has a connection be made again that is not kept, for a read that is asked again. Not at once: a device that ends
    /// the connection on a query would be dialed in a loop.
    fn redial(&mut self, now: proto::Instant) {
        let waits = self.queue.lost_reads > 0 && !self.queue.is_empty() && self.phase == Phase::Running;
        if !waits || self.observers.retrying || self.machine.is_up() || !matches!(self.wire, Wire::Off) {
            self.redial_at = None;
            return;
        }
        let delay = REDIAL * 2_u32.saturating_pow(self.queue.lost_reads.min(5));
        if *self.redial_at.get_or_insert(now + delay) <= now {
            self.redial_at = None;
            self.machine.connect_now(now);
        }
    }

    pub(super) fn completion(&mut self) -> (&mut Queue, Completion<'_>) {
        let Self { observers, wakes, queue, .. } = self;
        (queue, observers.completion(wakes))
    }

    pub(super) fn wake_loop(&mut self) {
        self.wakes.extend(self.waker.take());
    }

    /// Why no command is taken any more.
    pub(super) const fn refusal(&self) -> CommandError {
        if self.gone { CommandError::RuntimeGone } else { CommandError::Closed }
    }

    /// A command is there, which does not wait for listeners.
    pub(super) fn resume(&mut self) {
        if core::mem::take(&mut self.paused) {
            self.wake_loop();
        }
    }
}

/// A waker that wakes a link's loop, whichever waker that has then. To clone and drop it, no foreign code is run.
fn alarm(link: &Weak<Link>) -> Waker {
    struct Alarm(Weak<Link>);
    impl Wake for Alarm {
        fn wake(self: Arc<Self>) {
            if let Some(link) = self.0.upgrade() {
                link.with(|engine, _| engine.wake_loop());
            }
        }
    }
    Waker::from(Arc::new(Alarm(Weak::clone(link))))
}

/// Writes as much as `write` takes, and has it noted. Says whether it took any.
pub(super) fn flush(
    buffers: &mut Buffers,
    machine: &Machine,
    now: proto::Instant,
    mut write: impl FnMut(&[u8]) -> io::Result<usize>,
) -> Result<bool, LossReason> {
    buffers.flush(|bytes| {
        let written = write(bytes)?;
        machine.note_sent(now, bytes.get(..written).unwrap_or_default());
        Ok(written)
    })
}

pub(super) enum Transfer {
    /// There is something new for the machine.
    Moved,
    Nothing,
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_idle_device_is_small() {
        let size = size_of::<crate::link::Link>();
        // Of these, 32 bytes are bounds on what is remembered and on what waits for listeners, 24 reads that wait to go on, 48 callers
        // who wait for the state and whether it was told,
        // and 112 tell late, own and old frames.
        assert!(size <= 3152, "{size} bytes, most of them the machine's");
    }
}
