use rustuya_proto::{DeviceId, Dialect, InvalidKey, LocalKey, Version};
use serde_json::Value;

use super::*;
use crate::device::Device;
use crate::report::error::ConfigError;
use crate::text::NotText;

const KEY: &str = "0123456789abcdef";

fn file(text: &str) -> DevicesFile {
    DevicesFile::parse(text.as_bytes()).expect("a list")
}

fn one<'a>(file: &'a DevicesFile, wanted: &str) -> &'a DeviceEntry {
    file.find(wanted).expect("clear").expect("listed")
}

#[test]
fn what_the_file_leaves_empty_is_unknown() {
    let file = file(
        r#"[{"id":"a","name":"","key":"","ip":"","version":"","parent":null},
            {"id":"b","ip":"::1","ver":3.4,"port":7},{"id":"c","ip":5,"version":"","ver":"3.5","port":"x"}]"#,
    );
    let a = one(&file, "a");
    assert_eq!((a.name(), a.ip(), a.port(), a.version(), a.is_sub_device()), (None, None, None, None, false));
    assert_eq!(a.local_key(), Ok(None));
    assert!(matches!(a.builder(), Err(ConfigError::Key(_))));
    let b = one(&file, "b");
    assert_eq!((b.ip(), b.version(), b.port()), ("::1".parse().ok(), Some(Version::V34), Some(7)));
    assert_eq!((one(&file, "c").ip(), one(&file, "c").version()), (None, Some(Version::V35)));
}

#[test]
fn a_sub_device_finds_its_gateway_by_name_or_by_key() {
    let file = file(
        r#"[{"id":"g","uuid":"g1","key":"0123456789abcdef"},{"id":"h","key":"fedcba9876543210"},
            {"id":"c","node_id":"c1","parent":"h","key":"0123456789abcdef"},
            {"id":"d","cid":"d1","parent":"","key":"0123456789abcdef"},
            {"id":"e","sub":true,"uuid":"e1","key":"another key here"},
            {"id":"f","uuid":"f1","sub":true,"node_id":"f2","parent":"gone"}]"#,
    );
    let gateway_of = |id: &str| file.gateway(one(&file, id)).map(DeviceEntry::id);
    assert_eq!((gateway_of("c"), gateway_of("d"), gateway_of("e")), (Some("h"), Some("g"), None));
    assert_eq!((gateway_of("f"), gateway_of("g")), (None, None));
    assert_eq!((one(&file, "c").cid(), one(&file, "d").cid()), (Some("c1"), Some("d1")));
    // Older lists name no node: the uuid of a sub-device is its cid. Every other device has a uuid, too.
    assert_eq!((one(&file, "e").cid(), one(&file, "f").cid(), one(&file, "g").cid()), (Some("e1"), Some("f2"), None));
    assert_eq!((one(&file, "c").parent(), one(&file, "d").parent()), (Some("h"), None));
    assert_eq!(file.devices().filter(|listed| listed.is_sub_device()).count(), 4);
    assert_eq!(one(&file, "c").builder(), Err(ConfigError::SubDevice));
}

#[test]
fn names_serve_as_long_as_they_are_clear() {
    let file = file(r#"[{"id":"a","name":"lamp"},{"id":"b","name":"fan"},{"id":"c","name":"fan"}]"#);
    assert_eq!(one(&file, "lamp").id(), "a");
    assert!(matches!(file.find("fan"), Err(DevicesFileError::Ambiguous(name)) if name == "fan"));
    assert!(file.find("heater").expect("clear").is_none());
}

#[test]
fn a_snapshot_is_read_with_its_states_passed_over() {
    let file = file(
        r#"{"timestamp":1700000000.5,"devices":[5,{"name":"nobody"},
            {"id":"a","ip":"192.0.2.7","ver":"3.3","origin":"broadcast","name":"lamp","key":"0123456789abcdef",
             "mac":"","dps":{"dps":{"1":true,"id":"x"}}},{"gwId":"b","ip":"","ver":""}]}"#,
    );
    let ids: Vec<&str> = file.devices().map(DeviceEntry::id).collect();
    assert_eq!((ids, file.len(), file.is_empty()), (vec!["a", "b"], 2, false));
    let builder = one(&file, "lamp").builder().expect("complete");
    let key = LocalKey::from_text(KEY).expect("a key");
    let expected = Device::builder_with(DeviceId::new("a").expect("an id"), key);
    assert_eq!(builder, expected.address([192, 0, 2, 7]).version(Version::V33));
}

