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

            /// Returns the text as given.
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

/// Text is no id: not 1 to 64 bytes of printable ASCII without quotation marks and backslashes.
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

/// Secret of one device: 16 bytes, issued by the vendor's cloud, new on every re-pairing.
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
    /// Returns the key with these raw bytes.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Reads the key as the cloud shows it: 16 characters, each standing for one byte (Latin-1). Punctuation in it
    /// belongs to the key and must not be escaped.
    ///
    /// # Errors
    /// [`InvalidKey`] when the text is not 16 characters up to U+00FF.
    pub fn from_text(text: &str) -> Result<Self, InvalidKey> {
        let len = text.chars().count();
        if len != 16 {
            let escaped = is_escaped(text.as_bytes());
            return Err(if escaped { InvalidKey::Escaped { len } } else { InvalidKey::Length { len } });
        }
        let mut key = Self([0; 16]);
        for ((slot, c), at) in key.0.iter_mut().zip(text.chars()).zip(1..) {
            *slot = u8::try_from(u32::from(c)).map_err(|_| InvalidKey::Character { at })?;
        }
        Ok(key)
    }

    /// Returns the raw bytes. The caller keeps the copy secret and wipes it.
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
        bytes.try_into().map(Self).map_err(|_| InvalidKey::Length { len: bytes.len() })
    }
}

/// Returns whether there is an HTML entity in the text, such as `&amp;` or `&#39;`.
fn is_escaped(text: &[u8]) -> bool {
    text.split(|byte| *byte == b'&').skip(1).any(|after| {
        let name = after.split(|byte| *byte == b';').next().unwrap_or_default();
        let ends = name.len() < after.len() && (2..=6).contains(&name.len());
        ends && match name.strip_prefix(b"#") {
            Some(number) => number.iter().all(u8::is_ascii_hexdigit) || matches!(number, [b'x' | b'X', ..]),
            None => name.iter().all(u8::is_ascii_alphabetic),
        }
    })
}

/// Text is no local key. Contains the length of the text and nothing else about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidKey {
    /// It is not 16 characters, or not 16 bytes.
    Length {
        /// Number of characters or bytes.
        len: usize,
    },
    /// It is not 16 characters because characters in it are written as HTML entities, such as `&amp;` for `&`.
    Escaped {
        /// Number of characters, entities included.
        len: usize,
    },
    /// It is 16 characters, but one of them is above U+00FF, which keys never hold: typed wrongly, or put there by an
    /// editor that replaces quotation marks and dashes.
    Character {
        /// Position of the character, from 1.
        at: usize,
    },
}

impl fmt::Display for InvalidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { len } => {
                write!(f, "a local key is exactly 16 characters, and this is {len}: copy it again, unescaped")
            }
            Self::Escaped { len } => write!(
                f,
                "a local key is exactly 16 characters, and this is {len} because it is HTML-escaped: write & for \
                 &amp;, < for &lt;, > for &gt;, \" for &quot; and ' for &#39;"
            ),
            Self::Character { at } => write!(
                f,
                "a local key is exactly 16 characters, and character {at} of this is one that no key holds: copy it \
                 again, and mind editors that replace quotation marks and dashes"
            ),
        }
    }
}

impl core::error::Error for InvalidKey {}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::ToString as _;

    use super::*;

    #[test]
    fn errors_of_keys_contain_the_length() {
        for (text, len) in [("", 0), ("0123456789abcde", 15), ("0123456789abcdef\n", 17), ("0123456789abcde\\\"", 17)] {
            assert_eq!(LocalKey::from_text(text), Err(InvalidKey::Length { len }), "{text}");
        }
        // Sixteen characters are a key, whatever they look like, and an ampersand alone escapes nothing.
        for text in ["a&amp;bcdefghijk", "0123456789abcde\u{e9}"] {
            assert!(LocalKey::from_text(text).is_ok(), "{text}");
        }
        for text in
            ["0123456789abcd&", "0123456789&a;bcdef", "0123456789&abcdefg;", "&;&;&;&;&;", "amp;0123456789abcdef"]
        {
            let len = text.len();
            assert_eq!(LocalKey::from_text(text), Err(InvalidKey::Length { len }), "{text}");
        }
        assert_eq!(LocalKey::from_text("0123456789abcd\u{2019}f"), Err(InvalidKey::Character { at: 15 }));
        let bytes: &[u8] = &[0; 17];
        assert_eq!(LocalKey::try_from(bytes), Err(InvalidKey::Length { len: 17 }));
    }

    #[test]
    fn html_entities_in_a_key_are_named() {
        for entity in ["&amp;", "&lt;", "&gt;", "&quot;", "&apos;", "&#39;", "&#039;", "&#x27;", "&#34;", "&nbsp;"] {
            let text = std::format!("0123456{entity}9abcdef");
            let len = 14 + entity.len();
            let expected = if len == 16 { None } else { Some(InvalidKey::Escaped { len }) };
            assert_eq!(LocalKey::from_text(&text).err(), expected, "{entity}");
        }
        let told = InvalidKey::Escaped { len: 20 }.to_string();
        assert!(told.contains("HTML") && told.contains("20") && told.contains("&amp;"), "{told}");
    }
}
