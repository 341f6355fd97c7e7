//! A bounded table of devices by id.

use core::net::IpAddr;
use std::collections::HashMap;
use std::sync::Arc;

/// Values by device id, [`MOST`] at most.
///
/// What is done takes the same time however many there are, whoever sends what. When the table is full, the host that
/// has announced the most ids gives one up for a host with fewer: a flood of made-up devices drives out itself, and
/// none that announces itself.
#[derive(Debug)]
pub(super) struct Table<V> {
    entries: HashMap<Arc<str>, V>,
    /// The ids that each host has announced first.
    hosts: HashMap<IpAddr, Vec<Arc<str>>>,
    /// The host with the most ids, or nearly.
    heaviest: Option<IpAddr>,
    /// Ids that found no room, or lost it.
    dropped: u64,
}

/// Devices that are remembered at most.
pub(super) const MOST: usize = 16_384;

impl<V> Table<V> {
    pub(super) fn new() -> Self {
        Self { entries: HashMap::new(), hosts: HashMap::new(), heaviest: None, dropped: 0 }
    }

    pub(super) fn get(&self, id: &str) -> Option<&V> {
        self.entries.get(id)
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut V> {
        self.entries.get_mut(id)
    }

    /// How many ids found no room, or lost it to others.
    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= MOST
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.values()
    }

    pub(super) fn into_values(self) -> impl Iterator<Item = V> {
        self.entries.into_values()
    }

    /// Enters a device that `host` has announced and that is not there yet. False when there is no room for it.
    pub(super) fn insert(&mut self, id: &str, host: IpAddr, value: V) -> bool {
        if self.is_full() && !self.make_room(host) {
            self.dropped = self.dropped.saturating_add(1);
            return false;
        }
        let id: Arc<str> = id.into();
        let own = self.hosts.entry(host).or_default();
        own.push(Arc::clone(&id));
        let count = own.len();
        if self.heaviest.is_none_or(|heaviest| self.count(heaviest) < count) {
            self.heaviest = Some(host);
        }
        self.entries.insert(id, value);
        true
    }

    /// Has the host with the most ids give one up, unless `host` has as many.
    fn make_room(&mut self, host: IpAddr) -> bool {
        let Some(heaviest) = self.heaviest.filter(|heaviest| self.count(*heaviest) > self.count(host) + 1) else {
            return false;
        };
        let Some(id) = self.hosts.get_mut(&heaviest).and_then(Vec::pop) else { return false };
        self.entries.remove(&id);
        self.dropped = self.dropped.saturating_add(1);
        true
    }

    fn count(&self, host: IpAddr) -> usize {
        self.hosts.get(&host).map_or(0, Vec::len)
    }

    /// Forgets what is not to be kept.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&V) -> bool) {
        self.entries.retain(|_, value| keep(value));
        let entries = &self.entries;
        self.hosts.retain(|_, ids| {
            ids.retain(|id| entries.contains_key(id));
            !ids.is_empty()
        });
        self.heaviest = self.hosts.iter().max_by_key(|(_, ids)| ids.len()).map(|(host, _)| *host);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    fn host(n: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, n).into()
    }

    #[test]
    fn a_full_table_takes_from_the_host_with_the_most() {
        let mut table = Table::new();
        for n in 0..MOST {
            assert!(table.insert(&format!("forged{n}"), host(66), n));
        }
        assert!(table.is_full() && table.dropped() == 0);
        assert!(!table.insert("forged", host(66), 0), "its own have no room left");
        for n in 100..250 {
            assert!(table.insert(&format!("real{n}"), host(n), 0));
        }
        for n in 0..200_000 {
            table.insert(&format!("more{n}"), host(66), 0);
        }
        assert!((100..250).all(|n| table.get(&format!("real{n}")).is_some()), "and nobody else loses any");
        assert_eq!(table.values().count(), MOST);
        assert_eq!(table.dropped(), 1 + 150 + 200_000);
    }

    #[test]
    fn what_was_forgotten_leaves_room() {
        let mut table = Table::new();
        for n in 0..MOST {
            table.insert(&format!("id{n}"), host(1), n);
        }
        table.retain(|n| *n % 2 == 0);
        assert!(!table.is_full() && table.get("id1").is_none());
        assert!(table.insert("id1", host(1), 1));
        table.retain(|_| false);
        assert!(table.hosts.is_empty() && table.heaviest.is_none());
        assert!(table.insert("id", host(1), 1));
        if let Some(n) = table.get_mut("id") {
            *n += 1;
        }
        assert_eq!(table.into_values().collect::<Vec<_>>(), [2]);
    }
}
