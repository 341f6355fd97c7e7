//! Configuration of one emulated device.

use core::time::Duration;

use super::quirks::Quirks;
use crate::ids::{DeviceId, LocalKey};
use crate::time::Instant;
use crate::version::{Dialect, Version};

/// Identity and behaviour of an emulated device, the same for all of its connections.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EmulatorConfig {
    /// Device id.
    pub id: DeviceId,
    /// Protocol version that it uses.
    pub version: Version,
    /// Local key.
    pub local_key: LocalKey,
    /// Request dialect that it understands; 3.2 is always device22.
    pub dialect: Dialect,
    /// Behaviour where devices differ. Without the feature `quirks` it is that of [`Quirks::of`] the version, with
    /// [`strict_reads`](Quirks::strict_reads) off.
    #[cfg(feature = "quirks")]
    pub quirks: Quirks,
    /// Time without a valid frame after which a connection is closed. Firmware uses 30 s.
    pub idle: Duration,
    /// Seconds since 1970 at [`Instant::ZERO`], for the time in pushes. 0 makes a device without time
    /// synchronisation, which counts from its boot.
    pub clock: u64,
}

impl EmulatorConfig {
    /// Creates the configuration of a device that behaves like firmware of `version`, in the ordinary dialect, without
    /// time synchronisation.
    pub fn new(id: DeviceId, version: Version, local_key: LocalKey) -> Self {
        Self {
            id,
            version,
            local_key,
            dialect: Dialect::Default,
            #[cfg(feature = "quirks")]
            quirks: Quirks::of(version),
            idle: Duration::from_secs(30),
            clock: 0,
        }
    }

    /// Sets the dialect.
    pub const fn with_dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Sets the quirks. Begin with [`Quirks::of`] the version.
    #[cfg(feature = "quirks")]
    pub const fn with_quirks(mut self, quirks: Quirks) -> Self {
        self.quirks = quirks;
        self
    }

    /// Sets the time without a valid frame after which a connection is closed.
    pub const fn with_idle(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// Sets the seconds since 1970 at [`Instant::ZERO`].
    pub const fn with_clock(mut self, clock: u64) -> Self {
        self.clock = clock;
        self
    }

    /// Returns the version; a constant if the build has no other.
    pub(super) const fn version(&self) -> Version {
        self.version.narrowed()
    }

    /// Returns the behaviour where devices differ.
    #[cfg(feature = "quirks")]
    pub(super) const fn quirks(&self) -> &Quirks {
        &self.quirks
    }

    /// Returns the behaviour where devices differ: a constant if the build has one version, so that no other code is
    /// compiled.
    #[cfg(not(feature = "quirks"))]
    #[inline(always)]
    pub(super) const fn quirks(&self) -> Quirks {
        // On a UART, bytes that are cut anywhere must not close the connection.
        Quirks { strict_reads: false, ..Quirks::of(self.version()) }
    }

    /// Returns whether queries must be maps of nulls.
    pub(super) fn is_device22(&self) -> bool {
        self.version().fixed_dialect().unwrap_or(self.dialect) == Dialect::Device22
    }

    /// Returns the time for a push at `now`.
    pub(super) fn unix_time(&self, now: Instant) -> u64 {
        if self.quirks().bad_clock {
            return 809;
        }
        self.clock.saturating_add(now.as_secs())
    }
}
