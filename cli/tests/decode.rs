//! Commands that decode recorded traffic, against every vector.

use std::collections::BTreeMap;
use std::process::{Command, Output};

use rustuya_proto::RetCode;
use rustuya_vectors::{Direction, Expect, KeyUsed, Kind, Transport, Vector, captured, negatives, streams, tinytuya};
use serde_json::{Value, json};

const KEY: &str = "30313233343536373839616263646566";
const ACK: &str = "000055aa00000003000000070000000c00000000c5591c5f0000aa55";

fn rustuya(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rustuya")).args(args).output().expect("the command starts")
}

fn lines(output: &Output) -> Vec<Value> {
    let text = core::str::from_utf8(&output.stdout).expect("UTF-8");
    let parse = |line| serde_json::from_str(line).expect("a line is JSON");
    text.lines().map(parse).collect()
}

fn decode(version: &str, key: &str, from: Direction, frames: &[&str]) -> (i32, Vec<Value>) {
    let from = match from {
        Direction::Client => "client",
        Direction::Device => "device",
    };
    let mut args = vec!["decode", "--version", version, "--key-hex", key];
    args.extend(["--from", from]);
    args.extend(frames);
    let output = rustuya(&args);
    (output.status.code().expect("an exit status"), lines(&output))
}

/// Returns the expected output for a vector.
fn expected(vector: &Vector) -> Value {
    let bytes = vector.payload_bytes();
    let text = core::str::from_utf8(&bytes).unwrap_or("\0");
    let payload = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(_) if text.is_empty() || text.contains(char::is_control) => Value::Null,
        Err(_) => Value::from(text),
    };
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({
        "seqno": vector.seqno,
        "cmd": vector.cmd,
        "name": name(vector.cmd.expect("a frame has a command")),
        "retcode": vector.retcode.map(|code| RetCode(code).number()),
        "payload": payload,
        "payload_hex": digits,
    })
}

fn name(cmd: u32) -> &'static str {
    match cmd {
        0x03 => "SessKeyNegStart",
        0x04 => "SessKeyNegResp",
        0x05 => "SessKeyNegFinish",
        0x07 => "Control",
        0x08 => "Status",
        0x09 => "HeartBeat",
        0x0a => "DpQuery",
        0x0d => "ControlNew",
        0x10 => "DpQueryNew",
        0x12 => "UpdateDps",
        0x40 => "LanExtStream",
        other => panic!("command {other:#x} has no name here"),
    }
}

fn key_of(vector: &Vector) -> &str {
    let local = vector.local_key_hex.as_deref();
    let key = match vector.key_used {
        KeyUsed::Session => vector.session_key_hex.as_deref(),
        KeyUsed::Local | KeyUsed::Udp | KeyUsed::None => local,
    };
    key.unwrap_or(KEY)
}

#[test]
fn every_tcp_vector_is_decoded_to_its_meaning() {
    let mut groups: BTreeMap<_, Vec<&Vector>> = BTreeMap::new();
    let frames = tinytuya().iter().chain(captured());
    for vector in frames.filter(|v| v.transport == Transport::Tcp && v.kind == Kind::Frame) {
        let from_client = vector.direction == Direction::Client;
        let group = (vector.version.as_str(), key_of(vector), from_client);
        groups.entry(group).or_default().push(vector);
    }
    let mut seen = 0;
    for ((version, key, from_client), vectors) in groups {
        let from = if from_client { Direction::Client } else { Direction::Device };
        // All of them back to back in one argument.
        let stream: String = vectors.iter().map(|v| v.frame_hex.as_str()).collect();
        let (status, printed) = decode(version, key, from, &[&stream]);
        assert_eq!(printed.len(), vectors.len(), "{version} {from:?}");
        for (printed, vector) in printed.iter().zip(&vectors) {
            assert_eq!(*printed, expected(vector), "{}", vector.name);
        }
        assert_eq!(status, 0, "{version} {from:?}");
        seen += vectors.len();
    }
    assert!(seen >= 150, "only {seen} vectors");
}

