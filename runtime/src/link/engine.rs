//! State of a link behind its lock. Carries out the outputs of the machine and feeds it with input; decides nothing
//! about the protocol.

use core::net::{IpAddr, SocketAddr};
use core::task::{Poll, Waker};
use core::time::Duration;
use std::io;
use std::sync::Arc;

use rustuya_proto::{self as proto, ConnId, DeviceConfig, Event as MachineEvent, LossReason, Output};

use super::action::Action;
use super::completion::Completion;
use super::limiter::Permit;
use super::machine::Machine;
use super::observers::Observers;
use super::pending_effects::EffectQuery;
use super::queue::{Queue, SendContext};
use super::request::{Operation, Request};
use super::settings::{Env, Options};
use super::tap::SharedTap;
use crate::io::buffers::{Buffers, loss};
use crate::io::clock::Clock;
use crate::io::destination::Destination;
use crate::io::sources::Sources;
use crate::io::transport::{DirectWriter, Transport};
use crate::report::error::CommandError;
use crate::report::memory::Common;

/// Engine of one device's link.
pub(crate) struct Engine {
    pub(super) machine: Machine,
    pub(super) clock: Clock,
    pub(super) buffers: Buffers,
    pub(super) connection: Connection,
    permit: Permit,
    /// Set while the loop has a connection or dials one.
    loop_has_connection: bool,
    /// Time of the next dial for a read whose connection was lost, when the connection is not persistent.
    redial_at: Option<proto::Instant>,
    /// Waker of the loop; taken when it is called, set again by the next poll.
    waker: Option<Waker>,
    /// Set while the loop waits for a slow listener.
    paused: bool,
    /// Set when the link ends because its runtime does.
    pub(super) runtime_ended: bool,
    /// Time of the last command whose caller waits for nothing; zero if there was none.
    pub(super) last_nowait: proto::Instant,
    /// Commands sent before `sleeps_until` was set.
    sent_before: u64,
    /// Time of the loop's next wake-up.
    pub(super) sleeps_until: Option<proto::Instant>,
    pub(super) phase: Phase,
    pub(crate) options: Options,
    pub(super) queue: Queue,
    pub(super) observers: Observers,
    /// Wakers of callers that wait for the end.
    closing: Vec<Waker>,
    /// Wakers to call once the lock is released.
    pub(super) wakes: Vec<Waker>,
    span: tracing::Span,
    /// Address recorded in the span.
    pub(super) dialed_before: Option<IpAddr>,
}

