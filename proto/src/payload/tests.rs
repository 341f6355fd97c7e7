//! Requests against the vectors and the tables of request shapes; messages in every shape that devices use.

extern crate std;

use std::collections::HashSet;
use std::string::{String, ToString as _};
use std::vec::Vec;
use std::{format, vec};

use rustuya_vectors::{DevType, Direction, Encoding, Transport, Vector, tinytuya};
use serde_json::Value;

use super::{DeviceError, DpMap, DpValue, Dps, Envelope, Payload, Report, RequestData, wire_code, write_request};
use crate::codec::{Head, Keys, Sender, VersionHeader, seal_body};
use crate::ids::DpId;
use crate::json::Writer;
use crate::version::{Dialect, Version};
use crate::wire::command::CommandCode;

const DEVICE: &str = "eb0123456789abcdefghij";
const OLD_DEVICE: &str = "01234567891234567890";
const CHILD: &str = "a4c1380123456789";

fn envelope(version: Version) -> Envelope<'static> {
    Envelope { version, dialect: Dialect::Default, device: DEVICE, cid: None, unix_time: 1_700_000_000 }
}

fn child(version: Version) -> Envelope<'static> {
    Envelope { device: "G", cid: Some("C"), ..envelope(version) }
}

fn written(envelope: &Envelope<'_>, command: CommandCode, data: RequestData<'_>) -> String {
    let mut buf = [0; 4096];
    let mut w = Writer::new(&mut buf);
    write_request(&mut w, envelope, command, data);
    let len = w.len();
    String::from_utf8(buf[..len].to_vec()).expect("ASCII")
}

/// Returns the command and the data that a client vector was made from; `None` for frames that are not made by the
/// request writer: negotiation and empty heartbeats.
fn request(vector: &Vector) -> Option<(CommandCode, RequestData<'static>)> {
    const ON: RequestData<'_> = RequestData::Dps(DpMap::Pairs(&[(DpId(1), DpValue::Bool(true))]));
    const OFF: RequestData<'_> = RequestData::Dps(DpMap::Pairs(&[(DpId(1), DpValue::Bool(false))]));
    const SEVERAL: RequestData<'_> = RequestData::Dps(DpMap::Pairs(&[
        (DpId(1), DpValue::Bool(true)),
        (DpId(2), DpValue::Int(128)),
        (DpId(5), DpValue::text("ff0000")),
        (DpId(7), DpValue::Int(0)),
    ]));
    const WORD: RequestData<'_> = RequestData::Dps(DpMap::Pairs(&[(DpId(101), DpValue::text("café"))]));
    let (group, what) = vector.name.rsplit_once('/').expect("a name with groups");
    Some(match what {
        "1-start" | "3-finish" | "heartbeat-empty" => return None,
        "control" => (CommandCode::CONTROL, ON),
        "control-multi" => (CommandCode::CONTROL, SEVERAL),
        "control-unicode" => (CommandCode::CONTROL, WORD),
        "control-odd-key" => (CommandCode::CONTROL, OFF),
        "control-new" => (CommandCode::CONTROL_NEW, ON),
        "dp-query" if group.ends_with("/device22") && group != "v3.2/device22" => {
            (CommandCode::DP_QUERY, RequestData::Ids(&[DpId(1), DpId(2), DpId(20), DpId(101)]))
        }
        "dp-query" if group == "v3.2/device22" => (CommandCode::DP_QUERY, RequestData::Ids(&[DpId(1)])),
        "dp-query" => (CommandCode::DP_QUERY, RequestData::None),
        "dp-query-new" => (CommandCode::DP_QUERY_NEW, RequestData::None),
        "heartbeat" => (CommandCode::HEART_BEAT, RequestData::None),
        "updatedps" => (CommandCode::UPDATE_DPS, RequestData::None),
        "updatedps-default" => (CommandCode::UPDATE_DPS, RequestData::Ids(&[DpId(1)])),
        "lan-ext-stream" => (CommandCode::LAN_EXT_STREAM, RequestData::None),
        other => panic!("{}: what is {other}?", vector.name),
    })
}

