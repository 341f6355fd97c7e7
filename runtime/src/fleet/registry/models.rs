//! Models of managers that add and remove devices of one registry.

use std::io;
use std::net::UdpSocket;
use std::sync::OnceLock;
use std::time::Instant;

use loom::thread;
use rustuya_proto::Version;

use super::*;
use crate::discovery::DrivenDiscovery;
use crate::fleet::Manager;
use crate::io::sources::Sources;
use crate::link::DrivenLink;
use crate::sync::models::each_order;

const ID: &str = "bf0123456789abcdefgh";

/// A runtime that drives nothing.
#[derive(Default)]
struct Idle(std::sync::Mutex<Vec<DrivenLink>>);

impl Runtime for Idle {
    fn drive(&self, link: DrivenLink) {
        self.0.lock().expect("no panic").push(link);
    }

    fn listen(&self, _: DrivenDiscovery, _: Vec<UdpSocket>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Time that stands still, because each run of a model has to do the same.
    fn sources(&self) -> Option<Sources> {
        fn now() -> Instant {
            static NOW: OnceLock<Instant> = OnceLock::new();
            *NOW.get_or_init(Instant::now)
        }
        Some(Sources::SYSTEM.with_now(now))
    }
}

/// Two managers of one registry.
struct Pair {
    registry: Registry,
    one: Manager,
    two: Manager,
}

impl Pair {
    fn new() -> Self {
        let registry = Registry::builder(Idle::default()).without_discovery().build();
        let (one, two) = (Manager::new(&registry), Manager::new(&registry));
        Self { registry, one, two }
    }

    /// Makes a pair whose first manager holds the device. Returns also the device.
    fn holding() -> (Self, Device) {
        let pair = Self::new();
        let device = add(&pair.one);
        (pair, device)
    }

    /// Lets the second manager add the device, on a thread of its own.
    fn two_adds(&self) -> thread::JoinHandle<Device> {
        let two = self.two.clone();
        thread::spawn(move || add(&two))
    }

    /// Checks that managers and registry agree on who holds which device, and that no closed device is held.
    fn agree(&self) {
        let held: Vec<(Device, usize)> =
            self.registry.devices().held.values().map(|entry| (entry.device.clone(), entry.holders.len())).collect();
        let managers = [&self.one, &self.two];
        for device in managers.iter().flat_map(|manager| manager.devices()) {
            assert!(
                held.iter().any(|(known, _)| *known == device),
                "a manager holds a device, and the registry does not"
            );
        }
        for (device, holders) in &held {
            let holding = managers.iter().filter(|manager| manager.get(ID).as_ref() == Some(device)).count();
            assert_eq!(*holders, holding);
            assert!(!device.is_closed(), "a device that was ended is held");
        }
    }
}

fn add(manager: &Manager) -> Device {
    manager.add(ID, [127, 0, 0, 1], "0123456789abcdef", Version::V33).expect("is added")
}

#[test]
fn two_who_add_a_device_share_it() {
    each_order(2, || {
        let pair = Pair::new();
        let other = pair.two_adds();
        let mine = add(&pair.one);
        assert_eq!(other.join().expect("no panic"), mine);
        assert_eq!(pair.registry.len(), 1);
        pair.agree();
    });
}

#[test]
fn a_device_that_is_added_while_it_is_deleted_is_held_or_ended() {
    each_order(2, || {
        let (pair, first) = Pair::holding();
        let other = pair.two_adds();
        assert!(pair.one.delete(ID));
        let device = other.join().expect("no panic");
        assert!(first.is_closed());
        assert_eq!(device.is_closed(), device == first);
        assert_eq!(pair.two.get(ID).is_some(), device != first);
        pair.agree();
    });
}

#[test]
fn a_device_that_is_added_while_another_lets_go_of_it_stays() {
    each_order(2, || {
        let (pair, first) = Pair::holding();
        // The registry finds a device as long as a handle exists.
        drop(first);
        let other = pair.two_adds();
        assert!(pair.one.remove(ID));
        let device = other.join().expect("no panic");
        assert_eq!(pair.two.get(ID), Some(device));
        pair.agree();
    });
}

#[test]
fn a_device_that_is_added_while_all_end_is_held_or_ended() {
    each_order(2, || {
        let (pair, first) = Pair::holding();
        let other = pair.two_adds();
        let ended = pair.registry.end_all();
        let device = other.join().expect("no panic");
        assert!(first.is_closed());
        assert_eq!(ended.contains(&device), device.is_closed());
        assert_eq!(pair.two.get(ID).is_some(), !device.is_closed());
        pair.agree();
    });
}

#[test]
fn a_manager_that_adds_and_removes_a_device_agrees_with_its_registry() {
    each_order(2, || {
        let pair = Pair::new();
        let other = {
            let one = pair.one.clone();
            thread::spawn(move || one.remove(ID))
        };
        add(&pair.one);
        let removed = other.join().expect("no panic");
        assert_eq!(pair.one.get(ID).is_none(), removed);
        pair.agree();
    });
}
