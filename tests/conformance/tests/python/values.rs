//! Conversion of Python's results to those of drivers. Panics on anything unexpected: nothing is filled in.

use core::net::{IpAddr, Ipv4Addr};
use core::str::FromStr as _;

use rustuya_conformance::{Answer, Counters, FoundDevice, ReceivedEvent, Snapshot, WhyStale};
use rustuya_proto::{Dialect, DownReason, Repeated, Version};
use rustuya_runtime::CommandError;
use serde_json::{Map, Value};

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

fn flag(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| panic!("no flag: {value}"))
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no number: {value}"))
}

pub(crate) fn count(value: &Value) -> usize {
    usize::try_from(number(value)).expect("a count")
}

pub(crate) fn map(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap_or_else(|| panic!("no map: {value}")).clone()
}

fn version(value: &Value) -> Version {
    Version::from_str(text(value)).unwrap_or_else(|_| panic!("no version: {value}"))
}

/// Converts a version; `None` for "Auto".
fn known_version(value: &Value) -> Option<Version> {
    (text(value) != "Auto").then(|| version(value))
}

fn dialect(value: &Value) -> Dialect {
    match text(value) {
        "default" => Dialect::Default,
        "device22" => Dialect::Device22,
        other => panic!("no dialect: {other}"),
    }
}

/// Reasons by name, with number and exception class.
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

fn reason(value: &Value) -> DownReason {
    let name = text(&value["reason"]);
    let code = REASONS.iter().find(|(known, ..)| *known == name).map(|(_, code, _)| *code);
    assert_eq!(Some(number(&value["code"])), code, "{value}");
    let speaks = &value["speaks"];
    let sure = flag(&value["sure"]);
    assert!(sure || matches!(name, "wrong_key" | "key_or_version"), "{value}");
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
        _ => panic!("no reason: {value}"),
    }
}

/// Converts a diagnosis, or None.
pub(crate) fn diagnosis(value: &Value) -> Option<DownReason> {
    (!value.is_null()).then(|| reason(value))
}

/// Converts an exception.
fn error(value: &Value) -> CommandError {
    let (class, sent) = (text(&value["class"]), flag(&value["was_sent"]));
    let code = number(&value["code"]);
    if class == "PartialWrite" {
        let cause = Box::new(error(&value["cause"]));
        assert!(sent && code == number(&value["cause"]["code"]), "{value}");
        assert_eq!(value["diagnosis"], value["cause"]["diagnosis"]);
        let [acknowledged, uncertain, failed] = ["acknowledged", "uncertain", "failed"].map(|name| dps(&value[name]));
        return CommandError::Partial { acknowledged, uncertain, failed, cause };
    }
    if let Some(reason) = diagnosis(&value["diagnosis"]) {
        let name = text(&value["diagnosis"]["reason"]);
        let own = REASONS.iter().find(|(known, ..)| *known == name).expect("is known by now");
        let lost = sent && !reason.is_auth() && reason != DownReason::Unresponsive;
        let (wanted, number) = if lost { ("ConnectionLost", 901) } else { (own.2, own.1) };
        assert_eq!((class, code), (wanted, number), "{value}");
        return if sent {
            CommandError::ConnectionLost { reason }
        } else {
            CommandError::NotConnected { reason: Some(reason) }
        };
    }
    match (class, code, sent) {
        ("CommandRejected", 904, true) => CommandError::Rejected {
            retcode: value["retcode"].as_u64().map(|code| u32::try_from(code).expect("32 bits")),
            text: text(&value["text"]).to_owned(),
        },
        ("DeviceTimeout", 902, true) => CommandError::Unanswered,
        ("DeviceOffline", 905, false) => CommandError::NotConnected { reason: None },
        ("SubDeviceOffline", 905, false) => CommandError::SubDeviceOffline,
        ("DeviceBusy", 902, false) => CommandError::Busy,
        ("ClosedError", 906, false) => CommandError::Closed,
        ("TooLarge", 903, false) => CommandError::TooLarge,
        ("NoEffect", 904, true) => {
            CommandError::NoEffect { wanted: Box::new(map(&value["wanted"])), shown: Box::new(map(&value["shown"])) }
        }
        ("TooLarge", 904, true) => {
            CommandError::AnswerTooLarge { len: count(&value["size"]), limit: count(&value["limit"]) }
        }
        ("InvalidDp", 903, false) => CommandError::InvalidDp(text(&value["dp"]).to_owned()),
        // Python has a separate error for a value of a wrong type.
        ("InvalidValue", 903, false) | ("InvalidType", 912, false) => {
            CommandError::InvalidValue(text(&value["words"]).to_owned())
        }
        _ => panic!("no error of a command: {value}"),
    }
}

