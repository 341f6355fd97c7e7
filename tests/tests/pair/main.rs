//! Tests of the controller with the emulated device: every version, every quirk, every cut, thousands of seeds.

mod machines;

use core::time::Duration;

use rustuya_faulty::client::MachineEvent;
use rustuya_proto::{
    Cid, Command, DeviceConfig, DeviceError, DeviceId, Dialect, DownReason, DpId, DpMap, DpValue, EmulatorConfig,
    LocalKey, Outcome, Quirks, RetCode, SendError, UpdateReply, Version,
};
use rustuya_seeded::SeededRng;

use machines::{Delivery, Pair, Reach};

const KEY: &str = "0123456789abcdef";
const SECONDS: fn(u64) -> Duration = Duration::from_secs;

fn id() -> DeviceId {
    DeviceId::new("eb0123456789abcdefghij").expect("valid")
}

fn controller() -> DeviceConfig {
    let config = DeviceConfig::new(id(), LocalKey::from_text(KEY).expect("valid"));
    config.address([127, 0, 0, 1].into()).min_version(Version::V31)
}

fn wrong_key() -> DeviceConfig {
    let mut config = controller();
    config.local_key = LocalKey::from_text("fedcba9876543210").expect("valid");
    config
}

fn emulator(version: Version) -> EmulatorConfig {
    EmulatorConfig::new(id(), version, LocalKey::from_text(KEY).expect("valid"))
}

fn pair(config: DeviceConfig, emulated: EmulatorConfig, delivery: Delivery, seed: u64) -> Pair {
    let mut emulated = emulated;
    // The vendor's 3.5 closes the connection on frames that arrive in parts.
    emulated.quirks.strict_reads &= matches!(delivery, Delivery::Whole);
    let mut pair = Pair::new(config, emulated, delivery, seed);
    for (dp, value) in [(1, DpValue::Bool(false)), (2, DpValue::Int(25)), (20, DpValue::text("white"))] {
        pair.model.set(None, DpId(dp), value).expect("room");
    }
    pair
}

fn meet(config: DeviceConfig, emulated: EmulatorConfig) -> Pair {
    let mut pair = pair(config, emulated, Delivery::Whole, 7);
    assert!(pair.run_until(SECONDS(30), |p| p.device.is_up()), "{:?}", pair.events);
    pair
}

const ON: [(DpId, DpValue<'static>); 1] = [(DpId(1), DpValue::Bool(true))];

fn set_on() -> Command<'static> {
    Command::set(DpMap::Pairs(&ON))
}

fn is_acknowledged(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Acknowledged { .. })
}

/// Sets, queries, updates; checks that every answered command is acknowledged, and the state arrives.
fn exchange_commands(pair: &mut Pair) {
    let set = pair.send("set", &set_on()).expect("sent");
    pair.run(SECONDS(2));
    assert!(is_acknowledged(pair.outcome(set).0), "{:?}", pair.events);
    let status = pair.send("status", &Command::status_of(&[DpId(1), DpId(2)])).expect("sent");
    pair.run(SECONDS(2));
    let (outcome, text) = pair.outcome(status);
    assert!(is_acknowledged(outcome), "{outcome:?}");
    let text = text.expect("a state");
    assert!(text.contains("\"1\":true") && text.contains("\"2\":25"), "{text}");
    let update = pair.send("update", &Command::update_dps(&[DpId(2)])).expect("sent");
    pair.run(SECONDS(6));
    let is_answered = pair.config.quirks.update != UpdateReply::Silence;
    assert_eq!(is_acknowledged(pair.outcome(update).0), is_answered);
}

#[test]
fn every_version_exchanges_commands_and_stays_up() {
    for version in Version::ALL {
        let mut pair = meet(controller().version(version), emulator(version));
        exchange_commands(&mut pair);
        // Twice the device's idle limit: heartbeats must keep the connection.
        pair.run(SECONDS(65));
        assert_eq!(
            pair.events.iter().filter(|t| matches!(t, MachineEvent::Down(_))).count(),
            0,
            "{version}: {:?}",
            pair.events
        );
        exchange_commands(&mut pair);
        pair.finish();
    }
}

