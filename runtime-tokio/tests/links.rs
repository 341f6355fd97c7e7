//! Commands and listeners while connections come and go.

mod common;

use core::time::Duration;
use std::time::Instant;

use common::{controller, fake, map, next, soon};
use rustuya_runtime_tokio::{CommandError, Device, Discovery, DownReason, Event, Timing, Tokio, Version};
use rustuya_virtual_device::VirtualDevice;
use serde_json::json;
use tokio::task::JoinSet;

const ID: &str = "bf0123456789abcdefgh";

async fn lamp(version: Version) -> VirtualDevice {
    fake(ID, version).start().await.expect("a free port")
}

fn backoff(first: Duration) -> Timing {
    let mut timing = Timing::DEFAULT;
    timing.backoff_min = first;
    timing
}

async fn down(events: &mut rustuya_runtime_tokio::Listener) -> (DownReason, Option<Duration>) {
    next(events, |event| match event {
        Event::Down { reason, retry_in } => Some((*reason, *retry_in)),
        _ => None,
    })
    .await
}

#[tokio::test]
async fn an_announcement_brings_a_device_back_within_a_second() {
    for version in [Version::V33, Version::V35] {
        let discovery = Discovery::builder().ports([0, 0, 0]).bind_address([127, 0, 0, 1].into()).active(false);
        let discovery = discovery.start(&Tokio).expect("free ports");
        let announced = discovery.local_addrs()[1];
        let lamp = fake(ID, version).announce_to(announced).announce_every(Duration::from_millis(200));
        let lamp = lamp.start().await.expect("a free port");
        // Address and version come from the announcement. By itself it would be tried again after a minute.
        let device = Device::builder(ID, common::KEY)
            .expect("usable id and key")
            .port(lamp.local_addr().port())
            .timing(backoff(Duration::from_secs(60)))
            .discovery(&discovery)
            .spawn(&Tokio);
        let mut events = device.listener();
        assert_eq!(soon(device.wait_connected(Duration::from_secs(10))).await, Ok(version));
        drop(discovery);

        soon(lamp.unplug()).await;
        while down(&mut events).await.1.is_none_or(|retry_in| retry_in < Duration::from_secs(5)) {}
        assert!(!device.is_connected());
        soon(lamp.plug()).await.expect("the port is still free");
        let plugged = Instant::now();
        soon(device.set_value(1, true).acknowledged()).await.expect("acknowledges");
        assert!(plugged.elapsed() < Duration::from_secs(1), "{version}: {:?}", plugged.elapsed());
        assert_eq!(lamp.dps(None)["1"], json!(true));
    }
}

#[tokio::test]
async fn commands_in_flight_are_answered_when_the_device_goes() {
    let lamp = fake(ID, Version::V34).quirk("silent-control").expect("a quirk").start().await.expect("a free port");
    let device = controller(&lamp).version(Version::V34).spawn(&Tokio);
    soon(device.wait_connected(Duration::from_secs(10))).await.expect("connects");
    let mut requests = lamp.requests();
    let unplug = async {
        while soon(requests.recv()).await.expect("was asked").name != Some("ControlNew") {}
        lamp.unplug().await;
    };
    let (result, ()) = soon(async { tokio::join!(device.set_value(1, true).acknowledged(), unplug) }).await;
    assert_eq!(result, Err(CommandError::ConnectionLost { reason: DownReason::PeerClosed }));
}

#[tokio::test]
async fn commands_in_flight_and_waiting_are_answered_on_close() {
    let lamp = fake(ID, Version::V33).quirk("silent-control").expect("a quirk").start().await.expect("a free port");
    let device = controller(&lamp).version(Version::V33).spawn(&Tokio);
    soon(device.wait_connected(Duration::from_secs(10))).await.expect("connects");
    let mut requests = lamp.requests();
    let mut events = device.listener();
    let close = async {
        while soon(requests.recv()).await.expect("was asked").name != Some("Control") {}
        device.close().await;
        device.close().await;
    };
    let (result, ()) = soon(async { tokio::join!(device.set_value(1, true).acknowledged(), close) }).await;
    assert_eq!(result, Err(CommandError::ConnectionLost { reason: DownReason::Ended }));
    assert_eq!(soon(device.wait_connected(Duration::from_secs(1))).await, Err(CommandError::Closed));
    assert_eq!(down(&mut events).await, (DownReason::Ended, None));
    assert_eq!(soon(events.recv()).await, None);

    // Nothing listens on this port: it was just free.
    lamp.stop().await;
    let device = controller(&lamp).version(Version::V33).spawn(&Tokio);
    let close = async {
        let mut events = device.listener();
        down(&mut events).await;
        device.close().await;
    };
    let (result, ()) = soon(async { tokio::join!(device.set_value(1, true).acknowledged(), close) }).await;
    assert_eq!(result, Err(CommandError::Closed));
}

