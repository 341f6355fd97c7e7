//! Virtual devices as such: what they do beside answering.

#[path = "../../runtime-tokio/tests/common/mod.rs"]
mod common;

use core::net::SocketAddr;
use core::time::Duration;

use common::*;
use rustuya_runtime_tokio::proto::{Announcement, CommandCode, Datagram, WriteError, write_probe};
use rustuya_runtime_tokio::*;
use rustuya_virtual_device::{SimulationError, VirtualDevice};
use serde_json::json;
use tokio::net::{TcpStream, UdpSocket};

const ID: &str = "bf0123456789abcdefgh";

/// The head of a 3.5 frame that promises 200 bytes, with 50 of them.
fn cut_frame() -> Vec<u8> {
    let mut frame = vec![0, 0, 0x66, 0x99, 0, 0, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 200];
    frame.resize(60, 7);
    frame
}

async fn write(stream: &TcpStream, bytes: &[u8]) {
    stream.writable().await.expect("open");
    assert_eq!(stream.try_write(bytes).expect("taken"), bytes.len());
}

/// One read; nothing at the end.
async fn read(stream: &TcpStream) -> Vec<u8> {
    loop {
        stream.readable().await.expect("open");
        let mut bytes = vec![0; 16_384];
        if let Ok(len) = stream.try_read(&mut bytes) {
            bytes.truncate(len);
            return bytes;
        }
    }
}