#[test]
fn a_device_that_vanishes_is_noticed_within_15_s_whatever_is_sent() {
    for version in Version::ALL {
        for (what, every, command) in [
            ("nothing", 60, Command::status_of(&[DpId(1)])),
            ("queries", 2, Command::status_of(&[DpId(1)])),
            ("writes", 1, set_on()),
            ("writes that wait briefly", 1, set_on().with_timeout(Duration::from_millis(300))),
            ("writes that wait long", 3, set_on().with_timeout(SECONDS(120))),
        ] {
            let mut pair = meet(controller().version(version), emulator(version));
            exchange_commands(&mut pair);
            pair.events.clear();
            pair.vanish();
            let gone = pair.now;
            while pair.device.is_up() && pair.now.saturating_since(gone) < SECONDS(60) {
                let sent = pair.send("sent into the void", &command);
                let full = matches!(sent, Err(SendError::TooMany | SendError::NoRoom { .. }));
                assert!(sent.is_ok() || full, "{version}, {what}: {sent:?}");
                pair.run_until(SECONDS(every), |p| !p.device.is_up());
            }
            let noticed = pair.now.saturating_since(gone);
            assert!(noticed <= Duration::from_millis(15_010), "{version}, {what}: {noticed:?}");
            assert!(noticed >= SECONDS(5), "{version}, {what}: a slow device has its time, {noticed:?}");
            assert!(
                pair.events.contains(&MachineEvent::Down(DownReason::Unresponsive)),
                "{version}, {what}: {:?}",
                pair.events
            );
            pair.finish();
        }
    }
}

#[test]
fn a_cut_at_every_byte_changes_nothing() {
    for version in Version::ALL {
        let story = |delivery: Delivery| {
            let mut pair = pair(controller().version(version), emulator(version), delivery, 3);
            assert!(pair.run_until(SECONDS(2), |p| p.device.is_up()));
            let set = pair.send("set", &set_on()).expect("sent");
            let status = pair.send("status", &Command::status_of(&[DpId(1), DpId(2), DpId(20)])).expect("sent");
            pair.run(SECONDS(3));
            assert!(is_acknowledged(pair.outcome(set).0) && is_acknowledged(pair.outcome(status).0));
            pair.finish();
            pair.events
        };
        let whole = story(Delivery::Whole);
        assert_eq!(story(Delivery::Bytes), whole, "{version} byte by byte");
        for cut in 1..700 {
            assert_eq!(story(Delivery::CutAt(cut)), whole, "{version} cut at {cut}");
        }
    }
}

#[test]
fn the_version_is_found_by_asking() {
    for version in [Version::V31, Version::V33, Version::V34, Version::V35] {
        let mut pair = meet(controller(), emulator(version));
        assert_eq!(pair.device.version(), Some(version));
        exchange_commands(&mut pair);
        pair.finish();
    }
    // 3.2 answers like 3.3 except for the text of its header, which its first push has.
    let mut pair = meet(controller(), emulator(Version::V32));
    let set = pair.send("set", &set_on()).expect("sent");
    pair.run(SECONDS(2));
    assert!(is_acknowledged(pair.outcome(set).0), "{:?}", pair.events);
    assert_eq!(pair.device.dialect(), Dialect::Device22);
    let status = pair.send("status", &Command::status()).expect("sent");
    pair.run(SECONDS(2));
    assert!(is_acknowledged(pair.outcome(status).0), "{:?}", pair.events);
    pair.finish();
}

#[test]
fn a_changed_version_is_found_again() {
    let mut pair = meet(controller(), emulator(Version::V33));
    pair.config = emulator(Version::V35);
    pair.cut();
    assert!(pair.run_until(SECONDS(60), |p| p.device.is_up() && p.device.version() == Some(Version::V35)));
    exchange_commands(&mut pair);
    pair.finish();
}

fn quirky(version: Version, names: &[&str]) -> EmulatorConfig {
    let mut quirks = Quirks::of(version);
    names.iter().for_each(|name| quirks.set(name).unwrap_or_else(|_| panic!("no quirk {name}: {:?}", Quirks::NAMES)));
    emulator(version).with_quirks(quirks)
}

const REFUSED: Outcome = Outcome::Rejected { retcode: Some(RetCode::REFUSED), error: Some(DeviceError::DataUnvalid) };

/// Sends a command. Returns its outcome.
fn ask(pair: &mut Pair, command: &Command<'_>) -> (Outcome, Option<String>) {
    let id = pair.send("query", command).expect("sent");
    pair.run(SECONDS(6));
    pair.outcome(id)
}

fn reconnect(pair: &mut Pair) {
    pair.cut();
    assert!(pair.run_until(SECONDS(90), |p| p.device.is_up()), "{:?}", pair.events);
}

#[test]
fn a_query_that_is_refused_at_first_is_asked_again_and_nothing_is_written() {
    for version in [Version::V31, Version::V33, Version::V34, Version::V35] {
        for refusals in 1..=2 {
            let name = format!("refuse-queries={refusals}");
            let mut pair = meet(controller().version(version), quirky(version, &[&name, "null-as-value"]));
            for round in 0..4 {
                let (outcome, text) = ask(&mut pair, &Command::status());
                assert!(is_acknowledged(outcome), "{version} {name} {round}: {outcome:?}");
                assert!(text.expect("a state").contains("\"20\":\"white\""));
                ask(&mut pair, &set_on());
                reconnect(&mut pair);
            }
            assert_eq!(pair.nulls(), [""; 0], "{version} {name}");
            assert_eq!(pair.device.dialect(), Dialect::Default);
            assert!(!pair.events.iter().any(|told| matches!(told, MachineEvent::Dialect(_))));
            pair.finish();
        }
    }
}

