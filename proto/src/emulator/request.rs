//! Parsing of requests, and the actions of firmware for each.

use super::config::EmulatorConfig;
use super::model::Model;
use super::quirks::{ControlReply, QueryReply, UpdateReply};
use crate::codec::Opened;
use crate::ids::DpId;
use crate::json::{Array, Object, Text, Value};
use crate::payload::{DeviceError, DpValue, Dps, Payload, SUB_DEVICES_QUERY};
use crate::version::Version;
use crate::wire::command::CommandCode;

/// One action of a device for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReplyAction {
    /// Send an empty reply.
    Ack,
    /// Store the values of the request.
    Write,
    /// Push the changes of the request.
    PushChanged,
    /// Report the changes of the request to the driver.
    Written,
    /// Report the rejected values to the driver.
    Rejected,
    /// Report to the driver that all values were rejected.
    AllRejected,
    /// Push the DPs that the request asks for.
    PushAsked,
    /// Push the whole state.
    PushAll,
    /// Reply with the DPs that the request asks for.
    ReplyAsked,
    /// Reply with the whole state.
    ReplyAll,
    /// Send reports about sub-devices.
    Report,
    /// Refuse, and report that to the driver.
    Refuse(DeviceError),
}

/// Parsed fields of a request.
#[derive(Clone, Copy, Default)]
pub(super) struct Request<'a> {
    pub(super) dps: Option<Dps<'a>>,
    /// True if there is a `data`, as in 3.4 and 3.5.
    is_wrapped: bool,
    /// Id of the target device.
    dev_id: Option<Text<'a>>,
    /// `dpId` of an update request.
    ids: Option<Array<'a>>,
    cid: Option<Text<'a>>,
    req_type: Option<Text<'a>>,
    /// `cids` of a sub-device query.
    cids: Option<Array<'a>>,
}

impl<'a> Request<'a> {
    /// Reads the payload of a request; `None` when it is no JSON object.
    ///
    /// The fields inside `data` count, except in a query: a gateway that gets the cid there answers for itself.
    pub(super) fn parse(command: CommandCode, payload: &'a [u8]) -> Option<Self> {
        let mut top = Self::default();
        let mut data = None;
        let mut entries = Object::new(Payload::new(payload).as_bytes())?;
        for (key, value) in entries.by_ref() {
            if key.is("data") {
                data = value.object();
            } else {
                top.field(&key, value);
            }
        }
        if !entries.is_closed() {
            return None;
        }
        let Some(data) = data.filter(|_| !is_query_code(command)) else {
            return Some(top);
        };
        let mut inner = Self { is_wrapped: true, ..Self::default() };
        for (key, value) in data {
            inner.field(&key, value);
        }
        inner.cid = inner.cid.or(top.cid);
        inner.ids = inner.ids.or(top.ids);
        inner.req_type = inner.req_type.or(top.req_type);
        Some(inner)
    }

    fn field(&mut self, key: &Text<'a>, value: Value<'a>) {
        match key.as_str() {
            Some("dps") => {
                self.dps = match value {
                    Value::Object(text) => Dps::parse(text),
                    _ => None,
                }
            }
            Some("dpId") => self.ids = value.array(),
            Some("devId") => self.dev_id = value.text(),
            Some("cid") => self.cid = value.text(),
            Some("reqType") => self.req_type = value.text(),
            Some("cids") => self.cids = value.array(),
            _ => {}
        }
    }

    /// Returns the target sub-device.
    pub(super) const fn cid_text(&self) -> Option<Text<'a>> {
        self.cid
    }

    /// Returns the id of the target sub-device. A cid with escapes becomes an empty one, which matches no sub-device.
    pub(super) fn cid(&self) -> Option<&'a str> {
        self.cid.map(|text| text.as_str().unwrap_or_default())
    }

    /// Returns whether the request asks for this DP, by a null or in a list.
    pub(super) fn asks(&self, id: DpId) -> bool {
        let listed = self.ids.is_some_and(|mut ids| ids.any(|value| value.integer() == Some(i64::from(id.0))));
        listed || self.dps.is_some_and(|dps| dps.value(id).is_some())
    }

    /// Returns whether a sub-device query is about this one; an empty list means all.
    pub(super) fn wants_child(&self, cid: &str) -> bool {
        let Some(list) = self.cids else { return true };
        let mut empty = true;
        for value in list {
            empty = false;
            if value.text().is_some_and(|text| text == *cid) {
                return true;
            }
        }
        empty
    }

    fn only_nulls(&self) -> bool {
        let is_null = |value: DpValue<'_>| value == DpValue::Null;
        self.dps.is_some_and(|mut dps| {
            dps.next().is_some_and(|(_, value)| is_null(value)) && dps.all(|(_, value)| is_null(value))
        })
    }
}

