//! Table of commands that are not resolved yet, and the rules that match frames with them.

mod entry;

use core::time::Duration;

pub(super) use entry::Entry;
use entry::EntryState;
use heapless::Vec;

use super::command::CommandId;
use super::dialect::QueryForm;
use super::event::Outcome;
use super::expected_push::{ExpectedPush, ExpectedReply, Written, report_cid, value_mark};
use crate::codec::Opened;
use crate::payload::{DeviceError, Payload, Report};
use crate::time::Instant;
use crate::wire::command::{CommandCode, RetCode};

/// Most commands that may be unanswered at once.
pub(super) const CAPACITY: usize = 8;
/// Time limit for the push that follows an answer without values.
const PROMISED: Duration = Duration::from_millis(1500);
/// Time limit for further pushes, after one that followed an answer without values.
const SETTLE: Duration = Duration::from_millis(300);
/// Time limit for the answer, after a push that looks like a whole state.
const WHOLE: Duration = Duration::from_secs(1);
/// Time after its limit in which the answer or push of a command is still expected. Until then an answer of its kind
/// belongs to it and not to a later command, unless it has the number of another one.
const LATE: Duration = Duration::from_secs(10);

/// Result of matching a frame.
pub(super) enum Match {
    /// The frame answers no command.
    None,
    /// The frame resolves this command, which is no longer open.
    Resolved(CommandId, Outcome),
    /// The frame refuses the query at this index. A retry may be answered.
    Refused(usize),
}

/// Table of commands, oldest first.
pub(super) struct Pending {
    entries: Vec<Entry, CAPACITY, u8>,
    /// True if an answer had the number of its command: then an answer with an unknown number belongs to no command.
    echoes: bool,
    /// True if a control was answered: then a push of another value than the written one is no answer. It might also be
    /// that of a control that was evicted before its push came.
    answers: bool,
    /// True if a late answer may have been taken for that of a later command: order alone then no longer matches
    /// answers with commands, until there is another connection.
    out_of_step: bool,
}

impl Pending {
    pub(super) const fn new() -> Self {
        Self { entries: Vec::new(), echoes: false, answers: false, out_of_step: false }
    }

    /// Returns whether another command fits. False while another connection is needed.
    pub(super) fn has_room(&self) -> bool {
        !self.out_of_step && (!self.entries.is_full() || self.evictable().is_some())
    }

    /// Returns whether order alone no longer matches answers with commands.
    pub(super) const fn is_out_of_step(&self) -> bool {
        self.out_of_step
    }

    /// Returns the resolved command to evict: the one whose late frames do the least harm. One with a due answer stays,
    /// unless another one of its code can count that answer or numbers match it.
    #[expect(clippy::arithmetic_side_effects, reason = "the index of an entry")]
    fn evictable(&self) -> Option<usize> {
        let successor =
            |at: usize, e: &Entry| self.entries.iter().skip(at + 1).any(|o| o.is_answer_due() && o.code == e.code);
        let may_go =
            |(at, e): (usize, &Entry)| e.is_settled() && (!e.is_answer_due() || self.echoes || successor(at, e));
        let done = self.entries.iter().position(|e| e.is_settled() && !e.is_answer_due());
        done.or_else(|| self.entries.iter().enumerate().position(may_go))
            .or_else(|| self.entries.iter().all(Entry::is_settled).then_some(0))
    }

    /// Adds a command; the caller has checked [`has_room`](Self::has_room). Evicts a resolved one if the table is full.
    pub(super) fn push(&mut self, entry: Entry) {
        if self.entries.is_full()
            && let Some(at) = self.evictable()
        {
            let gone = self.take(at).filter(Entry::is_answer_due);
            let mut successors = self.entries.iter_mut().skip(at);
            if let Some(gone) = gone
                && let Some(successor) = successors.find(|e| e.is_answer_due() && e.code == gone.code)
            {
                successor.answers_due = successor.answers_due.saturating_add(gone.answers_due);
            }
        }
        let full = self.entries.push(entry).is_err();
        debug_assert!(!full, "the caller asks for room first");
    }

    /// Removes the command at `at` from the table.
    // Not with `Vec::remove`: its overlapping move takes 1.5 KB of small flash.
    fn take(&mut self, at: usize) -> Option<Entry> {
        let mut rest = self.entries.get_mut(at..)?;
        while let [first, second, ..] = rest {
            core::mem::swap(first, second);
            rest = rest.get_mut(1..)?;
        }
        self.entries.pop()
    }

