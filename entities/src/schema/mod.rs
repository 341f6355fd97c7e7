//! DPs of a device with their types, ranges and units, and the source of each fact.

use std::collections::BTreeMap;

use crate::value::Number;

/// DPs of one device, by number, as far as they are known.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Schema {
    /// Category of the product, such as `dj` for lights; empty if it is unknown.
    pub category: String,
    /// Id of the product.
    pub product_id: Option<String>,
    /// Model of the product.
    pub model: Option<String>,
    /// DPs by number.
    pub dps: BTreeMap<u16, DpSpec>,
}

impl Schema {
    /// Returns the DP with this code.
    pub fn by_code(&self, code: &str) -> Option<&DpSpec> {
        self.dps.values().find(|spec| spec.code == code)
    }
}

/// Specification of one DP.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DpSpec {
    /// Number of the DP.
    pub dp: u16,
    /// The vendor's code, such as `switch_led`; `dp_N` where none is known.
    pub code: String,
    /// Name that the user gave.
    pub name: Option<String>,
    /// Type and range.
    pub kind: DpKind,
    /// Direction.
    pub access: Access,
    /// Source of this specification.
    pub origin: Origin,
}

/// Type of a DP, with its range.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum DpKind {
    /// `true` and `false`.
    Boolean,
    /// An integer that stands for a number with a fixed number of decimals.
    Integer(NumberSpec),
    /// One of several words.
    Enum {
        /// The words, in the order of the specification.
        range: Vec<String>,
    },
    /// An integer whose bits are flags.
    Bitmap {
        /// Labels of the bits, from the lowest.
        labels: Vec<String>,
    },
    /// Text.
    String {
        /// Most characters.
        max_len: Option<u32>,
    },
    /// Bytes, sent as base64 (or hexadecimal) text.
    Raw {
        /// Most bytes.
        max_len: Option<u32>,
    },
    /// JSON, or the vendor's hexadecimal form of it (colors, scenes).
    Json {
        /// The specification of its members.
        members: serde_json::Value,
    },
    /// A type that this library does not know, by the name that the source gives it. Values pass as they are.
    Opaque(String),
}

/// Range of an `Integer` DP. Limits and step are the device's integers, before the scale is applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NumberSpec {
    /// Least integer.
    pub min: Option<i64>,
    /// Greatest integer.
    pub max: Option<i64>,
    /// Distance of two settable integers, from `min`; 1 or less means that all are.
    pub step: i64,
    /// Decimals: the integer 215 with scale 1 is 21.5.
    pub scale: u8,
    /// Unit, in Home Assistant's spelling; empty if it has none.
    pub unit: String,
}

impl NumberSpec {
    /// Returns the number that an integer of the device stands for.
    pub const fn number(&self, raw: i64) -> Number {
        Number::new(raw, self.scale)
    }
}

/// Direction of a DP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Access {
    /// Reported and set.
    #[default]
    ReadWrite,
    /// Reported only.
    ReadOnly,
    /// Set only.
    WriteOnly,
}

/// Source of a fact, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Origin {
    /// The user's own file.
    Override,
    /// The `mapping` of the device's entry in `devices.json`.
    Mapping,
    /// The cloud's specification or thing model.
    Cloud,
    /// A profile in a directory that the user named.
    Profile,
    /// The DP numbers that are customary for the category.
    Customary,
    /// The type of a value that the device sent.
    Observed,
}
