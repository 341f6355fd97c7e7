//! Bounds in bytes for what devices send and is kept.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

/// What is remembered of one device, if nothing else is configured: enough for a gateway with 200 sub-devices of
/// twenty DPs each. An ordinary device takes 1 to 4 KiB.
pub(crate) const DEVICE: usize = 256 * 1024;

/// What is remembered of all devices of a registry: a thousand ordinary devices, or thirty gateways as above.
pub(crate) const REGISTRY: usize = 8 << 20;

/// Events that wait for one listener of a device: some thousand pushes of ordinary size.
pub(crate) const BACKLOG: usize = 1 << 20;

/// Events that wait for one listener of a manager.
pub(crate) const MANAGER_BACKLOG: usize = 8 << 20;

/// The least that any of these can be set to.
pub(crate) const LEAST: usize = 1024;

/// A device has so much whatever others take: one that sends without end leaves the others of a registry what an
/// ordinary device needs.
const SURE: usize = 4096;

/// What an allocation takes beyond the bytes that were asked for.
const BLOCK: usize = 16;

/// The memory that an allocation of so many bytes takes, about.
pub(crate) const fn allocated(len: usize) -> usize {
    if len == 0 { 0 } else { len.saturating_add(BLOCK) }
}

/// What the devices of a registry take together, beyond what each of them has for sure.
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

/// What one device takes, and may take.
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

    /// One that shares nothing with others.
    pub(crate) const fn alone(limit: usize) -> Self {
        Self { used: 0, limit, common: None }
    }

    pub(crate) const fn limit(&self) -> usize {
        self.limit
    }

    pub(crate) const fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Whether more is taken than may be, after the limit was lowered.
    pub(crate) const fn is_exceeded(&self) -> bool {
        self.used > self.limit
    }

    /// Takes so many bytes if they are there.
    #[cfg(test)]
    pub(crate) fn take(&mut self, bytes: usize) -> bool {
        self.take_leaving(0, bytes)
    }

    /// Takes so many bytes if they are there, and as many as `rest` after that.
    pub(crate) fn take_leaving(&mut self, rest: usize, bytes: usize) -> bool {
        let used = self.used.saturating_add(bytes);
        let fits = used.saturating_add(rest) <= self.limit
            && self.common.as_ref().is_none_or(|common| common.take(beyond(used) - beyond(self.used)));
        if fits {
            self.used = used;
        }
        fits
    }

    /// Gives bytes back that were taken.
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

/// The part that counts for the registry.
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
