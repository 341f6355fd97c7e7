//! Bounded table of devices by id.

use core::net::IpAddr;
use std::collections::HashMap;
use std::sync::Arc;

/// Values by device id, [`MOST`] at most, and beyond that those that are [pinned](Self::pin).
///
/// Every operation takes constant time, whoever sends what. When the table is full, the host that has announced the
/// most ids loses one to a host with fewer: a flood of made-up devices evicts itself, and no device that announces
/// itself. Among hosts with equally many ids, as with forged senders, an id that was seen only once is evicted.
/// Outdated entries are evicted first, pinned ones never.
#[derive(Debug)]
pub(super) struct Table<V> {
    places: HashMap<Arc<str>, usize>,
    slots: Vec<Slot<V>>,
    hosts: HashMap<IpAddr, Host>,
    /// Host with the most ids, approximately.
    heaviest: Option<IpAddr>,
    /// Slot to be inspected next.
    hand: usize,
    /// Ids that found no room, or lost it.
    dropped: u64,
    /// Slots inspected to make room.
    #[cfg(test)]
    inspected: u64,
}

#[derive(Debug)]
struct Slot<V> {
    id: Arc<str>,
    value: V,
    /// Host that has announced it first.
    host: IpAddr,
    /// Index in the list of that host.
    at: usize,
    /// Seen again since it was last inspected.
    seen_again: bool,
    /// Never evicted.
    pinned: bool,
}

/// Slots of the ids that a host has announced first.
#[derive(Debug, Default)]
struct Host {
    slots: Vec<usize>,
    /// Index to be inspected next.
    hand: usize,
}

/// Limit of entries that are not pinned.
pub(super) const MOST: usize = 16_384;

/// Limit of slots inspected for one new id.
const MAX_INSPECTED: usize = 4;

impl<V> Table<V> {
    pub(super) fn new() -> Self {
        Self {
            places: HashMap::new(),
            slots: Vec::new(),
            hosts: HashMap::new(),
            heaviest: None,
            hand: 0,
            dropped: 0,
            #[cfg(test)]
            inspected: 0,
        }
    }

    pub(super) fn get(&self, id: &str) -> Option<&V> {
        self.places.get(id).and_then(|place| self.slots.get(*place)).map(|slot| &slot.value)
    }

    /// Returns the value of a device that was seen again, and marks it so.
    pub(super) fn touch(&mut self, id: &str) -> Option<&mut V> {
        let slot = self.places.get(id).and_then(|place| self.slots.get_mut(*place))?;
        slot.seen_again = true;
        Some(&mut slot.value)
    }

    /// Sets whether an id is pinned.
    pub(super) fn pin(&mut self, id: &str, pinned: bool) {
        if let Some(slot) = self.places.get(id).and_then(|place| self.slots.get_mut(*place)) {
            slot.pinned = pinned;
        }
    }