/// Connection as the operating system sees it.
pub(super) enum Connection {
    Off,
    /// Dialed as soon as the limiter permits.
    Held(ConnId, SocketAddr),
    Dialing(ConnId),
    Up(ConnId, Option<Arc<dyn DirectWriter>>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Running,
    /// Closed by the user; encoded bytes may be written until this time.
    Closing(Option<proto::Instant>),
    Ended,
}

/// Outputs of the machine handled in one poll; more would starve other tasks.
const MAX_OUTPUTS_PER_POLL: u32 = 64;

/// Delay before the first redial for a read on a connection that is not persistent; the second one waits twice as long.
const REDIAL: Duration = Duration::from_millis(50);

/// Time for which a dial holds its permit. Hosts of a LAN answer within milliseconds; a slower dial goes on, but no
/// longer blocks others.
const DIAL_PERMIT: Duration = Duration::from_millis(500);

/// Time limit for encoded bytes to be written on closing.
const CLOSE_GRACE: Duration = Duration::from_secs(1);

impl Engine {
    pub(super) fn new(
        config: &DeviceConfig,
        options: Options,
        tap: Option<SharedTap>,
        id: Arc<str>,
        memory: &Arc<Common>,
    ) -> Self {
        let clock = Clock::start();
        let span = tracing::debug_span!("device", id = &*id, address = tracing::field::Empty);
        let mut buffers = Buffers::new();
        buffers.limit_rx(options.receive_limit);
        let asks = options.queries_state(config);
        Self {
            // Starts at zero, whichever clock it gets later.
            machine: Machine::new(config, tap, options.receive_limit, proto::Instant::ZERO),
            clock,
            buffers,
            connection: Connection::Off,
            permit: Permit::None,
            loop_has_connection: false,
            redial_at: None,
            waker: None,
            paused: false,
            runtime_ended: false,
            last_nowait: proto::Instant::ZERO,
            sent_before: 0,
            sleeps_until: None,
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

    /// Does all that can be done now, and returns the next step of the loop. Takes `waker`, and leaves the former one in
    /// its place. `alarm` makes a waker that wakes the loop.
    pub(super) fn poll(
        &mut self,
        mut transport: Option<&mut dyn Transport>,
        waker: &mut Option<Waker>,
        alarm: &dyn Fn() -> Waker,
        env: &Env,
    ) -> Action {
        core::mem::swap(&mut self.waker, waker);
        self.paused = false;
        let span = self.span.clone();
        let _in = span.enter();
        let mut now = self.clock.now();
        for _ in 0..MAX_OUTPUTS_PER_POLL {
            if self.loop_has_connection && matches!(self.connection, Connection::Off | Connection::Held(..)) {
                return self.release_connection();
            }
            if self.phase == Phase::Ended || self.close_now(now) {
                return self.end(env);
            }
            if self.permit.ends().is_some_and(|ends| ends <= now) {
                self.release_permit(env);
            }
            if let Some(action) = self.dial_held(now, alarm, env) {
                return action;
            }
            self.expire(now);
            self.answer_watchers();
            self.query_effects(now);
            self.redial(now);
            // Leave received bytes unparsed until listeners have room. But no command waits for a listener.
            if self.observers.publisher.must_pause()
                && self.queue.is_idle()
                && self.observers.effects.is_empty()
                && let Some(ends) = self.observers.publisher.paused_until(self.clock.system_time(), alarm)
            {
                self.paused = true;
                return self.sleep(now, Some(self.clock.machine_time(ends)), env);
            }
            self.buffers.lend_tx(&env.pool);
            let until = match self.machine.poll(now, &mut self.buffers) {
                Output::Dial { conn, to } => {
                    self.release_permit(env);
                    self.connection = Connection::Held(conn, to);
                    continue;
                }
                Output::Hangup { conn } => {
                    if let Some(transport) = &mut transport {
                        self.finish_frame(conn, &mut **transport, now);
                    }
                    self.hang_up(conn, env);
                    continue;
                }
                Output::Event(event) => {
                    if let MachineEvent::Down { .. } = event {
                        env.limiter.release(&mut self.permit, &mut self.wakes);
                    }
                    self.observers.on_event(&event, &self.machine, now, &mut self.queue, &mut self.wakes);
                    continue;
                }
                Output::Wait { until } => until,
            };
            self.query_state(now);
            self.send(now);
            let transport: Option<&mut dyn Transport> = match &mut transport {
                Some(transport) => Some(&mut **transport),
                None => None,
            };
            match self.transfer(transport, env, now) {
                Transfer::Moved => now = self.clock.now(),
                Transfer::Nothing => return self.sleep(now, until, env),
            }
        }
        Action::Again
    }

    /// Dials if the limiter permits.
    fn dial_held(&mut self, now: proto::Instant, alarm: &dyn Fn() -> Waker, env: &Env) -> Option<Action> {
        let Connection::Held(conn, to) = self.connection else { return None };
        self.machine.handle_dial_delayed(conn, now);
        if !env.limiter.acquire(&mut self.permit, now + DIAL_PERMIT, alarm) {
            return None;
        }
        let to = match &self.options.host {
            Some(host) => Destination::Name(Arc::clone(host), to.port()),
            None => {
                self.record_address(to.ip());
                self.observers.on_dial(to.ip(), now);
                Destination::Socket(to)
            }
        };
        tracing::debug!(%to, "dialing");
        self.connection = Connection::Dialing(conn);
        self.loop_has_connection = true;
        Some(Action::Dial(to))
    }

    /// Passes the permit to dial on to the next link that waits for one.
    fn release_permit(&mut self, env: &Env) {
        env.limiter.release(&mut self.permit, &mut self.wakes);
    }

    fn record_address(&mut self, ip: IpAddr) {
        if self.dialed_before.replace(ip) != Some(ip) {
            self.span.record("address", tracing::field::display(ip));
        }
    }

    /// Records the address that the host name was resolved to.
    pub(super) fn resolved(&mut self, to: SocketAddr) {
        if self.options.host.is_some() && matches!(self.connection, Connection::Dialing(_)) {
            tracing::debug!(parent: &self.span, %to, "dialing");
            self.record_address(to.ip());
        }
    }

    /// Returns the address of the device: configured, resolved or discovered.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        match &self.options.host {
            Some(_) => self.dialed_before,
            None => self.machine.address(),
        }
    }

