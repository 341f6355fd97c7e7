//! One command, from the caller to the machine.

use core::time::Duration;
use std::sync::Arc;

use rustuya_proto::{self as proto, Cid, Command, CommandCode, DpId, DpMap, RequestData};
use serde_json::{Map, Value};

pub(crate) use super::claim::Writes;
use super::claim::{Claim, Trial, apart, joined};
use crate::clock::unix_time;
use crate::error::CommandError;
use crate::pacing::Pacing;
use crate::reply::Reply;
use crate::slot::Slot;
use crate::state::Gathered;

/// What is asked of a device.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    /// A usable connection, and nothing else.
    Connection,
    /// A usable connection on which the device has told its state, or is known not to.
    State,
    /// A usable connection on which the device was heard, or the reason why there is none.
    Diagnosis,
    Status,
    /// The state of these DPs.
    StatusOf(Vec<DpId>),
    Set(Writes),
    Update(Vec<DpId>),
    SubDevices,
    /// Any command, with the JSON text of its data.
    Raw(CommandCode, Option<String>),
}

impl Ask {
    /// The code by which the command is known to listeners; `None` for what is no command.
    pub(crate) const fn command(&self) -> Option<CommandCode> {
        match self {
            Self::Connection | Self::State | Self::Diagnosis => None,
            _ => Some(self.code()),
        }
    }

    /// The JSON text of the DPs that it writes, as far as it writes any.
    pub(crate) fn writes(&self) -> Option<Arc<str>> {
        match self {
            Self::Set(writes) => Some(Arc::clone(&writes.json)),
            Self::Raw(CommandCode::CONTROL | CommandCode::CONTROL_NEW, Some(data)) => Some(data.as_str().into()),
            _ => None,
        }
    }

    /// Whether it asks and changes nothing, so that it may be asked again.
    pub(crate) const fn is_read(&self) -> bool {
        matches!(self, Self::Status | Self::StatusOf(_) | Self::Update(_) | Self::SubDevices)
    }

    /// How many bytes it holds besides its own size.
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
        cid.map_or(command, |cid| command.cid(cid.as_str()))
    }

    /// The code by which the command is known before the version decides about it.
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

/// The command with those limits that are set.
pub(super) const fn limited(
    mut command: Command<'_>,
    timeout: Option<Duration>,
    at_most: Option<usize>,
) -> Command<'_> {
    if let Some(timeout) = timeout {
        command = command.timeout(timeout);
    }
    if let Some(bytes) = at_most {
        command = command.at_most(bytes);
    }
    command
}

/// One command on its way.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) ask: Ask,
    pub(crate) cid: Option<Cid>,
    /// When it was given.
    pub(crate) issued: proto::Instant,
    /// How long one attempt of a read waits for its answer, if not as long as usual.
    pub(crate) attempt: Option<Duration>,
    /// How long the machine waits for the answer, if not as long as usual; decided when it is sent.
    pub(crate) answer: Option<Duration>,
    /// Everybody who waits for this command, in the order in which they asked.
    pub(crate) claims: Vec<Claim>,
    /// Of a query that looks for the effect of a write: that write.
    pub(crate) looks_for: Option<Arc<Slot>>,
    pub(crate) trial: Option<Arc<Trial>>,
    /// Of a larger write, with which it must not be joined again.
    pub(crate) part: bool,
    /// How often it was sent.
    pub(crate) sent_times: u32,
    /// The link asks for itself, and no caller waits.
    pub(crate) own: bool,
    /// When it was sent.
    pub(crate) sent: proto::Instant,
    /// Of a query: what the device has pushed since then.
    pub(crate) pushed: Gathered,
    /// The DPs that later commands have written since it was sent, and whether those were acknowledged.
    pub(crate) replaced: Map<String, Value>,
}

impl Request {
    /// A command as it is given.
    pub(crate) fn new(
        ask: Ask,
        cid: Option<Cid>,
        slot: Arc<Slot>,
        issued: proto::Instant,
        deadline: proto::Instant,
    ) -> Self {
        let writes = match &ask {
            Ask::Set(writes) => Some(writes.clone()),
            _ => None,
        };
        Self {
            ask,
            cid,
            issued,
            attempt: None,
            answer: None,
            claims: vec![Claim { slot, deadline, ends: None, answer_by: None, writes }],
            looks_for: None,
            trial: None,
            part: false,
            sent_times: 0,
            own: false,
            sent: issued,
            pushed: Gathered::new(PUSHED),
            replaced: Map::new(),
        }
    }

    /// The caller has set a limit to everything.
    pub(crate) fn ending(mut self, ends: Option<proto::Instant>) -> Self {
        self.claims.iter_mut().for_each(|claim| claim.ends = ends);
        self
    }

