//! Properties of the virtual devices: all follow from the index, so that server and clients agree without
//! communication.

use core::net::Ipv4Addr;

use anyhow::{Context as _, Result};
use rustuya_proto::LocalKey;

/// Number of devices beyond the fleet, for the raw sockets.
pub(crate) const EXTRA: usize = 8;

/// Largest number of devices within 127.1.0.0/16.
pub(crate) const MAX_DEVICES: usize = 0xFFFF - EXTRA;

/// Factor between number and local key; it gives neighbouring numbers different digits everywhere. `job.py` of the
/// Python benchmark has it, too.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// Virtual device.
#[derive(Clone, Debug)]
pub(crate) struct VirtualDevice {
    /// Id: `fleet` and the index.
    pub(crate) id: String,
    /// Local key: 16 characters.
    pub(crate) key: String,
    /// Address of its own, by which the server selects the device.
    pub(crate) address: Ipv4Addr,
}

impl VirtualDevice {
    /// Creates device number `index`, below [`MAX_DEVICES`].
    pub(crate) fn new(index: usize) -> Self {
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let [_, _, high, low] = number.to_be_bytes();
        Self {
            id: format!("fleet{index:017}"),
            key: format!("{:016x}", u64::from(number).wrapping_mul(SPREAD)),
            address: Ipv4Addr::new(127, 1, high, low),
        }
    }

    /// Returns the index of the device at `address`.
    pub(crate) const fn index_of(address: Ipv4Addr) -> Option<usize> {
        let [127, 1, high, low] = address.octets() else {
            return None;
        };
        (u16::from_be_bytes([high, low]) as usize).checked_sub(1)
    }

    pub(crate) fn local_key(&self) -> Result<LocalKey> {
        LocalKey::from_text(&self.key).context("the key of a virtual device")
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_DEVICES, VirtualDevice};

    #[test]
    fn every_device_has_names_of_its_own() {
        let mut seen = std::collections::HashSet::new();
        for index in [0, 1, 254, 255, 256, 9_999, MAX_DEVICES - 1] {
            let device = VirtualDevice::new(index);
            assert_eq!(VirtualDevice::index_of(device.address), Some(index));
            assert!(rustuya_proto::DeviceId::new(&device.id).is_ok() && device.local_key().is_ok());
            assert!(seen.insert(device.id) && seen.insert(device.key));
        }
    }
}
