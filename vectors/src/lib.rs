#![doc = include_str!("../README.md")]

use std::sync::LazyLock;

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Protocol version of a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
pub enum Version {
    /// 3.1
    #[serde(rename = "3.1")]
    V31,
    /// 3.2
    #[serde(rename = "3.2")]
    V32,
    /// 3.3
    #[serde(rename = "3.3")]
    V33,
    /// 3.4
    #[serde(rename = "3.4")]
    V34,
    /// 3.5
    #[serde(rename = "3.5")]
    V35,
}

impl Version {
    /// The version as announcements and version headers spell it, `"3.1"` to `"3.5"`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V31 => "3.1",
            Self::V32 => "3.2",
            Self::V33 => "3.3",
            Self::V34 => "3.4",
            Self::V35 => "3.5",
        }
    }
}

/// Request dialect of the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DevType {
    /// Answers ordinary queries.
    Default,
    /// Answers only a control command that holds a map of nulls.
    Device22,
}

/// Sender of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Controller to device.
    Client,
    /// Device to controller.
    Device,
}

/// Transport of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// The command connection.
    Tcp,
    /// One discovery datagram.
    Udp,
}

/// The key that protects the payload of a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyUsed {
    /// The device's local key.
    Local,
    /// The key negotiated for the connection.
    Session,
    /// The public discovery key.
    Udp,
    /// The payload is clear or empty.
    None,
}

/// Encoding of bytes in the text `payload`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// The UTF-8 bytes of the text.
    Text,
    /// Hex digits.
    Hex,
}

/// Kind of the bytes of a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A whole frame, or a whole datagram.
    #[default]
    Frame,
    /// Only the bytes between return code and footer.
    Body,
}

/// The reason for which a negative vector is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expect {
    /// CRC, HMAC or GCM tag is wrong.
    Integrity,
    /// The closing magic is wrong.
    Suffix,
    /// The length field is out of range.
    Length,
    /// The opening magic is wrong.
    Prefix,
    /// The frame authenticates, its PKCS#7 padding is wrong.
    Padding,
    /// The frame authenticates, the proof inside is wrong.
    Handshake,
}

/// One frame or datagram and what it means.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vector {
    /// Unique name, `v<version>/<group>/<what>` or `udp<port>/v<version>/<what>`.
    pub name: String,
    /// Protocol version.
    pub version: Version,
    /// Request dialect.
    pub dev_type: DevType,
    /// Sender.
    pub direction: Direction,
    /// Connection or datagram.
    pub transport: Transport,
    /// Destination port of a datagram.
    pub udp_port: Option<u16>,
    /// Local key, or the discovery key for datagrams, in hex.
    pub local_key_hex: Option<String>,
    /// Session key in force, in hex; on a FINISH frame, the key derived from it.
    pub session_key_hex: Option<String>,
    /// Key that protects the payload.
    pub key_used: KeyUsed,
    /// Sequence number; `None` without a frame.
    pub seqno: Option<u32>,
    /// Command; `None` without a frame.
    pub cmd: Option<u32>,
    /// Return code, read big-endian; `None` when the frame has none.
    pub retcode: Option<u32>,
    /// Nonce of a 6699 frame, in hex.
    pub iv_hex: Option<String>,
    /// The 15 bytes of the version header, in hex.
    pub header_hex: Option<String>,
    /// Payload without return code, version header, padding and encryption.
    pub payload: String,
    /// Encoding of `payload`.
    pub payload_encoding: Encoding,
    /// The bytes on the wire, in hex.
    pub frame_hex: String,
    /// Remark.
    pub note: Option<String>,
    /// Kind of the bytes of `frame_hex`: a frame, or only a body.
    #[serde(default)]
    pub kind: Kind,
    /// Origin of a captured vector.
    #[serde(default)]
    pub source: Option<String>,
}

impl Vector {
    /// The bytes on the wire.
    #[must_use]
    pub fn frame(&self) -> Vec<u8> {
        unhex(&self.name, &self.frame_hex)
    }

    /// The payload as bytes.
    #[must_use]
    pub fn payload_bytes(&self) -> Vec<u8> {
        match self.payload_encoding {
            Encoding::Text => self.payload.clone().into_bytes(),
            Encoding::Hex => unhex(&self.name, &self.payload),
        }
    }

    /// The local key, or the discovery key of a datagram.
    #[must_use]
    pub fn local_key(&self) -> Option<[u8; 16]> {
        array(&self.name, self.local_key_hex.as_deref())
    }

    /// The session key in force or, on FINISH frames, derived.
    #[must_use]
    pub fn session_key(&self) -> Option<[u8; 16]> {
        array(&self.name, self.session_key_hex.as_deref())
    }

