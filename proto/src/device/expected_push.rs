//! Kinds of answers, DPs that the push of a command shows, and checksums that distinguish values and sub-devices.

use super::command::Kind;
use crate::ids::DpId;
use crate::json::Text;
use crate::payload::{DpMap, DpValue, Report, RequestData};
use crate::version::Version;

/// Number of written DPs to remember per command, to recognise the push that shows them.
const WRITTEN: usize = 4;
/// Placeholder for an unused entry; firmware has no DP of this number.
const NO_DP: u16 = u16::MAX;

/// Kind of answer that a command gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExpectedReply {
    /// A reply with the same code, and nothing else.
    Reply,
    /// Of a query: a reply with the same code, or pushes if the reply has no values or does not come.
    State,
    /// Of a query for certain DPs: a push of any of them, which may follow an empty acknowledgement.
    State22,
    /// Of a write or a measurement: the acknowledgement, or the push that it causes.
    Change,
}

/// DP that a push has to show.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    pub(super) dp: u16,
    /// Checksum of the value, or zero if there is none.
    pub(super) mark: u16,
}

impl Written {
    pub(super) const NOTHING: Self = Self { dp: NO_DP, mark: 0 };

    /// Returns the first few DPs of a command.
    pub(super) fn remember(command: &Kind<'_>) -> [Self; WRITTEN] {
        let mut remembered = [Self::NOTHING; WRITTEN];
        let mut slots = remembered.iter_mut();
        let mut add = |id: DpId, mark| {
            if let Some(slot) = slots.next() {
                *slot = Self { dp: id.0, mark };
            }
        };
        match command {
            Kind::Request { data: RequestData::Dps(map), .. } => map.each(&mut |id, value| add(id, value_mark(&value))),
            Kind::Request { data: RequestData::Ids(ids), .. } => ids.iter().for_each(|id| add(*id, 0)),
            _ => {}
        }
        remembered
    }
}

/// DPs that a push has to show.
#[derive(Clone, Debug)]
pub(super) enum ExpectedPush {
    /// The DPs that were written, with their values.
    Written([Written; WRITTEN]),
    /// Any of these DPs: bit `id % 128` for each.
    AnyOf([u32; 4]),
}

impl ExpectedPush {
    /// Returns the DPs that the push of a command shows.
    pub(super) fn remember(command: &Kind<'_>, expects: ExpectedReply) -> Self {
        if !Version::ANY_DEVICE22 {
            return Self::Written(Written::remember(command));
        }
        let mut set = [0; 4];
        let mut add = |id: DpId| insert(&mut set, id);
        match command {
            Kind::Request { data: RequestData::Ids(ids), .. } if expects == ExpectedReply::State22 => {
                ids.iter().copied().for_each(add);
            }
            Kind::Request { data: RequestData::Json(text), .. } if expects == ExpectedReply::State22 => {
                DpMap::Json(text).each(&mut |id, _| add(id));
            }
            _ => return Self::Written(Written::remember(command)),
        }
        Self::AnyOf(set)
    }

    /// Creates the set of these DPs, any of which is enough.
    pub(super) fn any_of(ids: &[DpId]) -> Self {
        let mut set = [0; 4];
        ids.iter().for_each(|id| insert(&mut set, *id));
        Self::AnyOf(set)
    }

    pub(super) fn is_shown_by(&self, report: &Report<'_>) -> bool {
        let Self::AnyOf(set) = self else { return false };
        if !Version::ANY_DEVICE22 {
            return false;
        }
        let mut dps = report.dps.into_iter().flatten();
        dps.any(|(id, _)| set.get(usize::from(id.0 / 32 % 4)).is_some_and(|word| word >> (id.0 % 32) & 1 == 1))
    }
}

fn insert(set: &mut [u32; 4], id: DpId) {
    if let Some(word) = set.get_mut(usize::from(id.0 / 32 % 4)) {
        *word |= 1 << (id.0 % 32);
    }
}

pub(super) fn report_cid(report: &Report<'_>) -> u32 {
    report.cid.map_or(0, |cid| text_mark(&cid))
}

pub(super) fn text_mark(text: &Text<'_>) -> u32 {
    mark(text.chars().map(u32::from))
}

/// Returns the checksum of a value: of integers by value, of text by character, of fractions, arrays and objects by
/// their JSON text.
pub(super) fn value_mark(value: &DpValue<'_>) -> u16 {
    let mark = match value {
        DpValue::Str(text) => text_mark(text),
        DpValue::Int(value) => bytes_mark(&value.to_le_bytes()),
        DpValue::Bool(value) => bytes_mark(&[u8::from(*value)]),
        DpValue::Null => 1,
        DpValue::Float(number) => bytes_mark(number.as_str().as_bytes()),
        DpValue::Json(text) => bytes_mark(text.as_bytes()),
    };
    // Never zero, which means that there is no value.
    (mark as u16).max(1)
}

fn bytes_mark(bytes: &[u8]) -> u32 {
    mark(bytes.iter().map(|byte| u32::from(*byte)))
}

/// Returns the FNV-1a checksum, never zero. It only has to distinguish the few children and values with outstanding
/// commands.
fn mark(parts: impl Iterator<Item = u32>) -> u32 {
    parts.fold(0x811c_9dc5, |mark: u32, part| (mark ^ part).wrapping_mul(0x0100_0193)).max(1)
}
