//! Commands of one device that wait to be sent or for their answer.

use core::num::NonZero;
use core::task::Waker;
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;

use rustuya_proto::{
    self as proto, CommandCode, CommandId, DeviceError, Dialect, DownReason, Message, Outcome, Report, RetCode,
    SendError,
};

use super::completion::Completion;
use super::machine::Machine;
use super::pacing::Pacing;
use super::request::{Operation, Request};
use super::slot::Slot;
use super::state_report::StateReport;
use super::watchers::Watchers;
use crate::io::buffers::Buffers;
use crate::report::convert;
use crate::report::error::CommandError;
use crate::report::metrics::Metrics;
use crate::report::reply::Reply;

/// Commands of one device. Adds their order, pacing, and the ids by which the machine reports outcomes.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: VecDeque<Box<Request>>,
    /// Earliest deadline of the requests in `waiting`, or an earlier time.
    next_expiry: Option<proto::Instant>,
    sent: Vec<(CommandId, Box<Request>)>,
    /// Reads that wait to be repeated, or for pushes that complete their answer.
    deferred: Vec<Deferred>,
    /// Callers that wait for a change of the connection; nothing is sent for them.
    pub(super) watchers: Watchers,
    pub(super) state_report: StateReport,
    /// Number of requests at the end of `sent` that are not written to the socket yet.
    unwritten: usize,
    /// Earliest time of the next command.
    next_at: proto::Instant,
    /// Most DPs per write that the device has accepted on this connection after it refused more. Forgotten with the
    /// connection: the reason of the refusal may pass, or another host may have forged it.
    pub(super) learned: Option<NonZero<u32>>,
    /// Consecutive losses of the connection with a read that is repeated.
    pub(crate) lost_reads: u32,
    /// Set when nothing more is sent.
    closed: bool,
    /// Set when listeners know that a query was refused and none was answered since.
    refusal_reported: bool,
}

/// Read that waits until `at`.
#[derive(Debug)]
struct Deferred {
    at: proto::Instant,
    request: Box<Request>,
    /// Answer of a read that is not repeated.
    reply: Option<Reply>,
}

/// Frame that answers a command, and its parsed payload.
type Answer<'a> = (&'a Message<'a>, Option<&'a Report<'a>>);

/// Machine, buffers and settings that [`Queue::send`] works with.
pub(crate) struct SendContext<'a> {
    pub(super) machine: &'a mut Machine,
    pub(crate) buffers: &'a mut Buffers,
    pub(crate) pacing: &'a Pacing,
    pub(crate) now: proto::Instant,
}

impl Queue {
    /// Returns whether another command may wait.
    pub(crate) fn has_room(&mut self, completion: &mut Completion<'_>) -> bool {
        if self.waiting.len() >= MOST_WAITING {
            self.waiting.retain_mut(|request| completion.withdraw(request));
        }
        self.waiting.len() < MOST_WAITING
    }

    pub(crate) fn add(&mut self, request: Box<Request>) {
        self.track_expiry(&request);
        self.waiting.push_back(request);
    }