    /// The nonce of a 6699 frame.
    #[must_use]
    pub fn iv(&self) -> Option<[u8; 12]> {
        array(&self.name, self.iv_hex.as_deref())
    }

    /// The version header.
    #[must_use]
    pub fn header(&self) -> Option<[u8; 15]> {
        array(&self.name, self.header_hex.as_deref())
    }
}

/// A frame that must be refused.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Negative {
    /// Unique name, `v<version>/<what is wrong>`.
    pub name: String,
    /// Protocol version of the connection.
    pub version: Version,
    /// Sender.
    pub direction: Direction,
    /// Local key, in hex.
    pub local_key_hex: String,
    /// Session key that the receiver holds, in hex.
    pub session_key_hex: Option<String>,
    /// The bytes on the wire, in hex.
    pub frame_hex: String,
    /// Reason for the refusal of the frame.
    pub expect: Expect,
    /// Remark.
    pub note: Option<String>,
}

impl Negative {
    /// The bytes on the wire.
    #[must_use]
    pub fn frame(&self) -> Vec<u8> {
        unhex(&self.name, &self.frame_hex)
    }

    /// The local key.
    #[must_use]
    pub fn local_key(&self) -> [u8; 16] {
        fixed(&self.name, &self.local_key_hex)
    }

    /// The session key that the receiver holds.
    #[must_use]
    pub fn session_key(&self) -> Option<[u8; 16]> {
        array(&self.name, self.session_key_hex.as_deref())
    }
}

/// A byte stream in chunks, and the frames in it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamCase {
    /// Unique name.
    pub name: String,
    /// Protocol version of the connection.
    pub version: Version,
    /// Local key, in hex.
    pub local_key_hex: String,
    /// Session key in force, in hex.
    pub session_key_hex: Option<String>,
    /// Reads in order, in hex.
    pub chunks_hex: Vec<String>,
    /// Names of the vectors that come out, in order.
    pub expect_frames: Vec<String>,
    /// Remark.
    pub note: Option<String>,
}

impl StreamCase {
    /// The reads in order.
    pub fn chunks(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        self.chunks_hex.iter().map(|text| unhex(&self.name, text))
    }

    /// The whole stream.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.chunks().flatten().collect()
    }

    /// The vectors that come out, in order.
    ///
    /// # Panics
    /// If the case names a vector that does not exist.
    pub fn frames(&self) -> impl Iterator<Item = &'static Vector> + '_ {
        self.expect_frames.iter().map(|name| by_name(name).unwrap_or_else(|| panic!("{}: no vector {name}", self.name)))
    }

    /// The local key.
    #[must_use]
    pub fn local_key(&self) -> [u8; 16] {
        fixed(&self.name, &self.local_key_hex)
    }

    /// The session key in force.
    #[must_use]
    pub fn session_key(&self) -> Option<[u8; 16]> {
        array(&self.name, self.session_key_hex.as_deref())
    }
}

/// The vectors made with tinytuya.
#[must_use]
pub fn tinytuya() -> &'static [Vector] {
    static ALL: LazyLock<Vec<Vector>> = LazyLock::new(|| parse("tinytuya.json", include_str!("../tinytuya.json")));
    &ALL
}

/// The vectors recorded from devices or published by others.
#[must_use]
pub fn captured() -> &'static [Vector] {
    static ALL: LazyLock<Vec<Vector>> = LazyLock::new(|| parse("captured.json", include_str!("../captured.json")));
    &ALL
}

/// The frames that must be refused.
#[must_use]
pub fn negatives() -> &'static [Negative] {
    static ALL: LazyLock<Vec<Negative>> = LazyLock::new(|| parse("negative.json", include_str!("../negative.json")));
    &ALL
}

/// The reassembly cases.
#[must_use]
pub fn streams() -> &'static [StreamCase] {
    static ALL: LazyLock<Vec<StreamCase>> = LazyLock::new(|| parse("streams.json", include_str!("../streams.json")));
    &ALL
}

/// The vector with this name, of whatever origin.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Vector> {
    tinytuya().iter().chain(captured()).find(|vector| vector.name == name)
}

fn parse<T: DeserializeOwned>(file: &str, text: &str) -> Vec<T> {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("vectors/{file}: {error}"))
}

fn unhex(name: &str, text: &str) -> Vec<u8> {
    hex::decode(text).unwrap_or_else(|error| panic!("vector {name}: {error} in {text}"))
}

fn fixed<const N: usize>(name: &str, text: &str) -> [u8; N] {
    unhex(name, text).try_into().unwrap_or_else(|_| panic!("vector {name}: {text} is not {N} bytes long"))
}

fn array<const N: usize>(name: &str, text: Option<&str>) -> Option<[u8; N]> {
    text.map(|text| fixed(name, text))
}

#[cfg(test)]
mod tests;
