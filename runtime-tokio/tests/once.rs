//! Every command comes to one result, told once, however its future is treated.

mod common;

use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use common::{controller, fake, next, soon};
use rustuya_runtime_tokio::{CommandError, Device, DownReason, Event, Listener, Sending, Tokio, Version};
use rustuya_virtual_device::VirtualDevice;
use serde_json::json;

const ID: &str = "bf0123456789abcdefgh";
const REFUSED: CommandError = CommandError::NotConnected { reason: Some(DownReason::Refused) };

/// A lamp without power, and a controller that tries it again soon.
async fn off(timeout: Duration) -> (VirtualDevice, Device, Listener) {
    let lamp = fake(ID, Version::V33).start().await.expect("a free port");
    lamp.unplug().await;
    let mut timing = rustuya_runtime_tokio::Timing::DEFAULT;
    timing.backoff_min = Duration::from_millis(20);
    timing.backoff_max = Duration::from_millis(20);
    let device = controller(&lamp).version(Version::V33).timing(timing).command_timeout(timeout).spawn(&Tokio);
    let mut events = device.listener();
    next(&mut events, |event| matches!(event, Event::Down { .. }).then_some(())).await;
    (lamp, device, events)
}

/// A lamp that obeys and does not say so, connected.
async fn silent() -> (VirtualDevice, Device, Listener) {
    let lamp = fake(ID, Version::V33).quirk("silent-control").expect("a quirk").start().await.expect("a free port");
    let mut timing = rustuya_runtime_tokio::Timing::DEFAULT;
    timing.answer = Duration::from_millis(150);
    let device = controller(&lamp).version(Version::V33).timing(timing).spawn(&Tokio);
    soon(device.query()).await.expect("answers");
    let events = device.listener();
    (lamp, device, events)
}

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Every failure that listeners are told, up to the end of the device.
async fn failures(device: Device, mut events: Listener) -> Vec<CommandError> {
    device.close().await;
    let mut failures = Vec::new();
    while let Some(event) = soon(events.recv()).await {
        if let Event::Failed(failed) = event {
            failures.push(failed.error.clone());
        }
    }
    failures
}

#[tokio::test]
async fn one_that_was_polled_can_be_queued() {
    let (lamp, device, events) = off(Duration::from_secs(10)).await;
    let mut sending = device.set_value(2, 7);
    assert!(poll(&mut sending).is_pending());
    assert_eq!(sending.queue(), Ok(()), "it goes on without its caller");
    lamp.plug().await.expect("the port is still free");
    soon(device.set_value(1, true).acknowledged()).await.expect("acknowledges");
    assert_eq!((&lamp.dps(None)["1"], &lamp.dps(None)["2"]), (&json!(true), &json!(7)));
    assert_eq!(failures(device, events).await, []);
}

#[tokio::test]
async fn one_that_was_polled_and_queued_fails_once_and_listeners_are_told() {
    let (_lamp, device, mut events) = off(Duration::from_millis(50)).await;
    let mut sending = device.set_value(2, 7);
    assert!(poll(&mut sending).is_pending());
    assert_eq!(sending.queue(), Ok(()));
    let error = next(&mut events, |event| match event {
        Event::Failed(failed) => Some(failed.error.clone()),
        _ => None,
    });
    assert_eq!(error.await, REFUSED);
    assert_eq!(failures(device, events).await, []);
}

#[tokio::test]
async fn one_that_was_polled_can_be_asked_for_its_answer() {
    let (lamp, device, events) = off(Duration::from_secs(10)).await;
    let mut sending = device.status();
    assert!(poll(&mut sending).is_pending());
    let answer = sending.acknowledged();
    lamp.plug().await.expect("the port is still free");
    assert_eq!(soon(answer).await.expect("answers").dps["2"], json!(50));
    assert_eq!(failures(device, events).await, []);
}

