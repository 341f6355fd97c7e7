//! Which handles are the same device.

use core::hash::{Hash, Hasher};
use std::sync::{Arc, Weak};

use super::{Device, Handle};

/// Handles of one connection are equal: clones, and what managers and the registry give. Two connections are not, whatever
/// their ids.
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

/// A device that lives as long as others hold it.
#[derive(Debug)]
pub(crate) struct WeakDevice(Weak<Handle>);

impl WeakDevice {
    pub(crate) fn new(device: &Device) -> Self {
        Self(Arc::downgrade(&device.0))
    }

    /// A handle. Not to be dropped under a lock: it may be the last one.
    pub(crate) fn upgrade(&self) -> Option<Device> {
        self.0.upgrade().map(Device)
    }

    /// Whether it is this one.
    pub(crate) fn is(&self, device: &Device) -> bool {
        self.0.as_ptr() == Arc::as_ptr(&device.0)
    }

    /// Whether nobody holds it any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.0.strong_count() == 0
    }
}
