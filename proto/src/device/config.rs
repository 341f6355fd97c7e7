//! What a controller has to know about a device.

use core::net::IpAddr;
use core::time::Duration;

use crate::ids::{DeviceId, LocalKey};
use crate::version::{Dialect, Version};

/// The TCP port of every Tuya device.
pub const DEFAULT_PORT: u16 = 6668;

/// One device: who it is, where it is, how it is spoken to.
///
/// Every field but id and key has a default. Address and version may be left open: the address is then taken from
/// an announcement, the version from an announcement or by probing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceConfig {
    /// The device id, which goes into requests.
    pub id: DeviceId,
    /// The device's secret.
    pub local_key: LocalKey,
    /// Where the device is; `None` waits for an announcement.
    pub address: Option<IpAddr>,
    /// TCP port, 6668 by default.
    pub port: u16,
    /// Protocol version; `None` finds out.
    pub version: Option<Version>,
    /// The oldest version that is believed where none is configured, 3.3 by default (3.2 is as good). What 3.1 says is not
    /// encrypted, so that any host which claims to be the device would be believed, key or none. An older version ends as
    /// [`DownReason::TooOld`](super::DownReason::TooOld), unless it is configured, or a frame of 3.1 was sealed under the
    /// local key. Once a session key was negotiated, no version without a negotiation is believed any more.
    pub min_version: Version,
    /// Request dialect; `None` detects device22 by its refusal (once, and reverts when that does not help).
    pub dialect: Option<Dialect>,
    /// Whether the connection is kept (the default). If not, it is made on [`connect_now`](super::Device::connect_now)
    /// and given up when nothing has been outstanding for a second.
    pub persist: bool,
    /// Whether a connection that failed for an unclear reason is followed by attempts with other versions, only to
    /// tell a wrong key from a wrong version (the default). Nothing but negotiations and queries is sent in them.
    pub probe_on_failure: bool,
    /// Time limits.
    pub timing: Timing,
}

impl DeviceConfig {
    /// A device with this id and key; everything else at its default.
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

    /// Sets the oldest version that is believed where none is configured.
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

    /// Sets whether unclear failures are looked into.
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
/// Each of them is at least [`LEAST`](Self::LEAST), 20 ms: a shorter one counts as that, so that no setting has a device
/// dialed, or the processor woken, without a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timing {
    /// How long a dial may take, 5 s.
    pub connect: Duration,
    /// How long the device may take for its part of the negotiation, 5 s.
    pub negotiate: Duration,
    /// How long a command waits for its answer, 5 s. Also how long the device has for a sign of life after a heartbeat,
    /// which is sent once more after half of it.
    pub answer: Duration,
    /// Silence of ours or of the device's after which a heartbeat is sent, 10 s. Devices close after 30 s without one.
    /// A device that is gone is noticed within `heartbeat` and `answer` together, whatever is sent to it.
    pub heartbeat: Duration,
    /// The first delay between attempts, 1 s; doubled on each further failure.
    pub backoff_min: Duration,
    /// The longest delay between attempts, 60 s.
    pub backoff_max: Duration,
}

impl Timing {
    /// The least of each limit, 20 ms.
    pub const LEAST: Duration = Duration::from_millis(20);

    /// The usual limits, from what tinytuya, hass-localtuya and firmware use.
    pub const DEFAULT: Self = Self {
        connect: Duration::from_secs(5),
        negotiate: Duration::from_secs(5),
        answer: Duration::from_secs(5),
        heartbeat: Duration::from_secs(10),
        backoff_min: Duration::from_secs(1),
        backoff_max: Duration::from_secs(60),
    };

    /// Raises what is below the least.
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
