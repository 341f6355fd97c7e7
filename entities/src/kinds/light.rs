//! Lights.

use std::sync::Arc;

use serde_json::Value as Json;

use super::access::Plan;
use super::{IntentError, Level, Power};
use crate::entity::{Codec, Entity, Role};
use crate::value::{Color, DpSource, Limit, Number, Value, ValueError, Writes};

/// State of a light.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct LightState {
    /// On or off.
    pub is_on: Option<bool>,
    /// Brightness of the light as it is: that of the color in color mode, else that of the white light.
    pub brightness: Option<Level>,
    /// The way in which the light is lit.
    pub color_mode: Option<ColorMode>,
    /// The color, also while the light is white.
    pub color: Option<Color>,
    /// The color temperature in kelvin, also while the light is colored.
    pub color_temp: Option<u32>,
    /// The device's own word for its mode, such as `white`, `colour`, `scene`.
    pub mode: Option<Arc<str>>,
    /// Effect that runs: a scene, or music.
    pub effect: Option<Arc<str>>,
}

/// The way in which a light is lit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ColorMode {
    /// It is only switched.
    OnOff,
    /// White, with brightness.
    Brightness,
    /// White, with a color temperature.
    ColorTemp,
    /// White, of a light that has colors and no color temperature.
    White,
    /// A color.
    Hs,
}

impl ColorMode {
    /// Returns Home Assistant's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OnOff => "onoff",
            Self::Brightness => "brightness",
            Self::ColorTemp => "color_temp",
            Self::White => "white",
            Self::Hs => "hs",
        }
    }
}

/// Intent of a user for a light. Everything but `power: Off` also switches it on.
///
/// ```
/// # use rustuya_entities::{Level, LightIntent};
/// let mut intent = LightIntent::default();
/// intent.brightness = Some(Level::from_byte(128)?);
/// intent.color_temp = Some(2700);
/// # Ok::<(), rustuya_entities::ValueError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct LightIntent {
    /// On, off, the other of both.
    pub power: Option<Power>,
    /// Brightness, of the white light or of the color, whichever is lit or set.
    pub brightness: Option<Level>,
    /// A color with its brightness, unless `brightness` gives another.
    pub color: Option<Color>,
    /// Hue and saturation of this color; the light keeps its brightness.
    pub hue_saturation: Option<Color>,
    /// White of this color temperature in kelvin.
    pub color_temp: Option<u32>,
    /// White of this brightness.
    pub white: Option<Level>,
    /// A scene, music, or another effect.
    pub effect: Option<String>,
    /// The device's own word for its mode.
    pub mode: Option<String>,
}

/// Capabilities of a light.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LightCapabilities {
    /// Ways in which it can be lit, as Home Assistant wants them named: `OnOff` and `Brightness` alone only.
    pub color_modes: Vec<ColorMode>,
    /// The warmest and the coldest light in kelvin.
    pub kelvin: Option<(u32, u32)>,
    /// Effects.
    pub effects: Vec<String>,
}

/// Meaning of a word of the device for its mode.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    White,
    Color,
    Effect,
}

impl Mode {
    fn of(word: &str) -> Self {
        let is = |words: &[&str]| words.iter().any(|known| word.eq_ignore_ascii_case(known));
        if is(&["white", "color_temp", "brightness", "onoff"]) {
            Self::White
        } else if is(&["colour", "color", "hs", "rgb"]) {
            Self::Color
        } else {
            Self::Effect
        }
    }
}

