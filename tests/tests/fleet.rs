//! Many simultaneous devices, some of them faulty: the others must not be affected, and nothing may be lost.

use core::time::Duration;
use std::time::Instant;

use rustuya_faulty::{FLOOD_DP, Fault, FaultyDevice, PowerLoss};
use rustuya_runtime_tokio::{
    CommandError, Device, DownReason, Event, Listener, Manager, ManagerEvent, Pacing, Registry, Timing, Tokio, Version,
};
use serde_json::json;

const KEY: &str = "0123456789abcdef";

fn faulty(n: usize, version: Version) -> FaultyDevice {
    let id = format!("bf0123456789abcd{n:04}");
    FaultyDevice::builder(&id, KEY, version)
        .dps(json!({ "1": false, "2": 50 }))
        .max_clients(1000)
        .start()
        .expect("a free port")
}

fn manager(dials_at_once: usize) -> Manager {
    Manager::new(&Registry::builder(Tokio).without_discovery().dials_at_once(dials_at_once).build())
}

/// Short limits, to detect faults quickly.
fn timing() -> Timing {
    let mut timing = Timing::DEFAULT;
    timing.connect = Duration::from_secs(1);
    timing.negotiate = Duration::from_millis(400);
    timing.answer = Duration::from_millis(400);
    timing.backoff_min = Duration::from_millis(100);
    timing.backoff_max = Duration::from_millis(400);
    timing
}

fn add(manager: &Manager, device: &FaultyDevice, id: &str) -> Device {
    let builder = Device::builder(id, KEY).expect("usable id and key").address(device.addr());
    manager.add_with(builder.version(device.version()).timing(timing())).expect("is new")
}

async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("ends in time")
}

