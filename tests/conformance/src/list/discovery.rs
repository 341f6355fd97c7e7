//! Announcements and scans.

use rustuya_faulty::PowerLoss;
use rustuya_proto::{DownReason, Version};
use serde_json::json;

use super::{ALL, BOTH, EACH, V33, ask, connected, lamp, on, query, receive, reports, scenario, set, up};
use crate::scenario::{
    Added, Call, ConfiguredVersion, Edit, ExpectedEvent, Fact, How, Scenario, Setup, Source, Step, Want,
};

/// Reconnects after a minute, unless the device announces itself.
fn patient() -> Setup {
    lamp().backoff(60_000, 60_000).discovered().command_timeout(12_000)
}

pub(super) fn list() -> Vec<Scenario> {
    let scan = |limit| Step::Begin(1, Call::Scan(limit), How::Acked);
    let found = |nodes: &[usize]| Step::End(1, Want::Found(nodes.to_vec()));
    let another = |last: u8| {
        // Each scenario needs an address of its own: devices keep their ports.
        move |versions: &'static [Version], name: &'static str, steps: fn(u8) -> Vec<Step>| {
            scenario(name, versions, [lamp().discovered().unlocated().heartbeat(60_000)], steps(last))
        }
    };
    vec![
        scenario(
            "a scan finds what announces itself",
            ALL,
            [lamp().unheld(), lamp().unheld()],
            vec![scan(600), Step::Announce, on(1, Step::Announce), Step::Announce, found(&[0, 1])],
        ),
        scenario(
            "a second scan within a minute finds everything again",
            ALL,
            [lamp().unheld()],
            vec![scan(400), Step::Announce, found(&[0]), scan(400), Step::Announce, found(&[0])],
        ),
        scenario(
            "find ends at once when the device is found",
            EACH,
            [lamp().unheld()],
            vec![
                Step::Mark,
                Step::Begin(1, Call::Find(Some(0), 30_000), How::Acked),
                Step::AnnounceTill(1),
                found(&[0]),
                Step::Before(10_000),
            ],
        ),
        scenario(
            "find waits the whole time for a device that is absent",
            V33,
            [lamp().unheld()],
            vec![
                Step::Mark,
                Step::Begin(1, Call::Find(None, 400), How::Acked),
                Step::Announce,
                found(&[]),
                Step::After(400),
            ],
        ),
        scenario(
            "find does not give up at once after a scan",
            V33,
            [lamp().unheld()],
            vec![
                scan(200),
                Step::Announce,
                found(&[0]),
                Step::Mark,
                Step::Begin(1, Call::Find(None, 400), How::Acked),
                found(&[]),
                Step::After(400),
                Step::Begin(1, Call::Find(Some(0), 30_000), How::Acked),
                Step::AnnounceTill(1),
                found(&[0]),
            ],
        ),
        scenario(
            "an announcement that names another address is not believed",
            BOTH,
            [lamp().unheld()],
            vec![scan(300), Step::AnnounceAs(77), found(&[])],
        ),
        scenario(
            "a device is located by its announcement",
            ALL,
            [lamp().unlocated()],
            vec![
                Step::Is(Fact::Connected(false)),
                Step::Announce,
                up(),
                Step::Is(Fact::At(0)),
                ask(set("1", true), Want::Ok),
            ],
        ),
        scenario(
            "a device that is changed before it is found is found all the same",
            EACH,
            [lamp().unlocated()],
            vec![
                Step::Reconfigure(vec![Edit::CommandTimeout(7_000)]),
                Step::Reconfigure(vec![Edit::CommandTimeout(6_000)]),
                Step::Announce,
                up(),
                Step::Is(Fact::At(0)),
                ask(set("1", true), Want::Ok),
            ],
        ),
        scenario(
            "a device that is added once more with changes before it is found is found all the same",
            V33,
            [lamp().unlocated().managed()],
            vec![
                Step::Add(0, vec![Edit::CommandTimeout(7_000)], Added::Ok),
                Step::Announce,
                up(),
                ask(set("1", true), Want::Ok),
            ],
        ),
        scenario(
            "Auto takes the version of an announcement",
            EACH,
            [lamp().unlocated().speaks(ConfiguredVersion::Auto)],
            vec![Step::Announce, up(), Step::Is(Fact::RightVersion), query(Want::Ok), Step::AcceptedOnly(1)],
        ),
        scenario(
            "a command to a device that is nowhere fails, without a diagnosis",
            V33,
            [lamp().unlocated().command_timeout(200)],
            vec![ask(set("1", true), Want::NotConnected(None))],
        ),
        scenario(
            "a device that is heard from another address only says so, and is found when it is heard itself",
            EACH,
            [lamp().unlocated().command_timeout(200)],
            vec![
                Step::AnnounceAs(77),
                receive(ExpectedEvent::Down(DownReason::Relayed)),
                ask(set("1", true), Want::NotConnected(Some(DownReason::Relayed))),
                Step::Is(Fact::Diagnosis(Some(DownReason::Relayed))),
                Step::Announce,
                up(),
                Step::Is(Fact::Diagnosis(None)),
                ask(set("1", true), Want::Ok),
            ],
        ),
        scenario(
            "a command that waits for a device to appear is sent when it does",
            EACH,
            [lamp().unlocated()],
            vec![
                Step::Begin(1, set("2", 5), How::Acked),
                Step::Announce,
                Step::End(1, Want::Ok),
                Step::Controls(vec![json!({ "2": 5 })]),
            ],
        ),
        scenario(
            "a device that announces itself is back within a second, whatever the delay",
            ALL,
            [patient()],
            vec![
                reports(Want::Ok),
                Step::PowerOff(PowerLoss::Reset),
                receive(ExpectedEvent::Down(DownReason::PeerClosed)),
                Step::PowerOn,
                Step::Mark,
                Step::Announce,
                receive(ExpectedEvent::Up(None)),
                Step::Before(1_000),
                ask(set("1", true), Want::Ok),
            ],
        ),
        scenario(
            "an announcement does not disturb a live connection",
            EACH,
            [lamp().discovered()],
            vec![
                up(),
                query(Want::Ok),
                Step::Times(5, vec![Step::Announce]),
                query(Want::Ok),
                Step::AcceptedOnly(1),
                Step::NotReceived(Source::Own, ExpectedEvent::Down(DownReason::Ended)),
            ],
        ),
        another(21)(ALL, "a device that has another address is followed, without heartbeats", |last| {
            vec![
                Step::Announce,
                reports(Want::Ok),
                Step::MoveTo(last),
                Step::Announce,
                receive(ExpectedEvent::Down(DownReason::Unresponsive)),
                connected(),
                Step::Is(Fact::At(0)),
                ask(set("1", true), Want::Ok),
            ]
        }),
        scenario(
            "forged announcements do not keep a device out, and do not move it",
            EACH,
            [lamp().discovered().unlocated().heartbeat(60_000), lamp().elsewhere(31).off().unheld()],
            vec![
                Step::Announce,
                reports(Want::Ok),
                on(1, Step::Announce),
                ask(set("1", true), Want::Ok),
                Step::Is(Fact::At(0)),
                Step::PowerOff(PowerLoss::Reset),
                receive(ExpectedEvent::Down(DownReason::PeerClosed)),
                on(1, Step::Announce),
                Step::PowerOn,
                Step::Mark,
                on(1, Step::Announce),
                receive(ExpectedEvent::Up(None)),
                on(1, Step::Announce),
                Step::Before(3_000),
                Step::Is(Fact::At(0)),
                ask(set("1", false), Want::Ok),
            ],
        ),
        another(22)(BOTH, "a device that has another address after a power-cycle is followed", |last| {
            vec![
                Step::Announce,
                reports(Want::Ok),
                Step::PowerOff(PowerLoss::Reset),
                receive(ExpectedEvent::Down(DownReason::PeerClosed)),
                Step::MoveTo(last),
                Step::PowerOn,
                Step::Mark,
                Step::Announce,
                receive(ExpectedEvent::Up(None)),
                Step::Before(1_000),
                Step::Is(Fact::At(0)),
                ask(set("1", true), Want::Ok),
            ]
        }),
    ]
}
