//! Tests with tuyapi: its client with this library's virtual device, and this library's controller with its stub
//! device. `docs/interop.md` lists its faults, which tests here demonstrate.

use core::time::Duration;
use std::process::{Command, Stdio};

use rustuya_runtime_tokio::{DownReason, Event, Timing, Version};
use rustuya_virtual_device::VirtualDevice;
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

use crate::controller::{Controller, Driver, block_on, described};
use crate::process::{Process, node};
use crate::{CHILD, ID, KEY, ODD_KEY};

/// Versions of the stub: 3.1 by default, 3.3 with its own message parser set to that. The parser has no other.
const STUB: [Version; 2] = [Version::V31, Version::V33];
/// Time after the arrival of an answer, in ms, after which its call counts as never returning.
const NEVER_MS: u64 = 1000;

// ---- tuyapi's client, our device

#[test]
#[ignore = "needs Node with tuyapi; cargo xtask test runs it"]
fn tuyapi_reads_and_sets() {
    for version in Version::ALL {
        for key in [KEY, ODD_KEY] {
            let device = Virtual::start(version, key);
            let mut client = Client::start(&device, key);
            if version != Version::V32 {
                let state = client.result(&json!({ "get": { "schema": true } }));
                assert_eq!(state["dps"], json!({ "1": false, "2": 50, "18": 0 }), "{version}");
            }
            let told = client.result(&json!({ "set": { "dps": 1, "set": true } }));
            assert_eq!(told["dps"], json!({ "1": true }), "{version}");
            assert_eq!(device.holds(None), json!({ "1": true, "2": 50, "18": 0 }), "{version}");
            let told = client.result(&json!({ "set": { "multiple": true, "data": { "2": 51, "18": -9 } } }));
            assert_eq!(told["dps"], json!({ "2": 51, "18": -9 }), "{version}");
            assert_eq!(device.holds(None), json!({ "1": true, "2": 51, "18": -9 }), "{version}");

            client.result(&json!({ "ping": true }));
            client.receives(|line| line["event"] == "heartbeat");
            if version != Version::V35 {
                client.refreshes();
            }
            client.stop_unharmed();

            if version != Version::V32 {
                let mut client = Client::start(&device, key);
                let state = client.result(&json!({ "get": { "schema": true } }));
                assert_eq!(state["dps"], json!({ "1": true, "2": 51, "18": -9 }), "{version}");
                client.stop_unharmed();
            }
        }
    }
}

/// Firmware of 3.5 ignores requests for fresh values, and tuyapi keeps waiting.
#[test]
#[ignore = "needs Node with tuyapi; cargo xtask test runs it"]
fn tuyapi_refreshes_where_devices_answer_that() {
    let device = Virtual::start(Version::V35, KEY);
    let mut client = Client::start(&device, KEY);
    let order = json!({ "refresh": { "requestedDPS": [18], "schema": true }, "limit": NEVER_MS });
    assert_eq!(client.call(&order)["failed"], "not settled");
    assert!(!client.0.log.iter().any(|line| line["event"] == "dp-refresh"), "{:?}", client.0.log);
    client.stop_unharmed();

    let device = Virtual::start_with(Version::V35, KEY, &["update-answered"]);
    let mut client = Client::start(&device, KEY);
    client.result(&json!({ "set": { "dps": 18, "set": -9 } }));
    client.refreshes();
    client.stop_unharmed();
}

#[test]
#[ignore = "needs Node with tuyapi; cargo xtask test runs it"]
fn tuyapi_receives_pushes() {
    for version in Version::ALL {
        let device = Virtual::start(version, KEY);
        let mut client = Client::start(&device, KEY);
        // tuyapi gives a message without DP 1 another name.
        for (event, dps) in [("data", json!({ "1": true, "2": 77 })), ("dp-refresh", json!({ "2": 78 }))] {
            device.changes(None, &dps);
            client.receives(|line| line["event"] == event && line["cmd"] == 8 && line["payload"]["dps"] == dps);
        }
        client.stop_unharmed();
    }
}

