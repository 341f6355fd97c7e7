//! From a device file to entities and facts about DPs.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::model::{DpType, Hidden, Profile, ProfileDp, ProfileEntity};
use super::rules::{RuleSet, Rules, Shape, unit};
use super::yaml::Scalar;
use crate::entity::{Category, Channel, Codec, Entity, EntityKind, Role, StateClass};
use crate::schema::{Access, DpKind, DpSpec, NumberSpec, Origin};
use crate::tables::units;
use crate::value::Number;

use super::roles::{self, Place};

impl Profile {
    /// Returns the entities of the device, each with its DPs by role.
    ///
    /// A time becomes a number for each of its parts, a camera its switches and sensors: there is no kind for them.
    pub fn entities(&self) -> Vec<Entity> {
        let mut ids = BTreeSet::new();
        let mut entities = Vec::new();
        for entity in &self.entities {
            for mut built in entity.build() {
                let mut id = built.id.clone();
                let mut next = 2_u32;
                while !ids.insert(id.clone()) {
                    id = format!("{}_{next}", built.id);
                    next = next.saturating_add(1);
                }
                built.id = id;
                entities.push(built);
            }
        }
        entities
    }

    /// Returns the entities of the file, and those of `others`, such as the ones of the schema, whose DPs it does not have.
    pub fn complete(&self, others: Vec<Entity>) -> Vec<Entity> {
        let mut entities = self.entities();
        let dps: BTreeSet<u16> =
            entities.iter().flat_map(|entity| &entity.channels).map(|(_, channel)| channel.dp).collect();
        let ids: BTreeSet<String> = entities.iter().map(|entity| entity.id.clone()).collect();
        for mut entity in others {
            if entity.channels.iter().any(|(_, channel)| dps.contains(&channel.dp)) {
                continue;
            }
            if ids.contains(&entity.id) {
                let dp = entity.channels.first().map(|(_, channel)| channel.dp).unwrap_or_default();
                entity.id = format!("{}_{dp}", entity.id);
            }
            entities.push(entity);
        }
        entities
    }

    /// Returns the facts about the DPs of the device. A file has no codes of the vendor: a DP's code is `dp_N`.
    pub fn specs(&self) -> Vec<DpSpec> {
        let mut specs: BTreeMap<u16, DpSpec> = BTreeMap::new();
        for entity in &self.entities {
            for dp in &entity.rules.dps {
                let access = access(dp, entity);
                match specs.get_mut(&dp.id) {
                    None => {
                        let mut spec = DpSpec::new(dp.id, format!("dp_{}", dp.id), kind(dp), Origin::Profile);
                        spec.access = access;
                        specs.insert(dp.id, spec);
                    }
                    Some(spec) => {
                        merge(&mut spec.kind, kind(dp));
                        if access == Access::ReadWrite {
                            spec.access = access;
                        }
                    }
                }
            }
        }
        specs.into_values().collect()
    }
}

/// Returns the direction of a DP: what several entities show is set by one of them.
fn access(dp: &ProfileDp, entity: &ProfileEntity) -> Access {
    let is_shown = matches!(entity.platform.as_str(), "sensor" | "binary_sensor" | "event");
    if dp.is_readonly || is_shown { Access::ReadOnly } else { Access::ReadWrite }
}

/// Completes a type by that of the same DP in another entity.
fn merge(kind: &mut DpKind, other: DpKind) {
    match (kind, other) {
        (DpKind::Enum { range }, DpKind::Enum { range: others }) => {
            for word in others {
                if !range.contains(&word) {
                    range.push(word);
                }
            }
        }
        (kind @ DpKind::String { .. }, other @ DpKind::Enum { .. }) => *kind = other,
        (DpKind::Integer(spec), DpKind::Integer(other)) => {
            spec.min = spec.min.or(other.min);
            spec.max = spec.max.or(other.max);
            if spec.scale == 0 {
                spec.scale = other.scale;
            }
            if spec.unit.is_empty() {
                spec.unit = other.unit;
            }
        }
        _ => {}
    }
}

