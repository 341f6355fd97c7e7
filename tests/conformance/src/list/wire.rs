//! Frames altered by the network or by faulty senders.

use rustuya_faulty::{Fault, STALE, SUFFIX_DP};
use rustuya_proto::{CommandCode, DownReason, Version};
use serde_json::json;

use super::{ALL, BOTH, EACH, V33, ask, dps, lamp, query, query_dps, receive, reports, scenario, set, sub_query, up};
use crate::scenario::{Call, Counter, ExpectedEvent, Fact, How, Scenario, Setup, Source, Step, Want};

/// Each DP is twice in every report: every reader must take the last value.
fn twice(whole: bool) -> Vec<Scenario> {
    let of = |cid, dps| ExpectedEvent::Dps(Some(cid), dps);
    let (lamp_name, gateway_name) = if whole {
        ("the last DPs of a message are the ones in every view", "so they are of sub-devices")
    } else {
        ("the last value of a DP is the one in every view", "so it is of a sub-device's DPs")
    };
    let before = json!({ "1": false, "2": 50, "3": "white" });
    let after = json!({ "1": true, "2": 75, "3": "red" });
    vec![
        scenario(
            lamp_name,
            ALL,
            [lamp().managed().fault(Fault::DpsTwice { whole })],
            vec![
                up(),
                Step::Ready(1),
                query_dps(&[1, 2, 3], Want::Dps(before.clone())),
                Step::Is(Fact::State(None, before)),
                Step::Push(None, json!({ "3": "red" })),
                receive(dps(json!({ "3": "red" }))),
                Step::Receive(Source::Manager(0), dps(json!({ "3": "red" }))),
                Step::Ask(
                    Call::SetDps(json!({ "1": true, "2": 75 })),
                    How::Confirmed,
                    Want::Dps(json!({ "1": true, "2": 75 })),
                ),
                Step::Becomes(Fact::State(None, after.clone())),
                query_dps(&[1, 2, 3], Want::Dps(after)),
                Step::NotReceived(Source::Own, dps(json!({ "3": STALE }))),
                Step::NotReceived(Source::Manager(0), dps(json!({ "1": STALE }))),
                Step::Is(Fact::Exactly(Counter::BadFrames, 0)),
            ],
        ),
        scenario(
            gateway_name,
            EACH,
            [Setup::gateway().fault(Fault::DpsTwice { whole })],
            vec![
                up(),
                Step::Ready(1),
                sub_query("plug", Want::Dps(json!({ "1": false, "9": 7 }))),
                Step::Push(Some("plug"), json!({ "9": 8 })),
                receive(of("plug", json!({ "9": 8 }))),
                ask(Call::SubSet("plug", 1, true.into()), Want::Ok),
                Step::Becomes(Fact::State(Some("plug"), json!({ "1": true, "9": 8 }))),
                Step::NotReceived(Source::Own, of("plug", json!({ "1": STALE }))),
            ],
        ),
    ]
}

/// Expects that frames arrive in order and the connection stays, despite faults on the wire.
fn undisturbed() -> Vec<Step> {
    vec![
        up(),
        reports(Want::Ok),
        ask(Call::SetDps(json!({ "1": true, "2": 9 })), Want::Ok),
        Step::Push(None, json!({ "3": "blue" })),
        receive(dps(json!({ "3": "blue" }))),
        Step::Times(5, vec![reports(Want::Ok)]),
        Step::Controls(vec![json!({ "1": true, "2": 9 })]),
        Step::AcceptedOnly(1),
        Step::NotReceived(Source::Own, ExpectedEvent::Down(DownReason::PeerClosed)),
    ]
}

fn wire(name: &'static str, versions: &'static [Version], fault: Fault) -> Scenario {
    let device: Setup = lamp().fault(fault);
    scenario(name, versions, [device], undisturbed())
}

