//! Changes of entities.

use core::task::{Context, Poll, ready};
use std::collections::VecDeque;
use std::sync::Arc;

use pyo3::prelude::*;
use rustuya_entities::{Change, ChangeTracker, Entity, EntityState};
use rustuya_runtime_tokio::Event;

use crate::closing::HandleFeed;
use crate::entity::EntityHandle;
use crate::feed::Feed;
use crate::host::Host;
use crate::target::Target;
use crate::{lifecycle, states};

/// Changes of the entities of a device, until it or its handle is closed.
pub(crate) struct ChangeFeed {
    feed: HandleFeed,
    host: Arc<dyn Host>,
    target: Target,
    entities: Arc<[Entity]>,
    tracker: ChangeTracker,
    ready: VecDeque<Changed>,
    /// Number of lost events that no change has reported.
    lost: u64,
}

/// A change of one entity.
pub(crate) struct Changed {
    handle: EntityHandle,
    state: Box<EntityState>,
    is_push: bool,
    missed: u64,
}

impl ChangeFeed {
    /// Makes the feed of a device whose events `feed` has.
    pub(crate) fn new(py: Python<'_>, host: &Arc<dyn Host>, feed: HandleFeed) -> PyResult<Self> {
        let target = host.target(py)?;
        let (entities, tracker) = target.tracker(host.described());
        Ok(Self { feed, host: Arc::clone(host), target, entities, tracker, ready: VecDeque::new(), lost: 0 })
    }

    fn on_event(&mut self, event: Event) {
        if let Event::Lagged(lost) = event {
            self.lost = self.lost.saturating_add(lost);
        }
        let target = &self.target;
        for change in self.tracker.on_event(event, || target.state()) {
            let Change::Entity { at, state, is_push } = change else { continue };
            let handle = EntityHandle::new(&self.host, &self.entities, at);
            self.ready.push_back(Changed { handle, state, is_push, missed: core::mem::take(&mut self.lost) });
        }
    }
}

impl Feed for ChangeFeed {
    type Item = Changed;

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Changed>> {
        loop {
            if let Some(changed) = self.ready.pop_front() {
                return Poll::Ready(Some(changed));
            }
            match ready!(self.feed.poll_item(cx)) {
                Some(event) => self.on_event(event),
                None => return Poll::Ready(None),
            }
        }
    }

    fn missed(&self) -> u64 {
        self.feed.missed()
    }
}

/// Converts a change to a `rustuya.entities.Change`.
pub(crate) fn change(py: Python<'_>, changed: Changed) -> PyResult<Py<PyAny>> {
    let Changed { handle, state, is_push, missed } = changed;
    let is_secret = matches!(&*state, EntityState::Value(Some(reading)) if reading.is_sensitive);
    let state = states::state(py, &state)?;
    let make = states::class(py, "change")?;
    let _inside = lifecycle::enter(py);
    make.call1((handle, state, is_push, missed, is_secret)).map(Bound::unbind)
}
