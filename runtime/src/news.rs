//! From one device to everybody who listens: at the device itself, and at the managers that hold it.

use core::task::Waker;
use std::sync::{Arc, Weak};
use std::time::Instant;

use crate::event::{Event, ManagerEvent};
use crate::listener::{Hub, Listener};

/// The listeners of one device.
#[derive(Debug)]
pub(crate) struct News {
    id: Arc<str>,
    hub: Hub<Event>,
    managers: Vec<Weak<Hub<ManagerEvent>>>,
    /// A listener's queue is nearly full.
    pressed: bool,
    /// Events that slow listeners lost.
    pub(crate) lost: u64,
}

impl News {
    pub(crate) const fn new(id: Arc<str>) -> Self {
        Self { id, hub: Hub::new(CAPACITY), managers: Vec::new(), pressed: false, lost: 0 }
    }

    pub(crate) fn listener(&self) -> Listener<Event> {
        self.hub.listener()
    }

    /// A manager's listeners hear of this device, too.
    pub(crate) fn attach(&mut self, hub: &Arc<Hub<ManagerEvent>>) {
        self.detach(hub);
        self.managers.push(Arc::downgrade(hub));
    }

    pub(crate) fn detach(&mut self, hub: &Arc<Hub<ManagerEvent>>) {
        self.managers.retain(|known| known.strong_count() > 0 && known.as_ptr() != Arc::as_ptr(hub));
    }

    /// Whether anybody listens; if not, there is no need to make an event.
    pub(crate) fn is_heard(&self) -> bool {
        self.hub.is_heard() || self.managers().any(|hub| hub.is_heard())
    }

    pub(crate) fn publish(&mut self, event: Event, wakes: &mut Vec<Waker>) {
        for hub in self.managers.iter().filter_map(Weak::upgrade) {
            let entry = ManagerEvent { device_id: Arc::clone(&self.id), event: event.clone() };
            let published = hub.publish(&entry, wakes);
            self.pressed |= published.pressed;
            self.lost += published.lost;
        }
        let published = self.hub.publish(&event, wakes);
        self.pressed |= published.pressed;
        self.lost += published.lost;
    }

    /// Until when to read no more, so that a listener that keeps reading is not overrun; `waker` is called when it
    /// has room sooner.
    pub(crate) fn pressed_until(&mut self, waker: &Waker) -> Option<Instant> {
        if !self.pressed {
            return None;
        }
        let now = Instant::now();
        let managers = self.managers().filter_map(|hub| hub.pressed_until(now, waker)).max();
        let until = self.hub.pressed_until(now, waker).max(managers);
        self.pressed = until.is_some();
        until
    }

    /// Ends the listeners of this device; those of managers go on.
    pub(crate) fn close(&mut self, wakes: &mut Vec<Waker>) {
        self.hub.close(wakes);
        self.managers.clear();
    }

    fn managers(&self) -> impl Iterator<Item = Arc<Hub<ManagerEvent>>> {
        self.managers.iter().filter_map(Weak::upgrade)
    }
}

/// Entries that wait for one slow listener at most.
const CAPACITY: usize = 1024;
