//! Repeated DPs in one message: every command prints the last value.

use rustuya_faulty::{Fault, FaultyDevice, STALE};
use rustuya_proto::{CommandCode, Head, Keys, Sender, Version, VersionHeader, seal};
use serde_json::{Value, json};

use crate::common::{Done, ID, KEY, TempFile, finish, run, rustuya};

fn lines(done: &Done) -> Vec<Value> {
    done.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn the_last_value_is_printed_by_every_command() {
    for (version, whole) in [Version::V31, Version::V33, Version::V34, Version::V35]
        .into_iter()
        .flat_map(|version| [false, true].map(|whole| (version, whole)))
    {
        let dps = json!({ "1": false, "2": 50 });
        let device = FaultyDevice::builder(ID, KEY, version).dps(dps.clone()).start().expect("a device");
        device.set_fault(Fault::DpsTwice { whole });
        let port = device.addr().port().to_string();
        let of = |command: &str, more: &[&str]| {
            let at = [command, ID, "--address", "127.0.0.1", "--port", &port, "--version", version.as_str()];
            let done = finish(rustuya(&[&at[..], more].concat()));
            assert_eq!(done.code, Some(0), "{version} {command} {more:?}: {done:?}");
            assert!(!done.stdout.contains(STALE) && !done.stderr.contains(STALE), "{version}: {done:?}");
            done
        };
        assert_eq!(of("get", &["--json"]).json(), dps);
        of("get", &[]);
        // The device confirms it by its state.
        of("set", &["2=75", "--wait", "effect"]);

        let record = TempFile::new(&format!("twice-{version}-{whole}.record"), b"");
        let watched = of("watch", &["--json", "--count", "2", "--record", record.path(), "--record-payloads"]);
        let state = lines(&watched).into_iter().find(|line| line["event"] == "state").expect("a state");
        assert_eq!(state["dps"], json!({ "1": false, "2": 75 }), "{version}");
        let replay = finish(rustuya(&["replay", record.path(), "--json"]));
        replay.succeeded();
        // The payload is shown as received; a JSON reader takes the last value.
        let answer = lines(&replay).into_iter().find(|line| line["step"] == "resolved").expect("an answer");
        let payload: Value = serde_json::from_str(answer["payload"].as_str().expect("text")).expect("JSON");
        let told = payload.pointer("/dps").or(payload.pointer("/data/dps"));
        assert_eq!(told, Some(&json!({ "1": false, "2": 75 })), "{version}: {answer}");
    }
}

#[test]
fn the_last_value_is_decoded() {
    let key = *b"0123456789abcdef";
    let digits: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    for (version, payload) in [Version::V31, Version::V33, Version::V34, Version::V35].into_iter().flat_map(|version| {
        [r#"{"dps":{"1":"stale","1":true}}"#, r#"{"dps":{"1":"stale"},"dps":{"1":true}}"#].map(|text| (version, text))
    }) {
        let header = (version != Version::V31).then(|| VersionHeader::device(version, 9));
        let head = Head { sender: Sender::Device, seqno: 5, command: CommandCode::STATUS, retcode: None, header };
        let mut frame = [0; 512];
        let len = seal(&Keys::new(version, &key), &head, &[7; 12], payload.as_bytes(), &mut frame).expect("room");
        let frame: String = frame[..len].iter().map(|byte| format!("{byte:02x}")).collect();
        let done = run(&["decode", "--version", version.as_str(), "--key-hex", &digits, &frame]);
        done.succeeded();
        assert_eq!(lines(&done)[0]["payload"], json!({ "dps": { "1": true } }), "{version}: {done:?}");
    }
}
