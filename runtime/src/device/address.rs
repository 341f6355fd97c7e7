//! Addresses and versions in the form in which callers give them.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::str::FromStr;

use rustuya_proto::Version;

use crate::report::error::ConfigError;

/// Address of a device.
///
/// ```
/// # use rustuya_runtime::Address;
/// assert_eq!("auto".parse(), Ok(Address::Auto));
/// assert_eq!("192.168.1.20".parse(), Ok(Address::from([192, 168, 1, 20])));
/// assert!("127.0.0.1:7001".parse::<Address>().is_ok());
/// assert!("[fe80::1%eth0]:6668".parse::<Address>().is_ok());
/// assert_eq!("lamp.lan".parse(), Ok(Address::Name("lamp.lan".into(), None)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no fifth way to say it")]
pub enum Address {
    /// Discovered by announcements.
    #[default]
    Auto,
    /// This address, and the default port.
    Ip(IpAddr),
    /// This address and port.
    Socket(SocketAddr),
    /// An address of the host with this name, and this port, if there is one. The name is resolved again for each
    /// connection. Also an IPv6 address with a zone, such as `fe80::1%eth0`.
    Name(String, Option<u16>),
}

impl FromStr for Address {
    type Err = ConfigError;

    /// Parses an IP address or a host name, each with an optional port, or `Auto` in any case. An IPv6 address needs
    /// brackets to have a port.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.eq_ignore_ascii_case("auto") {
            return Ok(Self::Auto);
        }
        if let Ok(ip) = text.parse() {
            return Ok(Self::Ip(ip));
        }
        if is_scoped(text) {
            return Ok(Self::Name(text.to_owned(), None));
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(read_port(port)?)),
            _ => (text, None),
        };
        let bracketed = host.strip_prefix('[').map(|host| host.strip_suffix(']').ok_or(ConfigError::Address));
        let host = bracketed.transpose()?.unwrap_or(host);
        match (host.parse::<IpAddr>(), port) {
            (Ok(ip), Some(port)) => Ok(Self::Socket(SocketAddr::new(ip, port))),
            (Ok(ip), None) => Ok(Self::Ip(ip)),
            _ if is_scoped(host) || is_name(host) => Ok(Self::Name(host.to_owned(), port)),
            _ => Err(ConfigError::Address),
        }
    }
}

fn read_port(text: &str) -> Result<u16, ConfigError> {
    text.parse().ok().filter(|port| *port != 0).ok_or(ConfigError::Address)
}

/// Returns whether it is an IPv6 address with a zone.
fn is_scoped(text: &str) -> bool {
    text.split_once('%').is_some_and(|(ip, zone)| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
        ip.parse::<Ipv6Addr>().is_ok() && (1..=64).contains(&zone.len()) && zone.bytes().all(plain)
    })
}

/// Returns whether it can be a host name. A name that ends in a number is a mistyped address.
fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        (1..=63).contains(&label.len()) && label.bytes().all(plain) && !label.starts_with('-') && !label.ends_with('-')
    };
    let text = text.strip_suffix('.').unwrap_or(text);
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= 253 && text.split('.').all(label) && !last.bytes().all(|b| b.is_ascii_digit())
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

/// Version of a device for [`Manager::add`](crate::Manager::add): a certain one, or to be detected.
///
/// ```
/// # use rustuya_runtime::{VersionSpec, Version};
/// assert_eq!("auto".parse(), Ok(VersionSpec(None)));
/// assert_eq!("3.4".parse(), Ok(VersionSpec(Some(Version::V34))));
/// assert_eq!(VersionSpec::from(Version::V34), VersionSpec(Some(Version::V34)));
/// assert!("3.9".parse::<VersionSpec>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a version or none: there is nothing more to say")]
pub struct VersionSpec(pub Option<Version>);

impl FromStr for VersionSpec {
    type Err = ConfigError;

    /// Parses a version, or `Auto` in any case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.eq_ignore_ascii_case("auto") { Ok(Self(None)) } else { Ok(Self(Some(text.parse()?))) }
    }
}

impl TryFrom<&str> for VersionSpec {
    type Error = ConfigError;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Version> for VersionSpec {
    fn from(version: Version) -> Self {
        Self(Some(version))
    }
}

impl From<Option<Version>> for VersionSpec {
    fn from(version: Option<Version>) -> Self {
        Self(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_are_read_with_and_without_a_port() {
        let name = |name: &str, port| Ok(Address::Name(name.to_owned(), port));
        for (text, expected) in [
            ("10.0.0.7", Ok(Address::from([10, 0, 0, 7]))),
            ("10.0.0.7:99", Ok(Address::Socket(([10, 0, 0, 7], 99).into()))),
            ("fe80::1", "fe80::1".parse().map(Address::Ip).map_err(|_| ConfigError::Address)),
            ("[fe80::1]", "fe80::1".parse().map(Address::Ip).map_err(|_| ConfigError::Address)),
            ("[::1]:99", "[::1]:99".parse().map(Address::Socket).map_err(|_| ConfigError::Address)),
            ("fe80::1%eth0", name("fe80::1%eth0", None)),
            ("[fe80::1%2]:99", name("fe80::1%2", Some(99))),
            ("lamp", name("lamp", None)),
            ("my_lamp-2.fritz.box.", name("my_lamp-2.fritz.box.", None)),
            ("lamp.lan:99", name("lamp.lan", Some(99))),
            ("AUTO", Ok(Address::Auto)),
        ] {
            assert_eq!(text.parse(), expected, "{text}");
        }
        let long = "a".repeat(64);
        for bad in [
            "",
            " ",
            "my lamp",
            ":99",
            "host:",
            "host:70000",
            "host:0",
            "[fe80::1:99",
            "10.0.0.300",
            "10.0.0",
            "7",
            "-a",
            "a-",
            "a..b",
            "http://lamp",
            "lamp/1",
            "%eth0",
            "fe80::1%",
            "lamp%eth0",
            "1:2:3",
            &long,
        ] {
            assert_eq!(bad.parse::<Address>(), Err(ConfigError::Address), "{bad}");
        }
    }
}
