//! CRC-32 (IEEE), the footer of 55AA frames up to 3.3 and of announcements.

/// Returns the checksum as it stands in the footer.
#[cfg(feature = "std")]
pub(crate) fn checksum(bytes: &[u8]) -> [u8; 4] {
    crc32fast::hash(bytes).to_be_bytes()
}

/// Returns the checksum as it stands in the footer. Uses no table, which would be larger than all of the codec.
#[cfg(not(feature = "std"))]
pub(crate) fn checksum(bytes: &[u8]) -> [u8; 4] {
    const CRC: crc::Crc<u32, crc::NoTable> = crc::Crc::<u32, crc::NoTable>::new(&crc::CRC_32_ISO_HDLC);
    CRC.checksum(bytes).to_be_bytes()
}
