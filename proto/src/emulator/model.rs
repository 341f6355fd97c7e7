//! Model of a device: its DPs and sub-devices.

use core::fmt;

use crate::ids::{Cid, DpId};
use crate::payload::DpValue;

/// DPs and sub-devices of a device, shared by all of its connections and lent to each poll.
///
/// `cid` is the id of a sub-device; `None` means the device itself.
pub trait Model {
    /// Calls `visit` with every readable DP and its value, in the order of query replies. Returns false, without a
    /// visit, if there is no such sub-device, or if a gateway has no DPs of its own and refuses queries for them.
    fn dps(&self, cid: Option<&str>, visit: &mut dyn FnMut(DpId, DpValue<'_>)) -> bool;

    /// Writes one DP and returns whether that changed its value.
    ///
    /// # Errors
    /// [`WriteError`] if the device does not accept the value; nothing is changed then. The controller does not learn of it:
    /// devices acknowledge every control.
    fn write(&mut self, cid: Option<&str>, dp: DpId, value: DpValue<'_>) -> Result<bool, WriteError>;

    /// Returns the kind of a DP. By default, every one is [`Plain`](DpKind::Plain).
    fn kind(&self, cid: Option<&str>, dp: DpId) -> DpKind {
        let _ = (cid, dp);
        DpKind::Plain
    }

    /// Calls `visit` with every sub-device and whether it is online. By default there are none.
    fn children(&self, visit: &mut dyn FnMut(&str, bool)) {
        let _ = visit;
    }

    /// Returns whether the device answers sub-device queries. By default it does if it has a sub-device.
    fn is_gateway(&self) -> bool {
        let mut any = false;
        self.children(&mut |_, _| any = true);
        any
    }
}

/// Kinds of DPs that devices treat differently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DpKind {
    /// Booleans, numbers, texts and enumerations: pushed and in query replies.
    #[default]
    Plain,
    /// Bytes, as base64. Query replies of 3.5 show `false` in their place.
    Raw,
    /// Faults, one bit each. 3.5 never pushes them.
    Bitmap,
}

/// Reason why a device does not accept a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteError {
    /// There is no such DP.
    Unknown,
    /// The value is of another kind than the DP's, such as a text for a number.
    Kind,
    /// The value is out of the DP's range, or not among its choices.
    Range,
    /// Only the device itself changes the DP, such as a measurement.
    ReadOnly,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "there is no such DP",
            Self::Kind => "a value of another kind",
            Self::Range => "a value out of range",
            Self::ReadOnly => "the DP is read-only",
        })
    }
}

impl core::error::Error for WriteError {}

/// A [`Model`] in fixed memory: up to `DPS` values of the device and its sub-devices together, and up to `CHILDREN`
/// sub-devices. Values are booleans, integers and texts of up to 64 bytes.
///
/// It accepts a write if the DP exists and its value is of the same kind.
#[derive(Clone, Debug, Default)]
pub struct FixedModel<const DPS: usize, const CHILDREN: usize = 0> {
    dps: heapless::Vec<Entry, DPS>,
    children: heapless::Vec<(Cid, bool), CHILDREN>,
}

#[derive(Clone, Debug)]
struct Entry {
    /// Index of the sub-device; `None` for the device itself.
    child: Option<usize>,
    dp: DpId,
    kind: DpKind,
    value: Fixed,
}

#[derive(Clone, Debug, PartialEq)]
enum Fixed {
    Bool(bool),
    Int(i64),
    Text(heapless::String<64, u8>),
}

/// Reason why a [`FixedModel`] cannot store a DP or sub-device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModelError {
    /// No memory is left for another DP or sub-device: choose larger capacities.
    Full,
    /// There is no such sub-device: add it first.
    UnknownCid,
    /// The value is no boolean, integer, or text of up to 64 bytes.
    Value,
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "no memory left: choose larger capacities",
            Self::UnknownCid => "no such sub-device: add it first",
            Self::Value => "not a boolean, an integer, or a text of up to 64 bytes",
        })
    }
}

impl core::error::Error for ModelError {}

impl<const DPS: usize, const CHILDREN: usize> FixedModel<DPS, CHILDREN> {
    /// Creates a device without DPs and sub-devices.
    pub const fn new() -> Self {
        Self { dps: heapless::Vec::new(), children: heapless::Vec::new() }
    }