impl LightState {
    pub(super) fn read(entity: &Entity, dps: &dyn DpSource) -> Self {
        let mode = entity.text(&Role::Mode, dps);
        let color = color(entity, dps);
        let meaning = match &mode {
            Some(word) => Some(Mode::of(word)),
            // Without a mode, a light that has no other brightness than that of its color is colored.
            None if entity.has(&Role::Mode) => None,
            None if entity.has(&Role::Color) && !entity.has(&Role::Brightness) => Some(Mode::Color),
            None => Some(Mode::White),
        };
        let has_color = entity.has(&Role::Color);
        let color_mode = meaning.map(|meaning| match meaning {
            Mode::Color | Mode::Effect if has_color => ColorMode::Hs,
            _ => white_mode(entity),
        });
        let white = white_brightness(entity, dps);
        let brightness = match meaning {
            Some(Mode::Color) => color.map(|color| Level::reported(Number::new(i64::from(color.value), 1))).or(white),
            Some(Mode::White) => white,
            Some(Mode::Effect) | None => white,
        };
        let effect = match &mode {
            Some(word) if Mode::of(word) == Mode::Effect => Some(Arc::clone(word)),
            _ => None,
        };
        let effect = match entity.channel(&Role::Effect).map(|channel| &channel.codec) {
            Some(Codec::Scene { .. } | Codec::Json) | None => effect,
            Some(_) => entity.known_text(&Role::Effect, dps).or(effect),
        };
        // Some lights are switched by their brightness alone.
        let is_lit = || brightness.filter(|_| !entity.has(&Role::Power)).map(|level| level.number() > Number::from(0));
        Self {
            is_on: entity.bool(&Role::Power, dps).or_else(is_lit),
            brightness,
            color_mode,
            color,
            color_temp: entity.number(&Role::ColorTemp, dps).and_then(|kelvin| kelvin.rounded(0)?.try_into().ok()),
            mode,
            effect,
        }
    }
}

impl LightCapabilities {
    pub(super) fn of(entity: &Entity) -> Self {
        let has_color = entity.has(&Role::Color);
        let has_temp = entity.has(&Role::ColorTemp);
        let has_white = entity.has(&Role::Brightness) || modes(entity).iter().any(|word| Mode::of(word) == Mode::White);
        let mut color_modes = Vec::new();
        if has_temp {
            color_modes.push(ColorMode::ColorTemp);
        }
        if has_color {
            color_modes.push(ColorMode::Hs);
            if !has_temp && has_white {
                color_modes.push(ColorMode::White);
            }
        }
        if color_modes.is_empty() {
            color_modes.push(white_mode(entity));
        }
        Self { color_modes, kelvin: kelvin(entity), effects: effects(entity) }
    }
}

impl LightIntent {
    pub(super) fn apply(&self, mut plan: Plan<'_>) -> Result<Writes, IntentError> {
        self.check()?;
        let is_lit = self.brightness.is_some()
            || self.color.is_some()
            || self.hue_saturation.is_some()
            || self.color_temp.is_some()
            || self.white.is_some()
            || self.effect.is_some()
            || self.mode.is_some();
        let is_on = match self.power {
            Some(Power::Toggle) => match LightState::read(plan.entity, plan.dps).is_on {
                Some(is_on) => !is_on,
                None => return Err(IntentError::UnknownState { entity: plan.entity.id.clone() }),
            },
            Some(power) => power == Power::On,
            None => true,
        };
        if self.power.is_some() && !is_lit && !plan.entity.can_set(&Role::Power) {
            return switch_by_brightness(plan, is_on);
        }
        if self.power.is_some() || is_lit {
            plan.set_power(is_on)?;
        }
        // Toggled off.
        if !is_on {
            return Ok(plan.writes);
        }
        if let Some(effect) = &self.effect {
            return set_effect(plan, effect);
        }
        let state = LightState::read(plan.entity, plan.dps);
        if let Some(color) = self.color {
            let value = self.brightness.map_or(color.value, Level::permille);
            return set_color(plan, color.with_value(value));
        }
        if let Some(color) = self.hue_saturation {
            let value = self.brightness.or(state.brightness).map_or(1000, Level::permille);
            return set_color(plan, color.with_value(value));
        }
        let mode = self.mode.as_deref().or(state.mode.as_deref()).map(Mode::of);
        let is_white = self.color_temp.is_some() || self.white.is_some();
        let is_colored = !is_white && (mode == Some(Mode::Color) || state.color_mode == Some(ColorMode::Hs));
        let sets_white = is_white || self.brightness.is_some();
        if let Some(mode) = &self.mode {
            plan.set(&Role::Mode, &mode.as_str().into(), "mode")?;
        }
        if let Some(level) = self.brightness.filter(|_| is_colored && mode != Some(Mode::Effect)) {
            let color = state.color.unwrap_or(Color::hsv(0, 0, 1000));
            return set_color(plan, color.with_value(level.permille()));
        }
        if sets_white {
            // Some bulbs ignore brightness and temperature unless the mode comes along.
            set_mode(&mut plan, Mode::White)?;
            if let Some(kelvin) = self.color_temp {
                plan.set(&Role::ColorTemp, &Number::from(kelvin).into(), "color_temp")?;
            }
            if let Some(level) = self.white.or(self.brightness) {
                set_white_brightness(&mut plan, level)?;
            }
        }
        Ok(plan.writes)
    }

