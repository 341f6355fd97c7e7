//! Property tests of the codec and of the JSON reader, with generated input.

use proptest::collection::vec;
use proptest::prelude::*;
use rustuya_fuzz::survives;
use rustuya_proto::{
    CommandCode, DpValue, Dps, FrameError, Head, JsonText, Keys, NoRoom, RetCode, Sender, Version, VersionHeader,
    frame_kind, frame_len, open, seal,
};
use serde_json::{Map, Number, Value};

fn version() -> impl Strategy<Value = Version> {
    proptest::sample::select(&Version::ALL[..])
}

fn command() -> impl Strategy<Value = CommandCode> {
    let named: Vec<_> = CommandCode::NAMED.iter().map(|(code, _)| *code).collect();
    prop_oneof![
        4 => proptest::sample::select(named),
        1 => any::<u32>().prop_map(CommandCode),
    ]
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..300),
        "[ -~]{0,80}".prop_map(String::into_bytes),
        "\\{\"dps\":\\{\"1\":(true|false|[0-9]{1,9})\\}\\}".prop_map(String::into_bytes),
        Just(b"parse data error".to_vec()),
        Just(Vec::new()),
    ]
}

/// Generates a valid header with its version and payload.
fn frame() -> impl Strategy<Value = (Version, Head, Vec<u8>)> {
    let retcode = prop_oneof![
        Just(None),
        Just(Some(RetCode::OK)),
        Just(Some(RetCode::REFUSED)),
        Just(Some(RetCode(0x0100_0000))),
        any::<u32>().prop_map(|code| Some(RetCode(code))),
    ];
    let head = (any::<u32>(), command(), retcode, any::<Option<u32>>(), any::<bool>());
    (version(), head, payload()).prop_map(|(version, head, payload)| {
        let (seqno, command, retcode, report, device) = head;
        let head = Head {
            sender: if device { Sender::Device } else { Sender::Controller },
            seqno,
            command,
            retcode: retcode.filter(|_| device),
            header: report.filter(|_| version != Version::V31).map(|report| match device {
                true => VersionHeader::device(version, report),
                false => VersionHeader::controller(version),
            }),
        };
        (version, head, payload)
    })
}

fn sealed(keys: &Keys, head: &Head, iv: &[u8; 12], payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0xee; payload.len() * 2 + 200];
    let len = seal(keys, head, iv, payload, &mut out).expect("there is room");
    out.truncate(len);
    out
}

