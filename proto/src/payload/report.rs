//! Messages of devices: state, sub-device lists, refusals.

use core::fmt;

use super::{DpValue, Dps};
use crate::json::{Array, Object, Text, Value};
use crate::version::Version;

/// `reqType` of the query for a gateway's sub-devices.
pub(crate) const SUB_DEVICES_QUERY: &str = "subdev_online_stat_query";

/// Payload of a received message: JSON, a text, or nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Payload<'a>(&'a [u8]);

impl<'a> Payload<'a> {
    /// Wraps the payload of an opened frame, without NULs and spaces at its end.
    #[expect(clippy::arithmetic_side_effects, reason = "the padding that is counted lies in the bytes")]
    pub fn new(bytes: &'a [u8]) -> Self {
        let padding = bytes.iter().rev().take_while(|b| matches!(b, 0 | b' ')).count();
        Self(bytes.get(..bytes.len() - padding).unwrap_or_default())
    }

    /// Returns the bytes.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Returns whether the payload is empty, as in an acknowledgement.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Parses the message; `None` when the payload is no JSON object.
    pub fn report(&self) -> Option<Report<'a>> {
        Report::parse(self.0)
    }

    /// Returns the refusal in the payload, when it is one of the texts that devices are known to send.
    pub fn error(&self) -> Option<DeviceError> {
        if self.0.starts_with(b"{") {
            return None;
        }
        DeviceError::from_text(self.0)
    }

    /// Returns whether this is text but not JSON, and so an error, known or not.
    pub(crate) fn is_plain_text(&self) -> bool {
        !self.0.is_empty() && !matches!(self.0.first(), Some(b'{' | b'['))
    }
}

impl fmt::Debug for Payload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

/// Text by which a device refuses a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeviceError {
    /// `json obj data unvalid`: device22 firmware refuses a query, or a gateway is asked without a cid.
    DataUnvalid,
    /// `data format error`: the request is not JSON, or a control without DPs.
    DataFormat,
    /// `parse data error`: the request could not be decrypted or parsed.
    ParseData,
    /// `gw id invalid`: wrong device id.
    GwIdInvalid,
    /// `devid not found`: wrong device or sub-device id.
    DevidNotFound,
}

impl DeviceError {
    const TEXTS: [(Self, &'static str); 5] = [
        (Self::DataUnvalid, "json obj data unvalid"),
        (Self::DataFormat, "data format error"),
        (Self::ParseData, "parse data error"),
        (Self::GwIdInvalid, "gw id invalid"),
        (Self::DevidNotFound, "devid not found"),
    ];

    /// Returns the text as devices send it.
    pub fn text(self) -> &'static str {
        Self::TEXTS.iter().find(|(error, _)| *error == self).map_or("", |(_, text)| text)
    }

    fn from_text(text: &[u8]) -> Option<Self> {
        let holds = |part: &str| text.windows(part.len()).any(|w| w == part.as_bytes());
        let known = Self::TEXTS.iter().find(|(_, known)| holds(known)).map(|(error, _)| *error);
        known.or_else(|| holds("data unvalid").then_some(Self::DataUnvalid))
    }
}

/// Parsed message, in any of the shapes that devices use. Borrows from the payload.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Report<'a> {
    /// DPs: all of them in a query's answer, the changed ones in a push.
    pub dps: Option<Dps<'a>>,
    /// Sub-device that the message is about; `None` for the device itself.
    pub cid: Option<Text<'a>>,
    /// Device id, when the message contains one.
    pub device_id: Option<Text<'a>>,
    /// Time of the device's own clock: seconds since 1970, or since boot, or wrong. Not for ordering.
    pub time: Option<i64>,
    /// True if a query caused this push.
    pub from_query: bool,
    /// True if only controllers send this (`"protocol":5`, the query for sub-devices).
    pub(crate) from_controller: bool,
    /// True if controllers send this up to 3.3: it has a user, or DP numbers without values. Devices leave the user
    /// empty, and some send their own id as `gwId`.
    pub(crate) is_request: bool,
    /// `reqType` of an extension stream.
    pub req_type: Option<Text<'a>>,
    /// Sub-devices that are online, in a sub-device report.
    pub online: Option<CidList<'a>>,
    /// Sub-devices that are offline. Reports come in parts: the absence of a child from both lists of one report means
    /// nothing.
    pub offline: Option<CidList<'a>>,
    /// Sub-devices that are reachable by another path.
    pub nearby: Option<CidList<'a>>,
}

