//! The inside of a link. It carries out the machine's orders and tells it what happened, and decides nothing about
//! the protocol.

use core::net::{IpAddr, SocketAddr};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::io;
use std::sync::Arc;

use rustuya_proto::{self as proto, Cid, ConnId, DeviceConfig, DownReason, Event as Lent, LossReason, Output};

use super::queue::{Fates, Pass, Queue};
use super::request::{Ask, Request};
use super::{Env, Options, Order};
use crate::buffers::Buffers;
use crate::clock::Clock;
use crate::error::CommandError;
use crate::event::{Event, Message};
use crate::limiter::Permit;
use crate::metrics::Metrics;
use crate::news::News;
use crate::runtime::{Outlet, Pipe};
use crate::slot::Slot;
use crate::state::Cache;

/// The engine of one device's link.
pub(crate) struct Engine {
    machine: proto::Device,
    clock: Clock,
    buffers: Buffers,
    wire: Wire,
    permit: Permit,
    /// The loop has a connection, or is dialing one.
    loop_has_wire: bool,
    /// The loop's waker.
    waker: Option<Waker>,
    /// Until when the loop sleeps.
    armed: Option<proto::Instant>,
    phase: Phase,
    pub(crate) options: Options,
    queue: Queue,
    side: Side,
    /// Waiting for the end.
    closing: Vec<Waker>,
    /// To be called once the lock is released.
    pub(super) wakes: Vec<Waker>,
    span: tracing::Span,
}

/// What events change, apart from the machine that they come from.
struct Side {
    news: News,
    metrics: Metrics,
    cache: Cache,
    /// Why the connection last ended.
    reason: Option<DownReason>,
    /// The machine dials again by itself.
    retrying: bool,
    /// When the device was last heard or seen.
    last_seen: Option<proto::Instant>,
    product_key: Option<Arc<str>>,
}

/// The connection as far as the operating system is concerned.
enum Wire {
    Off,
    /// To be dialed when the limiter allows it.
    Held(ConnId, SocketAddr),
    Dialing(ConnId),
    Up(ConnId, Option<Arc<dyn Outlet>>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    /// Closed by the user; what is encoded may leave until then.
    Closing(Option<proto::Instant>),
    Ended,
}

/// Outputs handled in one turn.
const FAIR_SHARE: u32 = 64;

/// How long encoded bytes may take to leave on closing.
const GRACE: Duration = Duration::from_secs(1);

impl Engine {
    pub(super) fn new(config: DeviceConfig, options: Options, id: Arc<str>) -> Self {
        let clock = Clock::start();
        let span = tracing::debug_span!("device", id = &*id, address = tracing::field::Empty);
        if let Some(address) = config.address {
            span.record("address", tracing::field::display(address));
        }
        Self {
            machine: proto::Device::new(config, clock.now()),
            clock,
            buffers: Buffers::new(),
            wire: Wire::Off,
            permit: Permit::None,
            loop_has_wire: false,
            waker: None,
            armed: None,
            phase: Phase::Running,
            options,
            queue: Queue::default(),
            side: Side {
                news: News::new(id),
                metrics: Metrics::default(),
                cache: Cache::default(),
                reason: None,
                retrying: false,
                last_seen: None,
                product_key: None,
            },
            closing: Vec::new(),
            wakes: Vec::new(),
            span,
        }
    }

    // ---- the loop's side

    pub(super) fn turn(&mut self, mut pipe: Option<&mut dyn Pipe>, waker: &Waker, env: &Env) -> Order {
        if !self.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            self.waker = Some(waker.clone());
        }
        let span = self.span.clone();
        let _in = span.enter();
        for _ in 0..FAIR_SHARE {
            if self.loop_has_wire && matches!(self.wire, Wire::Off | Wire::Held(..)) {
                self.loop_has_wire = false;
                return Order::Hangup;
            }
            let now = self.clock.now();
            if self.phase == Phase::Ended || self.close_now(now) {
                return self.end(env);
            }
            if let Some(order) = self.dial_held(now, waker, env) {
                return order;
            }
            self.expire(now);
            self.buffers.lend_tx(&env.pool);
            let Buffers { rx, tx, .. } = &mut self.buffers;
            let until = match self.machine.poll(now, &mut rand::rng(), rx, tx) {
                Output::Dial { conn, to } => {
                    env.limiter.release(&mut self.permit, &mut self.wakes);
                    self.wire = Wire::Held(conn, to);
                    continue;
                }
                Output::Hangup { conn } => {
                    self.hang_up(conn, env);
                    continue;
                }
                Output::Event(event) => {
                    if matches!(event, Lent::Up { .. } | Lent::Down { .. }) {
                        env.limiter.release(&mut self.permit, &mut self.wakes);
                    }
                    self.side.hear(&event, &self.machine, now, &mut self.queue, &mut self.wakes);
                    continue;
                }
                Output::Wait { until } => until,
            };
            self.send(now);
            let pipe: Option<&mut dyn Pipe> = match &mut pipe {
                Some(pipe) => Some(&mut **pipe),
                None => None,
            };
            match self.transfer(pipe, waker, env) {
                Transfer::Moved => {}
                Transfer::Nothing => return self.sleep(until, None, env),
                Transfer::Pressed(ends) => return self.sleep(until, Some(ends), env),
            }
        }
        Order::Again
    }

