//! One command, and what may still come of it.

use core::time::Duration;

use crate::device::command::CommandId;
use crate::device::shows::{Shows, text_mark};
use crate::device::talk::Way;
use crate::ids::DpId;
use crate::json::Text;
use crate::time::Instant;
use crate::wire::command::{CommandCode, RetCode};

/// How long firmware may be silent about a way to ask that it may not know.
const UNKNOWN: Duration = Duration::from_millis(500);

/// What a command is, as far as its answer is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::device) enum Asks {
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
pub(super) enum State {
    // Open.
    Waiting,
    /// Query: answered without values, the push is outstanding.
    Acked,
    // Settled: resolved, and kept for what may still come of it.
    /// Resolved by a push; its own acknowledgement is still owed and must not be taken for a later command's.
    AckOwed,
    /// Its time limit is over; an answer that comes late must not be taken for a later command's.
    Late,
    /// Resolved and acknowledged; its own push may still come and must not be taken for a later command's.
    Done,
    /// The same when its time limit is over: only a push of the very value is its own.
    Past,
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
pub(in crate::device) struct Entry {
    pub(in crate::device) id: CommandId,
    pub(in crate::device) code: CommandCode,
    pub(in crate::device) seqno: u32,
    pub(in crate::device) deadline: Instant,
    pub(in crate::device) asks: Asks,
    /// Checksum of the cid, or zero for the device itself.
    pub(super) cid: u32,
    /// The DPs that no push has shown yet.
    pub(super) shows: Shows,
    pub(super) state: State,
    /// How many answers are still to come, where it stands for older commands of its code as well.
    pub(super) owed: u8,
    /// A push has shown values that may be what this query asks for, or, of a resolved write, what it wrote.
    pub(super) shown: bool,
    /// A query for certain DPs.
    pub(in crate::device) named: bool,
    /// While it was open, an answer of its kind was taken for one that was late. That may have been its own.
    pub(super) passed_over: bool,
    /// Its time limit is over, and its answer may still come.
    pub(super) awaits: bool,
    /// The refusal after which this query is asked again.
    pub(super) refused: Option<RetCode>,
    /// How it is asked again, and when; in no way stands for a refusal, unless an answer comes before.
    pub(super) again: Option<(Option<Way>, Instant)>,
}

impl Entry {
    pub(in crate::device) fn new(
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
        let (owed, refused, again) = (1, None, None);
        let (shown, named, passed_over, awaits) = (false, false, false, false);
        Self {
            id,
            code,
            seqno,
            deadline,
            asks,
            cid,
            shows,
            state,
            owed,
            shown,
            named,
            passed_over,
            awaits,
            refused,
            again,
        }
    }

    /// It is to be asked again after this refusal.
    pub(in crate::device) fn ask_again(&mut self, refused: RetCode, way: Way, at: Instant) {
        self.refused = Some(refused);
        self.again = Some((Some(way), at));
    }

    /// It was sent again.
    pub(in crate::device) fn asked_again(
        &mut self,
        way: Way,
        code: CommandCode,
        seqno: u32,
        ids: &[DpId],
        now: Instant,
    ) {
        self.code = code;
        self.seqno = seqno;
        self.state = State::Waiting;
        self.again = match way {
            Way::Plain | Way::Nulls => None,
            // Silence is an answer, too.
            Way::Other | Way::Measure { then_nulls: false } => Some((None, now + UNKNOWN)),
            Way::Measure { then_nulls: true } => Some((Some(Way::Nulls), now + UNKNOWN)),
        };
        if matches!(way, Way::Measure { .. } | Way::Nulls) {
            self.asks = Asks::State22;
            self.shows = Shows::any_of(ids);
        }
    }

    /// The refusal that it was met with, if any.
    pub(in crate::device) const fn refusal(&self) -> Option<RetCode> {
        self.refused
    }

    pub(in crate::device) const fn is_for_child(&self) -> bool {
        self.cid != 0
    }

    pub(super) fn is_control(&self) -> bool {
        self.asks == Asks::Change && self.code != CommandCode::UPDATE_DPS
    }

    pub(super) fn is_open(&self) -> bool {
        self.state <= State::Acked
    }

    /// Whether an answer is still to come: not while a query that was refused waits to be asked again.
    pub(super) fn is_on_wire(&self) -> bool {
        !matches!(self.again, Some((Some(_), _))) || self.code == CommandCode::UPDATE_DPS
    }

    pub(super) const fn is_query(&self) -> bool {
        matches!(self.asks, Asks::State | Asks::State22)
    }

    /// Whether it is resolved, and kept only for what may still come of it.
    pub(super) fn is_settled(&self) -> bool {
        (State::AckOwed..=State::Past).contains(&self.state)
    }

    pub(super) fn is_decided(&self) -> bool {
        self.state > State::Past
    }

    /// Whether it is resolved, and an answer to it is still expected.
    pub(super) const fn is_owed(&self) -> bool {
        matches!(self.state, State::AckOwed | State::Late)
    }
}
