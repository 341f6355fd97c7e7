//! Tests with tinytuya: this library's controller with a device based on tinytuya's primitives, and tinytuya's client
//! with `rustuya simulate`.

use core::time::Duration;
use std::process::Command;

use rustuya_runtime_tokio::{CommandError, Dialect, DownReason, Event, Timing, Version};
use serde_json::{Value, json};

use crate::controller::{Controller, Driver, described};
use crate::process::{Process, python, required};
use crate::{CHILD, ID, KEY, ODD_KEY};

/// Minimum number of commands in a whole round of tinytuya's client.
const ROUND: usize = 6;
/// Makes a device of 3.5 answer requests for fresh values, which firmware ignores.
const UPDATE_ANSWERED: &[&str] = &["--quirk", "update-answered"];

// ---- Our controller, tinytuya's device

#[test]
#[ignore = "needs Python with tinytuya; cargo xtask test runs it"]
fn controller_of_every_version() {
    for driver in Driver::ALL {
        for version in Version::ALL {
            drive(driver, version, KEY, &[]);
            drive(driver, version, ODD_KEY, &[]);
        }
    }
}

#[test]
#[ignore = "needs Python with tinytuya; cargo xtask test runs it"]
fn controller_of_device22() {
    for driver in Driver::ALL {
        // Firmware of 3.5 is never detected as device22.
        for version in [Version::V33, Version::V34] {
            drive(driver, version, KEY, &["--device22"]);
        }
    }
}

#[test]
#[ignore = "needs Python with tinytuya; cargo xtask test runs it"]
fn controller_finds_the_version() {
    for driver in Driver::ALL {
        // Without 3.2: only announcements distinguish it from 3.3.
        for version in [Version::V31, Version::V33, Version::V34, Version::V35] {
            let fake = TuyaDevice::start(version, KEY, &[]);
            // 3.1 needs a configured minimum version.
            let least = version.min(Version::V33);
            let device = Controller::spawn(driver, described(fake.port, KEY).min_version(least));
            assert_eq!(device.wait_connected(), Ok(version));
            let dps = device.query().expect("answers");
            assert_eq!(dps.get("1"), Some(&json!(false)), "{driver}, {version}");
            device.close();
        }
    }
}

#[test]
#[ignore = "needs Python with tinytuya; cargo xtask test runs it"]
fn controller_of_a_gateway() {
    for driver in Driver::ALL {
        let child = format!("--sub={CHILD}={{\"1\":false,\"9\":7}}");
        for version in [Version::V33, Version::V34, Version::V35] {
            let mut fake = TuyaDevice::start(version, KEY, &[&child]);
            let gateway = Controller::spawn(driver, described(fake.port, KEY).version(version));
            let mut events = gateway.listener();
            let report = gateway.sub_discover().expect("reports its sub-devices").payload();
            let online = report.as_ref().and_then(|report| report.pointer("/data/online"));
            assert_eq!(online, Some(&json!([CHILD])), "{driver}, {version}");

            let dps = gateway.sub_query(CHILD).expect("answers for it");
            assert_eq!((dps.get("1"), dps.get("9")), (Some(&json!(false)), Some(&json!(7))), "{driver}, {version}");
            gateway.sub_set_value(CHILD, 1, true).expect("acknowledges for it");
            events.pushed(Some(CHILD), "1", &json!(true));
            assert_eq!(
                gateway.sub_query(CHILD).expect("answers for it").get("1"),
                Some(&json!(true)),
                "{driver}, {version}"
            );
            fake.process.order(&json!({ "push": { "9": 8 }, "cid": CHILD }));
            events.pushed(Some(CHILD), "9", &json!(8));

            // The gateway's own DPs do not change.
            assert_eq!(gateway.query().expect("answers").get("1"), Some(&json!(false)), "{driver}, {version}");
            gateway.close();
            fake.stop_unharmed();
        }
    }
}

#[test]
#[ignore = "needs Python with tinytuya; cargo xtask test runs it"]
fn controller_negotiates_anew_for_a_key_that_begins_with_zero() {
    for driver in Driver::ALL {
        for version in [Version::V34, Version::V35] {
            drive(driver, version, KEY, &["--zero-key"]);
        }
    }
}

