//! Receivers of the machine's events: listeners, counters, state cache, pending effects.

use core::net::IpAddr;
use core::task::Waker;
use std::sync::Arc;

use rustuya_proto::{self as proto, CommandCode, DownReason, Event as MachineEvent, Outcome};

use super::announced::Announced;
use super::completion::Completion;
use super::freshness::Freshness;
use super::pending_effects::Effects;
use super::publisher::Publisher;
use super::queue::Queue;
use super::settings::Options;
use super::state_report::StateReport;
use crate::report::event::{Event, Message};
use crate::report::memory::{Budget, Common};
use crate::report::metrics::Metrics;
use crate::report::state::{Cache, Stale};

/// Receivers of the machine's events, apart from the queue.
pub(super) struct Observers {
    pub(super) publisher: Publisher,
    pub(super) metrics: Metrics,
    pub(super) cache: Cache,
    /// Reason of the last end of the connection.
    pub(super) reason: Option<DownReason>,
    /// Set while the machine redials on its own.
    pub(super) retrying: bool,
    /// Time of the last frame or announcement.
    pub(super) last_seen: Option<proto::Instant>,
    pub(super) product_key: Option<Arc<str>>,
    /// Addresses of recent announcements.
    pub(super) announced: Option<Box<Announced>>,
    /// Writes whose effect is watched for.
    pub(super) effects: Effects,
    /// Size limit of a received frame, in bytes.
    pub(super) receive_limit: usize,
    pub(super) freshness: Freshness,
}

impl Observers {
    pub(super) fn new(id: Arc<str>, options: &Options, common: &Arc<Common>, queries_state: bool) -> Self {
        Self {
            publisher: Publisher::new(id, options.backlog_limit),
            metrics: Metrics::default(),
            cache: Cache::new(Budget::new(options.memory_limit, Arc::clone(common))),
            reason: None,
            retrying: false,
            last_seen: None,
            product_key: None,
            announced: None,
            effects: Effects::default(),
            receive_limit: options.receive_limit,
            freshness: Freshness::new(queries_state),
        }
    }

    /// Handles an event of the machine, and publishes it to listeners.
    pub(super) fn on_event(
        &mut self,
        event: &MachineEvent<'_>,
        machine: &proto::Device,
        now: proto::Instant,
        queue: &mut Queue,
        wakes: &mut Vec<Waker>,
    ) {
        match event {
            MachineEvent::Up { version } => {
                tracing::debug!(%version, "up");
                self.retrying = false;
                self.last_seen = Some(now);
                self.on_connection_change(queue);
                self.publisher.publish(Event::Up { version: *version }, wakes);
            }
            MachineEvent::Down { reason, retry_at } => {
                let retry_in = retry_at.map(|at| at.saturating_since(now));
                tracing::debug!(%reason, retry_in = retry_in.map(|time| time.as_secs_f64()), "down");
                self.reason = Some(*reason);
                self.retrying = retry_at.is_some();
                self.on_connection_change(queue);
                queue.drop_internal();
                self.publisher.publish(Event::Down { reason: *reason, retry_in }, wakes);
                // The device may have been reconfigured since.
                if machine.diagnosis() == Some(*reason) && is_final(machine, *reason) {
                    queue.fail_waiting(*reason, &mut self.completion(wakes));
                }
            }
            MachineEvent::Dialect(dialect) => self.publisher.publish(Event::Dialect(*dialect), wakes),
            MachineEvent::Message(message) => {
                let report = message.payload.report();
                self.on_message(message, report.as_ref(), now, queue, wakes);
                if message.command == CommandCode::STATUS
                    && let Some(report) = &report
                {
                    queue.on_push(report);
                }
            }
            MachineEvent::Ignored { command, why } => {
                tracing::warn!(?command, "a frame was ignored: {why}");
                self.publisher.publish(Event::Ignored { command: *command, why: *why }, wakes);
            }
            MachineEvent::Skipped { command, len } => self.on_skipped(*command, *len, wakes),
            MachineEvent::Resolved { id, outcome, message } => {
                let report = message.as_ref().and_then(|message| message.payload.report());
                match (outcome, message) {
                    (Outcome::TooLong { len }, _) => {
                        self.on_skipped(queue.code(*id).unwrap_or(CommandCode::STATUS), *len, wakes);
                    }
                    (_, Some(message)) => self.on_message(message, report.as_ref(), now, queue, wakes),
                    (_, None) => {}
                }
                let reason = self.reason.or_else(|| machine.diagnosis());
                let mut completion = self.completion(wakes);
                let answer = message.as_ref().map(|message| (message, report.as_ref()));
                queue.resolve((*id, *outcome, answer), reason, machine.dialect(), now, &mut completion);
            }
            _ => {}
        }
        self.publish_freshness(queue, machine.is_up(), wakes);
    }

