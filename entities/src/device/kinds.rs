//! Typed handles: one type for each kind of entity.

use super::{EntityDevice, EntityHandle, Handle};
use crate::entity::{Entity, EntityKind};
use crate::kinds::{
    AlarmIntent, AlarmState, ClimateIntent, ClimateState, CoverIntent, CoverState, EntityState, EventState, FanIntent,
    FanState, HumidifierIntent, HumidifierState, Intent, IntentError, LightIntent, LightState, LockState, Power,
    SirenIntent, SirenState, VacuumIntent, VacuumState, ValveIntent, ValveState,
};
use crate::value::{self, Reading};

/// Declares the handle of one kind, and the methods of a device that return the first one and all of them.
macro_rules! kind {
    ($(#[$doc:meta])* $kind:ident, $first:ident, $all:ident, $name:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $kind<H>(EntityHandle<H>);

        impl<H> $kind<H> {
            /// Returns its description: kind, name, unit, channels.
            pub fn entity(&self) -> &Entity {
                self.0.entity()
            }

            /// Returns the handle that serves every kind.
            pub const fn handle(&self) -> &EntityHandle<H> {
                &self.0
            }
        }

        impl<H: Handle> EntityDevice<H> {
            #[doc = concat!("Returns its first ", $name, ", if it has one.")]
            pub fn $first(&self) -> Option<$kind<H>> {
                self.$all().next()
            }

            #[doc = concat!("Returns each ", $name, " that it has.")]
            pub fn $all(&self) -> impl Iterator<Item = $kind<H>> + '_ {
                self.of_kind(EntityKind::$kind).map($kind)
            }
        }
    };
}

/// Adds the state, where each kind has a type of its own.
macro_rules! state {
    ($kind:ident, $state:ident) => {
        impl<H: Handle> $kind<H> {
            /// Returns its last known state. Asks nobody.
            pub fn state(&self) -> $state {
                match self.0.state() {
                    EntityState::$kind(state) => state,
                    _ => $state::default(),
                }
            }
        }
    };
}

/// Adds the verbs of what is switched.
macro_rules! switched {
    ($($kind:ident)*) => {$(
        impl<H: Handle> $kind<H> {
            /// Switches it off.
            ///
            /// # Errors
            /// [`IntentError::Unsupported`] if it cannot be switched.
            pub fn turn_off(&self) -> Result<H::Sending, IntentError> {
                self.0.apply(&Intent::Switch(Power::Off))
            }

            /// Switches it on if it is off, and off if it is on.
            ///
            /// # Errors
            /// [`IntentError::UnknownState`] as long as its state is not known.
            pub fn toggle(&self) -> Result<H::Sending, IntentError> {
                self.0.apply(&Intent::Switch(Power::Toggle))
            }
        }
    )*};
}

/// Adds the verb that takes an intent of the kind.
macro_rules! apply {
    ($($kind:ident $intent:ident)*) => {$(
        impl<H: Handle> $kind<H> {
            /// Makes one command of an intent.
            ///
            /// # Errors
            /// [`IntentError`], which says what it takes instead.
            pub fn apply(&self, intent: $intent) -> Result<H::Sending, IntentError> {
                self.0.apply(&Intent::$kind(intent))
            }
        }
    )*};
}

/// Adds switching on without more.
macro_rules! turn_on {
    ($($kind:ident)*) => {$(
        impl<H: Handle> $kind<H> {
            /// Switches it on.
            ///
            /// # Errors
            /// [`IntentError::Unsupported`] if it cannot be switched.
            pub fn turn_on(&self) -> Result<H::Sending, IntentError> {
                self.0.apply(&Intent::Switch(Power::On))
            }
        }
    )*};
}

/// Adds the one value.
macro_rules! value {
    ($($kind:ident)*) => {$(
        impl<H: Handle> $kind<H> {
            /// Returns its last known value. Asks nobody.
            pub fn value(&self) -> Option<Reading> {
                match self.0.state() {
                    EntityState::Value(value) => value,
                    _ => None,
                }
            }
        }
    )*};
}

kind!(
    /// A host of an alarm system.
    Alarm, alarm, alarms, "alarm"
);
kind!(
    /// Something that is on or off and only reported.
    BinarySensor, binary_sensor, binary_sensors, "binary sensor"
);
kind!(
    /// Something that is pressed.
    Button, button, buttons, "button"
);
kind!(
    /// A thermostat, an air conditioner, a heater.
    Climate, climate, climates, "climate"
);
kind!(
    /// A curtain, a blind, a garage door.
    Cover, cover, covers, "cover"
);
kind!(
    /// A fan, or the fan of a device.
    Fan, fan, fans, "fan"
);
kind!(
    /// A humidifier or dehumidifier.
    Humidifier, humidifier, humidifiers, "humidifier"
);
kind!(
    /// A light.
    Light, light, lights, "light"
);
kind!(
    /// A lock. Only reported.
    Lock, lock, locks, "lock"
);
kind!(
    /// A number that is set.
    Number, number, numbers, "number"
);
kind!(
    /// One of several words that is set.
    Select, select, selects, "select"
);
kind!(
    /// A value that is only reported.
    Sensor, sensor, sensors, "sensor"
);
kind!(
    /// A siren.
    Siren, siren, sirens, "siren"
);
kind!(
    /// A switch or an outlet.
    Switch, switch, switches, "switch"
);
kind!(
    /// A text that is set.
    Text, text, texts, "text"
);
kind!(
    /// A vacuum robot.
    Vacuum, vacuum, vacuums, "vacuum robot"
);
kind!(
    /// A valve.
    Valve, valve, valves, "valve"
);

