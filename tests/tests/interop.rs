//! Against tinytuya, both ways: this library's controller against a device made of tinytuya's primitives, and
//! tinytuya's client against `rustuya simulate`.
//!
//! `RUSTUYA_INTEROP_PYTHON` names a Python that has tinytuya, `RUSTUYA_INTEROP_BINARY` the `rustuya` program.

use core::time::Duration;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use rustuya_runtime_tokio::{
    CommandError, Device, DeviceBuilder, Dialect, DownReason, Event, Listener, Timing, TokioHandle, Version,
};
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

const ID: &str = "eb0123456789abcdefghij";
const KEY: &str = "0123456789abcdef";
const ODD_KEY: &str = "x'$]a{7~&Z<q#9!?";
const CHILD: &str = "a4c1380123456789";
/// Within this, everything has happened or will not.
const LIMIT: Duration = Duration::from_secs(40);
/// Commands that a whole round of tinytuya's client makes at least.
const ROUND: usize = 6;

// ---- Our controller, tinytuya's device

#[test]
#[ignore = "needs Python with tinytuya; cargo xtask test runs it"]
fn controller_of_every_version() {
    for version in Version::ALL {
        drive(version, KEY, &[]);
        drive(version, ODD_KEY, &[]);
    }
}

#[test]
#[ignore = "needs Python with tinytuya; cargo xtask test runs it"]
fn controller_of_device22() {
    for version in [Version::V33, Version::V34, Version::V35] {
        drive(version, KEY, &["--device22"]);
    }
}

#[test]
#[ignore = "needs Python with tinytuya; cargo xtask test runs it"]
fn controller_finds_the_version() {
    // Not 3.2: only its announcements tell it from 3.3.
    for version in [Version::V31, Version::V33, Version::V34, Version::V35] {
        let fake = TuyaDevice::start(version, KEY, &[]);
        let device = fake.spawn(fake.controller(KEY));
        assert_eq!(fake.block_on(device.wait_connected(LIMIT)), Ok(version));
        let dps = fake.block_on(device.query()).expect("answers");
        assert_eq!(dps.get("1"), Some(&json!(false)), "{version}");
        fake.block_on(device.close());
    }
}

#[test]
#[ignore = "needs Python with tinytuya; cargo xtask test runs it"]
fn controller_of_a_gateway() {
    let child = format!("--sub={CHILD}={{\"1\":false,\"9\":7}}");
    for version in [Version::V33, Version::V34, Version::V35] {
        let mut fake = TuyaDevice::start(version, KEY, &[&child]);
        let gateway = fake.spawn(fake.controller(KEY).version(version));
        let mut events = gateway.listener();
        let report = fake.block_on(gateway.sub_discover().acknowledged()).expect("reports its sub-devices").payload;
        let online = report.as_ref().and_then(|report| report.pointer("/data/online"));
        assert_eq!(online, Some(&json!([CHILD])), "{version}");

        let sub = gateway.sub(CHILD).expect("a usable cid");
        let dps = fake.block_on(sub.query()).expect("answers for it");
        assert_eq!((dps.get("1"), dps.get("9")), (Some(&json!(false)), Some(&json!(7))), "{version}");
        fake.block_on(sub.set_value(1, true).acknowledged()).expect("acknowledges for it");
        fake.pushed(&mut events, Some(CHILD), "1", &json!(true));
        assert_eq!(fake.block_on(sub.query()).expect("answers for it").get("1"), Some(&json!(true)), "{version}");
        fake.order(&json!({ "push": { "9": 8 }, "cid": CHILD }));
        fake.pushed(&mut events, Some(CHILD), "9", &json!(8));

        // The gateway itself is not touched by any of this.
        assert_eq!(fake.block_on(gateway.query()).expect("answers").get("1"), Some(&json!(false)), "{version}");
        fake.block_on(gateway.close());
        fake.stop_unharmed();
    }
}

#[test]
#[ignore = "needs Python with tinytuya; cargo xtask test runs it"]
fn controller_negotiates_anew_for_a_key_that_begins_with_zero() {
    for version in [Version::V34, Version::V35] {
        drive(version, KEY, &["--zero-key"]);
    }
}