    /// Takes the deadline of a request that is about to wait into account.
    fn track_expiry(&mut self, request: &Request) {
        let others = self.next_expiry.filter(|_| !self.waiting.is_empty());
        self.next_expiry = others.into_iter().chain([request.deadline()]).min();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Returns whether no command of a caller waits, to be sent or for its answer.
    pub(crate) fn is_idle(&self) -> bool {
        let own = |request: &Request| request.is_internal;
        self.waiting.iter().all(|request| own(request))
            && self.sent.iter().all(|(_, request)| own(request))
            && self.deferred.iter().all(|deferred| own(&deferred.request))
    }

    /// Returns the number of commands that wait to be sent.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Returns the time of the next expiry or of the next command to be sent, or a little earlier.
    pub(crate) fn deadline(&self, now: proto::Instant, up: bool, pacing: &Pacing) -> Option<proto::Instant> {
        let given_up = self.next_expiry.filter(|_| !self.waiting.is_empty());
        // A request that is due already waits for an answer to make room.
        let due = self.waiting.front().filter(|_| up).map(|front| self.due(front, pacing)).filter(|due| *due > now);
        let answers = self.sent.iter().filter_map(|(_, request)| request.answer_by());
        let later = self.deferred.iter().map(|deferred| deferred.at);
        let watched = self.watchers.deadline();
        given_up.into_iter().chain(due).chain(answers).chain(later).chain(watched).min()
    }

    /// Returns the time from which pacing permits a request.
    fn due(&self, request: &Request, pacing: &Pacing) -> proto::Instant {
        let merged = match request.operation {
            Operation::Set(_) => request.issued + pacing.merge,
            _ => request.issued,
        };
        merged.max(self.next_at)
    }

    /// Completes or repeats deferred reads that are due. Returns whether any is repeated.
    pub(crate) fn resume(&mut self, now: proto::Instant, completion: &mut Completion<'_>) -> bool {
        let mut asks = false;
        while let Some(due) = self.deferred.iter().position(|deferred| deferred.at <= now) {
            let Deferred { request, reply, .. } = self.deferred.remove(due);
            match reply {
                Some(reply) => {
                    let reply = with_pushed(reply, &request);
                    completion.complete(&request, Ok(reply));
                }
                None => {
                    self.add(request);
                    asks = true;
                }
            }
        }
        asks
    }

    /// Fails callers that have waited too long for the answer to a sent command. The command goes on for its other
    /// callers.
    pub(crate) fn expire_sent(
        &mut self,
        now: proto::Instant,
        machine: &proto::Device,
        completion: &mut Completion<'_>,
    ) {
        for (id, request) in &mut self.sent {
            if request.answer_by().is_some_and(|until| until <= now) {
                let late = request.take_waiters(|waiter| waiter.answer_by.is_some_and(|until| until <= now));
                let refused = |retcode| rejection(Some(retcode), Some(DeviceError::DataUnvalid), None);
                let error = machine.refusal(*id).map_or_else(|| request.no_answer_error(), refused);
                completion.complete_waiters(request, &late, &Err(error));
            }
        }
    }

    /// Fails callers that have waited too long for their command to be sent. The command goes on for its other callers.
    pub(crate) fn expire(
        &mut self,
        now: proto::Instant,
        up: bool,
        reason: Option<DownReason>,
        completion: &mut Completion<'_>,
    ) {
        if !self.watchers.is_empty() {
            let late = if up { CommandError::NoAnswer } else { CommandError::NotConnected { reason } };
            self.watchers.expire(now, &late, completion);
        }
        if self.waiting.is_empty() || self.next_expiry.is_some_and(|until| until > now) {
            return;
        }
        let error = if up { CommandError::Busy } else { CommandError::NotConnected { reason } };
        self.waiting.retain_mut(|request| {
            let late = request.take_waiters(|waiter| waiter.deadline <= now);
            // A read that was sent and is to be repeated: "no answer" says more than a gap between connections.
            let gap = !up && reason.is_none() && request.sent_times > 0;
            let error = if gap { request.no_answer_error() } else { error.clone() };
            completion.complete_waiters(request, &late, &Err(error.clone()));
            if request.waiters.is_empty() {
                // The write whose effect it queries must not wait either.
                completion.complete(request, Err(error));
            } else if !late.is_empty() {
                request.recompute_writes();
            }
            !request.waiters.is_empty()
        });
        self.next_expiry = self.waiting.iter().map(|request| request.deadline()).min();
    }

    /// Passes waiting requests to the machine in order, as many as it takes. Returns whether it took any.
    pub(crate) fn send(&mut self, cx: &mut SendContext<'_>, completion: &mut Completion<'_>) -> bool {
        let before = self.unwritten;
        while let Some(mut request) = self.waiting.pop_front() {
            if !completion.withdraw(&mut request) {
                continue;
            }
            if let Operation::Connection = request.operation {
                completion.complete(&request, Ok(Reply::empty(request.code())));
                continue;
            }
            if self.due(&request, cx.pacing) > cx.now {
                self.waiting.push_front(request);
                break;
            }
            if cx.pacing.merges() {
                self.merge_into(&mut request, completion);
            }
            let learned = self.learned.map(|most| most.get() as usize);
            let most = [learned, cx.pacing.max_dps.map(|most| most.get().into())].into_iter().flatten().min();
            if let (Some(most), Operation::Set(writes)) = (most, &request.operation)
                && writes.count > most
            {
                self.put_back(request.split(most));
                continue;
            }
            request.set_answer_limits(cx.now, cx.machine.config().timing.answer);
            match cx.machine.send(&request, cx.pacing, cx.now, cx.buffers) {
                Ok(id) => {
                    request.sent = cx.now;
                    request.sent_times = request.sent_times.saturating_add(1);
                    request.slots().for_each(|slot| slot.start());
                    completion.metrics.sent += u64::from(!request.is_internal);
                    self.next_at = cx.now + cx.pacing.gap;
                    self.sent.push((id, request));
                    self.unwritten += 1;
                }
                Err(SendError::NoRoom { need }) if cx.buffers.make_room(need) => self.waiting.push_front(request),
                Err(SendError::NoRoom { .. } | SendError::NotReady | SendError::TooMany) => {
                    self.waiting.push_front(request);
                    break;
                }
                Err(SendError::TooLarge) if request.writes() > 1 => {
                    let half = request.writes().div_ceil(2);
                    self.put_back(request.split(half));
                }
                Err(error) => completion.complete(&request, Err(error.into())),
            }
        }
        self.unwritten > before
    }

    /// Merges the writes that follow, up to the next other command for the same sub-device.
    fn merge_into(&mut self, request: &mut Request, completion: &mut Completion<'_>) {
        if !matches!(request.operation, Operation::Set(_)) || request.is_part {
            return;
        }
        let alone = request.waiters.len();
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
        if request.waiters.len() > alone {
            request.recompute_writes();
        }
    }

    fn put_back(&mut self, parts: Vec<Request>) {
        for part in parts.into_iter().rev() {
            self.track_expiry(&part);
            self.waiting.push_front(Box::new(part));
        }
    }

    /// Marks requests as written once all encoded bytes are written to the socket.
    pub(crate) fn on_written(&mut self, wakes: &mut Vec<Waker>) {
        let from = self.sent.len().saturating_sub(self.unwritten);
        for (_, request) in self.sent.iter().skip(from) {
            request.slots().for_each(|slot| slot.frame_written(wakes));
        }
        self.unwritten = 0;
    }

    /// Collects pushed DPs for the queries under way: some devices answer a query by pushes alone.
    pub(crate) fn on_push(&mut self, report: &Report<'_>) {
        let Some(dps) = report.dps else { return };
        let same = |request: &Request| match (&request.cid, report.cid) {
            (None, None) => true,
            (Some(cid), Some(about)) => about == *cid.as_str(),
            _ => false,
        };
        let asked = self.sent.iter_mut().map(|(_, request)| request);
        for request in asked.filter(|request| request.is_query() && same(request)) {
            if request.slots().any(|slot| slot.wants_answer()) {
                dps.for_each(|(id, value)| request.pushed.insert(id, &value));
            }
        }
        for deferred in self.deferred.iter_mut().filter(|deferred| deferred.reply.is_some() && same(&deferred.request))
        {
            dps.for_each(|(id, value)| deferred.request.pushed.insert(id, &value));
            if !deferred.request.misses_dps(deferred.reply.as_ref()) {
                deferred.at = proto::Instant::ZERO;
            }
        }
    }

    /// Handles the outcome of a command; `reason` is the cause of a lost connection.
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
            // It may have taken effect: a retry of an earlier write must not undo it.
            let acknowledged = matches!(outcome, Outcome::Acknowledged { .. });
            self.sent.iter_mut().take(at).for_each(|(_, earlier)| earlier.mark_overwritten(&request, acknowledged));
        }
        if self.should_repeat(&request, outcome, reason, now) {
            // Behind the commands that came meanwhile: a repeated read delays nothing.
            return self.add(request);
        }
        if let Outcome::Rejected { .. } = outcome
            && let Some(at) = self.repeat_at(&request, dialect, now)
        {
            return self.deferred.push(Deferred { at, request, reply: None });
        }
        // Convert the answer only if a caller wants it.
        let seen = answer.filter(|_| request.slots().any(|slot| slot.wants_answer()));
        let reply =
            || seen.map_or_else(|| Reply::empty(request.code()), |(message, report)| Reply::new(message, report));
        // Queries of the link itself do not count as commands.
        let mut uncounted = Metrics::default();
        let metrics = if request.is_internal { &mut uncounted } else { &mut *completion.metrics };
        let result = match outcome {
            Outcome::Acknowledged { retcode } => {
                metrics.acknowledged += 1;
                self.lost_reads = 0;
                metrics.latency.record(now.saturating_since(request.sent));
                if let Some(size) = request.trial.as_ref().and_then(|trial| trial.accepted()) {
                    self.learned = u32::try_from(size).ok().and_then(NonZero::new);
                }
                let mut reply = reply();
                reply.retcode = retcode.map(RetCode::number);
                if request.is_query() {
                    self.refusal_reported = false;
                    reply.partial = dialect == Dialect::Device22;
                    if reply.dps.is_empty() && !request.pushed.is_empty() {
                        reply.dps = request.pushed.to_map();
                        reply.partial = true;
                    }
                    // Some firmware answers with a part, and pushes the rest.
                    if dialect == Dialect::Default && request.misses_dps(Some(&reply)) && !self.closed {
                        let ends = request.waiters.iter().map(|waiter| waiter.deadline).min();
                        let at = ends.into_iter().chain([now + SETTLE]).min().unwrap_or(now);
                        return self.deferred.push(Deferred { at, request, reply: Some(reply) });
                    }
                }
                Ok(reply)
            }
            // Many devices accept this command silently.
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
                Err(request.no_answer_error())
            }
        };
        self.state_report.update(&request, &result);
        // Report to listeners only the first of several refused queries.
        let refused = !request.is_internal && request.is_query() && matches!(outcome, Outcome::Rejected { .. });
        if refused && core::mem::replace(&mut self.refusal_reported, true) {
            request.slots().for_each(|slot| drop(slot.complete(result.clone(), Vec::new, completion.wakes)));
            completion.settle_effect(&request);
        } else {
            completion.complete(&request, result);
        }
    }

    /// Handles a refused write of several DPs: some firmware takes few DPs at a time, and gives no other reason.
    /// Retries in smaller parts. DPs that later commands have written since are left out, and complete with those
    /// commands.
    fn refused(&mut self, at: usize, mut request: Box<Request>, error: &CommandError, completion: &mut Completion<'_>) {
        let half = request.writes().div_ceil(2);
        // Leave out the callers that are complete already.
        request.recompute_writes();
        for (waiter, acknowledged) in request.take_replaced() {
            let result = if acknowledged { Ok(Reply::empty(request.code())) } else { Err(error.clone()) };
            completion.complete_waiters(&request, &[waiter], &result);
        }
        self.sent.iter_mut().skip(at).for_each(|(_, later)| request.hand_over(later));
        if request.writes() > 0 {
            self.put_back(request.retry(half));
        }
    }

    /// Returns whether to repeat a command: it changes nothing, its caller still waits, and another attempt may
    /// succeed.
    fn should_repeat(
        &mut self,
        request: &Request,
        outcome: Outcome,
        reason: Option<DownReason>,
        now: proto::Instant,
    ) -> bool {
        let helps = match outcome {
            // The link queries anew on the next connection anyway.
            Outcome::ConnectionLost => !request.is_internal && !reason.is_some_and(DownReason::is_auth),
            // Many devices accept this command silently.
            Outcome::Unanswered => request.code() != CommandCode::UPDATE_DPS,
            _ => false,
        };
        let waited_for = || request.slots().any(|slot| slot.wants_answer());
        let repeats = helps && !self.closed && request.operation.is_read() && request.deadline() > now && waited_for();
        if repeats && outcome == Outcome::ConnectionLost {
            self.lost_reads = self.lost_reads.saturating_add(1);
        }
        repeats
    }

    /// Returns the time at which to repeat a refused query: a device may refuse for a while, for example just after it
    /// has started. A device that refused until a caller's time limit before is not asked again.
    fn repeat_at(&self, request: &Request, dialect: Dialect, now: proto::Instant) -> Option<proto::Instant> {
        // In the other dialect, the device could take it for a write.
        let may = request.is_query() && request.operation.is_read() && dialect == Dialect::Default;
        if !may || self.refusal_reported || self.closed || !request.slots().any(|slot| slot.wants_answer()) {
            return None;
        }
        let at = now + REFUSED * 2_u32.saturating_pow(request.sent_times.saturating_sub(1).min(8));
        (at < request.deadline()).then_some(at)
    }

    /// Iterates over sent writes whose effect a caller waits for, of the device or of this sub-device.
    pub(crate) fn confirming<'a>(&'a self, cid: Option<&'a str>) -> impl Iterator<Item = &'a Arc<Slot>> {
        let about = move |request: &&Request| request.cid.as_ref().map(proto::Cid::as_str) == cid;
        let sent = self.sent.iter().map(|(_, request)| &**request).filter(about);
        sent.flat_map(Request::slots).filter(|slot| slot.confirms())
    }

    /// Returns the code of a sent command.
    pub(crate) fn code(&self, id: CommandId) -> Option<CommandCode> {
        self.sent.iter().find(|(sent, _)| *sent == id).map(|(_, request)| request.code())
    }

    /// Returns whether a query of the state is under way or queued.
    pub(super) fn has_state_query(&self) -> bool {
        let is_queued = |request: &Request| request.is_state_query() && !request.is_cancelled();
        self.sent.iter().any(|(_, request)| request.is_state_query())
            || self.waiting.iter().any(|request| is_queued(request))
            || self.deferred.iter().any(|deferred| is_queued(&deferred.request))
    }

    /// Removes the link's own queries at the end of a connection; the next one queries anew.
    pub(super) fn drop_internal(&mut self) {
        self.waiting.retain(|request| !request.is_internal);
        self.deferred.retain(|deferred| !deferred.request.is_internal);
    }

    /// Fails everything that waits, because key or version are proven to be wrong.
    pub(super) fn fail_waiting(&mut self, reason: DownReason, completion: &mut Completion<'_>) {
        let error = CommandError::NotConnected { reason: Some(reason) };
        self.watchers.fail(&error, completion);
        for request in core::mem::take(&mut self.waiting) {
            completion.complete(&request, Err(error.clone()));
        }
    }

    /// Fails all commands that were not sent, and takes no more.
    pub(crate) fn refuse_waiting(&mut self, why: &CommandError, completion: &mut Completion<'_>) {
        self.closed = true;
        self.watchers.refuse_all(why, completion);
        for request in core::mem::take(&mut self.waiting) {
            completion.complete(&request, Err(why.clone()));
        }
        for Deferred { request, reply, .. } in core::mem::take(&mut self.deferred) {
            let reply = reply.map(|reply| with_pushed(reply, &request));
            completion.complete(&request, reply.ok_or_else(|| why.clone()));
        }
    }

    /// Fails everything, because the loop is gone and no answer will be received.
    pub(crate) fn refuse_all(&mut self, why: &CommandError, completion: &mut Completion<'_>) {
        self.refuse_waiting(why, completion);
        for (_, request) in core::mem::take(&mut self.sent) {
            completion.complete(&request, Err(CommandError::ConnectionLost { reason: DownReason::Ended }));
        }
        self.unwritten = 0;
    }
}

fn rejection(retcode: Option<RetCode>, error: Option<DeviceError>, message: Option<&Message<'_>>) -> CommandError {
    CommandError::Rejected { retcode: retcode.map(RetCode::number), text: convert::refusal(message, error) }
}

/// Adds pushed DPs that the answer lacks.
fn with_pushed(mut reply: Reply, request: &Request) -> Reply {
    for (dp, value) in request.pushed.to_map() {
        reply.dps.entry(dp).or_insert(value);
    }
    reply
}

/// Time limit for pushes that complete an answer. Firmware pushes within milliseconds.
const SETTLE: Duration = Duration::from_millis(300);

/// Delay before a refused query is repeated; doubles each time.
const REFUSED: Duration = Duration::from_millis(500);

/// Limit of commands that wait for one device.
pub(crate) const MOST_WAITING: usize = 256;
