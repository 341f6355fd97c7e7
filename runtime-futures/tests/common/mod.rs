//! Scenarios, for any runtime. Devices are on loopback and run on threads of their own.

use core::future::poll_fn;
use core::net::Ipv4Addr;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use std::collections::BTreeSet;
use std::time::Instant;

use rustuya_faulty::{Fault, FaultyDevice, FaultyDeviceBuilder, PowerLoss};
use rustuya_runtime_futures::{
    CommandCode, CommandError, Device, DeviceBuilder, Dialect, Discovery, DiscoveryBuilder, DownReason, Event, Futures,
    Listener, Manager, Net, Registry, Scanner, SightingKind, Timing, Version,
};
use serde_json::json;

const KEY: &str = "0123456789abcdef";
const OTHER_KEY: &str = "fedcba9876543210";
const ID: &str = "device-under-test-01";
const SOON: Duration = Duration::from_secs(20);
const FOREVER: Duration = Duration::from_secs(600);

/// Defines a test for each scenario.
macro_rules! scenarios {
    ($block_on:path, $net:expr) => {
        scenarios!($block_on, $net,
            every_version_and_dialect_is_queried_set_and_received, the_version_is_found_out, gateways_route,
            a_wrong_key_is_diagnosed, waiting_commands_end_on_close, commands_fail_with_the_reason,
            many_commands_at_once_are_all_answered, dropped_commands_are_withdrawn, slow_listeners_lag_alone,
            devices_come_back, the_last_handle_ends_the_connection, managers_receive_events_of_all_devices,
            announcements_are_received, announcements_locate_devices, a_hundred_devices);
    };
    ($block_on:path, $net:expr, $($name:ident),*) => {$(
        #[test]
        fn $name() {
            let runtime = rustuya_runtime_futures::Futures::new($net);
            $block_on(common::soon(&runtime, common::$name(&runtime)));
        }
    )*};
}

/// Fails the test when `future` takes longer than any test may.
pub(crate) async fn soon<T>(runtime: &Futures<impl Net>, future: impl Future<Output = T>) -> T {
    let limit = Instant::now() + 3 * SOON;
    within(runtime, limit, future).await.expect("ends in time")
}

async fn within<T>(runtime: &Futures<impl Net>, limit: Instant, future: impl Future<Output = T>) -> Option<T> {
    let (mut future, mut limit) = (pin!(future), pin!(runtime.net().sleep_until(limit)));
    poll_fn(|cx| match (future.as_mut().poll(cx), limit.as_mut().poll(cx)) {
        (Poll::Ready(result), _) => Poll::Ready(Some(result)),
        (_, Poll::Ready(())) => Poll::Ready(None),
        _ => Poll::Pending,
    })
    .await
}