#[test]
fn a_device_that_refuses_every_query_stays_of_use_and_is_never_asked_by_nulls() {
    let refusing = &["refuse-queries=4000000000", "null-as-value"];
    for version in [Version::V31, Version::V34, Version::V35] {
        let mut pair = meet(controller().version(version), quirky(version, refusing));
        for _ in 0..5 {
            for query in [Command::status(), Command::status_of(&[DpId(1), DpId(20)])] {
                assert!(matches!(ask(&mut pair, &query).0, Outcome::Rejected { .. }), "{version}: {:?}", pair.events);
            }
            assert!(is_acknowledged(ask(&mut pair, &set_on()).0));
            assert!(pair.device.is_up());
            reconnect(&mut pair);
        }
        assert_eq!(pair.nulls(), [""; 0], "{version}");
        // Repeated on each connection, but not endlessly.
        assert!((15..=30).contains(&pair.queries()), "{version}: {}", pair.queries());
        let ended = MachineEvent::Down(DownReason::PeerClosed);
        assert_eq!(
            pair.events.iter().filter(|told| matches!(told, MachineEvent::Down(_)) && **told != ended).count(),
            0
        );
        pair.finish();
    }
}

#[test]
fn device22_is_tried_when_all_else_has_failed_and_only_for_what_is_known() {
    for quirks in [&["update-silence"][..], &["update-silence", "device22-data-in-reply"]] {
        let emulated = quirky(Version::V33, quirks).with_dialect(Dialect::Device22);
        let mut pair = meet(controller().version(Version::V33), emulated);
        // No DP is known: every query is refused.
        for _ in 0..3 {
            assert_eq!(ask(&mut pair, &Command::status()).0, REFUSED);
            reconnect(&mut pair);
        }
        assert_eq!(pair.nulls(), [""; 0]);
        let before = pair.queries();
        let (outcome, text) = ask(&mut pair, &Command::status_of(&[DpId(2), DpId(20)]));
        assert!(is_acknowledged(outcome), "{:?}", pair.events);
        assert!(text.expect("a state").contains("\"dps\":{\"2\":25,\"20\":\"white\"}"));
        assert_eq!(pair.queries(), before + 3, "ordinary ones come first on each connection");
        assert_eq!(pair.events.iter().filter(|t| **t == MachineEvent::Dialect(Dialect::Device22)).count(), 1);
        // From now on the query has the form of the dialect.
        let (outcome, _) = ask(&mut pair, &Command::status());
        assert!(is_acknowledged(outcome));
        assert!(pair.nulls().iter().all(|text| text.contains("{\"2\":null,\"20\":null}")), "{:?}", pair.nulls());
        assert_eq!((pair.nulls().len(), pair.queries()), (2, before + 3));
        assert!(is_acknowledged(ask(&mut pair, &set_on()).0));
        // A new connection begins with an ordinary query, and an ordinary answer ends the dialect.
        reconnect(&mut pair);
        assert!(is_acknowledged(ask(&mut pair, &Command::status()).0));
        assert_eq!((pair.device.dialect(), pair.queries()), (Dialect::Device22, before + 4));
        pair.config = emulator(Version::V33);
        reconnect(&mut pair);
        let nulls = pair.nulls().len();
        assert!(is_acknowledged(ask(&mut pair, &Command::status()).0));
        assert_eq!(pair.device.dialect(), Dialect::Default);
        assert_eq!(pair.events.iter().filter(|t| matches!(t, MachineEvent::Dialect(Dialect::Default))).count(), 1);
        assert_eq!(pair.nulls().len(), nulls);
        pair.finish();
    }
}

#[test]
fn device22_of_which_nothing_is_known_shows_dps_when_it_is_asked_to_measure() {
    for config in [
        controller().version(Version::V33),
        controller(),
        controller().version(Version::V33).dialect(Dialect::Device22),
    ] {
        let emulated = quirky(Version::V33, &["clear-errors"]).with_dialect(Dialect::Device22);
        let mut pair = meet(config, emulated);
        for _ in 0..3 {
            let (outcome, text) = ask(&mut pair, &Command::status());
            assert!(is_acknowledged(outcome), "{:?}", pair.events);
            assert!(text.expect("a state").contains("\"20\":\"white\""), "{:?}", pair.events);
        }
        assert!(pair.nulls().iter().all(|text| text.contains("\"20\":null") && !text.contains("\"5\"")));
        pair.finish();
    }
    // A device that refuses and reports nothing gets one update request on each connection.
    let refusing = quirky(Version::V33, &["refuse-queries=4000000000", "update-silence", "null-as-value"]);
    let mut pair = meet(controller().version(Version::V33), refusing);
    for _ in 0..3 {
        for _ in 0..3 {
            assert!(matches!(ask(&mut pair, &Command::status()).0, Outcome::Rejected { .. }));
        }
        reconnect(&mut pair);
    }
    assert_eq!((pair.nulls(), pair.measures()), (Vec::<&str>::new(), 3));
    pair.finish();
}

