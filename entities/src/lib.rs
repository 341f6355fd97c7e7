#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(clippy::exhaustive_enums, clippy::exhaustive_structs)]

mod build;
#[cfg(feature = "runtime")]
pub mod device;
mod entity;
mod kinds;
#[cfg(feature = "profiles")]
pub mod profile;
mod schema;
mod tables;
mod value;

/// The guide, so that its programs are compiled.
#[cfg(all(doctest, feature = "profiles"))]
#[doc = include_str!("../../docs/entities.md")]
mod guide {}

#[cfg(feature = "runtime")]
pub use device::{Change, ChangeTracker, Changes, EntityDevice, EntityHandle};
pub use entity::{Category, Channel, Codec, ColorForm, Entity, EntityKind, Role, StateClass, Word};
pub use kinds::{
    Activity, AlarmIntent, AlarmMode, AlarmState, Capabilities, ClimateCapabilities, ClimateIntent, ClimateState,
    ColorMode, CoverCapabilities, CoverIntent, CoverState, EntityState, EventState, FanCapabilities, FanIntent,
    FanState, HumidifierCapabilities, HumidifierIntent, HumidifierState, HvacMode, Intent, IntentError, Level,
    LightCapabilities, LightIntent, LightState, LockState, Movement, NumberCapabilities, Power, SirenCapabilities,
    SirenIntent, SirenState, StateEntry, TemperatureUnit, Unlocked, VacuumCapabilities, VacuumIntent, VacuumState,
    ValveIntent, ValveState, assign, assignable,
};
pub use schema::{
    Access, DpKind, DpOptions, DpSpec, Explanation, Fact, NumberSpec, Options, Origin, OverrideError, Overrides,
    Schema, SchemaBuilder,
};
pub use value::{Color, Data, DpSource, Limit, Number, ParseNumberError, Reading, Total, Value, ValueError, Writes};