async fn all_up(devices: &[Device]) {
    for device in devices {
        soon(device.wait_connected(Duration::from_secs(25))).await.expect("connects");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn negotiations_that_hang_hold_up_no_dial_and_nobody_starves() {
    const SILENT: usize = 60;
    let (server, good) = (faulty(0, Version::V35), faulty(1, Version::V35));
    server.set_fault(Fault::Silent);
    let manager = manager(4);
    let mut patient = timing();
    patient.negotiate = Duration::from_secs(20);
    let add = |id: &str, server: &FaultyDevice| {
        let builder = Device::builder(id, KEY).expect("usable id and key").address(server.addr());
        manager.add_with(builder.version(Version::V35).timing(patient)).expect("is new")
    };
    let start = Instant::now();
    let devices: Vec<Device> = (0..SILENT).map(|n| add(&format!("device{n}"), &server)).collect();
    // The commands before get no answer, and this one follows them.
    let last = add(good.id().as_str(), &good);
    soon(last.wait_connected(Duration::from_secs(10))).await.expect("connects");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert!(server.wait_for(Duration::from_secs(10), |state| state.open() == SILENT));
    server.clear_fault();
    server.cut_all();
    all_up(&devices).await;
    assert!(manager.list().iter().all(|info| info.connected));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_starts_at_once_and_is_back_within_a_second_of_a_cut() {
    const DEVICES: usize = 200;
    for version in [Version::V33, Version::V35] {
        let servers: Vec<FaultyDevice> = (0..4).map(|n| faulty(n, version)).collect();
        let manager = manager(128);
        let devices: Vec<Device> =
            (0..DEVICES).map(|n| add(&manager, &servers[n % servers.len()], &format!("device{n}"))).collect();
        all_up(&devices).await;
        // Up to 3.3 a controller is connected before the device has accepted, and only accepted connections can be cut.
        let each = DEVICES / servers.len();
        assert!(servers.iter().all(|server| server.wait_for(Duration::from_secs(20), |state| state.open() == each)));
        let mut events = manager.listener();
        servers.iter().for_each(FaultyDevice::cut_all);
        let mut back = 0;
        soon(async {
            while back < DEVICES {
                if let Event::Up { .. } = events.recv().await.expect("the manager lives").event {
                    back += 1;
                }
            }
        })
        .await;
        all_up(&devices).await;
        let metrics = manager.metrics();
        assert_eq!((metrics.connects, metrics.reconnects), (2 * DEVICES as u64, DEVICES as u64), "{version}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_push_of_a_burst_is_lost_while_the_listener_reads() {
    const DEVICES: usize = 20;
    const PUSHES: u32 = 2000;
    let manager = manager(128);
    let servers: Vec<FaultyDevice> = (0..DEVICES).map(|n| faulty(n, Version::V35)).collect();
    let devices: Vec<Device> = servers.iter().map(|server| add(&manager, server, server.id().as_str())).collect();
    for device in &devices {
        soon(device.query()).await.expect("answers");
    }
    let mut events = manager.listener();
    let mut own = devices[0].listener();
    let mut next: Vec<u64> = servers.iter().map(|server| server.flood(PUSHES)).collect();
    let reader = tokio::spawn(async move {
        let mut received = 0;
        while received < PUSHES {
            match own.recv().await.expect("the device lives") {
                Event::Message(message) if message.dp(FLOOD_DP.parse().expect("a number")).is_some() => received += 1,
                Event::Lagged(lost) => panic!("lost {lost}"),
                _ => {}
            }
        }
    });
    soon(async {
        let mut missing = DEVICES as u32 * PUSHES;
        while missing > 0 {
            let ManagerEvent { device_id, event, .. } = events.recv().await.expect("the manager lives");
            match event {
                Event::Message(message) => {
                    let Some(value) = message.dp(FLOOD_DP.parse().expect("a number")) else { continue };
                    let at = servers.iter().position(|server| server.id().as_str() == &*device_id).expect("is one");
                    assert_eq!(value.as_u64(), Some(next[at]), "in order, and none missing");
                    next[at] += 1;
                    missing -= 1;
                }
                Event::Lagged(lost) => panic!("lost {lost}"),
                _ => {}
            }
        }
    })
    .await;
    soon(reader).await.expect("reads to the end");
    assert_eq!(manager.metrics().lagged, 0);
}

/// A device pushes more than slow listeners read. No command waits for them, and the events that they lose are counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledgement_waits_for_nobodys_listener() {
    const PUSHES: u32 = 30_000;
    let manager = manager(128);
    let (noisy, quiet) = (faulty(1, Version::V33), faulty(2, Version::V33));
    let (flooded, other) = (add(&manager, &noisy, noisy.id().as_str()), add(&manager, &quiet, quiet.id().as_str()));
    for device in [&flooded, &other] {
        soon(device.query()).await.expect("answers");
    }
    let (mut all, mut own, mut unread) = (manager.listener(), flooded.listener(), flooded.listener());
    let slow = tokio::spawn(async move {
        while all.recv().await.is_some() && own.recv().await.is_some() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // Shutdown does not wait for slow listeners.
    });
    let first = noisy.flood(PUSHES);
    let mut waits = Vec::new();
    let start = Instant::now();
    let mut on = false;
    while start.elapsed() < Duration::from_millis(1500) {
        on = !on;
        let given = Instant::now();
        soon(other.set_value(1, on).acknowledged()).await.expect("acknowledges");
        waits.push(given.elapsed());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let longest = waits.iter().max().copied().unwrap_or_default();
    println!("{} acknowledgements of the other device, the slowest after {longest:?}", waits.len());
    assert!(longest < Duration::from_millis(90), "{waits:?}");
    // The answer follows all pushes, and waits for no listener either.
    let given = Instant::now();
    soon(flooded.query()).await.expect("answers");
    println!("the flooding device answered after {:?}", given.elapsed());
    assert!(given.elapsed() < Duration::from_secs(2), "{:?}", given.elapsed());
    // A listener that reads nothing loses the oldest events, counts them, and keeps the newest without a gap.
    let (mut lost, mut last) = (None, None);
    while let Some(event) = unread.try_recv() {
        match event {
            Event::Lagged(count) => lost = Some(count),
            Event::Message(message) => {
                let number = message.dp(FLOOD_DP.parse().expect("a number")).and_then(|number| number.as_u64());
                let Some(number) = number else { continue };
                assert!(last.is_none_or(|last| number == last + 1 || number == first + u64::from(PUSHES) - 1));
                last = Some(number);
            }
            _ => {}
        }
    }
    assert_eq!(last, Some(first + u64::from(PUSHES) - 1));
    assert!(lost.is_some_and(|lost| lost > 10_000 && lost == unread.missed()), "{lost:?}");
    soon(manager.shutdown()).await;
    slow.abort();
}

/// Faults of one device.
fn faults() -> Vec<Fault> {
    vec![
        Fault::RefuseDial,
        Fault::AcceptAndClose,
        Fault::Reset,
        Fault::Silent,
        Fault::Garbage { seed: 7 },
        Fault::HalfClose { after: 1 },
        Fault::DisappearMidFrame { after: 1 },
        Fault::OneByteSegments,
        Fault::SplitAcrossReads,
        Fault::FourGiBLength,
        Fault::BadPrefixOnce,
        Fault::FloodPushes { count: 300 },
        Fault::OutOfOrder,
        Fault::BadIntegrity,
        Fault::BadPadding,
        Fault::DropAcks,
    ]
}

/// Waits until the device is connected. A last frame with bad padding before a cut looks like one of another key: until
/// the next attempt that counts as proven, and ends a wait at once.
async fn back(device: &Device) -> Result<Version, CommandError> {
    let begun = Instant::now();
    loop {
        match device.wait_connected(Duration::from_secs(20)).await {
            Err(CommandError::NotConnected { reason: Some(reason) })
                if reason.is_proven() && begun.elapsed() < Duration::from_secs(20) =>
            {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            ended => return ended,
        }
    }
}

async fn misbehaves_alone(version: Version) {
    let bad = faulty(0, version);
    let good: Vec<FaultyDevice> = (1..4).map(|n| faulty(n, version)).collect();
    let manager = manager(4);
    let culprit = add(&manager, &bad, bad.id().as_str());
    let others: Vec<Device> = good.iter().map(|server| add(&manager, server, server.id().as_str())).collect();
    all_up(&others).await;
    let mut listeners: Vec<Listener> = others.iter().map(Device::listener).collect();
    for (n, fault) in faults().into_iter().enumerate() {
        let shown = format!("{version} {fault:?}");
        bad.set_fault(fault);
        bad.cut_all();
        // This command must resolve, with any result.
        let asked = tokio::spawn({
            let culprit = culprit.clone();
            async move { culprit.set_value(2, 7).timeout(Duration::from_millis(600)).acknowledged().await.is_ok() }
        });
        for device in &others {
            soon(device.set_value(2, n).acknowledged()).await.unwrap_or_else(|error| panic!("{shown}: {error}"));
        }
        soon(asked).await.expect("no panic");
        bad.clear_fault();
        bad.cut_all();
        // Reconnects within half a second of backoff and the rest of a diagnosis.
        soon(back(&culprit)).await.unwrap_or_else(|error| panic!("{shown}: {error}"));
    }
    for listener in &mut listeners {
        while let Some(event) = listener.try_recv() {
            assert!(!matches!(event, Event::Down { .. } | Event::Lagged(_)), "{version}: {event:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_3_3_device_that_misbehaves_is_alone_with_it() {
    misbehaves_alone(Version::V33).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_3_4_device_that_misbehaves_is_alone_with_it() {
    misbehaves_alone(Version::V34).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_3_5_device_that_misbehaves_is_alone_with_it() {
    misbehaves_alone(Version::V35).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_of_several_dps_that_is_refused_is_made_in_parts_that_are_not() {
    let server = FaultyDevice::builder("bf0123456789abcd0001", KEY, Version::V33)
        .dps(json!({ "1": 0, "2": 0, "3": 0, "4": 0 }))
        .start()
        .expect("a free port");
    server.set_fault(Fault::RefuseSeveralDps { max: 2 });
    let manager = manager(4);
    let device = add(&manager, &server, server.id().as_str());
    let dps = json!({ "1": 1, "2": 2, "3": 3, "4": 4 });
    soon(device.set_dps(&dps).acknowledged()).await.expect("is written in parts");
    assert_eq!(serde_json::Value::Object(server.dps(None)), dps);
    server.take_requests();
    soon(device.set_dps(json!({ "1": 5, "2": 6, "3": 7, "4": 8 })).acknowledged()).await.expect("has learned");
    let controls = server.take_requests().into_iter().filter(|request| request.command.0 == 7).count();
    assert_eq!(controls, 2, "the size that works is remembered");
    assert_eq!(device.config().pacing(Pacing::NONE), device.config());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cycle_is_noticed_and_survived() {
    for loss in [PowerLoss::Reset, PowerLoss::Silence] {
        let server = faulty(0, Version::V34);
        let manager = manager(4);
        let id = server.id();
        let builder = Device::builder(id.as_str(), KEY).expect("usable").address(server.addr());
        let mut timing = timing();
        timing.heartbeat = Duration::from_millis(200);
        timing.answer = Duration::from_millis(200);
        let device = manager.add_with(builder.version(Version::V34).timing(timing)).expect("is new");
        soon(device.wait_connected(Duration::from_secs(10))).await.expect("connects");
        let mut events = device.listener();
        server.power_off(loss);
        let reason = soon(async {
            loop {
                if let Event::Down { reason, .. } = events.recv().await.expect("the device lives") {
                    break reason;
                }
            }
        });
        let expected = match loss {
            PowerLoss::Reset => DownReason::PeerClosed,
            PowerLoss::Silence => DownReason::Unresponsive,
        };
        assert_eq!(reason.await, expected);
        server.power_on().expect("the port is still free");
        soon(device.set_value(1, true).acknowledged()).await.expect("acknowledges");
    }
}
