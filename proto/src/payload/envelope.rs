//! Requests: command code and JSON of each command, per version and dialect. The order of keys is tinytuya's.

use super::{DpMap, Dps, SUB_DEVICES_QUERY, write_nulls};
use crate::ids::DpId;
use crate::json::Writer;
use crate::version::{Dialect, Version};
use crate::wire::command::CommandCode;

/// Largest request that device22 firmware is known to read, in bytes, roughly.
const DEVICE22_REQUEST_LIMIT: usize = 255;

/// Variable part of a request.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "every form must be handled where requests are written")]
pub enum RequestData<'a> {
    /// Nothing.
    None,
    /// DPs: `dps` of the request.
    Dps(DpMap<'a>),
    /// DP numbers: `dpId` of an update request, a map of nulls in any other.
    Ids(&'a [DpId]),
    /// The text of a JSON value: `dps` of the request; of an extension stream, `data`.
    Json(&'a str),
}

/// Fields that all requests of one device share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Envelope<'a> {
    pub(crate) version: Version,
    pub(crate) dialect: Dialect,
    pub(crate) device: &'a str,
    /// Target sub-device; `None` for the device itself.
    pub(crate) cid: Option<&'a str>,
    /// Seconds since 1970.
    pub(crate) unix_time: u64,
}

/// Returns the command code of `command` on the wire.
pub(crate) const fn wire_code(version: Version, dialect: Dialect, command: CommandCode) -> CommandCode {
    match command {
        CommandCode::DP_QUERY => match (dialect, version.negotiates()) {
            (Dialect::Device22, _) => CommandCode::CONTROL_NEW,
            (Dialect::Default, true) => CommandCode::DP_QUERY_NEW,
            (Dialect::Default, false) => command,
        },
        CommandCode::CONTROL if version.negotiates() => CommandCode::CONTROL_NEW,
        _ => command,
    }
}

/// Writes the JSON of `command`.
#[expect(clippy::arithmetic_side_effects, reason = "the length of a buffer in memory, and one more")]
pub(crate) fn write_request(w: &mut Writer<'_>, envelope: &Envelope<'_>, command: CommandCode, data: RequestData<'_>) {
    let Envelope { version, dialect, device, cid, unix_time } = *envelope;
    let mut o = Fields { w, first: true };
    let child = cid.unwrap_or(device);
    match command {
        CommandCode::LAN_EXT_STREAM => {
            o.string("reqType", SUB_DEVICES_QUERY);
            o.key("data");
            match data {
                RequestData::None => o.w.text("{\"cids\":[]}"),
                other => write_data(o.w, other, usize::MAX),
            }
            o.optional("cid", cid);
        }
        CommandCode::UPDATE_DPS => {
            o.key("dpId");
            write_ids(o.w, data);
            o.optional("cid", cid);
        }
        CommandCode::DP_QUERY if dialect == Dialect::Device22 => {
            o.owner(child, unix_time);
            o.optional("cid", cid);
            o.key("dps");
            let limit = DEVICE22_REQUEST_LIMIT.saturating_sub(o.w.len() + 1);
            // Nulls for all data: a query must not write.
            match data {
                RequestData::None => write_nulls(o.w, core::iter::empty(), limit),
                RequestData::Ids(ids) => write_nulls(o.w, ids.iter().copied(), limit),
                RequestData::Dps(DpMap::Pairs(pairs)) => write_nulls(o.w, pairs.iter().map(|(id, _)| *id), limit),
                RequestData::Dps(DpMap::Json(text)) | RequestData::Json(text) => {
                    let dps = Dps::parse(text.as_bytes()).into_iter().flatten();
                    write_nulls(o.w, dps.map(|(id, _)| id), limit);
                }
            }
        }
        CommandCode::CONTROL | CommandCode::CONTROL_NEW if version.negotiates() => {
            o.key("protocol");
            o.w.byte(b'5');
            o.key("t");
            o.w.unsigned(unix_time);
            o.key("data");
            let mut inner = Fields { w: &mut *o.w, first: true };
            if let Some(cid) = cid {
                inner.string("cid", cid);
                inner.key("ctype");
                inner.w.byte(b'0');
            }
            inner.key("dps");
            match data {
                RequestData::None => inner.w.text("{}"),
                other => write_data(inner.w, other, usize::MAX),
            }
            inner.w.byte(b'}');
            o.optional("cid", cid);
        }
        _ => {
            write_plain(&mut o, envelope, command);
            o.data(data);
        }
    }
    o.end();
}

/// Writes the requests that consist of a few fixed fields and an optional `dps` at the end.
fn write_plain(o: &mut Fields<'_, '_>, envelope: &Envelope<'_>, command: CommandCode) {
    let Envelope { version, device, cid, unix_time, .. } = *envelope;
    let child = cid.unwrap_or(device);
    match command {
        CommandCode::DP_QUERY | CommandCode::DP_QUERY_NEW if version.negotiates() => o.optional("cid", cid),
        CommandCode::CONTROL | CommandCode::DP_QUERY if cid.is_some() => {
            o.key("t");
            o.w.unsigned(unix_time);
            o.optional("cid", cid);
        }
        CommandCode::CONTROL | CommandCode::CONTROL_NEW | CommandCode::DP_QUERY_NEW => {
            o.owner(child, unix_time);
            o.optional("cid", cid);
        }
        CommandCode::HEART_BEAT | CommandCode::STATUS => {
            o.string("gwId", device);
            o.string("devId", child);
            o.optional("cid", cid);
        }
        _ => {
            o.string("gwId", device);
            o.owner(child, unix_time);
            o.optional("cid", cid);
        }
    }
}

fn write_data(w: &mut Writer<'_>, data: RequestData<'_>, limit: usize) {
    match data {
        RequestData::None => w.text("{}"),
        RequestData::Dps(map) => map.write(w),
        RequestData::Ids(ids) => write_nulls(w, ids.iter().copied(), limit),
        RequestData::Json(text) => w.json(text),
    }
}

/// Writes the list of an update request: of a DP map, its numbers.
fn write_ids(w: &mut Writer<'_>, data: RequestData<'_>) {
    let mut before = b'[';
    let mut list = |id: DpId| {
        w.byte(core::mem::replace(&mut before, b','));
        w.unsigned(u64::from(id.0));
    };
    match data {
        // The list that most plugs with a meter understand: current, power and voltage.
        RequestData::None => [18, 19, 20].into_iter().map(DpId).for_each(list),
        RequestData::Ids(ids) => ids.iter().copied().for_each(list),
        RequestData::Dps(map) => map.each(&mut |id, _| list(id)),
        RequestData::Json(text) => return w.json(text),
    }
    if before == b'[' {
        w.byte(before);
    }
    w.byte(b']');
}

/// Writer of the fields of one JSON object.
struct Fields<'w, 'b> {
    w: &'w mut Writer<'b>,
    first: bool,
}

impl Fields<'_, '_> {
    fn key(&mut self, name: &str) {
        self.w.byte(if self.first { b'{' } else { b',' });
        self.first = false;
        self.w.byte(b'"');
        self.w.text(name);
        self.w.text("\":");
    }

    fn string(&mut self, name: &str, value: &str) {
        self.key(name);
        self.w.string(value);
    }

    fn optional(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.string(name, value);
        }
    }

    /// Writes `devId`, `uid` (the device id: firmware does not need the account's) and `t` as a string.
    fn owner(&mut self, device: &str, unix_time: u64) {
        self.string("devId", device);
        self.string("uid", device);
        self.key("t");
        self.w.byte(b'"');
        self.w.unsigned(unix_time);
        self.w.byte(b'"');
    }

    fn data(&mut self, data: RequestData<'_>) {
        if !matches!(data, RequestData::None) {
            self.key("dps");
            write_data(self.w, data, usize::MAX);
        }
    }

    fn end(self) {
        self.w.text(if self.first { "{}" } else { "}" });
    }
}
