//! Platforms and the names of their DPs, as kinds and roles of this crate.

use super::model::{DpType, ProfileDp};
use super::rules::{RuleSet, Shape};
use crate::entity::{EntityKind, Role};
use crate::schema::Access;

/// Part of a DP in its entity.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) role: Role,
    pub(super) shape: Shape,
    pub(super) access: Access,
}

impl Place {
    const fn new(role: Role, shape: Shape) -> Self {
        Self { role, shape, access: Access::ReadWrite }
    }

    const fn read(role: Role, shape: Shape) -> Self {
        Self { role, shape, access: Access::ReadOnly }
    }

    /// Makes an attribute, which is shown and not set.
    pub(super) const fn attribute(name: String) -> Self {
        Self::read(Role::Attribute(name), Shape::Plain)
    }
}

/// Returns the kind of a platform; `None` for one that is not known.
pub(super) fn kind(platform: &str) -> Option<EntityKind> {
    Some(match platform {
        "alarm_control_panel" => EntityKind::Alarm,
        "binary_sensor" => EntityKind::BinarySensor,
        "button" => EntityKind::Button,
        "camera" => EntityKind::Switch,
        "climate" | "water_heater" => EntityKind::Climate,
        "cover" => EntityKind::Cover,
        "event" => EntityKind::Event,
        "fan" => EntityKind::Fan,
        "humidifier" => EntityKind::Humidifier,
        "lawn_mower" | "vacuum" => EntityKind::Vacuum,
        "light" => EntityKind::Light,
        "lock" => EntityKind::Lock,
        "date" | "datetime" | "number" | "time" => EntityKind::Number,
        "infrared" | "remote" | "text" => EntityKind::Text,
        "select" => EntityKind::Select,
        "sensor" => EntityKind::Sensor,
        "siren" => EntityKind::Siren,
        "switch" => EntityKind::Switch,
        "valve" => EntityKind::Valve,
        _ => return None,
    })
}

/// Returns `true` for a platform that becomes an entity for each of its DPs.
pub(super) fn is_split(platform: &str) -> bool {
    matches!(platform, "camera" | "date" | "datetime" | "time")
}

/// Returns `true` for the DP that an entity is about.
pub(super) fn is_main(platform: &str, name: &str) -> bool {
    let main = match platform {
        "alarm_control_panel" => "alarm_state",
        "binary_sensor" | "sensor" => "sensor",
        "button" => "button",
        "climate" => "hvac_mode",
        "cover" => "control",
        "event" => "event",
        "fan" | "humidifier" | "light" | "switch" => "switch",
        "infrared" | "remote" => "send",
        "lawn_mower" => "activity",
        "lock" => "lock",
        "number" | "text" => "value",
        "select" => "option",
        "siren" => "tone",
        "vacuum" => "status",
        "valve" => "valve",
        "water_heater" => "operation_mode",
        _ => return false,
    };
    name == main
}

/// Returns the part of a DP in an entity of a platform: by its name, else as an attribute.
///
/// A setting may be changed; what opens a door is not set by the way.
pub(super) fn place(platform: &str, rules: &RuleSet, dp: &ProfileDp, is_setting: bool) -> Place {
    let name = dp.name.as_str();
    if name == "available" {
        return Place::read(Role::Available, Shape::Switch);
    }
    let known = match platform {
        "alarm_control_panel" => alarm(name),
        "binary_sensor" => (name == "sensor").then(|| Place::read(Role::Value, Shape::Switch)),
        "button" => (name == "button").then(|| Place { access: Access::WriteOnly, ..switch(Role::Value) }),
        "climate" | "water_heater" => climate(name),
        "cover" => cover(name),
        "event" => (name == "event").then(|| Place::read(Role::Value, Shape::Plain)),
        "fan" => fan(name),
        "humidifier" => humidifier(name),
        "infrared" | "remote" => remote(name),
        "lawn_mower" | "vacuum" => vacuum(name, rules.find("activate").is_some()),
        "light" => light(name, dp),
        "lock" => lock(name, is_setting),
        "number" => (name == "value").then(|| Place::new(Role::Value, Shape::Plain)),
        "select" => (name == "option").then(|| Place::new(Role::Value, Shape::Plain)),
        "sensor" => (name == "sensor").then(|| Place::read(Role::Value, Shape::Plain)),
        "siren" => siren(name),
        "switch" => (name == "switch").then(|| Place::new(Role::Value, Shape::Switch)),
        "text" => (name == "value").then(|| Place::new(Role::Value, Shape::Plain)),
        "valve" => valve(name, dp.kind),
        _ => None,
    };
    known.unwrap_or_else(|| Place::attribute(name.into()))
}

fn plain(role: Role) -> Place {
    Place::new(role, Shape::Plain)
}

fn switch(role: Role) -> Place {
    Place::new(role, Shape::Switch)
}

/// Something that belongs to the entity and can be set.
fn setting(name: &str) -> Place {
    Place::new(Role::Attribute(name.into()), Shape::Plain)
}

fn alarm(name: &str) -> Option<Place> {
    Some(match name {
        "alarm_state" => plain(Role::Mode),
        "trigger" => setting(name),
        _ => return None,
    })
}

