//! Entities of one DP.

use super::{Builder, ON_OFF, channel, entity, plain_words};
use crate::entity::{Category, Codec, Entity, EntityKind, Role, StateClass};
use crate::schema::{DpKind, DpSpec, NumberSpec, Origin};
use crate::tables::categories::Part;
use crate::tables::{Usage, binary, names, sensors, settings, split_number, units, usage};

/// Classes of readings whose code says nothing, by unit. Sorted.
const BY_UNIT: &[(&str, &str)] = &[
    ("A", "current"),
    ("Hz", "frequency"),
    ("V", "voltage"),
    ("W", "power"),
    ("kW", "power"),
    ("kWh", "energy"),
    ("lx", "illuminance"),
    ("mA", "current"),
    ("mV", "voltage"),
    ("°C", "temperature"),
    ("°F", "temperature"),
];

impl Builder<'_> {
    pub(super) fn plain(&mut self) {
        for spec in self.schema.dps.values() {
            if spec.options.is_hidden || self.claimed.contains(&spec.dp) {
                continue;
            }
            let entities = match spec.options.kind {
                Some(kind) => vec![chosen(kind, spec)],
                None => self.of_type(spec),
            };
            for mut entity in entities {
                apply_options(spec, &mut entity);
                self.entities.push(entity);
            }
        }
    }

    fn of_type(&self, spec: &DpSpec) -> Vec<Entity> {
        let use_of_code = usage(&self.schema.category, &spec.code);
        let is_known = use_of_code.is_some();
        match (&spec.kind, use_of_code) {
            (DpKind::Bitmap { labels }, _) => bitmap(spec, labels),
            (DpKind::Boolean | DpKind::Enum { .. } | DpKind::Raw { .. }, Some(Usage::BinarySensor)) => {
                binary::find_any(&spec.code).map_or_else(Vec::new, |row| on_and_off(spec, row))
            }
            (DpKind::Boolean, Some(Usage::Button)) => vec![button(spec)],
            (DpKind::Boolean, _) if !spec.access.is_writable() => vec![flag(spec)],
            (DpKind::Boolean, _) => vec![self.switch(spec)],
            (DpKind::Enum { range }, Some(Usage::Event)) => vec![event(spec, range)],
            (DpKind::String { .. } | DpKind::Raw { .. }, Some(Usage::Event)) => vec![message(spec)],
            (DpKind::Integer(limits), Some(Usage::Sensor | Usage::BinarySensor)) => vec![reading(spec, limits)],
            (DpKind::Integer(limits), None) if !spec.access.is_writable() => vec![reading(spec, limits)],
            (DpKind::Integer(limits), _) if matches!(limits.unit.as_str(), "lx") && is_light_level(spec) => {
                vec![reading(spec, limits)]
            }
            (DpKind::Integer(limits), _) => vec![self.number(spec, limits)],
            (DpKind::Enum { range }, Some(Usage::Sensor)) => vec![word(spec, range)],
            (DpKind::Enum { range }, _) if !spec.access.is_writable() => vec![word(spec, range)],
            (DpKind::Enum { range }, _) => vec![self.select(spec, range)],
            (DpKind::String { max_len }, _) => vec![text(spec, Codec::Text { max_len: *max_len }, is_known)],
            (DpKind::Raw { .. }, _) => vec![text(spec, Codec::Bytes, is_known)],
            (DpKind::Json { .. } | DpKind::Opaque(_), _) => vec![text(spec, Codec::Json, false)],
        }
    }

    fn switch(&self, spec: &DpSpec) -> Entity {
        let mut switch = entity(EntityKind::Switch, spec);
        switch.channels.push((Role::Value, channel(spec, ON_OFF)));
        switch.category = self.setting_category(spec);
        if split_number(&spec.code).0 == "switch" && self.has_part(Part::Outlet) {
            switch.device_class = Some("outlet".into());
        }
        switch
    }

    fn number(&self, spec: &DpSpec, limits: &NumberSpec) -> Entity {
        let setting = settings::find(&spec.code);
        let unit = match (limits.unit.as_str(), setting) {
            ("", Some(setting)) => setting.unit,
            (unit, _) => unit,
        };
        let mut number = entity(EntityKind::Number, spec);
        let codec = Codec::Number(NumberSpec { unit: unit.to_owned(), ..limits.clone() });
        number.channels.push((Role::Value, channel(spec, codec)));
        number.category = self.setting_category(spec);
        unit.clone_into(&mut number.unit);
        let class = match setting {
            Some(setting) => setting.class,
            None => class_of_unit(unit),
        };
        set_class(&mut number, class);
        number
    }

    fn select(&self, spec: &DpSpec, range: &[String]) -> Entity {
        let mut select = entity(EntityKind::Select, spec);
        select.channels.push((Role::Value, channel(spec, plain_words(range))));
        select.category = self.setting_category(spec);
        select
    }

    fn setting_category(&self, spec: &DpSpec) -> Category {
        match settings::find(&spec.code) {
            Some(setting) => settings::category(&self.schema.category, setting, &spec.code),
            None => Category::Config,
        }
    }
}

