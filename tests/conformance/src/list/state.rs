//! State without queries, its freshness, and waits that end with a diagnosis.

use core::time::Duration;

use rustuya_faulty::PowerLoss;
use rustuya_proto::{CommandCode, DownReason, Version};
use rustuya_runtime::Pacing;
use serde_json::{Value, json};

use super::{
    BOTH, EACH, NEW, V33, ask, connected, dps, lamp, query, receive, scenario, set, sub_query, up, within, write,
};
use crate::WhyStale;
use crate::scenario::{Call, ConfiguredVersion, Edit, ExpectedEvent, Fact, How, Scenario, Setup, Source, Step, Want};

fn whole() -> Value {
    json!({ "1": false, "2": 50, "3": "white" })
}

fn fresh() -> Step {
    Step::Is(Fact::Stale(None, None))
}

fn stale(why: WhyStale) -> Step {
    Step::Is(Fact::Stale(None, Some(why)))
}

fn queries(count: usize) -> Step {
    Step::ArrivedOnly(CommandCode::DP_QUERY, count)
}

pub(super) fn list() -> Vec<Scenario> {
    let wrong_key = DownReason::WrongKey { sure: true };
    let wrong_version = DownReason::WrongVersion { speaks: Some(Version::V34) };
    vec![
        scenario(
            "the state is asked for on each connection, once, and told to be fresh or not",
            EACH,
            [lamp().queries_on_connect()],
            vec![
                ask(Call::Ready, Want::Dps(whole())),
                receive(ExpectedEvent::Fresh),
                fresh(),
                Step::Is(Fact::State(None, whole())),
                queries(1),
                Step::PowerOff(PowerLoss::Reset),
                receive(ExpectedEvent::Down(DownReason::PeerClosed)),
                Step::Next(Source::Own, ExpectedEvent::Stale(WhyStale::NotConnected)),
                stale(WhyStale::NotConnected),
                Step::Push(None, json!({ "1": true })),
                Step::Is(Fact::State(None, whole())),
                Step::PowerOn,
                receive(ExpectedEvent::Fresh),
                fresh(),
                Step::Is(Fact::State(None, json!({ "1": true, "2": 50, "3": "white" }))),
                queries(2),
                Step::Controls(vec![]),
            ],
        ),
        scenario(
            "firmware of 3.2 and device22 is asked without a write",
            &[Version::V32],
            [lamp().queries_on_connect()],
            vec![connected(), ask(set("1", true), Want::Ok), Step::Becomes(Fact::Stale(None, None))],
        ),
        scenario(
            "a query that waits for the connection is the one that asks",
            EACH,
            [lamp().off().queries_on_connect()],
            vec![
                receive(ExpectedEvent::Down(DownReason::Refused)),
                Step::Begin(1, Call::Status, How::Acked),
                Step::PowerOn,
                Step::End(1, Want::Ok),
                ask(Call::Ready, Want::Dps(whole())),
                queries(1),
            ],
        ),
        scenario(
            "where a query was taken back, the state is asked for all the same",
            BOTH,
            [lamp().off().queries_on_connect()],
            vec![
                receive(ExpectedEvent::Down(DownReason::Refused)),
                Step::Begin(1, Call::Status, How::Acked),
                Step::Drop(1),
                Step::PowerOn,
                ask(Call::Ready, Want::Dps(whole())),
                queries(1),
            ],
        ),
        scenario(
            "two queries of a device without DPs are both answered",
            EACH,
            [lamp().dps(json!({})).queries_on_connect()],
            vec![
                up(),
                Step::Begin(1, Call::Query, How::Written),
                Step::Begin(2, Call::Status, How::Acked),
                Step::End(1, Want::Dps(json!({}))),
                Step::End(2, Want::Ok),
                ask(Call::Ready, Want::Dps(json!({}))),
                fresh(),
            ],
        ),
        scenario(
            "a query for DPs that are named asks for the state as well",
            EACH,
            [lamp().off().queries_on_connect()],
            vec![
                receive(ExpectedEvent::Down(DownReason::Refused)),
                Step::Begin(1, Call::QueryDps(vec![1]), How::Written),
                Step::PowerOn,
                Step::End(1, Want::Dps(whole())),
                ask(Call::Ready, Want::Dps(whole())),
                queries(1),
            ],
        ),
        scenario(
            "a connection that is made for a command is for that command alone",
            BOTH,
            [lamp().unkept().queries_on_connect()],
            vec![ask(set("1", true), Want::Ok), Step::Linger(50), queries(0)],
        ),
        scenario(
            "a device that sleeps is not asked by itself",
            BOTH,
            [lamp().pacing(Pacing::NONE.sleeps(Duration::from_secs(5))).queries_on_connect()],
            vec![up(), ask(set("1", true), Want::Ok), Step::Linger(50), queries(0)],
        ),
        scenario(
            "wait_ready asks where nobody else does",
            EACH,
            [lamp(), lamp().unkept()],
            vec![
                up(),
                Step::Linger(50),
                queries(0),
                stale(WhyStale::NotReported),
                ask(Call::Ready, Want::Dps(whole())),
                ask(Call::Ready, Want::Dps(whole())),
                queries(1),
                fresh(),
                super::on(1, ask(Call::Ready, Want::Dps(whole()))),
                super::on(1, queries(1)),
            ],
        ),
        scenario(
            "a device that refuses to be asked is connected, and its state says why it is not fresh",
            EACH,
            [lamp()
                .quirk("refuse-queries=4000000000")
                .quirk("null-as-value")
                .quirk("update-silence")
                .queries_on_connect()],
            vec![
                ask(Call::Ready, Want::Dps(json!({}))),
                receive(ExpectedEvent::Stale(WhyStale::Failed)),
                stale(WhyStale::Failed),
                ask(set("1", true), Want::Ok),
                Step::NotReceived(Source::Own, ExpectedEvent::Failed(Box::new(Want::Rejected("unvalid")))),
                Step::Is(Fact::Connected(true)),
                Step::AcceptedOnly(1),
                Step::Nulls(vec![]),
            ],
        ),
        scenario(
            "a device that is silent about its state is connected, and pushes make it fresh",
            EACH,
            [lamp().quirk("query-silence").answer(600).command_timeout(800).queries_on_connect()],
            vec![
                ask(Call::Ready, Want::Dps(json!({}))),
                stale(WhyStale::Failed),
                Step::Push(None, json!({ "3": "blue" })),
                receive(dps(json!({ "3": "blue" }))),
                receive(ExpectedEvent::Fresh),
                fresh(),
                Step::Is(Fact::Working),
                Step::AcceptedOnly(1),
            ],
        ),
        scenario(
            "wait_ready gives up when its time is over",
            BOTH,
            [lamp().quirk("query-silence").queries_on_connect(), lamp().off().queries_on_connect()],
            vec![
                up(),
                Step::Mark,
                within(Call::Ready, 200, Want::Unanswered),
                super::on(1, within(Call::Ready, 200, Want::NotConnected(Some(DownReason::Refused)))),
                Step::After(400),
                Step::Before(4_000),
            ],
        ),
        scenario(
            "DPs that the answer leaves out are not fresh before they are pushed",
            EACH,
            [lamp().quirk("query-empty").queries_on_connect()],
            vec![
                ask(Call::Ready, Want::Dps(json!({}))),
                Step::Push(None, json!({ "3": "blue" })),
                receive(dps(json!({ "3": "blue" }))),
                fresh(),
                Step::CutAll,
                receive(ExpectedEvent::Down(DownReason::PeerClosed)),
                receive(ExpectedEvent::Stale(WhyStale::Partly)),
                stale(WhyStale::Partly),
                Step::Is(Fact::State(None, json!({ "3": "blue" }))),
                Step::Ready(1),
                Step::Push(None, json!({ "3": "red" })),
                receive(ExpectedEvent::Fresh),
                fresh(),
            ],
        ),
        scenario(
            "a gateway is asked for its own DPs, not for those of its sub-devices",
            NEW,
            [Setup::gateway().queries_on_connect()],
            vec![
                ask(Call::Ready, Want::Dps(json!({ "32": "armed" }))),
                queries(1),
                fresh(),
                Step::Is(Fact::Stale(Some("plug"), Some(WhyStale::NotReported))),
                sub_query("plug", Want::Dps(json!({ "1": false, "9": 7 }))),
                Step::Is(Fact::Stale(Some("plug"), None)),
                Step::PowerOff(PowerLoss::Reset),
                receive(ExpectedEvent::Down(DownReason::PeerClosed)),
                Step::Is(Fact::Stale(Some("plug"), Some(WhyStale::NotConnected))),
                Step::PowerOn,
                receive(ExpectedEvent::Fresh),
                Step::Is(Fact::Stale(Some("plug"), Some(WhyStale::NotReported))),
            ],
        ),
        scenario(
            "a wrong key that is proven fails commands and waits at once, until it is corrected",
            V33,
            [lamp().wrong_key().queries_on_connect()],
            vec![
                Step::Mark,
                // Only the link itself has queried.
                ask(Call::Ready, Want::NotConnected(Some(wrong_key))),
                ask(Call::Connection, Want::NotConnected(Some(wrong_key))),
                write(set("1", true), Want::NotConnected(Some(wrong_key))),
                query(Want::NotConnected(Some(wrong_key))),
                Step::Before(6_000),
                Step::Reconfigure(vec![Edit::Key(None)]),
                ask(Call::Ready, Want::Dps(whole())),
                Step::Controls(vec![]),
            ],
        ),
        scenario(
            "so does a version that is proven wrong, until it is corrected",
            &[Version::V34],
            [lamp().speaks(ConfiguredVersion::Only(Version::V35)).queries_on_connect()],
            vec![
                Step::Mark,
                Step::Begin(1, set("1", true), How::Written),
                ask(Call::Ready, Want::NotConnected(Some(wrong_version))),
                Step::End(1, Want::NotConnected(Some(wrong_version))),
                ask(Call::Connection, Want::NotConnected(Some(wrong_version))),
                Step::Before(6_000),
                Step::Reconfigure(vec![Edit::Version(ConfiguredVersion::Right)]),
                ask(Call::Ready, Want::Dps(whole())),
                Step::Controls(vec![]),
            ],
        ),
        scenario(
            "what is no proof fails nothing before its time",
            BOTH,
            [lamp().off()],
            vec![
                receive(ExpectedEvent::Down(DownReason::Refused)),
                Step::Mark,
                within(Call::Connection, 250, Want::NotConnected(Some(DownReason::Refused))),
                Step::After(250),
            ],
        ),
        scenario(
            "a manager says when every device is connected or has a diagnosis",
            V33,
            [
                lamp().managed().queries_on_connect(),
                lamp().managed().off().queries_on_connect(),
                lamp().managed().wrong_key().queries_on_connect(),
                lamp().managed().unkept(),
            ],
            vec![
                Step::Mark,
                within(
                    Call::Settled(0),
                    7_000,
                    Want::Settled(vec![
                        (true, None),
                        (false, Some(DownReason::Refused)),
                        (false, Some(wrong_key)),
                        (true, None),
                    ]),
                ),
                Step::Before(6_500),
            ],
        ),
        scenario(
            "a manager that waits for a device in vain says so when its time is over",
            V33,
            [lamp().managed().queries_on_connect().discovered(), lamp().managed().unlocated()],
            vec![
                Step::Mark,
                within(Call::Settled(0), 300, Want::Settled(vec![(true, None), (false, None)])),
                Step::After(300),
                Step::Before(5_000),
            ],
        ),
    ]
}