    /// Removes the commands for which `gone` is true.
    fn forget(&mut self, gone: impl Fn(&Entry) -> bool) {
        while let Some(at) = self.entries.iter().position(&gone) {
            self.take(at);
        }
    }

    /// Expects an answer to a query of the machine itself, which no command must get.
    pub(super) fn expect(&mut self, code: CommandCode, seqno: u32, now: Instant) {
        if self.has_room() {
            let expected_push = ExpectedPush::any_of(&[]);
            let entry = Entry::new(CommandId(0), code, seqno, now + LATE, ExpectedReply::State, None, expected_push);
            self.push(Entry { state: EntryState::Late, ..entry });
        }
    }

    /// Returns the refusal of this query, while it is open.
    pub(super) fn refusal(&self, id: CommandId) -> Option<RetCode> {
        self.entries.iter().find(|e| e.id == id && e.is_open())?.refused
    }

    pub(super) fn entry(&self, at: usize) -> Option<&Entry> {
        self.entries.get(at)
    }

    pub(super) fn entry_mut(&mut self, at: usize) -> Option<&mut Entry> {
        self.entries.get_mut(at)
    }

    /// Returns whether no command is open or unreported.
    pub(super) fn is_idle(&self) -> bool {
        self.entries.iter().all(Entry::is_settled)
    }

    /// Returns whether the end of the connection would lose only queries, which can be repeated.
    pub(super) fn only_reads(&self) -> bool {
        self.entries.iter().all(|e| e.is_settled() || e.is_query())
    }

    /// Removes and returns the next decided command that is not reported yet.
    pub(super) fn take_decided(&mut self) -> Option<(CommandId, Outcome)> {
        let at = self.entries.iter().position(Entry::is_decided)?;
        let entry = self.entries.get_mut(at)?;
        let (id, refused, state) = (entry.id, entry.refused, entry.state);
        if entry.expects_late_answer {
            // The answer given to another command may have been its own: then each later command would miss its answer.
            self.out_of_step |= entry.answer_diverted && !self.echoes;
            entry.state = EntryState::Late;
        } else {
            self.take(at);
        }
        let outcome = match state {
            EntryState::Acknowledged => Outcome::Acknowledged { retcode: None },
            EntryState::Refused => Outcome::Rejected { retcode: refused, error: Some(DeviceError::DataUnvalid) },
            EntryState::Lost => Outcome::ConnectionLost,
            _ => Outcome::Unanswered,
        };
        Some((id, outcome))
    }

    /// Marks every open command as lost, because the connection ended.
    pub(super) fn lose_all(&mut self) {
        (self.echoes, self.answers, self.out_of_step) = (false, false, false);
        self.forget(Entry::is_settled);
        for entry in &mut self.entries {
            entry.expects_late_answer = false;
            if entry.is_open() {
                entry.state = EntryState::Lost;
            }
        }
    }

    /// Decides commands whose time limit is over. `retrying` is the query that is tried in the device22 dialect.
    #[expect(clippy::arithmetic_side_effects, reason = "entries are few, and each counts once")]
    pub(super) fn expire(&mut self, now: Instant, retrying: Option<CommandId>) -> Expired {
        let mut expired = Expired::default();
        for entry in self.entries.iter_mut().filter(|e| e.deadline <= now) {
            let then = match entry.state {
                EntryState::AckDue => EntryState::Late,
                EntryState::Done => EntryState::Past,
                _ => continue,
            };
            (entry.state, entry.deadline) = (then, entry.deadline + LATE);
        }
        self.forget(|e| e.is_settled() && e.deadline <= now);
        for entry in self.entries.iter_mut().filter(|e| e.is_open() && e.deadline <= now) {
            // A query that waits for its retry has had its answer.
            entry.expects_late_answer =
                entry.state == EntryState::Waiting && !matches!(entry.retry, Some((Some(_), _)));
            expired.control |= entry.is_control();
            expired.retry22 |= retrying == Some(entry.id);
            entry.state = match entry.state {
                _ if entry.refused.is_some() => EntryState::Refused,
                EntryState::Acked => EntryState::Acknowledged,
                _ if entry.shown => EntryState::Acknowledged,
                _ => EntryState::Unanswered,
            };
            expired.unanswered += u8::from(entry.state == EntryState::Unanswered);
            entry.deadline = now + LATE;
        }
        expired
    }

    /// Returns whether a decision is not reported yet.
    pub(super) fn has_decided(&self) -> bool {
        self.entries.iter().any(Entry::is_decided)
    }

