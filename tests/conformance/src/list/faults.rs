//! Faulty devices: the connection ends or fails.

use rustuya_faulty::{Fault, PowerLoss};
use rustuya_proto::{CommandCode, DownReason, Version};
use serde_json::json;

use super::{
    ALL, BOTH, EACH, NEW, V33, arrived, ask, connected, diagnosed, disconnected, dps, lamp, query, receive, reports,
    scenario, set, up, within, write,
};
use crate::scenario::{
    Call, ConfiguredVersion, Counter, Edit, ExpectedEvent, Fact, How, Scenario, Setup, Source, Step, Want,
};

/// Expects that the device works again.
fn recovered() -> Vec<Step> {
    vec![
        // Versions without negotiation are connected before the device has proven anything.
        Step::Becomes(Fact::Working),
        ask(set("2", 77), Want::Ok),
        Step::Has(None, json!({ "2": 77 })),
    ]
}

fn then_recovers(mut steps: Vec<Step>) -> Vec<Step> {
    steps.extend(recovered());
    steps
}

/// A lamp with short limits: the scenarios check the behaviour after them.
fn quick() -> Setup {
    lamp().answer(300).heartbeat(100)
}

pub(super) fn list() -> Vec<Scenario> {
    let wrong_key = DownReason::WrongKey { sure: true };
    vec![
        scenario(
            "a power-cycle with resets: down at once, and back",
            ALL,
            [lamp()],
            then_recovers(vec![
                reports(Want::Ok),
                Step::PowerOff(PowerLoss::Reset),
                receive(ExpectedEvent::Down(DownReason::PeerClosed)),
                receive(ExpectedEvent::Down(DownReason::Refused)),
                diagnosed(DownReason::Refused),
                Step::PowerOn,
                receive(ExpectedEvent::Up(None)),
            ]),
        ),
        // Delays grow to 160 ms here; another library never goes below 16 s.
        scenario(
            "after a cut the device is back within a second",
            ALL,
            [lamp()],
            then_recovers(vec![
                reports(Want::Ok),
                Step::Mark,
                Step::CutAll,
                receive(ExpectedEvent::Down(DownReason::PeerClosed)),
                receive(ExpectedEvent::Up(None)),
                Step::Before(3000),
            ]),
        ),
        scenario(
            "the first delay after a connection that worked is short, whatever is configured",
            BOTH,
            [lamp().backoff(60_000, 60_000)],
            then_recovers(vec![
                query(Want::Ok),
                // A connection that lasts less than 2 s counts as a failure.
                Step::Linger(2_100),
                Step::CutAll,
                Step::Mark,
                receive(ExpectedEvent::Down(DownReason::PeerClosed)),
                receive(ExpectedEvent::Up(None)),
                Step::Before(3000),
            ]),
        ),
        scenario(
            "power lost without a word is noticed by heartbeats",
            EACH,
            [quick()],
            then_recovers(vec![
                query(Want::Ok),
                Step::PowerOff(PowerLoss::Silence),
                receive(ExpectedEvent::Down(DownReason::Unresponsive)),
                receive(ExpectedEvent::Down(DownReason::Refused)),
                Step::PowerOn,
            ]),
        ),
        scenario(
            "a reboot that nobody noticed is noticed by its reset",
            BOTH,
            [lamp().heartbeat(100)],
            then_recovers(vec![
                query(Want::Ok),
                Step::PowerOff(PowerLoss::Silence),
                Step::PowerOn,
                receive(ExpectedEvent::Down(DownReason::PeerClosed)),
            ]),
        ),
        scenario(
            "a device that refuses dials is diagnosed and tried again",
            EACH,
            [lamp().fault(Fault::RefuseDial)],
            then_recovers(vec![diagnosed(DownReason::Refused), Step::Is(Fact::Connected(false)), Step::Mend]),
        ),
        scenario(
            "a device that resets every connection is tried again",
            EACH,
            [lamp().fault(Fault::Reset)],
            then_recovers(vec![Step::Accepted(4), Step::Mend]),
        ),
        scenario(
            "a device that accepts and closes at once is diagnosed as busy",
            EACH,
            [lamp().fault(Fault::AcceptAndClose)],
            then_recovers(vec![
                Step::Mark,
                diagnosed(DownReason::Busy),
                Step::Before(5_000),
                within(set("1", true), 200, Want::NotConnected(Some(DownReason::Busy))),
                Step::Mend,
            ]),
        ),
        scenario(
            "with version Auto, a device that accepts and closes at once is diagnosed as busy, and no key is blamed",
            EACH,
            [lamp().speaks(ConfiguredVersion::Auto).fault(Fault::AcceptAndClose)],
            then_recovers(vec![
                Step::Mark,
                Step::Next(Source::Own, ExpectedEvent::Down(DownReason::Busy)),
                Step::Before(5_000),
                Step::Accepted(4),
                Step::Is(Fact::Diagnosis(Some(DownReason::Busy))),
                Step::Mend,
            ]),
        ),
        scenario(
            "with version Auto, a silent device is diagnosed as silent, with one event",
            EACH,
            [lamp().speaks(ConfiguredVersion::Auto).fault(Fault::Silent)],
            then_recovers(vec![
                Step::Mark,
                Step::Next(Source::Own, ExpectedEvent::Down(DownReason::Silent)),
                Step::Before(6_000),
                within(set("1", true), 200, Want::NotConnected(Some(DownReason::Silent))),
                Step::Controls(vec![]),
                Step::Mend,
            ]),
        ),
        scenario(
            "a device that accepts and closes at once comes back when it is free",
            EACH,
            [lamp().fault(Fault::AcceptAndClose)],
            then_recovers(vec![Step::Accepted(4), Step::Mend]),
        ),
        scenario(
            "a device that closes in the orderly way is dialed again",
            EACH,
            [lamp()],
            then_recovers(vec![query(Want::Ok), Step::CloseAll, receive(ExpectedEvent::Down(DownReason::PeerClosed))]),
        ),
        scenario(
            "a device that serves one client is diagnosed by the other as busy",
            NEW,
            [lamp().fault(Fault::OneClientOnly), lamp().twin().unheld()],
            vec![
                up(),
                super::on(1, Step::SpawnAt(0)),
                super::on(1, diagnosed(DownReason::Busy)),
                ask(set("1", true), Want::Ok),
                write(Call::Close, Want::Ok),
                super::on(1, connected()),
                super::on(1, ask(set("2", 5), Want::Ok)),
                Step::Has(None, json!({ "1": true, "2": 5 })),
            ],
        ),
        scenario(
            "a silent device is diagnosed, and of use when it speaks again",
            NEW,
            [quick().fault(Fault::Silent)],
            then_recovers(vec![
                diagnosed(DownReason::Silent),
                within(set("1", true), 200, Want::NotConnected(Some(DownReason::Silent))),
                Step::Controls(vec![]),
                Step::Mend,
            ]),
        ),
        scenario(
            "a device that falls silent is given up",
            EACH,
            [quick()],
            then_recovers(vec![
                query(Want::Ok),
                Step::Fault(Fault::Silent),
                Step::Begin(1, set("1", true), How::Within(200)),
                Step::End(1, Want::Unanswered),
                receive(ExpectedEvent::Down(DownReason::Unresponsive)),
                Step::Mend,
                Step::Has(None, json!({ "1": true })),
            ]),
        ),
        scenario(
            "garbage in place of answers is no connection",
            NEW,
            [quick().fault(Fault::Garbage { seed: 3 })],
            then_recovers(vec![
                Step::Accepted(2),
                Step::Is(Fact::Connected(false)),
                receive(ExpectedEvent::Down(DownReason::Silent)),
                Step::Mend,
            ]),
        ),
        scenario(
            "garbage in place of heartbeats ends the connection",
            EACH,
            [quick()],
            then_recovers(vec![query(Want::Ok), Step::Fault(Fault::Garbage { seed: 5 }), disconnected(), Step::Mend]),
        ),
        scenario(
            "a device that closes its half is gone, and back",
            EACH,
            [lamp()],
            then_recovers(vec![
                query(Want::Ok),
                Step::Fault(Fault::HalfClose { after: 1 }),
                Step::Begin(1, set("1", true), How::Acked),
                Step::End(1, Want::Ok),
                receive(ExpectedEvent::Down(DownReason::PeerClosed)),
                Step::Mend,
            ]),
        ),
        scenario(
            "a device that closes its half in place of an answer loses the command",
            BOTH,
            [lamp()],
            then_recovers(vec![
                query(Want::Ok),
                Step::Fault(Fault::HalfClose { after: 0 }),
                ask(set("1", true), Want::Lost(DownReason::PeerClosed)),
                Step::Mend,
            ]),
        ),
        scenario(
            "a device that disappears in the middle of a frame is noticed",
            EACH,
            [quick()],
            then_recovers(vec![
                query(Want::Ok),
                Step::Fault(Fault::DisappearMidFrame { after: 0 }),
                within(set("1", true), 200, Want::Unanswered),
                receive(ExpectedEvent::Down(DownReason::Unresponsive)),
                Step::Mend,
                Step::Becomes(Fact::AtLeast(Counter::Connects, 2)),
            ]),
        ),
        scenario(
            "controls that are obeyed and not acknowledged are known by their push",
            ALL,
            [lamp().fault(Fault::DropAcks)],
            vec![
                ask(set("1", true), Want::Ok),
                receive(dps(json!({ "1": true }))),
                Step::Controls(vec![json!({ "1": true })]),
            ],
        ),
        scenario(
            "a push answers the control that wrote its value, not another of the same DP",
            ALL,
            [lamp().quirk("silent-control").answer(600)],
            vec![
                up(),
                Step::Ready(1),
                Step::Begin(1, set("2", 10), How::Acked),
                Step::Arrived(CommandCode::CONTROL, 1),
                Step::Begin(2, set("2", 20), How::Acked),
                Step::Arrived(CommandCode::CONTROL, 2),
                Step::Push(None, json!({ "2": 20 })),
                Step::End(2, Want::Ok),
                Step::End(1, Want::Unanswered),
            ],
        ),
        scenario(
            "a value that the device changes is an answer all the same",
            ALL,
            [lamp().quirk("silent-control").answer(600)],
            vec![
                up(),
                Step::Ready(1),
                Step::Begin(1, set("2", 200), How::Acked),
                Step::Arrived(CommandCode::CONTROL, 1),
                Step::Push(None, json!({ "2": 100 })),
                Step::End(1, Want::Ok),
            ],
        ),
        scenario(
            "a wrong key that is known stays known, and nothing is connected before a proof",
            &[Version::V32, Version::V33],
            [lamp().wrong_key()],
            vec![
                ask(Call::Query, Want::Lost(wrong_key)),
                receive(ExpectedEvent::Down(wrong_key)),
                Step::Accepted(4),
                Step::NotReceived(Source::Own, ExpectedEvent::Up(None)),
                Step::Is(Fact::Connected(false)),
                Step::Is(Fact::Diagnosis(Some(wrong_key))),
                Step::Reconfigure(vec![Edit::Key(None)]),
                receive(ExpectedEvent::Up(None)),
                ask(set("1", true), Want::Ok),
                Step::Becomes(Fact::Diagnosis(None)),
            ],
        ),
        scenario(
            "a wrong version that is known stays known, and nothing is connected before a proof",
            &[Version::V34],
            [lamp().speaks(ConfiguredVersion::Only(Version::V33))],
            vec![
                receive(ExpectedEvent::Down(DownReason::WrongVersion { speaks: Some(Version::V34) })),
                Step::Accepted(8),
                Step::NotReceived(Source::Own, ExpectedEvent::Up(Some(Version::V33))),
                Step::Is(Fact::Connected(false)),
                Step::Is(Fact::DiagnosedVersion),
                Step::SetVersion(Version::V33),
                receive(ExpectedEvent::Up(Some(Version::V33))),
                ask(set("1", true), Want::Ok),
                Step::Becomes(Fact::Diagnosis(None)),
            ],
        ),
        scenario(
            "answers out of order find their commands",
            V33,
            [lamp().fault(Fault::OutOfOrder)],
            vec![
                up(),
                Step::Begin(1, Call::Query, How::Acked),
                Step::Arrived(CommandCode::DP_QUERY, 1),
                Step::Begin(2, set("1", true), How::Acked),
                Step::Arrived(CommandCode::CONTROL, 1),
                Step::Begin(3, Call::Query, How::Acked),
                Step::Arrived(CommandCode::DP_QUERY, 2),
                Step::Begin(4, set("2", 3), How::Acked),
                Step::End(2, Want::Ok),
                Step::End(1, Want::Dps(json!({ "1": false, "2": 50, "3": "white" }))),
                Step::End(3, Want::Dps(json!({ "1": true, "2": 50, "3": "white" }))),
                Step::End(4, Want::Ok),
                arrived(CommandCode::CONTROL),
                Step::Controls(vec![json!({ "1": true }), json!({ "2": 3 })]),
            ],
        ),
        scenario(
            "answers out of order leave no command without one",
            ALL,
            [lamp().fault(Fault::OutOfOrder)],
            vec![
                up(),
                Step::Begin(1, set("1", true), How::Acked),
                Step::Arrived(CommandCode::CONTROL, 1),
                Step::Begin(2, set("2", 3), How::Acked),
                Step::Arrived(CommandCode::CONTROL, 2),
                Step::Begin(3, set("3", "red"), How::Acked),
                Step::End(1, Want::Ok),
                Step::End(2, Want::Ok),
                Step::End(3, Want::Ok),
                Step::Controls(vec![json!({ "1": true }), json!({ "2": 3 }), json!({ "3": "red" })]),
            ],
        ),
    ]
}