proptest! {
    #[test]
    fn what_is_sealed_opens_to_the_same(
        key: [u8; 16], iv: [u8; 12], (version, head, payload) in frame()
    ) {
        let keys = Keys::new(version, &key);
        let mut frame = sealed(&keys, &head, &iv, &payload);
        prop_assert_eq!(frame_len(&frame), Ok(Some(frame.len())));
        let clean = survives(version, &head, &payload, &frame);
        match open(&keys, head.sender, &mut frame) {
            Ok(opened) if clean => {
                let again = Head {
                    sender: head.sender,
                    seqno: opened.seqno,
                    command: opened.command,
                    retcode: opened.retcode,
                    header: opened.header,
                };
                prop_assert_eq!(again, head);
                prop_assert_eq!(&frame[opened.payload], &payload[..]);
            }
            result => prop_assert!(!clean, "{:?}", result),
        }
    }

    #[test]
    fn the_room_asked_for_is_exact(
        key: [u8; 16], iv: [u8; 12], (version, head, payload) in frame(), short in 0..600_usize
    ) {
        let keys = Keys::new(version, &key);
        let whole = sealed(&keys, &head, &iv, &payload);
        let need = whole.len();
        prop_assert_eq!(seal(&keys, &head, &iv, &payload, &mut []), Err(NoRoom { need }));
        for room in [short.min(need - 1), need - 1] {
            let refused = seal(&keys, &head, &iv, &payload, &mut vec![0; room]);
            prop_assert_eq!(refused, Err(NoRoom { need }));
        }
        let mut exact = vec![0x11; need];
        prop_assert_eq!(seal(&keys, &head, &iv, &payload, &mut exact), Ok(need));
        prop_assert_eq!(exact, whole, "what the buffer held before does not show");
    }

    #[test]
    fn one_flipped_bit_never_opens(
        key: [u8; 16], iv: [u8; 12], (version, head, payload) in frame()
    ) {
        let keys = Keys::new(version, &key);
        let frame = sealed(&keys, &head, &iv, &payload);
        for bit in 0..frame.len() * 8 {
            let mut damaged = frame.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let before = damaged.clone();
            let error = open(&keys, head.sender, &mut damaged).expect_err("a damaged frame");
            let caught = matches!(
                error,
                FrameError::Prefix | FrameError::Length | FrameError::Suffix | FrameError::Integrity
            );
            prop_assert!(caught, "bit {}: {:?}", bit, error);
            prop_assert_eq!(damaged, before, "a refused frame keeps its bytes");
        }
    }

    #[test]
    fn another_key_never_opens_negotiated_versions(
        key: [u8; 16], other: [u8; 16], iv: [u8; 12], (_, head, payload) in frame()
    ) {
        prop_assume!(key != other);
        for version in [Version::V34, Version::V35] {
            let mut frame = sealed(&Keys::new(version, &key), &head, &iv, &payload);
            let opened = open(&Keys::new(version, &other), head.sender, &mut frame);
            prop_assert_eq!(opened, Err(FrameError::Integrity));
        }
    }

    #[test]
    fn garbage_never_panics_and_never_passes_a_tag(
        key: [u8; 16],
        prefix in proptest::sample::select(vec![vec![], vec![0, 0, 0x55, 0xaa], vec![0, 0, 0x66, 0x99]]),
        fitting in any::<bool>(),
        body in vec(any::<u8>(), 0..400),
    ) {
        let mut bytes = [prefix, body].concat();
        // Half of them have a valid length and suffix, to reach the later checks.
        if fitting && bytes.len() >= 50 && let Some(kind) = frame_kind(&bytes) {
            let end = bytes.len();
            let (at, around, suffix) = match kind {
                rustuya_proto::FrameKind::F55aa => (12, 16, [0, 0, 0xaa, 0x55]),
                rustuya_proto::FrameKind::F6699 => (14, 22, [0, 0, 0x99, 0x66]),
            };
            let length = u32::try_from(end - around).expect("small");
            bytes[at..at + 4].copy_from_slice(&length.to_be_bytes());
            bytes[end - 4..].copy_from_slice(&suffix);
            prop_assert_eq!(frame_len(&bytes), Ok(Some(end)));
        }
        let _ = frame_len(&bytes);
        for version in Version::ALL {
            for sender in [Sender::Controller, Sender::Device] {
                let opened = open(&Keys::new(version, &key), sender, &mut bytes.clone());
                prop_assert!(opened.is_err());
            }
        }
    }

    #[test]
    fn any_bytes_are_survived_as_json(bytes in vec(any::<u8>(), 0..300)) {
        rustuya_fuzz::json(&bytes);
    }

    #[test]
    fn text_made_of_json_tokens_is_survived(
        tokens in vec(proptest::sample::select(TOKENS), 0..60)
    ) {
        rustuya_fuzz::json(tokens.concat().as_bytes());
    }

    #[test]
    fn messages_mean_what_serde_json_reads(message in message(), pretty in any::<bool>()) {
        let text = if pretty {
            serde_json::to_string_pretty(&message)
        } else {
            serde_json::to_string(&message)
        };
        let text = text.expect("a value");
        prop_assert!(rustuya_proto::Report::parse(text.as_bytes()).is_some());
        rustuya_fuzz::json(text.as_bytes());
    }

    #[test]
    fn strings_keep_their_characters(text in any::<String>(), ascii in any::<bool>()) {
        let mut literal = serde_json::to_string(&text).expect("a string");
        if ascii {
            // Python's notation.
            literal = literal
                .chars()
                .map(|c| if c.is_ascii() {
                    c.to_string()
                } else {
                    c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
                })
                .collect();
        }
        let json = format!("{{\"1\":{literal}}}");
        let (_, value) = Dps::parse(json.as_bytes()).and_then(|mut dps| dps.next()).expect("a DP");
        let DpValue::Str(found) = value else {
            return Err(TestCaseError::fail(format!("{value:?}")));
        };
        prop_assert_eq!(found.chars().collect::<String>(), &*text);
        prop_assert_eq!(found.to_string(), &*text);
        prop_assert_eq!(value, DpValue::text(&text));
        if let Some(borrowed) = found.as_str() {
            prop_assert_eq!(borrowed, &*text);
        }
        let raw = format!("[{literal}]");
        prop_assert_eq!(JsonText::new(&raw).and_then(|json| json.as_str()), Some(&*raw));
    }
}

const TOKENS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\u",
    "\\ud83d",
    "\\ude00",
    "\"dps\"",
    "\"data\"",
    "\"1\"",
    "\"cid\"",
    "\"t\"",
    "\"online\"",
    "true",
    "false",
    "null",
    "0",
    "-",
    "1",
    "9",
    ".",
    "e",
    "+",
    " ",
    "\n",
    "{\"dps\":{",
    "\"1\":",
    "{\"data\":{\"dps\":{",
    "}}",
    "é",
];

/// Generates a message in one of the shapes of devices, with values of every type.
fn message() -> impl Strategy<Value = Value> {
    let dps = proptest::collection::btree_map(any::<u16>().prop_map(|id| id.to_string()), value(), 0..6);
    let top = (dps, any::<bool>(), any::<Option<i64>>(), "[0-9a-f]{0,16}");
    (top, "[a-z]{1,8}", value()).prop_map(|((dps, wrapped, time, cid), key, extra)| {
        let mut inner = Map::new();
        inner.insert("dps".into(), Value::Object(dps.into_iter().collect()));
        if !cid.is_empty() {
            inner.insert("cid".into(), cid.into());
        }
        let mut top = Map::new();
        top.insert(key, extra);
        if let Some(time) = time {
            top.insert("t".into(), time.into());
        }
        if wrapped {
            top.insert("protocol".into(), 4.into());
            top.insert("data".into(), Value::Object(inner));
        } else {
            top.extend(inner);
        }
        Value::Object(top)
    })
}

fn value() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<i64>().prop_map(Number::from),
        any::<u64>().prop_map(Number::from),
        any::<f64>().prop_filter_map("finite", Number::from_f64),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        number.prop_map(Value::Number),
        any::<String>().prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            vec((any::<String>(), inner), 0..4).prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}
