//! Layout of 6699 frames (3.5).
//!
//! ```text
//! 0        4       6        10        14       18     30              end-20  end-4    end
//! | prefix | 00 00 | seqno  | command | length | IV   | ciphertext ... | tag   | suffix |
//!          |<------- authenticated ---------->|
//! ```
//! `length` counts IV, ciphertext and tag, but not the suffix.

use core::ops::Range;

pub(crate) const PREFIX: [u8; 4] = [0x00, 0x00, 0x66, 0x99];
pub(crate) const SUFFIX: [u8; 4] = [0x00, 0x00, 0x99, 0x66];

/// The associated data of the GCM: everything between prefix and IV.
#[cfg(feature = "v35")]
pub(crate) const AAD: Range<usize> = 4..18;
pub(crate) const SEQNO: Range<usize> = 6..10;
pub(crate) const COMMAND: Range<usize> = SEQNO.end..14;
pub(crate) const LENGTH: Range<usize> = COMMAND.end..18;
pub(crate) const IV: Range<usize> = LENGTH.end..30;
/// Offset of the ciphertext.
pub(crate) const BODY: usize = IV.end;

pub(crate) const IV_LEN: usize = 12;
pub(crate) const TAG_LEN: usize = 16;
/// The smallest value of the length field.
pub(crate) const MIN_LENGTH: usize = IV_LEN + TAG_LEN;
/// Size of tag and suffix, which follow the ciphertext.
pub(crate) const FOOTER: usize = TAG_LEN + SUFFIX.len();
