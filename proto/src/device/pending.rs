//! The commands that are not resolved yet, and which frame answers which.

mod entry;

use core::time::Duration;

use entry::State;
pub(super) use entry::{Asks, Entry};
use heapless::Vec;

use super::command::CommandId;
use super::event::Outcome;
use super::shows::{Shows, Written, report_cid, value_mark};
use super::talk::Way;
use crate::codec::Opened;
use crate::payload::{DeviceError, Payload, Report};
use crate::time::Instant;
use crate::wire::command::{CommandCode, RetCode};

/// How many commands may be unanswered at once.
pub(super) const CAPACITY: usize = 8;
/// How long the push may take that follows an answer without values.
const PROMISED: Duration = Duration::from_millis(1500);
/// How long more pushes are waited for, after one that followed an answer without values.
const SETTLE: Duration = Duration::from_millis(300);
/// How long the answer is waited for, after a push that looks like a whole state.
const WHOLE: Duration = Duration::from_secs(1);
/// How long after its time limit a command's answer, or its push, is still expected. Until then, an answer of its kind
/// that names no number of another command is taken for it, and not for a later one.
const LATE: Duration = Duration::from_secs(10);

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
    /// An answer had the number of the command that it answers: one whose number belongs to nobody answers nobody.
    echoes: bool,
    /// A control was answered: a push of another value than the one written need not be taken for an answer. Nor could it
    /// be told from that of a control that had to make room before its push came.
    answers: bool,
    /// A command and a late answer have passed each other, or it looked as if: order alone tells no more which answer is
    /// whose, before there is another connection.
    out_of_step: bool,
}

impl Pending {
    pub(super) const fn new() -> Self {
        Self { entries: Vec::new(), echoes: false, answers: false, out_of_step: false }
    }

    /// Whether another command fits. Not while another connection is needed.
    pub(super) fn has_room(&self) -> bool {
        !self.out_of_step && (!self.entries.is_full() || self.least().is_some())
    }

    /// Whether it is not known any more which answer is whose.
    pub(super) const fn is_out_of_step(&self) -> bool {
        self.out_of_step
    }

    /// The resolved command that is to make room: of what it may still get the least comes of its being forgotten. One
    /// whose answer is still to come stands for itself, unless there is another one of its code or numbers tell.
    #[expect(clippy::arithmetic_side_effects, reason = "the index of an entry")]
    fn least(&self) -> Option<usize> {
        let heir = |at: usize, e: &Entry| self.entries.iter().skip(at + 1).any(|o| o.is_owed() && o.code == e.code);
        let may_go = |(at, e): (usize, &Entry)| e.is_settled() && (!e.is_owed() || self.echoes || heir(at, e));
        let done = self.entries.iter().position(|e| e.is_settled() && !e.is_owed());
        done.or_else(|| self.entries.iter().enumerate().position(may_go))
            .or_else(|| self.entries.iter().all(Entry::is_settled).then_some(0))
    }

