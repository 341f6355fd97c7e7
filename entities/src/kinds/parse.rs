//! Intents as text, for command lines and MQTT.

use super::{
    AlarmIntent, AlarmMode, ClimateIntent, CoverIntent, FanIntent, HumidifierIntent, HvacMode, Intent, IntentError,
    Level, LightIntent, Power, SirenIntent, VacuumIntent, ValveIntent,
};
use crate::entity::{Entity, EntityKind, Role};
use crate::value::{Color, Limit, Number, Value, ValueError};

impl Entity {
    /// Returns the names that [`intent`](Self::intent) takes for this entity. The first one may be left empty.
    pub fn verbs(&self) -> Vec<&'static str> {
        let mut verbs = Verbs { entity: self, found: Vec::new() };
        match self.kind {
            EntityKind::Light => {
                verbs.if_set(&[Role::Power], "power");
                verbs.if_set(&[Role::Brightness, Role::Color], "brightness");
                verbs.if_set(&[Role::Color], "color");
                verbs.if_set(&[Role::ColorTemp], "color_temp");
                verbs.if_set(&[Role::Mode, Role::Effect], "effect");
                verbs.if_set(&[Role::Mode], "mode");
            }
            EntityKind::Climate => {
                verbs.if_set(&[Role::Mode, Role::Power], "mode");
                verbs.if_set(&[Role::Power, Role::Mode], "power");
                verbs.if_set(&[Role::TargetTemperature], "temperature");
                verbs.if_set(&[Role::TargetTemperatureLow], "temperature_low");
                verbs.if_set(&[Role::TargetTemperatureHigh], "temperature_high");
                verbs.if_set(&[Role::TargetHumidity], "humidity");
                verbs.if_set(&[Role::Preset], "preset");
                verbs.if_set(&[Role::FanSpeed], "fan_mode");
                verbs.if_set(&[Role::Swing, Role::SwingVertical, Role::SwingHorizontal], "swing_mode");
                verbs.if_set(&[Role::SwingHorizontal], "swing_horizontal_mode");
            }
            EntityKind::Cover => {
                verbs.if_set(&[Role::Command, Role::Position], "command");
                verbs.if_set(&[Role::Position], "position");
                verbs.if_set(&[Role::Tilt], "tilt");
            }
            EntityKind::Fan => {
                verbs.if_set(&[Role::Power], "power");
                verbs.if_set(&[Role::FanSpeed], "percentage");
                verbs.if_set(&[Role::Preset, Role::Mode, Role::FanSpeed], "preset");
                verbs.if_set(&[Role::Oscillate], "oscillate");
                verbs.if_set(&[Role::Direction], "direction");
            }
            EntityKind::Humidifier => {
                verbs.if_set(&[Role::Power], "power");
                verbs.if_set(&[Role::TargetHumidity], "humidity");
                verbs.if_set(&[Role::Mode], "mode");
            }
            EntityKind::Vacuum => {
                verbs.if_set(&[Role::Power, Role::Command, Role::Dock, Role::Locate], "command");
                verbs.if_set(&[Role::FanSpeed], "fan_speed");
                verbs.if_set(&[Role::Mode], "mode");
            }
            EntityKind::Valve => {
                verbs.if_set(&[Role::Power, Role::Value, Role::Command], "command");
                verbs.if_set(&[Role::Position], "position");
            }
            EntityKind::Alarm => verbs.if_set(&[Role::Mode, Role::Value], "mode"),
            EntityKind::Siren => {
                verbs.if_set(&[Role::Power, Role::Value], "power");
                verbs.if_set(&[Role::Tone], "tone");
                verbs.if_set(&[Role::Volume], "volume");
                verbs.if_set(&[Role::Duration], "duration");
            }
            EntityKind::Switch => verbs.if_set(&[Role::Power, Role::Value], "power"),
            EntityKind::Number | EntityKind::Text => verbs.if_set(&[Role::Value], "value"),
            EntityKind::Select => verbs.if_set(&[Role::Value], "option"),
            EntityKind::Button => verbs.if_set(&[Role::Value], "press"),
            EntityKind::BinarySensor | EntityKind::Event | EntityKind::Lock | EntityKind::Sensor => {}
        }
        verbs.found
    }

    /// Reads an intent of a name and a text, such as `brightness` and `50%`. An empty name stands for the main thing: the
    /// switch of a light, the mode of a climate, the command of a cover, the value of a number. `on`, `off` and `toggle`
    /// are read under it by whatever can be switched.
    ///
    /// # Errors
    /// Says what is read under this name, or what names the entity has.
    ///
    /// ```
    /// # use std::collections::BTreeMap;
    /// # use rustuya_entities::{Access, Channel, Codec, Entity, EntityKind, Role};
    /// let codec = Codec::Bool { is_inverted: false };
    /// let mut switch = Entity::new("switch_1", EntityKind::Switch, "switch_1");
    /// switch.channels = vec![(Role::Value, Channel::new(1, "switch_1", Access::ReadWrite, codec))];
    /// let present = BTreeMap::from([(1, true.into())]);
    /// let intent = switch.intent("", "toggle")?;
    /// assert_eq!(switch.apply(&intent, &present)?.dps, BTreeMap::from([(1, false.into())]));
    /// assert_eq!(switch.intent("brightness", "50%").unwrap_err().to_string(), "switch_1 has no brightness; it has power");
    /// # Ok::<(), rustuya_entities::IntentError>(())
    /// ```
    pub fn intent(&self, name: &str, text: &str) -> Result<Intent, IntentError> {
        let text = text.trim();
        let Some(main) = self.verbs().first().copied() else {
            return Err(IntentError::ReadOnly { entity: self.id.clone() });
        };
        let lower = name.trim().to_ascii_lowercase().replace('-', "_");
        let name = match lower.as_str() {
            "" if power(text).is_some() && self.verbs().contains(&"power") => "power",
            "" => main,
            name => known_name(self.kind, name),
        };
        let intent = match self.kind {
            EntityKind::Light => light(name, text)?.map(Intent::Light),
            EntityKind::Climate => self.climate(name, text)?.map(Intent::Climate),
            EntityKind::Cover => cover(name, text)?.map(Intent::Cover),
            EntityKind::Fan => fan(name, text)?.map(Intent::Fan),
            EntityKind::Humidifier => self.humidifier(name, text)?.map(Intent::Humidifier),
            EntityKind::Vacuum => vacuum(name, text)?.map(Intent::Vacuum),
            EntityKind::Valve => valve(name, text)?.map(Intent::Valve),
            EntityKind::Alarm if name == "mode" => Some(Intent::Alarm(AlarmIntent(alarm(text)?))),
            EntityKind::Siren => self.siren(name, text)?.map(Intent::Siren),
            EntityKind::Switch if name == "power" => Some(Intent::Switch(read_power(name, text)?)),
            EntityKind::Number if name == "value" => Some(Intent::Number(number(name, text, &self.unit)?)),
            EntityKind::Text if name == "value" => Some(Intent::Text(text.to_owned())),
            EntityKind::Select if name == "option" => Some(Intent::Select(text.to_owned())),
            EntityKind::Button if name == "press" => Some(Intent::Press),
            _ => None,
        };
        intent.ok_or_else(|| IntentError::Unsupported {
            entity: self.id.clone(),
            what: name.to_owned(),
            supported: self.verbs().into_iter().map(str::to_owned).collect(),
        })
    }

    /// Reads several names and texts into one intent, so that they are one command.
    ///
    /// # Errors
    /// As [`intent`](Self::intent), and for parts that exclude each other.
    pub fn intents<'a>(&self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Intent, IntentError> {
        let mut merged: Option<Intent> = None;
        for (name, text) in pairs {
            let intent = self.intent(name, text)?;
            merged = Some(match merged {
                Some(before) => before.merged(intent)?,
                None => intent,
            });
        }
        merged.ok_or_else(|| IntentError::Unsupported {
            entity: self.id.clone(),
            what: "part to set in nothing".to_owned(),
            supported: self.verbs().into_iter().map(str::to_owned).collect(),
        })
    }

    fn climate(&self, name: &str, text: &str) -> Result<Option<ClimateIntent>, IntentError> {
        let mut intent = ClimateIntent::default();
        let degrees = |text: &str| number(name, text, self.degrees());
        match name {
            "power" => intent.power = Some(read_power(name, text)?),
            "mode" => {
                let modes = || HvacMode::ALL.map(HvacMode::as_str).map(str::to_owned).to_vec();
                let mode = HvacMode::from_name(text);
                intent.hvac_mode = Some(mode.ok_or_else(|| ValueError::new(name, Limit::Words(modes())))?);
            }
            "temperature" => intent.temperature = Some(degrees(text)?),
            "temperature_low" => intent.temperature_low = Some(degrees(text)?),
            "temperature_high" => intent.temperature_high = Some(degrees(text)?),
            "humidity" => intent.humidity = Some(number(name, text, "%")?),
            "preset" => intent.preset = Some(text.to_owned()),
            "fan_mode" => intent.fan_mode = Some(text.to_owned()),
            "swing_mode" => intent.swing_mode = Some(text.to_owned()),
            "swing_horizontal_mode" => intent.swing_horizontal_mode = Some(text.to_owned()),
            _ => return Ok(None),
        }
        Ok(Some(intent))
    }

    fn humidifier(&self, name: &str, text: &str) -> Result<Option<HumidifierIntent>, IntentError> {
        let mut intent = HumidifierIntent::default();
        match name {
            "power" => intent.power = Some(read_power(name, text)?),
            "humidity" => intent.humidity = Some(number(name, text, "%")?),
            "mode" => intent.mode = Some(text.to_owned()),
            _ => return Ok(None),
        }
        Ok(Some(intent))
    }

    fn siren(&self, name: &str, text: &str) -> Result<Option<SirenIntent>, IntentError> {
        let mut intent = SirenIntent::default();
        match name {
            "power" => intent.power = Some(read_power(name, text)?),
            "tone" => intent.tone = Some(text.to_owned()),
            "volume" => {
                intent.volume = Some(match self.has_words(&Role::Volume) {
                    true => text.into(),
                    false => Value::Number(number(name, text, "%")?),
                });
            }
            "duration" => intent.duration = Some(number(name, text, "s")?),
            _ => return Ok(None),
        }
        Ok(Some(intent))
    }
}

