//! The user's file: facts that the vendor's specification has wrong, or does not have.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::{Access, DpKind, DpOptions, DpSpec, Fact, Options, Origin, Schema, read};
use crate::entity::{Category, EntityKind, StateClass};
use crate::tables::units;

/// The user's file of facts about devices and products, as `docs/entities.md` describes it.
///
/// ```
/// use rustuya_entities::{Overrides, Schema};
/// use serde_json::json;
///
/// let overrides = Overrides::from_text(r#"{
///     "devices": {"bf000000000000000001aa": {
///         "light": {"min_kelvin": 2700, "max_kelvin": 6500},
///         "dps": {"26": {"name": "Timer", "enabled": false}}
///     }}
/// }"#).unwrap();
/// let mapping = json!({"26": {"code": "countdown_1", "type": "Integer", "values": {"unit": "s", "max": 86400}}});
/// let schema = Schema::builder().id("bf000000000000000001aa").mapping(&mapping).overrides(&overrides).build();
/// assert_eq!(schema.options.min_kelvin, Some(2700));
/// assert_eq!(schema.dps[&26].name.as_deref(), Some("Timer"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    devices: BTreeMap<String, DeviceOverride>,
    products: BTreeMap<String, DeviceOverride>,
}

/// Error of the user's file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OverrideError {
    /// The text is no JSON.
    #[error("line {line}, column {column}: no JSON: {reason}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// The parser's reason.
        reason: String,
    },
    /// A member is unknown or has a value that is not allowed.
    #[error("{place}: {found} is not allowed; allowed: {allowed}")]
    NotAllowed {
        /// The members that lead to the value, such as `devices.bf01.dps.22.scale`.
        place: String,
        /// The value.
        found: String,
        /// Allowed values.
        allowed: String,
    },
}

/// Entry of the file for one device or product.
#[derive(Clone, Debug, Default)]
pub(super) struct DeviceOverride {
    name: Option<String>,
    pub(super) category: Option<String>,
    options: Options,
    dps: BTreeMap<u16, DpOverride>,
}

/// Entry of the file for one DP.
#[derive(Clone, Debug, Default)]
struct DpOverride {
    code: Option<String>,
    name: Option<String>,
    kind: Option<String>,
    /// Members that describe the range, by the vendor's names.
    range: Map<String, Json>,
    access: Option<Access>,
    options: DpOptions,
}

impl Overrides {
    /// Reads the file's text.
    ///
    /// # Errors
    /// [`OverrideError`] with the line of what is no JSON, or the place of what is not allowed.
    pub fn from_text(text: &str) -> Result<Self, OverrideError> {
        let json: Json = serde_json::from_str(text).map_err(|error| OverrideError::Syntax {
            line: error.line(),
            column: error.column(),
            reason: error.to_string(),
        })?;
        Self::from_json(&json)
    }

    /// Reads the file's content.
    ///
    /// # Errors
    /// [`OverrideError::NotAllowed`] with the place of what is not allowed.
    pub fn from_json(json: &Json) -> Result<Self, OverrideError> {
        let file = Place(String::new()).object(json, &["devices", "products"])?;
        let mut overrides = Self::default();
        for (place, part, list) in [
            ("devices", file.get("devices"), &mut overrides.devices),
            ("products", file.get("products"), &mut overrides.products),
        ] {
            let Some(part) = part else { continue };
            let place = Place(place.to_owned());
            for (id, device) in place.any_object(part)? {
                list.insert(id.clone(), device_override(&place.member(id), device)?);
            }
        }
        Ok(overrides)
    }

    /// Returns what the file says about a device, the best first.
    pub(super) fn of(&self, id: Option<&str>, product_id: Option<&str>) -> Vec<&DeviceOverride> {
        let device = id.and_then(|id| self.devices.get(id));
        let product = product_id.and_then(|id| self.products.get(id));
        device.into_iter().chain(product).collect()
    }
}

/// Place of a value in the file.
struct Place(String);

impl Place {
    fn member(&self, name: &str) -> Self {
        let name: String = name.chars().take(64).collect();
        Self(if self.0.is_empty() { name } else { format!("{}.{name}", self.0) })
    }

    fn error(&self, found: &Json, allowed: impl Into<String>) -> OverrideError {
        let text: String = found.to_string().chars().take(80).collect();
        let place = if self.0.is_empty() { "the file".to_owned() } else { self.0.clone() };
        OverrideError::NotAllowed { place, found: text, allowed: allowed.into() }
    }