impl<'a> Report<'a> {
    /// Reads a message; `None` when `json` is not a whole JSON object. Checks the inside of `dps` only during
    /// iteration, which ends at the first bytes that are not JSON.
    pub fn parse(json: &'a [u8]) -> Option<Self> {
        let mut report = Self::default();
        let mut entries = Object::new(json)?;
        report.fields(&mut entries, &mut 0, false)?;
        entries.is_closed().then_some(report)
    }

    /// Reads all entries, at the top level or inside the wrapper `data`. Fields of the top level come first; those of
    /// the wrapper fill the gaps. Of repeated fields at the same level, the last one counts. `own` has a bit for each
    /// field that was found at the top level.
    fn fields(&mut self, entries: &mut Object<'a>, own: &mut u8, wrapped: bool) -> Option<()> {
        while let Some(key) = entries.key() {
            match key.raw() {
                b"dps" => match entries.object()? {
                    Some(dps) => put(&mut self.dps, Some(Dps(dps)), 1, own, wrapped),
                    None => drop(entries.value()?),
                },
                b"data" if !wrapped => match entries.enter() {
                    Some(mut inner) => {
                        self.fields(&mut inner, own, true)?;
                        entries.leave(&inner)?;
                    }
                    None => drop(entries.value()?),
                },
                _ => self.field(&key, entries.value()?, own, wrapped),
            }
        }
        Some(())
    }

    #[inline]
    fn field(&mut self, key: &Text<'a>, value: Value<'a>, own: &mut u8, wrapped: bool) {
        let list = |value: &Value<'a>| value.array().map(CidList);
        match key.raw() {
            b"cid" => put(&mut self.cid, value.text(), 2, own, wrapped),
            b"devId" => put(&mut self.device_id, value.text(), 4, own, wrapped),
            b"t" => put(&mut self.time, value.integer(), 8, own, wrapped),
            b"protocol" => self.from_controller |= value.integer() == Some(5),
            b"type" => self.from_query |= value.text().is_some_and(|t| t.is("query")),
            b"reqType" => {
                // Devices answer with another `reqType`.
                self.from_controller |= !wrapped && value.text().is_some_and(|kind| kind.is(SUB_DEVICES_QUERY));
                put(&mut self.req_type, value.text(), 16, own, wrapped);
            }
            b"online" => put(&mut self.online, list(&value), 32, own, wrapped),
            b"offline" => put(&mut self.offline, list(&value), 64, own, wrapped),
            b"nearby" => put(&mut self.nearby, list(&value), 128, own, wrapped),
            // Later versions have a key for each connection, so an echoed request fails its check anyway.
            _ if wrapped || !(Version::V31.is_supported() || Version::V33.is_supported()) => {}
            b"uid" => self.is_request |= value.text().is_some_and(|user| !user.raw().is_empty()),
            b"dpId" => self.is_request = true,
            _ => {}
        }
    }

    /// Returns the value of one DP.
    pub fn value(&self, id: crate::ids::DpId) -> Option<DpValue<'a>> {
        self.dps?.value(id)
    }
}

/// Stores a field. A field of the top level takes precedence over one of the wrapper.
#[inline]
fn put<T>(slot: &mut Option<T>, found: Option<T>, bit: u8, own: &mut u8, wrapped: bool) {
    if found.is_some() && !(wrapped && *own & bit != 0) {
        *slot = found;
        if !wrapped {
            *own |= bit;
        }
    }
}

/// List of sub-device ids.
#[derive(Clone, Copy, Debug)]
pub struct CidList<'a>(Array<'a>);

impl<'a> Iterator for CidList<'a> {
    type Item = Text<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(text) = self.0.next()?.text() {
                return Some(text);
            }
        }
    }
}