/// Gathers the names of what can be set.
struct Verbs<'a> {
    entity: &'a Entity,
    found: Vec<&'static str>,
}

impl Verbs<'_> {
    fn if_set(&mut self, roles: &[Role], name: &'static str) {
        if roles.iter().any(|role| self.entity.can_set(role)) {
            self.found.push(name);
        }
    }
}

/// Turns other spellings of a name, Home Assistant's among them, into the one that is read.
fn known_name(kind: EntityKind, name: &str) -> &str {
    match (kind, name) {
        (EntityKind::Alarm, "state" | "value" | "command") => "mode",
        (EntityKind::Cover | EntityKind::Valve | EntityKind::Vacuum, "state" | "power") => "command",
        (_, "state" | "switch" | "on") => "power",
        (EntityKind::Switch, "value") => "power",
        (EntityKind::Select, "value" | "mode") => "option",
        (EntityKind::Light, "colour" | "rgb") => "color",
        (EntityKind::Light, "color_temperature" | "color_temp_kelvin" | "kelvin" | "colour_temp" | "temperature") => {
            "color_temp"
        }
        (EntityKind::Light, "dim" | "level") => "brightness",
        (EntityKind::Climate, "hvac_mode") => "mode",
        (EntityKind::Climate, "target_temperature") => "temperature",
        (EntityKind::Climate, "preset_mode") => "preset",
        (EntityKind::Climate, "fan" | "fan_speed") => "fan_mode",
        (EntityKind::Climate, "swing") => "swing_mode",
        (EntityKind::Climate | EntityKind::Humidifier, "target_humidity") => "humidity",
        (EntityKind::Fan, "speed" | "fan_speed") => "percentage",
        (EntityKind::Fan, "preset_mode" | "mode") => "preset",
        (EntityKind::Fan, "oscillation" | "oscillating") => "oscillate",
        (EntityKind::Vacuum, "suction") => "fan_speed",
        (EntityKind::Siren, "volume_level") => "volume",
        (_, name) => name,
    }
}

