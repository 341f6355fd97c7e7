//! The commands that are not resolved yet, and which frame answers which.

use heapless::Vec;

use super::command::CommandId;
use super::event::Outcome;
use crate::codec::Opened;
use crate::ids::DpId;
use crate::payload::{DeviceError, Payload, Report};
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
    /// A write or a measurement: a push that shows one of the DPs is as good as the acknowledgement.
    Change,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    /// Resolved by a push; its own acknowledgement is still owed and must not be taken for a later command's.
    AckOwed,
    /// Device22 query: acknowledged, the push is outstanding.
    Acked,
    /// Decided without a frame, but not told yet.
    Decided(Fate),
}

/// The outcomes that no frame brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// A device22 query whose push never came after its acknowledgement.
    Acknowledged,
    /// A query that was refused and could not be helped by the other dialect.
    Refused,
    Unanswered,
    Lost,
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
    written: [u16; WRITTEN],
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
        written: impl Iterator<Item = DpId>,
    ) -> Self {
        let mut remembered = [NO_DP; WRITTEN];
        for (slot, id) in remembered.iter_mut().zip(written) {
            *slot = id.0;
        }
        let cid = cid.map_or(0, |cid| cid_mark(cid.bytes()));
        Self { id, code, seqno, deadline, asks, cid, written: remembered, state: State::Waiting, refused: None }
    }

    pub(super) const fn is_for_child(&self) -> bool {
        self.cid != 0
    }

    fn is_open(&self) -> bool {
        matches!(self.state, State::Waiting | State::Acked)
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

    /// Whether another command fits. Gives up on owed acknowledgements if it must.
    pub(super) fn make_room(&mut self) -> bool {
        if self.entries.is_full()
            && let Some(at) = self.entries.iter().position(|e| e.state == State::AckOwed)
        {
            self.entries.remove(at);
        }
        !self.entries.is_full()
    }

    /// Adds a command; the caller has made room.
    pub(super) fn push(&mut self, entry: Entry) {
        let full = self.entries.push(entry).is_err();
        debug_assert!(!full, "the caller makes room first");
    }

    pub(super) fn entry_mut(&mut self, at: usize) -> Option<&mut Entry> {
        self.entries.get_mut(at)
    }

    /// Whether nothing is waiting for an answer or to be told.
    pub(super) fn is_idle(&self) -> bool {
        self.entries.iter().all(|e| e.state == State::AckOwed)
    }

    /// The next decided command that has not been told yet; it leaves the table.
    pub(super) fn take_decided(&mut self) -> Option<(CommandId, Outcome)> {
        let at = self.entries.iter().position(|e| matches!(e.state, State::Decided(_)))?;
        let entry = self.entries.remove(at);
        match entry.state {
            State::Decided(Fate::Acknowledged) => Some((entry.id, Outcome::Acknowledged { retcode: None })),
            State::Decided(Fate::Refused) => {
                let error = Some(DeviceError::DataUnvalid);
                Some((entry.id, Outcome::Rejected { retcode: entry.refused, error }))
            }
            State::Decided(Fate::Unanswered) => Some((entry.id, Outcome::Unanswered)),
            State::Decided(Fate::Lost) => Some((entry.id, Outcome::ConnectionLost)),
            State::Waiting | State::AckOwed | State::Acked => None,
        }
    }

    /// The connection is gone: every open command is lost.
    pub(super) fn lose_all(&mut self) {
        self.entries.retain(|e| e.state != State::AckOwed);
        for entry in self.entries.iter_mut().filter(|e| e.is_open()) {
            entry.state = State::Decided(if entry.refused.is_some() { Fate::Refused } else { Fate::Lost });
        }
    }

    /// Decides what has waited too long. Returns whether a device22 retry and whether a control are among it.
    pub(super) fn expire(&mut self, now: Instant) -> Expired {
        let mut expired = Expired::default();
        self.entries.retain(|e| e.state != State::AckOwed || e.deadline > now);
        for entry in self.entries.iter_mut().filter(|e| e.is_open() && e.deadline <= now) {
            expired.control |= entry.asks == Asks::Change && entry.code != CommandCode::UPDATE_DPS;
            expired.retry22 |= entry.refused.is_some();
            let fate = match (entry.refused, entry.state) {
                (Some(_), _) => Fate::Refused,
                (None, State::Acked) => Fate::Acknowledged,
                (None, _) => Fate::Unanswered,
            };
            entry.state = State::Decided(fate);
        }
        expired
    }

    /// Whether a decision is waiting to be told.
    pub(super) fn has_decided(&self) -> bool {
        self.entries.iter().any(|e| matches!(e.state, State::Decided(_)))
    }

    /// The next instant at which [`expire`](Self::expire) has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.entries.iter().filter(|e| !matches!(e.state, State::Decided(_))).map(|e| e.deadline).min()
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
            return self.resolve(at, Outcome::Acknowledged { retcode: None }, true);
        }
        Match::None
    }

    /// The oldest command with the code of the frame, preferring an echoed sequence number and the same sub-device.
    fn replied(&self, version: Version, frame: &Opened, report: Option<&Report<'_>>) -> Option<usize> {
        let same_code = |e: &&Entry| e.code == frame.command && !matches!(e.state, State::Decided(_));
        let candidates = || self.entries.iter().enumerate().filter(move |(_, e)| same_code(e));
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
            self.entries.remove(at);
            return Match::None;
        }
        if payload.is_plain_text() {
            let error = payload.error();
            if error == Some(DeviceError::DataUnvalid) && entry.asks == Asks::State && !entry.is_for_child() {
                return Match::Refused22(at);
            }
            return self.resolve(at, Outcome::Rejected { retcode, error }, false);
        }
        if entry.asks == Asks::State22 && report.is_none_or(|r| r.dps.is_none()) {
            entry.state = State::Acked;
            return Match::None;
        }
        self.resolve(at, Outcome::Acknowledged { retcode }, false)
    }

    /// The oldest command whose effect this push shows.
    fn shown(&self, report: &Report<'_>) -> Option<usize> {
        let dps = report.dps?;
        let cid = report_cid(report);
        let shows = |e: &Entry| match e.asks {
            Asks::Change => e.cid == cid && dps.into_iter().any(|(id, _)| e.written.contains(&id.0)),
            Asks::State22 => e.cid == cid,
            Asks::Reply | Asks::State => false,
        };
        self.entries.iter().position(|e| e.is_open() && shows(e))
    }

    fn resolve(&mut self, at: usize, outcome: Outcome, ack_owed: bool) -> Match {
        let Some(entry) = self.entries.get_mut(at) else {
            return Match::None;
        };
        let id = entry.id;
        if ack_owed && entry.state == State::Waiting {
            entry.state = State::AckOwed;
        } else {
            self.entries.remove(at);
        }
        Match::Resolved(id, outcome)
    }

    /// Resolves the query at `at` as refused, after the retry in the other dialect was refused as well.
    pub(super) fn refuse(&mut self, at: usize, retcode: Option<RetCode>) -> Option<(CommandId, Outcome)> {
        match self.resolve(at, Outcome::Rejected { retcode, error: Some(DeviceError::DataUnvalid) }, false) {
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
    let mut utf8 = [0; 4];
    report.cid.map_or(0, |cid| {
        let mut mark = Mark::new();
        for c in cid.chars() {
            c.encode_utf8(&mut utf8).bytes().for_each(|b| mark.add(b));
        }
        mark.get()
    })
}

fn cid_mark(bytes: impl Iterator<Item = u8>) -> u32 {
    let mut mark = Mark::new();
    bytes.for_each(|b| mark.add(b));
    mark.get()
}

/// FNV-1a, never zero: enough to tell the few children apart that have commands outstanding.
struct Mark(u32);

impl Mark {
    const fn new() -> Self {
        Self(0x811c_9dc5)
    }

    fn add(&mut self, byte: u8) {
        self.0 = (self.0 ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }

    fn get(&self) -> u32 {
        self.0.max(1)
    }
}
