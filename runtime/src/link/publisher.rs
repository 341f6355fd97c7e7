//! Publishes the events of one device to its own listeners and to those of the managers that hold it.

use core::task::Waker;
use std::sync::{Arc, Weak};
use std::time::Instant;

use rustuya_proto::{Cid, CommandCode};

use crate::report::error::CommandError;
use crate::report::event::{Event, Failed, ManagerEvent};
use crate::report::listener::{Backpressure, Bounds, Hub, Listener};
use crate::report::memory;

/// Listeners of one device.
#[derive(Debug)]
pub(crate) struct Publisher {
    id: Arc<str>,
    hub: Hub<Event>,
    managers: Vec<(Weak<Hub<ManagerEvent>>, Backpressure)>,
    /// Events dropped because listeners were slow.
    pub(crate) lost: u64,
    /// Events of this device since a listener is nearly full.
    events_under_pressure: u32,
}

impl Publisher {
    pub(crate) fn new(id: Arc<str>, backlog: usize) -> Self {
        Self {
            id,
            hub: Hub::new(Bounds { bytes: backlog, ..BOUNDS }),
            managers: Vec::new(),
            lost: 0,
            events_under_pressure: 0,
        }
    }

    /// Sets the queue limit of listeners made from now on, in bytes.
    pub(crate) const fn set_backlog(&mut self, bytes: usize) {
        self.hub.set_bounds(Bounds { bytes, ..BOUNDS });
    }

    pub(crate) fn listener(&self) -> Listener<Event> {
        self.hub.listener()
    }

    /// Publishes events of this device to the listeners of a manager, too.
    pub(crate) fn attach(&mut self, hub: &Arc<Hub<ManagerEvent>>) {
        self.detach(hub);
        self.managers.push((Arc::downgrade(hub), hub.backpressure().clone()));
    }

    pub(crate) fn detach(&mut self, hub: &Arc<Hub<ManagerEvent>>) {
        self.managers.retain(|(known, _)| known.strong_count() > 0 && known.as_ptr() != Arc::as_ptr(hub));
    }

    /// Returns whether there is any listener; without one, no event needs to be made.
    pub(crate) fn has_listeners(&self) -> bool {
        self.hub.has_listeners() || self.managers().any(|hub| hub.has_listeners())
    }

    pub(crate) fn publish(&mut self, event: Event, wakes: &mut Vec<Waker>) {
        self.events_under_pressure =
            if self.has_backpressure() { self.events_under_pressure.saturating_add(1) } else { 0 };
        for hub in self.managers.iter().filter_map(|(hub, _)| hub.upgrade()) {
            let entry = ManagerEvent { device_id: Arc::clone(&self.id), event: event.clone() };
            self.lost += hub.publish(&entry, wakes);
        }
        self.lost += self.hub.publish(&event, wakes);
    }

    /// Publishes a failure that no caller waits for.
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

    /// Returns whether the queue of a listener that keeps reading is nearly full.
    fn has_backpressure(&self) -> bool {
        self.hub.backpressure().is_active() || self.managers.iter().any(|(_, backpressure)| backpressure.is_active())
    }

    /// Returns whether the queue of a listener that keeps reading is nearly full and this device sends much.
    pub(crate) fn must_pause(&self) -> bool {
        self.events_under_pressure > ALLOWED && self.has_backpressure()
    }

    /// Returns the time until which to publish nothing, so that a listener that keeps reading loses nothing. A waker of
    /// `alarm` is called if it has room sooner.
    pub(crate) fn paused_until(&self, now: Instant, alarm: impl Fn() -> Waker) -> Option<Instant> {
        let managers = self.managers().filter_map(|hub| hub.paused_until(now, &alarm)).max();
        self.hub.paused_until(now, &alarm).max(managers)
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

/// Queue limits of one slow listener.
const BOUNDS: Bounds = Bounds { entries: 1024, most: 16_384, bytes: memory::BACKLOG };

/// Events that a device may publish while a listener is nearly full before it pauses: a device that sends little never
/// does.
const ALLOWED: u32 = 4;