#[test]
#[ignore = "needs Python with tinytuya; cargo xtask test runs it"]
fn controller_says_that_the_key_is_wrong() {
    for version in [Version::V33, Version::V34, Version::V35] {
        let fake = TuyaDevice::start(version, KEY, &[]);
        let device = fake.spawn(fake.controller(ODD_KEY).version(version).command_timeout(Duration::from_secs(1)));
        // 3.3 takes anything that is said, and betrays the key by its answer. 3.4 and 3.5 close without a word: only
        // when every other version failed, too, the key is to blame.
        let mut events = device.listener();
        fake.block_on(device.query()).expect_err("the key is wrong");
        fake.next(&mut events, |event| {
            matches!(event, Event::Down { reason: DownReason::WrongKey { .. }, .. }).then_some(())
        });
        let error = fake.block_on(device.query()).expect_err("the key is wrong");
        assert!(matches!(error.diagnosis(), Some(DownReason::WrongKey { .. })), "{version}: {error:?}");
        let text = error.to_string();
        assert!(text.contains("local key") && !text.contains(ODD_KEY), "{version}: {text}");
        fake.block_on(device.close());
    }
}

#[test]
#[ignore = "needs Python with tinytuya; cargo xtask test runs it"]
fn controller_with_a_wrong_key_where_nothing_proves_it() {
    let fake = TuyaDevice::start(Version::V31, KEY, &[]);
    let mut timing = Timing::default();
    timing.answer = Duration::from_millis(500);
    let device = fake.spawn(fake.controller(ODD_KEY).version(Version::V31).timing(timing));
    // 3.1 asks and answers queries in clear text; only controls need the key.
    let before = fake.block_on(device.query()).expect("answers anybody");
    assert_eq!(fake.block_on(device.set_value(1, true).acknowledged()), Err(CommandError::Unanswered));
    assert_eq!(fake.block_on(device.query()), Ok(before));
    fake.block_on(device.close());

    // 3.2 answers heartbeats, which are empty, and says nothing to what it cannot read.
    let fake = TuyaDevice::start(Version::V32, KEY, &[]);
    let device = fake.spawn(fake.controller(ODD_KEY).version(Version::V32).timing(timing));
    assert_eq!(fake.block_on(device.query()), Err(CommandError::Unanswered));
    fake.block_on(device.close());
}

#[test]
#[ignore = "needs Python with tinytuya; cargo xtask test runs it"]
fn controller_says_that_the_version_is_wrong() {
    for (ours, theirs) in [(Version::V34, Version::V35), (Version::V35, Version::V34), (Version::V33, Version::V35)] {
        let fake = TuyaDevice::start(theirs, KEY, &[]);
        let device = fake.spawn(fake.controller(KEY).version(ours).command_timeout(Duration::from_secs(8)));
        let mut events = device.listener();
        let expected = DownReason::WrongVersion { speaks: Some(theirs) };
        let error = fake.block_on(device.query()).expect_err("the version is wrong");
        assert!(error.is_auth(), "{ours} to {theirs}: {error}");
        // Where the first failure can have several reasons, other versions are tried to tell them apart.
        fake.next(&mut events, |event| {
            matches!(event, Event::Down { reason, .. } if *reason == expected).then_some(())
        });
        assert_eq!(device.diagnosis(), Some(expected), "{ours} to {theirs}");
        fake.block_on(device.close());
    }
}

#[test]
#[ignore = "needs Python with tinytuya; cargo xtask test runs it"]
fn controller_comes_back() {
    for version in Version::ALL {
        let mut fake = TuyaDevice::start(version, KEY, &[]);
        let device = fake.spawn(fake.controller(KEY).version(version));
        let mut events = device.listener();
        fake.block_on(device.set_value(2, 77).acknowledged()).expect("acknowledges");
        fake.order(&json!({ "close": true }));
        fake.next(&mut events, |event| {
            matches!(event, Event::Down { reason: DownReason::PeerClosed, .. }).then_some(())
        });
        fake.next(&mut events, |event| matches!(event, Event::Up { .. }).then_some(()));
        assert_eq!(fake.block_on(device.query()).expect("answers").get("2"), Some(&json!(77)), "{version}");
        fake.block_on(device.close());
        fake.stop_unharmed();
    }
}

