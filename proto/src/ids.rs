//! Names and keys of devices.

use core::fmt;
use core::str::FromStr;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(heapless::String<64, u8>);

        impl $name {
            /// Checks and copies `text`: 1 to 64 bytes of printable ASCII without `"` and `\`.
            ///
            /// # Errors
            /// [`InvalidId`] for any other text.
            pub fn new(text: &str) -> Result<Self, InvalidId> {
                let plain = |b: u8| b.is_ascii_graphic() && b != b'"' && b != b'\\';
                if text.is_empty() || !text.bytes().all(plain) {
                    return Err(InvalidId);
                }
                heapless::String::try_from(text).map(Self).map_err(|_| InvalidId)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(s: &str) -> Result<Self, Self::Err> {
                Self::new(s)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    };
}

text_id! {
    /// The id of a device (`devId`, `gwId`): usually 20 or 22 characters. Not a secret.
    DeviceId
}

text_id! {
    /// The id of a sub-device at its gateway (`cid`, in the vendor's cloud `node_id`). Opaque; for Zigbee children
    /// the 16 hex digits of the IEEE address.
    Cid
}

/// An id is not 1 to 64 bytes of printable ASCII without quotation marks and backslashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing more to say")]
pub struct InvalidId;

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id must be 1 to 64 printable ASCII characters without quotes, backslashes and spaces")
    }
}

impl core::error::Error for InvalidId {}

/// The number of a data point (DP). Firmware uses 1 to 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a plain number with a name")]
pub struct DpId(pub u16);

impl fmt::Display for DpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for DpId {
    type Err = core::num::ParseIntError;

    /// Reads a decimal number from 0 to 65535.
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        s.parse().map(Self)
    }
}

impl From<u16> for DpId {
    fn from(id: u16) -> Self {
        Self(id)
    }
}

/// The secret of one device: 16 bytes, issued by the vendor's cloud, new on every re-pairing.
///
/// Wiped when dropped, compared in constant time, absent from `Debug` output.
#[derive(Clone)]
pub struct LocalKey([u8; 16]);

impl Drop for LocalKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for LocalKey {}

impl LocalKey {
    /// The key with these raw bytes.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Reads the key as the cloud shows it: 16 characters, each standing for one byte (Latin-1). Punctuation in it
    /// belongs to the key and must not be escaped.
    ///
    /// # Errors
    /// [`InvalidKey`] when the text is not 16 characters up to U+00FF.
    pub fn from_text(text: &str) -> Result<Self, InvalidKey> {
        let mut key = Self([0; 16]);
        let mut chars = text.chars();
        for slot in &mut key.0 {
            let c = chars.next().ok_or(InvalidKey)?;
            *slot = u8::try_from(u32::from(c)).map_err(|_| InvalidKey)?;
        }
        if chars.next().is_some() { Err(InvalidKey) } else { Ok(key) }
    }

    /// The raw bytes. The caller keeps the copy secret and wipes it.
    pub const fn expose(&self) -> &[u8; 16] {
        &self.0
    }
}

impl PartialEq for LocalKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for LocalKey {}

impl fmt::Debug for LocalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalKey(..)")
    }
}

impl FromStr for LocalKey {
    type Err = InvalidKey;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::from_text(s)
    }
}

impl TryFrom<&[u8]> for LocalKey {
    type Error = InvalidKey;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        bytes.try_into().map(Self).map_err(|_| InvalidKey)
    }
}

/// A local key is not 16 bytes. Copy it again from the cloud or from `devices.json`, unescaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "saying more would describe a secret")]
pub struct InvalidKey;

impl fmt::Display for InvalidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a local key is exactly 16 characters: copy it again, unescaped")
    }
}

impl core::error::Error for InvalidKey {}
