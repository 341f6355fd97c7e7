//! The commands of one device: waiting to be sent, or sent and waiting for the answer.

use core::num::NonZero;
use core::task::Waker;
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;

use rustuya_proto::{
    self as proto, CommandCode, CommandId, DeviceError, Dialect, DownReason, Message, Outcome, Report, RetCode,
    SendError,
};

use super::claim::Claim;
use super::fresh::Told;
use super::machine::Machine;
use super::request::{Ask, Request};
use crate::buffers::Buffers;
use crate::convert;
use crate::effect::Effects;
use crate::error::CommandError;
use crate::metrics::Metrics;
use crate::news::News;
use crate::pacing::Pacing;
use crate::reply::Reply;
use crate::slot::Slot;

/// Where the consequences of a command's fate go.
pub(crate) struct Completion<'a> {
    pub(crate) news: &'a mut News,
    pub(crate) metrics: &'a mut Metrics,
    pub(crate) wakes: &'a mut Vec<Waker>,
    pub(crate) effects: &'a mut Effects,
    /// The largest frame that is received, in bytes.
    pub(crate) receive_limit: usize,
}

impl Completion<'_> {
    /// Tells every caller, or the listeners where a caller is not left to be told.
    pub(crate) fn decide(&mut self, request: &Request, result: Result<Reply, CommandError>) {
        self.tell(request, &request.claims, &result);
        self.looked(request);
    }

    /// Tells the write whose effect a query has looked for, whatever came of the query.
    fn looked(&mut self, request: &Request) {
        if let Some(write) = &request.looks_for {
            write.settle(self.wakes);
        }
    }

    /// Tells some callers of a command.
    fn tell(&mut self, request: &Request, claims: &[Claim], result: &Result<Reply, CommandError>) {
        for claim in claims {
            let untold = claim.slot.decide(result.clone(), || claim.dps(), self.wakes);
            self.report(request, untold);
            if claim.slot.is_open() {
                self.effects.add(&claim.slot, request.cid.as_ref(), claim.ends);
            }
        }
    }

    /// Takes out what nobody wants any more. Whether anything is left.
    fn withdraw(&mut self, request: &mut Request) -> bool {
        let gone = request.take(|claim| claim.slot.is_gone());
        for claim in &gone {
            let untold = claim.slot.withdraw(self.wakes);
            self.report(request, untold);
        }
        if !gone.is_empty() {
            request.sum_up();
        }
        !request.claims.is_empty()
    }

    fn report(&mut self, request: &Request, untold: Option<CommandError>) {
        if let (Some(error), Some(command)) = (untold, request.ask.command()) {
            self.news.publish_failure(command, request.cid.as_ref(), error, self.wakes);
        }
    }
}

/// The commands of one device.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    pub(super) waiting: VecDeque<Box<Request>>,
    /// None of those in `waiting` is given up before that.
    next_expiry: Option<proto::Instant>,
    pub(super) sent: Vec<(CommandId, Box<Request>)>,
    /// Reads that wait for something else: to be asked again, or for what is pushed with their answer.
    pub(super) later: Vec<Later>,
    /// Callers who wait for what comes of the connection, and have nothing sent.
    pub(super) watching: Vec<Request>,
    pub(super) told: Told,
    /// How many of the last ones in `sent` are not written to the socket yet.
    unwritten: usize,
    /// No command before that.
    next_at: proto::Instant,
    /// The most DPs in one write that the device was seen to accept on this connection. It may have refused more for a
    /// reason that has passed, or somebody else may have refused in its name.
    pub(super) learned: Option<NonZero<u32>>,
    /// Times in a row that the connection was lost with a read that is asked again.
    pub(crate) lost_reads: u32,
    /// Nothing more is sent.
    closed: bool,
    /// A query was refused, and none was answered since.
    told_refusal: bool,
}

/// A read that waits until then.
#[derive(Debug)]
pub(super) struct Later {
    at: proto::Instant,
    pub(super) request: Box<Request>,
    /// The answer, of one that is not asked again.
    reply: Option<Reply>,
}

/// The frame that answers a command, and its payload as it was read.
type Answer<'a> = (&'a Message<'a>, Option<&'a Report<'a>>);

/// What a pass over the queue is made with.
pub(crate) struct Pass<'a> {
    pub(super) machine: &'a mut Machine,
    pub(crate) buffers: &'a mut Buffers,
    pub(crate) pacing: &'a Pacing,
    pub(crate) now: proto::Instant,
}