    /// Finds parts that exclude each other.
    fn check(&self) -> Result<(), IntentError> {
        let parts = [
            ("color", self.color.is_some() || self.hue_saturation.is_some()),
            ("color_temp", self.color_temp.is_some()),
            ("effect", self.effect.is_some()),
            ("mode", self.mode.is_some()),
            ("white", self.white.is_some()),
            ("brightness", self.brightness.is_some()),
        ];
        let set: Vec<&str> = parts.iter().filter(|(_, is_set)| *is_set).map(|(name, _)| *name).collect();
        // Brightness would end the scene that the mode is to begin.
        let is_effect = self.mode.as_deref().is_some_and(|mode| Mode::of(mode) == Mode::Effect);
        if is_effect && self.brightness.is_some() {
            return Err(IntentError::conflict("mode", "brightness"));
        }
        match (self.power, set.as_slice()) {
            (Some(Power::Off), [name, ..]) => Err(IntentError::conflict("off", name)),
            // Brightness is part of a color and of white with a temperature, but not of an effect.
            (_, [] | [_] | ["color" | "color_temp" | "mode", "brightness"] | ["color_temp", "white"]) => Ok(()),
            (_, [one, other, ..]) => Err(IntentError::conflict(one, other)),
        }
    }
}

fn set_color(mut plan: Plan<'_>, color: Color) -> Result<Writes, IntentError> {
    if color.value == 0 {
        return Err(ValueError::new("color", Limit::Kind("a color with brightness above 0; black is off")).into());
    }
    if !plan.entity.has(&Role::Color) {
        return Err(plan.unsupported("color"));
    }
    set_mode(&mut plan, Mode::Color)?;
    plan.set(&Role::Color, &color.into(), "color")?;
    Ok(plan.writes)
}

/// Adds the mode of the device that has this meaning, if there is one.
fn set_mode(plan: &mut Plan<'_>, mode: Mode) -> Result<(), IntentError> {
    match modes(plan.entity).iter().find(|word| Mode::of(word) == mode) {
        Some(word) => plan.set(&Role::Mode, &word.as_str().into(), "mode"),
        None => Ok(()),
    }
}

/// Switches a light that has no switch: brightness 0 is off there.
fn switch_by_brightness(mut plan: Plan<'_>, is_on: bool) -> Result<Writes, IntentError> {
    let is_dimmed_only = match plan.entity.channel(&Role::Brightness).map(|channel| &channel.codec) {
        // The lower end of another range is a dim light.
        Some(Codec::Percent { spec, .. }) => spec.min.is_none_or(|min| min == 0),
        _ => true,
    };
    if plan.entity.has(&Role::Power) || !plan.entity.can_set(&Role::Brightness) || !(is_on || is_dimmed_only) {
        return Err(plan.unsupported("power"));
    }
    plan.set(&Role::Brightness, &Number::from(if is_on { 100 } else { 0 }).into(), "power")?;
    Ok(plan.writes)
}

fn set_effect(mut plan: Plan<'_>, effect: &str) -> Result<Writes, IntentError> {
    let find = |words: Vec<String>| words.into_iter().find(|word| word.eq_ignore_ascii_case(effect));
    let by_mode = find(modes(plan.entity)).filter(|word| Mode::of(word) == Mode::Effect);
    let by_words = find(plan.entity.words(&Role::Effect));
    match (by_mode, by_words) {
        (Some(word), _) => plan.set(&Role::Mode, &word.as_str().into(), "effect")?,
        (None, Some(word)) => plan.set(&Role::Effect, &word.as_str().into(), "effect")?,
        (None, None) => {
            let words = effects(plan.entity);
            return Err(match words.is_empty() {
                true => plan.unsupported("effect"),
                false => ValueError::new("effect", Limit::Words(words)).into(),
            });
        }
    }
    Ok(plan.writes)
}

