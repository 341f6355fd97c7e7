//! Managers, registries, and independence of devices.

use rustuya_faulty::{Fault, PowerLoss};
use rustuya_proto::{CommandCode, DownReason, Version};
use serde_json::json;

use super::{
    ALL, BOTH, EACH, V33, arrived, ask, connected, disconnected, dps, lamp, on, query, receive, reports, scenario, set,
    up, write,
};
use crate::scenario::{
    Added, Call, ConfiguredVersion, Edit, ExpectedEvent, Fact, Holder, How, Scenario, Setup, Source, Step, Want,
};

/// One of the manager's devices has a fault; the others keep working.
fn beside(name: &'static str, fault: Fault) -> Scenario {
    let bad = lamp().managed().answer(300).heartbeat(150).fault(fault);
    let steps = vec![
        on(1, up()),
        on(2, up()),
        Step::Accepted(1),
        Step::Times(
            5,
            vec![on(1, ask(set("2", 3), Want::Ok)), on(2, ask(set("1", true), Want::Ok)), on(1, query(Want::Ok))],
        ),
        on(2, Step::Push(None, json!({ "3": "blue" }))),
        on(2, Step::Receive(Source::Manager(0), dps(json!({ "3": "blue" })))),
        on(1, Step::AcceptedOnly(1)),
        on(2, Step::AcceptedOnly(1)),
        Step::Mend,
        connected(),
        query(Want::Ok),
    ];
    scenario(name, BOTH, [bad, lamp().managed(), lamp().managed()], steps)
}

