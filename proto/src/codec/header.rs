//! The 15-byte version header in front of some payloads, 3.2 and later.

use crate::version::Version;

/// Version header: the version as text and three numbers that LAN firmware does not check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VersionHeader {
    /// `3.x` in ASCII. The digit need not be that of the connection.
    pub text: [u8; 3],
    /// CRC-32; zero on the LAN.
    pub crc: u32,
    /// Report counter of the device; zero from controllers.
    pub sequence: u32,
    /// "Command from": 1 from devices, zero from controllers.
    pub source: u32,
}

impl VersionHeader {
    /// Size on the wire.
    pub const LEN: usize = 15;

    /// Returns the header that a controller sends: everything but the text is zero.
    pub fn controller(version: Version) -> Self {
        let text = version.as_str().as_bytes().first_chunk().copied().unwrap_or(*b"3.3");
        Self { text, crc: 0, sequence: 0, source: 0 }
    }

    /// Returns the header of a device's report number `sequence`.
    pub fn device(version: Version, sequence: u32) -> Self {
        Self { sequence, source: 1, ..Self::controller(version) }
    }

    /// Returns the version that the text names, if there is one.
    pub fn version(&self) -> Option<Version> {
        Version::from_text(&self.text)
    }

    /// Returns the header on the wire.
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let [t0, t1, t2] = self.text;
        let [c0, c1, c2, c3] = self.crc.to_be_bytes();
        let [n0, n1, n2, n3] = self.sequence.to_be_bytes();
        let [s0, s1, s2, s3] = self.source.to_be_bytes();
        [t0, t1, t2, c0, c1, c2, c3, n0, n1, n2, n3, s0, s1, s2, s3]
    }

    /// Recognises a header by its content: `3.` and a digit, at least 15 bytes in all.
    pub fn at_front_of(payload: &[u8]) -> Option<Self> {
        let bytes = payload.first_chunk::<{ Self::LEN }>()?;
        let (text, numbers) = bytes.split_first_chunk::<3>()?;
        let [b'3', b'.', b'0'..=b'9'] = text else {
            return None;
        };
        let mut numbers = numbers.chunks_exact(4).map(|n| crate::wire::be32(n).unwrap_or_default());
        let mut next = || numbers.next().unwrap_or_default();
        Some(Self { text: *text, crc: next(), sequence: next(), source: next() })
    }
}
