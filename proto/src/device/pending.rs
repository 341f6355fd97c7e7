//! The commands that are not resolved yet, and which frame answers which.

use core::time::Duration;

use heapless::Vec;

use super::command::CommandId;
use super::event::Outcome;
use super::shows::{Shows, Written, report_cid, text_mark, value_mark};
use super::talk::Way;
use crate::codec::Opened;
use crate::ids::DpId;
use crate::json::Text;
use crate::payload::{DeviceError, Payload, Report};
use crate::time::Instant;
use crate::version::Version;
use crate::wire::command::{CommandCode, RetCode};

/// How many commands may be unanswered at once.
pub(super) const CAPACITY: usize = 8;
/// How long the push may take that follows an answer without values.
const PROMISED: Duration = Duration::from_millis(1500);
/// How long more pushes are waited for, after one that followed an answer without values.
const SETTLE: Duration = Duration::from_millis(300);
/// How long the answer is waited for, after a push that looks like a whole state.
const WHOLE: Duration = Duration::from_secs(1);
/// How long firmware may be silent about a way to ask that it may not know.
const UNKNOWN: Duration = Duration::from_millis(500);
/// How long after its time limit a command's answer is still expected. Until then, an answer of its kind that names no
/// number of another command is taken for it, and not for a later one.
const LATE: Duration = Duration::from_secs(10);

/// What a command is, as far as its answer is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// Answered by a reply with the same code and nothing else.
    Reply,
    /// A query, answered by a reply with the same code, or by pushes where that has no values or does not come.
    State,
    /// A query for certain DPs: an empty acknowledgement promises a push, and a push of any of them is the answer.
    State22,
    /// A write or a measurement: a push that is owed to it is as good as the acknowledgement.
    Change,
}

/// Ordered, so that one comparison tells what is open, settled or decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
enum State {
    // Open.
    Waiting,
    /// Query: answered without values, the push is outstanding.
    Acked,
    // Settled: resolved, and kept for what may still come of it.
    /// Resolved by a push; its own acknowledgement is still owed and must not be taken for a later command's.
    AckOwed,
    /// Resolved as unanswered; an answer that comes late must not be taken for a later command's.
    Late,
    /// Resolved and acknowledged; its own push may still come and must not be taken for a later command's.
    Done,
    // Decided without a frame, but not told yet.
    /// A query that was answered by pushes, or by a frame without values alone.
    Acknowledged,
    /// A query that was refused in every way that was tried.
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
    /// The DPs that no push has shown yet.
    shows: Shows,
    state: State,
    /// A push has shown values that may be what this query asks for.
    shown: bool,
    /// A query for certain DPs.
    pub(super) named: bool,
    /// While it was open, an answer of its kind was taken for one that was late. That may have been its own.
    passed_over: bool,
    /// The refusal after which this query is asked again.
    refused: Option<RetCode>,
    /// How it is asked again, and when; in no way stands for a refusal, unless an answer comes before.
    again: Option<(Option<Way>, Instant)>,
}

impl Entry {
    pub(super) fn new(
        id: CommandId,
        code: CommandCode,
        seqno: u32,
        deadline: Instant,
        asks: Asks,
        cid: Option<&str>,
        shows: Shows,
    ) -> Self {
        let cid = cid.map_or(0, |cid| text_mark(&Text::plain(cid)));
        let state = State::Waiting;
        let (shown, named, passed_over, refused, again) = (false, false, false, None, None);
        Self { id, code, seqno, deadline, asks, cid, shows, state, shown, named, passed_over, refused, again }
    }

    /// It is to be asked again after this refusal.
    pub(super) fn ask_again(&mut self, refused: RetCode, way: Way, at: Instant) {
        self.refused = Some(refused);
        self.again = Some((Some(way), at));
    }

    /// It was sent again.
    pub(super) fn asked_again(&mut self, way: Way, code: CommandCode, seqno: u32, ids: &[DpId], now: Instant) {
        self.code = code;
        self.seqno = seqno;
        self.state = State::Waiting;
        self.again = match way {
            Way::Plain | Way::Nulls => None,
            // Silence is an answer, too.
            Way::Other | Way::MeasureOnly => Some((None, now + UNKNOWN)),
            Way::Measure => Some((Some(Way::Nulls), now + UNKNOWN)),
        };
        if matches!(way, Way::Measure | Way::MeasureOnly | Way::Nulls) {
            self.asks = Asks::State22;
            self.shows = Shows::any_of(ids);
        }
    }