/// Set of DPs of a request, by position. Distinguishes the first 128.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Positions {
    listed: u128,
    /// True if all DPs behind those belong to the set.
    beyond: bool,
}

impl Positions {
    pub(super) const LIMIT: usize = 128;
    pub(super) const ALL: Self = Self { listed: u128::MAX, beyond: true };
    pub(super) const NONE: Self = Self { listed: 0, beyond: false };

    pub(super) fn set(&mut self, position: usize) {
        match u32::try_from(position) {
            Ok(shift) if position < Self::LIMIT => self.listed |= 1u128.checked_shl(shift).unwrap_or_default(),
            _ => self.beyond = true,
        }
    }

    pub(super) fn has(self, position: usize) -> bool {
        if position >= Self::LIMIT { self.beyond } else { (self.listed >> position) & 1 == 1 }
    }

    pub(super) fn is_empty(self) -> bool {
        self == Self::NONE
    }
}

const fn is_query_code(command: CommandCode) -> bool {
    matches!(command, CommandCode::DP_QUERY | CommandCode::DP_QUERY_NEW)
}

/// Returns whether this is a query that the device knows.
pub(super) fn is_query(config: &EmulatorConfig, command: CommandCode) -> bool {
    match command {
        CommandCode::DP_QUERY => !config.version().negotiates() || config.quirks().answer_dp_query,
        CommandCode::DP_QUERY_NEW => config.version() >= Version::V32,
        _ => false,
    }
}

pub(super) const fn is_control(command: CommandCode) -> bool {
    matches!(command, CommandCode::CONTROL | CommandCode::CONTROL_NEW)
}

/// Returns the target sub-device of a request; `None` for the device itself.
pub(super) fn target<'a>(config: &EmulatorConfig, model: &dyn Model, request: &Request<'a>) -> Option<&'a str> {
    request.cid().filter(|_| !config.quirks().ignore_cid || model.is_gateway())
}

/// Returns the actions for a request whose payload could not be decrypted.
pub(super) fn plan_unreadable(config: &EmulatorConfig, command: CommandCode) -> &'static [ReplyAction] {
    match command {
        // Firmware does not read the payload of heartbeats.
        CommandCode::HEART_BEAT if !config.quirks().ignore_heartbeats => &[ReplyAction::Ack],
        _ if is_query(config, command) => refuse(DeviceError::DataFormat),
        _ if is_control(command) && config.version().negotiates() => refuse(DeviceError::ParseData),
        _ => &[],
    }
}