    /// Dials when that is allowed.
    fn dial_held(&mut self, now: proto::Instant, waker: &Waker, env: &Env) -> Option<Order> {
        let Wire::Held(conn, to) = self.wire else { return None };
        self.machine.handle_held(conn, now);
        if !env.limiter.acquire(&mut self.permit, waker) {
            return None;
        }
        tracing::debug!(%to, "dialing");
        self.span.record("address", tracing::field::display(to.ip()));
        self.wire = Wire::Dialing(conn);
        self.loop_has_wire = true;
        Some(Order::Dial(to))
    }

    /// Writes and reads.
    fn transfer(&mut self, pipe: Option<&mut dyn Pipe>, waker: &Waker, env: &Env) -> Transfer {
        let (Wire::Up(conn, _), Some(pipe)) = (&self.wire, pipe) else { return Transfer::Nothing };
        let conn = *conn;
        let mut moved = false;
        if !self.buffers.tx.is_empty() {
            match self.buffers.flush(|bytes| pipe.write(bytes)) {
                Ok(any) => moved = any,
                Err(why) => return self.fail(conn, why),
            }
            self.note_written();
        }
        if let Phase::Closing(_) = self.phase {
            return if moved { Transfer::Moved } else { Transfer::Nothing };
        }
        if let Some(ends) = self.side.news.pressed_until(waker) {
            return Transfer::Pressed(self.clock.machine_time(ends));
        }
        self.buffers.lend_rx(&env.pool);
        loop {
            let spare = self.buffers.rx.spare_mut();
            if spare.is_empty() {
                // Only after a read that filled it to the brim: the machine takes what it can first.
                return Transfer::Moved;
            }
            return match pipe.read(spare) {
                Ok(0) => self.fail(conn, LossReason::Closed),
                Ok(n) => {
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

    fn fail(&mut self, conn: ConnId, why: LossReason) -> Transfer {
        self.wire = Wire::Off;
        self.machine.handle_lost(conn, why, self.clock.now());
        Transfer::Moved
    }

    fn sleep(&mut self, until: Option<proto::Instant>, pressed: Option<proto::Instant>, env: &Env) -> Order {
        self.buffers.reclaim(&env.pool);
        let waiting = self.queue.deadline(self.machine.is_up(), &self.options.pacing);
        let grace = match self.phase {
            Phase::Closing(grace) => grace,
            _ => None,
        };
        self.armed = [until, waiting, pressed, grace].into_iter().flatten().min();
        Order::Sleep(self.armed.map(|at| self.clock.wake_up(at)))
    }

    pub(super) fn dialed(&mut self, outlet: Option<Arc<dyn Outlet>>) {
        if let Wire::Dialing(conn) = self.wire {
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
                env.limiter.release(&mut self.permit, &mut self.wakes);
            }
            _ => {}
        }
    }

    // ---- the end

    /// While closing: whether nothing is left to be written, or no time.
    fn close_now(&mut self, now: proto::Instant) -> bool {
        let Phase::Closing(grace) = &mut self.phase else { return false };
        let ends = *grace.get_or_insert(now + GRACE);
        self.buffers.tx.is_empty() || ends <= now || !matches!(self.wire, Wire::Up(..))
    }

    /// Tells everybody that this is over.
    fn end(&mut self, env: &Env) -> Order {
        if self.loop_has_wire {
            self.wire = Wire::Off;
            self.loop_has_wire = false;
            return Order::Hangup;
        }
        self.abandon(env);
        Order::End
    }

    /// The loop is gone, whatever the reason: answers every command, ends the listeners.
    pub(super) fn abandon(&mut self, env: &Env) {
        if self.phase == Phase::Ended && self.closing.is_empty() {
            return;
        }
        self.phase = Phase::Ended;
        self.wire = Wire::Off;
        env.limiter.release(&mut self.permit, &mut self.wakes);
        self.machine.close();
        let now = self.clock.now();
        // The machine tells the fate of what was sent; it has nothing else to say.
        for _ in 0..FAIR_SHARE {
            let Buffers { rx, tx, .. } = &mut self.buffers;
            match self.machine.poll(now, &mut rand::rng(), rx, tx) {
                Output::Event(event) => {
                    self.side.hear(&event, &self.machine, now, &mut self.queue, &mut self.wakes);
                }
                Output::Wait { .. } => break,
                Output::Dial { .. } | Output::Hangup { .. } => {}
            }
        }
        let (queue, mut fates) = self.fates();
        queue.refuse_all(&mut fates);
        self.buffers.rx.clear();
        self.buffers.tx.clear();
        self.buffers.reclaim(&env.pool);
        self.side.news.close(&mut self.wakes);
        self.wakes.append(&mut self.closing);
        self.waker = None;
        tracing::debug!(parent: &self.span, "closed");
    }

    /// Refuses what was not sent, and has the loop end.
    pub(super) fn close(&mut self) {
        if self.phase != Phase::Running {
            return;
        }
        self.phase = Phase::Closing(None);
        let (queue, mut fates) = self.fates();
        queue.refuse_waiting(&mut fates);
        self.wake_loop();
    }

    pub(super) fn poll_closed(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.phase == Phase::Ended {
            return Poll::Ready(());
        }
        self.closing.push(cx.waker().clone());
        Poll::Pending
    }

    // ---- the callers' side

    pub(super) fn submit(&mut self, ask: Ask, cid: Option<Cid>, slot: Arc<Slot>, timeout: Option<Duration>, env: &Env) {
        let now = self.clock.now();
        let wait = timeout.unwrap_or_else(|| self.options.pacing.sleeps.unwrap_or(self.options.timeout));
        let request = Request {
            ask,
            cid,
            issued: now,
            deadline: now + wait,
            answer: timeout,
            slot,
            merged: Vec::new(),
            trial: None,
            sent: now,
        };
        if self.phase != Phase::Running {
            return self.fates().1.decide(&request, Err(CommandError::Closed));
        }
        if let Some(cid) = &request.cid
            && !matches!(request.ask, Ask::Raw(..))
            && self.side.cache.online(cid.as_str()) == Some(false)
        {
            return self.fates().1.decide(&request, Err(CommandError::SubDeviceOffline));
        }
        if let Err(request) = self.queue.add(request) {
            return self.fates().1.decide(&request, Err(CommandError::Busy));
        }
        if !self.machine.is_up() && !self.side.retrying && matches!(self.wire, Wire::Off) {
            self.machine.connect_now(now);
            return self.wake_loop();
        }
        self.send_from_caller(now, env);
    }

    /// Sends what waits by the short way, and wakes the loop if something is left for it to do.
    fn send_from_caller(&mut self, now: proto::Instant, env: &Env) {
        self.buffers.lend_tx(&env.pool);
        self.send(now);
        if let Wire::Up(conn, Some(outlet)) = &self.wire
            && !self.buffers.tx.is_empty()
        {
            let (conn, outlet) = (*conn, Arc::clone(outlet));
            if let Err(why) = self.buffers.flush(|bytes| outlet.try_write(bytes)) {
                self.fail(conn, why);
                self.wake_loop();
            }
            self.note_written();
        }
        let waiting = self.queue.deadline(self.machine.is_up(), &self.options.pacing);
        let due = self.machine.deadline().into_iter().chain(waiting).min();
        let sooner = due.is_some_and(|due| self.armed.is_none_or(|armed| due < armed));
        if sooner || !self.buffers.tx.is_empty() {
            self.wake_loop();
        }
        self.buffers.reclaim(&env.pool);
    }

    fn send(&mut self, now: proto::Instant) {
        if self.queue.is_empty() || !self.machine.is_up() || self.phase != Phase::Running {
            return;
        }
        let Self { machine, buffers, options, side, wakes, queue, .. } = self;
        let mut fates = Fates { news: &mut side.news, metrics: &mut side.metrics, wakes };
        queue.send(&mut Pass { machine, buffers, pacing: &options.pacing, now }, &mut fates);
    }

    fn note_written(&mut self) {
        if self.buffers.tx.is_empty() {
            self.queue.note_written(&mut self.wakes);
        }
    }

    fn expire(&mut self, now: proto::Instant) {
        let (up, reason) = (self.machine.is_up(), self.machine.diagnosis());
        let (queue, mut fates) = self.fates();
        queue.expire(now, up, reason, &mut fates);
    }

    fn fates(&mut self) -> (&mut Queue, Fates<'_>) {
        let Self { side, wakes, queue, .. } = self;
        (queue, Fates { news: &mut side.news, metrics: &mut side.metrics, wakes })
    }

    fn wake_loop(&mut self) {
        self.wakes.extend(self.waker.clone());
    }

    /// Connects without waiting for the delay between attempts.
    pub(crate) fn connect_now(&mut self) {
        self.machine.connect_now(self.clock.now());
        self.wake_loop();
    }

    /// The device announced itself.
    pub(crate) fn announced(&mut self, ip: IpAddr, version: Option<proto::Version>, product_key: Option<&str>) {
        let now = self.clock.now();
        self.side.last_seen = Some(now);
        if let Some(key) = product_key.filter(|key| self.side.product_key.as_deref() != Some(*key)) {
            self.side.product_key = Some(key.into());
        }
        let before = (self.machine.address(), self.machine.deadline());
        self.machine.handle_announcement(ip, version, now);
        if before != (self.machine.address(), self.machine.deadline()) {
            self.wake_loop();
        }
    }

    /// Changes what the device is and how it is treated. Listeners stay; what is pending is answered.
    pub(crate) fn reconfigure(&mut self, config: DeviceConfig, options: Options) {
        self.options = options;
        self.machine.reconfigure(config, self.clock.now());
        self.wake_loop();
    }

    // ---- what is known

    pub(crate) const fn machine(&self) -> &proto::Device {
        &self.machine
    }

    pub(crate) fn news(&mut self) -> &mut News {
        &mut self.side.news
    }

    pub(crate) const fn cache(&self) -> &Cache {
        &self.side.cache
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.phase != Phase::Running
    }

    pub(crate) fn now(&self) -> proto::Instant {
        self.clock.now()
    }

    pub(crate) fn last_seen(&self) -> Option<Duration> {
        self.side.last_seen.map(|at| self.clock.now().saturating_since(at))
    }

    pub(crate) fn product_key(&self) -> Option<Arc<str>> {
        self.side.product_key.clone()
    }

    pub(crate) fn metrics(&self) -> Metrics {
        let mut metrics = self.side.metrics.with_machine(self.machine.stats());
        metrics.lagged = self.side.news.lost;
        metrics
    }
}

impl Side {
    /// Takes an event in, and passes it on to those who listen.
    fn hear(
        &mut self,
        event: &Lent<'_>,
        machine: &proto::Device,
        now: proto::Instant,
        queue: &mut Queue,
        wakes: &mut Vec<Waker>,
    ) {
        match event {
            Lent::Up { version } => {
                tracing::debug!(%version, "up");
                self.retrying = false;
                self.last_seen = Some(now);
                self.news.publish(Event::Up { version: *version }, wakes);
            }
            Lent::Down { reason, retry_at } => {
                let retry_in = retry_at.map(|at| at.saturating_since(now));
                tracing::debug!(%reason, ?retry_in, "down");
                self.reason = Some(*reason);
                self.retrying = retry_at.is_some();
                self.news.publish(Event::Down { reason: *reason, retry_in }, wakes);
            }
            Lent::Dialect(dialect) => self.news.publish(Event::Dialect(*dialect), wakes),
            Lent::Message(message) | Lent::Resolved { message: Some(message), .. } => {
                self.content(message, now, wakes);
            }
            _ => {}
        }
        if let Lent::Resolved { id, outcome, message } = event {
            let mut fates = Fates { news: &mut self.news, metrics: &mut self.metrics, wakes };
            let reason = self.reason.or_else(|| machine.diagnosis());
            queue.resolve((*id, *outcome, message.as_ref()), reason, now, &mut fates);
        }
    }

    fn content(&mut self, message: &proto::Message<'_>, now: proto::Instant, wakes: &mut Vec<Waker>) {
        self.last_seen = Some(now);
        // An empty acknowledgement is no news to anybody but the one who asked.
        if message.payload.is_empty() {
            return;
        }
        let mut changes = Vec::new();
        if let Some(report) = message.payload.report() {
            let live = message.command == proto::CommandCode::STATUS && !report.from_query;
            self.cache.note(&report, live, now, |cid, online| changes.push((cid, online)));
        }
        if self.news.is_heard() {
            self.news.publish(Event::Message(Arc::new(Message::new(message))), wakes);
        }
        for (cid, online) in changes {
            self.news.publish(Event::SubDevice { cid, online }, wakes);
        }
    }
}

enum Transfer {
    /// There is something new for the machine.
    Moved,
    Nothing,
    /// Listeners have no room before that, or until the waker is called.
    Pressed(proto::Instant),
}
