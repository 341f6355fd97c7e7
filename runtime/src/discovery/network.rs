//! Ranges of addresses.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

/// Addresses to be tried one by one, such as those of another subnet: at most 65,536.
///
/// ```
/// # use rustuya_runtime::{Network, NetworkError};
/// let subnet: Network = "192.168.5.0/24".parse()?;
/// assert_eq!(subnet.len(), 254); // without the first and the last address, which no host has
/// assert!(subnet.contains([192, 168, 5, 7].into()));
/// assert_eq!("192.168.5.7".parse::<Network>()?.len(), 1);
/// assert_eq!("10.0.0.0/8".parse::<Network>(), Err(NetworkError::TooLarge));
/// # Ok::<(), NetworkError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    /// Address whose bits behind the prefix are zero.
    base: IpAddr,
    prefix: u8,
    port: u16,
    probe_port: u16,
}

/// Reason why a text is not a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// Neither an address nor a prefix.
    #[error("invalid network: give an address and the length of its prefix, such as 192.168.5.0/24")]
    Invalid,
    /// More than 65,536 addresses.
    #[error("more than 65536 addresses: give a prefix of at least /16, for IPv6 of at least /112")]
    TooLarge,
}

/// Most bits behind the prefix.
const MOST_BITS: u8 = 16;

impl Network {
    /// Makes the network of the addresses with the first `prefix` bits of `address`; the other bits do not matter.
    ///
    /// # Errors
    /// [`NetworkError::Invalid`] for a prefix that is longer than the address, [`NetworkError::TooLarge`] for more than
    /// 65,536 addresses.
    pub fn new(address: IpAddr, prefix: u8) -> Result<Self, NetworkError> {
        let behind = bits(address).checked_sub(prefix).ok_or(NetworkError::Invalid)?;
        if behind > MOST_BITS {
            return Err(NetworkError::TooLarge);
        }
        let base = match address {
            IpAddr::V4(ip) => IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() & (u32::MAX << behind))),
            IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << behind))),
        };
        Ok(Self { base, prefix, port: rustuya_proto::DEFAULT_PORT, probe_port: 7000 })
    }

    /// Sets the TCP port to dial, 6668 by default.
    #[must_use]
    pub const fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Sets the UDP port to probe, 7000 by default.
    #[must_use]
    pub const fn probe_port(mut self, port: u16) -> Self {
        self.probe_port = port;
        self
    }

    /// Returns the number of addresses.
    #[expect(clippy::len_without_is_empty, reason = "there is always one")]
    pub const fn len(&self) -> u32 {
        let all = 1_u32 << self.behind();
        if self.leaves_out_ends() { all - 2 } else { all }
    }

    /// Returns whether an address is in the network.
    pub fn contains(&self, address: IpAddr) -> bool {
        Self::new(address, self.prefix).is_ok_and(|other| other.base == self.base)
    }

    /// Returns the address of this index.
    pub(super) fn at(&self, index: u32) -> IpAddr {
        let offset = index.saturating_add(self.leaves_out_ends().into());
        match self.base {
            IpAddr::V4(ip) => IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() | offset)),
            IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() | u128::from(offset))),
        }
    }

    pub(super) const fn tcp_port(&self) -> u16 {
        self.port
    }

    pub(super) const fn udp_port(&self) -> u16 {
        self.probe_port
    }

    const fn behind(&self) -> u8 {
        bits(self.base) - self.prefix
    }

    /// The first address of an IPv4 subnet names it, and the last one is its broadcast address.
    const fn leaves_out_ends(&self) -> bool {
        self.base.is_ipv4() && self.behind() >= 2
    }
}

const fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

impl FromStr for Network {
    type Err = NetworkError;

    /// Parses an address with a prefix length behind a slash, or one address.
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse().map_err(|_| NetworkError::Invalid)?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Invalid)?;
        Self::new(address, prefix.unwrap_or(bits(address)))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<String> {
        let network: Network = text.parse().expect("a network");
        (0..network.len()).map(|n| network.at(n).to_string()).collect()
    }

    #[test]
    fn ranges_hold_the_addresses_of_hosts() {
        assert_eq!(all("192.0.2.9/30"), ["192.0.2.9", "192.0.2.10"]);
        assert_eq!(all("192.0.2.9/31"), ["192.0.2.8", "192.0.2.9"]);
        assert_eq!(all("192.0.2.9"), ["192.0.2.9"]);
        assert_eq!(all("::1/127"), ["::", "::1"]);
        assert_eq!(all("::1"), ["::1"]);
        assert_eq!(all("10.1.255.3/16").len(), 65_534);
        assert_eq!("10.1.255.3/16".parse::<Network>().map(|n| n.to_string()), Ok("10.1.0.0/16".into()));
        assert_eq!("2001:db8::/112".parse::<Network>().map(|n| n.len()), Ok(65_536));
    }

    #[test]
    fn what_is_no_range_or_too_large_is_refused() {
        for text in ["", "lamp", "192.0.2.9/", "192.0.2.9/33", "192.0.2.9/-1", "192.0.2.9/a", "::1/129", "1.2.3/24"] {
            assert_eq!(text.parse::<Network>(), Err(NetworkError::Invalid), "{text}");
        }
        for text in ["10.0.0.0/15", "0.0.0.0/0", "::/0", "2001:db8::/111"] {
            assert_eq!(text.parse::<Network>(), Err(NetworkError::TooLarge), "{text}");
        }
    }

    #[test]
    fn an_address_is_in_a_range_or_not() {
        let network: Network = "192.0.2.128/25".parse().expect("a network");
        assert!(network.contains([192, 0, 2, 200].into()));
        assert!(!network.contains([192, 0, 2, 1].into()));
        assert!(!network.contains(Ipv6Addr::LOCALHOST.into()));
    }
}