#[tokio::test]
async fn one_that_is_done_says_the_same_again_and_can_be_asked_for_its_answer() {
    let lamp = fake(ID, Version::V34).start().await.expect("a free port");
    let device = controller(&lamp).version(Version::V34).spawn(&Tokio);
    let events = device.listener();
    let mut sending = device.status();
    for _ in 0..2 {
        assert_eq!(soon(&mut sending).await, Ok(()));
    }
    let reply = soon(sending.acknowledged()).await.expect("the answer to the same command");
    assert_eq!(reply.dps["2"], json!(50));
    let mut sending = device.set_value(1, true);
    assert_eq!(soon(&mut sending).await, Ok(()));
    assert_eq!(sending.queue(), Ok(()));
    soon(device.query()).await.expect("answers");
    assert_eq!(device.metrics().sent, 3, "nothing is given twice");
    assert_eq!(failures(device, events).await, []);

    let (_lamp, device, events) = off(Duration::from_millis(50)).await;
    let mut sending = device.set_value(1, true);
    for _ in 0..2 {
        assert_eq!(soon(&mut sending).await, Err(REFUSED));
    }
    assert_eq!(soon(sending.acknowledged()).await, Err(REFUSED));
    let mut sending = device.set_value(1, true);
    assert_eq!(soon(&mut sending).await, Err(REFUSED));
    assert_eq!(sending.queue(), Err(REFUSED));
    let mut sending = device.set_value("switch", true);
    for _ in 0..2 {
        assert!(matches!(poll(&mut sending), Poll::Ready(Err(CommandError::InvalidDp(_)))));
    }
    assert_eq!(failures(device, events).await, [], "the callers know");
}

#[tokio::test]
async fn one_that_moves_between_tasks_is_woken_where_it_is() {
    let (lamp, device, _events) = off(Duration::from_secs(10)).await;
    let mut sending: Sending = device.set_value(2, 7);
    assert!(poll(&mut sending).is_pending(), "another waker than that of the task");
    let moved = tokio::spawn(sending);
    lamp.plug().await.expect("the port is still free");
    assert_eq!(soon(moved).await.expect("no panic"), Ok(()));
}

#[tokio::test]
async fn a_wait_for_the_connection_that_was_given_up_is_no_failed_command() {
    let (_lamp, device, events) = off(Duration::from_millis(20)).await;
    for _ in 0..3 {
        let wait = device.wait_connected(Duration::from_millis(20));
        assert!(tokio::time::timeout(Duration::from_millis(1), wait).await.is_err());
    }
    // One that is given later ends later.
    assert_eq!(soon(device.set_value(1, true).timeout(Duration::from_millis(60))).await, Err(REFUSED));
    let waiting = device.wait_connected(Duration::from_secs(10));
    assert!(tokio::time::timeout(Duration::from_millis(1), waiting).await.is_err());
    assert_eq!(failures(device, events).await, []);
}

#[tokio::test]
async fn what_was_taken_back_before_it_was_sent_does_not_fail() {
    let (_lamp, device, events) = off(Duration::from_millis(20)).await;
    for sent in [device.set_value(1, true), device.status()] {
        assert!(tokio::time::timeout(Duration::from_millis(1), sent.acknowledged()).await.is_err());
    }
    assert_eq!(soon(device.set_value(1, true).timeout(Duration::from_millis(60))).await, Err(REFUSED));
    assert_eq!(failures(device, events).await, []);
}

#[tokio::test]
async fn a_failure_that_nobody_took_is_told() {
    let (_lamp, device, events) = silent().await;
    let mut answer = device.set_value(1, true).acknowledged();
    assert!(poll(&mut answer).is_pending());
    let mut unanswered = device.listener();
    // The later command is decided later: the earlier one has its result, which its caller has not looked at.
    assert_eq!(soon(device.set_value(1, false).acknowledged()).await, Err(CommandError::Unanswered));
    assert!(!matches!(unanswered.try_recv(), Some(Event::Failed(_))), "its caller is still there");
    drop(answer);
    assert_eq!(failures(device, events).await, [CommandError::Unanswered]);
}

#[tokio::test]
async fn a_failure_after_the_write_is_told_once_even_to_one_who_has_not_looked_yet() {
    let (_lamp, device, events) = silent().await;
    let mut written = device.set_value(1, true);
    assert!(poll(&mut written).is_ready() || device.metrics().sent > 0, "written at once");
    let mut other = device.set_value(2, 7);
    let _ = poll(&mut other);
    assert_eq!(soon(device.set_value(1, false).acknowledged()).await, Err(CommandError::Unanswered));
    assert_eq!((soon(written).await, soon(other).await), (Ok(()), Ok(())), "as much as was asked");
    assert_eq!(failures(device, events).await, [CommandError::Unanswered, CommandError::Unanswered]);
}