#[test]
#[ignore = "needs Node with tuyapi; cargo xtask test runs it"]
fn tuyapi_reaches_sub_devices() {
    for version in [Version::V33, Version::V34, Version::V35] {
        let device = Virtual::start(version, KEY);
        let mut client = Client::start(&device, KEY);
        let get = json!({ "get": { "schema": true, "cid": CHILD } });
        let state = client.result(&get);
        assert_eq!((&state["dps"], &state["cid"]), (&json!({ "1": false, "9": 7 }), &json!(CHILD)), "{version}");
        let told = client.result(&json!({ "set": { "dps": 1, "set": true, "cid": CHILD } }));
        assert_eq!((&told["dps"], &told["cid"]), (&json!({ "1": true }), &json!(CHILD)), "{version}");
        assert_eq!(device.holds(Some(CHILD)), json!({ "1": true, "9": 7 }), "{version}");
        assert_eq!(device.holds(None), json!({ "1": false, "2": 50, "18": 0 }), "{version}");
        device.changes(Some(CHILD), &json!({ "9": 8 }));
        client.receives(|line| line["payload"]["dps"] == json!({ "9": 8 }) && line["payload"]["cid"] == CHILD);
        client.stop_unharmed();

        let mut client = Client::start(&device, KEY);
        assert_eq!(client.result(&get)["dps"], json!({ "1": true, "9": 8 }), "{version}");
        client.stop_unharmed();
    }
}

/// On 3.4 and 3.5 tuyapi matches answers by number, and assumes that the device's counter equals its own. A device
/// counts each frame that it sends: after a push, or after the two frames of a set on 3.4, the numbers differ
/// permanently.
#[test]
#[ignore = "needs Node with tuyapi; cargo xtask test runs it"]
fn tuyapi_loses_answers_when_the_counters_differ() {
    for version in [Version::V34, Version::V35] {
        let device = Virtual::start(version, KEY);
        let mut client = Client::start(&device, KEY);
        device.changes(None, &json!({ "2": 77 }));
        client.receives(|line| line["payload"]["dps"] == json!({ "2": 77 }));
        client.loses_the_answer(version);
    }
    let device = Virtual::start(Version::V34, KEY);
    let mut client = Client::start(&device, KEY);
    client.result(&json!({ "set": { "dps": 2, "set": 77 } }));
    client.loses_the_answer(Version::V34);
}

/// The device closes the connection, and tuyapi keeps waiting.
#[test]
#[ignore = "needs Node with tuyapi; cargo xtask test runs it"]
fn tuyapi_does_not_notice_that_the_key_is_wrong() {
    for version in [Version::V34, Version::V35] {
        let device = Virtual::start(version, KEY);
        let mut command = client(&device, ODD_KEY);
        command.arg(NEVER_MS.to_string());
        let mut client = Process::start(command);
        assert_eq!(client.exit(), 1, "{version}");
        assert_eq!(client.log, [json!({ "failed": "not settled" })], "{version}");
    }
}

/// 3.2 is device22 firmware, which answers nulls only in command 0d. tuyapi sends them in 07.
#[test]
#[ignore = "needs Node with tuyapi; cargo xtask test runs it"]
fn tuyapi_cannot_ask_device22_of_3_2() {
    let device = Virtual::start(Version::V32, KEY);
    let mut requests = device.device.requests();
    let mut client = Client::start(&device, KEY);
    let settled = client.call(&json!({ "get": { "schema": true }, "limit": NEVER_MS }));
    assert_eq!(settled["failed"], "not settled");
    let request = block_on(&device.runtime, requests.recv()).expect("asks");
    let dps = request.payload.map(|payload| payload["dps"].clone());
    assert_eq!((request.command.0, dps), (7, Some(json!({ "1": null }))));
}

// ---- Our controller, tuyapi's stub

#[test]
#[ignore = "needs Node with tuyapi; cargo xtask test runs it"]
fn controller_of_the_stub() {
    for driver in Driver::ALL {
        for version in STUB {
            for key in [KEY, ODD_KEY] {
                drive_stub(driver, version, key);
            }
        }
    }
}