fn kind(dp: &ProfileDp) -> DpKind {
    let data = dp.mapping.iter().filter_map(|rule| rule.dps_val.as_ref()).flatten();
    let words = data.filter_map(|value| match value {
        Scalar::Text(text) => Some(text.to_string()),
        _ => None,
    });
    match dp.kind {
        DpType::Boolean => DpKind::Boolean,
        DpType::Integer | DpType::UnixTime => DpKind::Integer(number_spec(dp)),
        DpType::Bitfield => DpKind::Bitmap { labels: Vec::new() },
        DpType::String => {
            let range: Vec<String> = words.collect();
            if range.is_empty() { DpKind::String { max_len: None } } else { DpKind::Enum { range } }
        }
        DpType::Base64 | DpType::Utf16Base64 => DpKind::Raw { max_len: None },
        DpType::Json => DpKind::Json { members: serde_json::Value::Null },
        DpType::Float => DpKind::Opaque("float".into()),
        DpType::Hex => DpKind::Opaque("hex".into()),
    }
}

fn number_spec(dp: &ProfileDp) -> NumberSpec {
    let default = dp.mapping.iter().find(|rule| rule.dps_val.is_none());
    let scale = default.and_then(|rule| rule.scale);
    let scale = scale.and_then(|scale| (0..10_u8).find(|digits| scale == power_of_ten(*digits)));
    let step = default.and_then(|rule| rule.step).and_then(|step| step.exact(0));
    NumberSpec {
        min: dp.range.and_then(|range| range.min.rounded(0)),
        max: dp.range.and_then(|range| range.max.rounded(0)),
        step: step.unwrap_or(1),
        scale: scale.unwrap_or(0),
        unit: unit(dp.unit.as_deref()),
    }
}

fn power_of_ten(digits: u8) -> Number {
    Number::from(10_i64.pow(digits.into()))
}

impl ProfileEntity {
    /// Returns the name to show; `None` for the device itself.
    pub fn display_name(&self) -> Option<String> {
        if let Some(name) = &self.name {
            return Some(name.clone());
        }
        let mut text = self.translation_key.clone().map(|key| key.replace('_', " "));
        let mut rest = String::new();
        for (gap, value) in &self.translation_placeholders {
            match text.as_mut() {
                Some(text) if text.contains(gap.as_str()) => *text = text.replacen(gap.as_str(), value, 1),
                _ => rest = format!("{rest} {value}"),
            }
        }
        let text = text.or_else(|| self.class.clone().map(|class| class.replace('_', " ")))?;
        let mut letters = text.chars();
        let first = letters.next()?;
        Some(first.to_uppercase().chain(letters).chain(rest.chars()).collect())
    }

    fn build(&self) -> Vec<Entity> {
        let category = match self.category.as_deref() {
            Some("config") => Category::Config,
            Some("diagnostic") => Category::Diagnostic,
            _ => Category::Primary,
        };
        let name = self.display_name();
        let slug = name.as_deref().map(slug).filter(|slug| !slug.is_empty());
        let main = self.rules.dps.iter().find(|dp| roles::is_main(&self.platform, &dp.name));
        let unit = unit(main.and_then(|dp| dp.unit.as_deref()));
        let is_measured = matches!(self.platform.as_str(), "sensor" | "number");
        // Home Assistant rejects an entity whose unit is none of its class.
        let class = self.class.as_deref().filter(|class| !is_measured || units::fits(class, &unit));
        let entity = Entity {
            id: slug.as_ref().map_or_else(|| self.platform.clone(), |slug| format!("{}_{slug}", self.platform)),
            kind: match roles::kind(&self.platform) {
                // A child lock is switched; no other lock is.
                Some(EntityKind::Lock) if category == Category::Config => EntityKind::Switch,
                kind => kind.unwrap_or(EntityKind::Sensor),
            },
            name,
            code: slug.unwrap_or_else(|| self.platform.clone()),
            device_class: class.map(|class| Cow::Owned(class.to_owned())),
            state_class: main.and_then(|dp| state_class(dp.class.as_deref()?)),
            unit,
            category,
            is_enabled: self.hidden != Hidden::Yes && self.deprecated.is_none(),
            on_mode: None,
            channels: Vec::new(),
        };
        if roles::is_split(&self.platform) {
            return self.split(&entity);
        }
        let mut taken = BTreeSet::new();
        let named = self.rules.dps.iter().enumerate().filter(|(_, dp)| !self.is_inner(dp));
        let mut channels: Vec<(bool, Role, Channel)> = named
            .map(|(index, dp)| {
                let mut place = roles::place(&self.platform, &self.rules, dp, category == Category::Config);
                if !taken.insert(dp.name.as_str()) {
                    place = Place::attribute(format!("{}_{}", dp.name, dp.id));
                }
                let is_main = roles::is_main(&self.platform, &dp.name);
                (!is_main, place.role.clone(), self.channel(index, dp, &place))
            })
            .collect();
        // The main one comes first.
        channels.sort_by_key(|(is_other, ..)| *is_other);
        let channels = channels.into_iter().map(|(_, role, channel)| (role, channel)).collect();
        vec![Entity { channels, ..entity }]
    }

