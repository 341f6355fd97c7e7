//! Commands that are spaced, joined, split and kept for sleepers.

mod common;

use core::time::Duration;
use std::time::Instant;

use common::{controller, fake, map, soon};
use rustuya_runtime_tokio::{CommandCode, CommandError, Device, Event, Listener, Pacing, Tokio, Version};
use rustuya_virtual_device::{Request, VirtualDevice};
use serde_json::{Value, json};

const ID: &str = "bf0123456789abcdefgh";

async fn lamp() -> VirtualDevice {
    fake(ID, Version::V33).start().await.expect("a free port")
}

async fn connected(lamp: &VirtualDevice, pacing: Pacing) -> Device {
    let device = controller(lamp).version(Version::V33).pacing(pacing).spawn(&Tokio);
    soon(device.wait_connected(Duration::from_secs(10))).await.expect("connects");
    device
}

/// The DPs of the controls that arrived so far.
fn controls(requests: &mut Listener<Request>) -> Vec<Value> {
    core::iter::from_fn(|| requests.try_recv())
        .filter(|request| request.command == CommandCode::CONTROL)
        .map(|request| request.payload.expect("a control has one")["dps"].clone())
        .collect()
}

#[tokio::test]
async fn writes_within_the_window_become_one_command() {
    let lamp = lamp().await;
    let mut requests = lamp.requests();
    let device = connected(&lamp, Pacing::NONE.merge(Duration::from_millis(100))).await;
    let (one, two, three) = soon(async {
        tokio::join!(
            device.set_value(1, true).acknowledged(),
            device.set_value(2, 10).acknowledged(),
            device.set_dps(json!({ "2": 11, "3": "red" })).acknowledged()
        )
    })
    .await;
    assert!(one.is_ok() && two.is_ok() && three.is_ok());
    assert_eq!(controls(&mut requests), [json!({ "1": true, "2": 11, "3": "red" })]);
    assert_eq!(lamp.dps(None), map(json!({ "1": true, "2": 11, "3": "red" })));
}

#[tokio::test]
async fn commands_keep_their_distance_and_their_order() {
    let lamp = lamp().await;
    let mut requests = lamp.requests();
    let device = connected(&lamp, Pacing::NONE.gap(Duration::from_millis(60))).await;
    let start = Instant::now();
    for n in 1..=4 {
        device.set_value(2, n).queue().expect("is open");
    }
    soon(device.set_value(2, 5).acknowledged()).await.expect("acknowledges");
    assert!(start.elapsed() >= Duration::from_millis(4 * 60), "{:?}", start.elapsed());
    let expected: Vec<Value> = (1..=5).map(|n| json!({ "2": n })).collect();
    assert_eq!(controls(&mut requests), expected);
}

#[tokio::test]
async fn large_writes_go_out_in_parts() {
    let lamp = lamp().await;
    let mut requests = lamp.requests();
    let device = connected(&lamp, Pacing::NONE.max_dps(2)).await;
    soon(device.set_dps(json!({ "1": true, "2": 3, "3": "red" })).acknowledged()).await.expect("acknowledges");
    assert_eq!(controls(&mut requests), [json!({ "1": true, "2": 3 }), json!({ "3": "red" })]);
    assert_eq!(lamp.dps(None), map(json!({ "1": true, "2": 3, "3": "red" })));
    // The device's own limit of a frame counts, too, where the parts fit.
    let device = connected(&lamp, Pacing::NONE).await;
    let half = "x".repeat(2100);
    lamp.set_dps(None, map(json!({ "4": "" }))).expect("a DP number");
    soon(device.set_dps(json!({ "3": half, "4": half })).acknowledged()).await.expect("acknowledges");
    assert_eq!(controls(&mut requests).len(), 2);
    assert_eq!(lamp.dps(None)["4"], json!(half));
}

#[tokio::test]
async fn a_sleeper_gets_its_commands_when_it_wakes() {
    let lamp = lamp().await;
    lamp.unplug().await;
    let timing = {
        let mut timing = rustuya_runtime_tokio::Timing::DEFAULT;
        timing.backoff_min = Duration::from_millis(50);
        timing
    };
    let device = controller(&lamp)
        .version(Version::V33)
        .timing(timing)
        .command_timeout(Duration::from_millis(10))
        .pacing(Pacing::NONE.sleeps(Duration::from_secs(3600)))
        .spawn(&Tokio);
    let mut requests = lamp.requests();
    let mut events = device.listener();
    device.set_value(2, 1).queue().expect("is open");
    device.set_value(1, true).queue().expect("is open");
    let last = tokio::spawn({
        let device = device.clone();
        async move { device.set_value(2, 9).acknowledged().await }
    });
    common::next(&mut events, |event| matches!(event, Event::Down { .. }).then_some(())).await;
    lamp.plug().await.expect("the port is still free");
    soon(last).await.expect("no panic").expect("acknowledges");
    assert_eq!(controls(&mut requests), [json!({ "2": 9, "1": true })]);
}

#[tokio::test]
async fn nowait_returns_at_once_and_failures_are_told() {
    let lamp = lamp().await;
    lamp.unplug().await;
    let device =
        controller(&lamp).version(Version::V33).nowait(true).command_timeout(Duration::from_millis(100)).spawn(&Tokio);
    let mut events = device.listener();
    assert_eq!(device.set_value(1, true).await, Ok(()));
    let failed = common::next(&mut events, |event| match event {
        Event::Failed(failed) => Some(failed.clone()),
        _ => None,
    })
    .await;
    assert_eq!((failed.command, failed.cid.as_deref()), (CommandCode::CONTROL, None));
    assert!(matches!(failed.error, CommandError::NotConnected { .. }), "{failed:?}");
    device.close().await;
    assert_eq!(device.set_value(1, true).await, Err(CommandError::Closed));
}

#[tokio::test]
async fn a_rejection_after_writing_is_told_to_listeners() {
    let gateway = fake(ID, Version::V33).sub("child", map(json!({ "1": 1 }))).expect("a cid");
    let gateway = gateway.quirk("unknown-cid-error").expect("a quirk").start().await.expect("a free port");
    let device = connected(&gateway, Pacing::NONE).await;
    let mut events = device.listener();
    let stranger = device.sub("stranger").expect("a cid");
    assert_eq!(soon(stranger.set_value(1, true)).await, Ok(()), "written is written");
    let failed = common::next(&mut events, |event| match event {
        Event::Failed(failed) => Some(failed.clone()),
        _ => None,
    })
    .await;
    assert_eq!(failed.cid.as_deref(), Some("stranger"));
    assert!(matches!(failed.error, CommandError::Rejected { .. }), "{failed:?}");
}

#[tokio::test]
async fn dps_of_device22_are_found_by_their_ranges() {
    let lamp = fake(ID, Version::V33).dialect(rustuya_runtime_tokio::Dialect::Device22);
    let lamp = lamp.dps(map(json!({ "9": 1, "20": true, "101": "x", "140": 2 }))).expect("DP numbers");
    let lamp = lamp.start().await.expect("a free port");
    let device = controller(&lamp).version(Version::V33).dialect(rustuya_runtime_tokio::Dialect::Device22);
    let device = device.spawn(&Tokio);
    let found: Vec<u16> = soon(device.detect_dps()).await.expect("answers").into_iter().collect();
    assert_eq!(found, [1, 2, 3, 9, 20, 101, 140]);
    let ordinary = self::lamp().await;
    let device = connected(&ordinary, Pacing::NONE).await;
    let found: Vec<u16> = soon(device.detect_dps()).await.expect("answers").into_iter().collect();
    assert_eq!(found, [1, 2, 3]);
}