impl Queue {
    /// Whether another command may wait.
    pub(crate) fn has_room(&mut self, completion: &mut Completion<'_>) -> bool {
        if self.waiting.len() >= MOST_WAITING {
            self.waiting.retain_mut(|request| completion.withdraw(request));
        }
        self.waiting.len() < MOST_WAITING
    }

    pub(crate) fn add(&mut self, request: Box<Request>) {
        self.keep(&request);
        self.waiting.push_back(request);
    }

    /// Minds when this one, which is about to wait, is given up.
    fn keep(&mut self, request: &Request) {
        let others = self.next_expiry.filter(|_| !self.waiting.is_empty());
        self.next_expiry = others.into_iter().chain([request.deadline()]).min();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether no command of a caller waits, to be sent or for its answer.
    pub(crate) fn is_idle(&self) -> bool {
        let own = |request: &Request| request.own;
        self.waiting.iter().all(|request| own(request))
            && self.sent.iter().all(|(_, request)| own(request))
            && self.later.iter().all(|later| own(&later.request))
    }

    /// How many commands wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// When the next command has waited long enough, or a little before: to be given up, or to be sent.
    pub(crate) fn deadline(&self, now: proto::Instant, up: bool, pacing: &Pacing) -> Option<proto::Instant> {
        let given_up = self.next_expiry.filter(|_| !self.waiting.is_empty());
        // One that is due already waits for an answer to make room.
        let due = self.waiting.front().filter(|_| up).map(|front| self.due(front, pacing)).filter(|due| *due > now);
        let answers = self.sent.iter().filter_map(|(_, request)| request.answer_by());
        let later = self.later.iter().map(|later| later.at);
        let watched = self.watching.iter().map(Request::deadline);
        given_up.into_iter().chain(due).chain(answers).chain(later).chain(watched).min()
    }

    /// When a command may be sent, as far as pacing is concerned.
    fn due(&self, request: &Request, pacing: &Pacing) -> proto::Instant {
        let merged = match request.ask {
            Ask::Set(_) => request.issued + pacing.merge,
            _ => request.issued,
        };
        merged.max(self.next_at)
    }

    /// Goes on with what has waited until now. Whether a read is asked again.
    pub(crate) fn resume(&mut self, now: proto::Instant, completion: &mut Completion<'_>) -> bool {
        let mut asks = false;
        while let Some(due) = self.later.iter().position(|later| later.at <= now) {
            let Later { request, reply, .. } = self.later.remove(due);
            match reply {
                Some(reply) => {
                    let reply = with_pushed(reply, &request);
                    completion.decide(&request, Ok(reply));
                }
                None => {
                    self.add(request);
                    asks = true;
                }
            }
        }
        asks
    }

    /// Tells callers that have waited too long for the answer to what was sent. It goes on for others.
    pub(crate) fn expire_sent(
        &mut self,
        now: proto::Instant,
        machine: &proto::Device,
        completion: &mut Completion<'_>,
    ) {
        for (id, request) in &mut self.sent {
            if request.answer_by().is_some_and(|until| until <= now) {
                let late = request.take(|claim| claim.answer_by.is_some_and(|until| until <= now));
                let refused = |retcode| rejection(Some(retcode), Some(DeviceError::DataUnvalid), None);
                let error = machine.refusal(*id).map_or_else(|| request.silence(), refused);
                completion.tell(request, &late, &Err(error));
            }
        }
    }

    /// Tells callers that have waited too long for their command to be sent. One that others want too goes on for them.
    pub(crate) fn expire(
        &mut self,
        now: proto::Instant,
        up: bool,
        reason: Option<DownReason>,
        completion: &mut Completion<'_>,
    ) {
        if !self.watching.is_empty() {
            let late = if up { CommandError::NoAnswer } else { CommandError::NotConnected { reason } };
            self.expire_watchers(now, &late, completion);
        }
        if self.waiting.is_empty() || self.next_expiry.is_some_and(|until| until > now) {
            return;
        }
        let error = if up { CommandError::Busy } else { CommandError::NotConnected { reason } };
        self.waiting.retain_mut(|request| {
            let late = request.take(|claim| claim.deadline <= now);
            // Of a read that was sent, and is to be sent again, silence says more than a gap between connections.
            let gap = !up && reason.is_none() && request.sent_times > 0;
            let error = if gap { request.silence() } else { error.clone() };
            completion.tell(request, &late, &Err(error.clone()));
            if request.claims.is_empty() {
                // Nobody waits for what it looked for, either.
                completion.decide(request, Err(error));
            } else if !late.is_empty() {
                request.sum_up();
            }
            !request.claims.is_empty()
        });
        self.next_expiry = self.waiting.iter().map(|request| request.deadline()).min();
    }

    /// Hands what waits to the machine, as much as it takes, in order. Says whether it took any.
    pub(crate) fn send(&mut self, pass: &mut Pass<'_>, completion: &mut Completion<'_>) -> bool {
        let before = self.unwritten;
        while let Some(mut request) = self.waiting.pop_front() {
            if !completion.withdraw(&mut request) {
                continue;
            }
            if let Ask::Connection = request.ask {
                completion.decide(&request, Ok(Reply::empty(request.code())));
                continue;
            }
            if self.due(&request, pass.pacing) > pass.now {
                self.waiting.push_front(request);
                break;
            }
            if pass.pacing.merges() {
                self.merge_into(&mut request, completion);
            }
            let learned = self.learned.map(|most| most.get() as usize);
            let most = [learned, pass.pacing.max_dps.map(|most| most.get().into())].into_iter().flatten().min();
            if let (Some(most), Ask::Set(writes)) = (most, &request.ask)
                && writes.count > most
            {
                self.put_back(request.split(most));
                continue;
            }
            request.limit(pass.now, pass.machine.config().timing.answer);
            match pass.machine.send(&request, pass.pacing, pass.now, pass.buffers) {
                Ok(id) => {
                    request.sent = pass.now;
                    request.sent_times = request.sent_times.saturating_add(1);
                    request.slots().for_each(|slot| slot.begin());
                    completion.metrics.sent += u64::from(!request.own);
                    self.next_at = pass.now + pass.pacing.gap;
                    self.sent.push((id, request));
                    self.unwritten += 1;
                }
                Err(SendError::NoRoom { need }) if pass.buffers.make_room(need) => self.waiting.push_front(request),
                Err(SendError::NoRoom { .. } | SendError::NotReady | SendError::TooMany) => {
                    self.waiting.push_front(request);
                    break;
                }
                Err(SendError::TooLarge) if request.writes() > 1 => {
                    let half = request.writes().div_ceil(2);
                    self.put_back(request.split(half));
                }
                Err(error) => completion.decide(&request, Err(error.into())),
            }
        }
        self.unwritten > before
    }

    /// Joins the writes that follow, up to the next other command for the same sub-device.
    fn merge_into(&mut self, request: &mut Request, completion: &mut Completion<'_>) {
        if !matches!(request.ask, Ask::Set(_)) || request.part {
            return;
        }
        let alone = request.claims.len();
        let mut kept = VecDeque::new();
        let mut joining = true;
        for mut other in core::mem::take(&mut self.waiting) {
            if !completion.withdraw(&mut other) {
                continue;
            }
            let same = other.cid == request.cid;
            let other = match joining && same {
                true => match request.merge(other) {
                    None => continue,
                    Some(other) => other,
                },
                false => other,
            };
            joining &= !same;
            kept.push_back(other);
        }
        self.waiting = kept;
        if request.claims.len() > alone {
            request.sum_up();
        }
    }

    fn put_back(&mut self, parts: Vec<Request>) {
        for part in parts.into_iter().rev() {
            self.keep(&part);
            self.waiting.push_front(Box::new(part));
        }
    }

    /// All that was encoded has been written to the socket.
    pub(crate) fn note_written(&mut self, wakes: &mut Vec<Waker>) {
        let from = self.sent.len().saturating_sub(self.unwritten);
        for (_, request) in self.sent.iter().skip(from) {
            request.slots().for_each(|slot| slot.written(wakes));
        }
        self.unwritten = 0;
    }

    /// The device has pushed DPs, which may be all that it answers to a query.
    pub(crate) fn note_push(&mut self, report: &Report<'_>) {
        let Some(dps) = report.dps else { return };
        let same = |request: &Request| match (&request.cid, report.cid) {
            (None, None) => true,
            (Some(cid), Some(about)) => about == *cid.as_str(),
            _ => false,
        };
        let asked = self.sent.iter_mut().map(|(_, request)| request);
        for request in asked.filter(|request| request.is_query() && same(request)) {
            if request.slots().any(|slot| slot.wants_answer()) {
                dps.for_each(|(id, value)| request.pushed.note(id, &value));
            }
        }
        for later in self.later.iter_mut().filter(|later| later.reply.is_some() && same(&later.request)) {
            dps.for_each(|(id, value)| later.request.pushed.note(id, &value));
            if !later.request.lacks(later.reply.as_ref()) {
                later.at = proto::Instant::ZERO;
            }
        }
    }

    /// A command has found its fate; `reason` is why the connection ended, if it did.
    pub(crate) fn resolve(
        &mut self,
        (id, outcome, answer): (CommandId, Outcome, Option<Answer<'_>>),
        reason: Option<DownReason>,
        dialect: Dialect,
        now: proto::Instant,
        completion: &mut Completion<'_>,
    ) {
        let Some(at) = self.sent.iter().position(|(sent, _)| *sent == id) else {
            return;
        };
        if at + self.unwritten >= self.sent.len() {
            self.unwritten -= 1;
        }
        let (_, request) = self.sent.remove(at);
        let message = answer.map(|(message, _)| message);
        if let Outcome::Rejected { retcode, error } = outcome {
            if request.writes() > 1 && !self.closed {
                let error = rejection(retcode, error, message);
                return self.refused(at, request, &error, completion);
            }
        } else {
            // It may have taken effect: what was sent before is not to undo that.
            let acknowledged = matches!(outcome, Outcome::Acknowledged { .. });
            self.sent.iter_mut().take(at).for_each(|(_, earlier)| earlier.note_later(&request, acknowledged));
        }
        if self.repeats(&request, outcome, reason, now) {
            // Behind what came meanwhile: a read holds nothing up.
            return self.add(request);
        }
        if let Outcome::Rejected { .. } = outcome
            && let Some(at) = self.asks_later(&request, dialect, now)
        {
            return self.later.push(Later { at, request, reply: None });
        }
        // Taking the answer apart is left out when nobody wants to see it.
        let seen = answer.filter(|_| request.slots().any(|slot| slot.wants_answer()));
        let reply =
            || seen.map_or_else(|| Reply::empty(request.code()), |(message, report)| Reply::new(message, report));
        // What the link asks for itself is nobody's command.
        let mut uncounted = Metrics::default();
        let metrics = if request.own { &mut uncounted } else { &mut *completion.metrics };
        let result = match outcome {
            Outcome::Acknowledged { retcode } => {
                metrics.acknowledged += 1;
                self.lost_reads = 0;
                metrics.latency.note(now.saturating_since(request.sent));
                if let Some(size) = request.trial.as_ref().and_then(|trial| trial.accepted()) {
                    self.learned = u32::try_from(size).ok().and_then(NonZero::new);
                }
                let mut reply = reply();
                reply.retcode = retcode.map(RetCode::number);
                if request.is_query() {
                    self.told_refusal = false;
                    reply.partial = dialect == Dialect::Device22;
                    if reply.dps.is_empty() && !request.pushed.is_empty() {
                        reply.dps = request.pushed.to_map();
                        reply.partial = true;
                    }
                    // Some firmware answers with a part, and pushes the rest.
                    if dialect == Dialect::Default && request.lacks(Some(&reply)) && !self.closed {
                        let ends = request.claims.iter().map(|claim| claim.deadline).min();
                        let at = ends.into_iter().chain([now + SETTLE]).min().unwrap_or(now);
                        return self.later.push(Later { at, request, reply: Some(reply) });
                    }
                }
                Ok(reply)
            }
            // Silence is how many devices take this command.
            Outcome::Unanswered if request.code() == CommandCode::UPDATE_DPS => Ok(reply()),
            Outcome::Rejected { retcode, error } => {
                metrics.rejected += 1;
                Err(rejection(retcode, error, message))
            }
            Outcome::ConnectionLost => {
                metrics.lost += 1;
                Err(CommandError::ConnectionLost { reason: reason.unwrap_or(DownReason::Ended) })
            }
            Outcome::TooLong { len } => Err(CommandError::AnswerTooLarge { len, limit: completion.receive_limit }),
            _ => {
                metrics.unanswered += 1;
                Err(request.silence())
            }
        };
        self.note_state(&request, &result);
        // A device that refuses every query is known to do so once listeners were told.
        let refused = !request.own && request.is_query() && matches!(outcome, Outcome::Rejected { .. });
        if refused && core::mem::replace(&mut self.told_refusal, true) {
            request.slots().for_each(|slot| drop(slot.decide(result.clone(), Vec::new, completion.wakes)));
            completion.looked(&request);
        } else {
            completion.decide(&request, result);
        }
    }

    /// A write of several DPs was refused: some firmware takes few DPs at a time, and says no more about it than that.
    /// Tries it again in parts, but for what was written since then: that is not undone, and answers for it.
    fn refused(&mut self, at: usize, mut request: Box<Request>, error: &CommandError, completion: &mut Completion<'_>) {
        let half = request.writes().div_ceil(2);
        // Without those who have been told already.
        request.sum_up();
        for (claim, acknowledged) in request.take_replaced() {
            let result = if acknowledged { Ok(Reply::empty(request.code())) } else { Err(error.clone()) };
            completion.tell(&request, &[claim], &result);
        }
        self.sent.iter_mut().skip(at).for_each(|(_, later)| request.give_way(later));
        if request.writes() > 0 {
            self.put_back(request.retry(half));
        }
    }

    /// Whether a command is to be asked again, because it changes nothing, its caller still waits, and another attempt
    /// may bring what this one did not.
    fn repeats(
        &mut self,
        request: &Request,
        outcome: Outcome,
        reason: Option<DownReason>,
        now: proto::Instant,
    ) -> bool {
        let helps = match outcome {
            // The next connection asks anew for what the link asks for itself.
            Outcome::ConnectionLost => !request.own && !reason.is_some_and(DownReason::is_auth),
            // Silence is how many devices take this command.
            Outcome::Unanswered => request.code() != CommandCode::UPDATE_DPS,
            _ => false,
        };
        let waited_for = || request.slots().any(|slot| slot.wants_answer());
        let repeats = helps && !self.closed && request.ask.is_read() && request.deadline() > now && waited_for();
        if repeats && outcome == Outcome::ConnectionLost {
            self.lost_reads = self.lost_reads.saturating_add(1);
        }
        repeats
    }

    /// When a query that was refused is asked again: a device may refuse for a while, as when it has just started. One
    /// that has refused for the whole time limit before is not asked again.
    fn asks_later(&self, request: &Request, dialect: Dialect, now: proto::Instant) -> Option<proto::Instant> {
        // Asked in the other dialect, it could be taken for a write.
        let may = request.is_query() && request.ask.is_read() && dialect == Dialect::Default;
        if !may || self.told_refusal || self.closed || !request.slots().any(|slot| slot.wants_answer()) {
            return None;
        }
        let at = now + REFUSED * 2_u32.saturating_pow(request.sent_times.saturating_sub(1).min(8));
        (at < request.deadline()).then_some(at)
    }

    /// Writes that were sent and whose effect somebody waits for, about the device or about this sub-device.
    pub(crate) fn confirming<'a>(&'a self, cid: Option<&'a str>) -> impl Iterator<Item = &'a Arc<Slot>> {
        let about = move |request: &&Request| request.cid.as_ref().map(proto::Cid::as_str) == cid;
        let sent = self.sent.iter().map(|(_, request)| &**request).filter(about);
        sent.flat_map(Request::slots).filter(|slot| slot.confirms())
    }

    /// The code of a command that was sent.
    pub(crate) fn code(&self, id: CommandId) -> Option<CommandCode> {
        self.sent.iter().find(|(sent, _)| *sent == id).map(|(_, request)| request.code())
    }

    /// No more commands: answers all that were not sent.
    pub(crate) fn refuse_waiting(&mut self, why: &CommandError, completion: &mut Completion<'_>) {
        self.closed = true;
        for request in core::mem::take(&mut self.watching) {
            completion.decide(&request, Err(why.clone()));
        }
        for request in core::mem::take(&mut self.waiting) {
            completion.decide(&request, Err(why.clone()));
        }
        for Later { request, reply, .. } in core::mem::take(&mut self.later) {
            let reply = reply.map(|reply| with_pushed(reply, &request));
            completion.decide(&request, reply.ok_or_else(|| why.clone()));
        }
    }

    /// The loop is gone: nothing will be heard of what was sent.
    pub(crate) fn refuse_all(&mut self, why: &CommandError, completion: &mut Completion<'_>) {
        self.refuse_waiting(why, completion);
        for (_, request) in core::mem::take(&mut self.sent) {
            completion.decide(&request, Err(CommandError::ConnectionLost { reason: DownReason::Ended }));
        }
        self.unwritten = 0;
    }
}

fn rejection(retcode: Option<RetCode>, error: Option<DeviceError>, message: Option<&Message<'_>>) -> CommandError {
    CommandError::Rejected { retcode: retcode.map(RetCode::number), text: convert::refusal(message, error) }
}

/// An answer, and what was pushed with it of which it says nothing.
fn with_pushed(mut reply: Reply, request: &Request) -> Reply {
    for (dp, value) in request.pushed.to_map() {
        reply.dps.entry(dp).or_insert(value);
    }
    reply
}

/// How long what is missing in an answer may take to be pushed. Firmware pushes within milliseconds.
const SETTLE: Duration = Duration::from_millis(300);

/// How long after it was refused a query is asked again the first time; twice as long each time after that.
const REFUSED: Duration = Duration::from_millis(500);

/// Commands that wait for one device at most.
pub(crate) const MOST_WAITING: usize = 256;