/// Sets the brightness of the white light. The device's own limits narrow the range.
fn set_white_brightness(plan: &mut Plan<'_>, level: Level) -> Result<(), IntentError> {
    let mut percent = level.number();
    if let Some((min, max)) = brightness_limits(plan.entity, plan.dps) {
        // Both are percent of the range; one decimal of a part of it is finer than the range.
        let scaled = |number: Number| number.rounded(4).unwrap_or_default();
        let span = scaled(max).saturating_sub(scaled(min));
        let part = i128::from(span).saturating_mul(scaled(percent).into()) / 1_000_000;
        let part = i64::try_from(part).unwrap_or_default();
        percent = Number::new(scaled(min).saturating_add(part), 4);
    }
    plan.set(&Role::Brightness, &percent.into(), "brightness")
}

fn white_brightness(entity: &Entity, dps: &dyn DpSource) -> Option<Level> {
    let percent = entity.number(&Role::Brightness, dps)?;
    let Some((min, max)) = brightness_limits(entity, dps) else {
        return Some(Level::reported(percent));
    };
    let scaled = |number: Number| number.rounded(4).unwrap_or_default();
    let span = scaled(max).saturating_sub(scaled(min));
    let part = i128::from(scaled(percent).saturating_sub(scaled(min))).saturating_mul(1_000_000);
    let part = part.checked_div(span.into())?;
    Some(Level::reported(Number::new(i64::try_from(part).ok()?, 4)))
}

/// Returns the usable part of the range in percent, if the device has such settings.
fn brightness_limits(entity: &Entity, dps: &dyn DpSource) -> Option<(Number, Number)> {
    let Codec::Percent { spec, .. } = &entity.channel(&Role::Brightness)?.codec else { return None };
    let limit = |role: &Role| {
        let channel = entity.channel(role)?;
        let percent = spec.percent(dps.data(channel.dp)?.as_number()?, false)?;
        // The limit may have a wider range than the brightness.
        Some(percent.clamp(Number::from(0), Number::from(100)))
    };
    let (min, max) = (limit(&Role::BrightnessMin), limit(&Role::BrightnessMax));
    if min.is_none() && max.is_none() {
        return None;
    }
    let (min, max) = (min.unwrap_or_default(), max.unwrap_or(Number::from(100)));
    (min < max).then_some((min, max))
}

fn white_mode(entity: &Entity) -> ColorMode {
    if entity.has(&Role::ColorTemp) {
        ColorMode::ColorTemp
    } else if entity.has(&Role::Color) {
        ColorMode::White
    } else if entity.has(&Role::Brightness) {
        ColorMode::Brightness
    } else {
        ColorMode::OnOff
    }
}

fn color(entity: &Entity, dps: &dyn DpSource) -> Option<Color> {
    match entity.read(&Role::Color, dps)? {
        Value::Color(color) => Some(color),
        _ => None,
    }
}

/// Returns the words of the device's modes.
fn modes(entity: &Entity) -> Vec<String> {
    entity.words(&Role::Mode)
}

fn effects(entity: &Entity) -> Vec<String> {
    let effects = entity.words(&Role::Effect);
    if !effects.is_empty() {
        return effects;
    }
    modes(entity).into_iter().filter(|word| Mode::of(word) == Mode::Effect).collect()
}

fn kelvin(entity: &Entity) -> Option<(u32, u32)> {
    let range = entity.range(&Role::ColorTemp)?;
    let kelvin = |number: Option<Number>| u32::try_from(number?.rounded(0)?).ok();
    Some((kelvin(range.min)?, kelvin(range.max)?))
}

impl LightState {
    /// Returns the state as Home Assistant's JSON schema for lights has it.
    pub fn to_json(&self) -> Json {
        let mut json = serde_json::Map::new();
        let mut put = |name: &str, value: Json| json.insert(name.to_owned(), value);
        if let Some(is_on) = self.is_on {
            put("state", if is_on { "ON" } else { "OFF" }.into());
        }
        if let Some(level) = self.brightness {
            put("brightness", level.byte().into());
        }
        if let Some(mode) = self.color_mode {
            put("color_mode", mode.as_str().into());
        }
        match (self.color_mode, self.color, self.color_temp) {
            (Some(ColorMode::Hs), Some(color), _) => {
                let saturation = Number::new(color.saturation.into(), 1).to_f64();
                put("color", serde_json::json!({"h": f64::from(color.hue), "s": saturation}));
            }
            (Some(ColorMode::ColorTemp), _, Some(kelvin)) => {
                put("color_temp", kelvin.into());
            }
            _ => {}
        }
        if let Some(effect) = &self.effect {
            put("effect", Json::String(effect.to_string()));
        }
        Json::Object(json)
    }
}
