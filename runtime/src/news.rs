//! From one device to everybody who listens: at the device itself, and at the managers that hold it.

use core::task::Waker;
use std::sync::{Arc, Weak};
use std::time::Instant;

use rustuya_proto::{Cid, CommandCode};

use crate::error::CommandError;
use crate::event::{Event, Failed, ManagerEvent};
use crate::listener::{Bounds, Hub, Listener, Pressure};
use crate::memory;

/// The listeners of one device.
#[derive(Debug)]
pub(crate) struct News {
    id: Arc<str>,
    hub: Hub<Event>,
    managers: Vec<(Weak<Hub<ManagerEvent>>, Pressure)>,
    /// Events that slow listeners lost.
    pub(crate) lost: u64,
    /// Events of this device since a listener is nearly overrun.
    pressing: u32,
}

impl News {
    pub(crate) fn new(id: Arc<str>, backlog: usize) -> Self {
        Self { id, hub: Hub::new(Bounds { bytes: backlog, ..BOUNDS }), managers: Vec::new(), lost: 0, pressing: 0 }
    }

    /// Sets how many bytes wait for each listener that is made from now on.
    pub(crate) const fn set_backlog(&mut self, bytes: usize) {
        self.hub.set_bounds(Bounds { bytes, ..BOUNDS });
    }

    pub(crate) fn listener(&self) -> Listener<Event> {
        self.hub.listener()
    }

    /// A manager's listeners hear of this device, too.
    pub(crate) fn attach(&mut self, hub: &Arc<Hub<ManagerEvent>>) {
        self.detach(hub);
        self.managers.push((Arc::downgrade(hub), hub.pressure().clone()));
    }

    pub(crate) fn detach(&mut self, hub: &Arc<Hub<ManagerEvent>>) {
        self.managers.retain(|(known, _)| known.strong_count() > 0 && known.as_ptr() != Arc::as_ptr(hub));
    }

    /// Whether anybody listens; if not, there is no need to make an event.
    pub(crate) fn is_heard(&self) -> bool {
        self.hub.is_heard() || self.managers().any(|hub| hub.is_heard())
    }

    pub(crate) fn publish(&mut self, event: Event, wakes: &mut Vec<Waker>) {
        self.pressing = if self.is_pressed() { self.pressing.saturating_add(1) } else { 0 };
        for hub in self.managers.iter().filter_map(|(hub, _)| hub.upgrade()) {
            let entry = ManagerEvent { device_id: Arc::clone(&self.id), event: event.clone() };
            self.lost += hub.publish(&entry, wakes);
        }
        self.lost += self.hub.publish(&event, wakes);
    }

    /// A command failed with nobody waiting for it.
    pub(crate) fn publish_failure(
        &mut self,
        command: CommandCode,
        cid: Option<&Cid>,
        error: CommandError,
        wakes: &mut Vec<Waker>,
    ) {
        let cid = cid.map(|cid| cid.as_str().to_owned());
        self.publish(Event::Failed(Failed { command, cid, error }.into()), wakes);
    }

    /// Whether a listener that keeps reading is nearly overrun.
    fn is_pressed(&self) -> bool {
        self.hub.pressure().is_felt() || self.managers.iter().any(|(_, pressure)| pressure.is_felt())
    }

    /// Whether a listener that keeps reading is nearly overrun, and this device goes on to tell much.
    pub(crate) fn presses(&self) -> bool {
        self.pressing > ALLOWED && self.is_pressed()
    }

    /// Until when to tell no more, so that a listener that keeps reading is not overrun; a waker of `alarm` is called
    /// when it has room sooner.
    pub(crate) fn pressed_until(&self, now: Instant, alarm: impl Fn() -> Waker) -> Option<Instant> {
        let managers = self.managers().filter_map(|hub| hub.pressed_until(now, &alarm)).max();
        self.hub.pressed_until(now, &alarm).max(managers)
    }

    /// Ends the listeners of this device; those of managers go on.
    pub(crate) fn close(&mut self, wakes: &mut Vec<Waker>) {
        self.hub.close(wakes);
        self.managers.clear();
    }

    fn managers(&self) -> impl Iterator<Item = Arc<Hub<ManagerEvent>>> {
        self.managers.iter().filter_map(|(hub, _)| hub.upgrade())
    }
}

/// What waits for one slow listener at most.
const BOUNDS: Bounds = Bounds { entries: 1024, most: 16_384, bytes: memory::BACKLOG };

/// Events that a device tells while a listener is nearly overrun before it waits: one that tells little never does.
const ALLOWED: u32 = 4;
