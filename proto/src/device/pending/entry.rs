//! Entry of the table: one command and its state.

use core::time::Duration;

use crate::device::command::CommandId;
use crate::device::dialect::QueryForm;
use crate::device::expected_push::{ExpectedPush, ExpectedReply, text_mark};
use crate::ids::DpId;
use crate::json::Text;
use crate::time::Instant;
use crate::wire::command::{CommandCode, RetCode};

/// Time limit for the answer to a query that firmware may not know.
const UNKNOWN: Duration = Duration::from_millis(500);

/// State of a command. Ordered, so that one comparison shows whether it is open, settled or decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(super) enum EntryState {
    // Open.
    Waiting,
    /// Query that was answered without values; the push is outstanding.
    Acked,
    // Settled: resolved, and kept because more frames may come for it.
    /// Resolved by a push; its acknowledgement is still due and must not be taken for a later command's.
    AckDue,
    /// Resolved by its time limit; its late answer must not be taken for a later command's.
    Late,
    /// Acknowledged; its push may still come and must not be taken for a later command's.
    Done,
    /// Acknowledged, with its time limit over: only a push of exactly its value belongs to it.
    Past,
    // Decided without a frame, and not reported yet.
    /// Query that was answered by pushes, or only by a frame without values.
    Acknowledged,
    /// Query that was refused in every way that was tried.
    Refused,
    Unanswered,
    Lost,
}

/// Command in the table.
#[derive(Clone, Debug)]
pub(in crate::device) struct Entry {
    pub(in crate::device) id: CommandId,
    pub(in crate::device) code: CommandCode,
    pub(in crate::device) seqno: u32,
    pub(in crate::device) deadline: Instant,
    pub(in crate::device) expects: ExpectedReply,
    /// Checksum of the cid, or zero for the device itself.
    pub(super) cid: u32,
    /// DPs that no push has shown yet.
    pub(super) expected_push: ExpectedPush,
    pub(super) state: EntryState,
    /// Number of answers that are still due; more than one if older commands of its code were evicted.
    pub(super) answers_due: u8,
    /// True if a push has shown values that this query may ask for, or that this resolved write wrote.
    pub(super) shown: bool,
    /// True if this is a query for certain DPs.
    pub(in crate::device) named: bool,
    /// True if an answer of its kind was taken for a late one while it was open. It may have been its own.
    pub(super) answer_diverted: bool,
    /// True if its time limit is over and its answer may still come.
    pub(super) expects_late_answer: bool,
    /// Refusal that caused the retry of this query.
    pub(super) refused: Option<RetCode>,
    /// Way and time of the retry; no way means a refusal, unless an answer comes before.
    pub(super) retry: Option<(Option<QueryForm>, Instant)>,
}

impl Entry {
    pub(in crate::device) fn new(
        id: CommandId,
        code: CommandCode,
        seqno: u32,
        deadline: Instant,
        expects: ExpectedReply,
        cid: Option<&str>,
        expected_push: ExpectedPush,
    ) -> Self {
        let cid = cid.map_or(0, |cid| text_mark(&Text::plain(cid)));
        let state = EntryState::Waiting;
        let (answers_due, refused, retry) = (1, None, None);
        let (shown, named, answer_diverted, expects_late_answer) = (false, false, false, false);
        Self {
            id,
            code,
            seqno,
            deadline,
            expects,
            cid,
            expected_push,
            state,
            answers_due,
            shown,
            named,
            answer_diverted,
            expects_late_answer,
            refused,
            retry,
        }
    }

    /// Schedules a retry after this refusal.
    pub(in crate::device) fn schedule_retry(&mut self, refused: RetCode, way: QueryForm, at: Instant) {
        self.refused = Some(refused);
        self.retry = Some((Some(way), at));
    }

    /// Records that the retry was sent.
    pub(in crate::device) fn on_retry_sent(
        &mut self,
        way: QueryForm,
        code: CommandCode,
        seqno: u32,
        ids: &[DpId],
        now: Instant,
    ) {
        self.code = code;
        self.seqno = seqno;
        self.state = EntryState::Waiting;
        self.retry = match way {
            QueryForm::Plain | QueryForm::Nulls => None,
            // Silence decides, too.
            QueryForm::Other | QueryForm::Measure { then_nulls: false } => Some((None, now + UNKNOWN)),
            QueryForm::Measure { then_nulls: true } => Some((Some(QueryForm::Nulls), now + UNKNOWN)),
        };
        if matches!(way, QueryForm::Measure { .. } | QueryForm::Nulls) {
            self.expects = ExpectedReply::State22;
            self.expected_push = ExpectedPush::any_of(ids);
        }
    }

    /// Returns its refusal, if any.
    pub(in crate::device) const fn refusal(&self) -> Option<RetCode> {
        self.refused
    }

    pub(in crate::device) const fn is_for_child(&self) -> bool {
        self.cid != 0
    }

    pub(super) fn is_control(&self) -> bool {
        self.expects == ExpectedReply::Change && self.code != CommandCode::UPDATE_DPS
    }

    pub(super) fn is_open(&self) -> bool {
        self.state <= EntryState::Acked
    }

    /// Returns whether an answer is due. False while a refused query waits for its retry.
    pub(super) fn is_on_wire(&self) -> bool {
        !matches!(self.retry, Some((Some(_), _))) || self.code == CommandCode::UPDATE_DPS
    }

    pub(super) const fn is_query(&self) -> bool {
        matches!(self.expects, ExpectedReply::State | ExpectedReply::State22)
    }

    /// Returns whether it is resolved, and kept only because more frames may come for it.
    pub(super) fn is_settled(&self) -> bool {
        (EntryState::AckDue..=EntryState::Past).contains(&self.state)
    }

    pub(super) fn is_decided(&self) -> bool {
        self.state > EntryState::Past
    }

    /// Returns whether it is resolved and its answer is still due.
    pub(super) const fn is_answer_due(&self) -> bool {
        matches!(self.state, EntryState::AckDue | EntryState::Late)
    }
}