fn drive_stub(driver: Driver, version: Version, key: &str) {
    let what = format!("{driver}, {version}");
    let mut stub = Stub::start(version, key);
    let mut timing = Timing::default();
    timing.heartbeat = Duration::from_millis(300);
    let device = Controller::spawn(driver, described(stub.port, key).version(version).timing(timing));
    let mut events = device.listener();
    assert_eq!(device.wait_connected(), Ok(version), "{what}");
    assert_eq!(Value::Object(device.query().expect("answers")), json!({ "1": false, "2": 50, "18": 0 }), "{what}");

    // The stub reports all its DPs for each set by command 07: numbered 0 like a push, before the acknowledgement, then
    // once more by a push.
    device.set_value(1, true).expect("acknowledges");
    events.wait_for(7, None, "1", &json!(true));
    events.pushed(None, "1", &json!(true));
    device.set_dps(&json!({ "2": 51, "18": -9 })).expect("acknowledges");
    events.pushed(None, "18", &json!(-9));
    assert_eq!(stub.state(), json!({ "1": true, "2": 51, "18": -9 }), "{what}");
    assert_eq!(Value::Object(device.query().expect("answers")), json!({ "1": true, "2": 51, "18": -9 }), "{what}");
    stub.process.order(&json!({ "set": { "2": 99 } }));
    events.wait_for(7, None, "2", &json!(99));

    let beats = |log: &[Value]| log.iter().filter(|line| line["cmd"] == 9).count();
    let before = beats(&stub.process.log);
    stub.process.read_until(|log| beats(log) >= before + 3);
    assert_eq!(device.query().expect("answers after heartbeats").get("2"), Some(&json!(99)), "{what}");

    events.forget();
    stub.process.order(&json!({ "close": true }));
    events.next(|event| matches!(event, Event::Down { reason: DownReason::PeerClosed, .. }).then_some(()));
    events.next(|event| matches!(event, Event::Up { .. }).then_some(()));
    assert_eq!(device.query().expect("answers again").get("2"), Some(&json!(99)), "{what}");
    device.close();
    assert_eq!(stub.process.stop(), 0, "{what}: {:?}", stub.process.log);
}

/// The stub throws, and ends, on unreadable frames.
#[test]
#[ignore = "needs Node with tuyapi; cargo xtask test runs it"]
fn controller_outlives_a_stub_with_another_key() {
    for driver in Driver::ALL {
        let mut stub = Stub::start(Version::V33, KEY);
        let limit = Duration::from_secs(1);
        let builder = described(stub.port, ODD_KEY).version(Version::V33).command_timeout(limit);
        let device = Controller::spawn(driver, builder);
        device.query().expect_err("the key is wrong");
        assert_eq!(stub.process.exit(), 1, "{driver}");
        device.close();
    }
}

/// This library's device, with one sub-device if the version has them.
struct Virtual {
    device: VirtualDevice,
    runtime: Runtime,
}

impl Virtual {
    fn start(version: Version, key: &str) -> Self {
        Self::start_with(version, key, &[])
    }

    fn start_with(version: Version, key: &str, quirks: &[&str]) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let builder = VirtualDevice::builder(ID, key, version).expect("usable id and key");
        let builder = builder.dps(map(&json!({ "1": false, "2": 50, "18": 0 }))).expect("usable DPs");
        let mut builder = builder.bind(([127, 0, 0, 1], 0).into());
        for quirk in quirks {
            builder = builder.quirk(quirk).expect("a known quirk");
        }
        let builder = match version {
            Version::V31 | Version::V32 => builder,
            Version::V33 | Version::V34 | Version::V35 => {
                builder.sub(CHILD, map(&json!({ "1": false, "9": 7 }))).expect("a usable cid")
            }
        };
        Self { device: block_on(&runtime, builder.start()).expect("a free port"), runtime }
    }

    fn holds(&self, cid: Option<&str>) -> Value {
        Value::Object(self.device.dps(cid))
    }

    fn changes(&self, cid: Option<&str>, dps: &Value) {
        self.device.set_dps(cid, map(dps)).expect("usable DPs");
    }
}

