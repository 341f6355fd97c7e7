//! Records of a session, repeated without the device.

use std::path::Path;

use crate::common::{Done, ID, KEY, Simulated, TempFile, WRONG_KEY, finish, run, rustuya};
use serde_json::{Value, json};

fn steps(done: &Done) -> Vec<Value> {
    done.stdout.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

fn words(steps: &[Value]) -> Vec<&str> {
    steps.iter().filter_map(|step| step["step"].as_str()).collect()
}

/// Records two events of a device.
#[track_caller]
fn record(simulated: &Simulated, version: &str, file: &TempFile, more: &[&str]) {
    let args = ["--version", version, "--count", "2", "--record", file.path()];
    let done = simulated.run("watch", &[&args, more].concat());
    done.succeeded();
}

#[test]
fn a_redacted_record_replays_without_key_and_secrets() {
    for version in ["3.1", "3.3", "3.4", "3.5"] {
        let simulated = Simulated::start(version, &["--dps", r#"{"1":true,"5":"front door"}"#]);
        let file = TempFile::new(&format!("redacted-{version}.record"), b"what was there before");
        record(&simulated, version, &file, &[]);
        let text = std::fs::read_to_string(file.path()).expect("a text file");
        assert!(!text.contains("before"), "{text}");
        drop(simulated);

        let mut command = rustuya(&["replay", file.path(), "--json"]);
        command.env_remove("RUSTUYA_KEY");
        let done = finish(command);
        done.succeeded();
        for secret in [KEY, ID, "front door", "127.0.0.1"] {
            assert!(!text.contains(secret) && !done.stdout.contains(secret), "{version} {secret}: {text}");
        }
        let steps = steps(&done);
        let happened = words(&steps);
        for word in ["created", "dial", "dialed", "up", "asked", "sent", "received", "resolved", "closed"] {
            assert!(happened.contains(&word), "{version} {word}: {happened:?}");
        }
        let up = steps.iter().find(|step| step["step"] == "up").expect("that step");
        assert_eq!(up["version"], version);
        let answer = steps.iter().find(|step| step["step"] == "resolved").expect("that step");
        assert_eq!(answer["outcome"], "acknowledged");
        let payload = answer["payload"].as_str().expect("a payload");
        assert!(payload.contains(r#""5":"xxxxxxxxxx""#) || payload.contains(r#""5":"xxxxx"#), "{payload}");
        assert!(steps.iter().all(|step| step["micros"].is_u64() && step["line"].is_u64()), "{steps:?}");

        let people = run(&["replay", file.path()]);
        people.succeeded();
        assert_eq!(people.stdout.lines().count(), steps.len());
        assert!(people.stdout.contains(&format!("up, version {version}")), "{people:?}");
        assert!(people.stdout.contains(r#""dps":{"#), "JSON stays as it is: {people:?}");
    }
}

#[test]
fn a_full_record_needs_the_key() {
    let simulated = Simulated::start("3.4", &["--dps", r#"{"5":"front door"}"#]);
    let file = TempFile::new("full.record", b"");
    record(&simulated, "3.4", &file, &["--record-payloads"]);
    let text = std::fs::read_to_string(file.path()).expect("a text file");
    assert!(text.contains(ID) && !text.contains(KEY) && !text.contains("front door"), "{text}");

    let done = run(&["replay", file.path(), "--json"]);
    done.succeeded();
    assert!(done.stdout.contains("front door"), "{done:?}");
    let key = TempFile::new("full.key", KEY.as_bytes());
    let with = |key: Option<&str>, option: &[&str]| {
        let mut command = rustuya(&["replay", file.path(), "--json"]);
        command.args(option).env_remove("RUSTUYA_KEY");
        key.map(|key| command.env("RUSTUYA_KEY", key));
        finish(command)
    };
    assert_eq!(with(None, &["--key-file", key.path()]).stdout, done.stdout);
    with(None, &[]).failed(2, &["no local key", "RUSTUYA_KEY"]);
    let wrong = with(Some(WRONG_KEY), &[]);
    wrong.failed(1, &["the replay diverges"]);
    assert!(words(&steps(&wrong)).contains(&"diverged") && !wrong.stdout.contains("front door"), "{wrong:?}");
}

#[test]
fn several_devices_are_recorded_with_their_numbers() {
    let (one, two) = (Simulated::start("3.3", &[]), Simulated::start_as("bf0000000000000other", "3.5", &[]));
    let entry = |id: &str, version: &str, simulated: &Simulated| {
        let port: u16 = simulated.port().parse().expect("a port");
        json!({ "id": id, "key": KEY, "ip": "127.0.0.1", "version": version, "port": port })
    };
    let list = json!([entry(ID, "3.3", &one), entry("bf0000000000000other", "3.5", &two)]);
    let devices = TempFile::new("recorded.json", list.to_string().as_bytes());
    let file = TempFile::new("several.record", b"");
    let args = ["watch", "--all", "--devices", devices.path(), "--record", file.path(), "--count", "4"];
    run(&args).succeeded();
    let done = run(&["replay", file.path(), "--json"]);
    done.succeeded();
    let steps = steps(&done);
    let mut ups: Vec<_> = steps.iter().filter(|step| step["step"] == "up").map(|step| &step["version"]).collect();
    ups.sort_by_key(|version| version.to_string());
    assert_eq!(ups, ["3.3", "3.5"]);
    assert!(steps.iter().all(|step| step["device"] == 1 || step["device"] == 2), "{steps:?}");
    run(&[&args[..], &["--record-payloads"]].concat()).failed(2, &["--record-payloads is for one device"]);
}

#[test]
fn invalid_records_are_refused() {
    let other = TempFile::new("other.record", b"{\"id\":1}\n");
    let refused = run(&["replay", other.path()]);
    refused.failed(1, &["line 1 of the record", "no record", other.path()]);
    assert_eq!(refused.stderr.matches("this is no record").count(), 1, "{refused:?}");
    run(&["replay", "/nonexistent/file"]).failed(1, &["/nonexistent/file"]);
    run(&["watch", ID, "--record-payloads"]).failed(2, &["--record"]);
    let nowhere = Path::new(other.path()).join("file");
    let nowhere = nowhere.to_str().expect("UTF-8");
    run(&["watch", ID, "--address", "127.0.0.1", "--record", nowhere]).failed(1, &["--record", nowhere]);
}
