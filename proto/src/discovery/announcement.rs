//! Decoding and encoding of one discovery datagram, of any port and framing.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr};
use core::ops::Range;

use aes::Aes128;
use aes::cipher::KeyInit as _;

use crate::codec::{Head, Keys, NoRoom, Sender, ecb, open, open_clear, seal_body};
use crate::json::{Object, Text, Value, Writer};
use crate::version::{Scheme, Version};
use crate::wire::command::{CommandCode, RetCode};
use crate::wire::{FrameError, FrameKind, frame_kind};
#[cfg(feature = "emulator")]
use crate::wire::{be32, frame_6699};

/// Content of a discovery datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "both roles must look at both directions")]
pub enum Datagram<'a> {
    /// A device announces itself.
    Announcement(Announcement<'a>),
    /// A client asks devices to announce themselves: another program, or this one.
    InfoRequest {
        /// Address of the answer, to UDP 7000; `None` if the request has no IPv4 address and cannot be answered.
        ip: Option<Ipv4Addr>,
    },
}

impl<'a> Datagram<'a> {
    /// Decodes a datagram of any port in place: 6699 frames, 55AA frames with clear or encrypted text, both kinds of
    /// text without a frame, and the beacon of a device that waits to be paired. The bytes of `datagram` have no
    /// meaning afterwards.
    ///
    /// Its content is not proven: the keys of discovery are public.
    ///
    /// # Errors
    /// The datagram is not one of this protocol, or has no device id.
    pub fn decode(datagram: &'a mut [u8]) -> Result<Self, AnnouncementError> {
        let beacon = is_beacon(datagram);
        let text = find_text(datagram, beacon)?;
        let datagram: &'a [u8] = datagram;
        parse(datagram.get(text).unwrap_or_default(), beacon)
    }
}

/// Announcement of a device. None of it is proven, and only the id is always there.
///
/// Decoded texts are 1 to 64 printable ASCII characters without space, quotation mark and backslash; other texts are
/// dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Announcement<'a> {
    /// Device id (`gwId`), valid for [`DeviceId::new`](crate::DeviceId::new). Before activation, and in beacons without
    /// an id, the uuid.
    pub id: &'a str,
    /// Address of the device, as the device knows it.
    pub ip: Option<Ipv4Addr>,
    /// Protocol version: 3.1 if the datagram has none, `None` if it is one that this crate does not know.
    pub version: Option<Version>,
    /// Product id. Not a secret.
    pub product_key: Option<&'a str>,
    /// Hardware id; 3.5 firmware sends it.
    pub uuid: Option<&'a str>,
    /// 2 when the device is activated, 0 when not.
    pub active: Option<i64>,
    /// True if the device encrypts.
    pub encrypt: Option<bool>,
    /// Setup state.
    pub token: Option<bool>,
    /// Setup state.
    pub wf_cfg: Option<bool>,
    /// Cloud security level (`sl`), 0 to 3; 3.5 firmware sends it.
    pub security_level: Option<i64>,
    /// `clientLink`; 3.5 firmware sends it, 3 was seen.
    pub client_link: Option<i64>,
    /// True if this is the beacon of a device that waits to be paired over its own access point. Such a device takes no
    /// commands.
    pub beacon: bool,
}

impl<'a> Announcement<'a> {
    /// Creates the announcement of an activated device of `version`, without product key and uuid: set their fields.
    pub const fn new(id: &'a str, ip: Ipv4Addr, version: Version) -> Self {
        let (setup, later) = match version {
            Version::V31 | Version::V32 => (None, None),
            Version::V33 | Version::V34 => (Some(true), None),
            Version::V35 => (Some(true), Some((0, 3))),
        };
        let (security_level, client_link) = match later {
            Some((level, link)) => (Some(level), Some(link)),
            None => (None, None),
        };
        Self {
            id,
            ip: Some(ip),
            version: Some(version),
            product_key: None,
            uuid: None,
            active: Some(2),
            encrypt: Some(true),
            token: setup,
            wf_cfg: setup,
            security_level,
            client_link,
            beacon: false,
        }
    }

    /// Returns whether the device waits to be paired: this is the beacon, or the device is not activated.
    pub const fn is_unpaired(&self) -> bool {
        self.beacon || matches!(self.active, Some(0))
    }