#[test]
fn a_query_that_names_dps_is_asked_on_a_second_connection_before_it_is_tried_as_device22() {
    let emulated = quirky(Version::V33, &["update-silence"]).with_dialect(Dialect::Device22);
    let mut pair = meet(controller().version(Version::V33), emulated);
    let ids = [DpId(20), DpId(21)];
    assert_eq!(ask(&mut pair, &Command::status_of(&ids)).0, Outcome::ConnectionLost);
    assert!(pair.device.is_up(), "another connection was made at once");
    assert!(pair.queries() >= 3 && pair.nulls().is_empty());
    let (outcome, text) = ask(&mut pair, &Command::status_of(&ids));
    assert!(is_acknowledged(outcome) && text.expect("a state").contains("white"), "{:?}", pair.events);
    assert!(pair.queries() >= 6 && pair.nulls().len() == 1);
    pair.finish();

    // A device that answers an update request needs no query by nulls.
    let emulated = emulator(Version::V33).with_dialect(Dialect::Device22);
    let mut pair = meet(controller().version(Version::V33), emulated);
    assert_eq!(ask(&mut pair, &Command::status_of(&ids)).0, Outcome::ConnectionLost);
    let (outcome, text) = ask(&mut pair, &Command::status_of(&ids));
    assert!(is_acknowledged(outcome) && text.expect("a state").contains("white"), "{:?}", pair.events);
    assert_eq!((pair.nulls().len(), pair.device.dialect()), (0, Dialect::Default));
    pair.finish();
}

#[test]
fn what_proves_device22_holds_what_was_asked_and_is_looked_for_once() {
    // It refuses queries, and treats nulls as values of DPs that it does not have.
    let refusing = quirky(Version::V33, &["refuse-queries=4000000000", "update-silence"]);
    let mut pair = meet(controller().version(Version::V33), refusing);
    let ids = [DpId(7)];
    assert_eq!(ask(&mut pair, &Command::status_of(&ids)).0, Outcome::ConnectionLost);
    for round in 0..3 {
        let status = pair.send("status", &Command::status_of(&ids)).expect("sent");
        let on = pair.send("set", &set_on()).expect("sent");
        pair.run(SECONDS(12));
        assert!(matches!(pair.outcome(status).0, Outcome::Rejected { .. }), "round {round}: {:?}", pair.events);
        assert!(is_acknowledged(pair.outcome(on).0));
        assert_eq!((pair.device.dialect(), pair.nulls().len()), (Dialect::Default, 1));
        reconnect(&mut pair);
    }
    pair.finish();
}

#[test]
fn known_device22_is_asked_for_what_was_heard_written_or_named_and_for_nothing_else() {
    for (version, config) in [
        (Version::V32, controller().version(Version::V32)),
        (Version::V31, controller().version(Version::V31).dialect(Dialect::Device22)),
        (Version::V33, controller().version(Version::V33).dialect(Dialect::Device22)),
        (Version::V34, controller().version(Version::V34).dialect(Dialect::Device22)),
    ] {
        let emulated = quirky(version, &["drop-push", "update-silence"]).with_dialect(Dialect::Device22);
        let mut pair = meet(config, emulated);
        assert_eq!(ask(&mut pair, &Command::status()).0, REFUSED);
        let (outcome, text) = ask(&mut pair, &Command::status_of(&[DpId(20), DpId(21)]));
        assert!(is_acknowledged(outcome) && text.expect("a state").contains("white"));
        ask(&mut pair, &set_on());
        let (outcome, text) = ask(&mut pair, &Command::status());
        assert!(is_acknowledged(outcome));
        assert!(text.expect("a state").contains("\"dps\":{\"1\":true,\"20\":\"white\"}"), "{:?}", pair.events);
        assert_eq!((pair.nulls().len(), pair.queries()), (2, 1), "{version}");
        assert_eq!(pair.device.dialect(), Dialect::Device22);
        pair.finish();
    }
    // Firmware of 3.5 treats nulls as values, in every configuration.
    let config = controller().version(Version::V35).dialect(Dialect::Device22);
    let mut pair = meet(config, quirky(Version::V35, &["null-as-value"]));
    assert!(is_acknowledged(ask(&mut pair, &Command::status_of(&[DpId(2)])).0));
    assert_eq!((pair.nulls().len(), pair.device.dialect()), (0, Dialect::Default));
    pair.finish();
}

