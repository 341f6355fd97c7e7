//! Subscribers to the announcements of one device.

use core::net::Ipv4Addr;

use rustuya_proto::Version;

/// Receives the announcements of one device, and tells whether it needs any. Implemented by the owner of the
/// connection, so that discovery does not depend on connections.
pub(crate) trait Subscriber: Send + Sync {
    /// Handles an announcement.
    fn on_announcement(&self, ip: Ipv4Addr, version: Option<Version>, product_key: Option<&str>);

    /// Handles an announcement that came from another address than it names, and is not trusted.
    fn on_relayed(&self);

    /// Returns its knowledge of the address.
    fn location(&self) -> Location;
}

/// Knowledge of a device's address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Location {
    /// True if an address is configured. If not, announcements are the only source.
    pub(crate) is_configured: bool,
    /// True if any address is known.
    pub(crate) is_known: bool,
    /// True if the device is to be searched for now.
    pub(crate) is_wanted: bool,
}
