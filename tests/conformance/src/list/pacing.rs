//! Commands that are spaced, joined, split, and kept for sleeping devices.

use core::time::Duration;

use rustuya_faulty::{Fault, PowerLoss};
use rustuya_proto::{CommandCode, DownReason};
use rustuya_runtime::Pacing;
use serde_json::json;

use super::{BOTH, EACH, V33, ask, lamp, query, queue, receive, scenario, set, up};
use crate::scenario::{Call, ExpectedEvent, How, Need, Scenario, Source, Step, Want};

pub(super) fn list() -> Vec<Scenario> {
    let ms = Duration::from_millis;
    vec![
        scenario(
            "writes within the window are one command, the later value wins",
            EACH,
            [lamp().pacing(Pacing::NONE.merge(ms(150)))],
            vec![
                up(),
                queue(set("1", true), Want::Ok),
                queue(set("2", 10), Want::Ok),
                ask(Call::SetDps(json!({ "2": 11, "3": "red" })), Want::Ok),
                Step::Controls(vec![json!({ "1": true, "2": 11, "3": "red" })]),
            ],
        ),
        scenario(
            "the window does not hold up other commands",
            V33,
            [lamp().pacing(Pacing::NONE.merge(ms(5000)))],
            vec![up(), Step::Mark, query(Want::Ok), Step::Before(4000)],
        ),
        scenario(
            "commands keep their distance and their order",
            BOTH,
            [lamp().pacing(Pacing::NONE.gap(ms(60)))],
            vec![
                up(),
                Step::Mark,
                queue(set("2", 1), Want::Ok),
                queue(set("2", 2), Want::Ok),
                queue(set("2", 3), Want::Ok),
                ask(set("2", 4), Want::Ok),
                Step::After(180),
                Step::Controls(vec![json!({ "2": 1 }), json!({ "2": 2 }), json!({ "2": 3 }), json!({ "2": 4 })]),
            ],
        ),
        scenario(
            "large writes go out in parts",
            EACH,
            [lamp().pacing(Pacing::NONE.max_dps(2))],
            vec![
                ask(Call::SetDps(json!({ "1": true, "2": 3, "3": "red" })), Want::Ok),
                Step::Has(None, json!({ "1": true, "2": 3, "3": "red" })),
                Step::Controls(vec![json!({ "1": true, "2": 3 }), json!({ "3": "red" })]),
            ],
        ),
        scenario(
            "writes that were joined go out in parts",
            BOTH,
            [lamp().pacing(Pacing::NONE.merge(ms(150)).max_dps(2))],
            vec![
                up(),
                queue(set("1", true), Want::Ok),
                queue(set("2", 10), Want::Ok),
                ask(Call::SetDps(json!({ "2": 11, "3": "red" })), Want::Ok),
                Step::Controls(vec![json!({ "1": true, "2": 11 }), json!({ "3": "red" })]),
            ],
        ),
        scenario(
            "each caller of a joined write has the result of its own DPs",
            BOTH,
            [lamp().pacing(Pacing::NONE.merge(ms(150))).fault(Fault::RefuseDp { dp: 3 })],
            vec![
                up(),
                Step::Begin(1, Call::SetDps(json!({ "1": true, "2": 7 })), How::Acked),
                Step::Begin(2, set("3", "red"), How::Acked),
                Step::End(1, Want::Ok),
                Step::End(2, Want::Rejected("data format error")),
                Step::ControlsInAnyOrder(vec![
                    json!({ "1": true, "2": 7, "3": "red" }),
                    json!({ "1": true, "2": 7 }),
                    json!({ "3": "red" }),
                ]),
            ],
        ),
        scenario(
            "each queued write of a joined one that fails has an event of its own",
            BOTH,
            [lamp().pacing(Pacing::NONE.merge(ms(150))).fault(Fault::RefuseDp { dp: 3 })],
            vec![
                up(),
                queue(set("3", "red"), Want::Ok),
                queue(set("3", "blue"), Want::Ok),
                queue(set("2", 9), Want::Ok),
                Step::Has(None, json!({ "2": 9 })),
                receive(ExpectedEvent::Failed(Box::new(Want::Rejected("data format error")))),
                receive(ExpectedEvent::Failed(Box::new(Want::Rejected("data format error")))),
                ask(set("2", 8), Want::Ok),
                Step::NotReceived(Source::Own, ExpectedEvent::Failed(Box::new(Want::Rejected("data format error")))),
            ],
        ),
        scenario(
            "each caller of a joined write waits as long as it wants to",
            BOTH,
            [lamp().pacing(Pacing::NONE.merge(ms(100))).answer(700).quirk("silent-control")],
            vec![
                up(),
                Step::Mark,
                Step::Begin(1, set("1", true), How::Within(300)),
                Step::Begin(2, set("2", 7), How::Within(1500)),
                Step::Begin(3, set("3", "red"), How::Acked),
                Step::End(1, Want::Unanswered),
                Step::After(300),
                Step::Before(700),
                Step::End(3, Want::Unanswered),
                Step::After(700),
                Step::Before(1500),
                Step::End(2, Want::Unanswered),
                Step::After(1500),
                Step::Controls(vec![json!({ "1": true, "2": 7, "3": "red" })]),
            ],
        ),
        scenario(
            "a write in parts that is refused in part says what was done",
            EACH,
            [lamp().pacing(Pacing::NONE.max_dps(1)).fault(Fault::RefuseDp { dp: 2 })],
            vec![
                ask(Call::SetDps(json!({ "1": true, "2": 3, "3": "red" })), Want::Partial([&[1, 3], &[], &[2]])),
                Step::Has(None, json!({ "1": true, "2": 50, "3": "red" })),
                queue(Call::SetDps(json!({ "1": false, "2": 3 })), Want::Ok),
                receive(ExpectedEvent::Failed(Box::new(Want::Partial([&[1], &[], &[2]])))),
            ],
        ),
        scenario(
            "a write in parts that the connection ends half way says what was done",
            BOTH,
            [lamp().pacing(Pacing::NONE.max_dps(1).gap(ms(400))).command_timeout(700)],
            vec![
                up(),
                Step::Begin(1, Call::SetDps(json!({ "1": true, "2": 3, "3": "red" })), How::Acked),
                Step::Has(None, json!({ "1": true })),
                Step::PowerOff(PowerLoss::Reset),
                Step::End(
                    1,
                    Want::Either(vec![Want::Partial([&[1], &[], &[2, 3]]), Want::Partial([&[], &[1], &[2, 3]])]),
                ),
            ],
        ),
        scenario(
            "what does not fit one frame goes out in two",
            BOTH,
            [lamp().dps(json!({ "3": "", "4": "" }))],
            vec![
                ask(Call::SetDps(json!({ "3": "x".repeat(2100), "4": "y".repeat(2100) })), Want::Ok),
                Step::Has(None, json!({ "3": "x".repeat(2100), "4": "y".repeat(2100) })),
                Step::Arrived(CommandCode::CONTROL, 2),
            ],
        )
        .needing(Need::Pacing),
        scenario(
            "a sleeper gets what it missed as one command when it wakes",
            BOTH,
            [lamp().off().command_timeout(50).pacing(Pacing::NONE.sleeps(ms(3_600_000)))],
            vec![
                queue(set("2", 1), Want::Ok),
                queue(set("1", true), Want::Ok),
                queue(set("2", 9), Want::Ok),
                receive(ExpectedEvent::Down(DownReason::Refused)),
                receive(ExpectedEvent::Down(DownReason::Refused)),
                Step::PowerOn,
                Step::Controls(vec![json!({ "2": 9, "1": true })]),
            ],
        ),
    ]
}