#[test]
fn pushes_answer_a_query_that_is_not_answered_otherwise() {
    for version in [Version::V31, Version::V33, Version::V34, Version::V35] {
        for (quirk, limit) in [("query-empty-then-push", 400), ("query-push-only", 1100)] {
            let mut pair = meet(controller().version(version), quirky(version, &[quirk]));
            let query = pair.send("status", &Command::status()).expect("sent");
            pair.run(Duration::from_millis(limit));
            assert_eq!(pair.outcome(query), (Outcome::Acknowledged { retcode: None }, None), "{version} {quirk}");
            let pushed = |told: &MachineEvent| matches!(told, MachineEvent::Message(text) if text.contains("white"));
            assert!(pair.events.iter().any(pushed), "{:?}", pair.events);
            pair.finish();
        }
    }
}

#[test]
fn a_gateway_answers_for_its_children() {
    for version in [Version::V33, Version::V34, Version::V35] {
        let mut pair = meet(controller().version(version), emulator(version));
        for (cid, online) in [("a4c1380000000001", true), ("a4c1380000000002", false)] {
            pair.model.set_child(&Cid::new(cid).expect("valid"), online).expect("room");
            pair.model.set(Some(cid), DpId(1), DpValue::Bool(false)).expect("room");
        }
        let first = pair.send("set child", &set_on().with_cid("a4c1380000000001")).expect("sent");
        let second = pair.send("status child", &Command::status().with_cid("a4c1380000000002")).expect("sent");
        let third = pair.send("status child", &Command::status().with_cid("a4c1380000000001")).expect("sent");
        let list = pair.send("children", &Command::sub_devices()).expect("sent");
        pair.run(SECONDS(2));
        assert!(is_acknowledged(pair.outcome(first).0));
        assert!(pair.outcome(second).1.expect("state").contains("\"cid\":\"a4c1380000000002\""));
        assert!(pair.outcome(third).1.expect("state").contains("\"cid\":\"a4c1380000000001\""));
        let report = pair.outcome(list).1.expect("report");
        assert!(report.contains("\"online\":[\"a4c1380000000001\"]"), "{report}");
        let nobody = pair.send("status nobody", &Command::status().with_cid("nobody")).expect("sent");
        pair.run(SECONDS(6));
        assert_eq!(pair.outcome(nobody).0, Outcome::Unanswered);
        pair.finish();
    }
}

#[test]
fn a_zero_first_byte_is_negotiated_away() {
    for version in [Version::V34, Version::V35] {
        let mut quirks = Quirks::of(version);
        quirks.zero_key = true;
        let mut pair = meet(controller().version(version), emulator(version).with_quirks(quirks));
        assert_eq!(pair.device.stats().failed_attempts, 0, "the same connection serves");
        exchange_commands(&mut pair);
        pair.finish();
    }
}

fn diagnose(config: DeviceConfig, emulated: EmulatorConfig, reach: Reach) -> Pair {
    let mut pair = pair(config, emulated, Delivery::Whole, 11);
    pair.reach = reach;
    pair.run(SECONDS(40));
    pair
}

#[test]
fn a_wrong_key_is_told_from_a_wrong_version() {
    for version in [Version::V34, Version::V35] {
        let mut pair = diagnose(wrong_key().version(version), emulator(version), Reach::Accepts);
        assert_eq!(pair.device.diagnosis(), Some(DownReason::WrongKey { sure: false }), "{version}: {:?}", pair.events);
        pair.finish();
    }
    for speaks in Version::ALL {
        for said in Version::ALL {
            let compatible = !speaks.negotiates() && !said.negotiates();
            if speaks == said || compatible {
                continue;
            }
            let mut pair = diagnose(controller().version(said), emulator(speaks), Reach::Accepts);
            let found = pair.device.diagnosis();
            let right = match found {
                Some(DownReason::WrongVersion { speaks: Some(v) }) => {
                    v == speaks || (speaks == Version::V32 && v == Version::V33)
                }
                Some(DownReason::WrongVersion { speaks: None }) => !speaks.negotiates(),
                _ => false,
            };
            assert!(right, "said {said}, speaks {speaks}: {found:?}, told {:?}", pair.events);
            pair.finish();
        }
    }
}

/// Result of the first contact.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Found {
    /// It is connected, without another event.
    Up(Version),
    /// It is not connected, for this reason.
    Down(DownReason),
}

/// Configures a controller with this version, or none.
fn config_with(version: Option<Version>, right_key: bool) -> DeviceConfig {
    let mut config = if right_key { controller() } else { wrong_key() };
    config.version = version;
    config
}

