//! Several intents as one.

use super::{ClimateIntent, FanIntent, HumidifierIntent, Intent, IntentError, LightIntent, SirenIntent};

/// Merges the fields of two intents of one kind. A field that both have is a conflict.
macro_rules! merge {
    ($one:ident, $other:ident, $intent:ident { $($field:ident),+ $(,)? }) => {{
        $(
            if $one.$field.is_some() && $other.$field.is_some() && $one.$field != $other.$field {
                let name = stringify!($field);
                return Err(IntentError::conflict(name, &format!("another {name}")));
            }
        )+
        $intent { $($field: $other.$field.or($one.$field)),+ }
    }};
}

impl Intent {
    /// Merges two intents for one entity, so that they are one command.
    ///
    /// # Errors
    /// They are for different kinds, or both set the same thing. Intents of kinds that do one thing at a time (covers,
    /// vacuum robots, switches) do not merge.
    ///
    /// ```
    /// # use rustuya_entities::{Color, Intent, Level, LightIntent};
    /// let (mut color, mut brightness) = (LightIntent::default(), LightIntent::default());
    /// color.color = Color::from_text("red");
    /// brightness.brightness = Some(Level::from_byte(128)?);
    /// let both = Intent::Light(color).merged(Intent::Light(brightness))?;
    /// # let Intent::Light(both) = both else { panic!() };
    /// # assert!(both.color.is_some() && both.brightness.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn merged(self, other: Self) -> Result<Self, IntentError> {
        Ok(match (self, other) {
            (Self::Light(one), Self::Light(other)) => Self::Light(merge!(
                one,
                other,
                LightIntent { power, brightness, color, hue_saturation, color_temp, white, effect, mode }
            )),
            (Self::Climate(one), Self::Climate(other)) => Self::Climate(merge!(
                one,
                other,
                ClimateIntent {
                    power,
                    hvac_mode,
                    temperature,
                    temperature_low,
                    temperature_high,
                    humidity,
                    preset,
                    fan_mode,
                    swing_mode,
                    swing_horizontal_mode,
                }
            )),
            (Self::Fan(one), Self::Fan(other)) => {
                Self::Fan(merge!(one, other, FanIntent { power, percentage, preset, oscillate, direction }))
            }
            (Self::Humidifier(one), Self::Humidifier(other)) => {
                Self::Humidifier(merge!(one, other, HumidifierIntent { power, humidity, mode }))
            }
            (Self::Siren(one), Self::Siren(other)) => {
                Self::Siren(merge!(one, other, SirenIntent { power, tone, volume, duration }))
            }
            (one, other) if one == other => one,
            (one, other) => return Err(IntentError::conflict(one.name(), other.name())),
        })
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Alarm(_) => "mode",
            Self::Climate(_) => "climate",
            Self::Cover(_) => "one movement",
            Self::Fan(_) => "fan",
            Self::Humidifier(_) => "humidifier",
            Self::Light(_) => "light",
            Self::Number(_) => "one number",
            Self::Press => "press",
            Self::Select(_) => "one option",
            Self::Siren(_) => "siren",
            Self::Switch(_) => "one switching",
            Self::Text(_) => "one text",
            Self::Vacuum(_) => "one command",
            Self::Valve(_) => "one movement of a valve",
        }
    }
}