fn map(dps: &Value) -> Map<String, Value> {
    dps.as_object().cloned().unwrap_or_default()
}

fn client(to: &Virtual, key: &str) -> Command {
    let mut command = node("tuyapi_client.js", key);
    let port = to.device.local_addr().port().to_string();
    command.args(["127.0.0.1", &port, ID, to.device.version().as_str()]);
    command
}

/// `tuyapi_client.js`, connected.
struct Client(Process);

impl Client {
    fn start(to: &Virtual, key: &str) -> Self {
        let mut client = Self(Process::start(client(to, key)));
        client.receives(|line| line["event"] == "connected");
        client
    }

    /// Makes a call. Returns its line with `result` or `failed`.
    fn call(&mut self, order: &Value) -> Value {
        let from = self.0.log.len();
        self.0.order(order);
        let settled = |line: &&Value| line.get("result").is_some() || line.get("failed").is_some();
        let log = self.0.read_until(|log| log[from..].iter().any(|line| settled(&line)));
        log[from..].iter().find(settled).cloned().unwrap_or_default()
    }

    fn result(&mut self, order: &Value) -> Value {
        let settled = self.call(order);
        settled.get("result").cloned().unwrap_or_else(|| panic!("{order}: {settled}; {:?}", self.0.log))
    }

    /// Waits for a line, including those already printed.
    fn receives(&mut self, wanted: impl Fn(&Value) -> bool) {
        self.0.read_until(|log| log.iter().any(&wanted));
    }

    /// Requests the fresh value of DP 18, which is -9.
    fn refreshes(&mut self) {
        let from = self.0.log.len();
        self.result(&json!({ "refresh": { "requestedDPS": [18], "schema": true } }));
        let fresh = |line: &Value| line["event"] == "dp-refresh" && line["payload"]["dps"] == json!({ "18": -9 });
        self.0.read_until(|log| log[from..].iter().any(fresh));
    }

    /// Queries the state. The answer arrives, as the event shows, but the call does not return.
    fn loses_the_answer(&mut self, version: Version) {
        let from = self.0.log.len();
        let settled = self.call(&json!({ "get": { "schema": true }, "limit": NEVER_MS }));
        assert_eq!(settled["failed"], "not settled", "{version}");
        let answer = self.0.log[from..].iter().find(|line| line["event"] == "data" && line["cmd"] == 16);
        let answer = answer.unwrap_or_else(|| panic!("{version}: no answer: {:?}", self.0.log));
        assert_eq!(answer["payload"]["dps"], json!({ "1": false, "2": 77, "18": 0 }), "{version}");
    }

    /// Ends the client, and checks that it met no error.
    fn stop_unharmed(&mut self) {
        assert_eq!(self.0.stop(), 0, "{:?}", self.0.log);
        let errors: Vec<&Value> = self.0.log.iter().filter(|line| line["event"] == "error").collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
}

/// `tuyapi_stub.js`.
struct Stub {
    process: Process,
    port: u16,
}

impl Stub {
    fn start(version: Version, key: &str) -> Self {
        let mut command = node("tuyapi_stub.js", key);
        // Drops its output when it throws.
        command.args([ID, version.as_str()]).stderr(Stdio::null());
        let mut process = Process::start(command);
        let first = process.read_until(|log| !log.is_empty())[0].clone();
        let port = first["port"].as_u64().and_then(|port| u16::try_from(port).ok());
        Self { process, port: port.unwrap_or_else(|| panic!("no port: {first}")) }
    }

    /// Returns all properties of the stub.
    fn state(&mut self) -> Value {
        let from = self.process.log.len();
        self.process.order(&json!({ "get": true }));
        let log = self.process.read_until(|log| log[from..].iter().any(|line| line.get("state").is_some()));
        log[from..].iter().find_map(|line| line.get("state")).cloned().unwrap_or_default()
    }
}
