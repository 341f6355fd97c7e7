//! Keys, prepared once: AES round keys, GHASH tables, absorbed HMAC pads.

use core::fmt;

#[cfg(any(feature = "v31", feature = "v33", feature = "v34"))]
use aes::Aes128;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

#[cfg(feature = "v35")]
use super::gcm::Gcm;
use crate::version::{Scheme, Version};

/// A key prepared for one version: the local key, or the session key of one connection.
///
/// Building it costs about as much as several frames; build it once per connection. Wiped when dropped.
pub struct Keys {
    pub(super) version: Version,
    pub(super) schedule: Schedule,
}

pub(super) enum Schedule {
    #[cfg(feature = "v31")]
    Md5 { aes: Aes128, key: Zeroizing<[u8; 16]> },
    #[cfg(feature = "v33")]
    Ecb { aes: Aes128 },
    #[cfg(feature = "v34")]
    EcbHmac { aes: Aes128, hmac: Hmac<Sha256> },
    #[cfg(feature = "v35")]
    Gcm(Gcm),
    /// Version that this build leaves out: seals nothing and opens nothing.
    #[cfg(not(all(feature = "v31", feature = "v33", feature = "v34", feature = "v35")))]
    LeftOut,
}

impl Keys {
    /// Prepares `key` for `version`. Under keys for a version that this build [leaves out](Version::is_supported) no
    /// frame can be opened, and none can be sealed: [`NoRoom`](super::NoRoom) whatever the buffer.
    pub fn new(version: Version, key: &[u8; 16]) -> Self {
        let schedule = match version.scheme() {
            #[cfg(feature = "v31")]
            Scheme::PlainMd5 => Schedule::Md5 { aes: Aes128::new(key.into()), key: Zeroizing::new(*key) },
            #[cfg(feature = "v33")]
            Scheme::EcbOuterHeader => Schedule::Ecb { aes: Aes128::new(key.into()) },
            #[cfg(feature = "v34")]
            Scheme::EcbInnerHeader => Schedule::EcbHmac { aes: Aes128::new(key.into()), hmac: keyed_hmac(key) },
            #[cfg(feature = "v35")]
            Scheme::Gcm => Schedule::Gcm(Gcm::new(key)),
            #[cfg(not(all(feature = "v31", feature = "v33", feature = "v34", feature = "v35")))]
            _ => Schedule::LeftOut,
        };
        Self { version, schedule }
    }

    /// Returns the version that the key is prepared for.
    pub const fn version(&self) -> Version {
        self.version
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({}, ..)", self.version)
    }
}

/// Prepares HMAC-SHA-256 with a 16-byte key.
pub(crate) fn keyed_hmac(key: &[u8; 16]) -> Hmac<Sha256> {
    // A key shorter than the block is zero-padded to it (RFC 2104), which makes construction infallible.
    let mut block = Zeroizing::new([0u8; 64]);
    if let Some(front) = block.first_chunk_mut::<16>() {
        *front = *key;
    }
    Hmac::new((&*block).into())
}

/// Returns the HMAC-SHA-256 of `message` under `key`.
pub(crate) fn hmac_sha256(key: &[u8; 16], message: &[u8]) -> [u8; 32] {
    keyed_hmac(key).chain_update(message).finalize().into_bytes().into()
}

/// Returns whether two byte strings are equal, in time that depends only on their lengths.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}
