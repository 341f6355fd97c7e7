//! Values of DPs: as devices send them ([`Data`]) and with their meaning ([`Value`]).

mod data;
mod number;

pub use data::{Data, DpSource, Writes};
pub use number::{Number, ParseNumberError};

/// Value of one DP, with its meaning.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// On or off, open or closed, present or absent.
    Bool(bool),
    /// A number in its unit: scale applied, exact.
    Number(Number),
    /// A word of an enum, or text.
    Text(String),
    /// Labels of the bits that are set, in the order of the bits. A bit without a label is named `bit_N`, N from 0.
    Labels(Vec<String>),
    /// A color.
    Color(Color),
    /// Bytes of a raw DP.
    Bytes(Vec<u8>),
    /// Several named values, such as voltage, current and power of a phase.
    Group(Vec<(String, Self)>),
    /// Data without a known meaning.
    Json(serde_json::Value),
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
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Reading {
    /// The value.
    pub value: Value,
    /// The device sent what its own specification does not allow: a number out of range, a word outside the enum, another
    /// type. Such values are passed on: many devices break their own specification.
    pub is_out_of_spec: bool,
}

impl Reading {
    /// Returns a value that agrees with the specification.
    pub const fn new(value: Value) -> Self {
        Self { value, is_out_of_spec: false }
    }

    /// Returns a value that the specification does not allow.
    pub const fn out_of_spec(value: Value) -> Self {
        Self { value, is_out_of_spec: true }
    }
}