#[tokio::test]
async fn commands_without_a_connection_fail_with_the_reason() {
    let lamp = lamp(Version::V34).await;
    lamp.stop().await;
    let device = controller(&lamp).version(Version::V34).command_timeout(Duration::from_millis(300)).spawn(&Tokio);
    let refused = CommandError::NotConnected { reason: Some(DownReason::Refused) };
    assert_eq!(soon(device.query()).await, Err(refused.clone()));
    assert_eq!(device.diagnosis(), Some(DownReason::Refused));
    assert_eq!(soon(device.wait_connected(Duration::from_millis(50))).await, Err(refused));

    let nowhere =
        Device::builder(ID, common::KEY).expect("usable").command_timeout(Duration::from_millis(50)).spawn(&Tokio);
    assert_eq!(soon(nowhere.query()).await, Err(CommandError::NotConnected { reason: None }));
}

#[test]
fn a_host_name_is_looked_up_whatever_the_program_does_in_threads_of_its_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build();
    let runtime = runtime.expect("a runtime");
    let (release, gate) = std::sync::mpsc::channel::<()>();
    // Until the end.
    let busy = runtime.spawn_blocking(move || gate.recv());
    runtime.block_on(async {
        let lamp = lamp(Version::V34).await;
        let name: rustuya_runtime_tokio::Address = "localhost".parse().expect("a name");
        let device = controller(&lamp).address(name).version(Version::V34).spawn(&Tokio);
        soon(device.wait_connected(Duration::from_secs(10))).await.expect("connects");
    });
    drop(release);
    assert!(runtime.block_on(busy).expect("no panic").is_err());
}

#[tokio::test]
async fn a_dropped_future_takes_back_what_was_not_sent() {
    let lamp = lamp(Version::V35).await;
    lamp.unplug().await;
    let timing = backoff(Duration::from_millis(100));
    let device = controller(&lamp).version(Version::V35).timing(timing).spawn(&Tokio);
    let abandoned = tokio::time::timeout(Duration::from_millis(50), device.set_value(1, true));
    assert!(abandoned.await.is_err());
    lamp.plug().await.expect("the port is still free");
    soon(device.set_value(2, 7).acknowledged()).await.expect("acknowledges");
    assert_eq!(lamp.dps(None), map(json!({ "1": false, "2": 7, "3": "white" })));
}

