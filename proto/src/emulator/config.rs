//! What one emulated device is.

use core::time::Duration;

use super::quirks::Quirks;
use crate::ids::{DeviceId, LocalKey};
use crate::time::Instant;
use crate::version::{Dialect, Version};

/// Identity and habits of an emulated device, the same for all of its connections.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EmulatorConfig {
    /// The device id.
    pub id: DeviceId,
    /// The protocol version it speaks.
    pub version: Version,
    /// Its local key.
    pub local_key: LocalKey,
    /// Which queries it understands; 3.2 is always device22.
    pub dialect: Dialect,
    /// How it behaves where devices differ. Without the feature `quirks` it is firmware of its version that does nobody
    /// harm: as [`Quirks::of`] with [`strict_reads`](Quirks::strict_reads) off.
    #[cfg(feature = "quirks")]
    pub quirks: Quirks,
    /// A connection without a valid frame for so long is closed. Firmware uses 30 s.
    pub idle: Duration,
    /// Seconds since 1970 at [`Instant::ZERO`], for the time in pushes. 0 makes a device without time
    /// synchronisation, which counts from its boot.
    pub clock: u64,
}

impl EmulatorConfig {
    /// A device that behaves as firmware of `version`, in the ordinary dialect, without time synchronisation.
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

    /// Sets how long a silent connection is kept.
    pub const fn with_idle(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// Sets the seconds since 1970 at [`Instant::ZERO`].
    pub const fn with_clock(mut self, clock: u64) -> Self {
        self.clock = clock;
        self
    }

    /// The version; a constant where the build has no other.
    pub(super) const fn version(&self) -> Version {
        self.version.narrowed()
    }

    /// How it behaves where devices differ.
    #[cfg(feature = "quirks")]
    pub(super) const fn quirks(&self) -> &Quirks {
        &self.quirks
    }

    /// How it behaves where devices differ: a constant where the build has one version, so that nothing else is compiled.
    #[cfg(not(feature = "quirks"))]
    #[inline(always)]
    pub(super) const fn quirks(&self) -> Quirks {
        // Bytes that a pipe cuts are no reason for firmware to close.
        Quirks { strict_reads: false, ..Quirks::of(self.version()) }
    }

    /// Whether only a map of nulls is understood as a query.
    pub(super) fn is_device22(&self) -> bool {
        self.version().fixed_dialect().unwrap_or(self.dialect) == Dialect::Device22
    }

    /// What a push at `now` says about the time.
    pub(super) fn unix_time(&self, now: Instant) -> u64 {
        if self.quirks().bad_clock {
            return 809;
        }
        self.clock.saturating_add(now.as_secs())
    }
}