    /// Returns the address of the device, for a datagram from `source`: the announced address, or else that of the
    /// sender.
    ///
    /// # Errors
    /// [`NoHost`] when that is not the address of a single IPv4 host.
    pub fn origin(&self, source: IpAddr) -> Result<Origin, NoHost> {
        let source = source.to_canonical();
        let address = match (self.ip, source) {
            (Some(named), _) => named,
            (None, IpAddr::V4(from)) => from,
            (None, IpAddr::V6(_)) => return Err(NoHost),
        };
        let [first, ..] = address.octets();
        // 0.0.0.0/8 is "this network", from 224 on there are multicast and reserved addresses.
        if !(1..224).contains(&first) {
            return Err(NoHost);
        }
        Ok(Origin { address, relayed_by: (source != IpAddr::V4(address)).then_some(source) })
    }

    /// Writes the datagram that a device of this version sends to `out` and returns its size: a clear 55AA frame for
    /// 3.1, an encrypted one for 3.2 to 3.4, a 6699 frame for 3.5 and for beacons. Fields are in firmware order; those that are
    /// `None` are left out. `iv` is used by 3.5 only; it must be fresh.
    ///
    /// # Errors
    /// [`NoRoom`] when `out` is too small; 512 bytes are enough for ordinary ids.
    pub fn write(&self, iv: &[u8; 12], out: &mut [u8]) -> Result<usize, NoRoom> {
        let version = self.version.unwrap_or(Version::V31);
        let key = if self.beacon { &PAIRING_KEY } else { &UDP_KEY };
        let (keys_of, command) = match version.scheme() {
            _ if self.beacon => (Version::V35, BEACON),
            Scheme::PlainMd5 => (Version::V31, CommandCode::UDP),
            // 3.4 devices announce themselves with a CRC, as if they were 3.3.
            Scheme::EcbOuterHeader | Scheme::EcbInnerHeader => (Version::V33, CommandCode::UDP_NEW),
            Scheme::Gcm => (Version::V35, CommandCode::UDP_NEW),
        };
        let head = Head { sender: Sender::Device, seqno: 0, command, retcode: Some(RetCode::OK), header: None };
        let keys = Keys::new(keys_of, key);
        seal_body(&keys, &head, iv, out, |w| self.write_json(version, w))
    }

    fn write_json(&self, version: Version, w: &mut Writer<'_>) {
        let mut fields = Fields { w, count: 0 };
        fields.w.byte(b'{');
        if let Some(ip) = self.ip {
            fields.key("ip");
            write_ip(ip, fields.w);
        }
        fields.text("gwId", Some(self.id));
        fields.text("uuid", self.uuid);
        fields.number("active", self.active);
        if version == Version::V31 {
            fields.number("ability", Some(0));
            fields.number("mode", Some(0));
        } else {
            // The misspelling is what firmware sends.
            fields.number("ablilty", Some(0));
        }
        fields.flag("encrypt", self.encrypt);
        fields.text("productKey", self.product_key);
        fields.text("version", self.version.map(Version::as_str));
        fields.flag("token", self.token);
        fields.flag("wf_cfg", self.wf_cfg);
        fields.number("sl", self.security_level);
        fields.number("clientLink", self.client_link);
        fields.w.byte(b'}');
    }
}

/// Address of an announced device, and sender of the announcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Origin {
    /// Address of the device.
    pub address: Ipv4Addr,
    /// Sender, if it is not the device itself: a relay, a container's bridge, or a forger.
    pub relayed_by: Option<IpAddr>,
}

/// The announced address is not one that a single IPv4 host can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing more to say")]
pub struct NoHost;

impl fmt::Display for NoHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the announced address is not that of a single host")
    }
}

impl core::error::Error for NoHost {}

/// Size of the largest info request, in bytes.
pub const MAX_PROBE: usize = 87;

/// Writes the request that makes 3.5 devices announce themselves to `ip`:7000, and returns its size, at most
/// [`MAX_PROBE`]. `iv` must be fresh.
///
/// # Errors
/// [`NoRoom`] when `out` is too small.
pub fn write_probe(ip: Ipv4Addr, iv: &[u8; 12], out: &mut [u8]) -> Result<usize, NoRoom> {
    let head =
        Head { sender: Sender::Controller, seqno: 0, command: CommandCode::REQ_DEVINFO, retcode: None, header: None };
    let keys = Keys::new(Version::V35, &UDP_KEY);
    seal_body(&keys, &head, iv, out, |w| {
        w.text(r#"{"from":"app","ip":"#);
        write_ip(ip, w);
        w.byte(b'}');
    })
}

/// Request for announcements, as devices of 3.5 read it on UDP 7000.
#[cfg(feature = "emulator")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Probe {
    /// Address of the answer, to UDP 7000.
    pub ip: Ipv4Addr,
}

