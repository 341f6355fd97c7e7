//! Callers and listeners while connections come and go.

mod common;

use core::time::Duration;
use std::sync::Barrier;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::Instant;

use common::{ID, KEY, SOON, asked, controller, fake, next, thread as poll_thread};
use rustuya_faulty::{Fault, FaultyDevice, PowerLoss, Request};
use rustuya_runtime_blocking::{
    CommandCode, CommandError, Device, DownReason, Event, Listener, Manager, Registry, Timing, Version,
};
use serde_json::json;

/// Far longer than a test may take: a caller that waits that long was not released.
const FOREVER: Duration = Duration::from_secs(600);

fn backoff(first: Duration) -> Timing {
    let mut timing = Timing::DEFAULT;
    timing.backoff_min = first;
    timing
}

fn down(events: &mut Listener) -> (DownReason, Option<Duration>) {
    next(events, |event| match event {
        Event::Down { reason, retry_in } => Some((*reason, *retry_in)),
        _ => None,
    })
}

type End = fn(&Device, &Manager, &Registry);

#[test]
fn a_blocked_caller_is_released_by_close_delete_and_shutdown() {
    let ends: [(&str, End); 4] = [
        ("close", |device, _, _| device.close()),
        ("delete", |device, manager, _| assert!(manager.delete(device.id()))),
        ("manager", |_, manager, _| manager.shutdown()),
        ("registry", |_, _, registry| registry.shutdown()),
    ];
    for (name, end) in ends {
        let lamp = fake(Version::V33).start().expect("a free port");
        let registry = Registry::builder(poll_thread()).without_discovery().build();
        let manager = Manager::new(&registry);
        let builder = controller(&lamp).version(Version::V33).command_timeout(FOREVER);
        let device = manager.add_with(builder).expect("is new");
        device.wait_connected(SOON).expect("connects");
        lamp.set_fault(Fault::Silent);
        let mut listener = device.listener();
        let [answered, heard] = thread::scope(|scope| {
            let answer = scope.spawn(|| device.set_value(1, true).timeout(FOREVER).acknowledged().map(drop));
            let events = scope.spawn(move || {
                while listener.recv().is_some() {}
                Ok(())
            });
            asked(&lamp, CommandCode::CONTROL);
            end(&device, &manager, &registry);
            [answer, events].map(|thread| thread.join().expect("does not panic"))
        });
        assert_eq!(answered, Err(CommandError::ConnectionLost { reason: DownReason::Ended }), "{name}");
        assert_eq!(heard, Ok(()));
        assert_eq!(device.set_value(1, true).send(), Err(CommandError::Closed), "{name}");
        assert_eq!(device.wait_connected(FOREVER), Err(CommandError::Closed));
    }
}

#[test]
fn a_caller_who_waits_for_a_connection_is_released() {
    let nowhere = Device::builder(ID, KEY).expect("usable").command_timeout(FOREVER).spawn(&poll_thread());
    let ready = Barrier::new(3);
    let results: Vec<_> = thread::scope(|scope| {
        let callers = [true, false].map(|value| {
            let (nowhere, ready) = (&nowhere, &ready);
            scope.spawn(move || {
                ready.wait();
                nowhere.set_value(1, value).send()
            })
        });
        ready.wait();
        nowhere.close();
        callers.into_iter().map(|caller| caller.join().expect("does not panic")).collect()
    });
    assert_eq!(results, [Err(CommandError::Closed), Err(CommandError::Closed)]);
}

#[test]
fn commands_without_a_connection_fail_in_time_with_the_reason() {
    let lamp = fake(Version::V34).start().expect("a free port");
    lamp.power_off(PowerLoss::Reset);
    let limit = Duration::from_millis(300);
    let device = controller(&lamp).version(Version::V34).command_timeout(limit).spawn(&poll_thread());
    let refused = CommandError::NotConnected { reason: Some(DownReason::Refused) };
    let start = Instant::now();
    assert_eq!(device.query(), Err(refused.clone()));
    assert!(start.elapsed() >= limit);
    assert_eq!(device.diagnosis(), Some(DownReason::Refused));
    assert_eq!(device.set_value(1, true).timeout(Duration::from_millis(50)).send(), Err(refused));
}

#[test]
fn many_threads_calling_at_once_are_all_answered() {
    let thread = poll_thread();
    for version in [Version::V31, Version::V33, Version::V35] {
        let lamp = fake(version).start().expect("a free port");
        let device = controller(&lamp).version(version).spawn(&thread);
        let start = Barrier::new(16);
        thread::scope(|scope| {
            for caller in 0..16 {
                let (device, start) = (device.clone(), &start);
                scope.spawn(move || {
                    start.wait();
                    for n in 0..20 {
                        device.set_value(2, caller * 100 + n).acknowledged().expect("acknowledges");
                    }
                });
            }
        });
        let metrics = device.metrics();
        assert_eq!((metrics.sent, metrics.acknowledged), (320, 320), "{version}");
        let controls = [CommandCode::CONTROL, CommandCode::CONTROL_NEW];
        let control = |request: &&Request| controls.contains(&request.command);
        // The device may answer before it records the request.
        assert!(lamp.wait_for(SOON, |state| state.requests().filter(control).count() == 320), "{version}");
        let mut values: Vec<u64> = (lamp.requests().iter().filter(control))
            .filter_map(|request| request.payload.as_ref())
            .filter_map(|payload| [&payload["dps"], &payload["data"]["dps"]].iter().find_map(|dps| dps["2"].as_u64()))
            .collect();
        // Each caller's commands arrive in the order in which it sent them.
        values.sort_by_key(|value| value / 100);
        let expected: Vec<u64> = (0..16).flat_map(|caller| (0..20).map(move |n| caller * 100 + n)).collect();
        assert_eq!(values, expected, "{version}");
    }
}

