//! Addresses, as callers give them.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::str::FromStr;

use rustuya_proto::Version;

use crate::error::ConfigError;

/// Where a device is.
///
/// ```
/// # use rustuya_runtime::Address;
/// assert_eq!("auto".parse(), Ok(Address::Auto));
/// assert_eq!("192.168.1.20".parse(), Ok(Address::from([192, 168, 1, 20])));
/// assert!("127.0.0.1:7001".parse::<Address>().is_ok());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no fourth way to say it")]
pub enum Address {
    /// Where its announcements come from.
    #[default]
    Auto,
    /// At this address, and the usual port.
    Ip(IpAddr),
    /// At this address and port.
    Socket(SocketAddr),
}

impl FromStr for Address {
    type Err = ConfigError;

    /// Reads an IP address, one with a port, or `Auto` in any case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.eq_ignore_ascii_case("auto") {
            return Ok(Self::Auto);
        }
        let socket = || text.parse().map(Self::Socket);
        text.parse().map(Self::Ip).or_else(|_| socket()).map_err(|_| ConfigError::Address)
    }
}

impl TryFrom<&str> for Address {
    type Error = ConfigError;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        text.parse()
    }
}

macro_rules! from {
    ($($source:ty => $variant:ident),*) => {$(
        impl From<$source> for Address {
            fn from(address: $source) -> Self {
                Self::$variant(address.into())
            }
        }
    )*};
}

from!(IpAddr => Ip, Ipv4Addr => Ip, Ipv6Addr => Ip, [u8; 4] => Ip, SocketAddr => Socket);

/// Which version a device speaks, as a manager is told: a version, or to be found out.
///
/// ```
/// # use rustuya_runtime::{Speaks, Version};
/// assert_eq!("auto".parse(), Ok(Speaks(None)));
/// assert_eq!("3.4".parse(), Ok(Speaks(Some(Version::V34))));
/// assert_eq!(Speaks::from(Version::V34), Speaks(Some(Version::V34)));
/// assert!("3.9".parse::<Speaks>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Speaks(pub Option<Version>);

impl FromStr for Speaks {
    type Err = ConfigError;

    /// Reads a version, or `Auto` in any case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.eq_ignore_ascii_case("auto") { Ok(Self(None)) } else { Ok(Self(Some(text.parse()?))) }
    }
}

impl TryFrom<&str> for Speaks {
    type Error = ConfigError;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Version> for Speaks {
    fn from(version: Version) -> Self {
        Self(Some(version))
    }
}

impl From<Option<Version>> for Speaks {
    fn from(version: Option<Version>) -> Self {
        Self(version)
    }
}
