//! Shared parts of the tests: devices on loopback, and a limit for every wait.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use core::time::Duration;

use rustuya_runtime_tokio::{Device, DeviceBuilder, Event, Listener, Version};
use rustuya_virtual_device::{VirtualDevice, VirtualDeviceBuilder};
use serde_json::{Map, Value};

pub(crate) const KEY: &str = "0123456789abcdef";
pub(crate) const OTHER_KEY: &str = "fedcba9876543210";

/// An object literal as a map.
pub(crate) fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("not an object: {other}"),
    }
}

/// A virtual device on a free port of loopback.
pub(crate) fn fake(id: &str, version: Version) -> VirtualDeviceBuilder {
    VirtualDevice::builder(id, KEY, version)
        .expect("usable id and key")
        .bind("127.0.0.1:0".parse().expect("an address"))
        .dps(map(serde_json::json!({ "1": false, "2": 50, "3": "white" })))
        .expect("DP numbers")
}

/// A controller of that device.
pub(crate) fn controller(fake: &VirtualDevice) -> DeviceBuilder {
    let address = fake.local_addr();
    Device::builder(fake.id(), KEY).expect("usable id and key").address(address.ip()).port(address.port())
}

/// Fails the test when `future` takes longer than any test may.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("ends in time")
}

/// The next event that `wanted` turns into something.
pub(crate) async fn next<T>(listener: &mut Listener, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
    soon(async {
        loop {
            let event = listener.recv().await.expect("the device lives");
            if let Some(found) = wanted(&event) {
                return found;
            }
        }
    })
    .await
}