    /// Adds a command that fits. Forgets a resolved one if it must.
    pub(super) fn push(&mut self, entry: Entry) {
        if self.entries.is_full()
            && let Some(at) = self.least()
        {
            let gone = self.take(at).filter(Entry::is_owed);
            let mut heirs = self.entries.iter_mut().skip(at);
            if let Some(gone) = gone
                && let Some(heir) = heirs.find(|e| e.is_owed() && e.code == gone.code)
            {
                heir.owed = heir.owed.saturating_add(gone.owed);
            }
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

    /// Expects an answer that is no command's, to a query of our own.
    pub(super) fn expect(&mut self, code: CommandCode, seqno: u32, now: Instant) {
        if self.has_room() {
            let shows = Shows::any_of(&[]);
            let entry = Entry::new(CommandId(0), code, seqno, now + LATE, Asks::State, None, shows);
            self.push(Entry { state: State::Late, ..entry });
        }
    }

    /// The refusal that this query was met with, while it is open.
    pub(super) fn refusal(&self, id: CommandId) -> Option<RetCode> {
        self.entries.iter().find(|e| e.id == id && e.is_open())?.refused
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
        if entry.awaits {
            // It may have been its own answer that was passed over: then each later command would go without.
            self.out_of_step |= entry.passed_over && !self.echoes;
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
        (self.echoes, self.answers, self.out_of_step) = (false, false, false);
        self.forget(Entry::is_settled);
        for entry in &mut self.entries {
            entry.awaits = false;
            if entry.is_open() {
                entry.state = State::Lost;
            }
        }
    }

    /// Decides what has waited too long, where `retrying` is the query that is tried as device22. Returns whether that
    /// one and whether a control are among it.
    #[expect(clippy::arithmetic_side_effects, reason = "entries are few, and each counts once")]
    pub(super) fn expire(&mut self, now: Instant, retrying: Option<CommandId>) -> Expired {
        let mut expired = Expired::default();
        for entry in self.entries.iter_mut().filter(|e| e.deadline <= now) {
            let then = match entry.state {
                State::AckOwed => State::Late,
                State::Done => State::Past,
                _ => continue,
            };
            (entry.state, entry.deadline) = (then, entry.deadline + LATE);
        }
        self.forget(|e| e.is_settled() && e.deadline <= now);
        for entry in self.entries.iter_mut().filter(|e| e.is_open() && e.deadline <= now) {
            // What is still to be asked again has had its answer.
            entry.awaits = entry.state == State::Waiting && !matches!(entry.again, Some((Some(_), _)));
            expired.control |= entry.is_control();
            expired.retry22 |= retrying == Some(entry.id);
            entry.state = match entry.state {
                _ if entry.refused.is_some() => State::Refused,
                State::Acked => State::Acknowledged,
                _ if entry.shown => State::Acknowledged,
                _ => State::Unanswered,
            };
            expired.unanswered += u8::from(entry.state == State::Unanswered);
            entry.deadline = now + LATE;
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

    /// Finds the command that a frame answers. `next`: the number of our next frame, where the frame may have that of what
    /// it answers. `whole`: what it shows looks like a whole state.
    pub(super) fn answer(
        &mut self,
        next: Option<u32>,
        frame: &Opened,
        payload: &Payload<'_>,
        report: Option<&Report<'_>>,
        whole: bool,
        now: Instant,
    ) -> Match {
        if let Some(at) = self.replied(next, frame, report, payload.is_plain_text()) {
            return self.reply(at, frame, payload, report, now);
        }
        if frame.command == CommandCode::STATUS
            && let Some(report) = report
        {
            let (claimed, at, exactly) = self.shown(report);
            if let Some(at) = at {
                if let Some(entry) = self.entry_mut(at) {
                    entry.shown = exactly;
                }
                return self.resolve(at, Outcome::Acknowledged { retcode: None }, Some(State::AckOwed));
            }
            if !claimed {
                self.show(report, whole || report.from_query, now);
            }
        }
        Match::None
    }

    /// Finds the command that a frame answers whose header alone is known. It leaves the table.
    pub(super) fn answer_skipped(&mut self, next: Option<u32>, seqno: u32, command: CommandCode) -> Option<CommandId> {
        let frame = Opened { command, seqno, retcode: None, header: None, payload: 0..0, encrypted: true };
        let at = self.replied(next, &frame, None, false)?;
        if self.take_owed(at, seqno) { None } else { self.take(at).map(|entry| entry.id) }
    }

    /// The command with the code of the frame, and of the same sub-device, that has its number. Where numbers tell nothing,
    /// the oldest. What the device has shown the effect of, it does not refuse.
    fn replied(
        &mut self,
        next: Option<u32>,
        frame: &Opened,
        report: Option<&Report<'_>>,
        refuses: bool,
    ) -> Option<usize> {
        // Acknowledgements carry no cid; state carries one when it is a sub-device's.
        let about = report.filter(|r| r.dps.is_some()).map(report_cid);
        let fits = |e: &Entry| about.is_none_or(|cid| e.cid == cid || (cid == 0 && !e.is_query()));
        let shown = |e: &Entry| refuses && e.state == State::AckOwed && e.shown;
        let may_answer =
            move |e: &Entry| e.code == frame.command && e.state < State::Done && e.is_on_wire() && !shown(e) && fits(e);
        let candidates = || self.entries.iter().enumerate().filter(move |(_, e)| may_answer(e));
        if let Some(next) = next.filter(|_| frame.seqno != 0) {
            let named = candidates().find(|(_, e)| e.seqno == frame.seqno).map(|(at, _)| at);
            // A number that we have not sent yet is the device's own.
            self.echoes = named.is_some() || (self.echoes && frame.seqno < next);
            if self.echoes {
                return named;
            }
        }
        // The oldest on the wire. A query that had an empty answer waits for what is pushed: the next answer is rather
        // another one's.
        let first = |cid: Option<u32>| {
            let of = candidates().filter(move |(_, e)| cid.is_none_or(|cid| e.cid == cid));
            // As one number, which takes less code: no connection sends two thousand million frames.
            of.min_by_key(|(_, e)| e.seqno | u32::from(e.state == State::Acked) << 31)
        };
        about.and_then(|cid| first(Some(cid))).or_else(|| first(None)).map(|(at, _)| at)
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
        self.answers |= self.entries.get(at).is_some_and(Entry::is_control);
        if self.take_owed(at, frame.seqno) {
            return Match::None;
        }
        let Some(entry) = self.entries.get_mut(at) else {
            return Match::None;
        };
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

    /// Whether the command at `at` is resolved, and what came is its answer or, where it is late, that of a later one.
    fn take_owed(&mut self, at: usize, seqno: u32) -> bool {
        let Some(entry) = self.entries.get_mut(at).filter(|e| e.is_owed()) else {
            return false;
        };
        let (code, is_late) = (entry.code, entry.state == State::Late && entry.seqno != seqno);
        entry.owed = entry.owed.saturating_sub(1);
        if entry.owed == 0 {
            entry.state = if entry.state == State::Late { State::Past } else { State::Done };
        }
        for entry in self.entries.iter_mut().filter(|e| is_late && e.is_open() && e.code == code) {
            entry.passed_over = true;
        }
        true
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
    /// else to the oldest that wrote the DP at all, because devices round and clamp; not where controls are answered, or the
    /// push holds several DPs, as a whole state does, which may be older than the control. Controls that are acknowledged
    /// already take part: their pushes come after their acknowledgements, and often after the next control.
    ///
    /// Says whether the push belongs to any command, also to one that is resolved; and whether it shows what was written.
    fn shown(&mut self, report: &Report<'_>) -> (bool, Option<usize>, bool) {
        let cid = report_cid(report);
        let asked = |e: &Entry| e.asks == Asks::State22 && e.is_open() && e.cid == cid && e.shows.is_shown_by(report);
        let mut first = self.entries.iter().position(asked);
        let mut claimed = first.is_some();
        let clamps = !self.answers && report.dps.is_some_and(|dps| dps.into_iter().nth(1).is_none());
        let mut exactly = false;
        for (id, value) in report.dps.into_iter().flatten() {
            let mark = value_mark(&value);
            let written = self.entries.iter_mut().enumerate().filter(|(_, e)| e.cid == cid).filter_map(|(at, e)| {
                let (open, late) = (e.is_open(), matches!(e.state, State::Late | State::Past));
                let Shows::Written(written) = &mut e.shows else { return None };
                written.iter_mut().find(|w| w.dp == id.0).map(|w| (w.mark != mark, late, open.then_some(at), w))
            });
            // Of one that is late only the very value, and only if no other command wrote it.
            let written = written.filter(|(other, late, ..)| !*other || (clamps && !*late));
            // Of equals, the first.
            if let Some((other, _, open, slot)) = written.min_by_key(|(other, late, ..)| (*other, *late)) {
                *slot = Written::NOTHING;
                exactly |= !other;
                claimed = true;
                if let Some(at) = open
                    && first.is_none_or(|first| at < first)
                {
                    first = open;
                }
            }
        }
        (claimed, first, exactly)
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
