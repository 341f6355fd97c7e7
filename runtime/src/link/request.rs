//! A command in the queue of its link.

use core::time::Duration;
use std::sync::Arc;

use rustuya_proto::{self as proto, Cid, Command, CommandCode, DpId, DpMap, RequestData};
use serde_json::{Map, Value};

use super::pacing::Pacing;
use super::slot::{Caller, Slot};
pub(crate) use super::waiter::Writes;
use super::waiter::{Trial, Waiter, apart, joined};
use crate::io::clock::unix_time;
use crate::report::error::CommandError;
use crate::report::reply::Reply;
use crate::report::state::Gathered;

/// Operation that a caller asks for, with its arguments: the content of a [`Request`].
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    /// Wait for a usable connection.
    Connection,
    /// Wait for a usable connection on which the state was reported, or the query for it failed.
    State,
    /// Wait for a usable connection with a valid frame from the device, or for the reason why there is none.
    Diagnosis,
    Status,
    /// Query these DPs.
    StatusOf(Vec<DpId>),
    Set(Writes),
    Update(Vec<DpId>),
    SubDevices,
    /// Send any command, with the JSON text of its data.
    Raw(CommandCode, Option<String>),
}

impl Operation {
    /// Returns the command code for reports to listeners; `None` if nothing is sent.
    pub(crate) const fn command(&self) -> Option<CommandCode> {
        match self {
            Self::Connection | Self::State | Self::Diagnosis => None,
            _ => Some(self.code()),
        }
    }

    /// Returns the JSON text of the DPs to be written, if there are any.
    pub(crate) fn writes(&self) -> Option<Arc<str>> {
        match self {
            Self::Set(writes) => Some(Arc::clone(&writes.json)),
            Self::Raw(CommandCode::CONTROL | CommandCode::CONTROL_NEW, Some(data)) => Some(data.as_str().into()),
            _ => None,
        }
    }

    /// Returns whether it changes nothing, so that it may be repeated.
    pub(crate) const fn is_read(&self) -> bool {
        matches!(self, Self::Status | Self::StatusOf(_) | Self::Update(_) | Self::SubDevices)
    }

    /// Returns the size of its heap data, in bytes.
    pub(super) fn held_bytes(&self) -> usize {
        match self {
            Self::Connection | Self::State | Self::Diagnosis | Self::Status | Self::SubDevices => 0,
            Self::StatusOf(ids) | Self::Update(ids) => size_of_val(ids.as_slice()),
            Self::Set(writes) => writes.json.len(),
            Self::Raw(_, data) => data.as_ref().map_or(0, String::len),
        }
    }

    /// Borrows it as a command for the machine, without clock and limits.
    pub(super) fn machine_command<'a>(&'a self, cid: Option<&'a Cid>) -> Command<'a> {
        let data = match self {
            Self::Connection | Self::State | Self::Diagnosis | Self::Status | Self::SubDevices => RequestData::None,
            Self::StatusOf(ids) | Self::Update(ids) => RequestData::Ids(ids),
            Self::Set(writes) => RequestData::Dps(DpMap::Json(&writes.json)),
            Self::Raw(_, data) => data.as_deref().map_or(RequestData::None, RequestData::Json),
        };
        let command = Command::request(self.code(), data);
        cid.map_or(command, |cid| command.with_cid(cid.as_str()))
    }

    /// Returns the code before the version is known; the machine may send another one.
    const fn code(&self) -> CommandCode {
        match self {
            Self::Connection | Self::State | Self::Diagnosis | Self::Status | Self::StatusOf(_) => {
                CommandCode::DP_QUERY
            }
            Self::Set(_) => CommandCode::CONTROL,
            Self::Update(_) => CommandCode::UPDATE_DPS,
            Self::SubDevices => CommandCode::LAN_EXT_STREAM,
            Self::Raw(code, _) => *code,
        }
    }
}

/// Sets those limits that are given.
pub(super) const fn limited(
    mut command: Command<'_>,
    timeout: Option<Duration>,
    at_most: Option<usize>,
) -> Command<'_> {
    if let Some(timeout) = timeout {
        command = command.with_timeout(timeout);
    }
    if let Some(bytes) = at_most {
        command = command.with_frame_limit(bytes);
    }
    command
}

