//! Configuration of a device, as a controller needs it.

use core::net::IpAddr;
use core::time::Duration;

use crate::ids::{DeviceId, LocalKey};
use crate::version::{Dialect, Version};

/// TCP port of every Tuya device.
pub const DEFAULT_PORT: u16 = 6668;

/// Configuration of one device: identity, address, version and dialect.
///
/// Every field but id and key has a default. Address and version may be left open: the address is then taken from
/// an announcement, the version from an announcement or by probing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceConfig {
    /// Device id, which is part of requests.
    pub id: DeviceId,
    /// Secret of the device.
    pub local_key: LocalKey,
    /// Address of the device; `None` waits for an announcement.
    pub address: Option<IpAddr>,
    /// TCP port, 6668 by default.
    pub port: u16,
    /// Protocol version; `None` finds it out.
    pub version: Option<Version>,
    /// Oldest version that is believed where none is configured, 3.3 by default (3.2 is as good). 3.1 is not encrypted,
    /// so that any host could claim to be the device, without its key. An older version ends as
    /// [`DownReason::TooOld`](super::DownReason::TooOld), unless it is configured, or a frame of 3.1 was sealed under
    /// the local key. Once a session key was negotiated, no version without a negotiation is believed any more.
    pub min_version: Version,
    /// Request dialect; `None` detects device22 by its refusal (once, and reverts when that does not help).
    pub dialect: Option<Dialect>,
    /// True if the connection is kept (the default). If not, it is made on [`connect_now`](super::Device::connect_now)
    /// and closed when no command has been outstanding for a second.
    pub persist: bool,
    /// True if attempts with other versions follow a connection that failed for an unclear reason, to tell a wrong key
    /// from a wrong version (the default). They send only negotiations and queries.
    pub probe_on_failure: bool,
    /// Time limits.
    pub timing: Timing,
}

impl DeviceConfig {
    /// Creates a configuration with this id and key, and defaults for the rest.
    pub const fn new(id: DeviceId, local_key: LocalKey) -> Self {
        Self {
            id,
            local_key,
            address: None,
            port: DEFAULT_PORT,
            version: None,
            min_version: Version::V33,
            dialect: None,
            persist: true,
            probe_on_failure: true,
            timing: Timing::DEFAULT,
        }
    }

    /// Sets the address.
    #[must_use]
    pub const fn address(mut self, address: IpAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// Sets the TCP port.
    #[must_use]
    pub const fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Fixes the version.
    #[must_use]
    pub const fn version(mut self, version: Version) -> Self {
        self.version = Some(version);
        self
    }

    /// Sets the oldest version that is believed when none is configured.
    #[must_use]
    pub const fn min_version(mut self, version: Version) -> Self {
        self.min_version = version;
        self
    }

    /// Fixes the dialect.
    #[must_use]
    pub const fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = Some(dialect);
        self
    }

    /// Sets whether the connection is kept.
    #[must_use]
    pub const fn persist(mut self, persist: bool) -> Self {
        self.persist = persist;
        self
    }

    /// Sets whether unclear failures are followed by attempts with other versions.
    #[must_use]
    pub const fn probe_on_failure(mut self, probe: bool) -> Self {
        self.probe_on_failure = probe;
        self
    }

    /// Sets the time limits.
    #[must_use]
    pub const fn timing(mut self, timing: Timing) -> Self {
        self.timing = timing;
        self
    }
}

/// Time limits of a connection.
///
/// Each of them is at least [`LEAST`](Self::LEAST), 20 ms; a shorter one is raised to that, so that no setting can dial
/// a device, or wake the processor, without a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timing {
    /// Time limit for a dial, 5 s.
    pub connect: Duration,
    /// Time limit for the device's part of the negotiation, 5 s.
    pub negotiate: Duration,
    /// Time limit for the answer to a command, 5 s. Also the time limit for any frame after a heartbeat, which is sent
    /// once more after half of it.
    pub answer: Duration,
    /// Time without a frame in one of both directions after which a heartbeat is sent, 10 s. Devices close after 30 s
    /// without one. A lost device is noticed within `heartbeat` plus `answer`, whatever is sent to it.
    pub heartbeat: Duration,
    /// First delay between attempts, 1 s; doubled on each further failure.
    pub backoff_min: Duration,
    /// Longest delay between attempts, 60 s.
    pub backoff_max: Duration,
}

impl Timing {
    /// Least value of each limit, 20 ms.
    pub const LEAST: Duration = Duration::from_millis(20);

    /// Usual limits, from those of tinytuya, hass-localtuya and firmware.
    pub const DEFAULT: Self = Self {
        connect: Duration::from_secs(5),
        negotiate: Duration::from_secs(5),
        answer: Duration::from_secs(5),
        heartbeat: Duration::from_secs(10),
        backoff_min: Duration::from_secs(1),
        backoff_max: Duration::from_secs(60),
    };

    /// Raises limits below [`LEAST`](Self::LEAST).
    pub(super) fn raise(&mut self) {
        let Self { connect, negotiate, answer, heartbeat, backoff_min, backoff_max } = self;
        for limit in [connect, negotiate, answer, heartbeat, backoff_min, backoff_max] {
            *limit = Self::LEAST.max(*limit);
        }
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self::DEFAULT
    }
}