async fn cut(address: SocketAddr) {
    let stream = TcpStream::connect(address).await.expect("accepted");
    write(&stream, &cut_frame()).await;
    // It is read before the connection ends.
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[tokio::test]
async fn a_cut_frame_wedges_a_device_that_is_like_that_until_it_is_switched_off() {
    let lamp = fake(ID, Version::V35).quirk("wedge-on-cut-frame").expect("a quirk").start().await.expect("a port");
    let device = controller(&lamp).version(Version::V35).spawn(&Tokio);
    soon(device.query()).await.expect("answers");
    cut(lamp.local_addr()).await;
    let status = device.status().timeout(Duration::from_millis(300));
    assert!(soon(status.acknowledged()).await.is_err(), "also those that were connected are not served any more");
    let other = TcpStream::connect(lamp.local_addr()).await.expect("TCP goes on accepting");
    let silent = tokio::time::timeout(Duration::from_millis(100), read(&other)).await;
    assert!(silent.is_err(), "and nothing answers, nor closes: {silent:?}");
    soon(lamp.unplug()).await;
    soon(lamp.plug()).await.expect("the port is free");
    soon(device.wait_connected(Duration::from_secs(10))).await.expect("well again");
    soon(device.query()).await.expect("answers");

    // Others take no harm.
    let lamp = fake(ID, Version::V35).start().await.expect("a port");
    cut(lamp.local_addr()).await;
    let device = controller(&lamp).version(Version::V35).spawn(&Tokio);
    soon(device.query()).await.expect("answers");
}

/// The controller never leaves a frame half sent, whatever becomes of its commands.
#[tokio::test]
async fn this_controller_wedges_no_device() {
    let lamp = fake(ID, Version::V35).quirk("wedge-on-cut-frame").expect("a quirk").start().await.expect("a port");
    for round in 0..20_u64 {
        let device = controller(&lamp).version(Version::V35).spawn(&Tokio);
        let text = "x".repeat(3000);
        let hurry = device.set_value(3, text.as_str()).acknowledged();
        let _ = tokio::time::timeout(Duration::from_millis(round), hurry).await;
        drop(device);
    }
    let device = controller(&lamp).version(Version::V35).spawn(&Tokio);
    soon(device.query()).await.expect("it still answers");
}

#[tokio::test]
async fn what_is_not_taken_is_acknowledged_recorded_and_told() {
    for version in Version::ALL {
        let schema = json!({ "2": { "type": "Integer", "values": { "min": 10, "max": 1000 } } });
        let lamp = fake(ID, version).schema(None, &map(schema)).expect("a schema");
        let lamp = lamp.start().await.expect("a port");
        let mut told = lamp.rejected_write_listener();
        let device = controller(&lamp).version(version).spawn(&Tokio);
        for (dp, value, why) in [
            (2, json!(5), WriteError::Range),
            (2, json!("x"), WriteError::Kind),
            (99, json!(true), WriteError::Unknown),
        ] {
            soon(device.set_value(dp, value.clone()).acknowledged()).await.expect("acknowledged");
            let rejected = soon(told.recv()).await.expect("told");
            assert_eq!(
                (rejected.cid, rejected.dp, rejected.value, rejected.why),
                (None, dp, value, Some(why)),
                "{version}"
            );
        }
        soon(device.set_value(2, 10).acknowledged()).await.expect("acknowledged");
        assert_eq!(lamp.dps(None)["2"], json!(10));
        assert_eq!(lamp.rejected_writes().len(), 3, "{version}");
    }
}

#[tokio::test]
async fn strict_devices_have_nothing_that_no_device_could_have() {
    let lamp = fake(ID, Version::V35).strict(true).start().await.expect("a port");
    for (dps, dp, why) in [
        (json!({ "2": 1.5 }), 2, WriteError::Kind),
        (json!({ "9": { "a": 1 } }), 9, WriteError::Kind),
        (json!({ "9": 5_000_000_000_u64 }), 9, WriteError::Kind),
        (json!({ "300": 1 }), 300, WriteError::Unknown),
    ] {
        assert_eq!(lamp.set_dps(None, map(dps.clone())), Err(SimulationError::Value { dp, why }), "{dps}");
    }
    lamp.set_dps(None, map(json!({ "2": 20 }))).expect("fine");
    let wrong = fake(ID, Version::V34).dps(map(json!({ "7": 0.5 }))).expect("a DP").strict(true).start().await;
    let error = wrong.expect_err("no device has a fraction");
    assert!(error.to_string().contains("DP 7"), "{error}");
    // Others are free.
    let lamp = fake(ID, Version::V35).start().await.expect("a port");
    lamp.set_dps(None, map(json!({ "2": 1.5 }))).expect("not strict");
}

#[tokio::test]
async fn a_gateway_reports_who_comes_and_goes() {
    for version in [Version::V33, Version::V35] {
        let gateway = fake(ID, version)
            .sub("plug", map(json!({ "1": true })))
            .and_then(|gateway| gateway.sub("sensor", map(json!({ "4": 21 })))?.offline("sensor"))
            .expect("two sub-devices");
        let gateway = gateway.start().await.expect("a port");
        let device = controller(&gateway).version(version).spawn(&Tokio);
        soon(device.wait_connected(Duration::from_secs(10))).await.expect("connects");
        let mut events = device.listener();
        let reply = soon(device.sub_discover().acknowledged()).await.expect("reports");
        let reply = reply.payload().expect("a report");
        assert_eq!((&reply["data"]["online"], &reply["data"]["offline"]), (&json!(["plug"]), &json!(["sensor"])));
        for (cid, is_online) in [("plug", false), ("sensor", true)] {
            gateway.set_online(cid, is_online).expect("known");
            next(&mut events, |event| match event {
                Event::SubDevice { cid: told, online } if **told == *cid && *online == is_online => Some(()),
                _ => None,
            })
            .await;
        }
        assert_eq!(gateway.set_online("nobody", true), Err(SimulationError::UnknownSub));
    }
}

/// The device's name for itself in its answer to a probe.
async fn probed(lamp: &VirtualDevice, at: &UdpSocket) -> String {
    probed_for(lamp, at, [127, 0, 0, 1]).await
}

/// As [`probed`], with a probe that asks for the answer to be sent to this address.
async fn probed_for(lamp: &VirtualDevice, at: &UdpSocket, named: [u8; 4]) -> String {
    let mut probe = [0; 128];
    let len = write_probe(named.into(), &[3; 12], &mut probe).expect("room");
    at.send_to(&probe[..len], lamp.probe_addr().expect("it hears")).await.expect("sent");
    let mut answer = [0; 512];
    let len = soon(at.recv(&mut answer)).await.expect("answered");
    match Datagram::decode(&mut answer[..len]) {
        Ok(Datagram::Announcement(Announcement { id, client_link: None, .. })) => id.to_owned(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn probes_are_answered_also_with_every_place_taken() {
    let ears = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let port = ears.local_addr().expect("bound").port();
    let lamp = fake(ID, Version::V35).answer_probes("127.0.0.1:0".parse().expect("an address"), port);
    let lamp = lamp.start().await.expect("a port");
    assert_eq!(probed(&lamp, &ears).await, ID);
    let mut places = Vec::new();
    for _ in 0..3 {
        places.push(TcpStream::connect(lamp.local_addr()).await.expect("accepted"));
    }
    let fourth = TcpStream::connect(lamp.local_addr()).await.expect("accepted");
    assert_eq!(soon(read(&fourth)).await, b"", "closed");
    assert_eq!(probed(&lamp, &ears).await, ID);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_probe_is_answered_to_where_it_came_from_whatever_address_it_names() {
    let ears = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let port = ears.local_addr().expect("bound").port();
    let victim = UdpSocket::bind(("127.0.0.99", port)).await.expect("the same port at another address");
    let lamp = fake(ID, Version::V35).answer_probes("127.0.0.1:0".parse().expect("an address"), port);
    let lamp = lamp.start().await.expect("a port");
    assert_eq!(probed_for(&lamp, &ears, [127, 0, 0, 99]).await, ID);
    let nothing = victim.try_recv(&mut [0; 512]).expect_err("nobody sends to it");
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
}

/// Every frame that arrives within `limit`, by the head of 3.5 frames.
async fn commands(stream: &TcpStream, limit: Duration) -> Vec<(u32, usize)> {
    let mut bytes = Vec::new();
    let all = async {
        loop {
            bytes.extend(read(stream).await);
        }
    };
    let _: Result<(), _> = tokio::time::timeout(limit, all).await;
    let mut found = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some((head, _)) = rest.split_at_checked(18) {
        let number = |at: usize| u32::from_be_bytes(head[at..at + 4].try_into().expect("4 bytes"));
        let len = 22 + number(14) as usize;
        found.push((number(10), len));
        rest = rest.get(len..).expect("a whole frame");
    }
    found
}

#[tokio::test]
async fn pushes_reach_who_has_not_negotiated_and_are_of_any_size() {
    let lamp = fake(ID, Version::V35).start().await.expect("a port");
    let stream = TcpStream::connect(lamp.local_addr()).await.expect("accepted");
    let device = controller(&lamp).version(Version::V35).spawn(&Tokio);
    soon(device.set_value(1, false).acknowledged()).await.expect("acknowledged");
    let large = "x".repeat(9000);
    lamp.set_dps(None, map(json!({ "3": large }))).expect("a DP");
    let heard = commands(&stream, Duration::from_millis(300)).await;
    assert_eq!(heard.iter().map(|(command, _)| *command).collect::<Vec<_>>(), [CommandCode::STATUS.0; 2], "{heard:?}");
    assert!(heard[1].1 > 9000, "{heard:?}");
}