/// Puts the user's settings for a DP over what the tables say.
pub(super) fn apply_options(spec: &DpSpec, entity: &mut Entity) {
    let options = &spec.options;
    if spec.origin == Origin::Observed {
        entity.is_enabled = false;
    }
    if let Some(is_enabled) = options.is_enabled {
        entity.is_enabled = is_enabled;
    }
    if let Some(class) = &options.device_class {
        set_class(entity, "");
        if !class.is_empty() && (units::of_class(class).is_none() || units::fits(class, &entity.unit)) {
            entity.device_class = Some(class.clone().into());
        }
    }
    if options.state_class.is_some() {
        entity.state_class = options.state_class;
    }
    if let Some(category) = options.category {
        entity.category = category;
    }
}

/// Makes an entity of the kind that the user chose.
fn chosen(kind: EntityKind, spec: &DpSpec) -> Entity {
    let codec = match &spec.kind {
        DpKind::Boolean => ON_OFF,
        DpKind::Integer(limits) => Codec::Number(limits.clone()),
        DpKind::Enum { range } => plain_words(range),
        DpKind::Bitmap { labels } => Codec::Labels(labels.clone()),
        DpKind::String { max_len } => Codec::Text { max_len: *max_len },
        DpKind::Raw { .. } => Codec::Bytes,
        DpKind::Json { .. } | DpKind::Opaque(_) => Codec::Json,
    };
    let role = match (kind, &spec.kind) {
        (EntityKind::Cover, DpKind::Integer(_)) => Role::Position,
        (EntityKind::Cover, _) => Role::Command,
        (EntityKind::Lock, _) => Role::IsLocked,
        (EntityKind::Alarm, _) => Role::Mode,
        (
            EntityKind::Climate
            | EntityKind::Fan
            | EntityKind::Humidifier
            | EntityKind::Light
            | EntityKind::Siren
            | EntityKind::Valve,
            _,
        ) => Role::Power,
        (EntityKind::Vacuum, _) => Role::Command,
        _ => Role::Value,
    };
    let mut entity = entity(kind, spec);
    if let DpKind::Integer(limits) = &spec.kind {
        entity.unit.clone_from(&limits.unit);
    }
    entity.channels.push((role, channel(spec, codec)));
    entity
}

/// Sets the class if the unit fits it, and drops it otherwise: Home Assistant rejects an entity whose unit does not.
fn set_class(entity: &mut Entity, class: &'static str) {
    entity.device_class = (!class.is_empty() && units::fits(class, &entity.unit)).then_some(class.into());
}

fn class_of_unit(unit: &str) -> &'static str {
    let index = BY_UNIT.binary_search_by(|(found, _)| (*found).cmp(unit)).ok();
    index.and_then(|index| BY_UNIT.get(index)).map_or("", |(_, class)| *class)
}

