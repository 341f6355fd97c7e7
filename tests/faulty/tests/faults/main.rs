//! Tests that the faulty device produces each fault, and behaves correctly without one.

mod answers;
mod connections;
mod damage;
mod life;
mod raw;

use core::time::Duration;

use rustuya_faulty::client::Client;
use rustuya_faulty::{FaultyDevice, FaultyDeviceBuilder};
use rustuya_proto::{Command, DpId, DpMap, DpValue, Outcome, Version};
use serde_json::{Value, json};

const KEY: &str = "0123456789abcdef";
/// Time limit of every wait, even on a busy machine.
const LIMIT: Duration = Duration::from_secs(10);
const VERSIONS: [Version; 5] = [Version::V31, Version::V32, Version::V33, Version::V34, Version::V35];

/// Makes the builder of a lamp on a free port of loopback.
fn lamp(version: Version) -> FaultyDeviceBuilder {
    FaultyDevice::builder("lamp", KEY, version).dps(json!({ "1": false, "2": 50, "3": "white" }))
}

fn started(version: Version) -> FaultyDevice {
    lamp(version).start().expect("a free port")
}

/// Connects a controller, and waits for both ends: without negotiation the controller is connected before the device
/// accepts.
fn connected(device: &FaultyDevice) -> Client {
    let accepted = device.connections();
    let mut client = Client::of(device);
    assert!(client.connect(LIMIT), "connected; told: {:?}", client.events);
    assert!(device.wait_for(LIMIT, |state| state.accepted() > accepted && state.ready() > 0));
    client
}

fn set_int(client: &mut Client, dp: u16, value: i64) -> Outcome {
    client.ask(&Command::set(DpMap::Pairs(&[(DpId(dp), DpValue::Int(value))]))).0
}

/// Runs until a DP with this value was delivered.
fn receives(client: &mut Client, dp: &str, value: &Value) -> bool {
    client.run_until(LIMIT, |client| client.delivered().any(|text| dp_of(text, dp).as_ref() == Some(value)))
}

/// Returns a DP in a delivered payload.
fn dp_of(payload: &str, dp: &str) -> Option<Value> {
    let json: Value = serde_json::from_str(payload).ok()?;
    let dps = json.get("data").and_then(|data| data.get("dps")).or_else(|| json.get("dps"))?;
    dps.get(dp).cloned()
}
