//! The commands that are not resolved yet, and which frame answers which.

use heapless::Vec;

use super::command::{CommandId, Kind};
use super::event::Outcome;
use crate::codec::Opened;
use crate::ids::DpId;
use crate::json::Text;
use crate::payload::{DeviceError, DpValue, Payload, Report, RequestData};
use crate::time::Instant;
use crate::version::Version;
use crate::wire::command::{CommandCode, RetCode};

/// How many commands may be unanswered at once.
pub(super) const CAPACITY: usize = 8;
/// How many written DPs are remembered per command, to recognise the push that shows them.
const WRITTEN: usize = 4;
/// Fills the places of DPs that were not written; firmware has no DP of this number.
const NO_DP: u16 = u16::MAX;

/// What a command is, as far as its answer is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// Answered by a reply with the same code and nothing else.
    Reply,
    /// A query, answered by a reply with the same code.
    State,
    /// A query in the device22 dialect: an empty acknowledgement promises a push, and the push is the answer.
    State22,
    /// A write or a measurement: a push that is owed to it is as good as the acknowledgement.
    Change,
}

/// Ordered, so that one comparison tells what is open, settled or decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
enum State {
    // Open.
    Waiting,
    /// Device22 query: acknowledged, the push is outstanding.
    Acked,
    // Settled: resolved, and kept for what may still come of it.
    /// Resolved by a push; its own acknowledgement is still owed and must not be taken for a later command's.
    AckOwed,
    /// Resolved and acknowledged; its own push may still come and must not be taken for a later command's.
    Done,
    // Decided without a frame, but not told yet.
    /// A device22 query whose push never came after its acknowledgement.
    Acknowledged,
    /// A query that was refused and could not be helped by the other dialect.
    Refused,
    Unanswered,
    Lost,
}

/// A DP that a push is to show.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    dp: u16,
    /// Checksum of the value, or zero where there is none.
    mark: u16,
}

impl Written {
    const NOTHING: Self = Self { dp: NO_DP, mark: 0 };

    /// The first few DPs of a command.
    pub(super) fn remember(command: &Kind<'_>) -> [Self; WRITTEN] {
        let mut remembered = [Self::NOTHING; WRITTEN];
        let mut slots = remembered.iter_mut();
        let mut note = |id: DpId, mark| {
            if let Some(slot) = slots.next() {
                *slot = Self { dp: id.0, mark };
            }
        };
        match command {
            Kind::Request { data: RequestData::Dps(map), .. } => {
                map.each(&mut |id, value| note(id, value_mark(&value)))
            }
            Kind::Request { data: RequestData::Ids(ids), .. } => ids.iter().for_each(|id| note(*id, 0)),
            _ => {}
        }
        remembered
    }
}

/// One command.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) id: CommandId,
    pub(super) code: CommandCode,
    pub(super) seqno: u32,
    pub(super) deadline: Instant,
    pub(super) asks: Asks,
    /// Checksum of the cid, or zero for the device itself.
    cid: u32,
    /// The DPs that no push has shown yet.
    written: [Written; WRITTEN],
    state: State,
    /// The refusal after which this query was sent again in the device22 dialect.
    pub(super) refused: Option<RetCode>,
}

impl Entry {
    pub(super) fn new(
        id: CommandId,
        code: CommandCode,
        seqno: u32,
        deadline: Instant,
        asks: Asks,
        cid: Option<&str>,
        written: [Written; WRITTEN],
    ) -> Self {
        let cid = cid.map_or(0, |cid| text_mark(&Text::plain(cid)));
        Self { id, code, seqno, deadline, asks, cid, written, state: State::Waiting, refused: None }
    }

    pub(super) const fn is_for_child(&self) -> bool {
        self.cid != 0
    }

    fn is_open(&self) -> bool {
        self.state <= State::Acked
    }

    /// Whether it is resolved, and kept only for what may still come of it.
    fn is_settled(&self) -> bool {
        matches!(self.state, State::AckOwed | State::Done)
    }

    fn is_decided(&self) -> bool {
        self.state > State::Done
    }
}

/// What a frame means for the table.
pub(super) enum Match {
    /// It answers nothing.
    None,
    /// It resolves this command, which has left the table's open ones.
    Resolved(CommandId, Outcome),
    /// It refuses the query at this index because the device may speak device22.
    Refused22(usize),
}

/// The table, oldest command first.
pub(super) struct Pending {
    entries: Vec<Entry, CAPACITY, u8>,
}

impl Pending {
    pub(super) const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// Whether another command fits.
    pub(super) fn has_room(&self) -> bool {
        !self.entries.is_full() || self.entries.iter().any(Entry::is_settled)
    }

    /// Adds a command that fits. Gives up on what a resolved one is owed if it must.
    pub(super) fn push(&mut self, entry: Entry) {
        if self.entries.is_full()
            && let Some(at) = self.entries.iter().position(Entry::is_settled)
        {
            self.entries.remove(at);
        }
        let full = self.entries.push(entry).is_err();
        debug_assert!(!full, "the caller asks for room first");
    }

