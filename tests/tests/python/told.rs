//! What Python shows, as what drivers show. Nothing is filled in: what does not fit is a panic.

use core::net::{IpAddr, Ipv4Addr};
use core::str::FromStr as _;

use rustuya_proto::{Dialect, DownReason, Repeated, Version};
use rustuya_runtime::CommandError;
use rustuya_tests::conformance::{Answer, Counters, Heard, Look, Sighted, WhyStale};
use serde_json::{Map, Value};

fn text(told: &Value) -> &str {
    told.as_str().unwrap_or_else(|| panic!("no text: {told}"))
}

fn flag(told: &Value) -> bool {
    told.as_bool().unwrap_or_else(|| panic!("no flag: {told}"))
}

fn number(told: &Value) -> u64 {
    told.as_u64().unwrap_or_else(|| panic!("no number: {told}"))
}

pub(crate) fn count(told: &Value) -> usize {
    usize::try_from(number(told)).expect("a count")
}

pub(crate) fn map(told: &Value) -> Map<String, Value> {
    told.as_object().unwrap_or_else(|| panic!("no map: {told}")).clone()
}

fn version(told: &Value) -> Version {
    Version::from_str(text(told)).unwrap_or_else(|_| panic!("no version: {told}"))
}

/// A version, where "Auto" stands for none.
fn known_version(told: &Value) -> Option<Version> {
    (text(told) != "Auto").then(|| version(told))
}

fn dialect(told: &Value) -> Dialect {
    match text(told) {
        "default" => Dialect::Default,
        "device22" => Dialect::Device22,
        other => panic!("no dialect: {other}"),
    }
}

/// Each reason by its name, with its number and the class that it is raised as.
const REASONS: [(&str, u64, &str); 16] = [
    ("unreachable", 905, "DeviceOffline"),
    ("refused", 901, "DeviceOffline"),
    ("busy", 901, "DeviceBusy"),
    ("silent", 902, "DeviceTimeout"),
    ("wrong_key", 914, "WrongKey"),
    ("wrong_version", 914, "WrongVersion"),
    ("too_old", 914, "WrongVersion"),
    ("left_out", 914, "WrongVersion"),
    ("key_or_version", 914, "KeyOrVersionError"),
    ("peer_closed", 901, "ConnectionLost"),
    ("unresponsive", 902, "DeviceTimeout"),
    ("garbage", 904, "PayloadError"),
    ("unresolved", 905, "DeviceOffline"),
    ("out_of_descriptors", 901, "OutOfDescriptors"),
    ("relayed", 905, "DeviceOffline"),
    ("ended", 906, "ClosedError"),
];

fn reason(told: &Value) -> DownReason {
    let name = text(&told["reason"]);
    let code = REASONS.iter().find(|(known, ..)| *known == name).map(|(_, code, _)| *code);
    assert_eq!(Some(number(&told["code"])), code, "{told}");
    let speaks = &told["speaks"];
    let sure = flag(&told["sure"]);
    assert!(sure || matches!(name, "wrong_key" | "key_or_version"), "{told}");
    match name {
        "unreachable" => DownReason::Unreachable,
        "refused" => DownReason::Refused,
        "busy" => DownReason::Busy,
        "silent" => DownReason::Silent,
        "wrong_key" => DownReason::WrongKey { sure },
        "wrong_version" => DownReason::WrongVersion { speaks: (!speaks.is_null()).then(|| version(speaks)) },
        "too_old" => DownReason::TooOld { version: version(speaks) },
        "left_out" => DownReason::LeftOut { version: version(speaks) },
        "key_or_version" => DownReason::KeyOrVersion,
        "peer_closed" => DownReason::PeerClosed,
        "unresponsive" => DownReason::Unresponsive,
        "garbage" => DownReason::Garbage,
        "unresolved" => DownReason::Unresolved,
        "out_of_descriptors" => DownReason::OutOfDescriptors,
        "relayed" => DownReason::Relayed,
        "ended" => DownReason::Ended,
        _ => panic!("no reason: {told}"),
    }
}

/// A diagnosis, or none.
pub(crate) fn diagnosis(told: &Value) -> Option<DownReason> {
    (!told.is_null()).then(|| reason(told))
}

/// An exception.
fn error(told: &Value) -> CommandError {
    let (class, sent) = (text(&told["class"]), flag(&told["was_sent"]));
    let code = number(&told["code"]);
    if class == "PartialWrite" {
        let cause = Box::new(error(&told["cause"]));
        assert!(sent && code == number(&told["cause"]["code"]), "{told}");
        assert_eq!(told["diagnosis"], told["cause"]["diagnosis"]);
        let [acknowledged, uncertain, failed] = ["acknowledged", "uncertain", "failed"].map(|name| dps(&told[name]));
        return CommandError::Partial { acknowledged, uncertain, failed, cause };
    }
    if let Some(reason) = diagnosis(&told["diagnosis"]) {
        let name = text(&told["diagnosis"]["reason"]);
        let own = REASONS.iter().find(|(known, ..)| *known == name).expect("is known by now");
        let lost = sent && !reason.is_auth() && reason != DownReason::Unresponsive;
        let (wanted, number) = if lost { ("ConnectionLost", 901) } else { (own.2, own.1) };
        assert_eq!((class, code), (wanted, number), "{told}");
        return if sent {
            CommandError::ConnectionLost { reason }
        } else {
            CommandError::NotConnected { reason: Some(reason) }
        };
    }
    match (class, code, sent) {
        ("CommandRejected", 904, true) => CommandError::Rejected {
            retcode: told["retcode"].as_u64().map(|code| u32::try_from(code).expect("32 bits")),
            text: text(&told["text"]).to_owned(),
        },
        ("DeviceTimeout", 902, true) => CommandError::Unanswered,
        ("DeviceOffline", 905, false) => CommandError::NotConnected { reason: None },
        ("SubDeviceOffline", 905, false) => CommandError::SubDeviceOffline,
        ("DeviceBusy", 902, false) => CommandError::Busy,
        ("ClosedError", 906, false) => CommandError::Closed,
        ("TooLarge", 903, false) => CommandError::TooLarge,
        ("NoEffect", 904, true) => {
            CommandError::NoEffect { wanted: Box::new(map(&told["wanted"])), shown: Box::new(map(&told["shown"])) }
        }
        ("TooLarge", 904, true) => {
            CommandError::AnswerTooLarge { len: count(&told["size"]), limit: count(&told["limit"]) }
        }
        ("InvalidDp", 903, false) => CommandError::InvalidDp(text(&told["dp"]).to_owned()),
        // In Python, a value of a wrong type is an error of its own.
        ("InvalidValue", 903, false) | ("InvalidType", 912, false) => {
            CommandError::InvalidValue(text(&told["words"]).to_owned())
        }
        _ => panic!("no error of a command: {told}"),
    }
}