/// Runs the first contact. Returns its result and duration.
fn first_contact(config: DeviceConfig, emulated: EmulatorConfig, reach: Reach) -> (Found, Duration, Pair) {
    let mut pair = pair(config, emulated, Delivery::Whole, 19);
    pair.reach = reach;
    let begin = pair.now;
    pair.run(SECONDS(2));
    let at = pair.events.iter().rposition(|told| matches!(told, MachineEvent::Up(_) | MachineEvent::Down(_)));
    let at = at.unwrap_or_else(|| panic!("nothing is found out in 2 s"));
    let (told, when) = (pair.events[at].clone(), pair.event_times[at]);
    let found = match told {
        MachineEvent::Up(version) => Found::Up(version),
        MachineEvent::Down(reason) => Found::Down(reason),
        other => panic!("{other:?}"),
    };
    (found, when.saturating_since(begin), pair)
}

/// Checks that no other reason about key or version was reported.
fn only_reason(pair: &Pair, reason: Option<DownReason>) {
    for told in &pair.events {
        if let MachineEvent::Down(told) = told {
            assert!(!told.is_auth() || Some(*told) == reason, "{:?}", pair.events);
        }
    }
}

#[test]
fn key_and_version_are_found_out_within_two_seconds_whatever_is_configured() {
    let configured =
        [None, Some(Version::V31), Some(Version::V32), Some(Version::V33), Some(Version::V34), Some(Version::V35)];
    for speaks in Version::ALL {
        for said in configured {
            for right_key in [true, false] {
                let config = config_with(said, right_key);
                let (found, took, mut pair) = first_contact(config, emulator(speaks), Reach::Accepts);
                let named = if speaks == Version::V32 { Version::V33 } else { speaks };
                let fits = said.is_none_or(|said| said.scheme() == speaks.scheme());
                let expected = match (fits, right_key, speaks) {
                    // No answer of 3.1 proves the key.
                    (true, true, _) | (true, _, Version::V31) => Found::Up(said.unwrap_or(named)),
                    (true, false, Version::V32 | Version::V33) => Found::Down(DownReason::WrongKey { sure: true }),
                    // Devices of 3.4 and 3.5 close on a wrong key, even if the version is wrong, too.
                    (_, false, Version::V34 | Version::V35) => Found::Down(DownReason::WrongKey { sure: false }),
                    (false, _, _) => Found::Down(DownReason::WrongVersion { speaks: Some(named) }),
                };
                assert_eq!(found, expected, "said {said:?}, speaks {speaks}, right key {right_key}: {:?}", pair.events);
                let reason = match found {
                    Found::Up(_) => {
                        assert_eq!(pair.events.iter().filter(|told| matches!(told, MachineEvent::Down(_))).count(), 0);
                        None
                    }
                    Found::Down(reason) => Some(reason),
                };
                only_reason(&pair, reason);
                assert!(took <= SECONDS(2));
                assert_eq!(pair.device.diagnosis(), reason);
                pair.finish();
            }
        }
    }
}

#[test]
fn busy_and_silent_devices_are_found_out_within_two_seconds_whatever_is_configured() {
    let configured =
        [None, Some(Version::V31), Some(Version::V32), Some(Version::V33), Some(Version::V34), Some(Version::V35)];
    for said in configured {
        for (reach, reason) in [(Reach::Busy, DownReason::Busy), (Reach::Mute, DownReason::Silent)] {
            let config = config_with(said, true);
            let (found, took, mut pair) = first_contact(config, emulator(said.unwrap_or(Version::V33)), reach);
            assert_eq!(found, Found::Down(reason), "{said:?}: {:?}", pair.events);
            assert!(took <= SECONDS(2));
            only_reason(&pair, None);
            // Nor later; and it is connected once the device is free.
            pair.run(SECONDS(300));
            only_reason(&pair, None);
            assert_eq!(pair.device.diagnosis(), Some(reason));
            pair.reach = Reach::Accepts;
            pair.cut();
            assert!(pair.run_until(SECONDS(90), |p| p.device.is_up()), "it recovers: {:?}", pair.events);
            pair.finish();
        }
    }
}

#[test]
fn silence_on_a_wrong_key_is_no_proof_of_one() {
    for version in [Version::V34, Version::V35] {
        for said in [None, Some(version)] {
            let mut quirks = Quirks::default();
            quirks.silent_on_wrong_key = true;
            let config = config_with(said, false);
            let (found, _, mut pair) = first_contact(config, emulator(version).with_quirks(quirks), Reach::Accepts);
            let Found::Down(reason) = found else { panic!("{found:?}") };
            assert!(matches!(reason, DownReason::Silent | DownReason::WrongKey { sure: false }), "{:?}", pair.events);
            assert!(reason.advice().contains("key"), "{}", reason.advice());
            pair.finish();
        }
    }
}