    fn any_object<'j>(&self, json: &'j Json) -> Result<&'j Map<String, Json>, OverrideError> {
        json.as_object().ok_or_else(|| self.error(json, "an object"))
    }

    /// Reads an object with these members only: a misspelled one would have no effect.
    fn object<'j>(&self, json: &'j Json, members: &[&str]) -> Result<&'j Map<String, Json>, OverrideError> {
        let object = json.as_object().ok_or_else(|| self.error(json, "an object"))?;
        match object.keys().find(|key| !members.contains(&key.as_str())) {
            Some(key) => Err(self.error(&Json::from(key.as_str()), members.join(", "))),
            None => Ok(object),
        }
    }

    fn text(&self, json: &Json) -> Result<String, OverrideError> {
        let is_usable =
            |text: &&str| !text.is_empty() && text.chars().count() <= 64 && !text.chars().any(char::is_control);
        json.as_str().filter(is_usable).map(str::to_owned).ok_or_else(|| self.error(json, "text of 1 to 64 characters"))
    }

    fn flag(&self, json: &Json) -> Result<bool, OverrideError> {
        json.as_bool().ok_or_else(|| self.error(json, "true, false"))
    }

    fn integer(&self, json: &Json, min: i64, max: i64) -> Result<i64, OverrideError> {
        let allowed = || format!("an integer from {min} to {max}");
        json.as_i64().filter(|value| (min..=max).contains(value)).ok_or_else(|| self.error(json, allowed()))
    }

    fn words(&self, json: &Json) -> Result<(), OverrideError> {
        let is_list = json.as_array().is_some_and(|words| !words.is_empty() && words.iter().all(Json::is_string));
        if is_list { Ok(()) } else { Err(self.error(json, "a list of words")) }
    }

    fn one_of<T>(&self, json: &Json, all: &[T], name: fn(T) -> &'static str) -> Result<T, OverrideError>
    where
        T: Copy,
    {
        let found = json.as_str().and_then(|word| all.iter().find(|one| name(**one) == word));
        let allowed = || all.iter().map(|one| name(*one)).collect::<Vec<_>>().join(", ");
        found.copied().ok_or_else(|| self.error(json, allowed()))
    }
}

const TYPES: &[&str] = &["boolean", "integer", "enum", "bitmap", "string", "raw", "json"];
const NUMBER_MEMBERS: &[&str] = &["min", "max", "step", "scale", "unit"];

fn device_override(place: &Place, json: &Json) -> Result<DeviceOverride, OverrideError> {
    let members = place.object(json, &["name", "category", "cover", "light", "dps"])?;
    let mut device = DeviceOverride::default();
    for (key, value) in members {
        let place = place.member(key);
        match key.as_str() {
            "name" => device.name = Some(place.text(value)?),
            "category" => device.category = Some(place.text(value)?),
            "cover" => {
                for (key, value) in place.object(value, &["inverted"])? {
                    device.options.is_cover_inverted = Some(place.member(key).flag(value)?);
                }
            }
            "light" => {
                for (key, value) in place.object(value, &["min_kelvin", "max_kelvin"])? {
                    let kelvin = u32::try_from(place.member(key).integer(value, 1000, 20_000)?).ok();
                    let limit = if key == "min_kelvin" {
                        &mut device.options.min_kelvin
                    } else {
                        &mut device.options.max_kelvin
                    };
                    *limit = kelvin;
                }
                let limits = (device.options.min_kelvin.unwrap_or(1000), device.options.max_kelvin.unwrap_or(20_000));
                if limits.0 >= limits.1 {
                    let allowed = format!("below max_kelvin, {}", limits.1);
                    return Err(place.member("min_kelvin").error(&Json::from(limits.0), allowed));
                }
            }
            _ => {
                for (key, value) in place.any_object(value)? {
                    let place = place.member(key);
                    let dp =
                        key.parse().map_err(|_| place.error(&Json::from(key.as_str()), "a DP number, 0 to 65535"))?;
                    device.dps.insert(dp, dp_override(&place, value)?);
                }
            }
        }
    }
    Ok(device)
}

