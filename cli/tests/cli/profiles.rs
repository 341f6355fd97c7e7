//! Profiles of `rustuya simulate`, and the `devices.json` that it writes for other commands.

use serde_json::{Value, json};

use crate::common::*;

/// A file name in the temporary directory, where there is no file yet.
fn missing(name: &str) -> TempFile {
    let file = TempFile::new(name, b"");
    std::fs::remove_file(file.path()).expect("it was made");
    file
}

#[test]
fn a_profile_needs_nothing_else_and_other_commands_know_it_by_name() {
    let file = missing("profile.json");
    let args = ["simulate", "--profile", "light", "--port", "0", "--write-devices", file.path()];
    let mut command = rustuya(&args);
    command.env_remove("RUSTUYA_KEY");
    let lamp = Simulated::run_by(command);
    assert_eq!((&lamp.listening["profile"], &lamp.listening["version"]), (&json!("light"), &json!("3.4")));
    let list: Value = serde_json::from_slice(&std::fs::read(file.path()).expect("written")).expect("JSON");
    let entry = &list[0];
    assert_eq!((&entry["name"], &entry["category"]), (&json!("Desk lamp"), &json!("dj")));
    assert_eq!((&entry["ip"], &entry["mapping"]["22"]["values"]["max"]), (&json!("127.0.0.1"), &json!(1000)));
    #[cfg(unix)]
    {
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(file.path()).expect("there").permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
    // The key in the file counts before that of the environment.
    run(&["set", "Desk lamp", "24=00f003e803e8", "--devices", file.path(), "--wait", "effect"]).succeeded();
    let state = run(&["get", "Desk lamp", "--devices", file.path(), "--json"]).json();
    assert_eq!(state["21"], json!("colour"), "{state}");
    let rejected = run(&["set", "Desk lamp", "22=5000", "--devices", file.path()]);
    assert_eq!(rejected.code, Some(0), "acknowledged: {rejected:?}");
    let line = lamp.process.line_where(|line| line.get("rejected").is_some());
    assert_eq!((&line["rejected"]["dp"], line.get("id")), (&json!(22), None), "{line}");
}

#[test]
fn several_profiles_run_at_once() {
    let file = TempFile::new("several.json", br#"[{"id":"other","key":"k"}]"#);
    let args = ["simulate", "--profile", "curtain", "--profile", "gateway", "--port", "0", "--speed", "600"];
    let mut command = rustuya(&args);
    command.args(["--write-devices", file.path()]);
    let several = Simulated::run_by(command);
    let second = several.process.line();
    assert_eq!((&several.listening["profile"], &second["profile"]), (&json!("curtain"), &json!("gateway")));
    let list: Value = serde_json::from_slice(&std::fs::read(file.path()).expect("written")).expect("JSON");
    let names: Vec<_> = list.as_array().expect("a list").iter().map(|entry| entry["name"].clone()).collect();
    assert_eq!(names[..4], [Value::Null, json!("Living room blind"), json!("Zigbee gateway"), json!("Front door")]);
    run(&["set", "Living room blind", "1=close", "--devices", file.path()]).succeeded();
    let line = several.process.line_where(|line| line["name"] == "ControlNew");
    assert_eq!(line["id"], several.listening["id"]);
    let watch = ["watch", "Living room blind", "--devices", file.path(), "--json", "--for", "5"];
    let seen = run(&watch);
    seen.succeeded();
    assert!(seen.stdout.contains(r#""3":100"#), "{}", seen.stdout);
    let children = run(&["get", "Bedroom climate", "--devices", file.path(), "--json"]).json();
    assert!(children["2"].is_u64(), "{children}");
}

#[test]
fn entries_are_printed_on_request() {
    let args = ["simulate", "--profile", "plug", "--port", "0", "--speed", "0", "--write-devices", "-"];
    let mut command = rustuya(&args);
    command.env_remove("RUSTUYA_KEY").args(["--name", "Fridge", "--version", "3.5", "--id", ID]);
    let plug = Simulated::run_by(command);
    let devices = plug.process.line();
    let entry = &devices["devices"][0];
    assert_eq!((&entry["name"], &entry["id"], &entry["version"]), (&json!("Fridge"), &json!(ID), &json!("3.5")));
    assert_eq!(entry["mapping"]["19"]["code"], json!("cur_power"));
}

#[test]
fn profiles_are_listed_and_mistyped_names_are_corrected() {
    let list = run(&["simulate", "--profile", "list"]);
    list.succeeded();
    for words in ["light ", "thermostat ", "wsdcg", "robot vacuum cleaner"] {
        assert!(list.stdout.contains(words), "{words}: {}", list.stdout);
    }
    let wrong = run(&["simulate", "--profile", "thermostt"]);
    wrong.failed(2, &["--profile thermostt: there is no such profile; did you mean thermostat?", "--profile list"]);
    run(&["simulate", "--version", "3.4", "--id", ID, "--speed", "60"]).failed(2, &["--profile"]);
    run(&["simulate", "--profile", "light", "--speed", "100000"]).failed(2, &["--speed"]);
    run(&["simulate", "--profile", "light", "--profile", "plug", "--id", ID]).failed(2, &["--id and --name"]);
    let broken = TempFile::new("broken.json", b"{}");
    let refused = run(&["simulate", "--profile", "light", "--port", "0", "--write-devices", broken.path()]);
    refused.failed(1, &["--write-devices", "is no list of devices"]);
}
