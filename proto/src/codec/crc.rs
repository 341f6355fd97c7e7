//! CRC-32 (IEEE), the footer of 55AA frames up to 3.3 and of announcements.

/// The checksum as it stands in the footer.
pub(crate) fn checksum(bytes: &[u8]) -> [u8; 4] {
    crc32fast::hash(bytes).to_be_bytes()
}