    /// Returns why the cached state may be out of date.
    pub(super) fn stale(&self, queue: &Queue, up: bool) -> Option<Stale> {
        self.freshness.stale(&self.cache, &queue.state_report, up)
    }

    /// Handles the begin or end of a connection.
    fn on_connection_change(&mut self, queue: &mut Queue) {
        self.cache.age();
        queue.state_report = StateReport::Missing;
        queue.learned = None;
    }

    /// Publishes a change of freshness to listeners.
    fn publish_freshness(&mut self, queue: &Queue, up: bool, wakes: &mut Vec<Waker>) {
        if !up && self.reason == Some(DownReason::Ended) {
            self.freshness.forget();
        }
        let stale = self.stale(queue, up);
        if let Some(event) = self.freshness.change(stale) {
            self.publisher.publish(event, wakes);
        }
    }

    pub(super) fn completion<'a>(&'a mut self, wakes: &'a mut Vec<Waker>) -> Completion<'a> {
        let Self { publisher, metrics, effects, receive_limit, .. } = self;
        Completion { publisher, metrics, wakes, effects, receive_limit: *receive_limit }
    }

    fn on_skipped(&mut self, command: CommandCode, len: usize, wakes: &mut Vec<Waker>) {
        let limit = self.receive_limit;
        tracing::warn!(command = command.0, len, limit, "a frame was skipped");
        self.publisher.publish(Event::Skipped { command, len, limit }, wakes);
    }

    /// Handles the content of a frame, whose payload was parsed once, as `report`.
    fn on_message(
        &mut self,
        message: &proto::Message<'_>,
        report: Option<&proto::Report<'_>>,
        now: proto::Instant,
        queue: &Queue,
        wakes: &mut Vec<Waker>,
    ) {
        self.last_seen = Some(now);
        // An empty acknowledgement matters to its caller alone.
        if message.payload.is_empty() {
            return;
        }
        let mut changes = Vec::new();
        let mut dropped = 0;
        if let Some(report) = report {
            let live = message.command == CommandCode::STATUS && !report.from_query;
            dropped = self.cache.apply(report, live, now, |cid, online| changes.push((cid, online)));
            if let Some(dps) = report.dps {
                let cid = report.cid.map(|cid| cid.to_string());
                let cid = cid.as_deref();
                self.effects.of(cid).chain(queue.confirming(cid)).for_each(|slot| slot.observe(dps, wakes));
            }
        }
        if self.publisher.has_listeners() {
            self.publisher.publish(Event::Message(Arc::new(Message::new(message, report))), wakes);
        }
        for (cid, online) in changes {
            self.publisher.publish(Event::SubDevice { cid, online }, wakes);
        }
        self.on_values_dropped(dropped, wakes);
    }

    /// Reports values that were dropped for lack of room.
    fn on_values_dropped(&mut self, values: u64, wakes: &mut Vec<Waker>) {
        if values == 0 {
            return;
        }
        let limit = self.cache.limit();
        if self.metrics.values_dropped == 0 {
            tracing::warn!(limit, "the device sends more than is remembered: state() lacks some values");
        }
        self.metrics.values_dropped = self.metrics.values_dropped.saturating_add(values);
        self.publisher.publish(Event::ValuesDropped { values, limit }, wakes);
    }

    /// Records that this address is dialed.
    pub(super) fn on_dial(&mut self, address: IpAddr, now: proto::Instant) {
        if let Some(announced) = &mut self.announced {
            announced.on_dial(address, now);
        }
    }

    /// Sets the limits of memory, and of the queues of new listeners.
    pub(super) fn set_limits(&mut self, options: &Options, wakes: &mut Vec<Waker>) {
        self.receive_limit = options.receive_limit;
        self.publisher.set_backlog(options.backlog_limit);
        let dropped = self.cache.set_limit(options.memory_limit);
        self.on_values_dropped(dropped, wakes);
    }
}

/// Returns whether no attempt with this configuration can succeed. If the version is left open, the next attempt is
/// made with the right one.
pub(super) fn is_final(machine: &proto::Device, reason: DownReason) -> bool {
    let left_open = matches!(reason, DownReason::WrongVersion { .. }) && machine.config().version.is_none();
    reason.is_proven() && !left_open
}
