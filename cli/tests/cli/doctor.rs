//! doctor against virtual devices that have, one after the other, all that can be wrong.

use std::net::TcpListener;
use std::process::Command;

use rustuya_fake_cloud::Account;
use serde_json::{Value, json};

use crate::common::{Done, ID, KEY, Simulated, TempFile, WRONG_KEY, finish, rustuya};
use crate::scan::{free_ports, listed};
use crate::wizard::Place;

const STEPS: [&str; 8] = ["listed", "key", "announced", "address", "port", "busy", "negotiation", "query"];

/// The steps of a run with --json: name of the step, what it came to, what it saw and what helps.
fn steps(done: &Done) -> Vec<(String, String, String)> {
    let steps: Vec<Value> = done.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let told = |step: &Value| format!("{} | {}", text(&step["saw"]), text(&step["advice"]));
    steps.iter().map(|step| (text(&step["step"]), text(&step["result"]), told(step))).collect()
}

/// Asserts which step came to what, and that the first that failed says all of these words.
#[track_caller]
fn expect(done: &Done, results: [&str; 8], words: &[&str]) {
    let steps = steps(done);
    let found: Vec<(&str, &str)> = steps.iter().map(|(step, result, _)| (step.as_str(), result.as_str())).collect();
    assert_eq!(found, STEPS.into_iter().zip(results).collect::<Vec<_>>(), "{done:?}");
    let code = if results[7] == "ok" { 0 } else { 1 };
    assert_eq!(done.code, Some(code), "{done:?}");
    let told =
        steps.iter().find(|(_, result, _)| result == "failed").or(steps.last()).map(|(_, _, told)| told.as_str());
    for word in words {
        assert!(told.is_some_and(|told| told.contains(word)), "{word}: {done:?}");
    }
}

struct Room {
    ports: [u16; 3],
    file: TempFile,
}

impl Room {
    fn new(name: &str, devices: &Value) -> Self {
        let file = TempFile::new(&format!("doctor-{name}.json"), devices.to_string().as_bytes());
        Self { ports: free_ports(), file }
    }

    fn command(&self, args: &[&str]) -> Command {
        let ports = listed(self.ports);
        let mut usual = vec!["--devices", self.file.path(), "--discovery-ports", &ports, "--json"];
        for (option, value) in [("--listen", "1"), ("--timeout", "4")] {
            if !args.contains(&option) {
                usual.extend([option, value]);
            }
        }
        let mut command = rustuya(&[&["doctor"], args, &usual[..]].concat());
        command.env_remove("RUSTUYA_KEY");
        command
    }

    fn run(&self, args: &[&str]) -> Done {
        finish(self.command(args))
    }
}

fn lamp(key: &str, ip: &str) -> Value {
    json!([{ "id": ID, "name": "lamp", "key": key, "ip": ip, "version": "3.4" }])
}