async fn join<A: Future>(futures: impl IntoIterator<Item = A>) -> Vec<A::Output> {
    let mut running: Vec<_> = futures.into_iter().map(Box::pin).map(Some).collect();
    let mut results: Vec<Option<A::Output>> = running.iter().map(|_| None).collect();
    poll_fn(|cx| {
        for (slot, result) in running.iter_mut().zip(&mut results) {
            if let Some(future) = slot
                && let Poll::Ready(output) = future.as_mut().poll(cx)
            {
                (*slot, *result) = (None, Some(output));
            }
        }
        if running.iter().all(Option::is_none) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    results.into_iter().flatten().collect()
}

fn fake(version: Version) -> FaultyDeviceBuilder {
    FaultyDevice::builder(ID, KEY, version).dps(json!({ "1": false, "2": 50, "3": "white" }))
}

fn controller(fake: &FaultyDevice) -> DeviceBuilder {
    Device::builder(fake.id().as_str(), KEY).expect("usable id and key").address(fake.addr())
}

fn discovery() -> DiscoveryBuilder {
    Discovery::builder().ports([0, 0, 0]).bind_address(Ipv4Addr::LOCALHOST).active(false)
}

async fn next<T>(listener: &mut Listener, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
    loop {
        let event = listener.recv().await.expect("the device lives");
        if let Some(found) = wanted(&event) {
            return found;
        }
    }
}

async fn heard(listener: &mut Listener, dp: u16) -> serde_json::Value {
    next(listener, |event| match event {
        Event::Message(message) => message.dp(dp),
        _ => None,
    })
    .await
}

async fn down(events: &mut Listener) -> (DownReason, Option<Duration>) {
    next(events, |event| match event {
        Event::Down { reason, retry_in } => Some((*reason, *retry_in)),
        _ => None,
    })
    .await
}

fn asked(fake: &FaultyDevice, command: CommandCode) {
    assert!(fake.wait_for(SOON, |state| state.requests().any(|request| request.command == command)), "was not asked");
}

pub(crate) async fn every_version_and_dialect_is_queried_set_and_received(runtime: &Futures<impl Net>) {
    let default = Version::ALL.map(|version| (version, Dialect::Default));
    let device22 = [Version::V33, Version::V34].map(|version| (version, Dialect::Device22));
    for (version, dialect) in default.into_iter().chain(device22) {
        let lamp = fake(version).dialect(dialect).start().expect("a free port");
        let configured = (dialect == Dialect::Device22).then_some(dialect);
        let device = controller(&lamp).version(version).dialect(configured).spawn(runtime);
        let mut events = device.listener();
        assert_eq!(device.wait_connected(SOON).await, Ok(version));
        assert_eq!(device.query_dps(&[1]).await.expect("answers")["1"], json!(false), "{version} {dialect:?}");
        device.set_value(1, true).acknowledged().await.expect("acknowledges");
        device.set_dps(json!({ "2": 75, "3": "é \"x\"" })).acknowledged().await.expect("acknowledges");
        assert_eq!(json!(lamp.dps(None)), json!({ "1": true, "2": 75, "3": "é \"x\"" }));
        lamp.push(None, json!({ "2": 10 }));
        while heard(&mut events, 2).await != json!(10) {}
        device.set_value(1, false).await.expect("is written");
        assert!(lamp.wait_for(SOON, |state| state.dps(None)["1"] == json!(false)));
        device.close().await;
        assert_eq!(device.query().await, Err(CommandError::Closed));
    }
}

pub(crate) async fn the_version_is_found_out(runtime: &Futures<impl Net>) {
    for version in [Version::V31, Version::V33, Version::V34, Version::V35] {
        let lamp = fake(version).start().expect("a free port");
        let device = controller(&lamp).min_version(version.min(Version::V33)).spawn(runtime);
        assert_eq!(device.wait_connected(SOON).await, Ok(version));
    }
}

pub(crate) async fn gateways_route(runtime: &Futures<impl Net>) {
    let gateway = fake(Version::V34).sub("c1", json!({ "1": 215 })).sub("c2", json!({ "1": false })).start();
    let gateway = gateway.expect("a free port");
    let device = controller(&gateway).version(Version::V34).spawn(runtime);
    let [sensor, switch] = ["c1", "c2"].map(|cid| device.sub(cid).expect("a cid"));
    assert_eq!(sensor.query().await.expect("answers")["1"], json!(215));
    switch.set_value(1, true).acknowledged().await.expect("acknowledges");
    assert_eq!(gateway.dps(Some("c2"))["1"], json!(true));
    let report = device.sub_discover().acknowledged().await.expect("answers").payload().expect("a report");
    assert_eq!(report["data"]["online"], json!(["c1", "c2"]));
}

pub(crate) async fn a_wrong_key_is_diagnosed(runtime: &Futures<impl Net>) {
    for version in [Version::V34, Version::V35] {
        let lamp = fake(version).start().expect("a free port");
        let builder = Device::builder(ID, OTHER_KEY).expect("usable id and key").address(lamp.addr()).version(version);
        let device = builder.command_timeout(Duration::from_secs(2)).spawn(runtime);
        let error = device.query().await.expect_err("cannot work");
        assert!(error.is_auth(), "{version}: {error:?}");
    }
}

pub(crate) async fn waiting_commands_end_on_close(runtime: &Futures<impl Net>) {
    let lamp = fake(Version::V33).start().expect("a free port");
    let device = controller(&lamp).version(Version::V33).spawn(runtime);
    device.wait_connected(SOON).await.expect("connects");
    lamp.set_fault(Fault::Silent);
    let mut events = device.listener();
    let mut command = pin!(device.set_value(1, true).timeout(FOREVER).acknowledged());
    poll_fn(|cx| {
        assert!(command.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    asked(&lamp, CommandCode::CONTROL);
    device.close().await;
    assert_eq!(command.await, Err(CommandError::ConnectionLost { reason: DownReason::Ended }));
    assert_eq!(down(&mut events).await, (DownReason::Ended, None));
    assert_eq!(events.recv().await, None);
}

pub(crate) async fn commands_fail_with_the_reason(runtime: &Futures<impl Net>) {
    let lamp = fake(Version::V34).start().expect("a free port");
    lamp.power_off(PowerLoss::Reset);
    let builder = controller(&lamp).version(Version::V34).command_timeout(Duration::from_millis(300));
    let device = builder.spawn(runtime);
    assert_eq!(device.query().await, Err(CommandError::NotConnected { reason: Some(DownReason::Refused) }));
    let nowhere = Device::builder(ID, KEY).expect("usable").command_timeout(Duration::from_millis(50)).spawn(runtime);
    assert_eq!(nowhere.query().await, Err(CommandError::NotConnected { reason: None }));
}

pub(crate) async fn many_commands_at_once_are_all_answered(runtime: &Futures<impl Net>) {
    for version in [Version::V31, Version::V33, Version::V35] {
        let lamp = fake(version).start().expect("a free port");
        let device = controller(&lamp).version(version).spawn(runtime);
        let results = join((0..50).map(|n| device.set_value(2, n).acknowledged())).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 50, "{version}: {results:?}");
    }
}

pub(crate) async fn dropped_commands_are_withdrawn(runtime: &Futures<impl Net>) {
    let lamp = fake(Version::V35).start().expect("a free port");
    lamp.power_off(PowerLoss::Reset);
    let mut timing = Timing::DEFAULT;
    timing.backoff_min = Duration::from_millis(100);
    let device = controller(&lamp).version(Version::V35).timing(timing).spawn(runtime);
    let limit = Instant::now() + Duration::from_millis(50);
    assert_eq!(within(runtime, limit, device.set_value(1, true)).await, None);
    lamp.power_on().expect("the port is reserved");
    device.set_value(2, 7).acknowledged().await.expect("acknowledges");
    assert_eq!(json!(lamp.dps(None)), json!({ "1": false, "2": 7, "3": "white" }));
}

pub(crate) async fn slow_listeners_lag_alone(runtime: &Futures<impl Net>) {
    let lamp = fake(Version::V33).start().expect("a free port");
    let device = controller(&lamp).version(Version::V33).spawn(runtime);
    device.query().await.expect("answers");
    let (mut slow, mut quick) = (device.listener(), device.listener());
    for n in 0..1100 {
        lamp.push(None, json!({ "2": n }));
        assert_eq!(heard(&mut quick, 2).await, json!(n));
    }
    assert_eq!(quick.missed(), 0);
    assert_eq!(slow.recv().await, Some(Event::Lagged(1100 - 1024)));
    assert_eq!(heard(&mut slow, 2).await, json!(1100 - 1024));
}

pub(crate) async fn devices_come_back(runtime: &Futures<impl Net>) {
    let lamp = fake(Version::V35).start().expect("a free port");
    let mut timing = Timing::DEFAULT;
    timing.backoff_min = Duration::from_millis(50);
    let device = controller(&lamp).version(Version::V35).timing(timing).spawn(runtime);
    device.wait_connected(SOON).await.expect("connects");
    for fault in [Fault::Reset, Fault::AcceptAndClose] {
        let mut events = device.listener();
        lamp.cut_all();
        lamp.set_fault(fault);
        for _ in 0..3 {
            assert!(down(&mut events).await.1.is_some(), "goes on trying");
        }
        lamp.clear_fault();
        device.set_value(1, true).acknowledged().await.expect("acknowledges");
    }
    lamp.set_fault(Fault::OneByteSegments);
    device.set_value(2, 3).acknowledged().await.expect("acknowledges");
}

pub(crate) async fn the_last_handle_ends_the_connection(runtime: &Futures<impl Net>) {
    let lamp = fake(Version::V34).start().expect("a free port");
    let device = controller(&lamp).version(Version::V34).spawn(runtime);
    let sub = device.sub("child").expect("a cid");
    device.wait_connected(SOON).await.expect("connects");
    let mut events = device.listener();
    drop(device);
    assert!(sub.gateway().is_connected());
    drop(sub);
    assert_eq!(down(&mut events).await.0, DownReason::Ended);
    assert_eq!(events.recv().await, None);
}

pub(crate) async fn managers_receive_events_of_all_devices(runtime: &Futures<impl Net>) {
    let lamps = ["one", "two"].map(|id| {
        FaultyDevice::builder(id, KEY, Version::V35).dps(json!({ "1": false })).start().expect("a free port")
    });
    let registry = Registry::builder(runtime.clone()).without_discovery().build();
    let manager = Manager::new(&registry);
    let mut events = manager.listener();
    for lamp in &lamps {
        manager.add_with(controller(lamp)).expect("is new");
    }
    for device in manager.devices() {
        device.set_value(1, true).acknowledged().await.expect("acknowledges");
    }
    let mut told = BTreeSet::new();
    while told.len() < 2 {
        let event = events.recv().await.expect("both change");
        if matches!(&event.event, Event::Message(message) if message.dp(1) == Some(json!(true))) {
            told.insert(event.device_id);
        }
    }
    manager.shutdown().await;
    assert!(registry.is_empty());
    while events.recv().await.is_some() {}
}

pub(crate) async fn announcements_are_received(runtime: &Futures<impl Net>) {
    let discovery = discovery().start(runtime).expect("free ports");
    let ports = discovery.local_addrs().to_vec();
    let mut listener = discovery.listener();
    for (version, port) in [(Version::V31, ports[0]), (Version::V34, ports[1]), (Version::V35, ports[2])] {
        let lamp = FaultyDevice::builder(version.as_str(), KEY, version).start().expect("a free port");
        for kind in [SightingKind::New, SightingKind::SeenAgain] {
            lamp.announce_to(port, None).expect("loopback takes datagrams");
            let found = listener.recv().await.expect("goes on");
            assert_eq!((found.kind, found.id.as_str(), found.version), (kind, version.as_str(), Some(version)));
        }
    }
    assert_eq!(discovery.find("absent", Duration::from_millis(50)).await, None);
    drop(discovery);
    assert_eq!(listener.recv().await, None);
    let scanner = Scanner::new(runtime.clone()).ports([0; 3]).bind_address(Ipv4Addr::LOCALHOST).active(false);
    assert_eq!(scanner.timeout(Duration::from_millis(50)).scan().await.expect("free ports"), []);
}

pub(crate) async fn announcements_locate_devices(runtime: &Futures<impl Net>) {
    let discovery = discovery().start(runtime).expect("free ports");
    let announced = discovery.local_addrs()[1];
    let lamp = fake(Version::V34).start().expect("a free port");
    let builder = Device::builder(ID, KEY).expect("usable id and key").port(lamp.addr().port());
    let device = builder.discovery(&discovery).spawn(runtime);
    drop(discovery);
    assert_eq!(device.address(), None);
    lamp.announce_to(announced, None).expect("loopback takes datagrams");
    assert_eq!(device.wait_connected(SOON).await, Ok(Version::V34));
}

pub(crate) async fn a_hundred_devices(runtime: &Futures<impl Net>) {
    // A host stands for many devices: it has one key and accepts any device id.
    let hosts = [(); 2].map(|()| fake(Version::V35).max_clients(50).start().expect("a free port"));
    let devices: Vec<Device> = (0..100)
        .map(|n| {
            let builder = Device::builder(&format!("device-{n}"), KEY).expect("usable id and key");
            builder.address(hosts[n % 2].addr()).version(Version::V35).spawn(runtime)
        })
        .collect();
    let states = join(devices.iter().map(Device::query)).await;
    assert!(states.iter().all(|state| state.as_ref().is_ok_and(|dps| dps["2"] == json!(50))), "{states:?}");
}