/// A command from its submission to its result, as the queue holds it. Adds callers, time limits and the state of
/// retries to an [`Operation`]; borrowed as a [`Command`] for the machine when it is sent.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) operation: Operation,
    pub(crate) cid: Option<Cid>,
    /// Time limit for the command as a whole, if the caller has set one.
    pub(crate) limit: Option<Duration>,
    /// Time of submission.
    pub(crate) issued: proto::Instant,
    /// Time limit of one attempt of a read, if it differs from the configured one.
    pub(crate) attempt: Option<Duration>,
    /// Time limit for the answer, if it differs from the configured one; set on sending.
    pub(crate) answer: Option<Duration>,
    /// Callers of this command, in order of submission.
    pub(crate) waiters: Vec<Waiter>,
    /// Write whose effect this query reads.
    pub(crate) effect_of: Option<Arc<Slot>>,
    pub(crate) trial: Option<Arc<Trial>>,
    /// Set for parts of a larger write, which must not be merged again.
    pub(crate) is_part: bool,
    /// Number of times it was sent.
    pub(crate) sent_times: u32,
    /// Set for queries of the link itself, for which no caller waits.
    pub(crate) is_internal: bool,
    /// Time when it was sent.
    pub(crate) sent: proto::Instant,
    /// DPs pushed since a query was sent.
    pub(crate) pushed: Gathered,
    /// DPs that later commands have written since this one was sent, and whether those were acknowledged.
    pub(crate) replaced: Map<String, Value>,
}

impl Request {
    /// Makes a request without callers.
    pub(crate) fn new(operation: Operation, cid: Option<Cid>) -> Self {
        let zero = proto::Instant::ZERO;
        Self {
            operation,
            cid,
            limit: None,
            issued: zero,
            attempt: None,
            answer: None,
            waiters: Vec::new(),
            effect_of: None,
            trial: None,
            is_part: false,
            sent_times: 0,
            is_internal: false,
            sent: zero,
            pushed: Gathered::new(PUSHED),
            replaced: Map::new(),
        }
    }

    /// Adds a caller, before it is submitted.
    pub(crate) fn add_caller(&mut self, slot: Arc<Slot>) {
        let writes = match &self.operation {
            Operation::Set(writes) => Some(writes.clone()),
            _ => None,
        };
        self.waiters.push(Waiter { slot, deadline: self.issued, ends: None, answer_by: None, writes });
    }

    /// Starts its time limits. `wait` is the time limit for it to be sent, if the caller has set no other.
    pub(super) fn start(&mut self, now: proto::Instant, wait: Duration) {
        (self.issued, self.sent) = (now, now);
        // Each attempt of a read gets half of the caller's limit, so that one retry fits in it.
        let repeats = self.operation.is_read() && self.slots().any(|slot| slot.wants_answer());
        self.attempt = self.limit.filter(|_| repeats).map(|limit| (limit / 2).max(limit.min(ATTEMPT)));
        for waiter in &mut self.waiters {
            waiter.deadline = now + self.limit.unwrap_or(wait);
            waiter.ends = self.limit.map(|limit| now + limit);
        }
    }

    /// Makes a started query of the link itself.
    pub(super) fn internal(operation: Operation, cid: Option<Cid>, now: proto::Instant, wait: Duration) -> Self {
        let mut request = Self::new(operation, cid);
        request.add_caller(Slot::new(Caller::Answer));
        request.start(now, wait);
        request
    }