    /// Returns an entity for each DP.
    fn split(&self, entity: &Entity) -> Vec<Entity> {
        let named = self.rules.dps.iter().enumerate().filter(|(_, dp)| !self.is_inner(dp));
        let entities = named.map(|(index, dp)| {
            let (kind, shape) = match dp.kind {
                DpType::Boolean => (EntityKind::Switch, Shape::Switch),
                kind if kind.is_number() => (EntityKind::Number, Shape::Plain),
                _ => (EntityKind::Text, Shape::Plain),
            };
            let is_read = dp.is_readonly || dp.name == "snapshot";
            let place = Place { role: Role::Value, shape, access: access_of(is_read) };
            let kind = match kind {
                EntityKind::Switch if is_read => EntityKind::BinarySensor,
                _ if is_read => EntityKind::Sensor,
                kind => kind,
            };
            let part = dp.name.replace('_', " ");
            Entity {
                id: format!("{}_{}", entity.id, slug(&dp.name)),
                kind,
                name: Some(entity.name.as_ref().map_or_else(|| part.clone(), |name| format!("{name} {part}"))),
                code: format!("{}_{}", entity.code, slug(&dp.name)),
                unit: unit(dp.unit.as_deref()),
                channels: vec![(Role::Value, self.channel(index, dp, &place))],
                ..entity.clone()
            }
        });
        entities.collect()
    }

    /// Returns `true` for a hidden DP that rules of others name: it is read and written through them.
    fn is_inner(&self, dp: &ProfileDp) -> bool {
        dp.is_hidden && self.rules.is_named(&dp.name)
    }

    fn channel(&self, index: usize, dp: &ProfileDp, place: &Place) -> Channel {
        Channel {
            dp: dp.id,
            code: format!("dp_{}", dp.id),
            access: if dp.is_readonly { Access::ReadOnly } else { place.access },
            codec: Codec::Rules(Rules::new(Arc::clone(&self.rules), index, place.shape)),
        }
    }
}

const fn access_of(is_read: bool) -> Access {
    if is_read { Access::ReadOnly } else { Access::ReadWrite }
}

fn state_class(class: &str) -> Option<StateClass> {
    Some(match class {
        "measurement" => StateClass::Measurement,
        "total" => StateClass::Total,
        "total_increasing" => StateClass::TotalIncreasing,
        _ => return None,
    })
}

/// Returns a name in lower case letters, digits and underscores.
fn slug(name: &str) -> String {
    let mut slug = String::with_capacity(name.len());
    for letter in name.chars().flat_map(char::to_lowercase) {
        if letter.is_alphanumeric() {
            slug.push(letter);
        } else if !slug.ends_with('_') && !slug.is_empty() {
            slug.push('_');
        }
    }
    slug.truncate(slug.trim_end_matches('_').len());
    slug
}

impl RuleSet {
    /// Returns `true` if a rule names this DP.
    fn is_named(&self, name: &str) -> bool {
        let rules = self.dps.iter().filter(|dp| dp.name != name).flat_map(|dp| &dp.mapping);
        rules.flat_map(super::rules::names).any(|(_, found)| found == name)
    }
}
