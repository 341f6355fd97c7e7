//! Lack of file descriptors: reported as such, and over as soon as there are some.
//!
//! The limit applies to the process: one test for all runtimes, one after the other.
#![cfg(unix)]

use core::error::Error as _;
use core::time::Duration;
use std::time::Instant;

use rlimit::Resource;
use rustuya_faulty::FaultyDevice;
use rustuya_proto::{Timing, Version};
use rustuya_runtime::driver::Runtime;
use rustuya_runtime::{
    AddError, CommandError, Device, DeviceBuilder, Discovery, DownReason, Event, Manager, Registry,
    is_out_of_descriptors,
};
use rustuya_runtime_blocking as blocking;
use rustuya_runtime_tokio::TokioHandle;
use serde_json::json;

const ID: &str = "eb0123456789abcdefghij";
const KEY: &str = "0123456789abcdef";
const SOON: Duration = Duration::from_secs(20);

/// Guard that prevents the process from opening descriptors.
struct Shortage(u64);

impl Shortage {
    fn begin() -> Self {
        let (soft, hard) = Resource::NOFILE.get().expect("a limit");
        Resource::NOFILE.set(3, hard).expect("can be lowered");
        Self(soft)
    }
}

impl Drop for Shortage {
    fn drop(&mut self) {
        let hard = Resource::NOFILE.get_hard().expect("a limit");
        Resource::NOFILE.set(self.0, hard).expect("can be raised to what it was");
    }
}

/// Short pauses between attempts.
fn timing() -> Timing {
    let mut timing = Timing::DEFAULT;
    (timing.backoff_min, timing.backoff_max) = (Duration::from_millis(100), Duration::from_millis(200));
    timing
}

/// Makes the builder of a device by address or by host name, which needs a lookup before each dial.
fn lamp(device: &FaultyDevice, host: &str) -> DeviceBuilder {
    let builder =
        Device::builder(ID, KEY).expect("usable").address(host.parse::<rustuya_runtime::Address>().expect("a host"));
    builder.port(device.addr().port()).version(Version::V34).timing(timing())
}

/// Returns whether the event reports a shortage.
fn is_shortage(event: &Event) -> bool {
    matches!(event, Event::Down { reason: DownReason::OutOfDescriptors, .. })
}

#[track_caller]
fn assert_told(error: &CommandError) {
    assert_eq!(error.diagnosis(), Some(DownReason::OutOfDescriptors), "{error:?}");
    let text = error.to_string();
    assert!(
        text.contains("out of file descriptors") && text.contains("ulimit -n") && !text.contains("power"),
        "{text}"
    );
}

/// Checks that announcements cannot be received.
#[track_caller]
fn assert_no_discovery(error: &AddError) {
    let text = error.to_string();
    assert!(text.contains("ulimit -n") && !text.contains("free the UDP ports"), "{text}");
    let source = error.source().and_then(|source| source.downcast_ref()).expect("the system's reason");
    assert!(is_out_of_descriptors(source), "{source:?}");
}

async fn on(runtime: &(impl Runtime + Clone), host: &str) {
    let fake = FaultyDevice::builder(ID, KEY, Version::V34).dps(json!({ "1": true })).start().expect("a device");
    let device = lamp(&fake, host).spawn(runtime);
    device.wait_connected(SOON).await.expect("connects");
    let mut events = device.listener();

    let shortage = Shortage::begin();
    fake.close_all();
    let mut event = events.recv().await.expect("an event");
    while !is_shortage(&event) {
        event = events.recv().await.expect("an event");
    }
    assert_eq!(device.diagnosis(), Some(DownReason::OutOfDescriptors));
    assert_told(&device.set_value(1, true).timeout(Duration::from_millis(100)).await.expect_err("no connection"));
    let elsewhere = Manager::new(&Registry::new(runtime.clone()));
    let auto = Device::builder("eb00000000000000000000", KEY).expect("usable");
    assert_no_discovery(&elsewhere.add_with(auto).expect_err("deaf"));
    assert!(is_out_of_descriptors(&Discovery::builder().ports([0; 3]).start(runtime).expect_err("deaf")));
    drop(shortage);

    device.wait_connected(SOON).await.expect("recovers by itself");
    assert_eq!(device.diagnosis(), None);
    device.query().await.expect("works");
    device.close().await;
}

fn on_a_thread(host: &str) {
    let fake = FaultyDevice::builder(ID, KEY, Version::V34).dps(json!({ "1": true })).start().expect("a device");
    let thread = blocking::PollThread::start().expect("a thread");
    let builder = blocking::Device::builder(ID, KEY)
        .expect("usable")
        .port(fake.addr().port())
        .version(Version::V34)
        .timing(timing());
    let device = builder.address(host.parse::<blocking::Address>().expect("a host")).spawn(&thread);
    device.wait_connected(SOON).expect("connects");
    let mut events = device.listener();

    let shortage = Shortage::begin();
    fake.close_all();
    while !is_shortage(&events.recv_timeout(SOON).expect("an event")) {}
    assert_eq!(device.diagnosis(), Some(DownReason::OutOfDescriptors));
    assert_told(&device.set_value(1, true).timeout(Duration::from_millis(100)).send().expect_err("no connection"));
    assert!(is_out_of_descriptors(&blocking::PollThread::start().expect_err("no selector")));
    assert!(is_out_of_descriptors(&blocking::Discovery::builder().ports([0; 3]).start(&thread).expect_err("deaf")));
    drop(shortage);

    device.wait_connected(SOON).expect("recovers by itself");
    device.query().expect("works");
}

#[test]
fn a_shortage_is_told_and_passes() {
    let begun = Instant::now();
    for host in ["127.0.0.1", "localhost"] {
        let tokio =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        tokio.block_on(on(&TokioHandle(tokio.handle().clone()), host));
        smol::block_on(on(&rustuya_runtime_futures::Futures::new(example::Smol), host));
        on_a_thread(host);
    }
    assert!(begun.elapsed() < 4 * SOON, "{:?}", begun.elapsed());
}

#[allow(dead_code, reason = "the example's own program is not run here")]
#[path = "../../runtime-futures/examples/smol.rs"]
mod example;