    /// Returns the next instant at which [`expire`](Self::expire) has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let due = |e: &Entry| e.retry.map_or(e.deadline, |(_, retry)| retry.min(e.deadline));
        self.entries.iter().filter(|e| e.is_open()).map(due).min()
    }

    /// Finds the command that a frame answers. `next` is the number of our next frame, if answers may repeat the number
    /// of the request. `whole` means that the frame looks like a whole state.
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
            let (claimed, at, exactly) = self.match_push(report);
            if let Some(at) = at {
                if let Some(entry) = self.entry_mut(at) {
                    entry.shown = exactly;
                }
                return self.resolve(at, Outcome::Acknowledged { retcode: None }, Some(EntryState::AckDue));
            }
            if !claimed {
                self.note_push(report, whole || report.from_query, now);
            }
        }
        Match::None
    }

    /// Finds the command that a skipped frame answers, from its header alone, and removes it.
    pub(super) fn answer_skipped(&mut self, next: Option<u32>, seqno: u32, command: CommandCode) -> Option<CommandId> {
        let frame = Opened { command, seqno, retcode: None, header: None, payload: 0..0, encrypted: true };
        let at = self.replied(next, &frame, None, false)?;
        if self.take_due_answer(at, seqno) { None } else { self.take(at).map(|entry| entry.id) }
    }

    /// Returns the command with the code, the sub-device and the number of the frame; the oldest one where numbers do
    /// not help. Excludes, for a refusal, commands whose effect the device has shown.
    fn replied(
        &mut self,
        next: Option<u32>,
        frame: &Opened,
        report: Option<&Report<'_>>,
        refuses: bool,
    ) -> Option<usize> {
        // Acknowledgements have no cid; state has one if it is a sub-device's.
        let about = report.filter(|r| r.dps.is_some()).map(report_cid);
        let fits = |e: &Entry| about.is_none_or(|cid| e.cid == cid || (cid == 0 && !e.is_query()));
        let shown = |e: &Entry| refuses && e.state == EntryState::AckDue && e.shown;
        let may_answer = move |e: &Entry| {
            e.code == frame.command && e.state < EntryState::Done && e.is_on_wire() && !shown(e) && fits(e)
        };
        let candidates = || self.entries.iter().enumerate().filter(move |(_, e)| may_answer(e));
        if let Some(next) = next.filter(|_| frame.seqno != 0) {
            let named = candidates().find(|(_, e)| e.seqno == frame.seqno).map(|(at, _)| at);
            // A number that we have not sent yet is from the device's own counter.
            self.echoes = named.is_some() || (self.echoes && frame.seqno < next);
            if self.echoes {
                return named;
            }
        }
        // The oldest on the wire. A query that had an empty answer waits for pushes: the next answer more likely
        // belongs to another one.
        let first = |cid: Option<u32>| {
            let of = candidates().filter(move |(_, e)| cid.is_none_or(|cid| e.cid == cid));
            // One number for both keys takes less code, and no connection sends two thousand million frames.
            of.min_by_key(|(_, e)| e.seqno | u32::from(e.state == EntryState::Acked) << 31)
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
        if self.take_due_answer(at, frame.seqno) {
            return Match::None;
        }
        let Some(entry) = self.entries.get_mut(at) else {
            return Match::None;
        };
        if payload.is_plain_text() {
            let error = payload.error();
            if error == Some(DeviceError::DataUnvalid) && entry.expects == ExpectedReply::State && !entry.is_for_child()
            {
                return Match::Refused(at);
            }
            return self.resolve(at, Outcome::Rejected { retcode, error }, None);
        }
        let has_values = report.is_some_and(|report| match entry.expects {
            ExpectedReply::State22 => entry.expected_push.is_shown_by(report),
            _ => report.dps.is_some_and(|dps| dps.into_iter().next().is_some()),
        });
        if entry.is_query() && !has_values {
            if entry.state == EntryState::Waiting {
                let wait = if entry.shown { SETTLE } else { PROMISED };
                entry.deadline = entry.deadline.min(now + wait);
                entry.state = EntryState::Acked;
            }
            return Match::None;
        }
        let then = (entry.expects == ExpectedReply::Change).then_some(EntryState::Done);
        self.resolve(at, Outcome::Acknowledged { retcode }, then)
    }

    /// Returns whether the command at `at` is resolved already, and counts the answer as its own. If it is late, the
    /// answer may belong to a later one.
    fn take_due_answer(&mut self, at: usize, seqno: u32) -> bool {
        let Some(entry) = self.entries.get_mut(at).filter(|e| e.is_answer_due()) else {
            return false;
        };
        let (code, is_late) = (entry.code, entry.state == EntryState::Late && entry.seqno != seqno);
        entry.answers_due = entry.answers_due.saturating_sub(1);
        if entry.answers_due == 0 {
            entry.state = if entry.state == EntryState::Late { EntryState::Past } else { EntryState::Done };
        }
        for entry in self.entries.iter_mut().filter(|e| is_late && e.is_open() && e.code == code) {
            entry.answer_diverted = true;
        }
        true
    }

    /// Records that a push has values that open queries ask for. They still wait, because their answer may come with
    /// further values.
    fn note_push(&mut self, report: &Report<'_>, whole: bool, now: Instant) {
        let cid = report_cid(report);
        let asks_for_state =
            |e: &&mut Entry| e.is_open() && e.cid == cid && e.expects == ExpectedReply::State && report.dps.is_some();
        for entry in self.entries.iter_mut().filter(asks_for_state) {
            entry.shown = true;
            if entry.state == EntryState::Acked {
                entry.deadline = entry.deadline.min(now + SETTLE);
            } else if whole {
                entry.deadline = entry.deadline.min(now + WHOLE);
            }
        }
    }

    /// Finds the command that this push answers. Each DP in it belongs to the oldest control that wrote exactly this
    /// value, or else to the oldest that wrote the DP, because devices round and clamp. The latter does not apply if
    /// controls are answered, or if the push has several DPs: it may be a whole state, older than the control.
    /// Acknowledged controls take part: their pushes come after their acknowledgements, and often after the next
    /// control.
    ///
    /// Returns whether the push belongs to any command, also to a resolved one; the open command; and whether the push
    /// shows a written value.
    fn match_push(&mut self, report: &Report<'_>) -> (bool, Option<usize>, bool) {
        let cid = report_cid(report);
        let asked = |e: &Entry| {
            e.expects == ExpectedReply::State22 && e.is_open() && e.cid == cid && e.expected_push.is_shown_by(report)
        };
        let mut first = self.entries.iter().position(asked);
        let mut claimed = first.is_some();
        let clamps = !self.answers && report.dps.is_some_and(|dps| dps.into_iter().nth(1).is_none());
        let mut exactly = false;
        for (id, value) in report.dps.into_iter().flatten() {
            let mark = value_mark(&value);
            let written = self.entries.iter_mut().enumerate().filter(|(_, e)| e.cid == cid).filter_map(|(at, e)| {
                let (open, late) = (e.is_open(), matches!(e.state, EntryState::Late | EntryState::Past));
                let ExpectedPush::Written(written) = &mut e.expected_push else { return None };
                written.iter_mut().find(|w| w.dp == id.0).map(|w| (w.mark != mark, late, open.then_some(at), w))
            });
            // A late command matches only its exact value, and only if no other command wrote it.
            let written = written.filter(|(other, late, ..)| !*other || (clamps && !*late));
            // `min_by_key` returns the first of equals: the oldest.
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

    /// Resolves the command at `at`. A waiting one goes into the state `then`, if there is one, because more frames may
    /// come for it.
    fn resolve(&mut self, at: usize, outcome: Outcome, then: Option<EntryState>) -> Match {
        let Some(entry) = self.entries.get_mut(at) else {
            return Match::None;
        };
        let id = entry.id;
        match then {
            Some(state) if entry.state == EntryState::Waiting => entry.state = state,
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

    /// Decides that the query at `at` is refused; reported without a frame.
    pub(super) fn give_up(&mut self, at: usize) {
        if let Some(entry) = self.entries.get_mut(at) {
            entry.state = EntryState::Refused;
        }
    }

    /// Returns the query whose retry is due, and the way to ask; no way means that silence counts as another refusal.
    pub(super) fn due_retry(&self, now: Instant) -> Option<(usize, Option<QueryForm>)> {
        let due = |e: &Entry| e.retry.filter(|(_, at)| *at <= now && e.is_open()).map(|(way, _)| way);
        self.entries.iter().enumerate().find_map(|(at, e)| Some((at, due(e)?)))
    }

    /// Returns whether this is the only open command.
    pub(super) fn is_alone(&self, id: CommandId) -> bool {
        self.entries.iter().all(|e| e.id == id || e.is_settled())
    }
}

/// Result of [`Pending::expire`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Expired {
    /// True if the query that was tried in the device22 dialect stayed unanswered.
    pub(super) retry22: bool,
    /// True if a control stayed unanswered.
    pub(super) control: bool,
    /// Number of commands that stayed unanswered.
    pub(super) unanswered: u8,
}

#[cfg(test)]
mod tests;