fn is_light_level(spec: &DpSpec) -> bool {
    spec.code.starts_with("bright_value") || spec.code.contains("lux") || spec.code.contains("illuminance")
}

fn reading(spec: &DpSpec, limits: &NumberSpec) -> Entity {
    let row = sensors::find_any(&spec.code);
    let mut sensor = entity(EntityKind::Sensor, spec);
    let own = limits.unit.as_str();
    let unit = match (own, row) {
        ("", Some(row)) => row.unit,
        // The amount of an hour, not since ever.
        ("mm", Some(row)) if row.class == "precipitation_intensity" => row.unit,
        _ => own,
    };
    let spec_in_unit = NumberSpec { unit: unit.to_owned(), ..limits.clone() };
    sensor.channels.push((Role::Value, channel(spec, Codec::Number(spec_in_unit))));
    if let Some((_, channel)) = sensor.channels.first_mut() {
        channel.access = crate::schema::Access::ReadOnly;
    }
    unit.clone_into(&mut sensor.unit);
    match row {
        Some(row) => {
            sensor.category = row.category;
            sensor.state_class = row.state_class;
            if spec.name.is_none() {
                sensor.name = Some(name_of(row.code, row.name, spec));
            }
            set_class(&mut sensor, alternative(row.class, unit));
        }
        None => {
            sensor.category = Category::Diagnostic;
            let class = class_of_unit(unit);
            set_class(&mut sensor, class);
            sensor.state_class = match class {
                "energy" => Some(StateClass::TotalIncreasing),
                _ => (!unit.is_empty()).then_some(StateClass::Measurement),
            };
        }
    }
    sensor
}