#[test]
fn a_device_that_is_well_passes_every_step() {
    let room = Room::new("well", &lamp(KEY, "192.0.2.1"));
    let announce = format!("127.0.0.1:{}", room.ports[1]);
    let device = Simulated::start("3.5", &["--announce", &announce, "--dps", r#"{"1":false,"2":5}"#]);
    let done = room.run(&["lamp", "--port", device.port(), "--listen", "20"]);
    expect(&done, ["ok", "ok", "ok", "note", "ok", "ok", "ok", "ok"], &["DPs 1, 2"]);
    let told = steps(&done);
    assert!(
        told[3].2.contains("127.0.0.1, version 3.5") && told[3].2.contains("says 192.0.2.1 version 3.4"),
        "{told:?}"
    );
    let people = {
        let ports = listed(room.ports);
        let args = ["doctor", "--devices", room.file.path(), "--discovery-ports", &ports, "--listen", "20", "--port"];
        finish(rustuya(&[&args[..], &[device.port()]].concat()))
    };
    people.succeeded();
    assert!(people.stdout.starts_with("lamp\n  ok      listed"), "{people:?}");
}

#[test]
fn what_is_unknown_is_told_first() {
    let room = Room::new("unknown", &lamp("", "127.0.0.1"));
    let done = room.run(&["LAMP 1"]);
    let rest = ["skipped"; 7];
    expect(
        &done,
        core::array::from_fn(|at| if at == 0 { "failed" } else { rest[at - 1] }),
        &["did you mean lamp?", "wizard"],
    );
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port().to_string();
    let done = room.run(&["lamp", "--port", &closed]);
    expect(&done, ["ok", "failed", "note", "ok", "failed", "skipped", "skipped", "skipped"], &["has none", "wizard"]);
    let nowhere = Room::new("nowhere", &lamp(KEY, ""));
    let done = nowhere.run(&["lamp"]);
    let results = ["ok", "ok", "failed", "failed", "skipped", "skipped", "skipped", "skipped"];
    expect(&done, results, &["other devices heard: 0", "firewall lets UDP"]);
    let done = nowhere.run(&["bf9999999999999999no"]);
    assert_eq!(steps(&done)[0].1, "note", "an id may be right all the same: {done:?}");
}

#[test]
fn ports_keys_and_clients_are_told_apart() {
    let room = Room::new("apart", &lamp(KEY, "127.0.0.1"));
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port().to_string();
    let done = room.run(&["lamp", "--port", &closed]);
    expect(&done, ["ok", "ok", "note", "ok", "failed", "skipped", "skipped", "skipped"], &["check address and port"]);

    let device = Simulated::start("3.4", &[]);
    let wrong = Room::new("wrong", &lamp(WRONG_KEY, "127.0.0.1"));
    let done = wrong.run(&["lamp", "--port", device.port()]);
    expect(&done, ["ok", "ok", "note", "ok", "ok", "ok", "failed", "skipped"], &["key", "wizard"]);
    assert!(!done.stdout.contains(WRONG_KEY), "{done:?}");

    // Somebody takes every connection and ends it.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port().to_string();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let done = room.run(&["lamp", "--port", &port, "--timeout", "8"]);
    expect(&done, ["ok", "ok", "note", "ok", "ok", "failed", "skipped", "skipped"], &["another client"]);
}

#[test]
fn a_device_without_a_file_can_be_examined() {
    let place = Place::new("doctor", Account::empty());
    let device = Simulated::start("3.3", &[]);
    let ports = listed(free_ports());
    let args = ["doctor", ID, "--address", &device.address, "--discovery-ports", &ports, "--listen", "0.5", "--json"];
    let mut command = rustuya(&args);
    command.current_dir(place.path(""));
    let done = finish(command);
    expect(&done, ["note", "ok", "note", "ok", "ok", "ok", "ok", "ok"], &["DPs 1"]);
    let mut command = rustuya(&["doctor"]);
    command.current_dir(place.path(""));
    finish(command).failed(2, &["no device", "--devices"]);
}

#[test]
fn a_sub_device_is_examined_through_its_gateway() {
    let devices = json!([
        { "id": ID, "name": "hub", "key": KEY, "ip": "127.0.0.1", "version": "3.4" },
        { "id": "bfchild0000000000001", "name": "valve", "key": KEY, "sub": true, "parent": ID, "node_id": "a4c1" },
        { "id": "bfchild0000000000002", "name": "lost", "sub": true, "node_id": "a4c2" },
    ]);
    let room = Room::new("child", &devices);
    let hub = Simulated::start("3.4", &["--sub", r#"a4c1={"1":215}"#]);
    let done = room.run(&["valve", "--port", hub.port()]);
    expect(&done, ["ok", "ok", "note", "ok", "ok", "ok", "ok", "ok"], &["DPs 1"]);
    assert!(steps(&done)[0].2.contains("behind hub"), "{done:?}");
    let done = room.run(&["lost"]);
    assert!(steps(&done)[0].2.contains("which gateway"), "{done:?}");
}
