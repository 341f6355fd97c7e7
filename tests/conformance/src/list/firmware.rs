//! Differences between firmware: versions, dialects, unusual answers.

use rustuya_faulty::Fault;
use rustuya_proto::{CommandCode, Dialect, DownReason, Repeated, Version};
use serde_json::json;

use super::{
    ALL, BOTH, EACH, NEW, V33, ask, connected, diagnosed, disconnected, dps, lamp, query, query_dps, queue, receive,
    scenario, set, up, within,
};
use crate::scenario::{
    Call, ConfiguredVersion, Counter, Edit, ExpectedEvent, Fact, How, Need, OTHER_KEY, Scenario, Setup, Source, Step,
    Want,
};

/// Sets, queries, updates and receives: the device works despite its differences.
fn works() -> Vec<Step> {
    vec![
        up(),
        ask(set("1", true), Want::Ok),
        Step::Has(None, json!({ "1": true })),
        ask(set("2", 9), Want::Ok),
        query(Want::Ok),
        Step::Push(None, json!({ "3": "blue" })),
        receive(dps(json!({ "3": "blue" }))),
        Step::Controls(vec![json!({ "1": true }), json!({ "2": 9 })]),
        Step::AcceptedOnly(1),
    ]
}

fn unusual(name: &'static str, versions: &'static [Version], device: Setup) -> Scenario {
    scenario(name, versions, [device], works())
}