fn climate(name: &str) -> Option<Place> {
    Some(match name {
        "current_temperature" => Place::read(Role::CurrentTemperature, Shape::Plain),
        "temperature" => plain(Role::TargetTemperature),
        "target_temp_high" => plain(Role::TargetTemperatureHigh),
        "target_temp_low" => plain(Role::TargetTemperatureLow),
        "hvac_mode" => plain(Role::Mode),
        "hvac_action" => Place::read(Role::Action, Shape::Plain),
        "preset_mode" | "operation_mode" => plain(Role::Preset),
        "fan_mode" => plain(Role::FanSpeed),
        "swing_mode" => plain(Role::Swing),
        "swing_horizontal_mode" => plain(Role::SwingHorizontal),
        "humidity" => plain(Role::TargetHumidity),
        "current_humidity" => Place::read(Role::CurrentHumidity, Shape::Plain),
        "temperature_unit" => plain(Role::TemperatureUnit),
        "away_mode" => setting(name),
        _ => return None,
    })
}

fn cover(name: &str) -> Option<Place> {
    Some(match name {
        "position" => plain(Role::Position),
        "current_position" => Place::read(Role::CurrentPosition, Shape::Plain),
        "control" => plain(Role::Command),
        "action" => Place::read(Role::Action, Shape::Plain),
        "open" => switch(Role::IsOpen),
        "tilt_position" => Place::new(Role::Tilt, Shape::Percent),
        _ => return None,
    })
}

fn fan(name: &str) -> Option<Place> {
    Some(match name {
        "switch" => switch(Role::Power),
        "speed" => Place::new(Role::FanSpeed, Shape::Speed),
        "preset_mode" => plain(Role::Mode),
        "oscillate" => switch(Role::Oscillate),
        "direction" => plain(Role::Direction),
        _ => return None,
    })
}

fn humidifier(name: &str) -> Option<Place> {
    Some(match name {
        "switch" => switch(Role::Power),
        "humidity" => plain(Role::TargetHumidity),
        "current_humidity" => Place::read(Role::CurrentHumidity, Shape::Plain),
        "mode" => plain(Role::Mode),
        "action" => Place::read(Role::Action, Shape::Plain),
        _ => return None,
    })
}

fn light(name: &str, dp: &ProfileDp) -> Option<Place> {
    Some(match name {
        "switch" => switch(Role::Power),
        "brightness" => Place::new(Role::Brightness, Shape::Brightness),
        "color_temp" => Place::new(Role::ColorTemp, Shape::Kelvin),
        "rgbhsv" if dp.is_color() => Place::new(Role::Color, Shape::Color),
        // Digits of a form that the file does not tell.
        "rgbhsv" => setting(name),
        "color_mode" => Place::new(Role::Mode, Shape::LightMode),
        "effect" => plain(Role::Effect),
        "named_color" => setting(name),
        _ => return None,
    })
}

fn lock(name: &str, is_setting: bool) -> Option<Place> {
    if let Some(way) = name.strip_prefix("unlock_") {
        return Some(Place::read(Role::UnlockedBy(way.into()), Shape::Plain));
    }
    Some(match name {
        // A child lock.
        "lock" if is_setting => switch(Role::Value),
        "lock" | "lock_state" => Place::read(Role::IsLocked, Shape::Switch),
        "open" => Place::read(Role::IsOpen, Shape::Switch),
        "jammed" => Place::read(Role::Fault, Shape::Switch),
        _ => return None,
    })
}

fn remote(name: &str) -> Option<Place> {
    Some(match name {
        "send" => plain(Role::Value),
        "control" => plain(Role::Command),
        "delay" | "code_type" => setting(name),
        _ => return None,
    })
}

fn siren(name: &str) -> Option<Place> {
    Some(match name {
        "switch" => switch(Role::Power),
        "tone" => plain(Role::Tone),
        "volume" | "volume_level" => Place::new(Role::Volume, Shape::Fraction),
        "duration" => plain(Role::Duration),
        _ => return None,
    })
}

/// The switch of a robot is the one that starts and pauses it; another one switches off the whole robot.
fn vacuum(name: &str, has_activate: bool) -> Option<Place> {
    Some(match name {
        "status" => plain(Role::Status),
        "activity" => Place::read(Role::Status, Shape::Plain),
        "command" => plain(Role::Command),
        "locate" => switch(Role::Locate),
        "activate" => switch(Role::Power),
        "power" if has_activate => switch(Role::Attribute(name.into())),
        "power" => switch(Role::Power),
        "direction_control" => setting(name),
        "fan_speed" => plain(Role::FanSpeed),
        "error" => Place::read(Role::Fault, Shape::Plain),
        _ => return None,
    })
}

fn valve(name: &str, kind: DpType) -> Option<Place> {
    Some(match name {
        "valve" if kind.is_number() => plain(Role::Position),
        "valve" | "switch" => switch(if name == "valve" { Role::Value } else { Role::Power }),
        "current_position" => Place::read(Role::CurrentPosition, Shape::Plain),
        _ => return None,
    })
}
