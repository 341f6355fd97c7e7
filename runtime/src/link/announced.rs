//! Addresses of recent announcements of a device.

use core::net::IpAddr;
use core::time::Duration;
use std::collections::VecDeque;

use rustuya_proto::{Instant, Version};

/// Addresses that recent announcements name for a device. Any host can announce any address, as often as it likes: the
/// next address to dial depends on the time of its last dial, not on how often it is announced.
#[derive(Debug, Default)]
pub(super) struct Announced(VecDeque<Candidate>);

#[derive(Debug)]
struct Candidate {
    address: IpAddr,
    /// Version in the announcement.
    version: Option<Version>,
    announced_at: Instant,
    /// Time of the last dial.
    tried: Option<Instant>,
}

/// Time after which an address that is not announced any more is dropped. Devices announce theirs every few seconds.
const LIFETIME: Duration = Duration::from_secs(30);

/// Limit of addresses.
const MAX_ADDRESSES: usize = 16;

impl Announced {
    /// Adds an announcement. Returns the one to follow: of the address whose last dial is longest ago.
    pub(super) fn update(
        &mut self,
        address: IpAddr,
        version: Option<Version>,
        now: Instant,
    ) -> (IpAddr, Option<Version>) {
        self.0.retain(|candidate| now < candidate.announced_at + LIFETIME);
        match self.0.iter_mut().find(|candidate| candidate.address == address) {
            Some(candidate) => (candidate.version, candidate.announced_at) = (version, now),
            None => {
                if self.0.len() >= MAX_ADDRESSES {
                    // Drop the one dialed last, or else the oldest.
                    let last = self.0.iter().enumerate().max_by_key(|(_, candidate)| candidate.tried);
                    let at = last.filter(|(_, candidate)| candidate.tried.is_some()).map_or(0, |(at, _)| at);
                    self.0.remove(at);
                }
                self.0.push_back(Candidate { address, version, announced_at: now, tried: None });
            }
        }
        let next = self.0.iter().min_by_key(|candidate| candidate.tried);
        next.map_or((address, version), |candidate| (candidate.address, candidate.version))
    }

    /// Records that this address is dialed.
    pub(super) fn on_dial(&mut self, address: IpAddr, now: Instant) {
        if let Some(candidate) = self.0.iter_mut().find(|candidate| candidate.address == address) {
            candidate.tried = Some(now);
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
            let (next, _) = announced.update(named, None, at(ms));
            if ms % 1_000 == 960 {
                announced.on_dial(next, at(ms));
                tried.push(next);
            }
        }
        let real: Vec<_> = tried.iter().enumerate().filter(|(_, ip)| **ip == host(1)).map(|(n, _)| n).collect();
        assert!(real.first().is_some_and(|first| *first <= 6) && real.len() >= 2, "{tried:?}");
    }

    #[test]
    fn the_version_is_that_of_the_address_and_what_is_not_named_any_more_is_forgotten() {
        let mut announced = Announced::default();
        assert_eq!(announced.update(host(1), Some(Version::V33), at(0)), (host(1), Some(Version::V33)));
        announced.on_dial(host(1), at(10));
        assert_eq!(announced.update(host(2), Some(Version::V35), at(20)), (host(2), Some(Version::V35)));
        announced.on_dial(host(2), at(30));
        assert_eq!(announced.update(host(2), Some(Version::V35), at(40)), (host(1), Some(Version::V33)));
        assert_eq!(announced.update(host(2), None, at(30_100)), (host(2), None));
        for n in 0..=255 {
            announced.update(host(n), None, at(30_200));
        }
        assert_eq!(announced.0.len(), MAX_ADDRESSES);
    }
}
