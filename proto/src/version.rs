//! Protocol versions and what differs between them.

use core::fmt;
use core::str::FromStr;

/// Version of the Tuya LAN protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a new version is meant to be a list of compile errors")]
pub enum Version {
    /// Clear text, only controls and pushes encrypted.
    V31,
    /// As 3.3 with another header text; always speaks the device22 dialect.
    V32,
    /// AES-ECB under the local key, CRC-32.
    V33,
    /// Negotiated session key, AES-ECB, HMAC-SHA-256.
    V34,
    /// Negotiated session key, AES-GCM, 6699 frames.
    V35,
}

/// Encoding of payloads into frames: exactly the four that devices use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a new scheme is meant to be a list of compile errors")]
pub enum Scheme {
    /// 3.1: clear JSON; controls and pushes as `3.1`, an MD5 signature and base64 of AES-ECB. CRC-32.
    PlainMd5,
    /// 3.2 and 3.3: version header in front of AES-ECB. CRC-32.
    EcbOuterHeader,
    /// 3.4: version header inside AES-ECB. HMAC-SHA-256.
    EcbInnerHeader,
    /// 3.5: AES-GCM in 6699 frames.
    Gcm,
}

/// Set of requests that a device understands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "both dialects must be handled wherever requests are written")]
pub enum Dialect {
    /// Ordinary firmware: a query command returns the state.
    #[default]
    Default,
    /// Firmware that refuses the query and answers only a control whose DPs are all `null`.
    Device22,
}

impl Version {
    /// Every version, oldest first.
    pub const ALL: [Self; 5] = [Self::V31, Self::V32, Self::V33, Self::V34, Self::V35];

    /// Returns the encoding of frames of this version.
    pub const fn scheme(self) -> Scheme {
        match self {
            Self::V31 => Scheme::PlainMd5,
            Self::V32 | Self::V33 => Scheme::EcbOuterHeader,
            Self::V34 => Scheme::EcbInnerHeader,
            Self::V35 => Scheme::Gcm,
        }
    }

    /// Returns whether this build supports the version, which means that its cargo feature is on: `v31`, `v33` (3.2
    /// too), `v34` or `v35`, all of them by default.
    pub const fn is_supported(self) -> bool {
        match self {
            Self::V31 => cfg!(feature = "v31"),
            Self::V32 | Self::V33 => cfg!(feature = "v33"),
            Self::V34 => cfg!(feature = "v34"),
            Self::V35 => cfg!(feature = "v35"),
        }
    }

    /// True if this build has a single way to encode frames, so that no version has to be found out.
    pub(crate) const IS_ALONE: bool = cfg!(feature = "v31") as u8
        + cfg!(feature = "v33") as u8
        + cfg!(feature = "v34") as u8
        + cfg!(feature = "v35") as u8
        == 1;

    /// Returns `self`, which must be a [supported](Self::is_supported) version. In a build with a single version this
    /// is a constant, so that code for the others is not compiled.
    pub(crate) const fn narrowed(self) -> Self {
        let (v31, v33) = (cfg!(feature = "v31"), cfg!(feature = "v33"));
        match (v31, v33, cfg!(feature = "v34"), cfg!(feature = "v35")) {
            (true, false, false, false) => Self::V31,
            (false, false, true, false) => Self::V34,
            (false, false, false, true) => Self::V35,
            _ => self,
        }
    }

    /// True if this build has a version in which devices may use the [device22](Dialect::Device22) dialect. 3.5 has
    /// none: its firmware takes nulls for values.
    pub(crate) const ANY_DEVICE22: bool = !matches!(Self::V33.narrowed(), Self::V35);

    /// Returns whether a session key is negotiated before anything else is sent.
    pub const fn negotiates(self) -> bool {
        match self {
            Self::V31 | Self::V32 | Self::V33 => false,
            Self::V34 | Self::V35 => true,
        }
    }

    /// Returns the version as it appears on the wire, such as `3.3`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V31 => "3.1",
            Self::V32 => "3.2",
            Self::V33 => "3.3",
            Self::V34 => "3.4",
            Self::V35 => "3.5",
        }
    }

    /// Returns the dialect that this version always speaks, or `None` when the device decides.
    pub const fn fixed_dialect(self) -> Option<Dialect> {
        match self {
            Self::V32 => Some(Dialect::Device22),
            Self::V31 | Self::V33 | Self::V34 | Self::V35 => None,
        }
    }

    /// Returns whether frames of this version prove less than those of `least`. 3.2 and 3.3 prove the same.
    pub(crate) fn is_weaker_than(self, least: Self) -> bool {
        !Self::IS_ALONE && self < least && self.scheme() != least.scheme()
    }

    pub(crate) fn from_text(text: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|v| v.as_str().as_bytes() == text)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Version {
    type Err = UnknownVersion;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::from_text(s.as_bytes()).ok_or(UnknownVersion)
    }
}

/// Text is no version of the protocol. Use one of 3.1, 3.2, 3.3, 3.4 and 3.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing more to say")]
pub struct UnknownVersion;

impl fmt::Display for UnknownVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown protocol version: use one of 3.1, 3.2, 3.3, 3.4, 3.5")
    }
}

impl core::error::Error for UnknownVersion {}
