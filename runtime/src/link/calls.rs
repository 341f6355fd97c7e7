//! Calls on a link from the threads of callers.

use core::net::IpAddr;
use core::time::Duration;
use std::sync::Arc;

use rustuya_proto::{self as proto, Cid, CommandCode, DeviceConfig};

use super::effect::Effect;
use super::engine::{Connection, Engine, Phase, flush};
use super::publisher::Publisher;
use super::request::{Operation, Request};
use super::settings::{Env, Options};
use super::slot::Slot;
use super::tap::SharedTap;
use crate::report::error::CommandError;
use crate::report::metrics::Metrics;
use crate::report::state::Cache;

impl Engine {
    /// Queues a command, and sends it if that is possible now.
    pub(super) fn submit(&mut self, request: Box<Request>, env: &Env) {
        let now = self.clock.now();
        let watches = matches!(request.operation, Operation::State | Operation::Diagnosis);
        let taken = self.enqueue(request, now);
        if taken && watches {
            self.wake_loop();
        }
        if taken && !self.connect(now) && !watches {
            self.send_from_caller(now, env);
        }
    }

    /// Queues a command whose caller waits for nothing. Sends the first one at once; of those that follow within
    /// [`BURST`], the loop sends as many together as the device takes.
    pub(super) fn submit_nowait(&mut self, request: Box<Request>, env: &Env) {
        let now = self.clock.now();
        let follows = now < core::mem::replace(&mut self.last_nowait, now) + BURST;
        if !follows {
            self.submit(request, env);
        } else if self.enqueue(request, now) && !self.connect(now) {
            // With others in the queue, the loop is awake already.
            if self.queue.len() == 1 || self.is_due_sooner(now) {
                self.wake_loop();
            }
        }
    }

    /// Queues a command; returns false when it is refused.
    fn enqueue(&mut self, mut request: Box<Request>, now: proto::Instant) -> bool {
        request.start(now, self.options.pacing.sleeps.unwrap_or(self.options.timeout));
        let waited_for = request.slots().any(|slot| slot.is_waited_for());
        let refused = |cid: &Cid| self.observers.cache.online(cid.as_str()) == Some(false);
        let error = if self.phase != Phase::Running {
            self.refusal()
        } else if !matches!(request.operation, Operation::Raw(..)) && request.cid.as_ref().is_some_and(refused) {
            CommandError::SubDeviceOffline
        } else if waited_for && !self.has_room() {
            // Callers that do not wait were refused by the link, or were promised that their command is sent.
            CommandError::Busy
        } else if matches!(request.operation, Operation::State | Operation::Diagnosis) {
            self.queue.watchers.add(*request);
            self.resume();
            return true;
        } else if let Some(reason) = self.proven_failure() {
            CommandError::NotConnected { reason: Some(reason) }
        } else {
            self.queue.add(request);
            self.resume();
            return true;
        };
        self.completion().1.complete(&request, Err(error));
        false
    }

    /// Watches for the effect of a write from now on; it may be acknowledged already.
    pub(super) fn expect(&mut self, slot: &Arc<Slot>, cid: Option<&Cid>, effect: Effect) {
        slot.expect(effect);
        if slot.awaits_effect() {
            self.observers.effects.add(slot, cid, None);
            self.wake_loop();
        }
    }

    /// Returns whether another command may be queued.
    pub(super) fn has_room(&mut self) -> bool {
        let (queue, mut completion) = self.completion();
        queue.has_room(&mut completion)
    }

    /// Reports a failure to listeners, because its caller is gone.
    pub(super) fn report(&mut self, command: CommandCode, cid: Option<&Cid>, error: CommandError) {
        self.observers.publisher.publish_failure(command, cid, error, &mut self.wakes);
    }

    /// Connects if the loop is at rest without a connection. Returns whether it was.
    pub(super) fn connect(&mut self, now: proto::Instant) -> bool {
        let rests = !self.machine.is_up() && !self.observers.retrying && matches!(self.connection, Connection::Off);
        if rests {
            self.machine.connect_now(now);
            self.wake_loop();
        }
        rests
    }