#[test]
fn every_request_is_written_and_sealed_to_the_same_bytes() {
    let mut made = 0;
    for vector in tinytuya() {
        if (vector.direction, vector.transport) != (Direction::Client, Transport::Tcp) {
            continue;
        }
        let Some((command, data)) = request(vector) else {
            continue;
        };
        let name = &vector.name;
        let version: Version = vector.version.as_str().parse().expect("a version");
        let envelope = Envelope {
            dialect: match vector.dev_type {
                DevType::Default => Dialect::Default,
                DevType::Device22 => Dialect::Device22,
            },
            device: if version == Version::V31 { OLD_DEVICE } else { DEVICE },
            cid: name.contains("/subdevice/").then_some(CHILD),
            ..envelope(version)
        };
        assert_eq!(written(&envelope, command, data), vector.payload, "{name}");

        // Like the machines, writes the text at its final place.
        let code = wire_code(version, envelope.dialect, command);
        assert_eq!(Some(code.0), vector.cmd, "{name}");
        let header =
            (version != Version::V31 && code.carries_version_header()).then(|| VersionHeader::controller(version));
        let head = Head {
            sender: Sender::Controller,
            seqno: vector.seqno.expect("a frame"),
            command: code,
            retcode: None,
            header,
        };
        let key = vector.session_key().or_else(|| vector.local_key()).expect("a key");
        let iv = vector.iv().unwrap_or_default();
        let mut out = [0; 1024];
        let len = seal_body(&Keys::new(version, &key), &head, &iv, &mut out, |w| {
            write_request(w, &envelope, command, data);
        })
        .expect("there is room");
        assert_eq!(out[..len], vector.frame(), "{name}");
        made += 1;
    }
    assert_eq!(made, 74 - 12 - 3);
}