    /// Adds a sub-device, or changes whether it is online.
    ///
    /// # Errors
    /// [`ModelError::Full`].
    pub fn set_child(&mut self, cid: &Cid, online: bool) -> Result<(), ModelError> {
        if let Some((_, slot)) = self.children.iter_mut().find(|(known, _)| known == cid) {
            *slot = online;
            return Ok(());
        }
        self.children.push((cid.clone(), online)).map_err(|_| ModelError::Full)
    }

    /// Adds a DP, or sets it to a value of any kind. Returns whether that changed it.
    ///
    /// # Errors
    /// Every [`ModelError`]; nothing is changed then.
    pub fn set(&mut self, cid: Option<&str>, dp: DpId, value: DpValue<'_>) -> Result<bool, ModelError> {
        let child = self.child(cid).ok_or(ModelError::UnknownCid)?;
        let value = Fixed::new(value).ok_or(ModelError::Value)?;
        if let Some(entry) = self.entry(child, dp) {
            let changed = entry.value != value;
            entry.value = value;
            return Ok(changed);
        }
        let entry = Entry { child, dp, kind: DpKind::Plain, value };
        self.dps.push(entry).map(|()| true).map_err(|_| ModelError::Full)
    }

    /// Sets the kind of a DP, if there is such a DP.
    pub fn set_kind(&mut self, cid: Option<&str>, dp: DpId, kind: DpKind) {
        if let Some(entry) = self.child(cid).and_then(|child| self.entry(child, dp)) {
            entry.kind = kind;
        }
    }

    fn child(&self, cid: Option<&str>) -> Option<Option<usize>> {
        let Some(cid) = cid else { return Some(None) };
        let at = self.children.iter().position(|(known, _)| known.as_str() == cid)?;
        Some(Some(at))
    }

    fn entry(&mut self, child: Option<usize>, dp: DpId) -> Option<&mut Entry> {
        self.dps.iter_mut().find(|entry| entry.child == child && entry.dp == dp)
    }
}

impl<const DPS: usize, const CHILDREN: usize> Model for FixedModel<DPS, CHILDREN> {
    fn dps(&self, cid: Option<&str>, visit: &mut dyn FnMut(DpId, DpValue<'_>)) -> bool {
        let Some(child) = self.child(cid) else {
            return false;
        };
        let of_child = self.dps.iter().filter(|entry| entry.child == child);
        let mut any = false;
        for entry in of_child {
            any = true;
            visit(entry.dp, entry.value.as_value());
        }
        any || cid.is_some() || self.children.is_empty()
    }

    fn write(&mut self, cid: Option<&str>, dp: DpId, value: DpValue<'_>) -> Result<bool, WriteError> {
        let child = self.child(cid).ok_or(WriteError::Unknown)?;
        let entry = self.entry(child, dp).ok_or(WriteError::Unknown)?;
        let value = Fixed::new(value).ok_or(WriteError::Kind)?;
        if core::mem::discriminant(&value) != core::mem::discriminant(&entry.value) {
            return Err(WriteError::Kind);
        }
        Ok(core::mem::replace(&mut entry.value, value.clone()) != value)
    }

    fn kind(&self, cid: Option<&str>, dp: DpId) -> DpKind {
        let found = self.child(cid).and_then(|child| self.dps.iter().find(|e| e.child == child && e.dp == dp));
        found.map_or(DpKind::Plain, |entry| entry.kind)
    }

    fn children(&self, visit: &mut dyn FnMut(&str, bool)) {
        for (cid, online) in &self.children {
            visit(cid.as_str(), *online);
        }
    }
}

impl Fixed {
    fn new(value: DpValue<'_>) -> Option<Self> {
        match value {
            DpValue::Bool(value) => Some(Self::Bool(value)),
            DpValue::Int(value) => Some(Self::Int(value)),
            DpValue::Str(text) => {
                let mut copy = heapless::String::new();
                text.chars().try_for_each(|c| copy.push(c)).ok()?;
                Some(Self::Text(copy))
            }
            DpValue::Null | DpValue::Float(_) | DpValue::Json(_) => None,
        }
    }

    fn as_value(&self) -> DpValue<'_> {
        match self {
            Self::Bool(value) => DpValue::Bool(*value),
            Self::Int(value) => DpValue::Int(*value),
            Self::Text(text) => DpValue::text(text),
        }
    }
}
