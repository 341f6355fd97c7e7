//! Matching of frames with commands.

extern crate std;

use core::time::Duration;

use super::*;
use crate::codec::{Head, Keys, Sender, open, seal};
use crate::device::command::Kind;
use crate::ids::DpId;
use crate::json::Decimal;
use crate::payload::{DpMap, DpValue, RequestData};
use crate::version::Version;

const CONTROL: CommandCode = CommandCode::CONTROL_NEW;

/// Table of a 3.4 connection, where code and order match acknowledgements with commands.
struct Table {
    pending: Pending,
    last: u32,
    now: Instant,
}

impl Table {
    fn new() -> Self {
        Self { pending: Pending::new(), last: 0, now: Instant::ZERO }
    }

    fn add(
        &mut self,
        code: CommandCode,
        expects: ExpectedReply,
        cid: Option<&str>,
        data: RequestData<'_>,
    ) -> CommandId {
        self.last += 1;
        let id = CommandId(self.last);
        let expected_push = ExpectedPush::remember(&Kind::Request { command: code, data }, expects);
        assert!(self.pending.has_room());
        let deadline = self.now + Duration::from_secs(5);
        self.pending.push(Entry::new(id, code, self.last, deadline, expects, cid, expected_push));
        id
    }

    /// Adds a control of these DPs.
    fn write(&mut self, dps: &str) -> CommandId {
        self.add(CONTROL, ExpectedReply::Change, None, RequestData::Dps(DpMap::Json(dps)))
    }

    /// Processes a frame and returns the command that it resolves.
    fn receive(&mut self, command: CommandCode, text: &str) -> Option<CommandId> {
        let opened = opened(command);
        self.take(None, &opened, text)
    }

    /// Does the same on a connection where answers may repeat the number of the request.
    fn receive_numbered(&mut self, command: CommandCode, seqno: u32, text: &str) -> Option<CommandId> {
        self.take(Some(self.last + 1), &Opened { seqno, ..opened(command) }, text)
    }

    fn take(&mut self, next: Option<u32>, opened: &Opened, text: &str) -> Option<CommandId> {
        let payload = Payload::new(text.as_bytes());
        match self.pending.answer(next, opened, &payload, payload.report().as_ref(), false, self.now) {
            Match::Resolved(id, _) => Some(id),
            Match::None | Match::Refused(_) => None,
        }
    }

    fn push(&mut self, text: &str) -> Option<CommandId> {
        self.receive(CommandCode::STATUS, text)
    }

    fn acknowledge(&mut self) -> Option<CommandId> {
        self.receive(CONTROL, "")
    }
}

/// Returns a device's frame with an empty payload.
fn opened(command: CommandCode) -> Opened {
    let keys = Keys::new(Version::V34, b"0123456789abcdef");
    let head = Head { sender: Sender::Device, seqno: 99, command, retcode: Some(RetCode::OK), header: None };
    let mut frame = [0; 96];
    let len = seal(&keys, &head, &[0; 12], b"", &mut frame).expect("room");
    open(&keys, Sender::Device, &mut frame[..len]).expect("valid")
}

