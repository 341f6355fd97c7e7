//! Values of DPs: as devices send them ([`Data`]) and with their meaning ([`Value`]).

mod color;
mod data;
mod error;
mod number;
pub(crate) mod phase;
mod range;
pub(crate) mod scene;
mod total;

use core::fmt;
use std::sync::Arc;

use serde_json::{Value as Json, json};

pub use data::{Data, DpSource, Writes};
pub use error::{Limit, ValueError};
pub use number::{Number, ParseNumberError};
pub use total::Total;

/// Value of one DP, with its meaning.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// On or off, open or closed, present or absent.
    Bool(bool),
    /// A number in its unit: scale applied, exact.
    Number(Number),
    /// A word of an enum, or text. Shared: reading a word that the entity knows allocates nothing.
    Text(Arc<str>),
    /// Labels of the bits that are set, in the order of the bits. A bit without a label is named `bit_N`, N from 0.
    Labels(Vec<String>),
    /// A color.
    Color(Color),
    /// Bytes of a raw DP.
    Bytes(Vec<u8>),
    /// Several named values, such as voltage, current and power of a phase.
    Group(Vec<(String, Self)>),
    /// Several values in order, such as the steps of a scene.
    List(Vec<Self>),
    /// Data without a known meaning.
    Json(Json),
}

impl Value {
    /// Returns the member of a group.
    pub fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Group(members) => members.iter().find(|(found, _)| found == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// Makes a word or text.
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Text(text.into())
    }

    /// Returns the value as JSON: numbers as numbers, labels and steps as arrays, groups and colors as objects, bytes as
    /// hexadecimal text.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Bool(value) => (*value).into(),
            Self::Number(value) => value.to_json(),
            Self::Text(text) => Json::String(text.to_string()),
            Self::Labels(labels) => labels.iter().map(|label| Json::String(label.clone())).collect(),
            Self::Color(color) => json!({"h": color.hue, "s": color.saturation, "v": color.value}),
            Self::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into(),
            Self::Group(members) => {
                Json::Object(members.iter().map(|(name, value)| (name.clone(), value.to_json())).collect())
            }
            Self::List(values) => values.iter().map(Self::to_json).collect(),
            Self::Json(value) => value.clone(),
        }
    }
}

impl fmt::Display for Value {
    /// Writes the value for people: booleans as `on` and `off`, colors as `#rrggbb`, bytes as hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => f.write_str(if *value { "on" } else { "off" }),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
            Self::Labels(labels) if labels.is_empty() => f.write_str("none"),
            Self::Labels(labels) => f.write_str(&labels.join(", ")),
            Self::Color(color) => color.fmt(f),
            Self::Bytes(bytes) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
            Self::Group(members) => {
                for (i, (name, value)) in members.iter().enumerate() {
                    write!(f, "{}{name} {value}", if i > 0 { ", " } else { "" })?;
                }
                Ok(())
            }
            Self::List(values) => {
                for (i, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if i > 0 { "; " } else { "" })?;
                }
                Ok(())
            }
            Self::Json(value) => value.fmt(f),
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<Number> for Value {
    fn from(value: Number) -> Self {
        Self::Number(value)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<Color> for Value {
    fn from(color: Color) -> Self {
        Self::Color(color)
    }
}

/// A color: hue 0 to 360 degrees, saturation and brightness 0 to 1000 permille.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Color {
    /// Hue in degrees, 0 to 360.
    pub hue: u16,
    /// Saturation in permille, 0 (white) to 1000.
    pub saturation: u16,
    /// Brightness in permille, 0 to 1000.
    pub value: u16,
}

/// A value that was read, and its agreement with the specification.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Reading {
    /// The value.
    pub value: Value,
    /// The device sent what its own specification does not allow: a number out of range, a word outside the enum, another
    /// type. Such values are passed on: many devices break their own specification.
    pub is_out_of_spec: bool,
    /// The value is secret, such as the code of a lock: `Debug` does not print it.
    pub is_sensitive: bool,
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Reading");
        if self.is_sensitive {
            text.field("is_sensitive", &true);
        } else {
            text.field("value", &self.value);
        }
        text.field("is_out_of_spec", &self.is_out_of_spec).finish_non_exhaustive()
    }
}

impl Reading {
    /// Returns a value that agrees with the specification.
    pub const fn new(value: Value) -> Self {
        Self { value, is_out_of_spec: false, is_sensitive: false }
    }

    /// Returns a value that the specification does not allow.
    pub const fn out_of_spec(value: Value) -> Self {
        Self { value, is_out_of_spec: true, is_sensitive: false }
    }
}