#[test]
#[ignore = "needs Python with tinytuya; cargo xtask test runs it"]
fn controller_says_that_the_key_is_wrong() {
    for driver in Driver::ALL {
        for version in [Version::V32, Version::V33, Version::V34, Version::V35] {
            let fake = TuyaDevice::start(version, KEY, &[]);
            let device = Controller::spawn(
                driver,
                described(fake.port, ODD_KEY).version(version).command_timeout(Duration::from_secs(1)),
            );
            // 3.2 and 3.3 accept any connection; their answer to a query proves the wrong key. 3.4 and 3.5 close
            // silently: only after every other version has failed, too, the key is diagnosed.
            let mut events = device.listener();
            device.query().expect_err("the key is wrong");
            events.next(|event| matches!(event, Event::Down { reason: DownReason::WrongKey { .. }, .. }).then_some(()));
            let error = device.query().expect_err("the key is wrong");
            assert!(matches!(error.diagnosis(), Some(DownReason::WrongKey { .. })), "{driver}, {version}: {error:?}");
            let text = error.to_string();
            assert!(text.contains("local key") && !text.contains(ODD_KEY), "{driver}, {version}: {text}");
            device.close();
        }
    }
}

#[test]
#[ignore = "needs Python with tinytuya; cargo xtask test runs it"]
fn controller_with_a_wrong_key_where_nothing_proves_it() {
    for driver in Driver::ALL {
        let fake = TuyaDevice::start(Version::V31, KEY, &[]);
        let mut timing = Timing::default();
        timing.answer = Duration::from_millis(500);
        let device = Controller::spawn(driver, described(fake.port, ODD_KEY).version(Version::V31).timing(timing));
        // 3.1 sends queries and answers in clear text; only controls need the key.
        let before = device.query().expect("answers anybody");
        assert_eq!(device.set_value(1, true), Err(CommandError::Unanswered));
        assert_eq!(device.query(), Ok(before));
        device.close();
    }
}

#[test]
#[ignore = "needs Python with tinytuya; cargo xtask test runs it"]
fn controller_says_that_the_version_is_wrong() {
    for driver in Driver::ALL {
        for (ours, theirs) in [(Version::V34, Version::V35), (Version::V35, Version::V34), (Version::V33, Version::V35)]
        {
            let fake = TuyaDevice::start(theirs, KEY, &[]);
            let device = Controller::spawn(
                driver,
                described(fake.port, KEY).version(ours).command_timeout(Duration::from_secs(8)),
            );
            let mut events = device.listener();
            let expected = DownReason::WrongVersion { speaks: Some(theirs) };
            let error = device.query().expect_err("the version is wrong");
            assert!(error.is_auth(), "{driver}, {ours} to {theirs}: {error}");
            // If the first failure can have several reasons, the controller tries other versions to distinguish them.
            events.next(|event| matches!(event, Event::Down { reason, .. } if *reason == expected).then_some(()));
            assert_eq!(device.diagnosis(), Some(expected), "{driver}, {ours} to {theirs}");
            device.close();
        }
    }
}

#[test]
#[ignore = "needs Python with tinytuya; cargo xtask test runs it"]
fn controller_comes_back() {
    for driver in Driver::ALL {
        for version in Version::ALL {
            let mut fake = TuyaDevice::start(version, KEY, &[]);
            let device = Controller::spawn(driver, described(fake.port, KEY).version(version));
            let mut events = device.listener();
            device.set_value(2, 77).expect("acknowledges");
            fake.process.order(&json!({ "close": true }));
            events.next(|event| matches!(event, Event::Down { reason: DownReason::PeerClosed, .. }).then_some(()));
            events.next(|event| matches!(event, Event::Up { .. }).then_some(()));
            assert_eq!(device.query().expect("answers").get("2"), Some(&json!(77)), "{driver}, {version}");
            device.close();
            fake.stop_unharmed();
        }
    }
}

