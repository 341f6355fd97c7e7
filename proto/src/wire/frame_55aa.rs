//! Layout of 55AA frames (3.1 to 3.4, and most announcements).
//!
//! ```text
//! 0        4        8        12       16           16 or 20        end-8 / end-36    end-4   end
//! | prefix | seqno  | command| length | [retcode]  | payload ...   | CRC-32 / HMAC   | suffix |
//! ```
//! `length` counts from offset 16 to the end, footer and suffix included.

use core::ops::Range;

pub(crate) const PREFIX: [u8; 4] = [0x00, 0x00, 0x55, 0xaa];
pub(crate) const SUFFIX: [u8; 4] = [0x00, 0x00, 0xaa, 0x55];

pub(crate) const SEQNO: Range<usize> = 4..8;
pub(crate) const COMMAND: Range<usize> = SEQNO.end..12;
pub(crate) const LENGTH: Range<usize> = COMMAND.end..16;
/// Offset of the body (return code and payload).
pub(crate) const BODY: usize = LENGTH.end;

/// Footer with a CRC-32: the CRC and the suffix.
pub(crate) const CRC_FOOTER: usize = 8;
/// Footer with an HMAC-SHA-256: the code and the suffix.
pub(crate) const HMAC_FOOTER: usize = 36;
