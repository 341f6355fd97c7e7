//! Spacing, merging and splitting of commands.

use core::num::NonZeroU16;
use core::time::Duration;

/// Spacing of one device's commands, because some firmware loses commands that come too fast or are too large. The
/// default splits large writes and nothing else.
///
/// ```
/// # use core::time::Duration;
/// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let lamp = VirtualDevice::lamp(Version::V34).await?;
/// // Writes of the next 20 ms go out together, commands at least 100 ms apart.
/// let pacing = Pacing::NONE.merge(Duration::from_millis(20)).gap(Duration::from_millis(100));
/// let device = Device::builder(lamp.id(), "0123456789abcdef")?
///     .address(lamp.local_addr())
///     .version(Version::V34)
///     .pacing(pacing)
///     .spawn(&Tokio);
/// let (on, brightness) = (device.set_value(1, true), device.set_value(2, 80));
/// let (on, brightness) = tokio::join!(on.acknowledged(), brightness.acknowledged());
/// on?;
/// brightness?;
/// assert_eq!(device.metrics().sent, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pacing {
    /// Time for which a write waits for others to the same device, to be sent as one command. A later write to the same
    /// DP replaces the earlier one. Zero by default: every write is a command of its own.
    pub merge: Duration,
    /// Shortest time between two commands. Zero by default; 100 ms suits bulbs.
    pub gap: Duration,
    /// Most DPs per write; larger ones are sent in parts. If a device refuses a write of several DPs and accepts its
    /// parts, their size becomes the limit, whatever is set here. No limit by default.
    pub max_dps: Option<NonZeroU16>,
    /// Most bytes per frame that writes several DPs; larger writes are sent in parts. 1024 by default, so that a frame
    /// fits one TCP segment on every network: some firmware fails on a frame in two segments. A single DP may be
    /// longer, up to the 4095 bytes that devices accept. With `None`, only that limit applies, for devices that need
    /// their DPs together.
    pub max_bytes: Option<NonZeroU16>,
    /// For devices that sleep: time limit for a command to wait until the device wakes up, instead of the command
    /// time-out. Writes that wait are merged. `None` by default.
    pub sleeps: Option<Duration>,
}

impl Pacing {
    /// Sends commands at once and unchanged, apart from writes of more than 1024 bytes.
    pub const NONE: Self = Self {
        merge: Duration::ZERO,
        gap: Duration::ZERO,
        max_dps: None,
        max_bytes: NonZeroU16::new(1024),
        sleeps: None,
    };

    /// Sets [`merge`](Self::merge).
    #[must_use]
    pub const fn merge(mut self, window: Duration) -> Self {
        self.merge = window;
        self
    }

    /// Sets [`gap`](Self::gap).
    #[must_use]
    pub const fn gap(mut self, gap: Duration) -> Self {
        self.gap = gap;
        self
    }

    /// Sets [`max_dps`](Self::max_dps); zero means no limit.
    #[must_use]
    pub const fn max_dps(mut self, most: u16) -> Self {
        self.max_dps = NonZeroU16::new(most);
        self
    }

    /// Sets [`max_bytes`](Self::max_bytes); zero means no limit.
    #[must_use]
    pub const fn max_bytes(mut self, most: u16) -> Self {
        self.max_bytes = NonZeroU16::new(most);
        self
    }

    /// Sets [`sleeps`](Self::sleeps).
    #[must_use]
    pub const fn sleeps(mut self, limit: Duration) -> Self {
        self.sleeps = Some(limit);
        self
    }

    /// Returns whether writes that wait together are merged.
    pub(crate) const fn merges(&self) -> bool {
        !self.merge.is_zero() || self.sleeps.is_some()
    }
}

impl Default for Pacing {
    fn default() -> Self {
        Self::NONE
    }
}