/// Everything that a plain device can be asked, with heartbeats in between.
fn drive(version: Version, key: &str, options: &[&str]) {
    let what = format!("{version} {options:?}");
    let mut fake = TuyaDevice::start(version, key, options);
    let mut timing = Timing::default();
    timing.heartbeat = Duration::from_millis(300);
    let device = fake.spawn(fake.controller(key).version(version).timing(timing));
    let mut events = device.listener();

    // Device22 firmware answers for the DPs that it is asked for, which is DP 1 as long as no other was seen.
    let dps = fake.block_on(device.query()).expect("answers");
    assert_eq!(dps.get("1"), Some(&json!(false)), "{what}");
    let refuses = version == Version::V32 || options.contains(&"--device22");
    if refuses && version != Version::V32 {
        fake.next(&mut events, |event| matches!(event, Event::Dialect(Dialect::Device22)).then_some(()));
    } else if !refuses {
        assert_eq!(Value::Object(dps), json!({ "1": false, "2": 50, "18": 0 }), "{what}");
    }

    fake.block_on(device.set_value(1, true).acknowledged()).expect("acknowledges");
    fake.pushed(&mut events, None, "1", &json!(true));
    let both = Map::from_iter([("2".to_owned(), json!(51)), ("18".to_owned(), json!(-9))]);
    fake.block_on(device.set_dps(both).acknowledged()).expect("acknowledges");
    fake.pushed(&mut events, None, "18", &json!(-9));
    let dps = fake.block_on(device.query()).expect("answers");
    assert_eq!(Value::Object(dps), json!({ "1": true, "2": 51, "18": -9 }), "{what}");

    fake.order(&json!({ "push": { "2": 99 } }));
    fake.pushed(&mut events, None, "2", &json!(99));
    while events.try_recv().is_some() {}
    fake.block_on(device.update_dps(&[18])).expect("is sent");
    fake.pushed(&mut events, None, "18", &json!(-9));

    let beats = |fake: &TuyaDevice| fake.process.log.iter().filter(|line| line["cmd"] == 9).count();
    fake.process.read_until(|log| log.iter().filter(|line| line["cmd"] == 9).count() >= 3);
    assert!(beats(&fake) >= 3, "{what}");
    let dps = fake.block_on(device.query()).expect("answers after heartbeats");
    assert_eq!(dps.get("2"), Some(&json!(99)), "{what}");

    fake.block_on(device.close());
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
        let (code, result) = tuya_client(device.port, version, KEY, &[]);
        assert!(code == 0 && result["ok"] == true, "{version}: {result}");
        device.process.read_until(|log| log.len() > ROUND);
    }
    for version in [Version::V34, Version::V35] {
        // tinytuya does not know that such a key is none, and the device must not accept it either.
        let device = Simulated::start(version, KEY, &["--quirk", "zero-key"]);
        let (code, result) = tuya_client(device.port, version, KEY, &["--timeout", "0.5"]);
        assert!(code != 0 && result["ok"] == false, "{version}: {result}");
    }
    let device = Simulated::start(Version::V35, KEY, &[]);
    let (code, result) = tuya_client(device.port, Version::V34, KEY, &["--timeout", "0.5"]);
    assert!(code != 0 && result["ok"] == false, "{result}");
}

/// A whole run of tinytuya's client; what it printed.
fn be_driven(version: Version, key: &str, device: &[&str], client: &[&str]) -> Value {
    let mut simulated = Simulated::start(version, key, device);
    let (code, result) = tuya_client(simulated.port, version, key, client);
    assert!(code == 0 && result["ok"] == true, "{version} {device:?}: exit {code}: {result}");
    // One line for every command: each of them was answered, so all lines are on their way.
    let log =
        simulated.process.read_until(|log| log.len() > ROUND && log.iter().any(|line| line["name"] == "HeartBeat"));
    let mut numbers = log.iter().filter(|line| line.get("cmd").is_some()).map(|line| line["seqno"].as_u64());
    assert!(numbers.all(|seqno| seqno.is_some()), "{version} {device:?}: {log:?}");
    result
}

/// Exit status and result of one run of `tuya_client.py`.
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