#[test]
fn neither_errors_nor_debug_output_show_a_key() {
    let whole = format!(r#"[{{"id":"a","key":"{KEY}"}},{{"id":"b","key":"{KEY} too long"}}]"#);
    let list = file(&whole);
    let shown = format!("{list:?}{:?}{:?}", one(&list, "b").local_key(), one(&list, "b").builder());
    assert!(!shown.contains(KEY), "{shown}");
    assert!(one(&list, "b").local_key().is_err());
    for end in 0..whole.len() {
        let error = DevicesFile::parse(&whole.as_bytes()[..end]).expect_err("it is cut");
        let shown = format!("{error:?} {error}");
        assert!(!shown.contains("0123") && shown.contains("line 1"), "{shown}");
    }
    for broken in [format!("[{{\"id\":\"a\",\"key\":{KEY}}}]"), format!("[\"{KEY}\u{1}\"]")] {
        let error = DevicesFile::parse(broken.as_bytes()).expect_err("not JSON");
        assert!(!format!("{error:?} {error}").contains("0123456789abcdef"), "{error:?}");
    }
}

#[test]
fn other_files_are_none() {
    for text in ["5", "{}", "null", r#"{"devices":7}"#, r#""devices""#, r#"{"result":{}}"#, r#"{"a":{"b":1}}"#] {
        assert!(matches!(DevicesFile::parse(text.as_bytes()), Err(DevicesFileError::NoList)), "{text}");
    }
    let missing = std::env::temp_dir().join("rustuya-no-such-directory").join("devices.json");
    let error = DevicesFile::read(missing).expect_err("not there");
    assert!(matches!(error, DevicesFileError::Io(_)) && error.to_string().contains("path"));
    // Deeper than any parser descends: refused, without a stack overflow.
    assert!(DevicesFile::parse("[".repeat(100_000).as_bytes()).is_err());
}

#[test]
fn lists_are_read_in_every_form_in_which_programs_keep_them() {
    let device = r#""name":"lamp","key":"0123456789abcdef","ip":" 192.0.2.7 ","version":"v3.3 ""#;
    for text in [
        format!(r#"[{{"id":"a",{device}}}]"#),
        format!(r#"{{"id":"a",{device}}}"#),
        format!(r#"{{"devices":{{"a":{{{device}}},"odd":5}}}}"#),
        format!(r#"{{"192.0.2.7":{{"gwId":"a",{device}}}}}"#),
        format!("\u{feff}[{{\"id\":\"a\",{device}}}]"),
        r#"{"a":{"friendly_name":"lamp","local_key":"0123456789abcdef","host":"192.0.2.7","protocol_version":3.3}}"#.to_owned(),
        r#"[{"device_id":"a","name":"lamp","local_key":"0123456789abcdef","host":"192.0.2.7","protocol_version":"3.3"}]"#
            .to_owned(),
    ] {
        let file = DevicesFile::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"));
        let lamp = one(&file, "lamp");
        assert_eq!((lamp.id(), lamp.ip()), ("a", "192.0.2.7".parse().ok()), "{text}");
        assert_eq!((lamp.version(), file.len()), (Some(Version::V33), 1), "{text}");
        assert_eq!(lamp.local_key(), Ok(LocalKey::from_text(KEY).ok()), "{text}");
        for unit in [u16::to_le_bytes, u16::to_be_bytes] {
            let utf_16: Vec<u8> = text.encode_utf16().flat_map(unit).collect();
            assert!(matches!(DevicesFile::parse(&utf_16), Err(DevicesFileError::Utf16)), "{text}");
        }
    }
}

#[test]
fn the_answer_of_the_cloud_tells_keys_but_no_addresses() {
    let list = r#"[{"id":"a","name":"lamp","local_key":"0123456789abcdef","ip":"203.0.113.7","uuid":"u","sub":false,
        "status":[{"code":"x","id":"no device"}]},{"id":"b","sub":true,"uuid":"u2","key":"","local_key":"x"}]"#;
    for text in [format!(r#"{{"result":{list},"success":true}}"#), format!(r#"{{"result":{{"list":{list}}}}}"#)] {
        let file = file(&text);
        let (lamp, child) = (one(&file, "lamp"), one(&file, "b"));
        assert_eq!((lamp.ip(), lamp.local_key()), (None, Ok(LocalKey::from_text(KEY).ok())));
        assert_eq!((child.cid(), child.local_key()), (Some("u2"), Err(InvalidKey::Length { len: 1 })));
        assert_eq!(file.len(), 2);
    }
}

#[test]
fn keys_that_were_escaped_or_pasted_are_told() {
    let key = |text: &str| {
        let file = file(&serde_json::json!([{ "id": "a", "key": text }]).to_string());
        one(&file, "a").local_key()
    };
    assert_eq!(key(" 0123456789abcdef\n"), Ok(LocalKey::from_text(KEY).ok()));
    assert_eq!(key("0123456789&lt;bcdef"), Err(InvalidKey::Escaped { len: 19 }));
    assert_eq!(key("0123456789\u{201c}bcdef"), Err(InvalidKey::Character { at: 11 }));
    let error = DevicesFile::parse(b"[{\n\"name\":\"K\xfcche\"}]").expect_err("is Latin-1");
    assert!(matches!(error, DevicesFileError::NotText(NotText { line: 2, column: 10, .. })), "{error:?}");
}

#[test]
fn the_dialect_is_taken_where_it_is_one() {
    for (field, wanted) in [
        (r#""dev_type":"device22""#, Some(Dialect::Device22)),
        (r#""dialect":"default""#, Some(Dialect::Default)),
        (r#""dev_type":"auto""#, None),
        (r#""dev_type":22"#, None),
    ] {
        let text = format!(r#"[{{"id":"a","key":"0123456789abcdef",{field}}}]"#);
        let file = DevicesFile::parse(text.as_bytes()).expect("a list");
        let listed = file.find("a").expect("one").expect("listed");
        assert_eq!(listed.dialect(), wanted, "{field}");
        assert_eq!(listed.builder().expect("usable").config.dialect, wanted, "{field}");
    }
}

#[test]
fn the_product_and_its_mapping_are_kept_as_the_file_has_them() {
    let file = file(
        r#"[{"id":"a","key":"","category":"dj","product_id":"p1","product_name":"Bulb","model":"A60",
             "mapping":{"20":{"code":"switch_led","type":"Boolean","values":{}},"7":[1]}},
            {"id":"b","productKey":"p2","category":"","mapping":null},{"id":"c","mapping":"odd"}]"#,
    );
    let a = one(&file, "a");
    assert_eq!((a.category(), a.product_id()), (Some("dj"), Some("p1")));
    assert_eq!((a.product_name(), a.model()), (Some("Bulb"), Some("A60")));
    let mapping = a.mapping().expect("has one");
    assert_eq!((&mapping["20"]["code"], &mapping["7"][0]), (&"switch_led".into(), &1.into()));
    let b = one(&file, "b");
    assert_eq!((b.category(), b.product_id(), b.mapping()), (None, Some("p2"), Some(Value::Null)));
    assert_eq!(one(&file, "c").mapping(), Some("odd".into()));
}

#[test]
fn a_mapping_of_any_depth_leaves_the_file_readable() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let file = file(&format!(r#"[{{"id":"a","name":"lamp","mapping":{deep}}}]"#));
    assert_eq!((one(&file, "lamp").id(), one(&file, "lamp").mapping()), ("a", None));
}
