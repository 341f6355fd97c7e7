//! Devices and sub-devices as the entities see them.

use std::sync::Arc;

use pyo3::prelude::*;
use rustuya_entities::{ChangeTracker, Entity, EntityDevice, Schema};
use rustuya_runtime_tokio as rt;

use crate::closing::HandleFeed;
use crate::described::Described;
use crate::target::Target;

/// A handle of a device or sub-device.
pub(crate) trait Host: Send + Sync {
    /// Returns the target of commands.
    fn target(&self, py: Python<'_>) -> PyResult<Target>;

    fn described(&self) -> &Arc<Described>;

    /// Listens to the device, or to the gateway of the sub-device. Returns the device, too.
    fn feed(&self, py: Python<'_>) -> PyResult<(HandleFeed, rt::Device)>;
}

impl Target {
    /// Returns the DPs as last reported.
    pub(crate) fn state(&self) -> rt::State {
        match self {
            Self::Device(device) | Self::Closed(device) => device.state(),
            Self::Sub(sub) => sub.state(),
        }
    }

    /// Returns true if commands return as soon as they are queued.
    pub(crate) fn is_nowait(&self) -> bool {
        let config = self.device().config();
        config.clone().nowait(true) == config
    }

    /// Returns the id in descriptions, and the announced product.
    fn identity(&self) -> (&str, Option<Arc<str>>) {
        match self {
            Self::Device(device) | Self::Closed(device) => (device.id(), device.product_key()),
            Self::Sub(sub) => (sub.id(), None),
        }
    }

    /// Returns the entities by this description.
    pub(crate) fn entities(&self, described: &Described) -> Arc<[Entity]> {
        let (id, product_id) = self.identity();
        described.entities(id, product_id, &self.state()).1
    }

    /// Begins to compare states.
    pub(crate) fn tracker(&self, described: &Described) -> (Arc<[Entity]>, ChangeTracker) {
        let (id, product_id) = self.identity();
        let (schema, entities) = described.entities(id, product_id, &self.state());
        let (schema, list) = (Schema::clone(&schema), entities.to_vec());
        let tracker = match self {
            Self::Device(device) | Self::Closed(device) => {
                EntityDevice::with_entities(device.clone(), schema, list).tracker()
            }
            Self::Sub(sub) => EntityDevice::with_entities(sub.clone(), schema, list).tracker(),
        };
        (entities, tracker)
    }
}