pub(super) fn list() -> Vec<Scenario> {
    let auto = || lamp().speaks(ConfiguredVersion::Auto);
    let wrong_version = |speaks| DownReason::WrongVersion { speaks };
    let old: &[Version] = &[Version::V32, Version::V33];
    vec![
        scenario(
            "Auto finds the version by trying",
            EACH,
            [auto()],
            vec![
                ask(set("1", true), Want::Ok),
                Step::Is(Fact::RightVersion),
                Step::Is(Fact::Diagnosis(None)),
                Step::Controls(vec![json!({ "1": true })]),
            ],
        ),
        scenario(
            "Auto tells nothing while it looks for the version, and is quick",
            EACH,
            [auto()],
            vec![Step::Mark, Step::Next(Source::Own, ExpectedEvent::Up(None)), Step::Before(5_000), query(Want::Ok)],
        ),
        scenario(
            "a slow device of Auto version is given more time, and neither key nor version is blamed",
            EACH,
            [auto().quirk("delay-ms=900").answer(5_000)],
            vec![
                Step::Becomes(Fact::Working),
                Step::Is(Fact::RightVersion),
                Step::NotReceived(Source::Own, ExpectedEvent::Down(DownReason::KeyOrVersion)),
                ask(set("1", true), Want::Ok),
            ],
        ),
        scenario(
            "refusals in clear text make no device a 3.1",
            &[Version::V32, Version::V33],
            [auto().device22().quirk("clear-errors")],
            vec![
                Step::Next(Source::Own, ExpectedEvent::Up(Some(Version::V33))),
                ask(set("1", true), Want::Ok),
                Step::Is(Fact::Version(Some(Version::V33))),
            ],
        ),
        scenario(
            "a 3.1 device that is taken for another version is diagnosed, and so is the reverse",
            &[Version::V31],
            [
                lamp().speaks(ConfiguredVersion::Only(Version::V33)),
                lamp().of(Version::V33).speaks(ConfiguredVersion::Only(Version::V31)),
            ],
            vec![
                Step::Mark,
                diagnosed(wrong_version(Some(Version::V31))),
                super::on(1, diagnosed(wrong_version(Some(Version::V33)))),
                Step::Before(6_000),
            ],
        ),
        scenario(
            "a wrong key is diagnosed without a command, with version Auto too",
            old,
            [lamp().wrong_key(), auto().wrong_key()],
            vec![
                Step::Mark,
                diagnosed(DownReason::WrongKey { sure: true }),
                super::on(1, Step::Next(Source::Own, ExpectedEvent::Down(DownReason::WrongKey { sure: true }))),
                Step::Before(6_000),
                Step::Controls(vec![]),
            ],
        ),
        scenario(
            "Auto gets on with 3.2, which is device22",
            &[Version::V32],
            [auto().answer(800)],
            vec![
                ask(set("1", true), Want::Ok),
                query(Want::Ok),
                Step::Becomes(Fact::Dialect(Dialect::Device22)),
                Step::Has(None, json!({ "1": true })),
            ],
        ),
        scenario(
            "Auto follows an update to another version",
            EACH,
            [auto()],
            vec![
                query(Want::Ok),
                Step::SetVersion(Version::V34),
                // 3.4 devices close the connection on frames of 3.3.
                ask(
                    set("1", true),
                    Want::Either(vec![
                        Want::Ok,
                        Want::Unanswered,
                        Want::Lost(DownReason::PeerClosed),
                        Want::Lost(DownReason::KeyOrVersion),
                    ]),
                ),
                connected(),
                Step::Becomes(Fact::Version(Some(Version::V34))),
                ask(set("2", 3), Want::Ok),
                Step::Has(None, json!({ "2": 3 })),
            ],
        ),
        scenario(
            "a version that encrypts nothing is not believed where the version is open",
            &[Version::V31],
            [auto().min_version(Version::V33)],
            vec![
                Step::Begin(1, set("1", true), How::Acked),
                Step::End(1, fails_with(DownReason::TooOld { version: Version::V31 })),
                diagnosed(DownReason::TooOld { version: Version::V31 }),
                within(Call::Query, 300, fails_with(DownReason::TooOld { version: Version::V31 })),
                Step::Controls(vec![]),
            ],
        ),
        scenario(
            "what a negotiation proved is not left for a version without one",
            &[Version::V35],
            [auto()],
            vec![
                ask(set("1", true), Want::Ok),
                Step::SetVersion(Version::V33),
                diagnosed(DownReason::TooOld { version: Version::V33 }),
                within(set("2", 3), 300, fails_with(DownReason::TooOld { version: Version::V33 })),
                Step::Controls(vec![json!({ "1": true })]),
                Step::SetVersion(Version::V35),
                connected(),
                ask(set("2", 3), Want::Ok),
            ],
        ),
        scenario(
            "an update to another version than configured is diagnosed",
            V33,
            [lamp()],
            vec![
                query(Want::Ok),
                Step::SetVersion(Version::V35),
                diagnosed(wrong_version(Some(Version::V35))),
                within(set("1", true), 300, fails_with(wrong_version(Some(Version::V35)))),
                Step::Reconfigure(vec![Edit::Version(ConfiguredVersion::Right)]),
                ask(set("1", true), Want::Ok),
                Step::Is(Fact::Diagnosis(None)),
            ],
        ),
        scenario(
            "a device of 3.4 or 3.5 that is taken for 3.3 is diagnosed with its version",
            NEW,
            [lamp().speaks(ConfiguredVersion::Only(Version::V33))],
            vec![Step::Becomes(Fact::DiagnosedVersion), Step::Controls(vec![])],
        ),
        scenario(
            "a 3.3 device that is taken for 3.4 is diagnosed",
            V33,
            [lamp().speaks(ConfiguredVersion::Only(Version::V34)).answer(500)],
            vec![
                Step::Becomes(Fact::DiagnosedVersion),
                within(set("1", true), 200, fails_with(wrong_version(Some(Version::V33)))),
            ],
        ),
        scenario(
            "a wrong key is diagnosed: proven up to 3.3",
            old,
            [lamp().wrong_key()],
            vec![
                Step::Begin(1, Call::Query, How::Acked),
                Step::End(1, Want::Lost(DownReason::WrongKey { sure: true })),
                diagnosed(DownReason::WrongKey { sure: true }),
            ],
        ),
        scenario(
            "a wrong key is diagnosed: most likely, where devices just close",
            NEW,
            [lamp().wrong_key()],
            vec![
                Step::Mark,
                Step::Next(Source::Own, ExpectedEvent::Down(DownReason::WrongKey { sure: false })),
                Step::Before(6_000),
                diagnosed(DownReason::WrongKey { sure: false }),
                within(set("1", true), 200, Want::NotConnected(Some(DownReason::WrongKey { sure: false }))),
                Step::Controls(vec![]),
            ],
        ),
        scenario(
            "after a new pairing the old key is diagnosed, and the new one set in place",
            NEW,
            [lamp().answer(800)],
            vec![
                up(),
                Step::Reconfigure(vec![Edit::Key(Some(crate::scenario::KEY))]),
                up(),
                Step::SetKey(OTHER_KEY),
                diagnosed(DownReason::WrongKey { sure: false }),
                Step::Reconfigure(vec![Edit::Key(None)]),
                up(),
                ask(set("1", true), Want::Ok),
            ],
        ),
        scenario(
            "an answer to another negotiation under the right key proves no wrong key",
            NEW,
            [lamp().quirk("wrong-proof")],
            vec![
                diagnosed(DownReason::Silent),
                Step::Next(Source::Own, ExpectedEvent::Ignored(Repeated::Replayed)),
                Step::NotReceived(Source::Own, ExpectedEvent::Down(DownReason::WrongKey { sure: true })),
            ],
        ),
        scenario(
            "a query that is refused at first is asked again, and nothing is written",
            EACH,
            [lamp().quirk("refuse-queries=2").quirk("null-as-value")],
            vec![
                query(Want::Dps(whole())),
                Step::CutAll,
                receive(ExpectedEvent::Down(DownReason::PeerClosed)),
                up(),
                query(Want::Dps(whole())),
                query_dps(&[1, 2], Want::Dps(whole())),
                Step::Is(Fact::Dialect(Dialect::Default)),
                Step::Nulls(vec![]),
                Step::Controls(vec![]),
            ],
        ),
        scenario(
            "a query that is refused for a while is asked until its time limit ends",
            NEW,
            [lamp().quirk("refuse-queries=4")],
            vec![query(Want::Dps(whole())), Step::Nulls(vec![]), Step::Controls(vec![])],
        )
        .needing(Need::Repeat),
        scenario(
            "a query whose time limit ends while it is refused was refused, not unanswered",
            NEW,
            [lamp().quirk("refuse-queries=4000000000")],
            vec![within(Call::Query, 200, refused()), Step::Controls(vec![])],
        ),
        scenario(
            "a device that refuses every query stays connected, obeys and pushes, and is never asked by nulls",
            EACH,
            [lamp().quirk("refuse-queries=4000000000").quirk("null-as-value").quirk("update-silence")],
            vec![
                query(refused()),
                ask(set("1", true), Want::Ok),
                Step::Push(None, json!({ "3": "blue" })),
                receive(dps(json!({ "3": "blue" }))),
                query(refused()),
                ask(Call::Status, refused()),
                Step::Has(None, json!({ "1": true, "2": 50, "3": "blue" })),
                Step::Is(Fact::Dialect(Dialect::Default)),
                Step::Nulls(vec![]),
                Step::AcceptedOnly(1),
            ],
        ),
        scenario(
            "a refusal with return code 0 is no answer either",
            V33,
            [lamp().device22().quirk("refusal-retcode-zero").quirk("update-silence")],
            vec![query(refused()), Step::Nulls(vec![])],
        ),
        scenario(
            "device22 is tried with the DPs that are named, once two connections have refused every query",
            V33,
            [lamp().device22().quirk("update-silence")],
            vec![
                query(refused()),
                Step::Nulls(vec![]),
                query_dps(&[2, 3], Want::Dps(json!({ "2": 50, "3": "white" }))),
                receive(ExpectedEvent::Dialect(Dialect::Device22)),
                Step::Is(Fact::Dialect(Dialect::Device22)),
                query(Want::Dps(json!({ "2": 50, "3": "white" }))),
                Step::Nulls(vec![vec![2, 3], vec![2, 3]]),
                Step::AcceptedOnly(2),
                Step::Is(Fact::Diagnosis(None)),
            ],
        ),
        scenario(
            "a device22 that tells what it is asked to measure is not asked by nulls",
            V33,
            [lamp().device22()],
            vec![
                query_dps(&[2, 3], Want::Dps(json!({ "2": 50, "3": "white" }))),
                Step::Nulls(vec![]),
                Step::Is(Fact::Dialect(Dialect::Default)),
            ],
        ),
        scenario(
            "device22 without DP 1 is asked for what is named and heard of, and for nothing else",
            &[Version::V32, Version::V33, Version::V34],
            [lamp().device22().knows_dialect(Dialect::Device22).dps(json!({ "20": true, "21": "white" }))],
            vec![
                // An update request reveals them without a change.
                query(Want::Dps(json!({ "20": true, "21": "white" }))),
                Step::Nulls(vec![]),
                query_dps(&[20, 21], Want::Dps(json!({ "20": true, "21": "white" }))),
                query(Want::Dps(json!({ "20": true, "21": "white" }))),
                ask(set("21", "blue"), Want::Ok),
                query(Want::Dps(json!({ "20": true, "21": "blue" }))),
                Step::Nulls(vec![vec![20, 21]; 3]),
            ],
        ),
        scenario(
            "device22 that tells one DP at a time is asked for each",
            &[Version::V32, Version::V33],
            [lamp().device22().knows_dialect(Dialect::Device22).quirk("device22-one-dp")],
            vec![query_dps(&[1, 2, 3, 9], Want::Dps(whole()))],
        )
        .needing(Need::Detect),
        scenario(
            "device22 that answers with data in its reply",
            V33,
            [lamp().device22().knows_dialect(Dialect::Device22).quirk("device22-data-in-reply")],
            vec![query_dps(&[1], Want::Dps(json!({ "1": false })))],
        ),
        scenario(
            "3.5 is never asked by nulls, whatever is configured",
            &[Version::V35],
            [lamp().knows_dialect(Dialect::Device22).quirk("null-as-value")],
            vec![query_dps(&[2], Want::Dps(whole())), Step::Is(Fact::Dialect(Dialect::Default))],
        ),
        scenario(
            "a query is answered by the push that follows an answer without values",
            EACH,
            [lamp().quirk("query-empty-then-push")],
            vec![query(Want::Dps(whole())), Step::Mark, query(Want::Dps(whole())), Step::Before(1500)],
        ),
        scenario(
            "a query is answered by a push alone",
            EACH,
            [lamp().quirk("query-push-only").answer(4000)],
            vec![query(Want::Dps(whole())), Step::Mark, query(Want::Dps(whole())), Step::Before(3000)],
        ),
        scenario(
            "a query that is answered without values yields none",
            EACH,
            [lamp().quirk("query-empty")],
            vec![query(Want::Dps(json!({})))],
        ),
        scenario(
            "a push of something else does not take the place of an answer that is late",
            EACH,
            [lamp().quirk("delay-ms=600")],
            vec![
                up(),
                Step::Ready(1),
                Step::Begin(1, Call::Query, How::Written),
                Step::Arrived(CommandCode::DP_QUERY, 1),
                Step::Push(None, json!({ "3": "blue" })),
                Step::End(1, Want::Dps(json!({ "1": false, "2": 50, "3": "blue" }))),
            ],
        ),
        scenario(
            "a dialect that is configured is kept, and the refusal told",
            V33,
            [lamp().device22().knows_dialect(Dialect::Default)],
            vec![query(refused()), Step::Is(Fact::Dialect(Dialect::Default)), Step::Nulls(vec![])],
        ),
        scenario(
            "device22 obeys, reports and pushes",
            V33,
            [lamp().device22().knows_dialect(Dialect::Device22)],
            vec![
                ask(set("1", true), Want::Ok),
                Step::Has(None, json!({ "1": true })),
                ask(Call::SetDps(json!({ "2": 4, "3": "red" })), Want::Ok),
                query(Want::Ok),
                receive(dps(json!({ "1": true }))),
                Step::Controls(vec![json!({ "1": true }), json!({ "2": 4, "3": "red" })]),
            ],
        ),
        unusual("the push before the acknowledgement", ALL, lamp().quirk("push-before-ack")),
        unusual("a push in place of the acknowledgement", ALL, lamp().quirk("drop-ack")),
        unusual("acknowledgements in place of pushes", ALL, lamp().quirk("drop-push")),
        unusual("acknowledgements with return code 1", ALL, lamp().quirk("ack-retcode-one")),
        unusual("frames without return codes", ALL, lamp().quirk("no-retcode")),
        unusual("sequence numbers that are all 0", EACH, lamp().quirk("seqno-zero")),
        unusual("sequence numbers of the device's own", EACH, lamp().quirk("seqno-counter")),
        unusual("replies in the wrapper of pushes", EACH, lamp().quirk("wrapped-reply")),
        unusual("replies with the version header", EACH, lamp().quirk("reply-header")),
        unusual("pushes without the version header", EACH, lamp().quirk("push-without-header")),
        unusual("a clock that counts from the start of the device", EACH, lamp().quirk("bad-clock")),
        unusual("several frames in one segment", ALL, lamp().quirk("merge-segments")),
        scenario("random bytes between frames are skipped", EACH, [lamp().quirk("garbage")], {
            let mut steps = works();
            steps.push(Step::Is(Fact::AtLeast(Counter::Resyncs, 1)));
            steps
        }),
        scenario(
            "a session key that begins with zero is negotiated anew",
            NEW,
            [lamp().quirk("zero-key").answer(800)],
            vec![ask(set("1", true), Want::Ok), Step::Has(None, json!({ "1": true }))],
        ),
        scenario(
            "refusals in clear text are understood",
            V33,
            [lamp().quirk("clear-errors").quirk("unknown-command-error")],
            vec![
                up(),
                query(Want::Ok),
                ask(Call::Request(CommandCode(0x2f), None, None), Want::Rejected("json obj data unvalid")),
            ],
        ),
        scenario(
            "a device that takes few DPs at once is given few",
            BOTH,
            [lamp().dps(json!({ "1": false, "2": 0, "3": "", "4": 0 })).fault(Fault::RefuseSeveralDps { max: 2 })],
            vec![
                ask(Call::SetDps(json!({ "1": true, "2": 1, "3": "x", "4": 4 })), Want::Ok),
                Step::Has(None, json!({ "1": true, "2": 1, "3": "x", "4": 4 })),
                // The next write is split before it is refused.
                ask(Call::SetDps(json!({ "1": false, "2": 2, "4": 5 })), Want::Ok),
                // On the next connection it may accept more: the refusal may have had another reason.
                Step::Mend,
                Step::CutAll,
                disconnected(),
                up(),
                ask(Call::SetDps(json!({ "1": true, "2": 3, "4": 6 })), Want::Ok),
                Step::Controls(vec![
                    json!({ "1": true, "2": 1, "3": "x", "4": 4 }),
                    json!({ "1": true, "2": 1 }),
                    json!({ "3": "x", "4": 4 }),
                    json!({ "1": false, "2": 2 }),
                    json!({ "4": 5 }),
                    json!({ "1": true, "2": 3, "4": 6 }),
                ]),
            ],
        ),
        scenario(
            "a write that is tried again in parts does not undo a later one",
            BOTH,
            [lamp().fault(Fault::RefuseSeveralDps { max: 2 })],
            vec![
                up(),
                queue(Call::SetDps(json!({ "1": true, "2": 1, "3": "x" })), Want::Ok),
                ask(set("2", 9), Want::Ok),
                Step::Has(None, json!({ "1": true, "2": 9, "3": "x" })),
            ],
        ),
        scenario(
            "a slow device is waited for",
            &[Version::V33, Version::V34],
            [lamp().quirk("delay-ms=300")],
            vec![up(), query(Want::Ok), ask(set("1", true), Want::Ok)],
        ),
        scenario(
            "a device that closes after a few frames is dialed again",
            BOTH,
            [lamp().quirk("close-after=3").heartbeat(50)],
            vec![
                up(),
                Step::Accepted(3),
                Step::Becomes(Fact::AtLeast(Counter::Connects, 3)),
                Step::Receive(Source::Own, ExpectedEvent::Down(DownReason::PeerClosed)),
            ],
        ),
    ]
}

/// All DPs of the lamp.
fn whole() -> serde_json::Value {
    json!({ "1": false, "2": 50, "3": "white" })
}

fn refused() -> Want {
    Want::Rejected("json obj data unvalid")
}

/// Expected failure of a command to an unusable device, with the reason if it is known by then. Versions without
/// negotiation are connected before the reason is known.
fn fails_with(reason: DownReason) -> Want {
    Want::Either(vec![Want::NotConnected(Some(reason)), Want::Lost(reason), Want::Unanswered])
}
