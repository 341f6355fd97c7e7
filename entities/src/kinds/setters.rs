//! Intents in one expression: a method for each part of an intent.

use super::{ClimateIntent, FanIntent, HumidifierIntent, HvacMode, Level, LightIntent, Power, SirenIntent};
use crate::value::{Color, Number};

/// Declares methods that set one part of an intent each.
macro_rules! setters {
    ($($intent:ident { $($method:ident: $field:ident: $type:ty, $what:literal;)* })*) => {$(
        impl $intent {
            $(
                #[doc = concat!("Sets ", $what, ".")]
                #[must_use]
                pub fn $method(mut self, $field: impl Into<$type>) -> Self {
                    self.$field = Some($field.into());
                    self
                }
            )*
        }
    )*};
}

setters! {
    LightIntent {
        with_power: power: Power, "on, off, or the other of both";
        with_brightness: brightness: Level, "the brightness";
        with_color: color: Color, "the color, with its brightness";
        with_hue_saturation: hue_saturation: Color, "hue and saturation; the light keeps its brightness";
        with_color_temp: color_temp: u32, "the color temperature in kelvin";
        with_white: white: Level, "white of this brightness";
        with_effect: effect: String, "the effect";
        with_mode: mode: String, "the mode, in the device's own word";
    }
    ClimateIntent {
        with_power: power: Power, "on, off, or the other of both";
        with_hvac_mode: hvac_mode: HvacMode, "the mode";
        with_temperature: temperature: Number, "the temperature, in the unit of the state";
        with_humidity: humidity: Number, "the humidity in percent";
        with_preset: preset: String, "the preset";
        with_fan_mode: fan_mode: String, "the fan mode";
        with_swing_mode: swing_mode: String, "the swing";
    }
    FanIntent {
        with_power: power: Power, "on, off, or the other of both";
        with_percentage: percentage: u8, "the speed in percent; 0 is off";
        with_preset: preset: String, "the preset";
        with_oscillate: oscillate: bool, "the oscillation";
        with_direction: direction: String, "the direction: `forward` or `reverse`";
    }
    HumidifierIntent {
        with_power: power: Power, "on, off, or the other of both";
        with_humidity: humidity: Number, "the humidity in percent";
        with_mode: mode: String, "the mode";
    }
    SirenIntent {
        with_power: power: Power, "on, off, or the other of both";
        with_tone: tone: String, "the tone";
        with_duration: duration: Number, "the duration in seconds";
    }
}
