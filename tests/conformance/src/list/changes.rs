//! Changes of a device's configuration.

use rustuya_proto::{CommandCode, DownReason, Version};
use serde_json::json;

use super::{BOTH, EACH, V33, arrived, ask, connected, dps, lamp, on, query, receive, scenario, set, up, within};
use crate::scenario::{ConfiguredVersion, Edit, ExpectedEvent, Fact, How, OTHER_KEY, Scenario, Source, Step, Want};

pub(super) fn list() -> Vec<Scenario> {
    let ended = || ExpectedEvent::Down(DownReason::Ended);
    vec![
        scenario(
            "another port: the handle follows, listeners stay",
            EACH,
            [lamp(), lamp().twin().unheld()],
            vec![
                up(),
                Step::Reconfigure(vec![Edit::At(1)]),
                receive(ended()),
                receive(ExpectedEvent::Up(None)),
                Step::Is(Fact::At(1)),
                ask(set("2", 8), Want::Ok),
                on(1, Step::Has(None, json!({ "2": 8 }))),
                Step::Has(None, json!({ "2": 50 })),
                Step::Open(0),
            ],
        ),
        scenario(
            "another version: the handle follows, listeners stay",
            EACH,
            [lamp(), lamp().twin().of(Version::V34).unheld()],
            vec![
                up(),
                Step::Reconfigure(vec![Edit::At(1)]),
                receive(ended()),
                receive(ExpectedEvent::Up(Some(Version::V34))),
                Step::Is(Fact::Version(Some(Version::V34))),
                query(Want::Ok),
            ],
        ),
        scenario(
            "another key: the handle follows, listeners stay",
            &[Version::V34, Version::V35],
            [lamp().wrong_key().answer(800)],
            vec![
                within(set("1", true), 100, Want::NotConnectedAnyhow),
                Step::Reconfigure(vec![Edit::Key(None)]),
                receive(ExpectedEvent::Up(None)),
                ask(set("1", true), Want::Ok),
                Step::Is(Fact::Diagnosis(None)),
            ],
        ),
        scenario(
            "a change answers what was sent and keeps what waits",
            BOTH,
            [lamp().quirk("silent-control")],
            vec![
                up(),
                Step::Begin(1, set("1", true), How::Acked),
                arrived(CommandCode::CONTROL),
                // The device records a request on arrival, and executes it a moment later.
                Step::Has(None, json!({ "1": true })),
                Step::Reconfigure(vec![Edit::Key(Some(OTHER_KEY))]),
                Step::End(1, Want::Lost(DownReason::Ended)),
                Step::Reconfigure(vec![Edit::Key(None)]),
                Step::Begin(2, crate::scenario::Call::Query, How::Acked),
                Step::End(2, Want::Dps(json!({ "1": true, "2": 50, "3": "white" }))),
                Step::Controls(vec![json!({ "1": true })]),
            ],
        ),
        scenario(
            "what waits for a wrong port is sent to the right one",
            BOTH,
            [lamp().off(), lamp().twin().unheld()],
            vec![
                receive(ExpectedEvent::Down(DownReason::Refused)),
                Step::Begin(1, set("2", 6), How::Acked),
                Step::Reconfigure(vec![Edit::At(1)]),
                Step::End(1, Want::Ok),
                on(1, Step::Controls(vec![json!({ "2": 6 })])),
            ],
        ),
        scenario(
            "a change that concerns no connection leaves it alone",
            EACH,
            [lamp()],
            vec![
                up(),
                Step::Reconfigure(vec![Edit::CommandTimeout(100)]),
                query(Want::Ok),
                Step::AcceptedOnly(1),
                Step::NotReceived(Source::Own, ended()),
            ],
        ),
        scenario(
            "a change to Auto finds the version out",
            V33,
            [lamp().speaks(ConfiguredVersion::Only(Version::V34)).answer(500)],
            vec![
                Step::Reconfigure(vec![Edit::Version(ConfiguredVersion::Auto)]),
                connected(),
                ask(set("1", true), Want::Ok),
                Step::Is(Fact::RightVersion),
                receive(dps(json!({ "1": true }))),
            ],
        ),
    ]
}