#[test]
fn queued_commands_wait_for_nothing_and_failures_are_reported() {
    let lamp = fake(Version::V33).start().expect("a free port");
    let limit = Duration::from_millis(200);
    let builder = controller(&lamp).version(Version::V33).nowait(true).command_timeout(limit);
    let device = builder.spawn(&poll_thread());
    let mut events = device.listener();
    // Returns although there is no connection yet.
    device.set_value(1, true).send().expect("is queued");
    assert!(lamp.wait_for(SOON, |state| state.dps(None)["1"] == json!(true)));
    device.set_value(2, 5).queue().expect("is queued");
    assert!(lamp.wait_for(SOON, |state| state.dps(None)["2"] == json!(5)));

    lamp.power_off(PowerLoss::Reset);
    down(&mut events);
    device.set_value(2, 6).send().expect("is queued");
    let failed = next(&mut events, |event| match event {
        Event::Failed(failed) => Some(failed.clone()),
        _ => None,
    });
    assert!(matches!(failed.error, CommandError::NotConnected { .. }), "{failed:?}");
    assert_eq!(device.set_value("switch", true).queue(), Err(CommandError::InvalidDp("switch".into())));
}

#[test]
fn listeners_respect_their_time_limit() {
    let lamp = fake(Version::V34).start().expect("a free port");
    let device = controller(&lamp).version(Version::V34).spawn(&poll_thread());
    device.query().expect("answers");
    let mut events = device.listener();
    let limit = Duration::from_millis(50);
    let start = Instant::now();
    assert_eq!(events.try_recv(), None);
    assert_eq!(events.recv_timeout(limit), Err(RecvTimeoutError::Timeout));
    assert!(start.elapsed() >= limit);
    lamp.push(None, json!({ "2": 1 }));
    assert!(matches!(events.recv_timeout(SOON), Ok(Event::Message(message)) if message.dp(2) == Some(json!(1))));
    lamp.push(None, json!({ "2": 2 }));
    assert!(matches!(events.recv(), Some(Event::Message(message)) if message.dp(2) == Some(json!(2))));
    device.close();
    assert!(events.is_closed());
    assert!(matches!(events.next(), Some(Event::Down { reason: DownReason::Ended, retry_in: None })));
    assert_eq!(events.recv_timeout(SOON), Err(RecvTimeoutError::Disconnected));
    assert_eq!(events.count(), 0);
}

#[test]
fn a_slow_listener_lags_alone() {
    let lamp = fake(Version::V33).start().expect("a free port");
    let device = controller(&lamp).version(Version::V33).spawn(&poll_thread());
    device.query().expect("answers");
    let (mut slow, mut quick) = (device.listener(), device.listener());
    for n in 0..1100 {
        lamp.push(None, json!({ "2": n }));
        let heard = next(&mut quick, |event| match event {
            Event::Message(message) => message.dp(2),
            _ => None,
        });
        assert_eq!(heard, json!(n));
    }
    assert_eq!(quick.missed(), 0);
    assert_eq!(slow.recv(), Some(Event::Lagged(1100 - 1024)));
    let first = next(&mut slow, |event| match event {
        Event::Message(message) => message.dp(2),
        _ => None,
    });
    assert_eq!(first, json!(1100 - 1024));
}

#[test]
fn a_device_that_was_away_is_connected_again() {
    let lamp = fake(Version::V35).start().expect("a free port");
    let timing = backoff(Duration::from_millis(50));
    let device = controller(&lamp).version(Version::V35).timing(timing).spawn(&poll_thread());
    device.wait_connected(SOON).expect("connects");
    for fault in [Fault::Reset, Fault::AcceptAndClose] {
        let mut events = device.listener();
        lamp.cut_all();
        lamp.set_fault(fault);
        for _ in 0..3 {
            assert!(down(&mut events).1.is_some(), "goes on trying");
        }
        lamp.clear_fault();
        device.set_value(1, true).acknowledged().expect("acknowledges");
    }
    lamp.set_fault(Fault::OneByteSegments);
    device.set_value(2, 3).acknowledged().expect("acknowledges");
    assert_eq!(device.query().expect("answers")["2"], json!(3));
}

#[test]
fn managers_share_a_registry_and_receive_events_of_all_devices() {
    let one = fake(Version::V33).start().expect("a free port");
    let two =
        FaultyDevice::builder("another", KEY, Version::V35).dps(json!({ "1": false })).start().expect("a free port");
    let registry = Registry::builder(poll_thread()).without_discovery().build();
    let manager = Manager::new(&registry);
    let mut events = manager.listener();
    for lamp in [&one, &two] {
        manager.add_with(controller(lamp)).expect("is new");
    }
    let other = Manager::new(&registry);
    let shared = other.add_with(controller(&one)).expect("is new here");
    assert_eq!((registry.len(), manager.len(), other.len()), (2, 2, 1));
    for device in manager.devices() {
        device.set_value(1, true).acknowledged().expect("acknowledges");
    }
    let mut told = std::collections::BTreeSet::new();
    while told.len() < 2 {
        let event = events.recv_timeout(SOON).expect("both change");
        if matches!(&event.event, Event::Message(message) if message.dp(1) == Some(json!(true))) {
            told.insert(event.device_id);
        }
    }
    assert_eq!(manager.list().iter().filter(|info| info.connected).count(), 2);
    manager.shutdown();
    assert!(shared.is_connected(), "the other one holds it");
    drop((shared, other, manager));
    assert!(registry.is_empty());
}
