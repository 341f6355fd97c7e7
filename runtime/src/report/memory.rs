//! Memory limits for data that devices send.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

/// Default memory limit of one device's state: enough for a gateway with 200 sub-devices of twenty DPs each. An
/// ordinary device takes 1 to 4 KiB.
pub(crate) const DEVICE: usize = 256 * 1024;

/// Default memory limit of all devices of a registry: a thousand ordinary devices, or thirty gateways as above.
pub(crate) const REGISTRY: usize = 8 << 20;

/// Default limit of the events queued for one listener of a device: some thousand pushes of ordinary size.
pub(crate) const BACKLOG: usize = 1 << 20;

/// Default limit of the events queued for one listener of a manager.
pub(crate) const MANAGER_BACKLOG: usize = 8 << 20;

/// Smallest value of these limits.
pub(crate) const LEAST: usize = 1024;

/// Memory that each device has whatever others take: one that sends without end leaves the others of a registry what an
/// ordinary device needs.
const SURE: usize = 4096;

/// Overhead of an allocation.
const BLOCK: usize = 16;

/// Returns the memory of an allocation of `len` bytes, approximately.
pub(crate) const fn allocated(len: usize) -> usize {
    if len == 0 { 0 } else { len.saturating_add(BLOCK) }
}

/// Memory that the devices of a registry share, beyond the part reserved for each.
#[derive(Debug)]
pub(crate) struct Common {
    used: AtomicUsize,
    limit: usize,
}

impl Common {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { used: AtomicUsize::new(0), limit })
    }

    fn take(&self, bytes: usize) -> bool {
        let more = |used: usize| used.checked_add(bytes).filter(|used| *used <= self.limit);
        bytes == 0 || self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    fn give(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

/// Memory of one device: used, and limit.
#[derive(Debug)]
pub(crate) struct Budget {
    used: usize,
    limit: usize,
    common: Option<Arc<Common>>,
}

impl Budget {
    pub(crate) const fn new(limit: usize, common: Arc<Common>) -> Self {
        Self { used: 0, limit, common: Some(common) }
    }

    /// Makes a budget that shares nothing with others.
    pub(crate) const fn alone(limit: usize) -> Self {
        Self { used: 0, limit, common: None }
    }

    pub(crate) const fn limit(&self) -> usize {
        self.limit
    }

    pub(crate) const fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Returns whether more is used than allowed, after the limit was lowered.
    pub(crate) const fn is_exceeded(&self) -> bool {
        self.used > self.limit
    }

    /// Takes bytes if they are available.
    #[cfg(test)]
    pub(crate) fn take(&mut self, bytes: usize) -> bool {
        self.take_leaving(0, bytes)
    }

    /// Takes bytes if they are available and `rest` bytes remain.
    pub(crate) fn take_leaving(&mut self, rest: usize, bytes: usize) -> bool {
        let used = self.used.saturating_add(bytes);
        let fits = used.saturating_add(rest) <= self.limit
            && self.common.as_ref().is_none_or(|common| common.take(beyond(used) - beyond(self.used)));
        if fits {
            self.used = used;
        }
        fits
    }

    /// Returns bytes.
    pub(crate) fn give(&mut self, bytes: usize) {
        let used = self.used.saturating_sub(bytes);
        if let Some(common) = &self.common {
            common.give(beyond(self.used) - beyond(used));
        }
        self.used = used;
    }

    #[cfg(test)]
    pub(crate) const fn used(&self) -> usize {
        self.used
    }
}

impl Drop for Budget {
    fn drop(&mut self) {
        self.give(self.used);
    }
}

/// Returns the part that counts for the registry.
const fn beyond(used: usize) -> usize {
    used.saturating_sub(SURE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_share_what_goes_beyond_the_sure_part_of_each() {
        let common = Common::new(10_000);
        let mut greedy = Budget::new(DEVICE, Arc::clone(&common));
        assert!(greedy.take(SURE + 10_000) && !greedy.take(1));
        let mut modest = Budget::new(DEVICE, Arc::clone(&common));
        assert!(modest.take(SURE), "whatever others take");
        assert!(!modest.take(1));
        greedy.give(2_000);
        assert!(modest.take(1_000) && modest.take_leaving(DEVICE / 2, 1_000) && !modest.take(1));
        assert_eq!((common.used(), greedy.used()), (10_000, SURE + 8_000));
        drop(greedy);
        assert_eq!(common.used(), 2_000);
        drop(modest);
        assert_eq!(common.used(), 0, "all is given back");
    }

    #[test]
    fn nothing_is_taken_that_does_not_fit() {
        let mut budget = Budget::alone(100);
        assert!(!budget.take(101) && !budget.take_leaving(1, 100) && !budget.take(usize::MAX));
        assert!(budget.take(100) && !budget.is_exceeded());
        budget.set_limit(99);
        assert!(budget.is_exceeded());
    }
}