    pub(super) fn entry_mut(&mut self, at: usize) -> Option<&mut Entry> {
        self.entries.get_mut(at)
    }

    /// Whether nothing is waiting for an answer or to be told.
    pub(super) fn is_idle(&self) -> bool {
        self.entries.iter().all(Entry::is_settled)
    }

    /// Whether nothing is lost with the connection but queries, which can be asked again.
    pub(super) fn only_reads(&self) -> bool {
        self.entries.iter().all(|e| e.is_settled() || e.asks == Asks::State)
    }

    /// The next decided command that has not been told yet; it leaves the table.
    pub(super) fn take_decided(&mut self) -> Option<(CommandId, Outcome)> {
        let at = self.entries.iter().position(Entry::is_decided)?;
        let entry = self.entries.remove(at);
        let outcome = match entry.state {
            State::Acknowledged => Outcome::Acknowledged { retcode: None },
            State::Refused => Outcome::Rejected { retcode: entry.refused, error: Some(DeviceError::DataUnvalid) },
            State::Lost => Outcome::ConnectionLost,
            _ => Outcome::Unanswered,
        };
        Some((entry.id, outcome))
    }

    /// The connection is gone: every open command is lost.
    pub(super) fn lose_all(&mut self) {
        self.entries.retain(|e| !e.is_settled());
        for entry in self.entries.iter_mut().filter(|e| e.is_open()) {
            entry.state = if entry.refused.is_some() { State::Refused } else { State::Lost };
        }
    }

    /// Decides what has waited too long. Returns whether a device22 retry and whether a control are among it.
    pub(super) fn expire(&mut self, now: Instant) -> Expired {
        let mut expired = Expired::default();
        self.entries.retain(|e| !e.is_settled() || e.deadline > now);
        for entry in self.entries.iter_mut().filter(|e| e.is_open() && e.deadline <= now) {
            expired.control |= entry.asks == Asks::Change && entry.code != CommandCode::UPDATE_DPS;
            expired.retry22 |= entry.refused.is_some();
            entry.state = match (entry.refused, entry.state) {
                (Some(_), _) => State::Refused,
                (None, State::Acked) => State::Acknowledged,
                (None, _) => State::Unanswered,
            };
        }
        expired
    }

    /// Whether a decision is waiting to be told.
    pub(super) fn has_decided(&self) -> bool {
        self.entries.iter().any(Entry::is_decided)
    }