#[test]
fn an_acknowledgement_that_comes_after_its_push_is_not_the_next_commands() {
    let mut t = Table::new();
    let (first, second) = (t.write(r#"{"1":true}"#), t.write(r#"{"2":true}"#));
    assert_eq!(t.push(r#"{"dps":{"1":true}}"#), Some(first));
    assert_eq!(t.acknowledge(), None, "the first command's acknowledgement");
    assert_eq!(t.push(r#"{"dps":{"9":true}}"#), None, "nobody wrote DP 9");
    assert_eq!(t.acknowledge(), Some(second));
    assert_eq!(t.acknowledge(), None, "nothing is left to answer");
}

#[test]
fn a_push_that_comes_after_its_acknowledgement_is_not_the_next_commands() {
    // The push of the first, perhaps with a clamped value, comes when the second is already sent.
    for shown in [r#"{"dps":{"2":200}}"#, r#"{"dps":{"2":100}}"#] {
        let mut t = Table::new();
        let first = t.write(r#"{"2":200}"#);
        assert_eq!(t.acknowledge(), Some(first));
        let second = t.write(r#"{"2":30}"#);
        assert_eq!(t.push(shown), None, "the first command's push: {shown}");
        assert_eq!(t.push(r#"{"dps":{"2":30}}"#), Some(second));
        assert_eq!(t.acknowledge(), None);
        assert!(t.pending.is_idle());
    }
}

#[test]
fn a_push_belongs_to_the_control_that_wrote_its_value() {
    let mut t = Table::new();
    let (on, off) = (t.write(r#"{"1":true}"#), t.write(r#"{"1":false}"#));
    assert_eq!(t.push(r#"{"dps":{"1":false}}"#), Some(off), "the push of the first is missing");
    assert_eq!(t.acknowledge(), Some(on));
    assert_eq!(t.acknowledge(), None, "the second command's");

    let mut t = Table::new();
    let (on, off) = (t.write(r#"{"1":true}"#), t.write(r#"{"1":false}"#));
    let retry = t.write(r#"{"1":true}"#);
    assert_eq!(t.push(r#"{"dps":{"1":true}}"#), Some(on), "of two, the older");
    assert_eq!(t.push(r#"{"dps":{"1":false}}"#), Some(off));
    assert_eq!(t.push(r#"{"dps":{"1":true}}"#), Some(retry));
}

#[test]
fn a_device_that_clamps_and_only_pushes_answers_in_order() {
    let mut t = Table::new();
    let (first, second) = (t.write(r#"{"2":200}"#), t.write(r#"{"2":300}"#));
    assert_eq!(t.push(r#"{"dps":{"2":100}}"#), Some(first));
    assert_eq!(t.push(r#"{"dps":{"2":100}}"#), Some(second));
    assert_eq!(t.push(r#"{"dps":{"2":100}}"#), None);
}

#[test]
fn a_state_that_shows_another_value_acknowledges_nothing() {
    let mut t = Table::new();
    let bright = t.write(r#"{"2":300}"#);
    assert_eq!(t.push(r#"{"dps":{"1":true,"2":50}}"#), None, "it may be older than the write");
    assert_eq!(t.push(r#"{"dps":{"2":255}}"#), Some(bright));
    let scene = t.write(r#"{"1":true,"2":300}"#);
    assert_eq!(t.push(r#"{"dps":{"1":false,"2":50,"3":"white"}}"#), None);
    assert_eq!(t.push(r#"{"dps":{"1":true,"2":255,"3":"white"}}"#), Some(scene), "one of its values");
}

#[test]
fn values_already_pushed_are_not_refused() {
    let mut t = Table::new();
    // Firmware that obeys without acknowledgements still sends refusals.
    for value in 0..3 {
        let id = t.write(&std::format!(r#"{{"1":{value}}}"#));
        assert_eq!(t.push(&std::format!(r#"{{"dps":{{"1":{value}}}}}"#)), Some(id));
    }
    let refused = t.write(r#"{"2":1}"#);
    assert_eq!(t.receive(CONTROL, "data format error"), Some(refused));
    // A rounded value may belong to another command, or have been set by hand.
    t.pending.lose_all();
    let clamped = t.write(r#"{"3":300}"#);
    assert_eq!(t.push(r#"{"dps":{"3":255}}"#), Some(clamped));
    t.write(r#"{"2":2}"#);
    assert_eq!(t.receive(CONTROL, "data format error"), None, "the rounded one's");
}

#[test]
fn where_controls_are_answered_a_push_of_another_value_acknowledges_none() {
    let mut t = Table::new();
    let first = t.write(r#"{"1":0}"#);
    let mut last = first;
    for value in 1..CAPACITY {
        last = t.write(&std::format!(r#"{{"1":{value}}}"#));
    }
    assert_eq!(t.acknowledge(), Some(first));
    // The first is evicted for this one, before its push has come.
    t.write(r#"{"1":100}"#);
    assert_eq!(t.push(r#"{"dps":{"1":0}}"#), None);
    assert_eq!(t.push(&std::format!(r#"{{"dps":{{"1":{}}}}}"#, CAPACITY - 1)), Some(last));
    t.pending.lose_all();
    while t.pending.take_decided().is_some() {}
    let clamped = t.write(r#"{"1":300}"#);
    assert_eq!(t.push(r#"{"dps":{"1":255}}"#), Some(clamped), "another connection, maybe to other firmware");
}

#[test]
fn a_device_that_pushes_its_dps_one_by_one_answers_each_control_once() {
    let mut t = Table::new();
    let scene = t.write(r#"{"1":true,"2":10}"#);
    let bright = t.write(r#"{"2":90}"#);
    assert_eq!(t.push(r#"{"dps":{"1":true}}"#), Some(scene));
    assert_eq!(t.push(r#"{"dps":{"2":10}}"#), None, "the rest of the first command's");
    assert_eq!(t.push(r#"{"dps":{"2":90}}"#), Some(bright));
}

#[test]
fn values_are_compared_by_meaning() {
    for (written, shown) in [
        (r#"{"3":"grün"}"#, r#"{"dps":{"3":"gr\u00fcn"}}"#),
        (r#"{"3":"a\/b"}"#, r#"{"dps":{"3":"a/b"}}"#),
        (r#"{"3":-5}"#, r#"{"dps":{"3": -5}}"#),
        (r#"{"3":2.5}"#, r#"{"dps":{"3":2.5}}"#),
        (r#"{"3":[1,2]}"#, r#"{"dps":{"3":[1,2]}}"#),
        (r#"{"3":null}"#, r#"{"dps":{"3":null}}"#),
    ] {
        let mut t = Table::new();
        t.write(r#"{"3":"other"}"#);
        let id = t.write(written);
        assert_eq!(t.push(shown), Some(id), "{written} {shown}");
    }
    let decimal = DpValue::Float(Decimal::new("2.5").expect("a number"));
    let values = [
        DpValue::Null,
        DpValue::Bool(true),
        DpValue::Bool(false),
        DpValue::Int(1),
        DpValue::Int(0),
        DpValue::text("1"),
        DpValue::text("true"),
        DpValue::text(""),
        decimal,
    ];
    for (i, a) in values.iter().enumerate() {
        for (j, b) in values.iter().enumerate() {
            assert_eq!(value_mark(a) == value_mark(b), i == j, "{a:?} {b:?}");
        }
    }
}

#[test]
fn sub_devices_have_pushes_of_their_own() {
    let mut t = Table::new();
    let dps = RequestData::Dps(DpMap::Json(r#"{"1":true}"#));
    let plug = t.add(CONTROL, ExpectedReply::Change, Some("plug"), dps);
    let own = t.write(r#"{"1":true}"#);
    assert_eq!(t.push(r#"{"dps":{"1":true}}"#), Some(own));
    assert_eq!(t.push(r#"{"cid":"lamp","dps":{"1":true}}"#), None);
    assert_eq!(t.push(r#"{"cid":"plug","dps":{"1":true}}"#), Some(plug));
}

#[test]
fn a_measurement_takes_any_value_and_yields_to_a_control_that_wrote_it() {
    let mut t = Table::new();
    let ids = [DpId(1), DpId(2)];
    let measured = t.add(CommandCode::UPDATE_DPS, ExpectedReply::Change, None, RequestData::Ids(&ids));
    let off = t.write(r#"{"1":false}"#);
    assert_eq!(t.push(r#"{"dps":{"1":false}}"#), Some(off));
    assert_eq!(t.push(r#"{"dps":{"2":7}}"#), Some(measured));
}

#[test]
fn a_query_of_device22_has_its_push_though_a_control_wrote_the_same() {
    let mut t = Table::new();
    let on = t.write(r#"{"1":true}"#);
    assert_eq!(t.acknowledge(), Some(on));
    let ids = [DpId(1)];
    let query = t.add(CONTROL, ExpectedReply::State22, None, RequestData::Ids(&ids));
    assert_eq!(t.receive(CONTROL, ""), None, "it promises a push");
    assert_eq!(t.push(r#"{"dps":{"1":true}}"#), Some(query));
}

#[test]
fn a_query_for_certain_dps_is_answered_by_a_push_of_one_of_them() {
    let mut t = Table::new();
    let ids = [DpId(20), DpId(201), DpId(1000)];
    for shown in [20, 201, 1000] {
        let query = t.add(CONTROL, ExpectedReply::State22, None, RequestData::Ids(&ids));
        assert_eq!(t.push(r#"{"dps":{"1":true,"21":4}}"#), None, "of other DPs");
        assert_eq!(t.push(&std::format!(r#"{{"dps":{{"1":true,"{shown}":4}}}}"#)), Some(query));
        assert_eq!(t.acknowledge(), None, "its own, which comes late");
    }
}

/// Lets time pass, and returns the decided command.
fn decided(t: &mut Table, millis: u64) -> Option<(CommandId, Outcome)> {
    t.pending.expire(Instant::from_millis(millis), None);
    t.pending.take_decided()
}

#[test]
fn a_query_without_values_waits_for_pushes_and_no_longer() {
    const QUERY: CommandCode = CommandCode::DP_QUERY_NEW;
    let outcome = Outcome::Acknowledged { retcode: None };
    for nothing in ["", "{}", r#"{"dps":{}}"#, r#"{"devId":"x"}"#] {
        // Nothing follows.
        let mut t = Table::new();
        let query = t.add(QUERY, ExpectedReply::State, None, RequestData::None);
        assert_eq!(t.receive(QUERY, nothing), None, "{nothing:?}");
        assert_eq!(decided(&mut t, 1499), None);
        assert_eq!(decided(&mut t, 1500), Some((query, outcome)));
        // A push follows, and perhaps another one.
        let query = t.add(QUERY, ExpectedReply::State, None, RequestData::None);
        assert_eq!(t.receive(QUERY, nothing), None);
        assert_eq!(t.push(r#"{"dps":{"1":true}}"#), None, "told as what it is");
        assert_eq!(decided(&mut t, 299), None);
        assert_eq!(decided(&mut t, 300), Some((query, outcome)));
        // The values follow in a second answer.
        let query = t.add(QUERY, ExpectedReply::State, None, RequestData::None);
        assert_eq!(t.receive(QUERY, nothing), None);
        assert_eq!(t.receive(QUERY, r#"{"dps":{"1":true}}"#), Some(query));
    }
}

#[test]
fn a_push_does_not_take_the_place_of_an_answer_that_may_come() {
    const QUERY: CommandCode = CommandCode::DP_QUERY_NEW;
    let mut t = Table::new();
    let query = t.add(QUERY, ExpectedReply::State, None, RequestData::None);
    assert_eq!(t.push(r#"{"dps":{"1":true}}"#), None);
    assert_eq!(decided(&mut t, 4999), None, "as long as any query");
    assert_eq!(t.receive(QUERY, r#"{"dps":{"1":true,"2":3}}"#), Some(query));
    // The answer does not come: the pushed values are all there is.
    let query = t.add(QUERY, ExpectedReply::State, None, RequestData::None);
    let child = t.add(QUERY, ExpectedReply::State, Some("c1"), RequestData::None);
    assert_eq!(t.push(r#"{"dps":{"1":true}}"#), None);
    assert_eq!(decided(&mut t, 5000), Some((query, Outcome::Acknowledged { retcode: None })));
    assert_eq!(decided(&mut t, 5000), Some((child, Outcome::Unanswered)), "the push was not the child's");
    // A push that shows the value of a control belongs to the control.
    let query = t.add(QUERY, ExpectedReply::State, None, RequestData::None);
    let on = t.write(r#"{"1":true}"#);
    assert_eq!(t.push(r#"{"dps":{"1":true}}"#), Some(on));
    assert_eq!(decided(&mut t, 5000), Some((query, Outcome::Unanswered)));
}

#[test]
fn a_childs_query_is_answered_by_its_own_frame_whatever_the_numbers_say() {
    const QUERY: CommandCode = CommandCode::DP_QUERY;
    for next in [None, Some(3)] {
        let mut t = Table::new();
        let (a, b) = (
            t.add(QUERY, ExpectedReply::State, Some("a"), RequestData::None),
            t.add(QUERY, ExpectedReply::State, Some("b"), RequestData::None),
        );
        // `seqno` is the number of the other child's query.
        for (text, seqno, wanted) in [
            (r#"{"dps":{"1":1}}"#, 1, None),
            (r#"{"cid":"c","dps":{"1":1}}"#, 1, None),
            (r#"{"cid":"b","dps":{"1":1}}"#, 1, Some(b)),
            (r#"{"cid":"a","dps":{"1":1}}"#, 2, Some(a)),
        ] {
            let found = t.take(next, &Opened { seqno, ..opened(QUERY) }, text);
            assert_eq!(found, wanted, "{next:?} {text}");
        }
    }
}

#[test]
fn resolved_entries_make_room_and_expire() {
    let mut t = Table::new();
    for _ in 0..20 {
        let id = t.write(r#"{"1":true}"#);
        assert_eq!(t.acknowledge(), Some(id));
        assert!(t.pending.is_idle());
        assert_eq!(t.pending.deadline(), None, "nobody has to be woken for it");
    }
    t.pending.expire(Instant::from_millis(5000), None);
    assert!(t.pending.is_idle() && !t.pending.entries.is_empty(), "their pushes may still come");
    t.pending.expire(Instant::from_millis(15_000), None);
    assert!(t.pending.entries.is_empty());
    assert!(t.pending.take_decided().is_none());

    let lost = t.write(r#"{"1":true}"#);
    let done = t.write(r#"{"1":false}"#);
    assert_eq!(t.push(r#"{"dps":{"1":false}}"#), Some(done));
    t.pending.lose_all();
    assert_eq!(t.pending.take_decided(), Some((lost, Outcome::ConnectionLost)));
    assert!(t.pending.take_decided().is_none());
    assert!(t.pending.deadline().is_none_or(|due| due > Instant::ZERO + Duration::from_secs(1)));
}

/// Lets all open commands expire, and returns their ids.
fn expire(t: &mut Table) -> std::vec::Vec<CommandId> {
    t.now = t.now + Duration::from_secs(5);
    t.pending.expire(t.now, None);
    core::iter::from_fn(|| t.pending.take_decided())
        .map(|(id, outcome)| {
            assert_eq!(outcome, Outcome::Unanswered);
            id
        })
        .collect()
}

#[test]
fn a_late_acknowledgement_is_not_the_next_commands() {
    let mut t = Table::new();
    let late = t.write(r#"{"1":true}"#);
    assert_eq!(expire(&mut t), [late]);
    assert!(t.pending.is_idle());
    let next = t.write(r#"{"1":false}"#);
    assert_eq!(t.push(r#"{"dps":{"1":true}}"#), None, "the push of the first");
    assert_eq!(t.acknowledge(), None, "and its acknowledgement");
    assert_eq!(t.acknowledge(), Some(next));
}

#[test]
fn a_late_state_is_not_the_next_querys() {
    let mut t = Table::new();
    let query = |t: &mut Table| t.add(CommandCode::DP_QUERY_NEW, ExpectedReply::State, None, RequestData::None);
    let late = query(&mut t);
    assert_eq!(expire(&mut t), [late]);
    let next = query(&mut t);
    assert_eq!(t.receive(CommandCode::DP_QUERY_NEW, r#"{"dps":{"1":true}}"#), None);
    assert_eq!(t.receive(CommandCode::DP_QUERY_NEW, r#"{"dps":{"1":false}}"#), Some(next));
}

#[test]
fn late_acknowledgements_are_counted() {
    for numbered in [false, true] {
        let mut t = Table::new();
        let acknowledge = |t: &mut Table, seqno| match numbered {
            // Nothing has shown yet who counts these numbers.
            true => t.receive_numbered(CONTROL, seqno, ""),
            false => t.acknowledge(),
        };
        let late: [CommandId; 3] = core::array::from_fn(|_| t.write(r#"{"1":true}"#));
        assert_eq!(expire(&mut t), late);
        let next = t.write(r#"{"1":false}"#);
        for seqno in 1..=3 {
            assert_eq!(acknowledge(&mut t, seqno), None, "number {seqno}");
        }
        assert_eq!(acknowledge(&mut t, 4), Some(next));
        assert!(!t.pending.is_out_of_step());
    }
}

#[test]
fn late_answers_resolve_nothing_until_the_next_connection() {
    const QUERY: CommandCode = CommandCode::DP_QUERY_NEW;
    let mut t = Table::new();
    let first = t.add(QUERY, ExpectedReply::State, None, RequestData::None);
    assert_eq!(expire(&mut t), [first]);
    let second = t.add(QUERY, ExpectedReply::State, None, RequestData::None);
    assert_eq!(t.receive(QUERY, r#"{"dps":{"1":1}}"#), None, "the first one's");
    assert!(!t.pending.is_out_of_step(), "its own may still come");
    assert_eq!(expire(&mut t), [second]);
    // It is not known whether that was the first one's answer or the second one's, nor would it be for any later
    // answer.
    assert!(t.pending.is_out_of_step() && !t.pending.has_room() && t.pending.is_idle());
    assert_eq!(t.receive(QUERY, r#"{"dps":{"1":2}}"#), None);
    t.pending.lose_all();
    assert!(!t.pending.is_out_of_step() && t.pending.has_room());
    let third = t.add(QUERY, ExpectedReply::State, None, RequestData::None);
    assert_eq!(t.receive(QUERY, r#"{"dps":{"1":3}}"#), Some(third));
}

#[test]
fn a_late_command_is_not_expected_for_long() {
    let mut t = Table::new();
    t.write(r#"{"1":true}"#);
    expire(&mut t);
    t.now = t.now + LATE;
    t.pending.expire(t.now, None);
    let next = t.write(r#"{"2":true}"#);
    assert_eq!(t.acknowledge(), Some(next));
}

#[test]
fn resolved_entries_expect_nothing_on_the_next_connection() {
    let mut t = Table::new();
    let late = t.write(r#"{"1":true}"#);
    t.now = t.now + Duration::from_secs(5);
    t.pending.expire(t.now, None);
    t.pending.lose_all();
    assert_eq!(t.pending.take_decided(), Some((late, Outcome::Unanswered)));
    let next = t.write(r#"{"1":false}"#);
    assert_eq!(t.acknowledge(), Some(next));
}

#[test]
fn an_unknown_sequence_number_resolves_nothing() {
    let mut t = Table::new();
    let first = t.write(r#"{"1":true}"#);
    assert_eq!(t.receive_numbered(CONTROL, 1, ""), Some(first), "the device is known to echo");
    let late: [CommandId; 2] = core::array::from_fn(|_| t.write(r#"{"2":true}"#));
    assert_eq!(expire(&mut t), late);
    // Longer than the table remembers them.
    t.now = t.now + 2 * LATE;
    t.pending.expire(t.now, None);
    assert!(t.pending.entries.is_empty());
    let next = t.write(r#"{"1":false}"#);
    for seqno in [1, 2, 3, 1] {
        assert_eq!(t.receive_numbered(CONTROL, seqno, ""), None, "number {seqno}, which was answered or given up");
    }
    assert_eq!(t.receive_numbered(CommandCode::DP_QUERY, 2, r#"{"dps":{"1":true}}"#), None);
    assert_eq!(t.receive_numbered(CONTROL, 4, ""), Some(next));
    assert!(!t.pending.is_out_of_step());
    // Without a number, order matches them.
    let last = t.write(r#"{"1":true}"#);
    assert_eq!(t.receive_numbered(CONTROL, 0, ""), Some(last));
}

#[test]
fn numbers_that_are_not_ours_tell_nothing() {
    let mut t = Table::new();
    // By chance one of them is the number of the command.
    for seqno in [500, 501, 3, 504, 505] {
        let id = t.write(r#"{"1":true}"#);
        assert_eq!(t.receive_numbered(CONTROL, seqno, ""), Some(id), "number {seqno}");
    }
}

#[test]
fn an_acknowledgement_that_comes_long_after_its_push_is_not_the_next_commands() {
    let mut t = Table::new();
    let first = t.write(r#"{"1":true}"#);
    assert_eq!(t.push(r#"{"dps":{"1":true}}"#), Some(first));
    assert_eq!(expire(&mut t), []);
    let second = t.write(r#"{"2":true}"#);
    assert_eq!(t.acknowledge(), None, "the first one's");
    assert_eq!(t.acknowledge(), Some(second));
}

#[test]
fn a_push_that_comes_long_after_its_acknowledgement_is_not_the_next_commands() {
    let mut t = Table::new();
    let first = t.write(r#"{"1":true}"#);
    assert_eq!(t.acknowledge(), Some(first));
    assert_eq!(expire(&mut t), []);
    let second = t.write(r#"{"1":false}"#);
    assert_eq!(t.push(r#"{"dps":{"1":true}}"#), None, "the first one's");
    assert_eq!(t.push(r#"{"dps":{"1":false}}"#), Some(second));
}

#[test]
fn an_answer_that_comes_after_pushes_were_enough_is_not_the_next_querys() {
    const QUERY: CommandCode = CommandCode::DP_QUERY_NEW;
    let mut t = Table::new();
    let first = t.add(QUERY, ExpectedReply::State, None, RequestData::None);
    assert_eq!(t.push(r#"{"dps":{"1":true}}"#), None);
    assert_eq!(decided(&mut t, 5000), Some((first, Outcome::Acknowledged { retcode: None })));
    let second = t.add(QUERY, ExpectedReply::State, None, RequestData::None);
    assert_eq!(t.receive(QUERY, r#"{"dps":{"1":true}}"#), None, "the first one's");
    assert_eq!(t.receive(QUERY, r#"{"dps":{"1":false}}"#), Some(second));
}

#[test]
fn more_late_commands_than_there_is_room_for_are_still_counted() {
    let mut t = Table::new();
    for _ in 0..3 {
        for _ in 0..CAPACITY / 2 {
            t.write(r#"{"1":true}"#);
        }
        t.pending.expire(t.now + Duration::from_secs(5), None);
        while t.pending.take_decided().is_some() {}
    }
    let next = t.write(r#"{"1":false}"#);
    for _ in 0..3 * CAPACITY / 2 {
        assert_eq!(t.acknowledge(), None);
    }
    assert_eq!(t.acknowledge(), Some(next));
}

#[test]
fn a_clamped_push_is_not_claimed_by_a_command_that_expired() {
    let mut t = Table::new();
    t.write(r#"{"2":200}"#);
    expire(&mut t);
    let next = t.write(r#"{"2":300}"#);
    assert_eq!(t.push(r#"{"dps":{"2":100}}"#), Some(next));
}

#[test]
fn a_query_before_its_retry_takes_no_answer_and_is_last_after_it() {
    const QUERY: CommandCode = CommandCode::DP_QUERY_NEW;
    let mut table = Table::new();
    let refused = table.add(QUERY, ExpectedReply::State, None, RequestData::None);
    let child = table.add(QUERY, ExpectedReply::State, Some("child"), RequestData::None);
    let soon = table.now + Duration::from_millis(300);
    table.pending.entry_mut(0).expect("is there").schedule_retry(RetCode::REFUSED, QueryForm::Plain, soon);
    // A refusal has no cid: it belongs to the one query that is on the wire.
    let said = Payload::new(b"devid not found");
    let refusal = Opened { retcode: Some(RetCode::REFUSED), ..opened(QUERY) };
    match table.pending.answer(None, &refusal, &said, None, false, table.now) {
        Match::Resolved(id, Outcome::Rejected { .. }) => assert_eq!(id, child),
        Match::Refused(at) => assert_eq!(table.pending.take(at).expect("is there").id, child),
        _ => panic!("it refuses one"),
    }
    // The retry comes after the query that was sent meanwhile.
    let between = table.add(QUERY, ExpectedReply::State, None, RequestData::None);
    table.last += 1;
    let last = table.last;
    let first = table.pending.entry_mut(0).expect("is there");
    assert_eq!(first.id, refused);
    first.on_retry_sent(QueryForm::Plain, QUERY, last, &[], table.now);
    assert_eq!(table.receive(QUERY, r#"{"dps":{"1":1}}"#), Some(between));
    assert_eq!(table.receive(QUERY, r#"{"dps":{"1":2}}"#), Some(refused));
}
