//! Lights.

use super::{Builder, ON_OFF, entity, named_words, plain_words};
use crate::entity::{Category, Codec, ColorForm, EntityKind, Role};
use crate::schema::{DpKind, DpSpec, NumberSpec};
use crate::tables::categories::Part;
use crate::tables::{names, split_number};

/// Codes of one light.
struct Codes {
    /// Boolean that switches it.
    power: &'static str,
    brightness: &'static [&'static str],
    /// Has color temperature, color and modes.
    is_full: bool,
    /// A light of the device itself: an indicator.
    is_config: bool,
}

const fn full(power: &'static str, brightness: &'static [&'static str]) -> Codes {
    Codes { power, brightness, is_full: true, is_config: false }
}

const fn dimmer(power: &'static str, brightness: &'static [&'static str]) -> Codes {
    Codes { power, brightness, is_full: false, is_config: false }
}

const fn indicator(power: &'static str) -> Codes {
    Codes { power, brightness: &[], is_full: false, is_config: true }
}

/// The best first: each DP is taken once.
const LIGHTS: &[Codes] = &[
    full("switch_led", &["bright_value_v2", "bright_value", "bright_value_1"]),
    dimmer("switch_led_1", &["bright_value_1"]),
    dimmer("switch_led_2", &["bright_value_2"]),
    dimmer("switch_led_3", &["bright_value_3"]),
    dimmer("switch_led_4", &["bright_value_4"]),
    full("switch_controller", &["bright_controller"]),
    dimmer("switch_night_light", &[]),
    dimmer("floodlight_switch", &["floodlight_lightness"]),
    indicator("switch_backlight"),
    indicator("switch_backlight_1"),
    indicator("switch_backlight_2"),
    indicator("basic_indicator"),
];

/// In most fans `light` is the lamp, and `switch_led` a second one.
const LIGHT: Codes = full("light", &["bright_value_v2", "bright_value"]);

/// Lamps that are switched like a socket.
const SWITCHED: &[Codes] = &[
    full("switch_1", &["bright_value_1"]),
    full("switch_2", &["bright_value_2"]),
    full("switch_1", &["bright_value_v2", "bright_value"]),
    full("switch", &["bright_value_v2", "bright_value"]),
];

/// Categories in which `light` is a lamp; elsewhere it is an indicator.
const WITH_LAMP: &[&str] = &["fs", "fsd", "sz", "dj", "fskg"];

impl Builder<'_> {
    pub(super) fn lights(&mut self) {
        let is_lamp = WITH_LAMP.contains(&self.schema.category.as_str());
        if self.is_category("fs") {
            self.light(&LIGHT);
        }
        for codes in LIGHTS {
            self.light(codes);
        }
        if is_lamp {
            self.light(&LIGHT);
        } else if self.has_part(Part::Light) {
            self.light(&indicator("light"));
        }
        let is_light = self.facts.and_then(|facts| facts.parts.first()) == Some(&Part::Light);
        let has_light =
            self.entities.iter().any(|entity| entity.kind == EntityKind::Light && entity.category == Category::Primary);
        if is_light && !has_light && !self.is_category("tdq") {
            for codes in SWITCHED {
                if self.integer(codes.brightness).is_some() {
                    self.light(codes);
                }
            }
        }
    }

    fn light(&mut self, codes: &Codes) {
        let Some(power) = self.boolean(&[codes.power]) else { return };
        let mut light = entity(EntityKind::Light, power);
        light.with(Role::Power, power, ON_OFF);
        if let ("switch", number) = split_number(&power.code)
            && power.name.is_none()
        {
            light.name = Some(names::numbered("Light", number));
        }
        if codes.is_config {
            light.category = Category::Config;
        }
        let is_v2 = self.is_category("dd");
        let mut is_wide = is_v2;
        if let Some((spec, number)) = self.integer(codes.brightness) {
            let number = brightness(number, &spec.code, is_v2);
            is_wide |= number.max.is_some_and(|max| max > 255);
            light.with(Role::Brightness, spec, Codec::Percent { spec: number, is_inverted: false });
            let suffix = codes.power.rsplit_once('_').map(|(_, suffix)| suffix);
            let number = suffix.filter(|suffix| suffix.parse::<u8>().is_ok()).unwrap_or("1");
            for (role, code) in [(Role::BrightnessMin, "brightness_min"), (Role::BrightnessMax, "brightness_max")] {
                if let Some((spec, limits)) = self.integer(&[&format!("{code}_{number}"), code]) {
                    light.with(role, spec, Codec::Number(limits.clone()));
                }
            }
        }
        // The limits are settings, too.
        let limits: Vec<u16> = light
            .channels
            .iter()
            .filter(|(role, _)| matches!(role, Role::BrightnessMin | Role::BrightnessMax))
            .map(|(_, channel)| channel.dp)
            .collect();
        if codes.is_full {
            self.tone_and_modes(&mut light, is_wide);
        }
        self.add(light);
        for dp in limits {
            self.claimed.remove(&dp);
        }
    }

    fn tone_and_modes(&self, light: &mut crate::entity::Entity, is_wide: bool) {
        let is_v2 = self.is_category("dd");
        if let Some((spec, number)) = self.integer(&["temp_value_v2", "temp_value", "temp_controller"]) {
            let options = &self.schema.options;
            light.with(
                Role::ColorTemp,
                spec,
                Codec::ColorTemp {
                    spec: tone(number, &spec.code, is_v2 || is_wide),
                    min_kelvin: options.min_kelvin.unwrap_or(2000),
                    max_kelvin: options.max_kelvin.unwrap_or(6500),
                },
            );
        }
        let is_text = |kind: &DpKind| matches!(kind, DpKind::Json { .. } | DpKind::String { .. });
        if let Some(spec) = self.first(&["colour_data_v2", "colour_data", "colour_data_hsv"], is_text) {
            light.with(Role::Color, spec, Codec::Color { form: color_form(spec, is_wide) });
        }
        if let Some((spec, range)) = self.words(&["work_mode"]) {
            let codec = if range.is_empty() {
                named_words(&["white", "colour", "scene", "music"].map(str::to_owned), &[])
            } else {
                plain_words(range)
            };
            light.with(Role::Mode, spec, codec);
        }
        let is_data = |kind: &DpKind| {
            matches!(kind, DpKind::Json { .. } | DpKind::String { .. } | DpKind::Raw { .. } | DpKind::Opaque(_))
        };
        if let Some(spec) = self.first(&["scene_data_v2", "scene_data"], is_data) {
            light.with(Role::Effect, spec, Codec::Scene { is_v2: spec.code.ends_with("_v2") });
        }
        for code in ["control_data", "music_data", "flash_scene_1", "flash_scene_2", "flash_scene_3", "flash_scene_4"] {
            if let Some(spec) = self.first(&[code], is_data) {
                let codec = if code.starts_with("flash_scene") { Codec::Scene { is_v2: false } } else { Codec::Live };
                light.with(Role::Attribute(code.to_owned()), spec, codec);
            }
        }
    }
}

/// Returns the range of a brightness, with the customary limits where the device tells none.
fn brightness(number: &NumberSpec, code: &str, is_v2: bool) -> NumberSpec {
    let is_v1 = code == "bright_value" && !is_v2;
    with_limits(number, if is_v1 { (25, 255) } else { (10, 1000) })
}

fn tone(number: &NumberSpec, code: &str, is_v2: bool) -> NumberSpec {
    let is_v1 = code == "temp_value" && !is_v2;
    with_limits(number, if is_v1 { (0, 255) } else { (0, 1000) })
}

fn with_limits(number: &NumberSpec, (min, max): (i64, i64)) -> NumberSpec {
    let (min, max) = match (number.min, number.max) {
        (Some(least), Some(most)) if least < most => (least, most),
        (None, Some(most)) if min < most => (min, most),
        (Some(least), None) if least < max => (least, max),
        _ => (min, max),
    };
    NumberSpec { min: Some(min), max: Some(max), ..number.clone() }
}

/// Returns the form of a color as long as the device has sent none.
fn color_form(spec: &DpSpec, is_wide: bool) -> ColorForm {
    let most = match &spec.kind {
        DpKind::Json { members } => members.pointer("/s/max").and_then(serde_json::Value::as_i64),
        _ => None,
    };
    let is_v2 = spec.code.ends_with("_v2") || is_wide;
    match (most.map_or(is_v2, |most| most > 255), spec.code.ends_with("_hsv")) {
        (true, true) => ColorForm::JsonText,
        (false, true) => ColorForm::JsonText8,
        (true, false) => ColorForm::Hsv16,
        (false, false) => ColorForm::Rgb8,
    }
}
