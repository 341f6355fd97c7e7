//! AES-128-GCM in place. The only file that depends on a certain implementation.

use aes_gcm::Aes128Gcm;
use aes_gcm::aead::{AeadInOut as _, KeyInit as _};

use super::FrameError;

/// A prepared AES-128-GCM key.
pub(super) struct Gcm(Aes128Gcm);

impl Gcm {
    pub(super) fn new(key: &[u8; 16]) -> Self {
        Self(Aes128Gcm::new(key.into()))
    }

    /// Encrypts `text` in place and returns the tag. Fails only for texts beyond 64 GiB.
    pub(super) fn seal(&self, iv: &[u8; 12], aad: &[u8], text: &mut [u8]) -> Result<[u8; 16], FrameError> {
        match self.0.encrypt_inout_detached(iv.into(), aad, text.into()) {
            Ok(tag) => Ok(tag.into()),
            Err(_) => Err(FrameError::Malformed),
        }
    }

    /// Checks the tag, then decrypts `text` in place. On failure `text` keeps its ciphertext.
    pub(super) fn open(&self, iv: &[u8; 12], aad: &[u8], text: &mut [u8], tag: &[u8; 16]) -> Result<(), FrameError> {
        self.0.decrypt_inout_detached(iv.into(), aad, text.into(), tag.into()).map_err(|_| FrameError::Integrity)
    }
}
