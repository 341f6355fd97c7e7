//! Bounded, expiring table of the devices that announced themselves.

use core::net::Ipv4Addr;
use core::time::Duration;

use super::announcement::{Announcement, MAX_TEXT};
use crate::ids::DeviceId;
use crate::time::Instant;
use crate::version::Version;

/// A device as it last announced itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SeenDevice {
    /// Device id.
    pub id: DeviceId,
    /// Address.
    pub ip: Ipv4Addr,
    /// Protocol version; `None` when it is one that this crate does not know.
    pub version: Option<Version>,
    /// Time of its last announcement.
    pub last_seen: Instant,
    product_key: heapless::String<MAX_TEXT, u8>,
    /// Number of the scan in which it was last reported.
    scan: u32,
}

impl SeenDevice {
    /// Returns the product id, if the device has announced one.
    pub fn product_key(&self) -> Option<&str> {
        (!self.product_key.is_empty()).then_some(self.product_key.as_str())
    }
}

/// Kind of change that an announcement brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "new, changed or neither: there is no fourth")]
pub enum SightingKind {
    /// First announcement: ever, since the entry expired, or in the current scan.
    New,
    /// Known before, with another address, version or product key.
    Changed,
    /// Known before, nothing changed: a good moment to reconnect.
    SeenAgain,
}

pub(super) struct Cache<const N: usize> {
    entries: heapless::Vec<SeenDevice, N>,
}

impl<const N: usize> Cache<N> {
    pub(super) const fn new() -> Self {
        Self { entries: heapless::Vec::new() }
    }

    /// Enters an announcement from `ip`; returns `None` for an invalid id. A full table drops the device that was
    /// silent for the longest time.
    pub(super) fn note(
        &mut self,
        seen: &Announcement<'_>,
        ip: Ipv4Addr,
        scan: u32,
        now: Instant,
        ttl: Duration,
    ) -> Option<SightingKind> {
        if let Some(entry) = self.entries.iter_mut().find(|e| e.id.as_str() == seen.id) {
            let fresh = is_fresh(entry, now, ttl) && entry.scan == scan;
            let other_product = seen.product_key.is_some_and(|key| key != entry.product_key.as_str());
            let changed = entry.ip != ip || entry.version != seen.version || other_product;
            entry.ip = ip;
            entry.version = seen.version;
            entry.last_seen = now;
            entry.scan = scan;
            // An announcement without the key does not remove it: firmware leaves it out on one port only.
            if let Some(key) = seen.product_key.filter(|_| other_product) {
                entry.product_key = heapless::String::try_from(key).unwrap_or_default();
            }
            return Some(match (fresh, changed) {
                (false, _) => SightingKind::New,
                (true, true) => SightingKind::Changed,
                (true, false) => SightingKind::SeenAgain,
            });
        }
        let product_key = seen.product_key.unwrap_or_default();
        let entry = SeenDevice {
            id: DeviceId::new(seen.id).ok()?,
            ip,
            version: seen.version,
            last_seen: now,
            product_key: heapless::String::try_from(product_key).unwrap_or_default(),
            scan,
        };
        if let Err(entry) = self.entries.push(entry)
            && let Some(oldest) = self.entries.iter_mut().min_by_key(|e| e.last_seen)
        {
            *oldest = entry;
        }
        Some(SightingKind::New)
    }

    pub(super) fn iter(&self, now: Instant, ttl: Duration) -> impl Iterator<Item = &SeenDevice> {
        self.entries.iter().filter(move |entry| is_fresh(entry, now, ttl))
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }
}

fn is_fresh(entry: &SeenDevice, now: Instant, ttl: Duration) -> bool {
    now.saturating_since(entry.last_seen) < ttl
}
