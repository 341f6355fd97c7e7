//! get, set and watch over several devices of a file.

use crate::common::{Done, ID, KEY, Running, Simulated, TempFile, WRONG_KEY, finish, rustuya};
use serde_json::{Value, json};

/// Home with two simple devices, a gateway, and a device that is off.
struct Home {
    plug: Simulated,
    hub: Simulated,
    file: TempFile,
}

const PLUG: &str = "bf00000000000000plug";

impl Home {
    fn new(name: &str, plug_key: &str) -> Self {
        let plug = Simulated::start_as(PLUG, "3.3", &["--dps", r#"{"1":false}"#]);
        let hub = Simulated::start("3.4", &["--dps", r#"{"4":1}"#, "--sub", r#"c1={"1":false}"#]);
        let port = |simulated: &Simulated| -> u16 { simulated.port().parse().expect("a port") };
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let off = free.local_addr().expect("an address").port();
        drop(free);
        let list = json!({ "timestamp": 1, "devices": [
            { "id": PLUG, "name": "plug", "key": plug_key, "ip": "127.0.0.1", "ver": "3.3", "port": port(&plug) },
            { "id": ID, "name": "hub", "key": KEY, "ip": "127.0.0.1", "ver": "3.4", "port": port(&hub) },
            { "id": "child1", "name": "valve", "key": KEY, "node_id": "c1", "parent": ID, "sub": true },
            { "id": "off1", "name": "heater", "key": KEY, "ip": "127.0.0.1", "ver": "3.3", "port": off },
            { "id": "lost1", "name": "lost", "key": "", "node_id": "c9", "parent": "gone", "sub": true },
        ] });
        Self { plug, hub, file: TempFile::new(name, list.to_string().as_bytes()) }
    }

    #[track_caller]
    fn run(&self, args: &[&str]) -> Done {
        let mut command = rustuya(args);
        command.args(["--devices", self.file.path()]).env_remove("RUSTUYA_KEY");
        finish(command)
    }
}

/// Returns the lines of JSON, ordered by name.
fn lines(done: &Done) -> Vec<Value> {
    let mut lines: Vec<Value> =
        done.stdout.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    lines.sort_by_key(|line| line["name"].to_string());
    lines
}

#[test]
fn several_devices_are_queried_and_set_at_once() {
    let home = Home::new("several.json", KEY);
    let got = home.run(&["get", "plug", "hub", "valve", "--json"]);
    got.succeeded();
    assert_eq!(
        lines(&got),
        [
            json!({ "id": ID, "name": "hub", "dps": { "4": 1 } }),
            json!({ "id": PLUG, "name": "plug", "dps": { "1": false } }),
            json!({ "id": ID, "name": "valve", "cid": "c1", "dps": { "1": false } }),
        ]
    );
    let set = home.run(&["set", "plug", "valve", "1=true", "--json"]);
    set.succeeded();
    let set = lines(&set);
    assert_eq!((set.len(), &set[0]["id"], &set[1]["cid"]), (2, &json!(PLUG), &json!("c1")));
    assert!(set.iter().all(|line| line["set"] == json!({ "1": true }) && line["micros"].is_u64()), "{set:?}");

    let words = home.run(&["get", "valve", PLUG]);
    words.succeeded();
    let mut words: Vec<&str> = words.stdout.lines().collect();
    words.sort_unstable();
    assert_eq!(words, [format!("{PLUG}: 1=true").as_str(), "valve: 1=true"]);
    let words = home.run(&["set", "hub", "4=2"]);
    words.succeeded();
    assert!(words.stdout.starts_with("hub: 4=2 acknowledged in "), "{words:?}");
}

#[test]
fn some_fail_and_the_others_do_not_suffer() {
    let home = Home::new("all.json", WRONG_KEY);
    let all = home.run(&["get", "--all", "--json", "--timeout", "4"]);
    all.failed(1, &["3 of 5 devices failed"]);
    assert_eq!(all.stderr.lines().count(), 1, "{all:?}");
    let lines = lines(&all);
    let failure = |at: usize, name: &str, words: &[&str]| {
        let line = &lines[at];
        let error = line["error"].as_str().unwrap_or_else(|| panic!("{line}"));
        assert_eq!(line["name"], name);
        words.iter().for_each(|word| assert!(error.contains(word), "{word}: {line}"));
        assert!(!error.contains(WRONG_KEY) && !error.starts_with(name), "{line}");
    };
    failure(0, "heater", &["refuses connections", "check address"]);
    assert_eq!(lines[1], json!({ "id": ID, "name": "hub", "dps": { "4": 1 } }));
    failure(2, "lost", &["has no gateway for lost"]);
    failure(3, "plug", &["wrong local key", "fetch the local key again"]);
    assert_eq!(lines[4], json!({ "id": ID, "name": "valve", "cid": "c1", "dps": { "1": false } }));

    let set = home.run(&["set", "--all", "4=9", "--timeout", "4"]);
    set.failed(1, &["devices failed", "rustuya: heater: not connected", "rustuya: lost: ", "rustuya: plug: "]);
    assert!(set.stdout.starts_with("hub: 4=9 acknowledged in ") || set.stdout.contains("\nhub: 4=9 "), "{set:?}");
    assert_eq!(home.run(&["get", "hub", "--json"]).json(), json!({ "4": 9 }));
}

#[test]
fn every_device_of_the_file_is_watched() {
    let home = Home::new("watch.json", KEY);
    let watch = Running::start(&["watch", "--all", "--json", "--for", "600", "--devices", home.file.path()]);
    let mut missing = vec![(PLUG, "state"), (ID, "state"), ("off1", "down"), ("lost1", "error")];
    watch.line_where(|line| {
        missing.retain(|(id, event)| line["id"] != *id || line["event"] != *event);
        missing.is_empty()
    });
    home.run(&["set", "plug", "hub", "1=true"]).succeeded();
    let push = watch.line_where(|line| line["name"] == "plug" && line["dps"] == json!({ "1": true }));
    assert_eq!((&push["id"], &push["event"]), (&json!(PLUG), &json!("state")));
    home.run(&["set", "valve", "1=true"]).succeeded();
    let push = watch.line_where(|line| line["cid"] == "c1" && line["dps"] == json!({ "1": true }));
    assert_eq!((&push["id"], &push["name"]), (&json!(ID), &json!("valve")));
    drop((watch, home.plug, home.hub));
}

#[test]
fn who_was_never_connected_is_named_in_the_end() {
    let home = Home::new("never.json", KEY);
    let done = home.run(&["watch", "plug", "heater", "--json", "--for", "1"]);
    done.failed(1, &["rustuya: heater: not connected: the device refuses connections", "1 of 2 devices failed"]);
    assert!(!done.stderr.contains("plug"), "{done:?}");
    let all = home.run(&["watch", "--all", "--for", "1"]);
    all.failed(1, &["heater: not connected", "2 of 4 devices failed"]);
    assert!(all.stdout.contains(" lost --devices has no gateway for"), "{all:?}");
}