fn dps(told: &Value) -> Vec<u16> {
    let numbers = told.as_array().unwrap_or_else(|| panic!("no list: {told}")).iter();
    numbers.map(|dp| u16::try_from(count(dp)).expect("a DP")).collect()
}

/// A device that was found. Python does not say whether it is news.
fn found(told: &Value) -> Sighted {
    let known = &told["version"];
    Sighted {
        id: text(&told["id"]).to_owned(),
        ip: text(&told["ip"]).parse::<Ipv4Addr>().expect("an address"),
        version: (!known.is_null()).then(|| version(known)),
        new: None,
    }
}

fn only(told: &Value) -> (String, &Value) {
    let map = told.as_object().unwrap_or_else(|| panic!("no map: {told}"));
    let (name, value) = map.iter().next().unwrap_or_else(|| panic!("an empty map"));
    assert_eq!(map.len(), 1, "{told}");
    (name.clone(), value)
}

/// What came of a command.
pub(crate) fn answer(told: &Value) -> Answer {
    let (name, value) = only(told);
    match &*name {
        "done" => Answer::Done,
        "reply" => {
            let payload = &value["payload"];
            Answer::Reply { dps: map(&value["dps"]), payload: (!payload.is_null()).then(|| payload.clone()) }
        }
        "up" => Answer::Up(version(value)),
        "ids" => {
            let ids = value.as_array().expect("a list").iter();
            Answer::Ids(ids.map(|id| u16::try_from(number(id)).expect("a DP")).collect())
        }
        "settled" => {
            let all = value.as_array().expect("a list").iter();
            Answer::Settled(all.map(|info| listed(info).expect("what is known of a device")).collect())
        }
        "found" => Answer::Found(value.as_array().expect("a list").iter().map(found).collect()),
        "error" => Answer::Failed(error(value)),
        "failed" => panic!("{}", text(value)),
        _ => panic!("no answer: {told}"),
    }
}

/// An event.
pub(crate) fn heard(told: &Value) -> Heard {
    let (name, value) = only(told);
    match &*name {
        "end" => Heard::End,
        "up" => Heard::Up(version(value)),
        "down" => Heard::Down(reason(value)),
        "message" => {
            let cid = &value["cid"];
            Heard::Message { cid: (!cid.is_null()).then(|| text(cid).to_owned()), dps: map(&value["dps"]) }
        }
        "child" => Heard::Child(text(&value["cid"]).to_owned(), flag(&value["online"])),
        "error" => Heard::Failed(error(value)),
        "dialect" => Heard::Dialect(dialect(value)),
        "skipped" => Heard::Skipped(count(value)),
        "unkept" => Heard::Unkept(number(value)),
        "ignored" => Heard::Ignored(match text(value) {
            "reflected" => Repeated::Reflected,
            "replayed" => Repeated::Replayed,
            other => panic!("no reason to ignore a frame: {other}"),
        }),
        "lagged" => Heard::Lagged(number(value)),
        "fresh" => Heard::Fresh,
        "stale" => Heard::Stale(stale(value)),
        _ => panic!("no news: {told}"),
    }
}

/// Why a state may be out of date.
pub(crate) fn stale(told: &Value) -> WhyStale {
    match text(told) {
        "not_connected" => WhyStale::NotConnected,
        "not_told" => WhyStale::NotTold,
        "partly" => WhyStale::Partly,
        "failed" => WhyStale::Failed,
        "sub_device_offline" => WhyStale::SubDeviceOffline,
        other => panic!("no reason: {other}"),
    }
}

/// What is known of a device.
pub(crate) fn look(told: &Value) -> Look {
    let counter = |name: &str| number(&told["counters"][name]);
    let address = text(&told["address"]);
    Look {
        connected: flag(&told["connected"]),
        version: known_version(&told["version"]),
        dialect: dialect(&told["dialect"]),
        diagnosis: diagnosis(&told["diagnosis"]),
        address: (address != "Auto").then(|| address.parse::<IpAddr>().expect("an address")),
        port: u16::try_from(number(&told["port"])).expect("a port"),
        closed: flag(&told["closed"]),
        counters: Counters {
            connects: counter("connects"),
            bad_frames: counter("bad_frames"),
            ignored: counter("ignored"),
            resyncs: counter("resyncs"),
            lagged: counter("lagged"),
            ..Counters::default()
        },
    }
}

/// Whether a device is connected, and why not, in a list.
pub(crate) fn listed(told: &Value) -> Option<(bool, Option<DownReason>)> {
    (!told.is_null()).then(|| (flag(&told["connected"]), diagnosis(&told["diagnosis"])))
}
