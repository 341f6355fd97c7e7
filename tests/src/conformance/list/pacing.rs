//! Commands that are spaced, joined, split, and kept for sleepers.

use core::time::Duration;

use rustuya_proto::{CommandCode, DownReason};
use rustuya_runtime::Pacing;
use serde_json::json;

use super::{BOTH, EACH, V33, ask, hear, lamp, query, queue, scenario, set, up};
use crate::conformance::scenario::{Call, Need, Scenario, Sign, Step, Want};

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
                hear(Sign::Down(DownReason::Refused)),
                hear(Sign::Down(DownReason::Refused)),
                Step::PowerOn,
                Step::Controls(vec![json!({ "2": 9, "1": true })]),
            ],
        ),
    ]
}
