//! Late answers, and frames that were replayed or reflected.

use rustuya_faulty::{Fault, POISON_DP};
use rustuya_proto::{CommandCode, DownReason, Repeated};
use serde_json::json;

use super::{ALL, EACH, NEW, ask, dps, lamp, query, receive, reports, scenario, set, up, within};
use crate::scenario::{Call, Counter, ExpectedEvent, Fact, How, Scenario, Setup, Source, Step, Want};

/// A lamp that sends only answers; commands wait for 300 ms.
fn terse() -> Setup {
    lamp().quirk("drop-push").answer(300)
}

/// Quirks of the numbering of answers.
const NUMBERINGS: [&str; 3] = ["seqno-echo", "seqno-zero", "seqno-counter"];

/// Repeats a scenario with every numbering of frames.
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

/// Every answer arrives after its command has timed out, while the next one waits.
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

/// Several answers are late, then one is in time.
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
        // Its answer follows the others directly.
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
                // It changes nothing, so the device does not push.
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
                receive(ExpectedEvent::Ignored(Repeated::Reflected)),
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
                reports(Want::Ok),
                Step::Fault(Fault::Reflect),
                receive(ExpectedEvent::Ignored(Repeated::Reflected)),
                receive(ExpectedEvent::Down(DownReason::Unresponsive)),
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
                receive(ExpectedEvent::Ignored(Repeated::Reflected)),
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
                receive(ExpectedEvent::Dps(None, json!({ "2": 10 }))),
                Step::Push(None, json!({ "2": 20 })),
                receive(ExpectedEvent::Dps(None, json!({ "2": 20 }))),
                Step::Next(Source::Own, ExpectedEvent::Ignored(Repeated::Replayed)),
                Step::Is(Fact::State(None, json!({ "1": false, "2": 20, "3": "white" }))),
                Step::CutAll,
                receive(ExpectedEvent::Down(DownReason::PeerClosed)),
                receive(ExpectedEvent::Up(None)),
                Step::Ready(1),
                Step::Push(None, json!({ "2": 30 })),
                receive(ExpectedEvent::Dps(None, json!({ "2": 30 }))),
                // Encrypted with the key of the previous connection.
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
                receive(ExpectedEvent::Down(DownReason::PeerClosed)),
                receive(ExpectedEvent::Ignored(Repeated::Replayed)),
                receive(ExpectedEvent::Up(None)),
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
                receive(dps(json!({ "2": 10 }))),
                Step::Next(Source::Own, ExpectedEvent::Ignored(Repeated::Replayed)),
                ask(set("2", 77), Want::Ok),
                Step::NotReceived(Source::Own, ExpectedEvent::Dps(None, json!({ POISON_DP: "old number" }))),
                Step::Is(Fact::State(None, json!({ "1": false, "2": 77, "3": "white" }))),
            ],
        ),
    ]);
    list
}
