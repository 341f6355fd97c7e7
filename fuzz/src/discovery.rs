//! Discovery service with datagrams from any sender.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::task::Waker;
use core::time::Duration;
use std::collections::BTreeSet;
use std::io;
use std::net::UdpSocket;
use std::sync::{Arc, Mutex, PoisonError};

use rustuya_proto::{Announcement, DeviceId, Version};
use rustuya_runtime::driver::{DiscoveryAction, DrivenDiscovery, DrivenLink, LARGEST_DATAGRAM, Runtime};
use rustuya_runtime::{Device, DiscoveredDevice, Discovery, Listener};

use crate::input::Input;

/// Id of the program's device.
const OURS: &str = "eb0123456789abcdefghij";

/// Runtime that keeps the tasks for the target to drive.
#[derive(Clone, Default)]
struct TaskRuntime {
    links: Arc<Mutex<Vec<DrivenLink>>>,
    listening: Arc<Mutex<Vec<DrivenDiscovery>>>,
}

impl Runtime for TaskRuntime {
    fn drive(&self, link: DrivenLink) {
        self.links.lock().unwrap_or_else(PoisonError::into_inner).push(link);
    }

    fn listen(&self, link: DrivenDiscovery, _: Vec<UdpSocket>) -> io::Result<()> {
        self.listening.lock().unwrap_or_else(PoisonError::into_inner).push(link);
        Ok(())
    }
}

/// Runs a service, a scan and a device without an address, with valid and damaged datagrams from right and wrong
/// addresses. The first byte tells whether relays are trusted.
///
/// # Panics
/// If a datagram is not counted, an announcement is accepted from the wrong source, a device gets an address that was
/// never announced, or a listener does not end with the service.
pub fn discovery(data: &[u8]) {
    let mut input = Input::new(data);
    let trusts = input.byte() & 1 == 1;
    let runtime = TaskRuntime::default();
    let builder = Discovery::builder().ports([0, 0, 0]).bind_address(Ipv4Addr::LOCALHOST).active(false);
    let service = builder.trust_relayed(trusts).start(&runtime).expect("free ports");
    let link = runtime.listening.lock().unwrap_or_else(PoisonError::into_inner).pop().expect("listens");
    let device =
        Device::builder(OURS, "0123456789abcdef").expect("an id and a key").discovery(&service).spawn(&runtime);
    let mut all = service.listener();
    let mut scans: Vec<Listener<DiscoveredDevice>> = vec![service.stream(Duration::from_secs(3600))];
    let (mut count, mut reported) = (0, 0);
    // Addresses that accepted announcements may have named for the device.
    let mut places = BTreeSet::new();
    for _ in 0..64 {
        if input.is_empty() {
            break;
        }
        let (op, choice) = (input.byte(), input.byte());
        let source = IpAddr::V4(Ipv4Addr::new(192, 0, 2, choice >> 4));
        let mut datagram = match op % 6 {
            0 => input.take(usize::from(choice)).to_vec(),
            1..=3 => announcement(op, choice, &mut input),
            4 => {
                let mut datagram = announcement(op >> 3, choice, &mut input);
                let at = input.short() % datagram.len().max(1);
                datagram[at] ^= 1 << (choice % 8);
                datagram
            }
            _ => {
                scans.truncate(3);
                scans.push(service.stream(Duration::from_secs(u64::from(choice))));
                continue;
            }
        };
        datagram.truncate(LARGEST_DATAGRAM);
        count += 1;
        link.receive(&mut datagram, SocketAddr::new(source, 6667));
        assert!(matches!(link.poll(Waker::noop()), DiscoveryAction::Sleep(_)), "the service has ended");
        let mut news = Vec::new();
        while let Some(found) = all.try_recv() {
            news.push(found);
        }
        assert!(news.len() <= 1, "{news:?} from one datagram");
        for found in news {
            reported += 1;
            assert!(DeviceId::new(&found.id).is_ok(), "{found:?}");
            assert!(trusts || found.relayed_by.is_none(), "a relayed announcement is accepted: {found:?}");
            assert_eq!(found.relayed_by.unwrap_or(IpAddr::V4(found.ip)), source, "{found:?}");
            assert!((1..224).contains(&found.ip.octets()[0]), "no host: {found:?}");
            if found.id == OURS && !found.unpaired {
                places.insert(IpAddr::V4(found.ip));
            }
        }
        assert!(
            device.address().is_none_or(|at| places.contains(&at)),
            "sought at {:?}, of {places:?}",
            device.address()
        );
    }
    let counts = service.counts();
    assert_eq!(counts.datagrams, count);
    assert!(counts.refused + reported <= count && counts.relayed <= count, "{counts:?}, {reported} reported");
    for relayed in service.relayed() {
        assert!(relayed.relayed_by.is_some_and(|by| by != IpAddr::V4(relayed.ip)), "{relayed:?}");
    }
    for scan in &mut scans {
        let mut seen = 0;
        while let Some(found) = scan.try_recv() {
            seen += 1;
            assert!(trusts || found.relayed_by.is_none(), "a relayed announcement is accepted: {found:?}");
        }
        assert!(seen <= count);
    }
    drop((device, runtime.links));
    drop(service);
    assert_eq!(link.poll(Waker::noop()), DiscoveryAction::End, "nobody listens any more, and it goes on");
    assert!(all.is_closed() && scans.iter().all(Listener::is_closed), "a listener outlives the service");
}

/// Makes the announcement of a device of some version: the program's or another one, with any address.
fn announcement(op: u8, choice: u8, input: &mut Input<'_>) -> Vec<u8> {
    let other;
    let id = match choice & 3 {
        0 | 1 => OURS,
        2 => "eb9876543210abcdefghij",
        _ => {
            other = String::from_utf8_lossy(input.take(usize::from(choice & 15))).into_owned();
            &other
        }
    };
    let host = if op & 0x40 == 0 { choice >> 4 } else { input.byte() };
    let net = if op & 0x20 == 0 { [192, 0, 2] } else { [input.byte(), 0, 2] };
    let ip = Ipv4Addr::new(net[0], net[1], net[2], host);
    let version = Version::ALL[usize::from(op / 6) % Version::ALL.len()];
    let mut said = Announcement::new(id, ip, version);
    said.active = Some(if op & 0x80 == 0 { 2 } else { 0 });
    said.beacon = choice & 12 == 12;
    said.product_key = (choice & 4 == 4).then_some("keyabcdefgh");
    let mut datagram = vec![0; 512];
    let len = said.write(&[choice; 12], &mut datagram).expect("there is room");
    datagram.truncate(len);
    datagram
}