/// Something that sends events, such as a button of a remote control.
#[derive(Clone, Debug)]
pub struct EventSource<H>(EntityHandle<H>);

impl<H: Handle> EntityDevice<H> {
    /// Returns its first source of events, if it has one.
    pub fn event_source(&self) -> Option<EventSource<H>> {
        self.event_sources().next()
    }

    /// Returns each source of events that it has.
    pub fn event_sources(&self) -> impl Iterator<Item = EventSource<H>> + '_ {
        self.of_kind(EntityKind::Event).map(EventSource)
    }
}

impl<H: Handle> EventSource<H> {
    /// Returns its description: kind, name, channels.
    pub fn entity(&self) -> &Entity {
        self.0.entity()
    }

    /// Returns the last event that was reported. It may be old: [`Changes`](super::Changes) have events when they come.
    pub fn state(&self) -> EventState {
        match self.0.state() {
            EntityState::Event(state) => state,
            _ => EventState::default(),
        }
    }
}

state!(Alarm, AlarmState);
state!(Climate, ClimateState);
state!(Cover, CoverState);
state!(Fan, FanState);
state!(Humidifier, HumidifierState);
state!(Light, LightState);
state!(Lock, LockState);
state!(Siren, SirenState);
state!(Vacuum, VacuumState);
state!(Valve, ValveState);
value!(BinarySensor Button Number Select Sensor Switch Text);
switched!(Climate Fan Humidifier Light Siren Switch);
turn_on!(Climate Fan Humidifier Siren Switch);
apply!(
    Alarm AlarmIntent Climate ClimateIntent Cover CoverIntent Fan FanIntent Humidifier HumidifierIntent Light LightIntent
    Siren SirenIntent Vacuum VacuumIntent Valve ValveIntent
);

impl<H: Handle> Light<H> {
    /// Switches it on, with brightness, color, color temperature or effect where the intent has them, in one command.
    ///
    /// # Errors
    /// [`IntentError`], which says what the light takes instead.
    pub fn turn_on(&self, intent: LightIntent) -> Result<H::Sending, IntentError> {
        self.apply(LightIntent { power: Some(Power::On), ..intent })
    }
}

impl<H: Handle> Cover<H> {
    /// Opens it.
    ///
    /// # Errors
    /// [`IntentError::Unsupported`] if it cannot.
    pub fn open(&self) -> Result<H::Sending, IntentError> {
        self.apply(CoverIntent::Open)
    }

    /// Closes it.
    ///
    /// # Errors
    /// [`IntentError::Unsupported`] if it cannot.
    pub fn close(&self) -> Result<H::Sending, IntentError> {
        self.apply(CoverIntent::Close)
    }

    /// Stops it.
    ///
    /// # Errors
    /// [`IntentError::Unsupported`] if it cannot.
    pub fn stop(&self) -> Result<H::Sending, IntentError> {
        self.apply(CoverIntent::Stop)
    }
}

impl<H: Handle> Number<H> {
    /// Sets it, in its unit.
    ///
    /// # Errors
    /// [`IntentError::Value`] beyond its range or between its steps.
    pub fn set(&self, number: impl Into<value::Number>) -> Result<H::Sending, IntentError> {
        self.0.apply(&Intent::Number(number.into()))
    }
}

impl<H: Handle> Select<H> {
    /// Sets it to one of its words.
    ///
    /// # Errors
    /// [`IntentError::Value`] for any other word.
    pub fn set(&self, word: impl Into<String>) -> Result<H::Sending, IntentError> {
        self.0.apply(&Intent::Select(word.into()))
    }
}

impl<H: Handle> Text<H> {
    /// Sets it.
    ///
    /// # Errors
    /// [`IntentError::Value`] if it is too long.
    pub fn set(&self, text: impl Into<String>) -> Result<H::Sending, IntentError> {
        self.0.apply(&Intent::Text(text.into()))
    }
}

impl<H: Handle> Button<H> {
    /// Presses it.
    ///
    /// # Errors
    /// [`IntentError`] if the device takes no press.
    pub fn press(&self) -> Result<H::Sending, IntentError> {
        self.0.apply(&Intent::Press)
    }
}