pub(super) fn list() -> Vec<Scenario> {
    let ciphered: &[Version] = &[Version::V32, Version::V33, Version::V34, Version::V35];
    let and = |mut scenario: Scenario, step: Step| {
        scenario.steps.push(step);
        scenario
    };
    let all = vec![
        wire("every byte a segment of its own", ALL, Fault::OneByteSegments),
        wire("frames that are split across reads", ALL, Fault::SplitAcrossReads),
        and(
            wire("a length of 4 GiB is not believed", EACH, Fault::FourGiBLength),
            Step::Is(Fact::AtLeast(Counter::Resyncs, 1)),
        ),
        and(
            wire("one bad prefix is skipped, the connection stays", EACH, Fault::BadPrefixOnce),
            Step::Is(Fact::AtLeast(Counter::Resyncs, 1)),
        ),
        and(
            wire("what fails its integrity check is not delivered", ALL, Fault::BadIntegrity),
            Step::Is(Fact::AtLeast(Counter::BadFrames, 1)),
        ),
        scenario(
            "frames that are larger than a device may receive are received",
            EACH,
            [lamp().dps(json!({ "1": false, "3": "x".repeat(9_000) }))],
            vec![
                up(),
                query(Want::Dps(json!({ "1": false, "3": "x".repeat(9_000) }))),
                Step::Ready(1),
                Step::Push(None, json!({ "3": "y".repeat(40_000) })),
                receive(dps(json!({ "3": "y".repeat(40_000) }))),
                ask(set("1", true), Want::Ok),
                query(Want::Dps(json!({ "1": true, "3": "y".repeat(40_000) }))),
                Step::AcceptedOnly(1),
                Step::Is(Fact::Exactly(Counter::Resyncs, 0)),
            ],
        ),
        scenario(
            "a frame that is larger than the limit is skipped and told, its command fails, the connection stays",
            EACH,
            [lamp().receive_limit(8_000)],
            vec![
                query(Want::Ok),
                Step::Ready(1),
                Step::Push(None, json!({ "3": "x".repeat(9_000) })),
                receive(ExpectedEvent::Skipped),
                query(Want::AnswerTooLarge),
                receive(ExpectedEvent::Skipped),
                ask(set("1", true), Want::Ok),
                Step::Push(None, json!({ "3": "red" })),
                receive(dps(json!({ "3": "red" }))),
                query(Want::Dps(json!({ "1": true, "2": 50, "3": "red" }))),
                Step::AcceptedOnly(1),
                Step::Is(Fact::Exactly(Counter::Resyncs, 0)),
                Step::NotReceived(Source::Own, ExpectedEvent::Down(DownReason::Garbage)),
            ],
        ),
        // After a valid frame, bad padding no longer proves a wrong key.
        scenario("what fails its padding check is not delivered", ALL, [lamp()], {
            let spoilt = vec![up(), reports(Want::Ok), Step::Fault(Fault::BadPadding)];
            let mut steps = spoilt.into_iter().chain(undisturbed()).collect::<Vec<_>>();
            steps.push(Step::Is(Fact::AtLeast(Counter::BadFrames, 1)));
            steps
        }),
        scenario(
            "ciphertext that contains the suffix does not split a frame",
            ciphered,
            [lamp()],
            vec![
                up(),
                reports(Want::Ok),
                Step::Fault(Fault::SuffixInCiphertext),
                ask(set("1", true), Want::Ok),
                Step::ReceiveDp(Source::Own, SUFFIX_DP),
                reports(Want::Ok),
                Step::AcceptedOnly(1),
                Step::Is(Fact::Exactly(Counter::Resyncs, 0)),
                Step::Is(Fact::Exactly(Counter::BadFrames, 0)),
            ],
        ),
        scenario(
            "a burst of pushes is heard whole by a listener that reads",
            EACH,
            [lamp()],
            vec![
                up(),
                reports(Want::Ok),
                Step::Flood(5_000),
                Step::ReceiveFlood(Source::Own, 5_000),
                Step::Is(Fact::Exactly(Counter::Lagged, 0)),
            ],
        ),
        scenario(
            "a burst of pushes does not hold up commands",
            BOTH,
            [lamp()],
            vec![
                up(),
                reports(Want::Ok),
                Step::Flood(3_000),
                Step::Mark,
                Step::Begin(1, set("1", true), How::Acked),
                Step::ReceiveFlood(Source::Own, 3_000),
                Step::End(1, Want::Ok),
                Step::Before(5_000),
                Step::AcceptedOnly(1),
            ],
        ),
        scenario(
            "a device that floods with every answer is of use",
            BOTH,
            [lamp().fault(Fault::FloodPushes { count: 50 })],
            vec![
                up(),
                Step::Times(4, vec![ask(set("1", true), Want::Ok), ask(set("1", false), Want::Ok)]),
                Step::Arrived(CommandCode::CONTROL, 8),
                Step::ReceiveFlood(Source::Own, 400),
            ],
        ),
        scenario(
            "a listener that does not read lags alone and is told how much",
            V33,
            [lamp()],
            vec![
                up(),
                reports(Want::Ok),
                Step::Listen(1),
                Step::Flood(2_000),
                Step::ReceiveFlood(Source::Own, 2_000),
                Step::ReceiveLag(Source::Extra(1)),
                Step::ReceiveNumber(Source::Extra(1), 2_000),
                Step::Becomes(Fact::AtLeast(Counter::Lagged, 900)),
            ],
        ),
        scenario(
            "each listener hears everything from its beginning on",
            EACH,
            [lamp()],
            vec![
                up(),
                reports(Want::Ok),
                Step::Flood(10),
                Step::ReceiveFlood(Source::Own, 10),
                Step::Listen(1),
                Step::Push(None, json!({ "2": 99 })),
                Step::Next(Source::Extra(1), dps(json!({ "2": 99 }))),
                receive(dps(json!({ "2": 99 }))),
            ],
        ),
    ];
    [all, twice(false), twice(true)].concat()
}