    /// Returns how many ids found no room, or lost it.
    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.slots.iter().map(|slot| &slot.value)
    }

    pub(super) fn into_values(self) -> impl Iterator<Item = V> {
        self.slots.into_iter().map(|slot| slot.value)
    }

    /// Inserts a device that `host` has announced and that is not there yet. `is_old` tells whether a value is
    /// outdated. Returns false if there is no room.
    pub(super) fn insert(
        &mut self,
        id: &str,
        host: IpAddr,
        value: V,
        pinned: bool,
        is_old: impl Fn(&V) -> bool,
    ) -> bool {
        let free = if self.slots.len() < MOST { None } else { self.victim(host, is_old) };
        if free.is_none() && self.slots.len() >= MOST && !pinned {
            self.dropped = self.dropped.saturating_add(1);
            return false;
        }
        if let Some(place) = free {
            self.unlink(place);
        }
        let place = free.unwrap_or(self.slots.len());
        let id: Arc<str> = id.into();
        let own = self.hosts.entry(host).or_default();
        let slot = Slot { id: Arc::clone(&id), value, host, at: own.slots.len(), seen_again: false, pinned };
        own.slots.push(place);
        let count = own.slots.len();
        if self.heaviest.is_none_or(|heaviest| self.count(heaviest) < count) {
            self.heaviest = Some(host);
        }
        match self.slots.get_mut(place) {
            Some(old) => *old = slot,
            None => self.slots.push(slot),
        }
        self.places.insert(id, place);
        true
    }

    /// Returns the slot to evict for a new id of `host`.
    fn victim(&mut self, host: IpAddr, is_old: impl Fn(&V) -> bool) -> Option<usize> {
        let own = self.count(host);
        let greedy = self.heaviest.filter(|heaviest| self.count(*heaviest) > own + 1);
        // A host with several ids replaces its own, not those of others.
        let from = greedy.or_else(|| (own > 1).then_some(host));
        for _ in 0..MAX_INSPECTED {
            #[cfg(test)]
            {
                self.inspected += 1;
            }
            let Self { slots, hosts, hand, .. } = self;
            // Outdated entries go first, whichever host announced them.
            let next = *hand % slots.len().max(1);
            *hand = next + 1;
            let slot = slots.get_mut(next)?;
            if !slot.pinned && (is_old(&slot.value) || (from.is_none() && !slot.seen_again)) {
                return Some(next);
            }
            if from.is_none() {
                slot.seen_again = false;
                continue;
            }
            let Some(list) = from.and_then(|from| hosts.get_mut(&from)) else { continue };
            let turn = list.hand % list.slots.len().max(1);
            list.hand = turn + 1;
            let Some(place) = list.slots.get(turn).copied() else { continue };
            let Some(slot) = slots.get_mut(place).filter(|slot| !slot.pinned) else { continue };
            // A host with too many loses one even if it was seen again.
            if greedy.is_some() || !core::mem::take(&mut slot.seen_again) {
                return Some(place);
            }
        }
        None
    }

    /// Removes all references to the id in a slot.
    fn unlink(&mut self, place: usize) {
        let Some(Slot { id, host, at, .. }) = self.slots.get(place) else { return };
        let (host, at) = (*host, *at);
        self.places.remove(id);
        self.dropped = self.dropped.saturating_add(1);
        let Some(list) = self.hosts.get_mut(&host) else { return };
        if at < list.slots.len() {
            list.slots.swap_remove(at);
        }
        if let Some(moved) = list.slots.get(at).and_then(|moved| self.slots.get_mut(*moved)) {
            moved.at = at;
        }
        if list.slots.is_empty() {
            self.hosts.remove(&host);
        }
    }

    fn count(&self, host: IpAddr) -> usize {
        self.hosts.get(&host).map_or(0, |host| host.slots.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    fn host(n: u32) -> IpAddr {
        Ipv4Addr::from(0x0a00_0000 + n).into()
    }

    impl<V> Table<V> {
        fn add(&mut self, id: &str, host: IpAddr, value: V) -> bool {
            self.insert(id, host, value, false, |_| false)
        }

        fn check(&self) {
            assert_eq!(self.places.len(), self.slots.len());
            assert_eq!(self.hosts.values().map(|host| host.slots.len()).sum::<usize>(), self.slots.len());
            for (place, slot) in self.slots.iter().enumerate() {
                assert_eq!(self.places.get(&slot.id), Some(&place));
                assert_eq!(self.hosts[&slot.host].slots[slot.at], place);
            }
        }
    }

    #[test]
    fn a_full_table_takes_from_the_host_with_the_most() {
        let mut table = Table::new();
        for n in 0..MOST {
            assert!(table.add(&format!("forged{n}"), host(66), n));
        }
        assert!(table.dropped() == 0);
        for n in 100..250 {
            assert!(table.add(&format!("real{n}"), host(n), 0));
        }
        for n in 0..200_000 {
            table.add(&format!("more{n}"), host(66), 0);
        }
        assert!((100..250).all(|n| table.get(&format!("real{n}")).is_some()), "nobody else loses any");
        table.check();
        assert_eq!(table.values().count(), MOST);
        assert_eq!(table.dropped(), 150 + 200_000);
    }

    #[test]
    fn each_datagram_costs_the_same_whoever_sends_what() {
        let mut table = Table::new();
        // One forger, then hundreds, then one for each id.
        for (round, senders) in [1, 300, 1_000_000].into_iter().enumerate() {
            for n in 0..100_000 {
                let before = table.inspected;
                table.add(&format!("forged{round}-{n}"), host(n % senders), 0);
                assert!(table.inspected - before <= MAX_INSPECTED as u64);
            }
        }
        table.check();
        assert_eq!(table.values().count(), MOST);
    }

    #[test]
    fn among_forged_senders_a_new_device_is_let_in_and_what_is_heard_again_stays_longer() {
        let mut table = Table::new();
        let flood = |table: &mut Table<u32>, from: u32, count: u32| {
            (from..from + count).for_each(|n| _ = table.add(&format!("forged{n}"), host(1000 + n), 0));
        };
        flood(&mut table, 0, 50_000);
        assert!(table.add("real", host(1), 1), "there is room for one more");
        for round in 1..5 {
            flood(&mut table, round * 50_000, 10_000);
            assert!(table.touch("real").is_some(), "seen again in time, round {round}");
        }
        table.check();
    }

    #[test]
    fn what_is_asked_for_never_gives_way() {
        let mut table = Table::new();
        assert!(table.insert("wanted", host(66), 1, true, |_| false));
        assert!(table.add("other", host(66), 2));
        table.pin("other", true);
        for n in 0..100_000 {
            table.add(&format!("forged{n}"), host(n % 3 * 66), 0);
        }
        assert_eq!((table.get("wanted"), table.get("other")), (Some(&1), Some(&2)));
        table.pin("other", false);
        for n in 0..100_000 {
            table.add(&format!("more{n}"), host(n), 0);
        }
        assert_eq!((table.get("wanted"), table.get("other")), (Some(&1), None));
        table.check();
    }

    #[test]
    fn what_is_out_of_date_leaves_room() {
        let mut table = Table::new();
        for n in 0..MOST {
            table.add(&format!("id{n}"), host(1), 0);
        }
        for n in 0..MOST {
            let id = format!("new{n}");
            assert!(table.insert(&id, host(2), 1, false, |value| *value == 0), "{n}");
        }
        table.check();
        assert!(!table.hosts.contains_key(&host(1)) && table.get("id1").is_none());
        assert_eq!(table.into_values().sum::<usize>(), MOST);
    }
}