#[test]
fn every_negative_is_refused_with_its_kind() {
    assert!(negatives().len() >= 21);
    for negative in negatives() {
        let kind = match negative.expect {
            Expect::Integrity => Some("integrity"),
            Expect::Suffix => Some("suffix"),
            Expect::Length => Some("length"),
            Expect::Prefix => Some("prefix"),
            Expect::Padding => Some("padding"),
            // A valid frame with a wrong proof, which a single frame cannot show.
            Expect::Handshake => None,
        };
        let session = negative.session_key_hex.as_deref();
        let key = session.unwrap_or(&negative.local_key_hex);
        let version = negative.version.as_str();
        // A valid frame behind it is still found, if this key opens it.
        let good = ACK.repeat(usize::from(version == "3.3"));
        let stream = format!("{}{good}", negative.frame_hex);
        let (status, printed) = decode(version, key, negative.direction, &[&stream]);
        if version == "3.3" && negative.name != "v3.3/length-too-big" {
            assert_eq!(printed.len(), 2, "{}", negative.name);
            assert_eq!(printed[1]["name"], "Control", "{}", negative.name);
        }
        match kind {
            Some(kind) => {
                assert_eq!(printed[0]["error"], kind, "{}", negative.name);
                assert_eq!(printed[0]["offset"], 0, "{}", negative.name);
                assert!(printed[0].get("payload").is_none(), "{}", negative.name);
                assert_eq!(status, 1, "{}", negative.name);
            }
            None => {
                assert_eq!(printed[0]["name"], "SessKeyNegResp");
                assert_eq!(status, 0, "{}", negative.name);
            }
        }
    }
}

#[test]
fn streams_with_garbage_give_the_same_frames_and_an_error_for_each_gap() {
    for case in streams() {
        let frames: Vec<_> = case.frames().collect();
        let Some(first) = frames.first() else {
            continue;
        };
        let stream: String = case.chunks_hex.concat();
        let version = case.version.as_str();
        let (status, printed) = decode(version, key_of(first), first.direction, &[&stream]);
        let (garbage, good): (Vec<_>, Vec<_>) = printed.into_iter().partition(|line| line.get("error").is_some());
        let wanted: Vec<_> = frames.iter().map(|v| expected(v)).collect();
        assert_eq!(good, wanted, "{}", case.name);
        assert_eq!(status, i32::from(!garbage.is_empty()), "{}", case.name);
        let framed: usize = frames.iter().map(|v| v.frame().len()).sum();
        assert_eq!(garbage.is_empty(), framed == case.bytes().len(), "{}", case.name);
    }
}

