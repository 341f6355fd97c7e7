#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(clippy::exhaustive_enums, clippy::exhaustive_structs)]

mod build;
mod entity;
#[cfg(feature = "profiles")]
pub mod profile;
mod schema;
mod tables;
mod value;

pub use entity::{Category, Channel, Codec, ColorForm, Entity, EntityKind, Role, StateClass, Word};
pub use schema::{
    Access, DpKind, DpOptions, DpSpec, Explanation, Fact, NumberSpec, Options, Origin, OverrideError, Overrides,
    Schema, SchemaBuilder,
};
pub use value::{Color, Data, DpSource, Limit, Number, ParseNumberError, Reading, Value, ValueError, Writes};