#[cfg(feature = "emulator")]
impl Probe {
    /// Decodes a datagram in place. Returns `None` for one that a device does not answer: it needs a valid 6699 frame
    /// of the right command, with an `ip` and any `from`. The bytes of `datagram` have no meaning afterwards.
    pub fn decode(datagram: &mut [u8]) -> Option<Self> {
        let command = datagram.get(frame_6699::COMMAND).and_then(be32)?;
        if frame_kind(datagram) != Some(FrameKind::F6699) || CommandCode(command) != CommandCode::REQ_DEVINFO {
            return None;
        }
        let text = find_text(datagram, false).ok()?;
        let (mut ip, mut has_from) = (None, false);
        let mut object = Object::new(datagram.get(text).unwrap_or_default())?;
        for (key, value) in &mut object {
            if key.is("ip") {
                ip = plain(&value).and_then(|ip| ip.parse().ok());
            }
            has_from |= key.is("from");
        }
        ip.filter(|_| has_from && object.is_closed()).map(|ip| Self { ip })
    }
}

/// Reason why a datagram announces no device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnnouncementError {
    /// It is not framed or encrypted like a discovery datagram: it is from another protocol, or damaged.
    Frame(FrameError),
    /// The frame is intact, but its content is not a JSON object.
    NotJson,
    /// It has no valid device id (`gwId`).
    NoId,
}

impl fmt::Display for AnnouncementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Frame(_) => "not a discovery datagram",
            Self::NotJson => "the datagram does not hold a JSON object",
            Self::NoId => "the datagram names no device (gwId)",
        })
    }
}

impl core::error::Error for AnnouncementError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Frame(error) => Some(error),
            Self::NotJson | Self::NoId => None,
        }
    }
}

impl From<FrameError> for AnnouncementError {
    fn from(error: FrameError) -> Self {
        Self::Frame(error)
    }
}

/// Returns whether the command is that of a beacon.
fn is_beacon(datagram: &[u8]) -> bool {
    frame_kind(datagram) == Some(FrameKind::F6699) && datagram.get(10..14) == Some(&BEACON.0.to_be_bytes())
}

/// Decrypts `datagram` in place, and returns the range of its JSON.
#[expect(clippy::arithmetic_side_effects, reason = "the NULs that are counted lie in the text")]
fn find_text(datagram: &mut [u8], beacon: bool) -> Result<Range<usize>, AnnouncementError> {
    let mut text = match frame_kind(datagram) {
        Some(FrameKind::F6699) => {
            let keys = Keys::new(Version::V35, if beacon { &PAIRING_KEY } else { &UDP_KEY });
            // `Sender::Device` removes a return code if there is one; requests have none.
            open(&keys, Sender::Device, datagram)?.payload
        }
        Some(FrameKind::F55aa) => {
            let body = open_clear(datagram)?.payload;
            open_text(datagram, body)?
        }
        None if datagram.is_empty() => return Err(FrameError::Prefix.into()),
        None => {
            let body = 0..datagram.len();
            open_text(datagram, body).map_err(|error| match error {
                // Neither a frame nor ciphertext: not of this protocol.
                FrameError::Padding => FrameError::Prefix,
                other => other,
            })?
        }
    };
    // The vendor's app pads with NULs (vector `udp7000/v3.5/app-request-nul-padded`).
    let held = datagram.get(text.clone()).unwrap_or_default();
    let nuls = held.iter().rev().take_while(|b| **b == 0).count();
    text.end -= nuls;
    Ok(text)
}

/// Decrypts the body at `at` unless it is clear JSON.
#[expect(clippy::arithmetic_side_effects, reason = "the clear text is no longer than the ciphertext that lies there")]
fn open_text(datagram: &mut [u8], at: Range<usize>) -> Result<Range<usize>, FrameError> {
    let body = datagram.get_mut(at.clone()).ok_or(FrameError::Length)?;
    if body.first() == Some(&b'{') {
        return Ok(at);
    }
    for key in [&UDP_KEY, &OTHER_UDP_KEY] {
        let aes = Aes128::new(key.into());
        let front = body.get(..ecb::BLOCK).ok_or(FrameError::Padding)?;
        // A wrong key gives valid padding once in 256, and decrypting in place cannot be undone.
        let fits = ecb::last_block(&aes, front).is_some_and(|block| block.first() == Some(&b'{'));
        if fits && let Ok(len) = ecb::decrypt(&aes, body) {
            return Ok(at.start..at.start + len);
        }
    }
    Err(FrameError::Padding)
}