fn power(text: &str) -> Option<Power> {
    let is = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is(&["on", "true", "1", "yes"]) {
        Some(Power::On)
    } else if is(&["off", "false", "0", "no"]) {
        Some(Power::Off)
    } else {
        is(&["toggle"]).then_some(Power::Toggle)
    }
}

fn read_power(name: &str, text: &str) -> Result<Power, IntentError> {
    power(text).ok_or_else(|| IntentError::unreadable(name, text, "on, off or toggle"))
}

/// Reads a number with its unit, or without. Degrees are also read as `°` and as their letter; those of another scale are
/// not, because they would be taken for those of the device.
fn number(name: &str, text: &str, unit: &str) -> Result<Number, IntentError> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit() && c != '.').trim_end();
    let given = text.get(digits.len()..).unwrap_or_default().trim();
    let letter = unit.strip_prefix('°');
    let is_degrees = letter.is_some_and(|letter| {
        given == "°" || !letter.is_empty() && given.trim_start_matches('°').eq_ignore_ascii_case(letter)
    });
    let is_unit = given.is_empty() || given.eq_ignore_ascii_case(unit) || is_degrees;
    let number = digits.parse().ok().filter(|_| is_unit);
    number.ok_or_else(|| {
        let unit = if unit.is_empty() || unit == "°" { String::new() } else { format!(" in {unit}") };
        IntentError::unreadable(name, text, format!("a number{unit}"))
    })
}