    /// Borrows it as a command for the machine.
    pub(crate) fn machine_command(&self, pacing: &Pacing) -> Command<'_> {
        let command = self.operation.machine_command(self.cid.as_ref()).with_unix_time(unix_time());
        // A write that cannot be split is sent whatever its size.
        let at_most = pacing.max_bytes.filter(|_| self.writes() > 1);
        limited(command, self.answer, at_most.map(|bytes| usize::from(bytes.get())))
    }

    /// Returns the code before the version is known.
    pub(crate) const fn code(&self) -> CommandCode {
        self.operation.code()
    }

    /// Returns whether it queries the state and changes nothing.
    pub(crate) const fn is_query(&self) -> bool {
        match &self.operation {
            Operation::Status | Operation::StatusOf(_) => true,
            Operation::Raw(code, _) => matches!(*code, CommandCode::DP_QUERY | CommandCode::DP_QUERY_NEW),
            _ => false,
        }
    }

    /// Returns whether requested DPs are missing in both the answer and the pushes since.
    pub(super) fn misses_dps(&self, reply: Option<&Reply>) -> bool {
        let reported = |dp: &str| {
            reply.is_some_and(|reply| reply.dps.contains_key(dp))
                || dp.parse().is_ok_and(|dp| self.pushed.get(dp).is_some())
        };
        matches!(&self.operation, Operation::StatusOf(ids) if ids.iter().any(|id| !reported(&id.to_string())))
    }

    /// Returns the error for a missing answer.
    pub(super) const fn no_answer_error(&self) -> CommandError {
        if self.is_query() || self.operation.is_read() { CommandError::NoAnswer } else { CommandError::Unanswered }
    }

    /// Returns the number of DPs that it writes; zero if it cannot be split.
    pub(super) const fn writes(&self) -> usize {
        match &self.operation {
            Operation::Set(writes) => writes.count,
            _ => 0,
        }
    }

    /// Returns the DPs that it writes.
    fn written(&self) -> Map<String, Value> {
        self.operation.writes().and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default()
    }

    /// Returns whether it queries the state of the device itself. Ordinary firmware answers with all DPs, whichever are
    /// named.
    pub(crate) fn is_state_query(&self) -> bool {
        let all = match &self.operation {
            Operation::Status => true,
            Operation::StatusOf(_) => self.effect_of.is_none(),
            Operation::Raw(_, data) => data.is_none() && self.is_query(),
            _ => false,
        };
        all && self.cid.is_none()
    }

    /// Iterates over the slots of all callers.
    pub(crate) fn slots(&self) -> impl Iterator<Item = &Arc<Slot>> {
        self.waiters.iter().map(|waiter| &waiter.slot)
    }

    /// Returns whether all callers have cancelled.
    pub(super) fn is_cancelled(&self) -> bool {
        self.slots().all(|slot| slot.is_cancelled())
    }

    /// Returns the earliest time at which a caller gives up waiting for it to be sent.
    pub(crate) fn deadline(&self) -> proto::Instant {
        self.waiters.iter().map(|waiter| waiter.deadline).min().unwrap_or(self.issued)
    }

    /// Removes and returns the callers that match.
    pub(crate) fn take_waiters(&mut self, is_so: impl Fn(&Waiter) -> bool) -> Vec<Waiter> {
        if !self.waiters.iter().any(&is_so) {
            return Vec::new();
        }
        let (taken, kept) = core::mem::take(&mut self.waiters).into_iter().partition(is_so);
        self.waiters = kept;
        taken
    }

    /// Joins the DPs of the callers again, after they have changed. Not while it is under way.
    pub(crate) fn recompute_writes(&mut self) {
        if let Operation::Set(writes) = &mut self.operation {
            *writes = Writes::new(&joined(&self.waiters));
        }
    }

    /// Takes over the callers of another write to the same device; call [`recompute_writes`](Self::recompute_writes)
    /// afterwards. Returns `other` if it cannot be merged.
    pub(crate) fn merge(&mut self, other: Box<Self>) -> Option<Box<Self>> {
        match (&self.operation, &other.operation) {
            (Operation::Set(_), Operation::Set(_)) if self.cid == other.cid && !self.is_part && !other.is_part => {
                self.waiters.extend(other.waiters);
                None
            }
            _ => Some(other),
        }
    }

    /// Sets the time limits for the answer, just before it is sent. `usual` is the configured one.
    pub(crate) fn set_answer_limits(&mut self, now: proto::Instant, usual: Duration) {
        let shared = self.waiters.len() > 1;
        let is_read = self.operation.is_read();
        let attempt = self.attempt.unwrap_or(usual);
        let (own, first) = (self.attempt.is_some(), self.sent_times == 0);
        for waiter in &mut self.waiters {
            waiter.answer_by = match waiter.ends {
                _ if is_read && waiter.slot.wants_answer() => {
                    let left = waiter.deadline.saturating_since(now);
                    // After a long wait for the connection, the first attempt still gets a moment. Not a query for the
                    // effect of a write: its time limit is that of the write's caller.
                    let moment = first && !own && self.effect_of.is_none();
                    let least = if moment { attempt.min(ATTEMPT) } else { Duration::ZERO };
                    (own || left < attempt).then(|| now + attempt.min(left).max(least))
                }
                // The other half is for the query of the effect.
                Some(ends) if waiter.slot.confirms() => Some(now + ends.saturating_since(now) / 2),
                Some(ends) => Some(ends),
                None => shared.then(|| now + usual),
            };
        }
        let last = self.waiters.iter().filter_map(|waiter| waiter.answer_by).max();
        self.answer = last.map(|last| last.saturating_since(now));
    }

    /// Returns the first time at which one of several callers gives up on the answer.
    pub(crate) fn answer_by(&self) -> Option<proto::Instant> {
        // With a single caller, the machine keeps the time limit.
        let shared = self.waiters.len() > 1;
        self.waiters.iter().filter(|_| shared).filter_map(|waiter| waiter.answer_by).min()
    }

    /// Marks DPs that a later write to the same device has written. `acknowledged` tells whether the device took them.
    pub(crate) fn mark_overwritten(&mut self, later: &Self, acknowledged: bool) {
        if self.writes() > 1 && self.cid == later.cid {
            let own = self.written();
            let both = later.written().into_iter().map(|(dp, _)| dp).filter(|dp| own.contains_key(dp));
            self.replaced.extend(both.map(|dp| (dp, Value::Bool(acknowledged))));
        }
    }

    /// Moves the callers of DPs that a later write, sent and not answered, replaces to that write: its answer is
    /// theirs.
    pub(crate) fn hand_over(&mut self, later: &mut Self) {
        if self.cid == later.cid && !self.waiters.is_empty() {
            let others = later.written();
            let moved = self.take_dps(|dp| others.contains_key(dp));
            later.waiters.splice(0..0, moved);
        }
    }

    /// Removes and returns the callers of DPs that later writes have replaced, and whether those were acknowledged.
    pub(crate) fn take_replaced(&mut self) -> Vec<(Waiter, bool)> {
        let replaced = core::mem::take(&mut self.replaced);
        let mut taken = Vec::new();
        for acknowledged in [true, false] {
            let waiters = self.take_dps(|dp| replaced.get(dp) == Some(&Value::Bool(acknowledged)));
            taken.extend(waiters.into_iter().map(|waiter| (waiter, acknowledged)));
        }
        taken
    }

    /// Removes these DPs and returns their callers.
    fn take_dps(&mut self, is_out: impl Fn(&str) -> bool) -> Vec<Waiter> {
        let mut taken = Vec::new();
        for waiter in core::mem::take(&mut self.waiters) {
            match (waiter.part(&is_out), waiter.part(|dp| !is_out(dp))) {
                (None, _) => self.waiters.push(waiter),
                (Some(out), None) => taken.push(out),
                (Some(out), Some(rest)) => {
                    waiter.slot.split(1, 0);
                    taken.push(out);
                    self.waiters.push(rest);
                }
            }
        }
        self.recompute_writes();
        taken
    }

    /// Splits the write into parts of at most `most` DPs.
    pub(crate) fn split(self, most: usize) -> Vec<Self> {
        let dps: Vec<String> = self.written().into_iter().map(|(dp, _)| dp).collect();
        let chunks = dps.chunks(most.max(1)).map(<[String]>::to_vec).collect();
        self.in_parts(chunks, false)
    }

    /// Splits a refused write for a retry: by caller or, with a single caller, in halves. Whether that helps, the
    /// device decides.
    pub(crate) fn retry(self, half: usize) -> Vec<Self> {
        let groups = apart(&self.waiters);
        if groups.len() > 1 {
            return self.in_parts(groups, true);
        }
        let chunks = groups.iter().flatten().cloned().collect::<Vec<_>>();
        let chunks = chunks.chunks(half.max(1)).map(<[String]>::to_vec).collect();
        self.in_parts(chunks, true)
    }

    fn in_parts(self, chunks: Vec<Vec<String>>, again: bool) -> Vec<Self> {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let size = chunks.iter().map(Vec::len).max().unwrap_or_default();
        let trial = again.then(|| Trial::new(size, count(chunks.len())));
        let mut parts: Vec<Vec<Waiter>> = chunks.iter().map(|_| Vec::new()).collect();
        for waiter in &self.waiters {
            let before = parts.iter().map(Vec::len).sum::<usize>();
            for (chunk, part) in chunks.iter().zip(&mut parts) {
                part.extend(waiter.part(|dp| chunk.iter().any(|known| known == dp)));
            }
            let became = parts.iter().map(Vec::len).sum::<usize>() - before;
            waiter.slot.split(count(became.saturating_sub(1)), count(became - usize::from(!again)));
        }
        let part = |waiters: Vec<Waiter>| Self {
            operation: Operation::Set(Writes::new(&joined(&waiters))),
            cid: self.cid.clone(),
            waiters,
            effect_of: None,
            trial: trial.clone(),
            is_part: true,
            pushed: Gathered::new(PUSHED),
            replaced: Map::new(),
            ..self
        };
        parts.into_iter().map(part).collect()
    }
}

/// Shortest time that a device gets to answer a read, before the read is repeated and after it has waited for the
/// connection.
pub(super) const ATTEMPT: Duration = Duration::from_secs(1);

/// Size limit of pushes collected for a query, in bytes: as much as one frame holds.
const PUSHED: usize = crate::io::buffers::RECEIVED;

#[cfg(test)]
mod tests;
