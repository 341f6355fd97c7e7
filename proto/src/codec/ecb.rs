//! AES-128-ECB in place, and PKCS#7 padding.

use aes::Aes128;
use aes::cipher::array::Array;
use aes::cipher::{BlockCipherDecrypt as _, BlockCipherEncrypt as _};

use super::FrameError;

pub(crate) const BLOCK: usize = 16;

/// Returns the length of `len` bytes with PKCS#7 padding: always 1 to 16 more.
#[expect(clippy::arithmetic_side_effects, reason = "a remainder is smaller than its divisor")]
pub(crate) const fn padded(len: usize) -> usize {
    len.saturating_add(BLOCK - len % BLOCK)
}

/// Pads the first `len` bytes of `buf` to blocks and encrypts them; `None` when `buf` is too short.
#[cfg(any(feature = "v31", feature = "v33", feature = "v34"))]
#[expect(clippy::arithmetic_side_effects, reason = "a padded length is larger than the length")]
pub(super) fn encrypt(aes: &Aes128, buf: &mut [u8], len: usize) -> Option<usize> {
    let total = padded(len);
    let text = buf.get_mut(..total)?;
    let pad = u8::try_from(total - len).ok()?;
    text.get_mut(len..)?.fill(pad);
    let (blocks, _) = Array::slice_as_chunks_mut(text);
    aes.encrypt_blocks(blocks);
    Some(total)
}

/// Decrypts `text` in place and returns the length without padding.
///
/// Checks the padding of the last block before it changes any: on failure the ciphertext stays as it was.
pub(crate) fn decrypt(aes: &Aes128, text: &mut [u8]) -> Result<usize, FrameError> {
    let content = peek_padding(aes, text)?;
    let (blocks, _) = Array::slice_as_chunks_mut(text);
    aes.decrypt_blocks(blocks);
    Ok(content)
}

/// Returns the length of the content of the ciphertext `text`, from its last block alone.
#[expect(clippy::arithmetic_side_effects, reason = "the padding lies in the last block of the text")]
pub(super) fn peek_padding(aes: &Aes128, text: &[u8]) -> Result<usize, FrameError> {
    let last = last_block(aes, text).ok_or(FrameError::Padding)?;
    let pad = usize::from(*last.last().ok_or(FrameError::Padding)?);
    let padding = last.len().checked_sub(pad).and_then(|at| last.get(at..)).ok_or(FrameError::Padding)?;
    if pad == 0 || padding.iter().any(|b| usize::from(*b) != pad) {
        return Err(FrameError::Padding);
    }
    Ok(text.len() - pad)
}

/// Returns the last block of `text`, decrypted; `None` when `text` is not a positive number of blocks.
pub(crate) fn last_block(aes: &Aes128, text: &[u8]) -> Option<[u8; BLOCK]> {
    if !text.len().is_multiple_of(BLOCK) {
        return None;
    }
    let mut block = Array::from(*text.last_chunk::<BLOCK>()?);
    aes.decrypt_block(&mut block);
    Some(block.into())
}

/// Encrypts a single block without padding.
pub(crate) fn encrypt_block(key: &[u8; 16], block: [u8; BLOCK]) -> [u8; BLOCK] {
    use aes::cipher::KeyInit as _;
    let mut block = Array::from(block);
    Aes128::new(key.into()).encrypt_block(&mut block);
    block.into()
}