#[test]
fn refusals_in_clear_text_make_no_device_3_1() {
    let mut quirks = Quirks::default();
    quirks.set("clear-errors").expect("is known");
    for version in [Version::V32, Version::V33] {
        for dialect in [Dialect::Default, Dialect::Device22] {
            for said in [None, Some(Version::V31), Some(version)] {
                for right_key in [true, false] {
                    let emulated = emulator(version).with_dialect(dialect).with_quirks(quirks.clone());
                    let config = config_with(said, right_key);
                    let (found, _, mut pair) = first_contact(config, emulated, Reach::Accepts);
                    let device22 = dialect == Dialect::Device22 || version == Version::V32;
                    let expected = match said {
                        Some(Version::V31) if right_key && !device22 => {
                            Found::Down(DownReason::WrongVersion { speaks: Some(Version::V33) })
                        }
                        // It reads neither form, and its answer does not prove 3.3.
                        Some(Version::V31) => Found::Down(DownReason::WrongKey { sure: false }),
                        _ if !right_key => Found::Down(DownReason::WrongKey { sure: false }),
                        said => Found::Up(said.unwrap_or(Version::V33)),
                    };
                    assert_eq!(found, expected, "{version} {dialect:?}, said {said:?}, {right_key}: {:?}", pair.events);
                    pair.finish();
                }
            }
        }
    }
}

#[test]
fn slow_devices_are_given_more_time_and_never_blamed() {
    for version in Version::ALL {
        for said in [None, Some(version)] {
            for delay in [500, 1_500, 3_000] {
                let mut quirks = Quirks::default();
                quirks.delay = Duration::from_millis(delay);
                let config = config_with(said, true);
                let mut pair = pair(config, emulator(version).with_quirks(quirks), Delivery::Whole, 23);
                pair.run(SECONDS(60));
                only_reason(&pair, None);
                let downs = pair.events.iter().filter(|told| matches!(told, MachineEvent::Down(_))).count();
                let settled = pair.device.is_up();
                assert!(settled, "{version}, said {said:?}, {delay} ms: {:?}", pair.events);
                pair.run(SECONDS(120));
                assert_eq!(
                    pair.events.iter().filter(|told| matches!(told, MachineEvent::Down(_))).count(),
                    downs,
                    "{:?}",
                    pair.events
                );
                pair.finish();
            }
        }
    }
}

#[test]
fn a_wrong_key_on_3_3_shows_with_the_first_answer() {
    let mut pair = meet(wrong_key().version(Version::V33), emulator(Version::V33));
    let status = pair.send("status", &Command::status()).expect("sent");
    pair.run(SECONDS(1));
    assert_eq!(pair.outcome(status).0, Outcome::ConnectionLost);
    assert_eq!(pair.device.diagnosis(), Some(DownReason::WrongKey { sure: true }), "{:?}", pair.events);
    pair.finish();
}

#[test]
fn a_control_that_meets_silence_under_a_wrong_key_is_diagnosed() {
    for version in [Version::V32, Version::V33] {
        let mut pair = meet(wrong_key().version(version), emulator(version));
        let set = pair.send("set", &set_on()).expect("sent");
        pair.run(SECONDS(2));
        assert_eq!(pair.outcome(set).0, Outcome::ConnectionLost);
        assert_eq!(pair.device.diagnosis(), Some(DownReason::WrongKey { sure: true }), "{:?}", pair.events);
        pair.finish();
    }
}

#[test]
fn busy_mute_and_refusing_devices_are_told_apart() {
    for version in [Version::V33, Version::V34, Version::V35] {
        let expect =
            [(Reach::Busy, DownReason::Busy), (Reach::Refuses, DownReason::Refused), (Reach::Mute, DownReason::Silent)];
        for (reach, reason) in expect {
            let mut pair = diagnose(controller().version(version), emulator(version), reach);
            assert_eq!(pair.device.diagnosis(), Some(reason), "{version} {reach:?}: {:?}", pair.events);
            pair.reach = Reach::Accepts;
            pair.cut();
            assert!(pair.run_until(SECONDS(90), |p| p.device.is_up()), "it recovers: {:?}", pair.events);
            pair.run(SECONDS(1));
            assert_eq!(pair.device.diagnosis(), None);
            pair.finish();
        }
    }
}

#[test]
fn an_announcement_brings_a_device_back_at_once() {
    let mut pair = meet(controller().version(Version::V35), emulator(Version::V35));
    pair.run(SECONDS(5));
    pair.reach = Reach::Refuses;
    pair.cut();
    pair.run(SECONDS(100));
    assert!(!pair.device.is_up());
    pair.reach = Reach::Accepts;
    pair.device.handle_announcement([127, 0, 0, 1].into(), Some(Version::V35), pair.now);
    assert!(pair.run_until(Duration::from_millis(100), |p| p.device.is_up()), "{:?}", pair.events);
    pair.finish();
}