/// `tuya_device.py`, and a runtime to speak with it.
struct TuyaDevice {
    process: Process,
    port: u16,
    runtime: Runtime,
}

impl TuyaDevice {
    fn start(version: Version, key: &str, options: &[&str]) -> Self {
        let mut command = python("tuya_device.py");
        command.args(["--version", version.as_str(), "--id", ID]).arg(format!("--key={key}")).args(options);
        let mut process = Process::start(command);
        let first = process.read_until(|log| !log.is_empty())[0].clone();
        let port = first["port"].as_u64().and_then(|port| u16::try_from(port).ok());
        // Not the current thread's: the connection goes on while a test waits for what the device says.
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        Self { process, port: port.unwrap_or_else(|| panic!("no port: {first}")), runtime: runtime.expect("a runtime") }
    }

    fn controller(&self, key: &str) -> DeviceBuilder {
        let builder = Device::builder(ID, key).expect("usable id and key");
        builder.address([127, 0, 0, 1]).port(self.port)
    }

    fn spawn(&self, device: DeviceBuilder) -> Device {
        device.spawn(&TokioHandle(self.runtime.handle().clone()))
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(async { tokio::time::timeout(LIMIT, future).await.expect("ends in time") })
    }

    /// Writes a line to the device.
    fn order(&mut self, order: &Value) {
        let stdin = self.process.stdin.as_mut().expect("not stopped");
        writeln!(stdin, "{order}").expect("the device listens");
    }

    /// The next event that `wanted` turns into something.
    fn next<T>(&self, events: &mut Listener, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
        self.block_on(async {
            loop {
                let event = events.recv().await.expect("the device lives");
                if let Some(found) = wanted(&event) {
                    return found;
                }
            }
        })
    }

    /// Waits for a push in which `dp` is `value`.
    fn pushed(&self, events: &mut Listener, cid: Option<&str>, dp: &str, value: &Value) {
        self.next(events, |event| match event {
            Event::Message(message) if message.command().0 == 8 && message.cid().as_deref() == cid => {
                message.dps().get(dp).filter(|found| *found == value).map(drop)
            }
            _ => None,
        });
    }

    /// Ends the device, which has had nothing to complain about.
    fn stop_unharmed(&mut self) {
        self.process.stdin = None;
        assert_eq!(self.process.exit(), 0, "{:?}", self.process.log);
        let violations: Vec<&Value> = self.process.log.iter().filter(|line| line.get("violation").is_some()).collect();
        assert!(violations.is_empty(), "{violations:?}");
    }
}

/// A program that prints JSON lines. Killed when dropped.
struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Value>,
    /// What it printed, as far as it was read.
    log: Vec<Value>,
}

impl Process {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", command.get_program().display()));
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("piped");
        let (sender, lines) = channel();
        // Ends with the program's output.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or_else(|_| json!({ "violation": line }));
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, stdin, lines, log: Vec::new() }
    }

    /// Reads lines until `done` holds for all of them.
    fn read_until(&mut self, done: impl Fn(&[Value]) -> bool) -> &[Value] {
        let deadline = Instant::now() + LIMIT;
        while !done(&self.log) {
            let rest = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(rest) {
                Ok(line) => self.log.push(line),
                Err(error) => panic!("{error}; printed so far: {:?}", self.log),
            }
        }
        &self.log
    }

    /// Waits for the end and returns the exit status.
    fn exit(&mut self) -> i32 {
        let deadline = Instant::now() + LIMIT;
        // The output ends with the program.
        while let Ok(line) = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            self.log.push(line);
        }
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().expect("a child to wait for") {
                return status.code().unwrap_or(-1);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("does not end; printed: {:?}", self.log);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn python(script: &str) -> Command {
    let mut command = Command::new(required("RUSTUYA_INTEROP_PYTHON", "a Python with tinytuya"));
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("interop").join(script));
    command
}

fn required(variable: &str, what: &str) -> PathBuf {
    match std::env::var_os(variable) {
        Some(path) if Path::new(&path).is_file() => path.into(),
        Some(path) => panic!("{variable}: {} is no file; it must name {what}", path.display()),
        None => panic!("{variable} is not set: it must name {what}. `cargo xtask test` sets it"),
    }
}