    /// Writes encoded bytes, then reads.
    fn transfer(&mut self, transport: Option<&mut dyn Transport>, env: &Env, now: proto::Instant) -> Transfer {
        let (Connection::Up(conn, _), Some(transport)) = (&self.connection, transport) else {
            return Transfer::Nothing;
        };
        let conn = *conn;
        let mut moved = false;
        if !self.buffers.tx.is_empty() {
            match flush(&mut self.buffers, &self.machine, now, |bytes| transport.write(bytes)) {
                Ok(any) => moved = any,
                Err(why) => return self.fail(conn, why),
            }
            self.on_written();
        }
        if let Phase::Closing(_) = self.phase {
            return if moved { Transfer::Moved } else { Transfer::Nothing };
        }
        self.buffers.lend_rx(&env.pool);
        loop {
            let spare = self.buffers.rx.spare_mut();
            if spare.is_empty() {
                // No room: let the machine consume first.
                return Transfer::Moved;
            }
            return match transport.read(spare) {
                Ok(0) => self.fail(conn, LossReason::Closed),
                Ok(n) => {
                    self.machine.record_received(now, spare.get(..n).unwrap_or_default());
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
                Err(error) => self.fail(conn, loss(&error)),
            };
        }
    }

    pub(super) fn fail(&mut self, conn: ConnId, why: LossReason) -> Transfer {
        self.connection = Connection::Off;
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
        // While commands come, keep an earlier alarm that has not gone off. It costs one poll too many; without it each
        // command would have to wake the loop to set it anew.
        let commanded = self.sent_before != self.observers.metrics.sent;
        let set = self.sleeps_until.filter(|sleeps_until| commanded && *sleeps_until > now);
        if set.is_none() {
            self.sent_before = self.observers.metrics.sent;
        }
        // Closing links query nothing any more.
        let effect = self.observers.effects.deadline().filter(|_| self.phase == Phase::Running);
        self.sleeps_until =
            [until, waiting, grace, effect, self.redial_at, self.permit.ends(), set].into_iter().flatten().min();
        Action::Sleep(self.sleeps_until.map(|at| self.clock.wake_up(at)))
    }

    /// Replaces the sources of time and randomness, before anything has happened.
    pub(crate) fn use_sources(&mut self, sources: Sources) {
        self.clock = Clock::with(sources.now);
        self.machine.random = Some(sources.random);
    }

    pub(super) fn dialed(&mut self, writer: Option<Arc<dyn DirectWriter>>, env: &Env) {
        if let Connection::Dialing(conn) = self.connection {
            // A device that accepts the connection and then stays silent must not block other dials.
            self.release_permit(env);
            self.connection = Connection::Up(conn, writer);
            self.machine.handle_dialed(conn, self.clock.now());
        }
    }

    pub(super) fn lost(&mut self, why: LossReason) {
        if let Connection::Dialing(conn) | Connection::Up(conn, _) = self.connection {
            self.connection = Connection::Off;
            self.loop_has_connection = false;
            self.machine.handle_lost(conn, why, self.clock.now());
        }
    }

    fn hang_up(&mut self, which: ConnId, env: &Env) {
        match self.connection {
            Connection::Held(conn, _) | Connection::Dialing(conn) | Connection::Up(conn, _) if conn == which => {
                self.connection = Connection::Off;
                self.release_permit(env);
            }
            _ => {}
        }
    }

    /// Makes the loop drop its connection.
    fn release_connection(&mut self) -> Action {
        self.loop_has_connection = false;
        if self.buffers.tx.is_cut() {
            self.buffers.tx.clear();
            return Action::Reset;
        }
        Action::Hangup
    }

    /// Writes the rest of a frame that was begun, as far as there is room.
    fn finish_frame(&mut self, conn: ConnId, transport: &mut dyn Transport, now: proto::Instant) {
        while matches!(self.connection, Connection::Up(current, _) if current == conn)
            && self.buffers.tx.is_cut()
            && let Ok(written @ 1..) = transport.write(self.buffers.tx.next_write(0))
        {
            let bytes = self.buffers.tx.pending().get(..written).unwrap_or_default();
            self.machine.record_sent(now, bytes);
            self.buffers.tx.consume(written);
        }
    }

    /// Returns whether part of a frame was written and the rest was not.
    pub(super) const fn is_cut(&self) -> bool {
        matches!(self.connection, Connection::Up(..)) && self.buffers.tx.is_cut()
    }

    /// While closing: returns whether nothing is left to be written, or time is up.
    fn close_now(&mut self, now: proto::Instant) -> bool {
        let Phase::Closing(grace) = &mut self.phase else { return false };
        let ends = *grace.get_or_insert(now + CLOSE_GRACE);
        self.buffers.tx.is_empty() || ends <= now || !matches!(self.connection, Connection::Up(..))
    }

    /// Ends the link, after the loop has dropped its connection.
    fn end(&mut self, env: &Env) -> Action {
        if self.loop_has_connection {
            self.connection = Connection::Off;
            return self.release_connection();
        }
        self.abandon(env);
        Action::End
    }

    /// Handles the end of the loop, whatever its reason: answers every command and ends the listeners.
    pub(super) fn abandon(&mut self, env: &Env) {
        if self.phase == Phase::Ended && self.closing.is_empty() {
            return;
        }
        self.runtime_ended |= self.phase == Phase::Running;
        self.phase = Phase::Ended;
        self.connection = Connection::Off;
        let why = self.refusal();
        let (queue, mut completion) = self.completion();
        queue.refuse_waiting(&why, &mut completion);
        self.release_permit(env);
        let now = self.clock.now();
        self.machine.close(now);
        // The machine reports the outcome of the commands that were sent, and nothing else.
        for _ in 0..MAX_OUTPUTS_PER_POLL {
            match self.machine.poll(now, &mut self.buffers) {
                Output::Event(event) => {
                    self.observers.on_event(&event, &self.machine, now, &mut self.queue, &mut self.wakes);
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
        self.observers.publisher.close(&mut self.wakes);
        self.wakes.append(&mut self.closing);
        // Call the waker rather than drop it here: dropping foreign code must wait until the lock is free.
        self.wakes.extend(self.waker.take());
        tracing::debug!(parent: &self.span, "closed");
    }

    /// Refuses the commands that were not sent, and ends the loop.
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

    /// Takes `waker` if it must be called at the end.
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
        queue.send(&mut SendContext { machine, buffers, pacing: &options.pacing, now }, &mut completion);
    }

    pub(super) fn on_written(&mut self) {
        if self.buffers.tx.is_empty() {
            self.queue.on_written(&mut self.wakes);
        }
    }

    fn expire(&mut self, now: proto::Instant) {
        let (up, reason) = (self.machine.is_up(), self.machine.diagnosis());
        let proven_failure = self.proven_failure();
        let Self { machine, observers, wakes, queue, .. } = self;
        let mut completion = observers.completion(wakes);
        if let Some(reason) = proven_failure {
            queue.fail_waiting(reason, &mut completion);
        }
        queue.expire_sent(now, machine, &mut completion);
        queue.expire(now, up, reason, &mut completion);
        if queue.resume(now, &mut completion) {
            self.connect(now);
        }
    }

    /// Queries the DPs of writes whose push has not come.
    fn query_effects(&mut self, now: proto::Instant) {
        if self.observers.effects.is_empty() || self.phase != Phase::Running {
            return;
        }
        for EffectQuery { ids, cid, ends, slot } in self.observers.effects.due(now) {
            let wait = ends.map_or(self.options.timeout, |ends| ends.saturating_since(now));
            let query = Request::internal(Operation::StatusOf(ids), cid, now, wait);
            let request = Request { effect_of: Some(slot), ..query };
            self.queue.add(Box::new(request));
            self.connect(now);
        }
    }

    /// Reconnects for a read that is repeated, when the connection is not persistent. Waits before it does: a device
    /// that closes the connection on a query would otherwise be dialed in a tight loop.
    fn redial(&mut self, now: proto::Instant) {
        let waits = self.queue.lost_reads > 0 && !self.queue.is_empty() && self.phase == Phase::Running;
        if !waits || self.observers.retrying || self.machine.is_up() || !matches!(self.connection, Connection::Off) {
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

    /// Returns the error of commands that are refused because the link has ended.
    pub(super) const fn refusal(&self) -> CommandError {
        if self.runtime_ended { CommandError::RuntimeGone } else { CommandError::Closed }
    }

    /// Ends a pause for a slow listener, because commands do not wait for listeners.
    pub(super) fn resume(&mut self) {
        if core::mem::take(&mut self.paused) {
            self.wake_loop();
        }
    }
}

/// Writes as much as `write` takes, and records it. Returns whether it took any.
pub(super) fn flush(
    buffers: &mut Buffers,
    machine: &Machine,
    now: proto::Instant,
    mut write: impl FnMut(&[u8]) -> io::Result<usize>,
) -> Result<bool, LossReason> {
    buffers.flush(|bytes| {
        let written = write(bytes)?;
        machine.record_sent(now, bytes.get(..written).unwrap_or_default());
        Ok(written)
    })
}

pub(super) enum Transfer {
    /// The machine has new input.
    Moved,
    Nothing,
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_idle_device_is_small() {
        let size = size_of::<crate::link::Link>();
        // Of these bytes, 32 are memory and queue limits, 24 deferred reads, 48 watchers of the state and the state
        // report, and 112 let the machine recognize late, echoed and replayed frames.
        assert!(size <= 3152, "{size} bytes, most of them the machine's");
    }
}
