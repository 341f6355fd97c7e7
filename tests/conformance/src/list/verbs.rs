//! Every verb, with every version.

use rustuya_proto::{CommandCode, Dialect, DownReason};
use serde_json::{Value, json};

use super::{ALL, BOTH, EACH, V33, arrived, ask, dps, lamp, query, receive, reports, scenario, set, up, within, write};
use crate::scenario::{Call, ConfiguredVersion, ExpectedEvent, Fact, How, Scenario, Source, Step, Want};

pub(super) fn list() -> Vec<Scenario> {
    let whole = || json!({ "1": false, "2": 50, "3": "white" });
    let rich = json!({ "1": false, "2": 0, "3": "", "4": 1.5, "5": -3 });
    vec![
        scenario(
            "connects, and there is no start delay",
            ALL,
            [lamp()],
            vec![
                Step::Mark,
                up(),
                // A new device must not wait for 5 s.
                Step::Before(3000),
                Step::Is(Fact::Connected(true)),
                Step::Is(Fact::RightVersion),
                Step::Is(Fact::At(0)),
                Step::Is(Fact::Exactly(crate::scenario::Counter::Connects, 1)),
            ],
        ),
        scenario(
            "query returns the state",
            EACH,
            [lamp()],
            vec![query(Want::Dps(whole())), arrived(CommandCode::DP_QUERY), Step::Is(Fact::Diagnosis(None))],
        ),
        scenario(
            "query of device22 returns the DPs that are known",
            &[rustuya_proto::Version::V32],
            [lamp()],
            vec![
                ask(Call::SetDps(json!({ "1": true, "2": 51, "3": "red" })), Want::Ok),
                receive(dps(json!({ "1": true, "2": 51, "3": "red" }))),
                query(Want::Dps(json!({ "1": true, "2": 51, "3": "red" }))),
            ],
        ),
        scenario(
            "status is done when written, the state is an event",
            EACH,
            [lamp()],
            vec![up(), write(Call::Status, Want::Ok), receive(dps(json!({ "1": false })))],
        ),
        scenario(
            "set_value, done when written",
            ALL,
            [lamp()],
            vec![
                up(),
                write(set("1", true), Want::Ok),
                Step::Has(None, json!({ "1": true, "2": 50 })),
                receive(dps(json!({ "1": true }))),
                Step::Controls(vec![json!({ "1": true })]),
            ],
        ),
        scenario(
            "set_value, acknowledged",
            ALL,
            [lamp()],
            vec![
                ask(set("2", 7), Want::Ok),
                Step::Has(None, json!({ "2": 7 })),
                Step::Controls(vec![json!({ "2": 7 })]),
            ],
        ),
        scenario(
            "set_dps writes several DPs in one command",
            ALL,
            [lamp()],
            vec![
                ask(Call::SetDps(json!({ "1": true, "2": 9, "3": "red" })), Want::Ok),
                Step::Has(None, json!({ "1": true, "2": 9, "3": "red" })),
                Step::Controls(vec![json!({ "1": true, "2": 9, "3": "red" })]),
            ],
        ),
        scenario(
            "every kind of value arrives as it was given",
            ALL,
            [lamp().dps(rich)],
            vec![
                ask(Call::SetDps(json!({ "1": true, "2": -70000, "3": "grün \"x\" \\ \n 😀", "4": 2.25 })), Want::Ok),
                Step::Has(None, json!({ "1": true, "2": -70000, "3": "grün \"x\" \\ \n 😀", "4": 2.25, "5": -3 })),
                receive(dps(json!({ "1": true, "2": -70000, "3": "grün \"x\" \\ \n 😀", "4": 2.25 }))),
            ],
        ),
        scenario(
            "a long value arrives whole",
            EACH,
            [lamp()],
            vec![ask(set("3", "long ".repeat(400)), Want::Ok), Step::Has(None, json!({ "3": "long ".repeat(400) }))],
        ),
        scenario(
            "update_dps has DPs reported again",
            EACH,
            [lamp().quirk("update-answered")],
            vec![
                up(),
                ask(Call::Update(vec![2]), Want::Ok),
                receive(dps(json!({ "2": 50 }))),
                Step::Arrived(CommandCode::UPDATE_DPS, 1),
            ],
        ),
        scenario(
            "silence after update_dps is success",
            BOTH,
            [lamp().quirk("update-silence").answer(200)],
            vec![up(), ask(Call::Update(vec![2]), Want::Ok), Step::Arrived(CommandCode::UPDATE_DPS, 1)],
        ),
        scenario(
            "request sends any command",
            V33,
            [lamp()],
            vec![
                ask(Call::Request(CommandCode::DP_QUERY, None, None), Want::Dps(whole())),
                ask(Call::Request(CommandCode::CONTROL, Some(json!({ "2": 4 })), None), Want::Ok),
                Step::Has(None, json!({ "2": 4 })),
            ],
        ),
        scenario(
            "a command that the device does not know is not answered",
            BOTH,
            [lamp()],
            vec![up(), within(Call::Request(CommandCode(0x2f), None, None), 200, Want::Unanswered), query(Want::Ok)],
        ),
        scenario(
            "a refusal is told in the device's words",
            BOTH,
            [lamp().quirk("unknown-command-error")],
            vec![
                up(),
                ask(Call::Request(CommandCode(0x2f), None, None), Want::Rejected("json obj data unvalid")),
                query(Want::Ok),
            ],
        ),
        scenario(
            "impossible requests are refused at once and not sent",
            V33,
            [lamp()],
            vec![
                up(),
                ask(set("switch", true), Want::InvalidDp("switch")),
                ask(set("70000", true), Want::InvalidDp("70000")),
                ask(Call::SetDps(json!({})), Want::InvalidValue),
                ask(Call::SetDps(json!([1, 2])), Want::InvalidValue),
                ask(set("3", "x".repeat(5000)), Want::TooLarge),
                ask(set("2", 1), Want::Ok),
                Step::Controls(vec![json!({ "2": 1 })]),
            ],
        ),
        scenario(
            "null is no value, on its own, within another, or in a control by hand",
            BOTH,
            [lamp()],
            vec![
                up(),
                ask(set("2", Value::Null), Want::InvalidValue),
                ask(set("2", json!([1, { "a": null }])), Want::InvalidValue),
                ask(Call::SetDps(json!({ "1": true, "2": null })), Want::InvalidValue),
                ask(Call::Request(CommandCode::CONTROL, Some(json!({ "2": null })), None), Want::InvalidValue),
                ask(set("2", 1), Want::Ok),
                Step::Controls(vec![json!({ "2": 1 })]),
                arrived(CommandCode::CONTROL),
            ],
        ),
        scenario(
            "detect_dps lists what an ordinary device has",
            EACH,
            [lamp()],
            vec![ask(Call::Detect, Want::Ids(vec![1, 2, 3]))],
        ),
        scenario(
            "detect_dps looks through the ranges of device22",
            V33,
            [lamp()
                .device22()
                .knows_dialect(Dialect::Device22)
                .dps(json!({ "1": true, "9": 1, "20": true, "101": "x", "140": 2 }))
                .answer(400)],
            vec![ask(Call::Detect, Want::Ids(vec![1, 9, 20, 101, 140]))],
        ),
        scenario(
            "detect_dps finds every DP of device22 that tells one at a time",
            V33,
            [lamp()
                .device22()
                .knows_dialect(Dialect::Device22)
                .quirk("device22-one-dp")
                .dps(json!({ "1": true, "101": 1, "103": true, "104": "x" }))
                .answer(400)],
            vec![ask(Call::Detect, Want::Ids(vec![1, 101, 103, 104]))],
        ),
        scenario(
            "detect_dps asks by nulls only where the dialect is known",
            V33,
            [lamp().device22().answer(3000).quirk("update-silence")],
            vec![ask(Call::Detect, Want::Rejected("json obj data unvalid")), Step::Nulls(vec![])],
        ),
        scenario(
            "wait_connected tells the version that was found out",
            EACH,
            [lamp().speaks(ConfiguredVersion::Auto)],
            vec![up(), Step::Is(Fact::RightVersion)],
        ),
        scenario(
            "state keeps what was heard, DP by DP",
            EACH,
            [lamp()],
            vec![
                query(Want::Ok),
                Step::Push(None, json!({ "2": 51 })),
                Step::Becomes(Fact::State(None, json!({ "1": false, "2": 51, "3": "white" }))),
            ],
        ),
        scenario(
            "a push is an event",
            ALL,
            [lamp()],
            vec![
                up(),
                Step::Ready(1),
                reports(Want::Ok),
                Step::Push(None, json!({ "3": "blue" })),
                receive(dps(json!({ "3": "blue" }))),
            ],
        ),
        scenario(
            "close ends the connection and the listeners",
            ALL,
            [lamp()],
            vec![
                up(),
                Step::Open(1),
                write(Call::Close, Want::Ok),
                write(Call::Close, Want::Ok),
                Step::Is(Fact::Closed),
                Step::Is(Fact::Connected(false)),
                receive(ExpectedEvent::Down(DownReason::Ended)),
                Step::Next(Source::Own, ExpectedEvent::End),
                Step::Open(0),
                ask(Call::Status, Want::Closed),
                write(set("1", true), Want::Closed),
                Step::Ask(Call::Connection, How::Acked, Want::Closed),
            ],
        ),
    ]
}