#[test]
fn a_device_that_moved_is_followed_within_a_second() {
    let mut config = controller().version(Version::V35);
    config.address = None;
    let mut pair = pair(config, emulator(Version::V35), Delivery::Whole, 5);
    pair.device.handle_announcement([127, 0, 0, 1].into(), None, pair.now);
    assert!(pair.run_until(SECONDS(2), |p| p.device.is_up()));
    pair.run(SECONDS(3));
    // A forged announcement: the live connection answers and stays.
    pair.device.handle_announcement([127, 0, 0, 66].into(), None, pair.now);
    pair.run(SECONDS(3));
    assert_eq!(pair.events.iter().filter(|t| matches!(t, MachineEvent::Down(_))).count(), 0, "{:?}", pair.events);
    // A genuine one: the old connection is dead without a close.
    pair.config.quirks.silent_after = Some(0);
    pair.reach = Reach::Refuses;
    pair.cut();
    pair.reach = Reach::Accepts;
    assert!(pair.run_until(SECONDS(5), |p| p.device.is_up()));
    pair.config.quirks = Quirks::of(Version::V35);
    pair.run(SECONDS(2));
    pair.device.handle_announcement([127, 0, 0, 2].into(), None, pair.now);
    pair.run(Duration::from_millis(1400));
    assert!(pair.device.is_up() && pair.device.address() == Some([127, 0, 0, 2].into()), "{:?}", pair.events);
    pair.finish();
}

#[test]
fn with_every_quirk_every_command_has_one_outcome() {
    for version in Version::ALL {
        for (name, _) in Quirks::NAMES {
            for seed in 0..6 {
                let mut quirks = Quirks::of(version);
                // Names that take a number get a small one.
                if quirks.set(name).is_err()
                    && quirks.set(&format!("{}2", name.trim_end_matches(|c| c != '='))).is_err()
                {
                    panic!("the listed quirk {name} cannot be set");
                }
                story(version, quirks, seed, name);
            }
        }
    }
}

#[test]
fn with_thousands_of_seeds_every_command_has_one_outcome() {
    for seed in 0..3000 {
        let version = Version::ALL[seed as usize % 5];
        story(version, Quirks::of(version), seed, "faithful");
    }
}

/// A minute of random commands, delays, cuts and outages. The pair itself checks that no command is resolved twice;
/// `finish` checks that none stays open.
fn story(version: Version, quirks: Quirks, seed: u64, name: &str) {
    let mut dice = SeededRng::new(seed.wrapping_mul(0x5851_f42d_4c95_7f2d) ^ 1);
    let dialect = if dice.below(4) == 0 { Dialect::Device22 } else { Dialect::Default };
    let mut config = controller();
    if dice.below(3) > 0 {
        config = config.version(version);
    }
    let emulated = emulator(version).with_dialect(dialect).with_quirks(quirks);
    let delivery = match dice.below(4) {
        0 => Delivery::Whole,
        1 => Delivery::Bytes,
        _ => Delivery::Random(SeededRng::new(dice.bits())),
    };
    let mut pair = pair(config, emulated, delivery, dice.bits());
    let mut sent = 0;
    for _ in 0..30 {
        let command = match dice.below(6) {
            0 | 1 => set_on(),
            2 => Command::status(),
            3 => Command::update_dps(&[DpId(1), DpId(2)]),
            4 => Command::status().with_cid("nobody"),
            _ => Command::sub_devices(),
        };
        match pair.send(name_of(&command), &command) {
            Ok(_) => sent += 1,
            Err(SendError::NotReady | SendError::TooMany | SendError::NoRoom { .. }) => {}
            Err(other) => panic!("{version} {name} seed {seed}: {other}"),
        }
        match dice.below(20) {
            0 => pair.cut(),
            1 => pair.reach = [Reach::Refuses, Reach::Busy, Reach::Mute, Reach::Accepts][dice.below(4) as usize],
            2..=4 => pair.reach = Reach::Accepts,
            5 => pair.device.handle_announcement([127, 0, 0, 1].into(), Some(version), pair.now),
            _ => {}
        }
        pair.run(Duration::from_millis(dice.below(2500)));
    }
    let resolved = pair.events.iter().filter(|t| matches!(t, MachineEvent::Resolved(..))).count();
    assert_eq!(resolved + pair.open.len(), sent, "{version} {name} seed {seed}");
    pair.finish();
    let resolved = pair.events.iter().filter(|t| matches!(t, MachineEvent::Resolved(..))).count();
    assert_eq!(resolved, sent, "{version} {name} seed {seed}");
}

fn name_of(command: &Command<'_>) -> &'static str {
    if format!("{command:?}").contains("LanExtStream") { "children" } else { "command" }
}
