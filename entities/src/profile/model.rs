//! A device file in types.

use core::fmt;
use std::sync::Arc;

use super::rules::RuleSet;
use super::yaml::Scalar;
use crate::value::Number;

/// A device file: the entities of a product, and how their values come from its DPs.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Profile {
    /// Name of the kind of device.
    pub name: String,
    /// Products that it was made for.
    pub products: Vec<Product>,
    /// Name under which older settings know it.
    pub legacy_type: Option<String>,
    /// Entities.
    pub entities: Vec<ProfileEntity>,
    /// Parts outside the entities that were not understood.
    pub notes: Vec<String>,
}

/// A product that a profile was made for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Product {
    /// Id of the product, in the vendor's cloud or in the announcements of the device.
    pub id: String,
    /// Manufacturer.
    pub manufacturer: Option<String>,
    /// Model.
    pub model: Option<String>,
    /// Model id.
    pub model_id: Option<String>,
    /// Name of the product.
    pub name: Option<String>,
}

/// An entity of a profile.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ProfileEntity {
    /// Platform, such as `light`.
    pub platform: String,
    /// Name.
    pub name: Option<String>,
    /// Device class.
    pub class: Option<String>,
    /// `config`, `diagnostic`, or nothing.
    pub category: Option<String>,
    /// Key of texts and icons, which also stands for the name.
    pub translation_key: Option<String>,
    /// Key of texts and icons alone.
    pub translation_only_key: Option<String>,
    /// Values for gaps in a translated name.
    pub translation_placeholders: Vec<(String, String)>,
    /// Icon.
    pub icon: Option<String>,
    /// Rank of the icon; the lowest wins.
    pub icon_priority: Option<i64>,
    /// Form of input of a number: `auto`, `slider`, `box`.
    pub mode: Option<String>,
    /// Disabled until the user enables it.
    pub hidden: Hidden,
    /// Replacement, if it is kept for old users only.
    pub deprecated: Option<String>,
    /// DPs with their rules.
    pub rules: Arc<RuleSet>,
    /// Parts that were not understood; empty if all were.
    pub notes: Vec<String>,
}

impl ProfileEntity {
    /// Returns `true` if every key and every DP of it was understood.
    pub const fn is_understood(&self) -> bool {
        self.notes.is_empty()
    }
}

/// An entity or value that is not shown by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hidden {
    /// Shown.
    #[default]
    No,
    /// Not shown.
    Yes,
    /// Not shown while the entity's DP `available` says `false`.
    Unavailable,
}

/// A DP of an entity.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct ProfileDp {
    /// Number of the DP.
    pub id: u16,
    /// Type of its data.
    pub kind: DpType,
    /// Part in the entity, else the name of an attribute.
    pub name: String,
    /// The device need not send it.
    pub is_optional: bool,
    /// Its last value counts until the next one. Where not, a value is an event.
    pub is_persistent: bool,
    /// The device must be asked to update it.
    pub needs_update: bool,
    /// Never set.
    pub is_readonly: bool,
    /// Its values are secret.
    pub is_sensitive: bool,
    /// No attribute: it serves rules of other DPs.
    pub is_hidden: bool,
    /// Unit.
    pub unit: Option<String>,
    /// State class of a sensor.
    pub class: Option<String>,
    /// Decimals to show.
    pub precision: Option<u8>,
    /// Range, in the device's numbers.
    pub range: Option<Range>,
    /// Numbers that are packed in bytes, in order.
    pub format: Vec<Field>,
    /// The bits of bytes or of an integer that are the value, the most significant byte first.
    pub mask: Option<Vec<u8>>,
    /// The bits of the mask are a number in two's complement.
    pub is_mask_signed: bool,
    /// The least significant byte comes first.
    pub is_little_endian: bool,
    /// Rules.
    pub mapping: Vec<Rule>,
}

impl fmt::Debug for ProfileDp {
    /// Prints no rule of a sensitive DP: its values stand in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("ProfileDp");
        text.field("id", &self.id).field("name", &self.name).field("kind", &self.kind);
        if self.is_sensitive {
            text.field("is_sensitive", &true);
        } else {
            text.field("mapping", &self.mapping);
        }
        text.finish_non_exhaustive()
    }
}

/// Type of a DP's data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DpType {
    /// A boolean.
    Boolean,
    /// An integer.
    Integer,
    /// Text.
    #[default]
    String,
    /// A number with a fraction.
    Float,
    /// An integer whose bits are flags.
    Bitfield,
    /// Bytes in base64.
    Base64,
    /// Bytes in hexadecimal digits.
    Hex,
    /// Text in UTF-16 with the high byte first, in base64.
    Utf16Base64,
    /// JSON as text.
    Json,
    /// Seconds since 1970.
    UnixTime,
}

impl DpType {
    /// Returns the type of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "boolean" => Self::Boolean,
            "integer" => Self::Integer,
            "string" => Self::String,
            "float" => Self::Float,
            "bitfield" => Self::Bitfield,
            "base64" => Self::Base64,
            "hex" => Self::Hex,
            "utf16b64" => Self::Utf16Base64,
            "json" => Self::Json,
            "unixtime" => Self::UnixTime,
            _ => return None,
        })
    }

    /// Returns `true` if the device sends a number.
    pub const fn is_number(self) -> bool {
        matches!(self, Self::Integer | Self::Float | Self::Bitfield | Self::UnixTime)
    }
}

/// A range of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Range {
    /// Least number.
    pub min: Number,
    /// Greatest number.
    pub max: Number,
}

/// A number that is packed in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Field {
    /// Name: `h`, `s`, `v`, `r`, `g`, `b` of a color.
    pub name: String,
    /// Number of bytes, 1 to 8.
    pub bytes: u8,
    /// Range; all that the bytes hold where the file gives none.
    pub range: Range,
}

/// A rule for some or all values of a DP. A condition is a rule, too: its `dps_val` are values of the constraint.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Rule {
    /// Data of the device that it is for, one or several; `None`: all that no other rule is for. Of a bitfield: any of
    /// the bits.
    pub dps_val: Option<Vec<Scalar>>,
    /// The data were given as a list: the constraint is not written along.
    pub is_list: bool,
    /// Value that stands for the data.
    pub value: Option<Scalar>,
    /// Divisor of the data.
    pub scale: Option<Number>,
    /// Step of the device's numbers.
    pub step: Option<Number>,
    /// The range counts the other way round.
    pub invert: Option<bool>,
    /// Range, in place of the DP's own.
    pub range: Option<Range>,
    /// Range that the DP's range becomes.
    pub target_range: Option<Range>,
    /// Icon.
    pub icon: Option<String>,
    /// Rank of the icon; the lowest wins.
    pub icon_priority: Option<i64>,
    /// Name of the DP that is read and written instead.
    pub value_redirect: Option<String>,
    /// Name of the DP that is read instead.
    pub value_mirror: Option<String>,
    /// The value cannot be set.
    pub invalid: bool,
    /// The value is reported, and not offered.
    pub hidden: bool,
    /// Name of the boolean DP that says that the rule applies.
    pub available: Option<String>,
    /// The value to use where none is given.
    pub default: bool,
    /// Name of the DP that the conditions are about; the DP itself where none is given.
    pub constraint: Option<String>,
    /// Conditions.
    pub conditions: Vec<Self>,
    /// Values in place of this condition's value.
    pub mapping: Vec<Self>,
}