/// Sends every command of a plain device, with heartbeats in between.
fn drive(driver: Driver, version: Version, key: &str, options: &[&str]) {
    let what = format!("{driver}, {version} {options:?}");
    let mut fake = TuyaDevice::start(version, key, options);
    let mut timing = Timing::default();
    timing.heartbeat = Duration::from_millis(300);
    let refuses = options.contains(&"--device22");
    let dialect = refuses.then_some(Dialect::Device22);
    let device = described(fake.port, key).version(version).dialect(dialect).timing(timing);
    let device = Controller::spawn(driver, device);
    let mut events = device.listener();

    // Device22 firmware reports only the queried DPs.
    let dps = device.query_dps(&[1]).expect("answers");
    assert_eq!(dps.get("1"), Some(&json!(false)), "{what}");
    if !refuses && version != Version::V32 {
        assert_eq!(Value::Object(dps), json!({ "1": false, "2": 50, "18": 0 }), "{what}");
    }

    device.set_value(1, true).expect("acknowledges");
    events.pushed(None, "1", &json!(true));
    device.set_dps(&json!({ "2": 51, "18": -9 })).expect("acknowledges");
    events.pushed(None, "18", &json!(-9));
    let dps = device.query().expect("answers");
    assert_eq!(Value::Object(dps), json!({ "1": true, "2": 51, "18": -9 }), "{what}");

    fake.process.order(&json!({ "push": { "2": 99 } }));
    events.pushed(None, "2", &json!(99));
    events.forget();
    device.update_dps(&[18]).expect("is sent");
    events.pushed(None, "18", &json!(-9));

    let beats = |fake: &TuyaDevice| fake.process.log.iter().filter(|line| line["cmd"] == 9).count();
    fake.process.read_until(|log| log.iter().filter(|line| line["cmd"] == 9).count() >= 3);
    assert!(beats(&fake) >= 3, "{what}");
    let dps = device.query().expect("answers after heartbeats");
    assert_eq!(dps.get("2"), Some(&json!(99)), "{what}");

    device.close();
    fake.stop_unharmed();
    let connections = fake.process.log.iter().filter(|line| line["event"] == "connected").count();
    assert_eq!(connections, 1, "{what}: {:?}", fake.process.log);
}

// ---- tinytuya's client, our device

#[test]
#[ignore = "needs Python with tinytuya; cargo xtask test runs it"]
fn simulated_devices_of_every_version() {
    for version in Version::ALL {
        be_driven(version, KEY, &[], &[]);
        be_driven(version, ODD_KEY, &[], &[]);
    }
    be_driven(Version::V35, KEY, UPDATE_ANSWERED, &[]);
}

#[test]
#[ignore = "needs Python with tinytuya; cargo xtask test runs it"]
fn simulated_device22() {
    for version in [Version::V33, Version::V34] {
        let result = be_driven(version, KEY, &["--device22"], &[]);
        assert_eq!(result["dev_type"], "device22", "{version}");
    }
    // tinytuya does not detect this one by itself.
    be_driven(Version::V35, KEY, &["--device22"], &["--dev-type", "device22"]);
}

#[test]
#[ignore = "needs Python with tinytuya; cargo xtask test runs it"]
fn simulated_gateway() {
    let other = "00124b002d8e6a68";
    let dps = "={\"1\":false,\"9\":0}";
    let children = [CHILD, other].map(|cid| format!("{cid}{dps}"));
    for version in [Version::V33, Version::V34, Version::V35] {
        let options = ["--sub", &children[0], "--sub", &children[1]];
        let result = be_driven(version, KEY, &options, &["--cid", CHILD, "--cid", other]);
        for cid in [CHILD, other] {
            assert!(result[format!("{cid}:status_after")]["dps"]["1"].is_boolean(), "{version}: {result}");
        }
    }
}

#[test]
#[ignore = "needs Python with tinytuya; cargo xtask test runs it"]
fn simulated_devices_refuse_what_they_must_and_go_on() {
    for version in [Version::V33, Version::V34, Version::V35] {
        let mut device = Simulated::start(version, KEY, &[]);
        let (code, result) = tuya_client(device.port, version, ODD_KEY, &["--timeout", "0.5"]);
        assert!(code != 0 && result["ok"] == false, "{version}: {result}");
        let (code, result) = tuya_client(device.port, version, KEY, silent_updates(version, &[]));
        assert!(code == 0 && result["ok"] == true, "{version}: {result}");
        device.process.read_until(|log| log.len() > ROUND);
    }
    for version in [Version::V34, Version::V35] {
        // tinytuya does not know that such a key is invalid, and the device must not accept it either.
        let device = Simulated::start(version, KEY, &["--quirk", "zero-key"]);
        let (code, result) = tuya_client(device.port, version, KEY, &["--timeout", "0.5"]);
        assert!(code != 0 && result["ok"] == false, "{version}: {result}");
    }
    let device = Simulated::start(Version::V35, KEY, &[]);
    let (code, result) = tuya_client(device.port, Version::V34, KEY, &["--timeout", "0.5"]);
    assert!(code != 0 && result["ok"] == false, "{result}");
}