/// Reads whole percent.
fn percent(name: &str, text: &str) -> Result<u8, IntentError> {
    let number = number(name, text, "%")?;
    let percent = number.exact(0).and_then(|percent| u8::try_from(percent).ok()).filter(|percent| *percent <= 100);
    percent.ok_or_else(|| ValueError::new(name, Limit::range(0, 100, "%")).into())
}

fn light(name: &str, text: &str) -> Result<Option<LightIntent>, IntentError> {
    let mut intent = LightIntent::default();
    match name {
        "power" => intent.power = Some(read_power(name, text)?),
        "brightness" => intent.brightness = Some(Level::from_percent(number(name, text, "%")?)?),
        "white" => intent.white = Some(Level::from_percent(number(name, text, "%")?)?),
        "color" => {
            let expected = "a color such as red, #ff8800, rgb(255, 136, 0) or hsv(240, 50, 70)";
            let color = Color::from_text(text).ok_or_else(|| IntentError::unreadable(name, text, expected))?;
            intent.color = Some(color);
        }
        "hs" => {
            let parts = text.split_once(',').and_then(|(hue, saturation)| {
                let saturation = saturation.trim().trim_end_matches('%').trim_end();
                Some((hue.trim().parse::<f64>().ok()?, saturation.parse::<f64>().ok()?))
            });
            let parts =
                parts.filter(|(hue, saturation)| (0.0..=360.0).contains(hue) && (0.0..=100.0).contains(saturation));
            let expected = "hue and saturation such as 120,80";
            let (hue, saturation) = parts.ok_or_else(|| IntentError::unreadable(name, text, expected))?;
            intent.hue_saturation = Some(Color::hs(hue, saturation));
        }
        "color_temp" => {
            let kelvin = number(name, text, "K")?.rounded(0).and_then(|kelvin| u32::try_from(kelvin).ok());
            intent.color_temp = Some(kelvin.ok_or_else(|| IntentError::unreadable(name, text, "a number in K"))?);
        }
        "effect" => intent.effect = Some(text.to_owned()),
        "mode" => intent.mode = Some(text.to_owned()),
        _ => return Ok(None),
    }
    Ok(Some(intent))
}