#[test]
fn lines_have_their_fields_in_order() {
    let args = ["decode", "--version", "3.3", "--key-hex", KEY];
    let error = "000055aa000000010000000a0000001d000000016461746120666f726d6174206572726f7271bf61a40000aa55";
    let spaced = " 000055AA 00000003 00000007 0000000c\n00000000 c5591c5f 0000:aa55";
    let output = rustuya(&[&args[..], &[error, spaced]].concat());
    assert_eq!(
        String::from_utf8(output.stdout).expect("UTF-8"),
        concat!(
            r#"{"seqno":1,"cmd":10,"name":"DpQuery","retcode":1,"payload":"data format error","payload_hex":"6461746120666f726d6174206572726f72"}"#,
            "\n",
            r#"{"seqno":3,"cmd":7,"name":"Control","retcode":0,"payload":null,"payload_hex":""}"#,
            "\n"
        )
    );
    assert_eq!(output.status.code(), Some(0));

    // Keys of a payload keep the order of the wire.
    let vector = tinytuya()
        .iter()
        .find(|v| v.payload.starts_with(r#"{"protocol":5,"t":"#) && v.payload.is_ascii())
        .expect("a control of 3.5");
    let args = ["decode", "--version", vector.version.as_str(), "--from", "client"];
    let key = ["--key-hex", key_of(vector), vector.frame_hex.as_str()];
    let output = rustuya(&[&args[..], &key].concat());
    let line = String::from_utf8(output.stdout).expect("UTF-8");
    let payload = format!(r#""payload":{},"#, vector.payload);
    assert!(line.contains(&payload), "{line}");
}

#[test]
fn garbage_and_cut_frames_are_placed() {
    let damaged = ACK.replace("c5591c5f", "c5591c50");
    let half = &ACK[..30];
    let stream = format!("ffff{ACK}01{damaged}{ACK}{half}");
    let (status, printed) = decode("3.3", KEY, Direction::Device, &[&stream, ACK]);
    let brief: Vec<_> = printed
        .iter()
        .map(|line| match line.get("error") {
            Some(kind) => format!("{} {} {}", kind.as_str().expect("text"), line["offset"], line["length"]),
            None => line["name"].to_string(),
        })
        .collect();
    let good = r#""Control""#;
    assert_eq!(brief, ["prefix 0 2", good, "prefix 30 1", "integrity 31 28", good, "length 87 15", good]);
    assert_eq!(status, 1);

    // The other kind of frame shows the version.
    let status_35 = negatives().iter().find(|n| n.name == "v3.5/iv-bit");
    let frame = &status_35.expect("that vector").frame_hex;
    let (_, printed) = decode("3.3", KEY, Direction::Device, &[frame]);
    assert_eq!(printed[0]["error"], "integrity");
    assert!(printed[0]["detail"].to_string().contains("3.5"));
}

#[test]
fn a_wrong_command_line_is_status_2_and_repeats_no_key() {
    let secret = "5345435245545345435245545345435";
    let good = ["decode", "--version", "3.3", "--key-hex", KEY, ACK];
    assert_eq!(rustuya(&good).status.code(), Some(0));
    for (at, value) in [(4, secret), (4, "xyz"), (4, "00"), (2, "3.6"), (5, "0"), (5, "zz"), (5, "")] {
        let mut args = good;
        args[at] = value;
        let output = rustuya(&args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(output.stdout.is_empty(), "{args:?}");
        assert!(!output.stderr.is_empty(), "{args:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!said.contains(secret), "{said}");
    }
    for args in [&["decode"][..], &good[..5], &["decode", "--from", "nobody"], &["nothing"], &[]] {
        assert_eq!(rustuya(args).status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn session_keys_are_derived() {
    let vectors: Vec<_> = tinytuya().iter().collect();
    let mut derived = 0;
    for (at, finish) in vectors.iter().enumerate() {
        if finish.cmd != Some(5) || finish.direction != Direction::Client {
            continue;
        }
        // START and RESP of the same negotiation have names that differ in their end only.
        let group = finish.name.rsplit_once('/').expect("a group").0;
        let message = |cmd: u32| -> String {
            let same = |v: &&&Vector| v.cmd == Some(cmd) && v.name.starts_with(&format!("{group}/"));
            let found = vectors[..at].iter().find(same).expect("the message before it");
            let bytes = found.payload_bytes();
            bytes[..16].iter().map(|b| format!("{b:02x}")).collect()
        };
        let (client, device) = (message(3), message(4));
        let output = rustuya(&[
            "session-key",
            "--version",
            finish.version.as_str(),
            "--local-key-hex",
            finish.local_key_hex.as_deref().expect("a local key"),
            "--client-nonce-hex",
            &client,
            "--device-nonce-hex",
            &device,
        ]);
        assert_eq!(output.status.code(), Some(0), "{}", finish.name);
        let key = finish.session_key_hex.as_deref().expect("a session key");
        let printed = String::from_utf8(output.stdout).expect("UTF-8");
        assert_eq!(printed, format!("{key}\n"), "{}", finish.name);
        assert_eq!(output.stderr.is_empty(), !key.starts_with("00"), "{}", finish.name);
        derived += 1;
    }
    assert!(derived >= 6, "only {derived} negotiations");
}

#[test]
fn keys_come_from_a_file_or_the_environment_too() {
    let path = std::env::temp_dir().join(format!("rustuya-key-{}", std::process::id()));
    std::fs::write(&path, format!("{KEY}\r\nsecond line\n")).expect("a file");
    let file = path.to_str().expect("UTF-8");
    let nonces = [
        "--client-nonce-hex",
        "436c69656e744e6f6e63652d30303031",
        "--device-nonce-hex",
        "38363535323531343036633661626364",
    ];
    let decode = ["decode", "--version", "3.3", ACK];
    let derive = [&["session-key", "--version", "3.4"][..], &nonces].concat();
    let run = |args: &[&str], key: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rustuya"));
        command.args(args).env_remove("RUSTUYA_KEY_HEX");
        if let Some(key) = key {
            command.env("RUSTUYA_KEY_HEX", key);
        }
        command.output().expect("runs")
    };
    for args in [&decode[..], &derive] {
        let with_file = [args, &["--key-file", file]].concat();
        let (by_file, by_environment) = (run(&with_file, None), run(args, Some(KEY)));
        assert_eq!(by_file.status.code(), Some(0), "{args:?} {by_file:?}");
        assert_eq!(by_file.stdout, by_environment.stdout, "{args:?}");
        assert!(!by_file.stdout.is_empty());
        let none = run(args, None);
        assert_eq!(none.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&none.stderr).contains("RUSTUYA_KEY_HEX"), "{none:?}");
        let wrong = run(args, Some("hunter2hunter2"));
        assert_eq!(wrong.status.code(), Some(2));
        assert!(!format!("{wrong:?}").contains("hunter2"), "no key is repeated");
    }
    std::fs::remove_file(path).expect("was there");
}

#[test]
fn anchors_of_the_derivation() {
    let client = "436c69656e744e6f6e63652d30303031";
    let device = "38363535323531343036633661626364";
    let derive = |version: &str, key: &str| {
        rustuya(&[
            "session-key",
            "--version",
            version,
            "--local-key-hex",
            key,
            "--client-nonce-hex",
            client,
            "--device-nonce-hex",
            device,
        ])
    };
    for (version, key) in [("3.4", "723bef5b8a26b8f8c39d1c9bee26dc54\n"), ("3.5", "1fcb1aabca4635871af8b645d7a716bf\n")]
    {
        assert_eq!(derive(version, KEY).stdout, key.as_bytes());
    }
    for (version, key) in [("3.3", KEY), ("3.4", "00"), ("3.4", "not hex")] {
        let output = derive(version, key);
        assert_eq!(output.status.code(), Some(2), "{version} {key}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn every_udp_vector_is_shown() {
    let mut shown = 0;
    for vector in tinytuya().iter().filter(|v| v.transport == Transport::Udp) {
        let output = rustuya(&["announcement", &vector.frame_hex]);
        let said: Value = serde_json::from_str(&vector.payload).expect("JSON");
        let printed = String::from_utf8(output.stdout).expect("UTF-8");
        if vector.direction == Direction::Device {
            let wanted = format!(
                r#"{{"id":{},"ip":{},"version":{},"product_key":{}}}"#,
                said["gwId"], said["ip"], said["version"], said["productKey"]
            );
            assert_eq!(printed, wanted + "\n", "{}", vector.name);
            assert_eq!(output.status.code(), Some(0), "{}", vector.name);
        } else {
            let printed: Value = serde_json::from_str(&printed).expect("JSON");
            assert_eq!(printed["error"], "request", "{}", vector.name);
            assert_eq!(printed["ip"], said["ip"], "{}", vector.name);
            assert_eq!(output.status.code(), Some(1), "{}", vector.name);
        }
        shown += 1;
    }
    assert!(shown >= 12, "only {shown} datagrams");
}

#[test]
fn invalid_announcements_have_a_reason() {
    let hex = |text: &str| -> String { text.bytes().map(|b| format!("{b:02x}")).collect() };
    let bare = rustuya(&["announcement", &hex(r#"{"gwId":"a"}"#)]);
    let line = "{\"id\":\"a\",\"ip\":null,\"version\":\"3.1\",\"product_key\":null}\n";
    assert_eq!(String::from_utf8_lossy(&bare.stdout), line);
    let damaged = ACK.replace("c5591c5f", "c5591c50");
    for (datagram, kind) in [
        (hex(r#"{"ip":"192.0.2.1"}"#), "no-id"),
        (hex(r#"{"gwId":"a""#), "not-json"),
        (hex("hello"), "prefix"),
        (damaged, "integrity"),
        (ACK[..40].to_owned(), "length"),
    ] {
        let output = rustuya(&["announcement", &datagram]);
        assert_eq!(lines(&output)[0]["error"], kind);
        assert_eq!(output.status.code(), Some(1), "{kind}");
        assert!(!output.stderr.is_empty(), "{kind}");
    }
    for args in [&["announcement"][..], &["announcement", "0"], &["announcement", "xy"]] {
        assert_eq!(rustuya(args).status.code(), Some(2));
    }
}
