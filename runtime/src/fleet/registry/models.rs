//! Models of managers that add and remove devices of one registry.

use std::io;
use std::net::UdpSocket;
use std::sync::OnceLock;
use std::time::Instant;

use loom::thread;

use super::*;
use crate::discovery::DrivenDiscovery;
use crate::io::sources::Sources;
use crate::link::DrivenLink;
use crate::sync::models::each_order;
use crate::{Manager, Version};

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
fn managers() -> (Registry, Manager, Manager) {
    let registry = Registry::builder(Idle::default()).without_discovery().build();
    let (one, two) = (Manager::new(&registry), Manager::new(&registry));
    (registry, one, two)
}

fn add(manager: &Manager) -> Result<Device, AddError> {
    manager.add(ID, [127, 0, 0, 1], "0123456789abcdef", Version::V33)
}

/// Checks that managers and registry agree on who holds which device, and that no closed device is held.
fn agree(registry: &Registry, managers: [&Manager; 2]) {
    let held: Vec<(Device, usize)> =
        registry.devices().held.values().map(|entry| (entry.device.clone(), entry.holders.len())).collect();
    for manager in managers {
        for device in manager.devices() {
            assert!(
                held.iter().any(|(known, _)| *known == device),
                "a manager holds a device, and the registry does not"
            );
        }
    }
    for (device, holders) in &held {
        let holding = managers.iter().filter(|manager| manager.get(ID).as_ref() == Some(device)).count();
        assert_eq!(*holders, holding);
        assert!(!device.is_closed(), "a device that was ended is held");
    }
}

#[test]
fn two_who_add_a_device_share_it() {
    each_order(2, || {
        let (registry, one, two) = managers();
        let other = {
            let two = two.clone();
            thread::spawn(move || add(&two))
        };
        let mine = add(&one).expect("is added");
        assert_eq!(other.join().expect("no panic").expect("is added"), mine);
        assert_eq!(registry.len(), 1);
        agree(&registry, [&one, &two]);
    });
}

#[test]
fn a_device_that_is_added_while_it_is_deleted_is_held_or_ended() {
    each_order(2, || {
        let (registry, one, two) = managers();
        let first = add(&one).expect("is added");
        let other = {
            let two = two.clone();
            thread::spawn(move || add(&two))
        };
        assert!(one.delete(ID));
        let device = other.join().expect("no panic").expect("is added");
        assert!(first.is_closed());
        assert_eq!(device.is_closed(), device == first);
        assert_eq!(two.get(ID).is_some(), device != first);
        agree(&registry, [&one, &two]);
    });
}

#[test]
fn a_device_that_is_added_while_another_lets_go_of_it_stays() {
    each_order(2, || {
        let (registry, one, two) = managers();
        add(&one).expect("is added");
        let other = {
            let two = two.clone();
            thread::spawn(move || add(&two))
        };
        assert!(one.remove(ID));
        let device = other.join().expect("no panic").expect("is added");
        assert_eq!(two.get(ID), Some(device));
        agree(&registry, [&one, &two]);
    });
}

#[test]
fn a_device_that_is_added_while_all_end_is_held_or_ended() {
    each_order(2, || {
        let (registry, one, two) = managers();
        let first = add(&one).expect("is added");
        let other = {
            let two = two.clone();
            thread::spawn(move || add(&two))
        };
        let ended = registry.end_all();
        let device = other.join().expect("no panic").expect("is added");
        assert!(first.is_closed());
        assert_eq!(ended.contains(&device), device.is_closed());
        assert_eq!(two.get(ID).is_some(), !device.is_closed());
        agree(&registry, [&one, &two]);
    });
}

#[test]
fn a_manager_that_adds_and_removes_a_device_agrees_with_its_registry() {
    each_order(2, || {
        let (registry, one, two) = managers();
        let other = {
            let one = one.clone();
            thread::spawn(move || one.remove(ID))
        };
        add(&one).expect("is added");
        let removed = other.join().expect("no panic");
        assert_eq!(one.get(ID).is_none(), removed);
        agree(&registry, [&one, &two]);
    });
}
