//! Discovery with any datagram from any sender, once and repeatedly.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;

use rustuya_proto::{Datagram, DeviceId, Discovery, DiscoveryConfig, DiscoveryError, Instant, SightingKind};

/// Address in the announcements of the test vectors.
const NAMED: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);

/// Decodes `data` as one datagram, and passes it to a small discovery machine, from the right address and from another.
///
/// # Panics
/// If an accepted announcement has no valid id or another address than its source, or if the table of seen devices
/// grows beyond its size.
pub fn announcement(data: &[u8]) {
    if let Ok(Datagram::Announcement(found)) = Datagram::decode(&mut data.to_vec()) {
        assert!(DeviceId::new(found.id).is_ok(), "{}", found.id);
    }
    let mut discovery: Discovery<2> = Discovery::new(DiscoveryConfig::default());
    let source = |ip: Ipv4Addr| SocketAddr::new(IpAddr::V4(ip), 6667);
    let now = Instant::from_micros(1_000_000);
    discovery.start_scan(now, Duration::from_secs(18));
    let mut kinds = Vec::new();
    for ip in [NAMED, Ipv4Addr::new(192, 0, 2, 11), NAMED] {
        match discovery.handle_datagram(&mut data.to_vec(), source(ip), now) {
            Ok(sighting) => {
                assert_eq!((sighting.address, sighting.announcement.ip), (ip, Some(ip)));
                kinds.push(sighting.kind);
            }
            Err(DiscoveryError::NotUnicast) => panic!("{ip} is unicast"),
            Err(_) => {}
        }
    }
    let known = discovery.devices(now).count();
    // All accepted announcements have one id.
    assert_eq!(known, usize::from(!kinds.is_empty()));
    assert!(kinds.first().is_none_or(|kind| *kind == SightingKind::New));
    assert!(kinds.iter().skip(1).all(|kind| *kind != SightingKind::New));
}
