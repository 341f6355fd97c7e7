//! Pushes of virtual devices reach every controller that is there, as soon as it is.

#[path = "../../runtime-tokio/tests/common/mod.rs"]
mod common;

use core::time::Duration;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use common::*;
use rustuya_runtime_tokio::*;
use rustuya_virtual_device::VirtualDevice;
use serde_json::{Value, json};

const ID: &str = "bf0123456789abcdefgh";
const ROUNDS: u32 = 1000;

/// The value of DP 2 in the next push.
async fn pushed(listener: &mut Listener) -> Option<Value> {
    loop {
        if let Event::Message(message) = soon(listener.recv()).await.expect("lives")
            && let Some(value) = message.dp(2)
        {
            return Some(value);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_right_after_the_controller_is_connected_reaches_it() {
    for version in Version::ALL {
        let lamp = fake(ID, version).max_clients(50).start().await.expect("a port");
        for round in 0..ROUNDS {
            let device = controller(&lamp).version(version).spawn(&Tokio);
            let mut listener = device.listener();
            soon(device.wait_connected(Duration::from_secs(10))).await.expect("connects");
            lamp.set_dps(None, map(json!({ "2": round }))).expect("a number");
            while pushed(&mut listener).await != Some(json!(round)) {}
        }
        assert_eq!(lamp.lost_pushes(), 0, "{version}");
    }
}

/// A connection that the system has accepted counts, even before the device has had a chance to look.
#[tokio::test]
async fn a_push_reaches_controllers_that_were_not_accepted_yet() {
    for version in [Version::V31, Version::V32, Version::V33] {
        let lamp = fake(ID, version).max_clients(3).start().await.expect("a port");
        for round in 0..ROUNDS {
            // There is one thread: nothing is accepted in the meantime.
            let streams = [(); 2].map(|()| TcpStream::connect(lamp.local_addr()).expect("the system accepts"));
            lamp.set_dps(None, map(json!({ "2": round }))).expect("a number");
            for mut stream in streams {
                let read = tokio::task::spawn_blocking(move || {
                    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time limit");
                    let mut bytes = [0; 512];
                    stream.read(&mut bytes).map(|len| len > 20)
                });
                assert!(read.await.expect("no panic").is_ok_and(|whole| whole), "{version}, round {round}");
            }
            // Both have left; there is room for the next two.
            while lamp_is_full(&lamp).await {}
        }
    }
}

/// Returns whether one more controller is turned away.
async fn lamp_is_full(lamp: &VirtualDevice) -> bool {
    let stream = tokio::net::TcpStream::connect(lamp.local_addr()).await.expect("the system accepts");
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
    matches!(stream.try_read(&mut [0; 8]), Ok(0))
}

/// A controller that does not read loses the oldest pushes, and how many they are is told.
#[tokio::test]
async fn lost_pushes_are_counted() {
    let lamp = fake(ID, Version::V33).start().await.expect("a port");
    let mut stream = TcpStream::connect(lamp.local_addr()).expect("the system accepts");
    for round in 0..1500 {
        lamp.set_dps(None, map(json!({ "2": round }))).expect("a number");
    }
    let read = tokio::task::spawn_blocking(move || {
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time limit");
        let (mut pushes, mut bytes) = (0, Vec::new());
        while pushes < 1024 {
            let mut more = [0; 4096];
            let len = stream.read(&mut more).expect("pushes");
            bytes.extend_from_slice(&more[..len]);
            pushes = bytes.windows(4).filter(|head| **head == [0, 0, 0x55, 0xaa]).count();
        }
        let _ = stream.write(&[0]);
        pushes
    });
    assert_eq!(read.await.expect("no panic"), 1024);
    assert_eq!(lamp.lost_pushes(), 1500 - 1024);
}

/// The last change of a DP, by hand or from afar, is the value that every controller ends up with.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushes_come_in_the_order_of_the_changes() {
    for version in Version::ALL {
        let lamp = fake(ID, version).start().await.expect("a port");
        let hears = controller(&lamp).version(version).spawn(&Tokio);
        let writes = controller(&lamp).version(version).spawn(&Tokio);
        soon(hears.query()).await.expect("answers");
        let mut listener = hears.listener();
        for round in 0..100 {
            let by_hand = tokio::task::spawn_blocking({
                let lamp = lamp.clone();
                move || lamp.set_dps(None, map(json!({ "2": 2 * round + 1000 }))).expect("a number")
            });
            soon(writes.set_value(2, 2 * round + 1001).acknowledged()).await.expect("acknowledged");
            by_hand.await.expect("no panic");
            let last = lamp.dps(None)["2"].clone();
            lamp.set_dps(None, map(json!({ "2": round }))).expect("a number");
            let mut heard = None;
            loop {
                let value = pushed(&mut listener).await;
                if value == Some(json!(round)) {
                    break;
                }
                heard = value;
            }
            assert_eq!(heard, Some(last), "{version}, round {round}");
        }
    }
}

/// Every named DP is pushed, changed or not.
#[tokio::test]
async fn a_value_that_is_set_again_by_hand_is_pushed_again() {
    for version in Version::ALL {
        let lamp = fake(ID, version).start().await.expect("a port");
        let device = controller(&lamp).version(version).query_on_connect(false).spawn(&Tokio);
        let mut listener = device.listener();
        soon(device.wait_connected(Duration::from_secs(10))).await.expect("connects");
        for _ in 0..3 {
            lamp.set_dps(None, map(json!({ "2": 77 }))).expect("a number");
            assert_eq!(pushed(&mut listener).await, Some(json!(77)), "{version}");
        }
    }
}
