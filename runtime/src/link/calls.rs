//! What callers do with a link, from their own threads.

use core::net::IpAddr;
use core::time::Duration;
use std::sync::Arc;

use rustuya_proto::{self as proto, Cid, CommandCode, DeviceConfig};

use super::engine::{Engine, Phase, Wire, flush};
use super::request::{ATTEMPT, Ask, Request};
use super::tap::SharedTap;
use super::{Env, Options, Parcel};
use crate::effect::Effect;
use crate::error::CommandError;
use crate::metrics::Metrics;
use crate::news::News;
use crate::slot::Slot;
use crate::state::Cache;

impl Engine {
    /// Takes a command in, and sends it if that can be done now.
    pub(super) fn submit(&mut self, parcel: Parcel, env: &Env) {
        let now = self.clock.now();
        let watches = matches!(parcel.ask, Ask::State | Ask::Diagnosis);
        let taken = self.take_in(parcel, now);
        if taken && watches {
            self.wake_loop();
        }
        if taken && !self.connect(now) && !watches {
            self.send_from_caller(now, env);
        }
    }

    /// Takes a command in whose caller waits for nothing. The first one is sent at once; of those that follow close
    /// by, the loop sends as many together as the device takes.
    pub(super) fn post(&mut self, parcel: Parcel, env: &Env) {
        let now = self.clock.now();
        let follows = now < core::mem::replace(&mut self.posted, now) + BURST;
        if !follows {
            self.submit(parcel, env);
        } else if self.take_in(parcel, now) && !self.connect(now) {
            // Others that wait have the loop look after them already.
            if self.queue.len() == 1 || self.is_due_sooner(now) {
                self.wake_loop();
            }
        }
    }

    /// Has a command wait to be sent; false when it is refused.
    fn take_in(&mut self, Parcel { ask, cid, slot, timeout }: Parcel, now: proto::Instant) -> bool {
        let wait = timeout.unwrap_or_else(|| self.options.pacing.sleeps.unwrap_or(self.options.timeout));
        // Within a limit of its own, what may be asked again is given half of it at a time.
        let again = ask.is_read() && slot.wants_answer();
        let attempt = timeout.filter(|_| again).map(|limit| (limit / 2).max(limit.min(ATTEMPT)));
        let waited_for = slot.is_waited_for();
        let request = Request::new(ask, cid, slot, now, now + wait).ending(timeout.map(|limit| now + limit));
        let request = Box::new(Request { attempt, ..request });
        let refused = |cid: &Cid| self.observers.cache.online(cid.as_str()) == Some(false);
        let error = if self.phase != Phase::Running {
            self.refusal()
        } else if !matches!(request.ask, Ask::Raw(..)) && request.cid.as_ref().is_some_and(refused) {
            CommandError::SubDeviceOffline
        } else if waited_for && !self.has_room() {
            // Others were refused by the link, or have its word.
            CommandError::Busy
        } else if matches!(request.ask, Ask::State | Ask::Diagnosis) {
            self.queue.watch(*request);
            self.resume();
            return true;
        } else if let Some(reason) = self.refuted() {
            CommandError::NotConnected { reason: Some(reason) }
        } else {
            self.queue.add(request);
            self.resume();
            return true;
        };
        self.completion().1.decide(&request, Err(error));
        false
    }

    /// Looks for the effect of a write from now on; it may be acknowledged already.
    pub(super) fn expect(&mut self, slot: &Arc<Slot>, cid: Option<&Cid>, effect: Effect) {
        slot.expect(effect);
        if slot.is_open() {
            self.observers.effects.add(slot, cid, None);
            self.wake_loop();
        }
    }

    /// Whether another command may wait.
    pub(super) fn has_room(&mut self) -> bool {
        let (queue, mut completion) = self.completion();
        queue.has_room(&mut completion)
    }

    /// A command failed, and its caller had stopped to wait for it.
    pub(super) fn report(&mut self, command: CommandCode, cid: Option<&Cid>, error: CommandError) {
        self.observers.news.publish_failure(command, cid, error, &mut self.wakes);
    }

    /// Has the loop connect where it is at rest without a connection. Whether it is.
    pub(super) fn connect(&mut self, now: proto::Instant) -> bool {
        let rests = !self.machine.is_up() && !self.observers.retrying && matches!(self.wire, Wire::Off);
        if rests {
            self.machine.connect_now(now);
            self.wake_loop();
        }
        rests
    }

