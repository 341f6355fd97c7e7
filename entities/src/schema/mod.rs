//! DPs of a device with their types, ranges and units, and the source of each fact.

use std::collections::BTreeMap;

mod builder;
mod explain;
mod overrides;
mod read;

pub(crate) use builder::Observed;
pub use builder::SchemaBuilder;
pub use explain::Explanation;
pub use overrides::{OverrideError, Overrides};

use crate::entity::{Category, EntityKind, StateClass};
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
    /// Name that the user gave to the device.
    pub name: Option<String>,
    /// DPs by number.
    pub dps: BTreeMap<u16, DpSpec>,
    /// Settings of the user for the whole device.
    pub options: Options,
}

/// Settings of the user for a whole device: facts that no specification of the vendor has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// 0 % of the device is an open cover, as most devices count; `None` for the custom of the category.
    pub is_cover_inverted: Option<bool>,
    /// The warmest light in kelvin.
    pub min_kelvin: Option<u32>,
    /// The coldest light in kelvin.
    pub max_kelvin: Option<u32>,
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
    /// Source that has this DP, of all facts that [`others`](Self::others) does not name.
    pub origin: Origin,
    /// Facts from other sources.
    pub others: Vec<(Fact, Origin)>,
    /// Settings of the user for the entities of this DP.
    pub options: DpOptions,
}

impl DpSpec {
    /// Makes the specification of a DP that is reported and set.
    pub fn new(dp: u16, code: impl Into<String>, kind: DpKind, origin: Origin) -> Self {
        Self {
            dp,
            code: code.into(),
            name: None,
            kind,
            access: Access::ReadWrite,
            origin,
            others: Vec::new(),
            options: DpOptions::default(),
        }
    }

    /// Returns the source of one fact; `None` for a direction that no source has.
    pub fn origin_of(&self, fact: Fact) -> Option<Origin> {
        let other = self.others.iter().find(|(found, _)| *found == fact).map(|(_, origin)| *origin);
        let has_no_access = matches!(self.origin, Origin::Mapping | Origin::Customary | Origin::Observed);
        other.or((fact != Fact::Access || !has_no_access).then_some(self.origin))
    }
}

/// One fact about a DP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fact {
    /// The code.
    Code,
    /// The type.
    Type,
    /// Limits, step and scale; words; labels.
    Range,
    /// The unit.
    Unit,
    /// The direction.
    Access,
}

/// Settings of the user for the entities of one DP. They replace what the tables of this crate say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DpOptions {
    /// The DP has no entity.
    pub is_hidden: bool,
    /// Shown without the user's asking, or not.
    pub is_enabled: Option<bool>,
    /// Kind of the entity.
    pub kind: Option<EntityKind>,
    /// Device class; empty for none.
    pub device_class: Option<String>,
    /// Meaning of the values over time.
    pub state_class: Option<StateClass>,
    /// Part in the daily use of the device.
    pub category: Option<Category>,
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

impl Access {
    /// All directions.
    pub(crate) const ALL: &'static [Self] = &[Self::ReadWrite, Self::ReadOnly, Self::WriteOnly];

    /// Returns `rw`, `ro` or `wr`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadWrite => "rw",
            Self::ReadOnly => "ro",
            Self::WriteOnly => "wr",
        }
    }

    /// Returns whether the DP can be set.
    pub const fn is_writable(self) -> bool {
        !matches!(self, Self::ReadOnly)
    }
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
    /// The vendor's standard set of codes.
    Standard,
    /// The DP numbers that are customary for the category.
    Customary,
    /// The type of a value that the device sent.
    Observed,
}

impl Origin {
    /// Returns the name in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Override => "override",
            Self::Mapping => "mapping",
            Self::Cloud => "cloud",
            Self::Profile => "profile",
            Self::Standard => "standard",
            Self::Customary => "customary",
            Self::Observed => "observed",
        }
    }
}
