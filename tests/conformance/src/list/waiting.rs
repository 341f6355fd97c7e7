//! Waiting commands, and the ends of their waits.

use core::iter::once;

use rustuya_faulty::{Fault, PowerLoss};
use rustuya_proto::{CommandCode, DownReason};
use serde_json::json;

use super::{
    ALL, BOTH, EACH, V33, arrived, ask, connected, dps, lamp, query, queue, receive, reports, scenario, set, up,
    within, write,
};
use crate::scenario::{Call, Counter, ExpectedEvent, Fact, How, Scenario, Setup, Source, Step, Want};

/// A lamp that executes controls without any answer or push.
fn silent() -> Setup {
    lamp().quirk("silent-control")
}

pub(super) fn list() -> Vec<Scenario> {
    let refused = Want::NotConnected(Some(DownReason::Refused));
    let failed = |want: Want| ExpectedEvent::Failed(Box::new(want));
    let twenty = |step: fn(usize) -> Step| (0..20).map(step).collect::<Vec<_>>();
    vec![
        scenario(
            "a command without connection fails with the diagnosis when its time is over",
            EACH,
            [lamp().off().command_timeout(300)],
            vec![
                Step::Mark,
                write(set("1", true), refused.clone()),
                Step::After(300),
                Step::Before(5000),
                Step::Is(Fact::Diagnosis(Some(DownReason::Refused))),
            ],
        ),
        scenario(
            "a command may have a time limit of its own",
            BOTH,
            [lamp().off()],
            vec![Step::Mark, within(set("1", true), 200, refused.clone()), Step::After(200), Step::Before(5000)],
        ),
        scenario(
            "wait_connected gives up with the diagnosis",
            BOTH,
            [lamp().off()],
            vec![Step::Mark, within(Call::Connection, 200, refused.clone()), Step::After(200), Step::Before(5000)],
        ),
        scenario(
            "a command that is given while the device is down is sent when it is back",
            ALL,
            [lamp().off()],
            vec![
                receive(ExpectedEvent::Down(DownReason::Refused)),
                Step::Begin(1, set("2", 7), How::Acked),
                Step::PowerOn,
                Step::End(1, Want::Ok),
                Step::Controls(vec![json!({ "2": 7 })]),
            ],
        ),
        scenario(
            "commands that waited are sent in order, each once",
            BOTH,
            [lamp().off()],
            vec![
                receive(ExpectedEvent::Down(DownReason::Refused)),
                queue(set("2", 1), Want::Ok),
                queue(set("2", 2), Want::Ok),
                queue(set("1", true), Want::Ok),
                Step::PowerOn,
                Step::Controls(vec![json!({ "2": 1 }), json!({ "2": 2 }), json!({ "1": true })]),
            ],
        ),
        scenario(
            "a command that is not answered is said to be",
            EACH,
            [silent()],
            vec![
                up(),
                Step::Mark,
                within(set("1", true), 250, Want::Unanswered),
                Step::After(250),
                Step::Has(None, json!({ "1": true })),
                Step::Controls(vec![json!({ "1": true })]),
            ],
        ),
        scenario(
            "the wait for answers is configured",
            BOTH,
            [silent().answer(250)],
            vec![up(), Step::Mark, ask(set("1", true), Want::Unanswered), Step::After(250), Step::Before(2500)],
        ),
        scenario(
            "done when written: a failure that follows is an event",
            BOTH,
            [silent().answer(250)],
            vec![up(), write(set("1", true), Want::Ok), receive(failed(Want::Unanswered))],
        ),
        scenario(
            "a command that nobody waits for any more and was not sent is taken back",
            BOTH,
            [lamp().off()],
            vec![
                receive(ExpectedEvent::Down(DownReason::Refused)),
                Step::Begin(1, set("1", true), How::Acked),
                Step::Drop(1),
                Step::PowerOn,
                ask(set("2", 7), Want::Ok),
                Step::Controls(vec![json!({ "2": 7 })]),
            ],
        ),
        scenario(
            "what nobody waits for any more and was not sent does not fail",
            V33,
            [lamp().off()],
            vec![
                receive(ExpectedEvent::Down(DownReason::Refused)),
                Step::Begin(1, set("1", true), How::Within(50)),
                Step::Begin(2, Call::Connection, How::Within(50)),
                Step::Drop(1),
                Step::Drop(2),
                within(set("2", 7), 150, refused.clone()),
                Step::NotReceived(Source::Own, failed(refused.clone())),
                Step::Begin(3, Call::Connection, How::Acked),
                Step::Drop(3),
                write(Call::Close, Want::Ok),
                Step::NotReceived(Source::Own, failed(Want::Closed)),
            ],
        ),
        scenario(
            "a command that nobody waits for any more and was sent takes effect",
            BOTH,
            [silent()],
            vec![
                up(),
                Step::Begin(1, set("1", true), How::Within(250)),
                arrived(CommandCode::CONTROL),
                Step::Drop(1),
                Step::Has(None, json!({ "1": true })),
                receive(failed(Want::Unanswered)),
            ],
        ),
        scenario(
            "nowait: done when queued, a failure is an event",
            BOTH,
            [lamp().off().nowait().command_timeout(200)],
            vec![Step::Mark, write(set("1", true), Want::Ok), Step::Before(180), receive(failed(refused.clone()))],
        ),
        scenario(
            "nowait: what was queued is sent",
            EACH,
            [lamp().off().nowait()],
            vec![
                write(set("1", true), Want::Ok),
                write(set("2", 3), Want::Ok),
                Step::PowerOn,
                Step::Controls(vec![json!({ "1": true }), json!({ "2": 3 })]),
                write(Call::Close, Want::Ok),
                write(set("1", true), Want::Closed),
            ],
        ),
        scenario(
            "queue does not wait, up or down",
            EACH,
            [lamp()],
            vec![
                query(Want::Ok),
                queue(set("1", true), Want::Ok),
                Step::Controls(vec![json!({ "1": true })]),
                Step::PowerOff(PowerLoss::Reset),
                receive(ExpectedEvent::Down(DownReason::PeerClosed)),
                queue(set("2", 3), Want::Ok),
                Step::PowerOn,
                Step::Controls(vec![json!({ "1": true }), json!({ "2": 3 })]),
            ],
        ),
        scenario("twenty commands at once are all answered, none twice", ALL, [lamp()], {
            let begin = |n| Step::Begin(n, set("2", n as u64 + 100), How::Acked);
            let end = |n| Step::End(n, Want::Ok);
            let written = (0..20).map(|n| json!({ "2": n + 100 })).collect();
            once(up()).chain(twenty(begin)).chain(twenty(end)).chain(once(Step::ControlsInAnyOrder(written))).collect()
        }),
        scenario(
            "close answers commands that were sent",
            EACH,
            [silent()],
            vec![
                up(),
                Step::Begin(1, set("1", true), How::Acked),
                arrived(CommandCode::CONTROL),
                write(Call::Close, Want::Ok),
                Step::End(1, Want::Lost(DownReason::Ended)),
                Step::Open(0),
            ],
        ),
        scenario(
            "close answers commands that wait",
            EACH,
            [lamp().off()],
            vec![
                Step::Begin(1, set("1", true), How::Acked),
                Step::Begin(2, Call::Connection, How::Acked),
                receive(ExpectedEvent::Down(DownReason::Refused)),
                write(Call::Close, Want::Ok),
                Step::End(1, Want::Closed),
                Step::End(2, Want::Closed),
            ],
        ),
        scenario(
            "a connection that is not kept is made for a command and ends",
            BOTH,
            [lamp().unkept()],
            vec![
                Step::Is(Fact::Connected(false)),
                ask(set("1", true), Want::Ok),
                Step::Accepted(1),
                receive(ExpectedEvent::Down(DownReason::Ended)),
                Step::Open(0),
                ask(set("2", 4), Want::Ok),
                Step::Accepted(2),
                Step::Controls(vec![json!({ "1": true }), json!({ "2": 4 })]),
            ],
        ),
        scenario(
            "heartbeats keep a quiet connection",
            EACH,
            [lamp().heartbeat(60)],
            vec![
                up(),
                Step::Arrived(CommandCode::HEART_BEAT, 6),
                Step::Is(Fact::Connected(true)),
                Step::AcceptedOnly(1),
                Step::NotReceived(Source::Own, ExpectedEvent::Down(DownReason::Unresponsive)),
            ],
        ),
        scenario(
            "a device that answers no heartbeats is given up and dialed again",
            BOTH,
            [lamp().quirk("ignore-heartbeats").heartbeat(60).answer(100)],
            vec![
                up(),
                query(Want::Ok),
                receive(ExpectedEvent::Down(DownReason::Unresponsive)),
                connected(),
                Step::Accepted(2),
                Step::Becomes(Fact::AtLeast(Counter::Connects, 2)),
            ],
        ),
        scenario(
            "a dead link is noticed while commands flow",
            ALL,
            [lamp().answer(600).heartbeat(300)],
            vec![
                up(),
                reports(Want::Ok),
                Step::Fault(Fault::Silent),
                Step::Mark,
                // In shorter intervals than the heartbeat's idle time.
                Step::Times(6, vec![queue(set("1", true), Want::Ok), Step::Linger(100)]),
                receive(ExpectedEvent::Down(DownReason::Unresponsive)),
                Step::Before(2_500),
                Step::Mend,
                connected(),
            ],
        ),
        scenario(
            "commands that a disconnect overtakes are answered",
            EACH,
            [silent()],
            vec![
                query(Want::Ok),
                Step::Begin(1, set("1", true), How::Acked),
                Step::Arrived(CommandCode::CONTROL, 1),
                Step::Begin(2, set("2", 2), How::Acked),
                Step::Arrived(CommandCode::CONTROL, 2),
                Step::CutAll,
                Step::End(1, Want::Lost(DownReason::PeerClosed)),
                Step::End(2, Want::Lost(DownReason::PeerClosed)),
                connected(),
                query(Want::Ok),
                Step::Controls(vec![json!({ "1": true }), json!({ "2": 2 })]),
            ],
        ),
        scenario(
            "commands that are queued behind a disconnect do not vanish",
            EACH,
            [lamp()],
            vec![
                query(Want::Ok),
                Step::Fault(Fault::RefuseDial),
                Step::CutAll,
                receive(ExpectedEvent::Down(DownReason::PeerClosed)),
                Step::Begin(1, set("2", 2), How::Acked),
                receive(ExpectedEvent::Down(DownReason::Refused)),
                Step::Mend,
                Step::End(1, Want::Ok),
                receive(dps(json!({ "2": 2 }))),
            ],
        ),
        scenario(
            "more commands than fit at once wait for their turn or are refused as busy",
            V33,
            [silent().command_timeout(400).answer(300)],
            {
                let begin = |n| Step::Begin(n, set("2", n as u64 + 100), How::Acked);
                let end = |n| Step::End(n, Want::Either(vec![Want::Unanswered, Want::Busy]));
                once(up()).chain(twenty(begin)).chain(twenty(end)).collect()
            },
        ),
    ]
}