pub(super) fn list() -> Vec<Scenario> {
    let two = || [lamp().managed(), lamp().managed()];
    let ended = || ExpectedEvent::Down(DownReason::Ended);
    let unheld = || Setup { held: Holder::Nobody, ..lamp() };
    vec![
        scenario(
            "one listener hears all devices, and the list tells their state",
            ALL,
            two(),
            vec![
                up(),
                on(1, up()),
                reports(Want::Ok),
                Step::Ready(1),
                Step::Push(None, json!({ "2": 1 })),
                Step::Receive(Source::Manager(0), dps(json!({ "2": 1 }))),
                on(1, Step::PowerOff(PowerLoss::Reset)),
                on(1, Step::Receive(Source::Manager(0), ExpectedEvent::Down(DownReason::Refused))),
                Step::Is(Fact::DeviceEntry(0, true, None)),
                on(1, Step::Becomes(Fact::DeviceEntry(0, false, Some(DownReason::Refused)))),
                Step::Is(Fact::Holds(0, 2)),
            ],
        ),
        scenario(
            "the identical device is a duplicate",
            EACH,
            [lamp().managed()],
            vec![
                Step::Add(0, vec![], Added::Duplicate),
                up(),
                Step::Add(0, vec![], Added::Duplicate),
                query(Want::Ok),
                Step::AcceptedOnly(1),
                Step::Is(Fact::Holds(0, 1)),
            ],
        ),
        scenario(
            "adding it with another port reconfigures it in place",
            BOTH,
            [lamp().managed(), lamp().twin().unheld()],
            vec![
                up(),
                Step::Add(0, vec![Edit::At(1)], Added::Ok),
                receive(ended()),
                receive(ExpectedEvent::Up(None)),
                Step::Is(Fact::At(1)),
                ask(set("2", 8), Want::Ok),
                on(1, Step::Has(None, json!({ "2": 8 }))),
                Step::Is(Fact::Holds(0, 1)),
                Step::Add(0, vec![], Added::Duplicate),
            ],
        ),
        scenario(
            "adding it with another version reconfigures it in place",
            V33,
            [lamp().managed(), lamp().twin().of(Version::V35).unheld()],
            vec![
                up(),
                Step::Add(0, vec![Edit::At(1)], Added::Ok),
                Step::Receive(Source::Manager(0), ExpectedEvent::Up(Some(Version::V35))),
                ask(set("2", 8), Want::Ok),
                on(1, Step::Has(None, json!({ "2": 8 }))),
                Step::Is(Fact::Holds(0, 1)),
            ],
        ),
        scenario(
            "adding it with another key reconfigures it in place",
            &[Version::V34, Version::V35],
            [lamp().managed().wrong_key().answer(800)],
            vec![
                Step::Add(0, vec![Edit::Key(None)], Added::Ok),
                receive(ExpectedEvent::Up(None)),
                ask(set("1", true), Want::Ok),
                Step::Is(Fact::Holds(0, 1)),
            ],
        ),
        scenario(
            "reconfiguring answers what was sent",
            BOTH,
            [lamp().managed().quirk("silent-control"), lamp().twin().unheld()],
            vec![
                up(),
                Step::Begin(1, set("1", true), How::Acked),
                arrived(CommandCode::CONTROL),
                Step::Add(0, vec![Edit::At(1)], Added::Ok),
                Step::End(1, Want::Lost(DownReason::Ended)),
                ask(set("1", true), Want::Ok),
                on(1, Step::Controls(vec![json!({ "1": true })])),
            ],
        ),
        scenario(
            "two managers share one connection",
            EACH,
            [lamp().managed()],
            vec![
                up(),
                Step::Add(1, vec![], Added::Ok),
                query(Want::Ok),
                Step::AcceptedOnly(1),
                Step::Push(None, json!({ "2": 1 })),
                Step::Receive(Source::Manager(0), dps(json!({ "2": 1 }))),
                Step::Receive(Source::Manager(1), dps(json!({ "2": 1 }))),
                Step::Is(Fact::Registered(1)),
                Step::Remove(0),
                Step::Is(Fact::Holds(0, 0)),
                Step::Is(Fact::Holds(1, 1)),
                ask(set("1", true), Want::Ok),
                Step::AcceptedOnly(1),
            ],
        ),
        scenario(
            "delete ends a device for everybody and answers its commands",
            BOTH,
            [lamp().managed().quirk("silent-control")],
            vec![
                up(),
                Step::Add(1, vec![], Added::Ok),
                Step::Begin(1, set("1", true), How::Acked),
                arrived(CommandCode::CONTROL),
                Step::Delete(0),
                Step::End(1, Want::Lost(DownReason::Ended)),
                Step::Is(Fact::Closed),
                Step::Is(Fact::Holds(0, 0)),
                Step::Is(Fact::Holds(1, 0)),
                Step::Is(Fact::Registered(0)),
                Step::Open(0),
                write(set("1", true), Want::Closed),
            ],
        ),
        scenario(
            "a device that was deleted can be added again",
            EACH,
            [lamp().managed()],
            vec![
                up(),
                Step::Delete(0),
                Step::Open(0),
                Step::Add(0, vec![], Added::Ok),
                up(),
                ask(set("1", true), Want::Ok),
                Step::Is(Fact::Holds(0, 1)),
            ],
        ),
        scenario(
            "clear lets go of everything",
            BOTH,
            two(),
            vec![up(), on(1, up()), Step::Clear(0), Step::Is(Fact::Holds(0, 0)), Step::Is(Fact::Registered(0))],
        ),
        scenario(
            "shutdown of a manager answers everything, closes its connections and its listener",
            EACH,
            [lamp().managed().quirk("silent-control"), lamp().managed().off()],
            vec![
                up(),
                Step::Begin(1, set("1", true), How::Acked),
                arrived(CommandCode::CONTROL),
                on(1, Step::Begin(2, set("1", true), How::Acked)),
                Step::Mark,
                write(Call::Shutdown(0), Want::Ok),
                Step::Before(2_500),
                Step::End(1, Want::Lost(DownReason::Ended)),
                Step::End(2, Want::Closed),
                Step::Open(0),
                Step::Receive(Source::Manager(0), ExpectedEvent::End),
                Step::Add(0, vec![], Added::Closed),
                write(Call::Shutdown(0), Want::Ok),
            ],
        ),
        scenario(
            "shutdown of a manager leaves what another one holds",
            BOTH,
            [lamp().managed()],
            vec![
                up(),
                Step::Add(1, vec![], Added::Ok),
                write(Call::Shutdown(0), Want::Ok),
                ask(set("1", true), Want::Ok),
                Step::AcceptedOnly(1),
                Step::Is(Fact::Holds(1, 1)),
            ],
        ),
        scenario(
            "shutdown of a registry ends everything, and it can be filled again",
            BOTH,
            two(),
            vec![
                up(),
                on(1, up()),
                Step::Add(1, vec![], Added::Ok),
                Step::Begin(1, Call::Query, How::Acked),
                write(Call::ShutdownAll, Want::Ok),
                Step::End(1, Want::Either(vec![Want::Ok, Want::Lost(DownReason::Ended), Want::Closed])),
                Step::Is(Fact::Registered(0)),
                Step::Is(Fact::Holds(0, 0)),
                Step::Is(Fact::Holds(1, 0)),
                Step::Open(0),
                on(1, Step::Open(0)),
                Step::Add(0, vec![], Added::Ok),
                up(),
            ],
        ),
        scenario("a hundred devices connect through the limiter", V33, vec![lamp().managed(); 100], {
            (0..100).map(|node| on(node, up())).collect()
        }),
        scenario(
            "devices that accept connections and say nothing hold up no others",
            &[Version::V35],
            [vec![lamp().managed().fault(Fault::Silent); 130], vec![lamp().managed()]].concat(),
            vec![Step::Mark, on(130, up()), Step::Before(3000)],
        ),
        scenario("commands to many devices at once reach each its own", BOTH, vec![lamp().managed(); 8], {
            let begin = (0..8).map(|node| on(node, Step::Begin(node, set("2", node as u64 + 200), How::Acked)));
            let end = (0..8).map(|node| on(node, Step::End(node, Want::Ok)));
            let has = (0..8).map(|node| on(node, Step::Controls(vec![json!({ "2": node + 200 })])));
            begin.chain(end).chain(has).collect()
        }),
        beside("others do not notice a device that is silent", Fault::Silent),
        beside("others do not notice a device that resets every connection", Fault::Reset),
        beside("others do not notice a device that sends garbage", Fault::Garbage { seed: 9 }),
        beside("others do not notice a device that floods", Fault::FloodPushes { count: 300 }),
        beside("others do not notice a device that claims 4 GiB", Fault::FourGiBLength),
        beside("others do not notice a device that sends byte by byte", Fault::OneByteSegments),
        scenario(
            "others do not notice a device that loses its power",
            BOTH,
            two(),
            vec![
                up(),
                on(1, up()),
                Step::PowerOff(PowerLoss::Silence),
                Step::Times(5, vec![on(1, ask(set("2", 3), Want::Ok))]),
                on(1, Step::AcceptedOnly(1)),
                Step::PowerOff(PowerLoss::Reset),
                disconnected(),
                Step::PowerOn,
                connected(),
            ],
        ),
        scenario(
            "a device of Auto version can be added",
            EACH,
            [unheld().speaks(ConfiguredVersion::Auto)],
            vec![
                Step::Add(0, vec![], Added::Ok),
                up(),
                Step::Is(Fact::RightVersion),
                Step::Add(0, vec![], Added::Duplicate),
            ],
        ),
        scenario(
            "remove lets go of the last share",
            EACH,
            [lamp().managed()],
            vec![
                up(),
                Step::Remove(0),
                Step::Is(Fact::Registered(0)),
                Step::Is(Fact::Holds(0, 0)),
                // The handle of this scenario still holds it.
                query(Want::Ok),
                write(Call::Close, Want::Ok),
                Step::Open(0),
            ],
        ),
    ]
}