#[test]
fn requests_of_ordinary_devices() {
    use CommandCode as C;
    let on = RequestData::Dps(DpMap::Json("{\"1\" : true}"));
    let owner = format!("\"devId\":\"{DEVICE}\",\"uid\":\"{DEVICE}\",\"t\":\"1700000000\"");
    let both = format!("{{\"gwId\":\"{DEVICE}\",\"devId\":\"{DEVICE}\"}}");
    for version in [Version::V31, Version::V32, Version::V33] {
        let e = envelope(version);
        let control = format!("{{{owner},\"dps\":{{\"1\":true}}}}");
        assert_eq!(written(&e, C::CONTROL, on), control);
        assert_eq!(written(&e, C::CONTROL_NEW, on), control);
        assert_eq!(written(&e, C::DP_QUERY, RequestData::None), format!("{{\"gwId\":\"{DEVICE}\",{owner}}}"));
        assert_eq!(written(&e, C::DP_QUERY_NEW, RequestData::None), format!("{{{owner}}}"));
    }
    for version in [Version::V34, Version::V35] {
        let e = envelope(version);
        let control = r#"{"protocol":5,"t":1700000000,"data":{"dps":{"1":true}}}"#;
        assert_eq!(written(&e, C::CONTROL, on), control);
        assert_eq!(written(&e, C::CONTROL_NEW, on), control);
        assert_eq!(written(&e, C::DP_QUERY, RequestData::None), "{}");
        assert_eq!(written(&e, C::DP_QUERY_NEW, RequestData::None), "{}");
        let ids = RequestData::Ids(&[DpId(1), DpId(2)]);
        assert_eq!(written(&e, C::DP_QUERY, ids), r#"{"dps":{"1":null,"2":null}}"#);
    }
    for version in Version::ALL {
        let e = envelope(version);
        assert_eq!(written(&e, C::HEART_BEAT, RequestData::None), both);
        assert_eq!(written(&e, C::STATUS, RequestData::None), both);
        assert_eq!(written(&e, C::UPDATE_DPS, RequestData::None), r#"{"dpId":[18,19,20]}"#);
        assert_eq!(written(&e, C::UPDATE_DPS, on), r#"{"dpId":[1]}"#);
        assert_eq!(
            written(&e, C::LAN_EXT_STREAM, RequestData::None),
            r#"{"reqType":"subdev_online_stat_query","data":{"cids":[]}}"#
        );
        assert_eq!(
            written(&e, C::LAN_EXT_STREAM, RequestData::Json("{\"cids\": [\"x\"]}")),
            r#"{"reqType":"subdev_online_stat_query","data":{"cids":["x"]}}"#
        );
        for other in [C::AP_CONFIG, C(0x77)] {
            assert_eq!(written(&e, other, RequestData::None), format!("{{\"gwId\":\"{DEVICE}\",{owner}}}"));
        }
    }
}

#[test]
fn requests_of_sub_devices() {
    use CommandCode as C;
    let on = RequestData::Dps(DpMap::Pairs(&[(DpId(1), DpValue::Bool(true))]));
    let none = RequestData::None;
    for version in [Version::V31, Version::V32, Version::V33] {
        let e = child(version);
        for (command, data, json) in [
            (C::CONTROL, on, r#"{"t":1700000000,"cid":"C","dps":{"1":true}}"#),
            (C::DP_QUERY, none, r#"{"t":1700000000,"cid":"C"}"#),
            (C::DP_QUERY_NEW, none, r#"{"devId":"C","uid":"C","t":"1700000000","cid":"C"}"#),
            (C::CONTROL_NEW, on, r#"{"devId":"C","uid":"C","t":"1700000000","cid":"C","dps":{"1":true}}"#),
        ] {
            assert_eq!(written(&e, command, data), json, "{version}");
        }
    }
    for version in [Version::V34, Version::V35] {
        let e = child(version);
        let control = r#"{"protocol":5,"t":1700000000,"data":{"cid":"C","ctype":0,"dps":{"1":true}},"cid":"C"}"#;
        for (command, data, json) in [
            (C::CONTROL, on, control),
            (C::CONTROL_NEW, on, control),
            (C::DP_QUERY, none, r#"{"cid":"C"}"#),
            (C::DP_QUERY_NEW, none, r#"{"cid":"C"}"#),
        ] {
            assert_eq!(written(&e, command, data), json, "{version}");
        }
    }
    for version in Version::ALL {
        let e = child(version);
        assert_eq!(written(&e, C::UPDATE_DPS, none), r#"{"dpId":[18,19,20],"cid":"C"}"#);
        assert_eq!(written(&e, C::HEART_BEAT, none), r#"{"gwId":"G","devId":"C","cid":"C"}"#);
    }
}

#[test]
fn codes_follow_version_and_dialect() {
    use CommandCode as C;
    for version in Version::ALL {
        let new = version.negotiates();
        let control = if new { C::CONTROL_NEW } else { C::CONTROL };
        let query = if new { C::DP_QUERY_NEW } else { C::DP_QUERY };
        for dialect in [Dialect::Default, Dialect::Device22] {
            assert_eq!(wire_code(version, dialect, C::CONTROL), control);
            for same in [C::CONTROL_NEW, C::DP_QUERY_NEW, C::HEART_BEAT, C::UPDATE_DPS, C(0x99)] {
                assert_eq!(wire_code(version, dialect, same), same);
            }
        }
        assert_eq!(wire_code(version, Dialect::Default, C::DP_QUERY), query);
        assert_eq!(wire_code(version, Dialect::Device22, C::DP_QUERY), C::CONTROL_NEW);
    }
}

#[test]
fn device22_queries_are_maps_of_nulls_within_the_limit() {
    for version in Version::ALL {
        let e = Envelope { dialect: Dialect::Device22, ..envelope(version) };
        let owner = format!("\"devId\":\"{DEVICE}\",\"uid\":\"{DEVICE}\",\"t\":\"1700000000\"");
        // A query never writes, whatever its data, and never contains a DP that was not named.
        for (data, nulls) in [
            (RequestData::None, "{}"),
            (RequestData::Json(r#"{"20":true,"7":[{}]}"#), r#"{"20":null,"7":null}"#),
            (RequestData::Json("[1]"), "{}"),
            (RequestData::Dps(DpMap::Pairs(&[(DpId(3), DpValue::Bool(true))])), r#"{"3":null}"#),
            (RequestData::Dps(DpMap::Json(r#"{"3":5}"#)), r#"{"3":null}"#),
        ] {
            assert_eq!(written(&e, CommandCode::DP_QUERY, data), format!("{{{owner},\"dps\":{nulls}}}"));
        }
        for step in [1, 113] {
            let ids: Vec<DpId> = (1..=500).map(|n| DpId(n * step)).collect();
            let json = written(&e, CommandCode::DP_QUERY, RequestData::Ids(&ids));
            assert!((200..=255).contains(&json.len()), "{} bytes", json.len());
            let report = Report::parse(json.as_bytes()).expect("an object");
            let asked: Vec<DpId> = report.dps.expect("a map").map(|(id, _)| id).collect();
            assert_eq!(asked, ids[..asked.len()], "the first ones, in order");
            assert!(report.dps.into_iter().flatten().all(|(_, value)| value == DpValue::Null));
        }
    }
}

#[test]
fn values_are_written_as_they_are_read() {
    let json = r#"{"1":true,"2":-5,"3":"a \"b\" \u00e9","4":21.50,"5":null,"6":[1,{"x":" y "}],"7":false}"#;
    let pairs: Vec<_> = Dps::parse(json.as_bytes()).expect("an object").collect();
    assert_eq!(pairs.len(), 7);
    let data = RequestData::Dps(DpMap::Pairs(&pairs));
    let expected = format!(r#"{{"protocol":5,"t":1700000000,"data":{{"dps":{json}}}}}"#);
    assert_eq!(written(&envelope(Version::V35), CommandCode::CONTROL, data), expected);
    let data = RequestData::Dps(DpMap::Json(json));
    assert_eq!(written(&envelope(Version::V35), CommandCode::CONTROL, data), expected);
}

#[test]
fn maps_to_write_are_checked() {
    for good in [r#"{"1":true}"#, r#" { "1" : null , "255" : [] } "#] {
        assert!(DpMap::Json(good).is_valid(), "{good}");
    }
    for bad in [
        "",
        "{}",
        "[]",
        r#"{"1":true"#,
        r#"{"a":1}"#,
        r#"{"1":1,"b":2}"#,
        r#"{"-1":1}"#,
        r#"{"65536":1}"#,
        r#"{"":1}"#,
        "{\"1\":1}x",
    ] {
        assert!(!DpMap::Json(bad).is_valid(), "{bad}");
    }
    assert!(!DpMap::Pairs(&[]).is_valid());
    assert!(DpMap::Json(r#"{"1":1,"2":null}"#).has_null() && !DpMap::Json(r#"{"1":"null"}"#).has_null());
    assert!(DpMap::Pairs(&[(DpId(1), DpValue::Null)]).has_null());
    let mut ids = Vec::new();
    DpMap::Json(r#"{"7":1,"3":2}"#).each(&mut |id, _| ids.push(id));
    assert_eq!(ids, [DpId(7), DpId(3)]);
}

#[test]
fn every_message_of_the_vectors_is_read() {
    let mut shapes = HashSet::new();
    for vector in tinytuya() {
        if vector.payload_encoding != Encoding::Text || vector.transport != Transport::Tcp {
            continue;
        }
        let name = &vector.name;
        let payload = Payload::new(vector.payload.as_bytes());
        let Ok(json) = serde_json::from_str::<Value>(&vector.payload) else {
            assert!(payload.report().is_none(), "{name}");
            assert_eq!(payload.error().is_some(), !payload.is_empty() && vector.retcode.is_some(), "{name}");
            continue;
        };
        assert_eq!(payload.error(), None, "{name}");
        let report = payload.report().expect("an object");
        let dps = json.get("dps").or_else(|| json.pointer("/data/dps")).and_then(Value::as_object);
        let Some(dps) = dps else {
            assert!(report.dps.is_none(), "{name}");
            continue;
        };
        for (key, value) in dps {
            let ours = report.value(DpId(key.parse().expect("a number"))).expect("a DP");
            let same = match ours {
                DpValue::Null => value.is_null(),
                DpValue::Bool(b) => value.as_bool() == Some(b),
                DpValue::Int(i) => value.as_i64() == Some(i),
                DpValue::Float(f) => value.as_f64() == Some(f.to_f64()),
                DpValue::Str(text) => value.as_str() == Some(&text.to_string()),
                DpValue::Json(_) => value.is_array() || value.is_object(),
            };
            assert!(same, "{name}: {key}: {ours:?}");
            shapes.insert(core::mem::discriminant(&ours));
        }
        assert_eq!(report.dps.into_iter().flatten().count(), dps.len(), "{name}");
    }
    assert!(shapes.len() >= 4);
}

fn parsed(json: &str) -> Report<'_> {
    Report::parse(json.as_bytes()).unwrap_or_else(|| panic!("{json}"))
}

#[test]
fn messages_of_every_shape() {
    for json in [
        r#"{"devId":"D","dps":{"1":true}}"#,
        r#"{"dps":{"1":true},"devId":"D"}"#,
        r#"{"devId":"D","dps":{"1":true},"t":1529442366,"s":8}"#,
        r#"{"protocol":4,"t":1529442366,"data":{"dps":{"1":true},"devId":"D","seq":"7"}}"#,
        r#" { "protocol" : 4 , "data" : { "devId":"D", "dps" : { "1" : true } } , "t" : 809 } "#,
    ] {
        let report = parsed(json);
        assert_eq!(report.value(DpId(1)), Some(DpValue::Bool(true)), "{json}");
        assert_eq!(report.device_id.expect("an id"), *"D", "{json}");
        assert!(report.cid.is_none() && !report.from_query, "{json}");
    }
    for json in [
        r#"{"dps":{"1":true},"cid":"C"}"#,
        r#"{"dps":{"1":true},"cid":"C","t":5}"#,
        r#"{"protocol":4,"t":5,"data":{"dps":{"1":true},"cid":"C"}}"#,
        r#"{"protocol":4,"t":5,"data":{"dps":{"1":true}},"cid":"C"}"#,
    ] {
        let report = parsed(json);
        assert_eq!(report.cid.expect("a cid"), *"C", "{json}");
        assert_eq!(report.value(DpId(1)), Some(DpValue::Bool(true)), "{json}");
    }
    assert_eq!(parsed(r#"{"dps":{},"t":"1700000000"}"#).time, Some(1_700_000_000));
    assert_eq!(parsed(r#"{"protocol":4,"t":809,"data":{"dps":{}}}"#).time, Some(809));
    assert!(parsed(r#"{"protocol":4,"t":5,"data":{"type":"query","dps":{"18":4}}}"#).from_query);
    // The top level wins where both have it.
    let both = parsed(r#"{"data":{"dps":{"1":2},"cid":"inner"},"dps":{"1":1},"cid":"outer"}"#);
    assert_eq!(both.value(DpId(1)), Some(DpValue::Int(1)));
    assert_eq!(both.cid.expect("a cid"), *"outer");
    // An object without DPs is no error.
    assert!(parsed("{}").dps.is_none());
    assert!(parsed(r#"{"data":null,"dps":[1],"cid":7,"t":"soon"}"#).dps.is_none());
}

#[test]
fn odd_keys_and_values_of_dps() {
    let json = b"{\"dps\":{\"1\":1,\"x\":2,\"\":3,\"70000\":4,\"-1\":5,\"2\":\"caf\xe9\",\"3\":1e400,\"4\":18446744073709551616}}";
    let report = Report::parse(json).expect("an object");
    let ids: Vec<u16> = report.dps.expect("DPs").map(|(id, _)| id.0).collect();
    assert_eq!(ids, [1, 2, 3, 4]);
    let Some(DpValue::Str(text)) = report.value(DpId(2)) else {
        panic!("not a text");
    };
    assert_eq!(text.to_string(), "caf\u{fffd}");
    assert_eq!(report.value(DpId(2)).and_then(|value| value.as_str()), None);
    assert!(matches!(report.value(DpId(3)), Some(DpValue::Float(f)) if f.to_f64().is_infinite()));
    assert!(matches!(report.value(DpId(4)), Some(DpValue::Float(f)) if f.as_str().len() == 20));
    assert_eq!(report.value(DpId(5)), None);
}

#[test]
fn messages_that_are_not_whole_are_refused() {
    let whole = r#"{"protocol":4,"t":5,"data":{"dps":{"1":[1,{"a":"}"}]}}}"#;
    assert!(Report::parse(whole.as_bytes()).is_some());
    for end in 0..whole.len() {
        assert!(Report::parse(&whole.as_bytes()[..end]).is_none(), "{}", &whole[..end]);
    }
    for bad in ["[]", "null", "dps", "{\"a\":}", "{a}"] {
        assert!(Report::parse(bad.as_bytes()).is_none(), "{bad}");
    }
}

#[test]
fn sub_device_lists() {
    let list = |list: Option<super::CidList<'_>>| list.map(|l| l.map(|c| c.to_string()).collect::<Vec<_>>());
    let report =
        parsed(r#"{"reqType":"subdev_online_stat_report","data":{"online":["a","b"],"offline":[],"nearby":["c",7]}}"#);
    assert_eq!(report.req_type.expect("a type"), *"subdev_online_stat_report");
    assert_eq!(list(report.online), Some(vec!["a".to_string(), "b".to_string()]));
    assert_eq!(list(report.offline), Some(vec![]));
    assert_eq!(list(report.nearby), Some(vec!["c".to_string()]), "what is no text is passed over");
    let part = parsed(r#"{"reqType":"subdev_online_stat_report","data":{"offline":["x"]}}"#);
    assert_eq!((list(part.online), list(part.offline)), (None, Some(vec!["x".to_string()])));
}

#[test]
fn refusals_are_known_by_their_words() {
    use DeviceError as E;
    for (text, error) in [
        ("json obj data unvalid", Some(E::DataUnvalid)),
        ("data unvalid", Some(E::DataUnvalid)),
        ("cmd: data unvalid!", Some(E::DataUnvalid)),
        ("data format error", Some(E::DataFormat)),
        ("parse data error", Some(E::ParseData)),
        ("gw id invalid", Some(E::GwIdInvalid)),
        ("devid not found", Some(E::DevidNotFound)),
        ("parse data error\0\0\0", Some(E::ParseData)),
        ("data format error  ", Some(E::DataFormat)),
        ("something else", None),
        ("", None),
        (r#"{"error":"data unvalid"}"#, None),
    ] {
        let payload = Payload::new(text.as_bytes());
        assert_eq!(payload.error(), error, "{text}");
        assert_eq!(payload.is_plain_text(), !text.is_empty() && !text.starts_with('{'), "{text}");
    }
    for error in [E::DataUnvalid, E::DataFormat, E::ParseData, E::GwIdInvalid, E::DevidNotFound] {
        assert_eq!(Payload::new(error.text().as_bytes()).error(), Some(error));
    }
    assert!(Payload::new(b"\0 \0").is_empty());
    assert_eq!(Payload::new(b"{}\0\0").as_bytes(), b"{}");
}

#[test]
fn requests_are_distinguished_from_answers() {
    let is_request = |text: &str| Payload::new(text.as_bytes()).report().is_some_and(|report| report.is_request);
    for ours in [r#"{"devId":"a","uid":"a","t":"1","dps":{"1":true}}"#, r#"{"dpId":[18,19]}"#] {
        assert!(is_request(ours), "{ours}");
    }
    let question = r#"{"reqType":"subdev_online_stat_query","data":{"cids":[]}}"#;
    let answer = r#"{"reqType":"subdev_online_stat_report","data":{"online":[],"reqType":"subdev_online_stat_query"}}"#;
    for (text, ours) in [(question, true), (r#"{"protocol":5,"data":{}}"#, true), (answer, false)] {
        assert_eq!(Payload::new(text.as_bytes()).report().map(|report| report.from_controller), Some(ours), "{text}");
    }
    for theirs in [
        r#"{"devId":"a","gwId":"a","dps":{"1":true}}"#,
        r#"{"devId":"a","dps":{"1":true},"uid":"","t":1}"#,
        r#"{"dps":{"1":"uid"}}"#,
        r#"{"data":{"uid":"a","dpId":[1]}}"#,
        "{}",
        "",
    ] {
        assert!(!is_request(theirs), "{theirs}");
    }
}

#[test]
fn repeated_members_use_the_last_and_the_top_level_first() {
    for (json, wanted) in [
        (r#"{"dps":{"1":1},"dps":{"1":2},"t":5,"t":6}"#, 2),
        (r#"{"data":{"dps":{"1":1},"dps":{"1":2},"t":5,"t":6}}"#, 2),
        (r#"{"data":{"dps":{"1":1},"t":5},"data":{"dps":{"1":2},"t":6}}"#, 2),
        (r#"{"dps":{"1":3},"t":6,"data":{"dps":{"1":2},"t":4}}"#, 3),
        (r#"{"data":{"dps":{"1":2},"t":4},"dps":{"1":3},"t":6,"data":{"dps":{"1":1},"t":4}}"#, 3),
    ] {
        let report = Payload::new(json.as_bytes()).report().expect("a report");
        assert_eq!((report.value(DpId(1)), report.time), (Some(DpValue::Int(wanted)), Some(6)), "{json}");
    }
}