fn parse(text: &[u8], beacon: bool) -> Result<Datagram<'_>, AnnouncementError> {
    let mut object = Object::new(text).ok_or(AnnouncementError::NotJson)?;
    let mut id = None;
    let mut from_app = false;
    let mut found = Announcement {
        id: "",
        ip: None,
        version: Some(Version::V31),
        product_key: None,
        uuid: None,
        active: None,
        encrypt: None,
        token: None,
        wf_cfg: None,
        security_level: None,
        client_link: None,
        beacon,
    };
    for (key, value) in &mut object {
        if key.is("gwId") {
            id = plain(&value);
        } else if key.is("ip") {
            found.ip = plain(&value).and_then(|ip| ip.parse().ok());
        } else if key.is("from") {
            from_app = value.text().is_some_and(|from| from.is("app"));
        } else if key.is("version") {
            found.version = plain(&value).and_then(|version| version.parse().ok());
        } else if key.is("productKey") {
            found.product_key = plain(&value);
        } else if key.is("uuid") {
            found.uuid = plain(&value);
        } else if key.is("active") {
            found.active = value.integer();
        } else if key.is("encrypt") {
            found.encrypt = flag(&value);
        } else if key.is("token") {
            found.token = flag(&value);
        } else if key.is("wf_cfg") {
            found.wf_cfg = flag(&value);
        } else if key.is("sl") {
            found.security_level = value.integer();
        } else if key.is("clientLink") {
            found.client_link = value.integer();
        }
    }
    if !object.is_closed() {
        return Err(AnnouncementError::NotJson);
    }
    if from_app {
        return Ok(Datagram::InfoRequest { ip: found.ip });
    }
    let id = id.or(found.uuid.filter(|_| beacon)).ok_or(AnnouncementError::NoId)?;
    Ok(Datagram::Announcement(Announcement { id, ..found }))
}

/// Returns a text that is safe to keep and to show.
fn plain<'a>(value: &Value<'a>) -> Option<&'a str> {
    let fine = |b: u8| b.is_ascii_graphic() && b != b'"' && b != b'\\';
    value
        .text()
        .as_ref()
        .and_then(Text::as_str)
        .filter(|text| (1..=MAX_TEXT).contains(&text.len()) && text.bytes().all(fine))
}

const fn flag(value: &Value<'_>) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        _ => None,
    }
}

fn write_ip(ip: Ipv4Addr, w: &mut Writer<'_>) {
    w.byte(b'"');
    for (at, octet) in ip.octets().into_iter().enumerate() {
        if at > 0 {
            w.byte(b'.');
        }
        w.unsigned(octet.into());
    }
    w.byte(b'"');
}

/// Writer of the entries of an object, with commas between them.
struct Fields<'w, 'b> {
    w: &'w mut Writer<'b>,
    count: usize,
}

impl Fields<'_, '_> {
    #[expect(clippy::arithmetic_side_effects, reason = "an object is written with a few keys")]
    fn key(&mut self, key: &str) {
        if self.count > 0 {
            self.w.byte(b',');
        }
        self.count += 1;
        self.w.string(key);
        self.w.byte(b':');
    }

    fn text(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.key(key);
            self.w.string(value);
        }
    }

    fn number(&mut self, key: &str, value: Option<i64>) {
        if let Some(value) = value {
            self.key(key);
            self.w.integer(value);
        }
    }

    fn flag(&mut self, key: &str, value: Option<bool>) {
        if let Some(value) = value {
            self.key(key);
            self.w.text(if value { "true" } else { "false" });
        }
    }
}

/// Longest text that is taken from an announcement, in bytes.
pub(super) const MAX_TEXT: usize = 64;

/// Public key of discovery: the MD5 of `yGAdlopoPVldABfn`.
pub(super) const UDP_KEY: [u8; 16] =
    [0x6c, 0x1e, 0xc8, 0xe2, 0xbb, 0x9b, 0xb5, 0x9a, 0xb5, 0x0b, 0x0d, 0xaf, 0x64, 0x9b, 0x41, 0x0a];

/// Public key of beacons: the MD5 of `OXLvslCvUxcTPLGO`.
pub(super) const PAIRING_KEY: [u8; 16] =
    [0xc6, 0xf2, 0x3a, 0xef, 0x1c, 0xaf, 0xb1, 0x70, 0xb8, 0xd8, 0x12, 0xd7, 0x50, 0x9c, 0x8e, 0x6d];

/// Command code of beacons. In connections this code means something else.
pub(super) const BEACON: CommandCode = CommandCode::SCENE_EXECUTE;

/// Key of 3.3 announcements in one other implementation. No capture needs it, so it is tried last.
pub(super) const OTHER_UDP_KEY: [u8; 16] = *b"yG9shRKIBrIBUjc3";
