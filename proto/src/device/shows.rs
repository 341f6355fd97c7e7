//! The DPs that a push has to show, and checksums that tell values and sub-devices apart.

use super::command::Kind;
use super::pending::Asks;
use crate::ids::DpId;
use crate::json::Text;
use crate::payload::{DpMap, DpValue, Report, RequestData};
use crate::version::Version;

/// How many written DPs are remembered per command, to recognise the push that shows them.
const WRITTEN: usize = 4;
/// Fills the places of DPs that were not written; firmware has no DP of this number.
const NO_DP: u16 = u16::MAX;

/// A DP that a push is to show.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    pub(super) dp: u16,
    /// Checksum of the value, or zero where there is none.
    pub(super) mark: u16,
}

impl Written {
    pub(super) const NOTHING: Self = Self { dp: NO_DP, mark: 0 };

    /// The first few DPs of a command.
    pub(super) fn remember(command: &Kind<'_>) -> [Self; WRITTEN] {
        let mut remembered = [Self::NOTHING; WRITTEN];
        let mut slots = remembered.iter_mut();
        let mut note = |id: DpId, mark| {
            if let Some(slot) = slots.next() {
                *slot = Self { dp: id.0, mark };
            }
        };
        match command {
            Kind::Request { data: RequestData::Dps(map), .. } => {
                map.each(&mut |id, value| note(id, value_mark(&value)))
            }
            Kind::Request { data: RequestData::Ids(ids), .. } => ids.iter().for_each(|id| note(*id, 0)),
            _ => {}
        }
        remembered
    }
}

/// The DPs that a push has to show.
#[derive(Clone, Debug)]
pub(super) enum Shows {
    /// What was written.
    Written([Written; WRITTEN]),
    /// Any of these DPs, one bit for each that leaves the same remainder.
    AnyOf([u32; 4]),
}

impl Shows {
    /// What the push of a command shows.
    pub(super) fn remember(command: &Kind<'_>, asks: Asks) -> Self {
        if !Version::ANY_DEVICE22 {
            return Self::Written(Written::remember(command));
        }
        let mut set = [0; 4];
        let mut note = |id: DpId| insert(&mut set, id);
        match command {
            Kind::Request { data: RequestData::Ids(ids), .. } if asks == Asks::State22 => {
                ids.iter().copied().for_each(note);
            }
            Kind::Request { data: RequestData::Json(text), .. } if asks == Asks::State22 => {
                DpMap::Json(text).each(&mut |id, _| note(id));
            }
            _ => return Self::Written(Written::remember(command)),
        }
        Self::AnyOf(set)
    }

    /// Any of these.
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

/// Equal for equal values, however they are spelled: integers by value, text by character. Numbers with a fraction,
/// arrays and objects go by their JSON text.
pub(super) fn value_mark(value: &DpValue<'_>) -> u16 {
    let mark = match value {
        DpValue::Str(text) => text_mark(text),
        DpValue::Int(value) => bytes_mark(&value.to_le_bytes()),
        DpValue::Bool(value) => bytes_mark(&[u8::from(*value)]),
        DpValue::Null => 1,
        DpValue::Float(number) => bytes_mark(number.as_str().as_bytes()),
        DpValue::Json(text) => bytes_mark(text.as_bytes()),
    };
    // Never zero, as the whole is not.
    (mark as u16).max(1)
}

fn bytes_mark(bytes: &[u8]) -> u32 {
    mark(bytes.iter().map(|byte| u32::from(*byte)))
}

/// FNV-1a, never zero: enough to tell the few children and values apart that have commands outstanding.
fn mark(parts: impl Iterator<Item = u32>) -> u32 {
    parts.fold(0x811c_9dc5, |mark: u32, part| (mark ^ part).wrapping_mul(0x0100_0193)).max(1)
}