/// Returns the actions for a request, after `queries` queries on this connection.
pub(super) fn plan(
    config: &EmulatorConfig,
    model: &dyn Model,
    opened: &Opened,
    payload: &[u8],
    queries: u32,
) -> &'static [ReplyAction] {
    let (quirks, command) = (&config.quirks(), opened.command);
    // A request in clear text, which anybody could have written, is refused.
    match config.version() {
        Version::V31 if command == CommandCode::CONTROL && !opened.encrypted => {
            return refuse(DeviceError::ParseData);
        }
        Version::V32 | Version::V33 if !opened.encrypted && !payload.is_empty() => {
            return plan_unreadable(config, command);
        }
        _ => {}
    }
    if command == CommandCode::HEART_BEAT {
        return if quirks.ignore_heartbeats { &[] } else { &[ReplyAction::Ack] };
    }
    if is_query(config, command) {
        // 3.5 firmware accepts any payload that begins with a JSON value, and a version header is a number.
        let is_some_value =
            || config.version() == Version::V35 && (opened.header.is_some() || Value::parse(payload).is_some());
        let request = Request::parse(command, payload).or_else(|| is_some_value().then(Request::default));
        let Some(request) = request else {
            return refuse(DeviceError::DataFormat);
        };
        if config.is_device22() || queries < quirks.refuse_queries {
            return refuse(DeviceError::DataUnvalid);
        }
        return known(config, model, &request).unwrap_or(match quirks.query {
            QueryReply::State => &[ReplyAction::ReplyAll],
            QueryReply::EmptyThenPush => &[ReplyAction::Ack, ReplyAction::PushAll],
            QueryReply::PushOnly => &[ReplyAction::PushAll],
            QueryReply::Empty => &[ReplyAction::Ack],
            QueryReply::Silence => &[],
        });
    }
    if is_control(command) {
        // Up to 3.3 there is no `data`.
        let must_wrap = quirks.wrapped_controls && config.version().negotiates() && !config.is_device22();
        return match Request::parse(command, payload) {
            None => refuse(DeviceError::ParseData),
            Some(request) if must_wrap && !request.is_wrapped => &[ReplyAction::Ack, ReplyAction::AllRejected],
            Some(request) if request.dps.is_none() => refuse(DeviceError::DataFormat),
            Some(request) if must_wrap && request.dev_id.is_some_and(|id| id != *config.id.as_str()) => {
                &[ReplyAction::Ack, ReplyAction::AllRejected]
            }
            Some(request) => known(config, model, &request).unwrap_or_else(|| plan_control(config, command, &request)),
        };
    }
    let request = Request::parse(command, payload);
    match (command, request) {
        (CommandCode::UPDATE_DPS, Some(request)) => known(config, model, &request).unwrap_or(match quirks.update {
            UpdateReply::AckThenPush => &[ReplyAction::Ack, ReplyAction::PushAsked],
            UpdateReply::AckOnly => &[ReplyAction::Ack],
            UpdateReply::PushOnly => &[ReplyAction::PushAsked],
            UpdateReply::Silence => &[],
        }),
        (CommandCode::LAN_EXT_STREAM, Some(request))
            if model.is_gateway() && request.req_type.is_some_and(|kind| kind == *SUB_DEVICES_QUERY) =>
        {
            if quirks.no_children_report { &[] } else { &[ReplyAction::Report] }
        }
        _ if quirks.unknown_command_error => refuse(DeviceError::DataUnvalid),
        _ => &[],
    }
}

fn plan_control(config: &EmulatorConfig, command: CommandCode, request: &Request<'_>) -> &'static [ReplyAction] {
    let is_query = config.is_device22() && command == CommandCode::CONTROL_NEW && request.only_nulls();
    if is_query {
        return if config.quirks().device22_data_in_reply {
            &[ReplyAction::ReplyAsked]
        } else {
            &[ReplyAction::Ack, ReplyAction::PushAsked]
        };
    }
    match config.quirks().control {
        ControlReply::AckThenPush => &[
            ReplyAction::Ack,
            ReplyAction::Write,
            ReplyAction::PushChanged,
            ReplyAction::Written,
            ReplyAction::Rejected,
        ],
        ControlReply::PushThenAck => &[
            ReplyAction::Write,
            ReplyAction::PushChanged,
            ReplyAction::Ack,
            ReplyAction::Written,
            ReplyAction::Rejected,
        ],
        ControlReply::PushOnly => {
            &[ReplyAction::Write, ReplyAction::PushChanged, ReplyAction::Written, ReplyAction::Rejected]
        }
        ControlReply::AckOnly => &[ReplyAction::Ack, ReplyAction::Write, ReplyAction::Written, ReplyAction::Rejected],
        ControlReply::Silence => &[ReplyAction::Write, ReplyAction::Written, ReplyAction::Rejected],
    }
}

/// Returns the actions for a request to an unknown sub-device; `None` if the target exists.
fn known(config: &EmulatorConfig, model: &dyn Model, request: &Request<'_>) -> Option<&'static [ReplyAction]> {
    let cid = target(config, model, request);
    if model.dps(cid, &mut |_, _| {}) {
        None
    } else if cid.is_none() {
        Some(refuse(DeviceError::DataUnvalid))
    } else if config.quirks().unknown_cid_error {
        Some(refuse(DeviceError::DevidNotFound))
    } else {
        Some(&[])
    }
}

const fn refuse(error: DeviceError) -> &'static [ReplyAction] {
    match error {
        DeviceError::DataUnvalid => &[ReplyAction::Refuse(DeviceError::DataUnvalid)],
        DeviceError::DataFormat => &[ReplyAction::Refuse(DeviceError::DataFormat)],
        DeviceError::ParseData => &[ReplyAction::Refuse(DeviceError::ParseData)],
        DeviceError::GwIdInvalid => &[ReplyAction::Refuse(DeviceError::GwIdInvalid)],
        DeviceError::DevidNotFound => &[ReplyAction::Refuse(DeviceError::DevidNotFound)],
    }
}