fn dps(value: &Value) -> Vec<u16> {
    let numbers = value.as_array().unwrap_or_else(|| panic!("no list: {value}")).iter();
    numbers.map(|dp| u16::try_from(count(dp)).expect("a DP")).collect()
}

/// Converts a found device. Python does not tell whether it is new.
fn found(value: &Value) -> FoundDevice {
    let known = &value["version"];
    FoundDevice {
        id: text(&value["id"]).to_owned(),
        ip: text(&value["ip"]).parse::<Ipv4Addr>().expect("an address"),
        version: (!known.is_null()).then(|| version(known)),
        new: None,
    }
}

fn only(value: &Value) -> (String, &Value) {
    let map = value.as_object().unwrap_or_else(|| panic!("no map: {value}"));
    let (name, value) = map.iter().next().unwrap_or_else(|| panic!("an empty map"));
    assert_eq!(map.len(), 1, "{value}");
    (name.clone(), value)
}

/// Converts the result of a command.
pub(crate) fn answer(value: &Value) -> Answer {
    let (name, value) = only(value);
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
        _ => panic!("no answer: {value}"),
    }
}

/// Converts an event.
pub(crate) fn event(value: &Value) -> ReceivedEvent {
    let (name, value) = only(value);
    match &*name {
        "end" => ReceivedEvent::End,
        "up" => ReceivedEvent::Up(version(value)),
        "down" => ReceivedEvent::Down(reason(value)),
        "message" => {
            let cid = &value["cid"];
            ReceivedEvent::Message { cid: (!cid.is_null()).then(|| text(cid).to_owned()), dps: map(&value["dps"]) }
        }
        "child" => ReceivedEvent::Child(text(&value["cid"]).to_owned(), flag(&value["online"])),
        "error" => ReceivedEvent::Failed(error(value)),
        "dialect" => ReceivedEvent::Dialect(dialect(value)),
        "skipped" => ReceivedEvent::Skipped(count(value)),
        "values_dropped" => ReceivedEvent::ValuesDropped(number(value)),
        "ignored" => ReceivedEvent::Ignored(match text(value) {
            "reflected" => Repeated::Reflected,
            "replayed" => Repeated::Replayed,
            other => panic!("no reason to ignore a frame: {other}"),
        }),
        "lagged" => ReceivedEvent::Lagged(number(value)),
        "fresh" => ReceivedEvent::Fresh,
        "stale" => ReceivedEvent::Stale(stale(value)),
        _ => panic!("no news: {value}"),
    }
}

/// Converts the reason why a state may be out of date.
pub(crate) fn stale(value: &Value) -> WhyStale {
    match text(value) {
        "not_connected" => WhyStale::NotConnected,
        "not_reported" => WhyStale::NotReported,
        "partly" => WhyStale::Partly,
        "failed" => WhyStale::Failed,
        "sub_device_offline" => WhyStale::SubDeviceOffline,
        other => panic!("no reason: {other}"),
    }
}

/// Converts the snapshot of a device.
pub(crate) fn snapshot(value: &Value) -> Snapshot {
    let counter = |name: &str| number(&value["counters"][name]);
    let address = text(&value["address"]);
    Snapshot {
        connected: flag(&value["connected"]),
        version: known_version(&value["version"]),
        dialect: dialect(&value["dialect"]),
        diagnosis: diagnosis(&value["diagnosis"]),
        address: (address != "Auto").then(|| address.parse::<IpAddr>().expect("an address")),
        port: u16::try_from(number(&value["port"])).expect("a port"),
        closed: flag(&value["closed"]),
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

/// Converts a device's entry in a list: whether it is connected, and its diagnosis.
pub(crate) fn listed(value: &Value) -> Option<(bool, Option<DownReason>)> {
    (!value.is_null()).then(|| (flag(&value["connected"]), diagnosis(&value["diagnosis"])))
}