    /// Sends queued commands from the caller's thread, and wakes the loop if work is left for it.
    fn send_from_caller(&mut self, now: proto::Instant, env: &Env) {
        self.buffers.lend_tx(&env.pool);
        self.send(now);
        if let Connection::Up(conn, Some(writer)) = &self.connection
            && !self.buffers.tx.is_empty()
        {
            let (conn, writer) = (*conn, Arc::clone(writer));
            if let Err(why) = flush(&mut self.buffers, &self.machine, now, |bytes| writer.try_write(bytes)) {
                self.fail(conn, why);
                self.wake_loop();
            }
            self.on_written();
        }
        if self.is_due_sooner(now) || !self.buffers.tx.is_empty() {
            self.wake_loop();
        }
        self.buffers.reclaim(&env.pool);
    }

    /// Returns whether something is due before the loop wakes up.
    fn is_due_sooner(&self, now: proto::Instant) -> bool {
        let waiting = self.queue.deadline(now, self.machine.is_up(), &self.options.pacing);
        let due = [self.machine.deadline(), waiting, self.observers.effects.deadline()].into_iter().flatten().min();
        due.is_some_and(|due| self.sleeps_until.is_none_or(|sleeps_until| due < sleeps_until))
    }

    /// Connects without waiting for the delay between attempts.
    pub(crate) fn connect_now(&mut self) {
        self.machine.connect_now(self.clock.now());
        self.wake_loop();
    }

    /// Handles an announcement of the device.
    pub(crate) fn announced(&mut self, ip: IpAddr, version: Option<proto::Version>, product_key: Option<&str>) {
        let now = self.clock.now();
        self.observers.last_seen = Some(now);
        if let Some(key) = product_key.filter(|key| self.observers.product_key.as_deref() != Some(*key)) {
            self.observers.product_key = Some(key.into());
        }
        let before = (self.machine.address(), self.machine.deadline());
        let mut candidate = (ip, version);
        if self.machine.config().address.is_none() {
            let next = self.observers.announced.get_or_insert_default().update(ip, version, now);
            // While connected, the announced address matters itself: it makes the machine check the connection.
            candidate = if self.machine.is_up() { candidate } else { next };
        }
        let (ip, version) = candidate;
        self.machine.handle_announcement(ip, version, now);
        if before != (self.machine.address(), self.machine.deadline()) {
            self.wake_loop();
        }
    }

    /// Handles an announcement that came from another address than it names. It is not trusted.
    pub(crate) fn relayed(&mut self) {
        if self.machine.address().is_none() && self.machine.diagnosis() != Some(proto::DownReason::Relayed) {
            self.machine.handle_relayed(self.clock.now());
            self.wake_loop();
        }
    }

    /// Returns whether the device must be discovered: no address is configured, and it is not reachable at the last
    /// known one.
    pub(crate) fn needs_discovery(&self) -> bool {
        let config = self.machine.config();
        let at_rest = !config.persist && self.machine.address().is_some() && self.machine.diagnosis().is_none();
        self.phase == Phase::Running && config.address.is_none() && !self.machine.is_up() && !at_rest
    }

    /// Changes configuration and settings. Listeners stay; pending commands are answered.
    pub(crate) fn reconfigure(&mut self, config: &DeviceConfig, options: Options) {
        self.buffers.limit_rx(options.receive_limit);
        self.observers.freshness.queries_state = options.queries_state(config);
        self.observers.set_limits(&options, &mut self.wakes);
        if options.host != self.options.host {
            self.dialed_before = None;
        }
        self.options = options;
        self.machine.reconfigure(config, self.clock.now());
        self.wake_loop();
    }

    /// Returns configuration, settings and tap.
    pub(crate) fn description(&self) -> (Box<DeviceConfig>, Options, Option<SharedTap>) {
        (Box::new(self.machine.config().clone()), self.options.clone(), self.machine.tap().cloned())
    }

    pub(crate) fn machine(&self) -> &proto::Device {
        &self.machine
    }

    pub(crate) fn publisher(&mut self) -> &mut Publisher {
        &mut self.observers.publisher
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
        metrics.lagged = self.observers.publisher.lost;
        metrics
    }
}

/// Longest gap between commands without a waiting caller that are sent together.
const BURST: Duration = Duration::from_micros(200);
