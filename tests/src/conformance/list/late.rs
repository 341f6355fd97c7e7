//! Answers that come late, and frames that the device did not send just now.

use rustuya_proto::{CommandCode, DownReason, Repeated};
use serde_json::json;

use super::{ALL, EACH, NEW, ask, dps, hear, lamp, query, scenario, set, tells, up, within};
use crate::conformance::scenario::{Call, Counter, Ear, Fact, How, Scenario, Setup, Sign, Step, Want};
use crate::faulty::{Fault, POISON_DP};

/// It says nothing but answers, and commands wait for 300 ms.
fn terse() -> Setup {
    lamp().quirk("drop-push").answer(300)
}

/// Ways to number answers that are not the ordinary one of the version.
const NUMBERINGS: [&str; 3] = ["seqno-echo", "seqno-zero", "seqno-counter"];

/// The same, for devices that number their frames in every way.
fn in_every_numbering(mut scenario: Scenario, setup: &Setup) -> Vec<Scenario> {
    let ordinary = scenario.clone();
    let name = scenario.name;
    let mut all = vec![ordinary];
    for numbering in NUMBERINGS {
        scenario.name = Box::leak(format!("{name} ({numbering})").into_boxed_str());
        scenario.devices = vec![setup.clone().quirk(numbering)];
        all.push(scenario.clone());
    }
    all
}

/// Every answer comes when its command is given up, and another one waits.
fn always_late() -> Vec<Scenario> {
    let steps = vec![
        up(),
        Step::Fault(Fault::LateAnswers { ms: 450 }),
        ask(set("2", 10), Want::Unanswered),
        ask(set("2", 20), Want::Unanswered),
        ask(set("2", 30), Want::Unanswered),
        ask(set("2", 40), Want::Unanswered),
        ask(Call::Query, Want::Unanswered),
        ask(Call::Query, Want::Unanswered),
    ];
    in_every_numbering(
        scenario("a late answer is nobody's: not of the next command, nor of any", EACH, [terse()], steps),
        &terse(),
    )
}

/// Several answers are late, and then one comes in time.
fn chain() -> Vec<Scenario> {
    let steps = vec![
        up(),
        Step::Fault(Fault::LateAnswers { ms: 450 }),
        Step::Begin(1, set("1", true), How::Acked),
        Step::Begin(2, set("2", 20), How::Acked),
        Step::Begin(3, set("3", "red"), How::Acked),
        Step::Arrived(CommandCode::CONTROL, 3),
        Step::Mend,
        Step::End(1, Want::Unanswered),
        Step::End(2, Want::Unanswered),
        Step::End(3, Want::Unanswered),
        // Its answer comes right behind the others.
        ask(set("2", 77), Want::Ok),
        Step::Has(None, json!({ "2": 77 })),
    ];
    in_every_numbering(
        scenario("several late answers are told from the one that is in time", EACH, [terse()], steps),
        &terse(),
    )
}

pub(super) fn list() -> Vec<Scenario> {
    let mut list = always_late();
    list.extend(chain());
    list.extend([
        scenario(
            "an acknowledgement that comes long after its push is not the next command's",
            EACH,
            [lamp().answer(300)],
            vec![
                up(),
                Step::Fault(Fault::LateAnswers { ms: 450 }),
                ask(set("2", 10), Want::Ok),
                Step::Linger(320),
                // It changes nothing, so there is no push.
                Step::Begin(1, set("99", 1), How::Acked),
                Step::End(1, Want::Unanswered),
            ],
        ),
        scenario(
            "a host that sends back what it gets acknowledges nothing, and shows nothing",
            EACH,
            [lamp().answer(300)],
            vec![
                query(Want::Ok),
                Step::Fault(Fault::Reflect),
                ask(set("2", 77), Want::Unanswered),
                hear(Sign::Ignored(Repeated::Reflected)),
                Step::Is(Fact::State(None, json!({ "1": false, "2": 50, "3": "white" }))),
                Step::Is(Fact::AtLeast(Counter::Ignored, 1)),
                Step::Is(Fact::Connected(true)),
                Step::Mend,
                ask(set("2", 78), Want::Ok),
                Step::Controls(vec![json!({ "2": 78 })]),
            ],
        ),
        scenario(
            "a host that sends back what it gets is not the device, however long it does",
            ALL,
            [lamp().answer(300).heartbeat(100)],
            vec![
                tells(Want::Ok),
                Step::Fault(Fault::Reflect),
                hear(Sign::Ignored(Repeated::Reflected)),
                hear(Sign::Down(DownReason::Unresponsive)),
                Step::Mend,
                Step::Becomes(Fact::Working),
                ask(set("2", 77), Want::Ok),
            ],
        ),
        scenario(
            "with return codes left out, too, what is sent back is not believed",
            NEW,
            [lamp().answer(300).quirk("no-retcode")],
            vec![
                query(Want::Ok),
                Step::Fault(Fault::Reflect),
                within(set("2", 77), 200, Want::Unanswered),
                hear(Sign::Ignored(Repeated::Reflected)),
                Step::Is(Fact::State(None, json!({ "1": false, "2": 50, "3": "white" }))),
            ],
        ),
        scenario(
            "a push that was recorded is not believed again, on this connection or the next",
            NEW,
            [lamp()],
            vec![
                query(Want::Ok),
                Step::Fault(Fault::ReplayPushes),
                Step::Push(None, json!({ "2": 10 })),
                hear(Sign::Dps(None, json!({ "2": 10 }))),
                Step::Push(None, json!({ "2": 20 })),
                hear(Sign::Dps(None, json!({ "2": 20 }))),
                Step::Next(Ear::Own, Sign::Ignored(Repeated::Replayed)),
                Step::Is(Fact::State(None, json!({ "1": false, "2": 20, "3": "white" }))),
                Step::CutAll,
                hear(Sign::Down(DownReason::PeerClosed)),
                hear(Sign::Up(None)),
                Step::Ready(1),
                Step::Push(None, json!({ "2": 30 })),
                hear(Sign::Dps(None, json!({ "2": 30 }))),
                // Sealed under the key of the connection that is over.
                Step::Becomes(Fact::AtLeast(Counter::BadFrames, 1)),
                Step::Is(Fact::State(None, json!({ "1": false, "2": 30, "3": "white" }))),
                ask(set("2", 77), Want::Ok),
            ],
        ),
        scenario(
            "an answer of the negotiation that was recorded is passed over, and the device's own is taken",
            NEW,
            [lamp()],
            vec![
                query(Want::Ok),
                Step::Fault(Fault::StaleAnswers),
                Step::CutAll,
                hear(Sign::Down(DownReason::PeerClosed)),
                hear(Sign::Ignored(Repeated::Replayed)),
                hear(Sign::Up(None)),
                ask(set("2", 77), Want::Ok),
                Step::Is(Fact::Exactly(Counter::Connects, 2)),
            ],
        ),
        scenario(
            "a push with a number that came before is not believed, where the device counts",
            NEW,
            [lamp().fault(Fault::OldNumbers)],
            vec![
                query(Want::Ok),
                Step::Push(None, json!({ "2": 10 })),
                hear(dps(json!({ "2": 10 }))),
                Step::Next(Ear::Own, Sign::Ignored(Repeated::Replayed)),
                ask(set("2", 77), Want::Ok),
                Step::Unheard(Ear::Own, Sign::Dps(None, json!({ POISON_DP: "old number" }))),
                Step::Is(Fact::State(None, json!({ "1": false, "2": 77, "3": "white" }))),
            ],
        ),
    ]);
    list
}