    /// Sends what waits by the short way, and wakes the loop if something is left for it to do.
    fn send_from_caller(&mut self, now: proto::Instant, env: &Env) {
        self.buffers.lend_tx(&env.pool);
        self.send(now);
        if let Wire::Up(conn, Some(outlet)) = &self.wire
            && !self.buffers.tx.is_empty()
        {
            let (conn, outlet) = (*conn, Arc::clone(outlet));
            if let Err(why) = flush(&mut self.buffers, &self.machine, now, |bytes| outlet.try_write(bytes)) {
                self.fail(conn, why);
                self.wake_loop();
            }
            self.note_written();
        }
        if self.is_due_sooner(now) || !self.buffers.tx.is_empty() {
            self.wake_loop();
        }
        self.buffers.reclaim(&env.pool);
    }

    /// Whether there is something to do before the loop would wake up.
    fn is_due_sooner(&self, now: proto::Instant) -> bool {
        let waiting = self.queue.deadline(now, self.machine.is_up(), &self.options.pacing);
        let due = [self.machine.deadline(), waiting, self.observers.effects.deadline()].into_iter().flatten().min();
        due.is_some_and(|due| self.armed.is_none_or(|armed| due < armed))
    }

    /// Connects without waiting for the delay between attempts.
    pub(crate) fn connect_now(&mut self) {
        self.machine.connect_now(self.clock.now());
        self.wake_loop();
    }

    /// The device announced itself.
    pub(crate) fn announced(&mut self, ip: IpAddr, version: Option<proto::Version>, product_key: Option<&str>) {
        let now = self.clock.now();
        self.observers.last_seen = Some(now);
        if let Some(key) = product_key.filter(|key| self.observers.product_key.as_deref() != Some(*key)) {
            self.observers.product_key = Some(key.into());
        }
        let before = (self.machine.address(), self.machine.deadline());
        let mut place = (ip, version);
        if self.machine.config().address.is_none() {
            let next = self.observers.announced.get_or_insert_default().hear(ip, version, now);
            // A connection is asked for a sign of life wherever else the device may be.
            place = if self.machine.is_up() { place } else { next };
        }
        let (ip, version) = place;
        self.machine.handle_announcement(ip, version, now);
        if before != (self.machine.address(), self.machine.deadline()) {
            self.wake_loop();
        }
    }

    /// The device was announced from another address than the named one, which is not trusted.
    pub(crate) fn relayed(&mut self) {
        if self.machine.address().is_none() && self.machine.diagnosis() != Some(proto::DownReason::Relayed) {
            self.machine.handle_relayed(self.clock.now());
            self.wake_loop();
        }
    }

    /// Whether the device has to be found: no address is configured, and it is not where it was heard to be.
    pub(crate) fn is_sought(&self) -> bool {
        let config = self.machine.config();
        let at_rest = !config.persist && self.machine.address().is_some() && self.machine.diagnosis().is_none();
        self.phase == Phase::Running && config.address.is_none() && !self.machine.is_up() && !at_rest
    }

    /// Changes what the device is and how it is treated. Listeners stay; what is pending is answered.
    pub(crate) fn reconfigure(&mut self, config: &DeviceConfig, options: Options) {
        self.buffers.limit_rx(options.receive_limit);
        self.observers.asks = options.asks(config);
        self.observers.set_limits(&options, &mut self.wakes);
        if options.host != self.options.host {
            self.dialed_before = None;
        }
        self.options = options;
        self.machine.reconfigure(config, self.clock.now());
        self.wake_loop();
    }

    /// What the device was described as.
    pub(crate) fn description(&self) -> (Box<DeviceConfig>, Options, Option<SharedTap>) {
        (Box::new(self.machine.config().clone()), self.options.clone(), self.machine.tap().cloned())
    }

    pub(crate) fn machine(&self) -> &proto::Device {
        &self.machine
    }

    pub(crate) fn news(&mut self) -> &mut News {
        &mut self.observers.news
    }

    pub(crate) const fn cache(&self) -> &Cache {
        &self.observers.cache
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.phase != Phase::Running
    }

    pub(crate) fn last_seen(&self) -> Option<Duration> {
        self.observers.last_seen.map(|at| self.clock.now().saturating_since(at))
    }

    pub(crate) fn product_key(&self) -> Option<Arc<str>> {
        self.observers.product_key.clone()
    }

    pub(crate) fn metrics(&self) -> Metrics {
        let mut metrics = self.observers.metrics.with_machine(self.machine.stats());
        metrics.lagged = self.observers.news.lost;
        metrics
    }
}

/// Commands that nobody waits for and that follow each other so closely are sent together.
const BURST: Duration = Duration::from_micros(200);