    /// The next instant at which [`expire`](Self::expire) has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.entries.iter().filter(|e| e.is_open()).map(|e| e.deadline).min()
    }

    /// Finds the command that a frame answers.
    pub(super) fn answer(
        &mut self,
        version: Version,
        frame: &Opened,
        payload: &Payload<'_>,
        report: Option<&Report<'_>>,
    ) -> Match {
        if let Some(at) = self.replied(version, frame, report) {
            return self.reply(at, frame, payload, report);
        }
        if frame.command == CommandCode::STATUS
            && let Some(report) = report
            && let Some(at) = self.shown(report)
        {
            return self.resolve(at, Outcome::Acknowledged { retcode: None }, Some(State::AckOwed));
        }
        Match::None
    }

    /// Finds the command that a frame answers whose header alone is known. It leaves the table.
    pub(super) fn answer_skipped(&mut self, version: Version, seqno: u32, command: CommandCode) -> Option<CommandId> {
        let frame = Opened { command, seqno, retcode: None, header: None, payload: 0..0, encrypted: true };
        let at = self.replied(version, &frame, None)?;
        let entry = self.entries.get_mut(at)?;
        if entry.state == State::AckOwed {
            entry.state = State::Done;
            return None;
        }
        Some(self.entries.remove(at).id)
    }

    /// The oldest command with the code of the frame, preferring an echoed sequence number and the same sub-device.
    fn replied(&self, version: Version, frame: &Opened, report: Option<&Report<'_>>) -> Option<usize> {
        let may_answer = |e: &Entry| e.code == frame.command && e.state < State::Done;
        let candidates = || self.entries.iter().enumerate().filter(move |(_, e)| may_answer(e));
        if !version.negotiates()
            && frame.seqno != 0
            && let Some((at, _)) = candidates().find(|(_, e)| e.seqno == frame.seqno)
        {
            return Some(at);
        }
        // Acknowledgements carry no cid; state carries one when it is a sub-device's.
        if let Some(report) = report.filter(|r| r.dps.is_some()) {
            let cid = report_cid(report);
            if let Some((at, _)) = candidates().find(|(_, e)| e.cid == cid) {
                return Some(at);
            }
            if cid != 0 {
                return None;
            }
        }
        candidates().map(|(at, _)| at).next()
    }

    fn reply(&mut self, at: usize, frame: &Opened, payload: &Payload<'_>, report: Option<&Report<'_>>) -> Match {
        let retcode = frame.retcode;
        let Some(entry) = self.entries.get_mut(at) else {
            return Match::None;
        };
        if entry.state == State::AckOwed {
            entry.state = State::Done;
            return Match::None;
        }
        if payload.is_plain_text() {
            let error = payload.error();
            if error == Some(DeviceError::DataUnvalid) && entry.asks == Asks::State && !entry.is_for_child() {
                return Match::Refused22(at);
            }
            return self.resolve(at, Outcome::Rejected { retcode, error }, None);
        }
        if entry.asks == Asks::State22 && report.is_none_or(|r| r.dps.is_none()) {
            entry.state = State::Acked;
            return Match::None;
        }
        let then = (entry.asks == Asks::Change).then_some(State::Done);
        self.resolve(at, Outcome::Acknowledged { retcode }, then)
    }

    /// The command that this push answers. Each DP in it belongs to the oldest control that wrote this very value, or
    /// else to the oldest that wrote the DP at all, because devices round and clamp. Controls that are acknowledged
    /// already take part: their pushes come after their acknowledgements, and often after the next control.
    fn shown(&mut self, report: &Report<'_>) -> Option<usize> {
        let cid = report_cid(report);
        let mut first = self.entries.iter().position(|e| e.asks == Asks::State22 && e.is_open() && e.cid == cid);
        for (id, value) in report.dps? {
            let mark = value_mark(&value);
            let written = self.entries.iter_mut().enumerate().filter(|(_, e)| e.cid == cid).filter_map(|(at, e)| {
                let open = e.is_open();
                e.written.iter_mut().find(|w| w.dp == id.0).map(|w| (w.mark != mark, open.then_some(at), w))
            });
            // Of equals, the first.
            if let Some((_, open, slot)) = written.min_by_key(|(other, ..)| *other) {
                *slot = Written::NOTHING;
                if let Some(at) = open
                    && first.is_none_or(|first| at < first)
                {
                    first = open;
                }
            }
        }
        first
    }

    /// Resolves the command at `at`. An open one stays as `then` says, for what may still come of it.
    fn resolve(&mut self, at: usize, outcome: Outcome, then: Option<State>) -> Match {
        let Some(entry) = self.entries.get_mut(at) else {
            return Match::None;
        };
        let id = entry.id;
        match then {
            Some(state) if entry.state == State::Waiting => entry.state = state,
            _ => drop(self.entries.remove(at)),
        }
        Match::Resolved(id, outcome)
    }

    /// Resolves the query at `at` as refused, after the retry in the other dialect was refused as well.
    pub(super) fn refuse(&mut self, at: usize, retcode: Option<RetCode>) -> Option<(CommandId, Outcome)> {
        match self.resolve(at, Outcome::Rejected { retcode, error: Some(DeviceError::DataUnvalid) }, None) {
            Match::Resolved(id, outcome) => Some((id, outcome)),
            Match::None | Match::Refused22(_) => None,
        }
    }

    /// The query that was refused and is to be sent again as device22.
    pub(super) fn retry_due(&self) -> Option<usize> {
        self.entries.iter().position(|e| e.refused.is_some() && e.asks == Asks::State && e.is_open())
    }
}

/// What [`Pending::expire`] found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Expired {
    /// A query that was sent again in the device22 dialect stayed unanswered.
    pub(super) retry22: bool,
    /// A control stayed unanswered.
    pub(super) control: bool,
}

fn report_cid(report: &Report<'_>) -> u32 {
    report.cid.map_or(0, |cid| text_mark(&cid))
}

fn text_mark(text: &Text<'_>) -> u32 {
    mark(text.chars().map(u32::from))
}

/// Equal for equal values, however they are spelled: integers by value, text by character. Numbers with a fraction,
/// arrays and objects go by their JSON text.
fn value_mark(value: &DpValue<'_>) -> u16 {
    let mark = match value {
        DpValue::Str(text) => text_mark(text),
        DpValue::Int(value) => bytes_mark(&value.to_le_bytes()),
        DpValue::Bool(value) => bytes_mark(&[u8::from(*value)]),
        DpValue::Null => 1,
        DpValue::Float(number) => bytes_mark(number.as_str().as_bytes()),
        DpValue::Json(text) => bytes_mark(text.as_bytes()),
    };
    // Never zero, as the whole is not.
    (mark as u16).max(1)
}

fn bytes_mark(bytes: &[u8]) -> u32 {
    mark(bytes.iter().map(|byte| u32::from(*byte)))
}

/// FNV-1a, never zero: enough to tell the few children and values apart that have commands outstanding.
fn mark(parts: impl Iterator<Item = u32>) -> u32 {
    parts.fold(0x811c_9dc5, |mark: u32, part| (mark ^ part).wrapping_mul(0x0100_0193)).max(1)
}

#[cfg(test)]
mod tests;
