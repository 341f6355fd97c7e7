//! Where a device was lately announced to be.

use core::net::IpAddr;
use core::time::Duration;
use std::collections::VecDeque;

use rustuya_proto::{Instant, Version};

/// The addresses that a device was lately announced at. Anybody can announce it anywhere, and as often as they like: an
/// address has its turn by how long ago it was tried, not by how often it is named.
#[derive(Debug, Default)]
pub(super) struct Announced(VecDeque<Place>);

#[derive(Debug)]
struct Place {
    address: IpAddr,
    /// What the announcement said.
    version: Option<Version>,
    heard: Instant,
    /// When it was dialed last.
    tried: Option<Instant>,
}

/// So long an address counts that is not named any more. Devices name theirs every few seconds.
const KEPT: Duration = Duration::from_secs(30);

/// Addresses at a time.
const PLACES: usize = 16;

impl Announced {
    /// Takes an announcement in. Returns the one to go by: of the address that was not tried for longest.
    pub(super) fn hear(
        &mut self,
        address: IpAddr,
        version: Option<Version>,
        now: Instant,
    ) -> (IpAddr, Option<Version>) {
        self.0.retain(|place| now < place.heard + KEPT);
        match self.0.iter_mut().find(|place| place.address == address) {
            Some(place) => (place.version, place.heard) = (version, now),
            None => {
                if self.0.len() >= PLACES {
                    // One that has had its turn makes room, else the first.
                    let last = self.0.iter().enumerate().max_by_key(|(_, place)| place.tried);
                    let at = last.filter(|(_, place)| place.tried.is_some()).map_or(0, |(at, _)| at);
                    self.0.remove(at);
                }
                self.0.push_back(Place { address, version, heard: now, tried: None });
            }
        }
        let next = self.0.iter().min_by_key(|place| place.tried);
        next.map_or((address, version), |place| (place.address, place.version))
    }

    /// This address is dialed.
    pub(super) fn note_tried(&mut self, address: IpAddr, now: Instant) {
        if let Some(place) = self.0.iter_mut().find(|place| place.address == address) {
            place.tried = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(ms)
    }

    fn host(n: u8) -> IpAddr {
        [192, 0, 2, n].into()
    }

    #[test]
    fn each_address_has_its_turn_however_often_others_are_named() {
        let mut announced = Announced::default();
        let mut tried = Vec::new();
        for ms in (0..20_000).step_by(40) {
            let forged = host(100 + (ms / 40 % 5) as u8);
            let named = if ms % 5_000 == 4_000 { host(1) } else { forged };
            let (next, _) = announced.hear(named, None, at(ms));
            if ms % 1_000 == 960 {
                announced.note_tried(next, at(ms));
                tried.push(next);
            }
        }
        let real: Vec<_> = tried.iter().enumerate().filter(|(_, ip)| **ip == host(1)).map(|(n, _)| n).collect();
        assert!(real.first().is_some_and(|first| *first <= 6) && real.len() >= 2, "{tried:?}");
    }

    #[test]
    fn the_version_is_that_of_the_address_and_what_is_not_named_any_more_is_forgotten() {
        let mut announced = Announced::default();
        assert_eq!(announced.hear(host(1), Some(Version::V33), at(0)), (host(1), Some(Version::V33)));
        announced.note_tried(host(1), at(10));
        assert_eq!(announced.hear(host(2), Some(Version::V35), at(20)), (host(2), Some(Version::V35)));
        announced.note_tried(host(2), at(30));
        assert_eq!(announced.hear(host(2), Some(Version::V35), at(40)), (host(1), Some(Version::V33)));
        assert_eq!(announced.hear(host(2), None, at(30_100)), (host(2), None));
        for n in 0..=255 {
            announced.hear(host(n), None, at(30_200));
        }
        assert_eq!(announced.0.len(), PLACES);
    }
}