    /// Borrows it as a command for the machine.
    pub(crate) fn machine_command(&self, pacing: &Pacing) -> Command<'_> {
        let command = self.ask.machine_command(self.cid.as_ref()).unix_time(unix_time());
        // What cannot be split goes out as it is.
        let at_most = pacing.max_bytes.filter(|_| self.writes() > 1);
        limited(command, self.answer, at_most.map(|bytes| usize::from(bytes.get())))
    }

    /// The code by which the command is known before the version decides about it.
    pub(crate) const fn code(&self) -> CommandCode {
        self.ask.code()
    }

    /// Whether it asks for state and changes nothing.
    pub(crate) const fn is_query(&self) -> bool {
        match &self.ask {
            Ask::Status | Ask::StatusOf(_) => true,
            Ask::Raw(code, _) => matches!(*code, CommandCode::DP_QUERY | CommandCode::DP_QUERY_NEW),
            _ => false,
        }
    }

    /// Whether it asks for DPs of which neither this answer nor a push since has told.
    pub(super) fn lacks(&self, reply: Option<&Reply>) -> bool {
        let told = |dp: &str| {
            reply.is_some_and(|reply| reply.dps.contains_key(dp))
                || dp.parse().is_ok_and(|dp| self.pushed.get(dp).is_some())
        };
        matches!(&self.ask, Ask::StatusOf(ids) if ids.iter().any(|id| !told(&id.to_string())))
    }

    /// What its caller is told when no answer has come.
    pub(super) const fn silence(&self) -> CommandError {
        if self.is_query() || self.ask.is_read() { CommandError::NoAnswer } else { CommandError::Unanswered }
    }

    /// How many DPs it writes, as far as it can be split.
    pub(super) const fn writes(&self) -> usize {
        match &self.ask {
            Ask::Set(writes) => writes.count,
            _ => 0,
        }
    }

    /// What it writes.
    fn written(&self) -> Map<String, Value> {
        self.ask.writes().and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default()
    }

    /// Whether it asks the device itself for its state: ordinary firmware tells everything, whatever is named.
    pub(crate) fn asks_for_state(&self) -> bool {
        let all = match &self.ask {
            Ask::Status => true,
            Ask::StatusOf(_) => self.looks_for.is_none(),
            Ask::Raw(_, data) => data.is_none() && self.is_query(),
            _ => false,
        };
        all && self.cid.is_none()
    }

    /// The results of everybody who waits for this command.
    pub(crate) fn slots(&self) -> impl Iterator<Item = &Arc<Slot>> {
        self.claims.iter().map(|claim| &claim.slot)
    }

    /// Whether nobody wants it to be sent any more.
    pub(super) fn is_gone(&self) -> bool {
        self.slots().all(|slot| slot.is_gone())
    }

    /// Until when it may wait to be sent without anybody being told.
    pub(crate) fn deadline(&self) -> proto::Instant {
        self.claims.iter().map(|claim| claim.deadline).min().unwrap_or(self.issued)
    }

    /// Takes out those callers of which this is so.
    pub(crate) fn take(&mut self, is_so: impl Fn(&Claim) -> bool) -> Vec<Claim> {
        if !self.claims.iter().any(&is_so) {
            return Vec::new();
        }
        let (taken, kept) = core::mem::take(&mut self.claims).into_iter().partition(is_so);
        self.claims = kept;
        taken
    }

    /// Has it write what its callers want together, after they have changed; not while it is on its way.
    pub(crate) fn sum_up(&mut self) {
        if let Ask::Set(writes) = &mut self.ask {
            *writes = Writes::new(&joined(&self.claims));
        }
    }

    /// Takes the callers of another write to the same device into this one, which is to be [summed up](Self::sum_up)
    /// then. Gives it back if it is something else.
    pub(crate) fn merge(&mut self, other: Box<Self>) -> Option<Box<Self>> {
        match (&self.ask, &other.ask) {
            (Ask::Set(_), Ask::Set(_)) if self.cid == other.cid && !self.part && !other.part => {
                self.claims.extend(other.claims);
                None
            }
            _ => Some(other),
        }
    }

    /// It is about to be sent: decides how long the machine waits, and how long each caller. `usual` is how long it
    /// waits without a limit of a caller's own.
    pub(crate) fn limit(&mut self, now: proto::Instant, usual: Duration) {
        let shared = self.claims.len() > 1;
        let is_read = self.ask.is_read();
        let attempt = self.attempt.unwrap_or(usual);
        let (own, first) = (self.attempt.is_some(), self.sent_times == 0);
        for claim in &mut self.claims {
            claim.answer_by = match claim.ends {
                _ if is_read && claim.slot.wants_answer() => {
                    let left = claim.deadline.saturating_since(now);
                    // One that has waited long for the connection is given a moment all the same. Not one that looks for
                    // the effect of a write, whose time limit is that of the caller.
                    let moment = first && !own && self.looks_for.is_none();
                    let least = if moment { attempt.min(ATTEMPT) } else { Duration::ZERO };
                    (own || left < attempt).then(|| now + attempt.min(left).max(least))
                }
                // The other half is for asking what the device shows.
                Some(ends) if claim.slot.confirms() => Some(now + ends.saturating_since(now) / 2),
                Some(ends) => Some(ends),
                None => shared.then(|| now + usual),
            };
        }
        let last = self.claims.iter().filter_map(|claim| claim.answer_by).max();
        self.answer = last.map(|last| last.saturating_since(now));
    }

    /// When the first of several callers has waited long enough for the answer.
    pub(crate) fn answer_by(&self) -> Option<proto::Instant> {
        // The machine ends what is of one alone.
        let shared = self.claims.len() > 1;
        self.claims.iter().filter(|_| shared).filter_map(|claim| claim.answer_by).min()
    }

    /// A later write to the same device has come to an end, and may have taken effect; `acknowledged` if it has.
    pub(crate) fn note_later(&mut self, later: &Self, acknowledged: bool) {
        if self.writes() > 1 && self.cid == later.cid {
            let own = self.written();
            let both = later.written().into_iter().map(|(dp, _)| dp).filter(|dp| own.contains_key(dp));
            self.replaced.extend(both.map(|dp| (dp, Value::Bool(acknowledged))));
        }
    }

    /// Has a later write to the same device, which is sent and not answered, answer for the DPs that it replaces.
    pub(crate) fn give_way(&mut self, later: &mut Self) {
        if self.cid == later.cid && !self.claims.is_empty() {
            let others = later.written();
            let moved = self.take_dps(|dp| others.contains_key(dp));
            later.claims.splice(0..0, moved);
        }
    }

    /// Takes out what was replaced by writes that have come to an end: what callers have of it, and whether it was
    /// acknowledged.
    pub(crate) fn take_replaced(&mut self) -> Vec<(Claim, bool)> {
        let replaced = core::mem::take(&mut self.replaced);
        let mut taken = Vec::new();
        for acknowledged in [true, false] {
            let claims = self.take_dps(|dp| replaced.get(dp) == Some(&Value::Bool(acknowledged)));
            taken.extend(claims.into_iter().map(|claim| (claim, acknowledged)));
        }
        taken
    }

    /// Takes out these DPs.
    fn take_dps(&mut self, is_out: impl Fn(&str) -> bool) -> Vec<Claim> {
        let mut taken = Vec::new();
        for claim in core::mem::take(&mut self.claims) {
            match (claim.part(&is_out), claim.part(|dp| !is_out(dp))) {
                (None, _) => self.claims.push(claim),
                (Some(out), None) => taken.push(out),
                (Some(out), Some(rest)) => {
                    claim.slot.split(1, 0);
                    taken.push(out);
                    self.claims.push(rest);
                }
            }
        }
        self.sum_up();
        taken
    }

    /// The same write in parts of at most `most` DPs.
    pub(crate) fn split(self, most: usize) -> Vec<Self> {
        let dps: Vec<String> = self.written().into_iter().map(|(dp, _)| dp).collect();
        let chunks = dps.chunks(most.max(1)).map(<[String]>::to_vec).collect();
        self.in_parts(chunks, false)
    }

    /// The same write, after it was refused: each caller's own, or, of one caller, in halves. It is to be seen whether
    /// that helps.
    pub(crate) fn retry(self, half: usize) -> Vec<Self> {
        let groups = apart(&self.claims);
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
        let mut parts: Vec<Vec<Claim>> = chunks.iter().map(|_| Vec::new()).collect();
        for claim in &self.claims {
            let before = parts.iter().map(Vec::len).sum::<usize>();
            for (chunk, part) in chunks.iter().zip(&mut parts) {
                part.extend(claim.part(|dp| chunk.iter().any(|known| known == dp)));
            }
            let became = parts.iter().map(Vec::len).sum::<usize>() - before;
            claim.slot.split(count(became.saturating_sub(1)), count(became - usize::from(!again)));
        }
        let part = |claims: Vec<Claim>| Self {
            ask: Ask::Set(Writes::new(&joined(&claims))),
            cid: self.cid.clone(),
            claims,
            looks_for: None,
            trial: trial.clone(),
            part: true,
            pushed: Gathered::new(PUSHED),
            replaced: Map::new(),
            ..self
        };
        parts.into_iter().map(part).collect()
    }
}

/// The least time that a device is given to answer a read, before that is asked again and after it has waited for the
/// connection.
pub(super) const ATTEMPT: Duration = Duration::from_secs(1);

/// What is kept of the pushes that may be all that answers a query: as much as an answer in one frame has.
const PUSHED: usize = crate::buffers::RECEIVED;

#[cfg(test)]
mod tests;
