//! Gateways and sub-devices.

use rustuya_faulty::Fault;
use rustuya_proto::{CommandCode, Version};
use serde_json::json;

use super::{ALL, BOTH, EACH, V33, ask, query, receive, scenario, set, sub_query, up, within};
use crate::scenario::{Call, ExpectedEvent, Fact, How, Scenario, Setup, Source, Step, Want};

pub(super) fn list() -> Vec<Scenario> {
    let gateway = Setup::gateway;
    let of = |cid, dps| ExpectedEvent::Dps(Some(cid), dps);
    let plug = || json!({ "1": false, "9": 7 });
    let unplugged = || gateway().fault(Fault::OfflineChild("plug".to_owned()));
    let named: &[Version] = &[Version::V33, Version::V34, Version::V35];
    vec![
        scenario(
            "query of a sub-device returns its state",
            EACH,
            [gateway()],
            vec![
                up(),
                sub_query("plug", Want::Dps(plug())),
                sub_query("sensor", Want::Dps(json!({ "4": 21, "5": "dry" }))),
                query(Want::Dps(json!({ "32": "armed" }))),
            ],
        ),
        scenario(
            "set_value of a sub-device reaches it and nothing else",
            EACH,
            [gateway()],
            vec![
                ask(Call::SubSet("plug", 1, true.into()), Want::Ok),
                Step::Has(Some("plug"), json!({ "1": true, "9": 7 })),
                receive(of("plug", json!({ "1": true }))),
                Step::Has(None, json!({ "32": "armed" })),
                Step::Controls(vec![json!({ "1": true })]),
            ],
        ),
        scenario(
            "update_dps of a sub-device has it report",
            BOTH,
            [gateway().quirk("update-answered")],
            vec![up(), ask(Call::SubUpdate("plug", vec![9]), Want::Ok), receive(of("plug", json!({ "9": 7 })))],
        ),
        scenario(
            "the states of gateway and sub-devices are kept apart",
            EACH,
            [gateway()],
            vec![
                query(Want::Ok),
                sub_query("plug", Want::Ok),
                Step::Push(Some("sensor"), json!({ "4": 22 })),
                Step::Becomes(Fact::State(Some("sensor"), json!({ "4": 22 }))),
                Step::Is(Fact::State(Some("plug"), plug())),
                Step::Is(Fact::State(None, json!({ "32": "armed" }))),
            ],
        ),
        scenario(
            "sub_discover tells who is online",
            named,
            [gateway()],
            vec![
                up(),
                Step::Is(Fact::Online("plug", None)),
                ask(Call::SubDiscover, Want::Ok),
                receive(ExpectedEvent::Child("plug", true)),
                Step::Is(Fact::Online("plug", Some(true))),
                Step::Becomes(Fact::Online("sensor", Some(true))),
            ],
        ),
        scenario(
            "a report in several frames is put together",
            named,
            [gateway().quirk("report-chunk=1")],
            vec![
                up(),
                ask(Call::SubDiscover, Want::Ok),
                Step::Becomes(Fact::Online("plug", Some(true))),
                Step::Becomes(Fact::Online("sensor", Some(true))),
            ],
        ),
        scenario(
            "a gateway that does not report is said not to answer",
            V33,
            [gateway().quirk("no-children-report")],
            vec![up(), within(Call::SubDiscover, 250, Want::Unanswered), sub_query("plug", Want::Dps(plug()))],
        ),
        // The gateway would answer for it from its cache.
        scenario(
            "an offline sub-device is said to be offline, and nothing is sent",
            named,
            [unplugged()],
            vec![
                up(),
                ask(Call::SubDiscover, Want::Ok),
                receive(ExpectedEvent::Child("plug", false)),
                sub_query("plug", Want::SubDeviceOffline),
                ask(Call::SubSet("plug", 1, true.into()), Want::SubDeviceOffline),
                sub_query("sensor", Want::Ok),
                Step::Is(Fact::Online("plug", Some(false))),
                Step::Controls(vec![]),
            ],
        ),
        scenario(
            "an unasked report tells that a sub-device left and came back",
            named,
            [gateway()],
            vec![
                up(),
                query(Want::Ok),
                Step::Fault(Fault::OfflineChild("plug".to_owned())),
                Step::Report,
                receive(ExpectedEvent::Child("plug", false)),
                sub_query("plug", Want::SubDeviceOffline),
                Step::Mend,
                Step::Report,
                receive(ExpectedEvent::Child("plug", true)),
                sub_query("plug", Want::Dps(plug())),
            ],
        ),
        scenario(
            "a push brings a sub-device back",
            named,
            [unplugged()],
            vec![
                up(),
                ask(Call::SubDiscover, Want::Ok),
                receive(ExpectedEvent::Child("plug", false)),
                Step::Push(Some("plug"), json!({ "9": 8 })),
                receive(ExpectedEvent::Child("plug", true)),
                ask(Call::SubSet("plug", 1, true.into()), Want::Ok),
                Step::Has(Some("plug"), json!({ "1": true, "9": 8 })),
            ],
        ),
        scenario(
            "request goes out to an offline sub-device all the same",
            BOTH,
            [unplugged()],
            vec![
                up(),
                ask(Call::SubDiscover, Want::Ok),
                receive(ExpectedEvent::Child("plug", false)),
                ask(Call::Request(CommandCode::CONTROL, Some(json!({ "1": true })), Some("plug")), Want::Ok),
                Step::Has(Some("plug"), json!({ "1": true })),
            ],
        ),
        scenario(
            "an unknown sub-device is met with silence",
            EACH,
            [gateway()],
            vec![
                up(),
                within(Call::SubSet("stranger", 1, true.into()), 250, Want::Unanswered),
                sub_query("plug", Want::Ok),
            ],
        ),
        scenario(
            "an unknown sub-device is refused where the gateway says so",
            EACH,
            [gateway().quirk("unknown-cid-error")],
            vec![
                up(),
                ask(Call::SubSet("stranger", 1, true.into()), Want::Rejected("devid not found")),
                sub_query("plug", Want::Ok),
            ],
        ),
        scenario(
            "commands to several sub-devices at once get their own answers",
            ALL,
            [gateway()],
            vec![
                up(),
                Step::Begin(1, Call::SubSet("plug", 1, true.into()), How::Acked),
                Step::Begin(2, Call::SubSet("sensor", 5, "wet".into()), How::Acked),
                Step::Begin(3, set("32", "home"), How::Acked),
                Step::End(3, Want::Ok),
                Step::End(2, Want::Ok),
                Step::End(1, Want::Ok),
                Step::Has(Some("plug"), json!({ "1": true })),
                Step::Has(Some("sensor"), json!({ "5": "wet" })),
                Step::Has(None, json!({ "32": "home" })),
                Step::NotReceived(Source::Own, ExpectedEvent::Child("plug", false)),
            ],
        ),
        scenario(
            "what is remembered of a device has a bound in bytes, and what has no room is told",
            EACH,
            [gateway().memory_limit(4096)],
            vec![
                up(),
                sub_query("plug", Want::Ok),
                query(Want::Ok),
                Step::Ready(1),
                Step::Push(Some("plug"), json!({ "9": "x".repeat(5000) })),
                receive(of("plug", json!({ "9": "x".repeat(5000) }))),
                receive(ExpectedEvent::ValuesDropped(1)),
                Step::Is(Fact::State(Some("plug"), json!({ "1": false }))),
                Step::Is(Fact::State(None, json!({ "32": "armed" }))),
                Step::Push(Some("plug"), json!({ "9": 8 })),
                Step::Becomes(Fact::State(Some("plug"), json!({ "1": false, "9": 8 }))),
            ],
        ),
    ]
}