fn cover(name: &str, text: &str) -> Result<Option<CoverIntent>, IntentError> {
    Ok(Some(match name {
        "command" => match text.to_ascii_lowercase().as_str() {
            "open" | "on" | "up" => CoverIntent::Open,
            "close" | "off" | "down" => CoverIntent::Close,
            "stop" => CoverIntent::Stop,
            "continue" => CoverIntent::Continue,
            "toggle" => CoverIntent::Toggle,
            _ if text.ends_with('%') => CoverIntent::Position(percent("position", text)?),
            _ => {
                let expected = "open, close, stop, continue, toggle or a position such as 30%";
                return Err(IntentError::unreadable(name, text, expected));
            }
        },
        "position" => CoverIntent::Position(percent(name, text)?),
        "tilt" => CoverIntent::Tilt(percent(name, text)?),
        _ => return Ok(None),
    }))
}

fn fan(name: &str, text: &str) -> Result<Option<FanIntent>, IntentError> {
    let mut intent = FanIntent::default();
    match name {
        "power" => intent.power = Some(read_power(name, text)?),
        "percentage" => intent.percentage = Some(percent(name, text)?),
        "preset" => intent.preset = Some(text.to_owned()),
        "oscillate" => {
            let text = text.strip_prefix("oscillate_").unwrap_or(text);
            intent.oscillate = match read_power(name, text)? {
                Power::On => Some(true),
                Power::Off => Some(false),
                Power::Toggle => return Err(IntentError::unreadable(name, text, "on or off")),
            };
        }
        "direction" => intent.direction = Some(text.to_owned()),
        _ => return Ok(None),
    }
    Ok(Some(intent))
}

fn vacuum(name: &str, text: &str) -> Result<Option<VacuumIntent>, IntentError> {
    Ok(Some(match name {
        "command" => match text.to_ascii_lowercase().as_str() {
            "start" | "clean" | "on" => VacuumIntent::Start,
            "pause" => VacuumIntent::Pause,
            "stop" | "off" => VacuumIntent::Stop,
            "return_to_base" | "return_home" | "dock" => VacuumIntent::ReturnToBase,
            "locate" => VacuumIntent::Locate,
            _ => {
                let expected = "start, pause, stop, return_to_base or locate";
                return Err(IntentError::unreadable(name, text, expected));
            }
        },
        "fan_speed" => VacuumIntent::FanSpeed(text.to_owned()),
        "mode" => VacuumIntent::Mode(text.to_owned()),
        _ => return Ok(None),
    }))
}

fn valve(name: &str, text: &str) -> Result<Option<ValveIntent>, IntentError> {
    Ok(Some(match name {
        "command" => match text.to_ascii_lowercase().as_str() {
            "open" | "on" | "true" => ValveIntent::Open,
            "close" | "off" | "false" => ValveIntent::Close,
            "toggle" => ValveIntent::Toggle,
            _ if text.ends_with('%') => ValveIntent::Position(percent("position", text)?),
            _ => return Err(IntentError::unreadable(name, text, "open, close or toggle")),
        },
        "position" => ValveIntent::Position(percent(name, text)?),
        _ => return Ok(None),
    }))
}

fn alarm(text: &str) -> Result<AlarmMode, IntentError> {
    let expected = "disarm, arm_home, arm_away or trigger";
    AlarmMode::from_word(&text.to_ascii_lowercase()).ok_or_else(|| IntentError::unreadable("mode", text, expected))
}