/// Runs tinytuya's client. Returns its output.
fn be_driven(version: Version, key: &str, device: &[&str], client: &[&str]) -> Value {
    let mut simulated = Simulated::start(version, key, device);
    let client = [client, silent_updates(version, device)].concat();
    let (code, result) = tuya_client(simulated.port, version, key, &client);
    assert!(code == 0 && result["ok"] == true, "{version} {device:?}: exit {code}: {result}");
    // One line for every command: each was answered, so all lines will arrive.
    let log =
        simulated.process.read_until(|log| log.len() > ROUND && log.iter().any(|line| line["name"] == "HeartBeat"));
    let mut numbers = log.iter().filter(|line| line.get("cmd").is_some()).map(|line| line["seqno"].as_u64());
    assert!(numbers.all(|seqno| seqno.is_some()), "{version} {device:?}: {log:?}");
    result
}

/// Returns the options of `tuya_client.py` for a device with these options.
fn silent_updates(version: Version, device: &[&str]) -> &'static [&'static str] {
    if version == Version::V35 && device != UPDATE_ANSWERED { &["--silent-updates"] } else { &[] }
}

/// Runs `tuya_client.py`. Returns its exit status and result.
fn tuya_client(port: u16, version: Version, key: &str, options: &[&str]) -> (i32, Value) {
    let mut command = python("tuya_client.py");
    command.args(["--port", &port.to_string(), "--id", ID, "--version", version.as_str()]);
    command.arg(format!("--key={key}")).args(options);
    let mut client = Process::start(command);
    let result = client.read_until(|log| !log.is_empty())[0].clone();
    (client.exit(), result)
}

/// `rustuya simulate`.
struct Simulated {
    process: Process,
    port: u16,
}

impl Simulated {
    fn start(version: Version, key: &str, options: &[&str]) -> Self {
        let mut command = Command::new(required("RUSTUYA_INTEROP_BINARY", "the `rustuya` program"));
        command.args(["simulate", "--id", ID, "--version", version.as_str(), "--port", "0"]);
        command.args(["--dps", r#"{"1":false,"2":50,"18":0}"#]).args(options).env("RUSTUYA_KEY", key);
        let mut process = Process::start(command);
        let first = process.read_until(|log| !log.is_empty())[0].clone();
        let address = first["listening"].as_str().unwrap_or_else(|| panic!("not the first line: {first}"));
        let port = address.strip_prefix("127.0.0.1:").and_then(|port| port.parse().ok());
        Self { process, port: port.unwrap_or_else(|| panic!("not on loopback: {first}")) }
    }
}

/// `tuya_device.py`.
struct TuyaDevice {
    process: Process,
    port: u16,
}

impl TuyaDevice {
    fn start(version: Version, key: &str, options: &[&str]) -> Self {
        let mut command = python("tuya_device.py");
        command.args(["--version", version.as_str(), "--id", ID]).arg(format!("--key={key}")).args(options);
        let mut process = Process::start(command);
        let first = process.read_until(|log| !log.is_empty())[0].clone();
        let port = first["port"].as_u64().and_then(|port| u16::try_from(port).ok());
        Self { process, port: port.unwrap_or_else(|| panic!("no port: {first}")) }
    }

    /// Ends the device, and checks that it reported no violation.
    fn stop_unharmed(&mut self) {
        assert_eq!(self.process.stop(), 0, "{:?}", self.process.log);
        let violations: Vec<&Value> = self.process.log.iter().filter(|line| line.get("violation").is_some()).collect();
        assert!(violations.is_empty(), "{violations:?}");
    }
}
