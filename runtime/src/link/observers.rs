//! What events change, apart from the machine that they come from.

use core::net::IpAddr;
use core::task::Waker;
use std::sync::Arc;

use rustuya_proto::{self as proto, CommandCode, DownReason, Event as Lent, Outcome};

use super::Options;
use super::announced::Announced;
use super::fresh::{LastNews, is_final};
use super::queue::{Completion, Queue};
use crate::effect::Effects;
use crate::event::{Event, Message};
use crate::memory::{Budget, Common};
use crate::metrics::Metrics;
use crate::news::News;
use crate::state::Cache;

/// What events change, apart from the machine that they come from.
pub(super) struct Observers {
    pub(super) news: News,
    pub(super) metrics: Metrics,
    pub(super) cache: Cache,
    /// Why the connection last ended.
    pub(super) reason: Option<DownReason>,
    /// The machine dials again by itself.
    pub(super) retrying: bool,
    /// When the device was last heard or seen.
    pub(super) last_seen: Option<proto::Instant>,
    pub(super) product_key: Option<Arc<str>>,
    /// Where it was lately announced to be.
    pub(super) announced: Option<Box<Announced>>,
    /// Writes whose effect is looked for.
    pub(super) effects: Effects,
    /// The largest frame that is received, in bytes.
    pub(super) receive_limit: usize,
    /// Each connection begins with a query.
    pub(super) asks: bool,
    pub(super) last_news: LastNews,
}

impl Observers {
    pub(super) fn new(id: Arc<str>, options: &Options, common: &Arc<Common>, asks: bool) -> Self {
        Self {
            news: News::new(id, options.backlog_limit),
            metrics: Metrics::default(),
            cache: Cache::new(Budget::new(options.memory_limit, Arc::clone(common))),
            reason: None,
            retrying: false,
            last_seen: None,
            product_key: None,
            announced: None,
            effects: Effects::default(),
            receive_limit: options.receive_limit,
            asks,
            last_news: LastNews::default(),
        }
    }

    /// Takes an event in, and passes it on to those who listen.
    pub(super) fn hear(
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
                self.begin_anew(queue);
                self.news.publish(Event::Up { version: *version }, wakes);
            }
            Lent::Down { reason, retry_at } => {
                let retry_in = retry_at.map(|at| at.saturating_since(now));
                tracing::debug!(%reason, retry_in = retry_in.map(|time| time.as_secs_f64()), "down");
                self.reason = Some(*reason);
                self.retrying = retry_at.is_some();
                self.begin_anew(queue);
                queue.drop_own();
                self.news.publish(Event::Down { reason: *reason, retry_in }, wakes);
                // It may have been reconfigured since.
                if machine.diagnosis() == Some(*reason) && is_final(machine, *reason) {
                    queue.fail_waiting(*reason, &mut self.completion(wakes));
                }
            }
            Lent::Dialect(dialect) => self.news.publish(Event::Dialect(*dialect), wakes),
            Lent::Message(message) => {
                let report = message.payload.report();
                self.content(message, report.as_ref(), now, queue, wakes);
                if message.command == CommandCode::STATUS
                    && let Some(report) = &report
                {
                    queue.note_push(report);
                }
            }
            Lent::Ignored { command, why } => {
                tracing::warn!(?command, "a frame was ignored: {why}");
                self.news.publish(Event::Ignored { command: *command, why: *why }, wakes);
            }
            Lent::Skipped { command, len } => self.skipped(*command, *len, wakes),
            Lent::Resolved { id, outcome: Outcome::TooLong { len }, .. } => {
                self.skipped(queue.code(*id).unwrap_or(CommandCode::STATUS), *len, wakes);
            }
            _ => {}
        }
        if let Lent::Resolved { id, outcome, message } = event {
            let report = message.as_ref().and_then(|message| message.payload.report());
            if let (Some(message), false) = (message, matches!(outcome, Outcome::TooLong { .. })) {
                self.content(message, report.as_ref(), now, queue, wakes);
            }
            let reason = self.reason.or_else(|| machine.diagnosis());
            let mut completion = self.completion(wakes);
            let answer = message.as_ref().map(|message| (message, report.as_ref()));
            queue.resolve((*id, *outcome, answer), reason, machine.dialect(), now, &mut completion);
        }
        self.tell_freshness(queue, machine.is_up(), wakes);
    }

    pub(super) fn completion<'a>(&'a mut self, wakes: &'a mut Vec<Waker>) -> Completion<'a> {
        let Self { news, metrics, effects, receive_limit, .. } = self;
        Completion { news, metrics, wakes, effects, receive_limit: *receive_limit }
    }

    fn skipped(&mut self, command: CommandCode, len: usize, wakes: &mut Vec<Waker>) {
        let limit = self.receive_limit;
        tracing::warn!(command = command.0, len, limit, "a frame was skipped");
        self.news.publish(Event::Skipped { command, len, limit }, wakes);
    }

    /// Takes in the content of a frame, whose payload was read once, as `report`.
    fn content(
        &mut self,
        message: &proto::Message<'_>,
        report: Option<&proto::Report<'_>>,
        now: proto::Instant,
        queue: &Queue,
        wakes: &mut Vec<Waker>,
    ) {
        self.last_seen = Some(now);
        // An empty acknowledgement is no news to anybody but the one who asked.
        if message.payload.is_empty() {
            return;
        }
        let mut changes = Vec::new();
        let mut unkept = 0;
        if let Some(report) = report {
            let live = message.command == CommandCode::STATUS && !report.from_query;
            let dropped = self.cache.note(report, live, now, |cid, online| changes.push((cid, online)));
            unkept = dropped;
            if let Some(dps) = report.dps {
                let cid = report.cid.map(|cid| cid.to_string());
                let cid = cid.as_deref();
                self.effects.of(cid).chain(queue.confirming(cid)).for_each(|slot| slot.show(dps, wakes));
            }
        }
        if self.news.is_heard() {
            self.news.publish(Event::Message(Arc::new(Message::new(message, report))), wakes);
        }
        for (cid, online) in changes {
            self.news.publish(Event::SubDevice { cid, online }, wakes);
        }
        self.unkept(unkept, wakes);
    }

    /// There was no room to remember so many values.
    fn unkept(&mut self, values: u64, wakes: &mut Vec<Waker>) {
        if values == 0 {
            return;
        }
        let limit = self.cache.limit();
        if self.metrics.unkept == 0 {
            tracing::warn!(limit, "the device sends more than is remembered: state() lacks some values");
        }
        self.metrics.unkept = self.metrics.unkept.saturating_add(values);
        self.news.publish(Event::Unkept { values, limit }, wakes);
    }

    /// This address is dialed.
    pub(super) fn note_tried(&mut self, address: IpAddr, now: proto::Instant) {
        if let Some(announced) = &mut self.announced {
            announced.note_tried(address, now);
        }
    }

    /// Sets how much is remembered, and how much waits for each listener from now on.
    pub(super) fn set_limits(&mut self, options: &Options, wakes: &mut Vec<Waker>) {
        self.receive_limit = options.receive_limit;
        self.news.set_backlog(options.backlog_limit);
        let dropped = self.cache.set_limit(options.memory_limit);
        self.unkept(dropped, wakes);
    }
}
