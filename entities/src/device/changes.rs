//! Changes of entities, from the events of a device.

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use futures_core::Stream;
use rustuya_proto::CommandCode;
use rustuya_runtime::{Device, Event, Listener, Message, State, SubDevice};

use super::{EntityDevice, Handle};
use crate::entity::{Entity, EntityKind, StateClass};
use crate::kinds::EntityState;
use crate::value::Data;

/// A change of an entity, or another event of its device.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// An entity has another state now, or has reported an event or an increment.
    Entity {
        /// Position of the entity in [`EntityDevice::entities`].
        at: usize,
        /// Its state now.
        state: Box<EntityState>,
        /// The device reported it by itself, as opposed to an answer to a query, which repeats what was reported before.
        /// Sums of increments add pushes only.
        is_push: bool,
    },
    /// An event of the device that has no DPs of this device: it is up or down, events were lost, a command failed. After
    /// [`Event::Lagged`] come the changes that the lost events left behind.
    Event(Event),
}

/// Compares the states of entities, event by event. Holds no connection: feed it with the events of a device.
#[derive(Debug)]
pub struct ChangeTracker {
    entities: Arc<[Entity]>,
    cid: Option<Box<str>>,
    last: Vec<EntityState>,
}

impl ChangeTracker {
    pub(super) fn new(entities: Arc<[Entity]>, cid: Option<&str>, state: &State) -> Self {
        let last = entities.iter().map(|entity| entity.state(state)).collect();
        Self { entities, cid: cid.map(Into::into), last }
    }

    /// Returns the changes that an event makes. `state` is called for the DPs of the device as they are after it.
    pub fn on_event(&mut self, event: Event, state: impl FnOnce() -> State) -> Vec<Change> {
        match event {
            Event::Message(message) if message.has_dps() => {
                if message.cid() != self.cid.as_deref() {
                    return Vec::new();
                }
                self.on_message(&message, &state())
            }
            Event::Lagged(_) => {
                let mut changes = vec![Change::Event(event)];
                let state = state();
                changes.extend((0..self.entities.len()).filter_map(|at| self.compared(at, &state, false)));
                changes
            }
            Event::SubDevice { ref cid, .. } if self.cid.as_ref().is_some_and(|own| **own != **cid) => Vec::new(),
            event => vec![Change::Event(event)],
        }
    }

    fn on_message(&mut self, message: &Message, state: &State) -> Vec<Change> {
        let Some(dps) = message.typed_dps() else { return Vec::new() };
        // Each look into the message would read all of it.
        let dps: Vec<_> = dps.collect();
        let mut reported = BTreeSet::new();
        // The last value of a repeated DP counts.
        for (dp, value) in &dps {
            if Data::from_dp(value).is_some() {
                reported.insert(dp.0)
            } else {
                reported.remove(&dp.0)
            };
        }
        let is_push = message.command() == CommandCode::STATUS;
        let mut changes = Vec::new();
        let entities = Arc::clone(&self.entities);
        for (at, entity) in entities.iter().enumerate() {
            let mut inputs = entity.channels.iter().flat_map(|(_, channel)| channel.inputs());
            if !inputs.any(|dp| reported.contains(dp)) {
                continue;
            }
            let is_event = entity.kind == EntityKind::Event;
            // The same click, or the same increment, means another one each time.
            if is_event || entity.state_class == Some(StateClass::Increment) {
                // An answer to a query repeats events that are over.
                if is_push || !is_event {
                    let now = entity.state(&dps);
                    if let Some(last) = self.last.get_mut(at) {
                        last.clone_from(&now);
                    }
                    changes.push(Change::Entity { at, state: now.into(), is_push });
                }
            } else {
                changes.extend(self.compared(at, state, is_push));
            }
        }
        changes
    }

    fn compared(&mut self, at: usize, state: &State, is_push: bool) -> Option<Change> {
        let entity = self.entities.get(at)?;
        if entity.kind == EntityKind::Event {
            return None;
        }
        let now = entity.state(state);
        let last = self.last.get_mut(at)?;
        if *last == now {
            return None;
        }
        last.clone_from(&now);
        Some(Change::Entity { at, state: now.into(), is_push })
    }
}

/// Changes of the entities of a device, from the moment it was made. A [`Stream`]; ends after the last event of the
/// device.
#[derive(Debug)]
pub struct Changes<H> {
    device: EntityDevice<H>,
    events: Listener,
    tracker: ChangeTracker,
    ready: VecDeque<Change>,
}

impl EntityDevice<Device> {
    /// Begins to report changes.
    pub fn changes(&self) -> Changes<Device> {
        Changes::new(self, self.handle.listener())
    }
}

impl EntityDevice<SubDevice> {
    /// Begins to report changes.
    pub fn changes(&self) -> Changes<SubDevice> {
        Changes::new(self, self.handle.gateway().listener())
    }
}

impl<H: Handle> Changes<H> {
    fn new(device: &EntityDevice<H>, events: Listener) -> Self {
        Self { tracker: device.tracker(), device: device.clone(), events, ready: VecDeque::new() }
    }

    /// Returns the next change; `None` after the last.
    ///
    /// # Cancel safety
    /// Safe: a change is taken only when the future completes.
    pub async fn recv(&mut self) -> Option<Change> {
        core::future::poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// Polls [`recv`](Self::recv).
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Change>> {
        loop {
            if let Some(change) = self.ready.pop_front() {
                return Poll::Ready(Some(change));
            }
            let Some(event) = ready!(self.events.poll_recv(cx)) else { return Poll::Ready(None) };
            self.ready.extend(self.tracker.on_event(event, || self.device.handle.state()));
        }
    }
}

impl<H: Handle + Unpin> Stream for Changes<H> {
    type Item = Change;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Change>> {
        self.get_mut().poll_recv(cx)
    }
}