fn dp_override(place: &Place, json: &Json) -> Result<DpOverride, OverrideError> {
    let members = place.object(
        json,
        &[
            "code",
            "name",
            "type",
            "range",
            "labels",
            "min",
            "max",
            "step",
            "scale",
            "unit",
            "access",
            "hidden",
            "enabled",
            "kind",
            "device_class",
            "state_class",
            "category",
        ],
    )?;
    let mut dp = DpOverride::default();
    for (key, value) in members {
        let place = place.member(key);
        match key.as_str() {
            "code" => {
                let code = value.as_str().and_then(read::code);
                dp.code = Some(code.ok_or_else(|| place.error(value, "1 to 64 characters without blanks"))?);
            }
            "name" => dp.name = Some(place.text(value)?),
            "type" => dp.kind = Some(place.one_of(value, TYPES, |word| word)?.to_owned()),
            "range" => place.words(value)?,
            "labels" => place.words(value)?,
            "min" | "max" => _ = place.integer(value, i64::MIN, i64::MAX)?,
            "step" => _ = place.integer(value, 1, i64::MAX)?,
            "scale" => _ = place.integer(value, 0, 18)?,
            "unit" => _ = value.as_str().ok_or_else(|| place.error(value, "text; empty for none"))?,
            "access" => dp.access = Some(place.one_of(value, Access::ALL, Access::as_str)?),
            "hidden" => dp.options.is_hidden = place.flag(value)?,
            "enabled" => dp.options.is_enabled = Some(place.flag(value)?),
            "kind" => dp.options.kind = Some(place.one_of(value, EntityKind::ALL, EntityKind::as_str)?),
            "state_class" => dp.options.state_class = Some(place.one_of(value, StateClass::ALL, StateClass::as_str)?),
            "category" => dp.options.category = Some(place.one_of(value, Category::ALL, Category::as_str)?),
            _ => {
                let class = value.as_str().ok_or_else(|| place.error(value, "text; empty for none"))?;
                dp.options.device_class = Some(class.to_owned());
            }
        }
        if NUMBER_MEMBERS.contains(&key.as_str()) || key == "range" || key == "labels" {
            dp.range.insert(key.clone(), value.clone());
        }
    }
    if let (Some(min), Some(max)) =
        (dp.range.get("min").and_then(Json::as_i64), dp.range.get("max").and_then(Json::as_i64))
        && min > max
    {
        return Err(place.member("min").error(&Json::from(min), format!("at most max, {max}")));
    }
    if let (Some(class), Some(unit)) = (&dp.options.device_class, dp.range.get("unit").and_then(Json::as_str)) {
        let allowed = units::of_class(class).unwrap_or_default();
        if !units::fits(class, &units::repair(unit)) {
            return Err(place.member("unit").error(&Json::from(unit), format!("for {class}: {}", allowed.join(", "))));
        }
    }
    Ok(dp)
}

impl DeviceOverride {
    /// Puts the facts of the file over those of the schema.
    pub(super) fn apply(&self, schema: &mut Schema) {
        if self.name.is_some() {
            schema.name.clone_from(&self.name);
        }
        let options = &mut schema.options;
        options.is_cover_inverted = self.options.is_cover_inverted.or(options.is_cover_inverted);
        options.min_kelvin = self.options.min_kelvin.or(options.min_kelvin);
        options.max_kelvin = self.options.max_kelvin.or(options.max_kelvin);
        for (dp, facts) in &self.dps {
            let new = || DpSpec::new(*dp, format!("dp_{dp}"), DpKind::Opaque(String::new()), Origin::Override);
            facts.apply(schema.dps.entry(*dp).or_insert_with(new));
        }
    }
}

impl DpOverride {
    fn apply(&self, spec: &mut DpSpec) {
        let mut changed = Vec::new();
        if let Some(code) = &self.code {
            spec.code.clone_from(code);
            changed.push(Fact::Code);
        }
        if self.name.is_some() {
            spec.name.clone_from(&self.name);
        }
        if let Some(access) = self.access {
            spec.access = access;
            changed.push(Fact::Access);
        }
        self.apply_kind(spec, &mut changed);
        if spec.origin != Origin::Override {
            spec.others.retain(|(fact, _)| !changed.contains(fact));
            spec.others.extend(changed.into_iter().map(|fact| (fact, Origin::Override)));
        }
        let (ours, options) = (&self.options, &mut spec.options);
        options.is_hidden |= ours.is_hidden;
        options.is_enabled = ours.is_enabled.or(options.is_enabled);
        options.kind = ours.kind.or(options.kind);
        options.state_class = ours.state_class.or(options.state_class);
        options.category = ours.category.or(options.category);
        if ours.device_class.is_some() {
            options.device_class.clone_from(&ours.device_class);
        }
    }

    fn apply_kind(&self, spec: &mut DpSpec, changed: &mut Vec<Fact>) {
        let has = |members: &[&str]| members.iter().any(|member| self.range.contains_key(*member));
        let implied = if has(&["range"]) {
            Some("enum")
        } else if has(&["labels"]) {
            Some("bitmap")
        } else {
            has(NUMBER_MEMBERS).then_some("integer")
        };
        let Some(kind) = self.kind.as_deref().or(implied) else { return };
        let new = read::kind(Some(kind), &Json::Object(self.range.clone()), None);
        if core::mem::discriminant(&new) != core::mem::discriminant(&spec.kind) {
            spec.kind = new;
            changed.extend([Fact::Type, Fact::Range, Fact::Unit]);
            return;
        }
        match (&mut spec.kind, new) {
            (DpKind::Integer(old), DpKind::Integer(new)) => {
                if has(&["unit"]) {
                    old.unit = new.unit;
                    changed.push(Fact::Unit);
                }
                if has(&["min", "max", "step", "scale"]) {
                    old.min = new.min.or(old.min);
                    old.max = new.max.or(old.max);
                    old.step = if has(&["step"]) { new.step } else { old.step };
                    old.scale = if has(&["scale"]) { new.scale } else { old.scale };
                    changed.push(Fact::Range);
                }
            }
            (old, new) if has(&["range", "labels"]) => {
                *old = new;
                changed.push(Fact::Range);
            }
            _ => {}
        }
    }
}
