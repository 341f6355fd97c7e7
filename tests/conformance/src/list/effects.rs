//! Effects of commands, and repeated attempts.

use rustuya_faulty::Fault;
use rustuya_proto::{CommandCode, DownReason};
use serde_json::json;

use super::{ALL, BOTH, EACH, ask, lamp, query, receive, reports, scenario, set, up};
use crate::scenario::{Call, ExpectedEvent, How, Need, Scenario, Step, Want};

fn confirm(call: Call, want: Want) -> Step {
    Step::Ask(call, How::Confirmed, want)
}

pub(super) fn list() -> Vec<Scenario> {
    vec![
        scenario(
            "a write is confirmed by what the device shows",
            ALL,
            [lamp()],
            vec![
                up(),
                confirm(Call::SetDps(json!({ "1": true, "2": 75 })), Want::Dps(json!({ "1": true, "2": 75 }))),
                Step::Controls(vec![json!({ "1": true, "2": 75 })]),
            ],
        ),
        scenario(
            "a write without a push is confirmed by a query",
            EACH,
            [lamp().quirk("drop-push")],
            vec![
                query(Want::Ok),
                confirm(set("2", 75), Want::Dps(json!({ "2": 75 }))),
                // An unchanged value is confirmed as well.
                confirm(set("2", 75), Want::Dps(json!({ "2": 75 }))),
                Step::Controls(vec![json!({ "2": 75 }), json!({ "2": 75 })]),
            ],
        ),
        scenario(
            "a write without acknowledgement and push is confirmed by a query",
            EACH,
            [lamp().quirk("silent-control").answer(300)],
            vec![
                query(Want::Ok),
                confirm(set("2", 75), Want::Dps(json!({ "2": 75 }))),
                Step::Controls(vec![json!({ "2": 75 })]),
            ],
        ),
        scenario(
            "a write that was lost with the connection is looked for on the next one, and not repeated",
            BOTH,
            [lamp()],
            vec![
                query(Want::Ok),
                Step::Fault(Fault::HalfClose { after: 0 }),
                Step::Begin(1, set("2", 75), How::Confirmed),
                receive(ExpectedEvent::Down(DownReason::PeerClosed)),
                Step::Mend,
                Step::End(1, Want::Dps(json!({ "2": 75 }))),
                Step::Controls(vec![json!({ "2": 75 })]),
            ],
        ),
        scenario(
            "a device that does something else is told of",
            BOTH,
            [lamp().quirk("drop-push")],
            vec![
                query(Want::Ok),
                Step::Begin(1, set("2", 75), How::Confirmed),
                Step::Has(None, json!({ "2": 75 })),
                // It corrects the value, as devices that clamp do.
                Step::Push(None, json!({ "2": 60 })),
                Step::End(1, Want::NoEffect(json!({ "2": 60 }))),
            ],
        ),
        scenario(
            "a write that is acknowledged and not obeyed is told of",
            BOTH,
            [lamp()],
            vec![
                up(),
                ask(set("2", "no number"), Want::Ok),
                confirm(set("2", "no number"), Want::NoEffect(json!({ "2": 50 }))),
                confirm(set("99", 1), Want::NoEffect(json!({}))),
            ],
        ),
        scenario(
            "a read that is not answered is asked again",
            EACH,
            [lamp().answer(300)],
            vec![
                query(Want::Ok),
                Step::Fault(Fault::Silent),
                Step::Begin(1, Call::Query, How::Written),
                Step::Arrived(CommandCode::DP_QUERY, 2),
                Step::Mend,
                Step::End(1, Want::Dps(json!({ "1": false, "2": 50, "3": "white" }))),
            ],
        )
        .needing(Need::Repeat),
        scenario(
            "a read ends when its time limit does",
            BOTH,
            [lamp().command_timeout(1500).answer(1000)],
            vec![
                up(),
                Step::Fault(Fault::Silent),
                Step::Mark,
                // Up to 3.3 the missing heartbeat may be noticed at the same time.
                query(Want::Either(vec![
                    Want::Unanswered,
                    Want::Lost(DownReason::Unresponsive),
                    Want::NotConnected(Some(DownReason::Unresponsive)),
                ])),
                Step::After(1500),
                Step::Before(1900),
            ],
        )
        .needing(Need::Repeat),
        scenario(
            "a read that was lost with the connection is asked again on the next one",
            ALL,
            [lamp()],
            vec![
                reports(Want::Ok),
                Step::Fault(Fault::HalfClose { after: 0 }),
                Step::Begin(1, Call::QueryDps(vec![1]), How::Written),
                receive(ExpectedEvent::Down(DownReason::PeerClosed)),
                Step::Mend,
                Step::End(1, Want::Ok),
            ],
        )
        .needing(Need::Repeat),
        scenario(
            "a read that was lost is asked again where the connection is not kept",
            BOTH,
            [lamp().unkept()],
            vec![
                ask(set("2", 3), Want::Ok),
                Step::Fault(Fault::HalfClose { after: 0 }),
                Step::Begin(1, Call::Query, How::Acked),
                receive(ExpectedEvent::Down(DownReason::PeerClosed)),
                Step::Mend,
                Step::End(1, Want::Dps(json!({ "1": false, "2": 3, "3": "white" }))),
                Step::Controls(vec![json!({ "2": 3 })]),
            ],
        )
        .needing(Need::Repeat),
        scenario(
            "large writes go out in parts that fit one TCP segment",
            EACH,
            [lamp().dps(json!({ "3": "", "4": "", "5": "" }))],
            vec![
                ask(
                    Call::SetDps(json!({ "3": "x".repeat(400), "4": "y".repeat(400), "5": "z".repeat(1500) })),
                    Want::Ok,
                ),
                Step::Has(None, json!({ "3": "x".repeat(400), "4": "y".repeat(400), "5": "z".repeat(1500) })),
                // A single write larger than a segment is sent nevertheless.
                Step::Arrived(CommandCode::CONTROL, 2),
            ],
        )
        .needing(Need::Pacing),
    ]
}