#[tokio::test]
async fn many_commands_at_once_are_all_answered() {
    for version in Version::ALL {
        let lamp = lamp(version).await;
        let device = controller(&lamp).version(version).spawn(&Tokio);
        let mut tasks = JoinSet::new();
        for n in 0..50 {
            let device = device.clone();
            tasks.spawn(async move { device.set_value(2, n).acknowledged().await });
        }
        let results = soon(tasks.join_all()).await;
        assert_eq!(results.len(), 50);
        assert!(results.iter().all(Result::is_ok), "{version}: {results:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_that_nobody_waits_for_are_each_sent_once_and_in_order() {
    const THREADS: i64 = 4;
    const EACH: i64 = 500;
    const ALL: u64 = (THREADS * EACH) as u64;
    let lamp = lamp(Version::V35).await;
    let device = controller(&lamp).version(Version::V35).nowait(true).spawn(&Tokio);
    soon(device.wait_connected(Duration::from_secs(10))).await.expect("connects");
    let mut requests = lamp.requests();
    let give = |thread: i64| {
        let device = device.clone();
        move || {
            for n in 0..EACH {
                while device.set_value(2, thread * EACH + n).queue() == Err(CommandError::Busy) {
                    std::thread::yield_now();
                }
            }
        }
    };
    let threads: Vec<_> = (0..THREADS).map(|thread| std::thread::spawn(give(thread))).collect();
    let (mut next, mut heard) = ([0; THREADS as usize], 0);
    // A busy machine may keep this listener from hearing all of them, but it is told how many it missed.
    let ends = Instant::now() + Duration::from_secs(20);
    while heard + requests.missed() < ALL {
        assert!(Instant::now() < ends, "{heard} heard, {} missed", requests.missed());
        let payload = soon(requests.recv()).await.expect("the device lives").payload.unwrap_or_default();
        let Some(value) = payload.pointer("/data/dps/2").and_then(serde_json::Value::as_i64) else { continue };
        let (thread, number) = (usize::try_from(value / EACH).expect("a thread"), value % EACH);
        assert!(number >= next[thread], "{number} after {} of thread {thread}", next[thread]);
        next[thread] = number + 1;
        heard += 1;
    }
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    assert_eq!((heard + requests.missed(), device.metrics().sent), (ALL, ALL));
    assert!(heard > ALL / 2, "{heard}");
}

#[tokio::test]
async fn a_command_that_nobody_waits_for_is_refused_at_once_when_too_many_wait() {
    let lamp = fake(ID, Version::V33).quirk("silent-control").expect("a quirk").start().await.expect("a free port");
    let device = controller(&lamp).version(Version::V33).nowait(true).spawn(&Tokio);
    soon(device.wait_connected(Duration::from_secs(10))).await.expect("connects");
    let given = (0..1000).take_while(|n| device.set_value(2, *n).queue().is_ok()).count();
    assert!((256..=256 + 16).contains(&given), "{given}");
    assert_eq!(device.set_value(2, 0).await, Err(CommandError::Busy));
}

#[tokio::test]
async fn a_command_that_finds_no_place_in_time_is_refused_as_busy() {
    let lamp = fake(ID, Version::V33).quirk("silent-control").expect("a quirk").start().await.expect("a free port");
    let device = controller(&lamp).version(Version::V33).command_timeout(Duration::from_millis(300)).spawn(&Tokio);
    soon(device.wait_connected(Duration::from_secs(10))).await.expect("connects");
    let mut tasks = JoinSet::new();
    for n in 0..40 {
        let device = device.clone();
        tasks.spawn(async move { device.set_value(2, n).acknowledged().await });
    }
    let results = soon(tasks.join_all()).await;
    let busy = results.iter().filter(|result| **result == Err(CommandError::Busy)).count();
    let unanswered = results.iter().filter(|result| **result == Err(CommandError::Unanswered)).count();
    assert_eq!(busy + unanswered, 40, "{results:?}");
    assert!(busy > 0 && unanswered > 0, "{results:?}");
}

#[tokio::test]
async fn impossible_requests_are_refused_at_once() {
    let lamp = lamp(Version::V33).await;
    let device = controller(&lamp).version(Version::V33).spawn(&Tokio);
    soon(device.wait_connected(Duration::from_secs(10))).await.expect("connects");
    assert_eq!(soon(device.set_value(3, "x".repeat(5000)).acknowledged()).await, Err(CommandError::TooLarge));
    let no_dp = Err(CommandError::InvalidDp("switch".into()));
    assert_eq!(soon(device.set_dps(map(json!({ "switch": true })))).await, no_dp);
    assert_eq!(device.set_value("switch", true).queue(), no_dp);
    let empty = soon(device.set_dps(map(json!({})))).await;
    assert!(matches!(empty, Err(CommandError::InvalidValue(_))), "{empty:?}");
    soon(device.set_value(3, "x".repeat(2500)).acknowledged()).await.expect("fits");
    assert_eq!(lamp.dps(None)["3"].as_str().map(str::len), Some(2500));
}

#[tokio::test]
async fn a_slow_listener_lags_alone() {
    let lamp = lamp(Version::V33).await;
    let device = controller(&lamp).version(Version::V33).query_on_connect(false).spawn(&Tokio);
    soon(device.wait_connected(Duration::from_secs(10))).await.expect("connects");
    let mut slow = device.listener();
    let mut quick = device.listener();
    for n in 0..1100 {
        lamp.set_dps(None, map(json!({ "2": n }))).expect("a DP number");
        let heard = next(&mut quick, |event| match event {
            Event::Message(message) => message.dp(2),
            _ => None,
        });
        assert_eq!(heard.await, json!(n));
    }
    assert_eq!(quick.missed(), 0);
    let Some(Event::Lagged(lost)) = soon(slow.recv()).await else { panic!("no mark") };
    // One of them was not a message: the state is fresh.
    assert_eq!(lost, 1100 + 1 - 1024);
    let first = next(&mut slow, |event| match event {
        Event::Message(message) => message.dp(2),
        _ => None,
    });
    assert_eq!(first.await, json!(lost - 1));
}

#[tokio::test]
async fn dropping_the_last_handle_ends_the_connection() {
    let lamp = fake(ID, Version::V34).max_clients(1).start().await.expect("a free port");
    let first = controller(&lamp).version(Version::V34).spawn(&Tokio);
    let sub = first.sub("child").expect("a cid");
    soon(first.wait_connected(Duration::from_secs(10))).await.expect("connects");
    let mut events = first.listener();
    drop(first);
    assert!(sub.gateway().is_connected());
    drop(sub);
    assert_eq!(down(&mut events).await.0, DownReason::Ended);
    assert_eq!(soon(events.recv()).await, None);
    // Its place is free again.
    let timing = backoff(Duration::from_millis(50));
    let second = controller(&lamp).version(Version::V34).timing(timing).spawn(&Tokio);
    soon(second.set_value(1, true).acknowledged()).await.expect("acknowledges");
}
