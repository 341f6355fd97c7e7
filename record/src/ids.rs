//! Substitutes of ids and addresses in a redacted record.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::HashMap;

/// So many ids are told apart; those beyond share the last number.
const MAX_IDS: usize = 4096;
/// So many addresses are told apart.
const MAX_ADDRESSES: usize = 700;
/// No device id and no cid is longer.
const MAX_LEN: usize = 64;

/// The numbers that stand for ids and addresses, in the order in which they appeared. The numbers say nothing about
/// what they stand for, which a checksum would.
#[derive(Debug, Default)]
pub(crate) struct Pseudonyms {
    ids: HashMap<Box<[u8]>, usize>,
    addresses: Vec<IpAddr>,
}

impl Pseudonyms {
    /// Returns whether `id` has appeared.
    pub(crate) fn knows(&self, id: &[u8]) -> bool {
        self.ids.contains_key(id)
    }

    /// Returns the substitute of `id`, in `len` bytes: its number in base 36 with leading zeros.
    pub(crate) fn id(&mut self, id: &[u8], len: usize) -> Vec<u8> {
        let known = self.ids.len();
        let number = match self.ids.get(id) {
            Some(number) => *number,
            None if known < MAX_IDS && id.len() <= MAX_LEN => {
                self.ids.insert(id.into(), known + 1);
                known + 1
            }
            None => MAX_IDS + 1,
        };
        let mut rest = number;
        let mut text = vec![b'0'; len];
        for slot in text.iter_mut().rev() {
            *slot = char::from_digit((rest % 36) as u32, 36).map_or(b'0', |digit| digit as u8);
            rest /= 36;
        }
        text
    }

    /// As [`id`](Self::id), for text.
    pub(crate) fn name(&mut self, id: &str) -> String {
        String::from_utf8(self.id(id.as_bytes(), id.len())).unwrap_or_default()
    }

    /// Returns the substitute of `address`, in 192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24 or 2001:db8::/32.
    pub(crate) fn address(&mut self, address: IpAddr) -> IpAddr {
        let at = self.addresses.iter().position(|known| *known == address).unwrap_or_else(|| {
            if self.addresses.len() < MAX_ADDRESSES {
                self.addresses.push(address);
            }
            self.addresses.len() - 1
        });
        let host = u8::try_from(at % 250 + 1).unwrap_or(255);
        match address {
            IpAddr::V4(_) => IpAddr::V4(match at / 250 {
                0 => Ipv4Addr::new(192, 0, 2, host),
                1 => Ipv4Addr::new(198, 51, 100, host),
                _ => Ipv4Addr::new(203, 0, 113, host),
            }),
            IpAddr::V6(_) => {
                let number = u16::try_from(at + 1).unwrap_or(u16::MAX);
                IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, number))
            }
        }
    }
}