/// Returns the class that a quantity has in another unit.
fn alternative(class: &'static str, unit: &str) -> &'static str {
    match (class, unit) {
        ("volatile_organic_compounds", "ppm" | "ppb") => "volatile_organic_compounds_parts",
        ("voltage", "%") => "battery",
        ("duration", "%") => "",
        _ => class,
    }
}

fn name_of(code: &str, name: &str, spec: &DpSpec) -> String {
    if code == spec.code { name.to_owned() } else { names::numbered(name, split_number(&spec.code).1) }
}

fn word(spec: &DpSpec, range: &[String]) -> Entity {
    let mut sensor = entity(EntityKind::Sensor, spec);
    let mut channel = channel(spec, plain_words(range));
    channel.access = crate::schema::Access::ReadOnly;
    sensor.channels.push((Role::Value, channel));
    sensor.device_class = Some("enum".into());
    sensor.category = match sensors::find_any(&spec.code) {
        Some(row) => {
            if spec.name.is_none() {
                sensor.name = Some(name_of(row.code, row.name, spec));
            }
            row.category
        }
        None => Category::Diagnostic,
    };
    sensor
}

fn flag(spec: &DpSpec) -> Entity {
    let mut sensor = entity(EntityKind::BinarySensor, spec);
    sensor.channels.push((Role::Value, channel(spec, ON_OFF)));
    sensor.category = Category::Diagnostic;
    sensor
}

/// Makes the binary sensors of a code: one, or one for each word that says something of its own.
fn on_and_off(spec: &DpSpec, row: &binary::Binary) -> Vec<Entity> {
    let sensor = |on: Vec<serde_json::Value>| {
        let mut sensor = entity(EntityKind::BinarySensor, spec);
        if spec.name.is_none() {
            sensor.name = Some(name_of(row.code, row.name, spec));
        }
        let codec = if spec.kind == DpKind::Boolean { ON_OFF } else { Codec::On { on } };
        let mut channel = channel(spec, codec);
        channel.access = crate::schema::Access::ReadOnly;
        sensor.channels.push((Role::Value, channel));
        sensor.category = row.category;
        sensor.device_class = (!row.class.is_empty()).then_some(row.class.into());
        sensor
    };
    let on = row.on.iter().map(|word| (*word).into()).chain([true.into()]).collect();
    let mut sensors = vec![sensor(on)];
    // A shock has three words, and only one of them is a vibration.
    if let (DpKind::Enum { range }, "shock_state") = (&spec.kind, row.code) {
        for (word, name) in [("drop", "Drop"), ("tilt", "Tilt")] {
            if range.iter().any(|found| found == word) {
                let mut other = sensor(vec![word.into()]);
                other.id = format!("{}_{word}", spec.code);
                other.name = Some(name.to_owned());
                other.device_class = None;
                sensors.push(other);
            }
        }
    }
    sensors
}

/// Makes one problem for each label of a bitmap, or one for all.
fn bitmap(spec: &DpSpec, labels: &[String]) -> Vec<Entity> {
    let problem = |codec| {
        let mut problem = entity(EntityKind::BinarySensor, spec);
        let mut channel = channel(spec, codec);
        channel.access = crate::schema::Access::ReadOnly;
        problem.channels.push((Role::Value, channel));
        problem.device_class = Some("problem".into());
        problem.category = Category::Diagnostic;
        problem
    };
    let bits = labels.iter().zip(0_u8..).filter(|(label, _)| !label.trim().is_empty());
    let mut problems: Vec<Entity> = bits
        .map(|(label, bit)| {
            let mut entity = problem(Codec::Bit { bit });
            entity.id = format!("{}_{label}", spec.code);
            entity.name = Some(match spec.code.as_str() {
                "fault" => names::label(label),
                _ => format!("{} {label}", entity.name.unwrap_or_default()),
            });
            entity
        })
        .collect();
    if problems.is_empty() {
        let mut any = problem(Codec::AnyBit);
        if spec.code == "fault" && spec.name.is_none() {
            any.name = Some("Fault".to_owned());
        }
        any.channels.push((Role::Attribute("labels".to_owned()), channel(spec, Codec::Labels(labels.to_vec()))));
        problems.push(any);
    }
    problems
}

fn button(spec: &DpSpec) -> Entity {
    let mut button = entity(EntityKind::Button, spec);
    button.channels.push((Role::Value, channel(spec, ON_OFF)));
    button.category = Category::Config;
    if spec.code == "device_restart" {
        button.device_class = Some("restart".into());
    }
    // One slip of a finger must not erase the settings.
    button.is_enabled = spec.code != "factory_reset";
    button
}

fn event(spec: &DpSpec, range: &[String]) -> Entity {
    let mut event = entity(EntityKind::Event, spec);
    let mut channel = channel(spec, plain_words(range));
    channel.access = crate::schema::Access::ReadOnly;
    event.channels.push((Role::Value, channel));
    if spec.code.starts_with("switch_") {
        event.device_class = Some("button".into());
        if spec.name.is_none() {
            event.name = Some(names::numbered("Button", split_number(&spec.code).1));
        }
    }
    event
}

fn message(spec: &DpSpec) -> Entity {
    let mut event = entity(EntityKind::Event, spec);
    let mut channel = channel(spec, Codec::Base64Text { is_utf16: false });
    channel.access = crate::schema::Access::ReadOnly;
    event.channels.push((Role::Value, channel));
    if spec.code.starts_with("doorbell") {
        event.device_class = Some("doorbell".into());
    }
    event
}

/// Makes a text of data without a known meaning. It is not shown unless the user asks.
fn text(spec: &DpSpec, codec: Codec, is_known: bool) -> Entity {
    let is_setting = spec.access.is_writable() && matches!(codec, Codec::Text { .. });
    let mut text = entity(if is_setting { EntityKind::Text } else { EntityKind::Sensor }, spec);
    text.channels.push((Role::Value, channel(spec, codec)));
    text.category = if is_setting && is_known { Category::Config } else { Category::Diagnostic };
    text.is_enabled = false;
    text
}
