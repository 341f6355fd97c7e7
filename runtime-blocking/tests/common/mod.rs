//! Shared by the tests: devices on loopback and a time limit.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use core::time::Duration;

use rustuya_faulty::{FaultyDevice, FaultyDeviceBuilder};
use rustuya_runtime_blocking::{Device, DeviceBuilder, Event, Listener, PollThread, Version};
use serde_json::json;

pub(crate) const KEY: &str = "0123456789abcdef";
pub(crate) const OTHER_KEY: &str = "fedcba9876543210";
pub(crate) const ID: &str = "device-under-test-01";

/// Time limit of each step of a test.
pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) fn thread() -> PollThread {
    PollThread::start().expect("a thread")
}

/// Describes a device on a free port of loopback.
pub(crate) fn fake(version: Version) -> FaultyDeviceBuilder {
    FaultyDevice::builder(ID, KEY, version).dps(json!({ "1": false, "2": 50, "3": "white" }))
}

/// Describes a controller of that device.
pub(crate) fn controller(fake: &FaultyDevice) -> DeviceBuilder {
    Device::builder(fake.id().as_str(), KEY).expect("usable id and key").address(fake.addr())
}

/// Waits for the first event for which `wanted` returns a value, and returns that value.
pub(crate) fn next<T>(listener: &mut Listener, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
    loop {
        let event = listener.recv_timeout(SOON).expect("an event in time");
        if let Some(found) = wanted(&event) {
            return found;
        }
    }
}

/// Waits for a request with this command code.
pub(crate) fn asked(fake: &FaultyDevice, command: rustuya_runtime_blocking::CommandCode) {
    assert!(fake.wait_for(SOON, |state| state.requests().any(|request| request.command == command)), "was not asked");
}
