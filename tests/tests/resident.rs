//! Resident memory of a process while a gateway sends without end, as the system reports it.
//!
//! Each case is a process of its own, which runs this file's `measured` test.
#![cfg(target_os = "linux")]

use core::time::Duration;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::Instant;

use rustuya_faulty::FaultyDevice;
use rustuya_proto::Version;
use rustuya_runtime_blocking as blocking;
use rustuya_runtime_tokio::{self as rt, Event, Tokio};
use serde_json::{Map, Value, json};

const ID: &str = "eb0123456789abcdefghij";
const KEY: &str = "0123456789abcdef";

/// Largest growth of a process, in bytes: the limits of one device are 256 KiB, 1 MiB and a frame of 64 KiB, and an
/// allocator adds some.
const ALLOWED: u64 = 6 << 20;

/// Environment variable with the case of the measured process.
const CASE: &str = "RUSTUYA_TEST_RESIDENT";

#[test]
fn a_hostile_gateway_does_not_fill_the_memory() {
    for runtime in ["tokio", "blocking"] {
        for version in [Version::V31, Version::V33, Version::V35] {
            let grown = flooded(runtime, version, "bounded");
            assert!(grown < ALLOWED, "{runtime} {version}: {grown} bytes more");
        }
    }
}

#[test]
fn without_a_bound_it_would() {
    let grown = flooded("tokio", Version::V31, "unbounded");
    assert!(grown > 3 * ALLOWED, "{grown} bytes: the measurement above shows nothing");
}

/// Floods a process with some 40 MB. Returns the largest growth of its memory, in bytes.
fn flooded(runtime: &str, version: Version, bounds: &str) -> u64 {
    let gateway = FaultyDevice::builder(ID, KEY, version).dps(json!({ "1": true })).start().expect("a gateway");
    let mut process = Command::new(std::env::current_exe().expect("this file"))
        .args(["--exact", "measured", "--ignored", "--nocapture"])
        .env(CASE, format!("{runtime} {} {} {bounds}", gateway.addr(), version.as_str()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process");
    let mut orders = process.stdin.take().expect("piped");
    let mut told = BufReader::new(process.stdout.take().expect("piped")).lines();
    let mut answer = |name: &str| {
        let line = told.by_ref().map(|line| line.expect("text")).find_map(|line| {
            // The test harness writes before the first value, in the same line.
            line.split_once(name).map(|(_, rest)| rest.trim().to_owned())
        });
        line.unwrap_or_else(|| panic!("the process has ended without `{name}`"))
    };
    answer("up:");
    let frames = flood(&gateway);
    writeln!(orders, "{frames}").expect("it listens");
    let grown = answer("grown:").parse().expect("a number");
    let values_dropped: u64 = answer("values_dropped:").parse().expect("a number");
    let lagged: u64 = answer("lagged:").parse().expect("a number");
    drop(orders);
    assert!(process.wait().expect("it ends").success());
    if bounds == "bounded" {
        assert!(values_dropped > 0 && lagged > 0, "what was dropped is told: {values_dropped}, {lagged}");
    }
    grown
}

/// Pushes new sub-devices, new DPs and large values. Returns the number of frames.
fn flood(gateway: &FaultyDevice) -> u64 {
    let tree = |n: usize| Value::Array(vec![json!([n % 10]); 10_000]);
    let many = |n: usize| -> Map<String, Value> {
        (0..2_000).map(|dp| ((1_000 + (n * 2_000 + dp) % 60_000).to_string(), json!(dp))).collect()
    };
    let mut frames = 0;
    for n in 0..400 {
        let cid = format!("child{n:011}");
        gateway.push(Some(&cid), json!({ "1": tree(n) }));
        gateway.push(None, Value::Object(many(n)));
        gateway.push(None, json!({ (100 + n % 100).to_string(): "x".repeat(40_000) }));
        frames += 3;
    }
    frames
}

#[test]
#[ignore = "a part of the other tests, which start it in a process of its own"]
fn measured() {
    let case = std::env::var(CASE).expect("started by the other tests");
    let [runtime, address, version, bounds] = case.split(' ').collect::<Vec<_>>()[..] else { panic!("{case}") };
    let address = address.parse().expect("an address");
    let version: Version = version.parse().expect("a version");
    let limit = (bounds == "unbounded").then_some(1 << 30);
    match runtime {
        "tokio" => {
            let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            let tokio = tokio.expect("a runtime");
            let device = rt::Device::builder(ID, KEY).expect("valid").address(rt::Address::Socket(address));
            let device = bounded(device.version(version), limit);
            let _inside = tokio.enter();
            let device = device.spawn(&Tokio);
            let mut events = device.listener();
            tokio.block_on(device.wait_connected(LONG)).expect("connected");
            measure(|| device.metrics(), || events.try_recv());
            tokio.block_on(device.close());
        }
        _ => {
            let thread = blocking::PollThread::start().expect("a thread");
            let device = rt::Device::builder(ID, KEY).expect("valid").address(rt::Address::Socket(address));
            let device = blocking::DeviceBuilder::from(bounded(device.version(version), limit)).spawn(&thread);
            let mut events = device.listener();
            device.wait_connected(LONG).expect("connected");
            measure(|| device.metrics(), || events.try_recv());
            device.close();
        }
    }
}

const LONG: Duration = Duration::from_secs(60);

fn bounded(builder: rt::DeviceBuilder, limit: Option<usize>) -> rt::DeviceBuilder {
    limit.map_or(builder.clone(), |limit| builder.memory_limit(limit).backlog_limit(limit))
}

/// Prints the growth of the process until the ordered number of frames has arrived.
fn measure(metrics: impl Fn() -> rt::Metrics, mut event: impl FnMut() -> Option<Event>) {
    // Resets the peak.
    std::fs::write("/proc/self/clear_refs", "5").expect("a process may do so to itself");
    let before = peak();
    println!("up:");
    let mut order = String::new();
    std::io::stdin().read_line(&mut order).expect("an order");
    let frames: u64 = order.trim().parse().expect("a number");
    let begun = Instant::now();
    while metrics().frames < frames {
        assert!(begun.elapsed() < 3 * LONG, "{:?}", metrics());
        std::thread::sleep(Duration::from_millis(5));
    }
    println!("grown: {}", peak().saturating_sub(before));
    let mut lagged = 0;
    while let Some(event) = event() {
        if let Event::Lagged(lost) = event {
            lagged += lost;
        }
    }
    println!("values_dropped: {}", metrics().values_dropped);
    println!("lagged: {lagged}");
}

/// Returns the peak of the resident memory, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().expect("a number");
    kib * 1024
}
