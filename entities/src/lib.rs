#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(clippy::exhaustive_enums, clippy::exhaustive_structs)]

mod entity;
#[cfg(feature = "profiles")]
pub mod profile;
mod schema;
mod value;

pub use entity::{Category, Channel, Codec, ColorForm, Entity, EntityKind, Role, StateClass, Word};
pub use schema::{Access, DpKind, DpOptions, DpSpec, Fact, NumberSpec, Options, Origin, Schema};
pub use value::{Color, Data, DpSource, Limit, Number, ParseNumberError, Reading, Value, ValueError, Writes};
