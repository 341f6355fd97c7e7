//! Equality of handles.

use core::hash::{Hash, Hasher};
use std::sync::{Arc, Weak};

use super::handle::{Device, Inner};

/// Handles of one connection are equal: clones, and those that managers and the registry return. Handles of two
/// connections are not, whatever their ids.
impl PartialEq for Device {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Device {}

impl Hash for Device {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

/// Device without a claim to keep it alive.
#[derive(Debug)]
pub(crate) struct WeakDevice(Weak<Inner>);

impl WeakDevice {
    pub(crate) fn new(device: &Device) -> Self {
        Self(Arc::downgrade(&device.0))
    }

    /// Returns a handle. Do not drop it under a lock: it may be the last one.
    pub(crate) fn upgrade(&self) -> Option<Device> {
        self.0.upgrade().map(Device)
    }

    /// Returns whether it is this one.
    pub(crate) fn is(&self, device: &Device) -> bool {
        self.0.as_ptr() == Arc::as_ptr(&device.0)
    }

    /// Returns whether all handles are dropped.
    pub(crate) fn is_dropped(&self) -> bool {
        self.0.strong_count() == 0
    }
}