    /// The refusal that it was met with, if any.
    pub(super) const fn refusal(&self) -> Option<RetCode> {
        self.refused
    }

    pub(super) const fn is_for_child(&self) -> bool {
        self.cid != 0
    }

    fn is_open(&self) -> bool {
        self.state <= State::Acked
    }

    const fn is_query(&self) -> bool {
        matches!(self.asks, Asks::State | Asks::State22)
    }

    /// Whether it is resolved, and kept only for what may still come of it.
    fn is_settled(&self) -> bool {
        matches!(self.state, State::AckOwed | State::Late | State::Done)
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
    /// It refuses the query at this index, which may be answered when it is asked again or in another way.
    Refused(usize),
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
            self.take(at);
        }
        let full = self.entries.push(entry).is_err();
        debug_assert!(!full, "the caller asks for room first");
    }

    /// Takes the command at `at` out of the table.
    // Not with the vector's own means: they move parts that overlap, and what does that takes 1.5 KB of small flash.
    fn take(&mut self, at: usize) -> Option<Entry> {
        let mut rest = self.entries.get_mut(at..)?;
        while let [first, second, ..] = rest {
            core::mem::swap(first, second);
            rest = rest.get_mut(1..)?;
        }
        self.entries.pop()
    }

    /// Takes those out of the table that `gone` finds.
    fn forget(&mut self, gone: impl Fn(&Entry) -> bool) {
        while let Some(at) = self.entries.iter().position(&gone) {
            self.take(at);
        }
    }

    pub(super) fn entry(&self, at: usize) -> Option<&Entry> {
        self.entries.get(at)
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
        self.entries.iter().all(|e| e.is_settled() || e.is_query())
    }

    /// The next decided command that has not been told yet; it leaves the table.
    pub(super) fn take_decided(&mut self) -> Option<(CommandId, Outcome)> {
        let at = self.entries.iter().position(Entry::is_decided)?;
        let entry = self.entries.get_mut(at)?;
        let (id, refused, state) = (entry.id, entry.refused, entry.state);
        // One that was passed over has had an answer: expecting another would take every later command's.
        if state == State::Unanswered && !entry.passed_over {
            entry.state = State::Late;
        } else {
            self.take(at);
        }
        let outcome = match state {
            State::Acknowledged => Outcome::Acknowledged { retcode: None },
            State::Refused => Outcome::Rejected { retcode: refused, error: Some(DeviceError::DataUnvalid) },
            State::Lost => Outcome::ConnectionLost,
            _ => Outcome::Unanswered,
        };
        Some((id, outcome))
    }

    /// The connection is gone: every open command is lost.
    pub(super) fn lose_all(&mut self) {
        self.forget(Entry::is_settled);
        for entry in self.entries.iter_mut().filter(|e| e.is_open()) {
            entry.state = State::Lost;
        }
    }

    /// Decides what has waited too long, where `retrying` is the query that is tried as device22. Returns whether that
    /// one and whether a control are among it.
    pub(super) fn expire(&mut self, now: Instant, retrying: Option<CommandId>) -> Expired {
        let mut expired = Expired::default();
        self.forget(|e| e.is_settled() && e.deadline <= now);
        for entry in self.entries.iter_mut().filter(|e| e.is_open() && e.deadline <= now) {
            expired.control |= entry.asks == Asks::Change && entry.code != CommandCode::UPDATE_DPS;
            expired.retry22 |= retrying == Some(entry.id);
            entry.state = match entry.state {
                _ if entry.refused.is_some() => State::Refused,
                State::Acked => State::Acknowledged,
                _ if entry.shown => State::Acknowledged,
                _ => State::Unanswered,
            };
            if entry.state == State::Unanswered {
                expired.unanswered += 1;
                entry.deadline = now + LATE;
            }
        }
        expired
    }

    /// Whether a decision is waiting to be told.
    pub(super) fn has_decided(&self) -> bool {
        self.entries.iter().any(Entry::is_decided)
    }

    /// The next instant at which [`expire`](Self::expire) has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let due = |e: &Entry| e.again.map_or(e.deadline, |(_, again)| again.min(e.deadline));
        self.entries.iter().filter(|e| e.is_open()).map(due).min()
    }

    /// Finds the command that a frame answers. `whole`: what it shows looks like a whole state.
    pub(super) fn answer(
        &mut self,
        version: Version,
        frame: &Opened,
        payload: &Payload<'_>,
        report: Option<&Report<'_>>,
        whole: bool,
        now: Instant,
    ) -> Match {
        if let Some(at) = self.replied(version, frame, report) {
            return self.reply(at, frame, payload, report, now);
        }
        if frame.command == CommandCode::STATUS
            && let Some(report) = report
        {
            let (claimed, at) = self.shown(report);
            if let Some(at) = at {
                return self.resolve(at, Outcome::Acknowledged { retcode: None }, Some(State::AckOwed));
            }
            if !claimed {
                self.show(report, whole || report.from_query, now);
            }
        }
        Match::None
    }

    /// Finds the command that a frame answers whose header alone is known. It leaves the table.
    pub(super) fn answer_skipped(&mut self, version: Version, seqno: u32, command: CommandCode) -> Option<CommandId> {
        let frame = Opened { command, seqno, retcode: None, header: None, payload: 0..0, encrypted: true };
        let at = self.replied(version, &frame, None)?;
        let entry = self.entries.get_mut(at)?;
        match entry.state {
            State::AckOwed => entry.state = State::Done,
            State::Late => self.take_late(at, seqno),
            _ => return self.take(at).map(|entry| entry.id),
        }
        None
    }

    /// The oldest command with the code of the frame, preferring an echoed sequence number and the same sub-device.
    fn replied(&self, version: Version, frame: &Opened, report: Option<&Report<'_>>) -> Option<usize> {
        // Acknowledgements carry no cid; state carries one when it is a sub-device's.
        let about = report.filter(|r| r.dps.is_some()).map(report_cid);
        let fits = |e: &Entry| about.is_none_or(|cid| e.cid == cid || (cid == 0 && !e.is_query()));
        let may_answer = move |e: &Entry| e.code == frame.command && e.state < State::Done && fits(e);
        let candidates = || self.entries.iter().enumerate().filter(move |(_, e)| may_answer(e));
        if !version.negotiates()
            && frame.seqno != 0
            && let Some((at, _)) = candidates().find(|(_, e)| e.seqno == frame.seqno)
        {
            return Some(at);
        }
        let same = about.and_then(|cid| candidates().find(|(_, e)| e.cid == cid));
        same.or_else(|| candidates().next()).map(|(at, _)| at)
    }

    fn reply(
        &mut self,
        at: usize,
        frame: &Opened,
        payload: &Payload<'_>,
        report: Option<&Report<'_>>,
        now: Instant,
    ) -> Match {
        let retcode = frame.retcode;
        let Some(entry) = self.entries.get_mut(at) else {
            return Match::None;
        };
        match entry.state {
            State::AckOwed => {
                entry.state = State::Done;
                return Match::None;
            }
            State::Late => {
                self.take_late(at, frame.seqno);
                return Match::None;
            }
            _ => {}
        }
        if payload.is_plain_text() {
            let error = payload.error();
            if error == Some(DeviceError::DataUnvalid) && entry.asks == Asks::State && !entry.is_for_child() {
                return Match::Refused(at);
            }
            return self.resolve(at, Outcome::Rejected { retcode, error }, None);
        }
        let told = report.is_some_and(|report| match entry.asks {
            Asks::State22 => entry.shows.is_shown_by(report),
            _ => report.dps.is_some_and(|dps| dps.into_iter().next().is_some()),
        });
        if entry.is_query() && !told {
            if entry.state == State::Waiting {
                let wait = if entry.shown { SETTLE } else { PROMISED };
                entry.deadline = entry.deadline.min(now + wait);
                entry.state = State::Acked;
            }
            return Match::None;
        }
        let then = (entry.asks == Asks::Change).then_some(State::Done);
        self.resolve(at, Outcome::Acknowledged { retcode }, then)
    }

    /// The late answer of the command at `at` has come, or that of a later one.
    fn take_late(&mut self, at: usize, seqno: u32) {
        let Some(late) = self.take(at).filter(|late| late.seqno != seqno) else {
            return;
        };
        for entry in self.entries.iter_mut().filter(|e| e.is_open() && e.code == late.code) {
            entry.passed_over = true;
        }
    }

    /// Notes that a push holds values of whoever a query asks. The query waits on, because its answer may still come,
    /// and with it the values that the push does not hold.
    fn show(&mut self, report: &Report<'_>, whole: bool, now: Instant) {
        let cid = report_cid(report);
        let asks = |e: &&mut Entry| e.is_open() && e.cid == cid && e.asks == Asks::State && report.dps.is_some();
        for entry in self.entries.iter_mut().filter(asks) {
            entry.shown = true;
            if entry.state == State::Acked {
                entry.deadline = entry.deadline.min(now + SETTLE);
            } else if whole {
                entry.deadline = entry.deadline.min(now + WHOLE);
            }
        }
    }

    /// The command that this push answers. Each DP in it belongs to the oldest control that wrote this very value, or
    /// else to the oldest that wrote the DP at all, because devices round and clamp. Controls that are acknowledged
    /// already take part: their pushes come after their acknowledgements, and often after the next control.
    ///
    /// Says whether the push belongs to any command, also to one that is resolved.
    fn shown(&mut self, report: &Report<'_>) -> (bool, Option<usize>) {
        let cid = report_cid(report);
        let asked = |e: &Entry| e.asks == Asks::State22 && e.is_open() && e.cid == cid && e.shows.is_shown_by(report);
        let mut first = self.entries.iter().position(asked);
        let mut claimed = first.is_some();
        for (id, value) in report.dps.into_iter().flatten() {
            let mark = value_mark(&value);
            let written = self.entries.iter_mut().enumerate().filter(|(_, e)| e.cid == cid).filter_map(|(at, e)| {
                let (open, late) = (e.is_open(), e.state == State::Late);
                let Shows::Written(written) = &mut e.shows else { return None };
                written.iter_mut().find(|w| w.dp == id.0).map(|w| (w.mark != mark, late, open.then_some(at), w))
            });
            // Of one that is late only the very value, and only if no other command wrote it.
            let written = written.filter(|(other, late, ..)| !(*other && *late));
            // Of equals, the first.
            if let Some((_, _, open, slot)) = written.min_by_key(|(other, late, ..)| (*other, *late)) {
                *slot = Written::NOTHING;
                claimed = true;
                if let Some(at) = open
                    && first.is_none_or(|first| at < first)
                {
                    first = open;
                }
            }
        }
        (claimed, first)
    }

    /// Resolves the command at `at`. An open one stays as `then` says, for what may still come of it.
    fn resolve(&mut self, at: usize, outcome: Outcome, then: Option<State>) -> Match {
        let Some(entry) = self.entries.get_mut(at) else {
            return Match::None;
        };
        let id = entry.id;
        match then {
            Some(state) if entry.state == State::Waiting => entry.state = state,
            _ => {
                self.take(at);
            }
        }
        Match::Resolved(id, outcome)
    }

    /// Resolves the query at `at` as refused.
    pub(super) fn refuse(&mut self, at: usize, retcode: Option<RetCode>) -> Option<(CommandId, Outcome)> {
        match self.resolve(at, Outcome::Rejected { retcode, error: Some(DeviceError::DataUnvalid) }, None) {
            Match::Resolved(id, outcome) => Some((id, outcome)),
            Match::None | Match::Refused(_) => None,
        }
    }

    /// Decides that the query at `at` is refused, to be told without a frame.
    pub(super) fn give_up(&mut self, at: usize) {
        if let Some(entry) = self.entries.get_mut(at) {
            entry.state = State::Refused;
        }
    }

    /// The query that is to be asked again now, and how; in no way when silence stands for another refusal.
    pub(super) fn due_again(&self, now: Instant) -> Option<(usize, Option<Way>)> {
        let due = |e: &Entry| e.again.filter(|(_, at)| *at <= now && e.is_open()).map(|(way, _)| way);
        self.entries.iter().enumerate().find_map(|(at, e)| Some((at, due(e)?)))
    }

    /// Whether no other command is open than this one.
    pub(super) fn is_alone(&self, id: CommandId) -> bool {
        self.entries.iter().all(|e| e.id == id || e.is_settled())
    }
}

/// What [`Pending::expire`] found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Expired {
    /// A query that was sent again in the device22 dialect stayed unanswered.
    pub(super) retry22: bool,
    /// A control stayed unanswered.
    pub(super) control: bool,
    /// How many commands stayed unanswered.
    pub(super) unanswered: u8,
}

#[cfg(test)]
mod tests;
