//! Devices that announced themselves.

use core::net::{IpAddr, Ipv4Addr};

use rustuya_proto::{SightingKind, Version};

use super::table::Table;
use crate::report::entry::Entry;
use crate::report::listener::Listener;

/// A device that announced itself.
///
/// ```
/// # use core::time::Duration;
/// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let discovery = Discovery::builder()
/// #     .ports([0, 0, 0])
/// #     .bind_address([127, 0, 0, 1].into())
/// #     .active(false)
/// #     .start(&Tokio)?;
/// # let lamp = VirtualDevice::builder("bf0123456789abcdefgh", "0123456789abcdef", Version::V34)?
/// #     .bind("127.0.0.1:0".parse()?)
/// #     .announce_to(discovery.local_addrs()[1])
/// #     .announce_every(Duration::from_millis(50))
/// #     .start()
/// #     .await?;
/// let found = discovery.find(lamp.id(), Duration::from_secs(5)).await.ok_or("announces itself")?;
/// assert_eq!((found.version, found.ip), (Some(Version::V34), [127, 0, 0, 1].into()));
/// assert_eq!(found.kind, SightingKind::New);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiscoveredDevice {
    /// Whether it is new.
    pub kind: SightingKind,
    /// Device id.
    pub id: String,
    /// Address.
    pub ip: Ipv4Addr,
    /// Protocol version; `None` if it is unknown to this crate.
    pub version: Option<Version>,
    /// Product id, if the announcement names one. Not a secret.
    pub product_key: Option<String>,
    /// Sender of the announcement, if it was not the device itself: a relay. Only with
    /// [`trust_relayed`](crate::DiscoveryBuilder::trust_relayed), and in what
    /// [`Discovery::relayed`](crate::Discovery::relayed) returns.
    pub relayed_by: Option<IpAddr>,
    /// Whether it waits to be paired: it has no local key yet, and takes no commands.
    pub unpaired: bool,
}

impl Entry for DiscoveredDevice {
    fn lagged(_lost: u64) -> Option<Self> {
        None
    }
}

/// Collects all devices until the listener ends, each once, by its last announcement.
pub(crate) async fn all(listener: &mut Listener<DiscoveredDevice>) -> Vec<DiscoveredDevice> {
    let mut found: Table<(usize, DiscoveredDevice)> = Table::new();
    let mut count = 0;
    while let Some(device) = listener.recv().await {
        if let Some((_, known)) = found.touch(&device.id) {
            *known = DiscoveredDevice { kind: known.kind, ..device };
        } else {
            count += 1;
            let host = device.relayed_by.unwrap_or_else(|| device.ip.into());
            let id = device.id.clone();
            found.insert(&id, host, (count, device), false, |_| false);
        }
    }
    let mut found: Vec<(usize, DiscoveredDevice)> = found.into_values().collect();
    found.sort_unstable_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, found)| found).collect()
}
