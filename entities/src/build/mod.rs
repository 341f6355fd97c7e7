//! From a schema to entities: parts with several DPs first, then what is left, one by one.

use std::collections::{BTreeMap, BTreeSet};

use crate::entity::{Category, Channel, Codec, Entity, EntityKind, Role, Word};
use crate::schema::{DpKind, DpSpec, NumberSpec, Schema};
use crate::tables::categories::{self, CategoryFacts, Part};
use crate::tables::{names, split_number};

mod climate;
mod cover;
mod fan;
mod light;
mod phase;
mod plain;
mod security;
mod vacuum;

impl Schema {
    /// Makes the entities of the device, the main one first. Every DP is part of at least one, unless the user's file hides
    /// it.
    ///
    /// ```
    /// use rustuya_entities::{EntityKind, Role, Schema};
    /// use serde_json::json;
    ///
    /// let mapping = json!({
    ///     "20": {"code": "switch_led", "type": "Boolean", "values": {}},
    ///     "22": {"code": "bright_value_v2", "type": "Integer", "values": {"min": 10, "max": 1000}},
    ///     "26": {"code": "countdown_1", "type": "Integer", "values": {"unit": "s", "min": 0, "max": 86400}}
    /// });
    /// let schema = Schema::builder().category("dj").mapping(&mapping).build();
    /// let entities = schema.entities();
    /// assert_eq!((entities[0].id.as_str(), entities[0].kind), ("switch_led", EntityKind::Light));
    /// assert_eq!(entities[0].channel(&Role::Brightness).unwrap().dp, 22);
    /// assert_eq!((entities[1].id.as_str(), entities[1].kind), ("countdown_1", EntityKind::Number));
    /// ```
    pub fn entities(&self) -> Vec<Entity> {
        Builder::new(self).build()
    }

    /// Returns what the category is called, in lower case; `None` for an unknown one.
    pub fn category_name(&self) -> Option<&'static str> {
        categories::find(&self.category).map(|facts| facts.name)
    }

    /// Returns whether the category is one of gateways, whose children are devices of their own.
    pub fn is_gateway(&self) -> bool {
        categories::find(&self.category).is_some_and(|facts| facts.parts.contains(&Part::Gateway))
    }
}

struct Builder<'s> {
    schema: &'s Schema,
    facts: Option<&'static CategoryFacts>,
    /// DPs that parts may use, by code.
    by_code: Vec<&'s DpSpec>,
    /// DPs that need no entity of their own.
    claimed: BTreeSet<u16>,
    entities: Vec<Entity>,
}

impl<'s> Builder<'s> {
    fn new(schema: &'s Schema) -> Self {
        // A DP whose kind the user chose is no part of another entity.
        let is_free = |spec: &&DpSpec| !spec.options.is_hidden && spec.options.kind.is_none();
        let mut by_code: Vec<_> = schema.dps.values().filter(is_free).collect();
        by_code.sort_by(|one, other| one.code.cmp(&other.code));
        Self {
            schema,
            facts: categories::find(&schema.category),
            by_code,
            claimed: BTreeSet::new(),
            entities: Vec::new(),
        }
    }

    fn build(mut self) -> Vec<Entity> {
        let parts = self.facts.map(|facts| facts.parts).unwrap_or_default();
        for part in parts {
            self.part(*part);
        }
        // Codes that mean the same in every category, known or not.
        for (part, codes) in [
            (Part::Light, &["switch_led", "switch_led_1", "switch_backlight", "floodlight_switch"][..]),
            (Part::Cover, &["control", "mach_operate"]),
            (Part::Vacuum, &["power_go"]),
        ] {
            let has_code = |builder: &Self| codes.iter().any(|code| builder.get(code).is_some());
            if !parts.contains(&part) && has_code(&self) {
                self.part(part);
            }
        }
        self.phases();
        self.plain();
        self.name_main();
        self.make_names_unique();
        self.make_ids_unique();
        self.entities
    }

    fn part(&mut self, part: Part) {
        match part {
            Part::Alarm => self.alarm(),
            Part::Climate(on_mode) => self.climate(on_mode),
            Part::Cover => self.covers(),
            Part::Dehumidifier => self.humidifier("dehumidifier"),
            Part::Fan => self.fan(),
            Part::Garage => self.garage_doors(),
            Part::Humidifier => self.humidifier("humidifier"),
            Part::Light => self.lights(),
            Part::Lock => self.lock(),
            Part::Siren => self.siren(),
            Part::Vacuum => self.vacuum(),
            Part::Valve => self.valves(),
            // Their switches are entities of one DP.
            Part::Gateway | Part::Outlet | Part::Switch => {}
        }
    }

    fn is_category(&self, category: &str) -> bool {
        self.schema.category == category
    }

    fn has_part(&self, part: Part) -> bool {
        self.facts.is_some_and(|facts| facts.parts.contains(&part))
    }

    /// Returns the DP of a code that no other part has.
    fn get(&self, code: &str) -> Option<&'s DpSpec> {
        let index = self.by_code.partition_point(|spec| spec.code.as_str() < code);
        self.by_code.get(index).copied().filter(|spec| spec.code == code && !self.claimed.contains(&spec.dp))
    }

    /// Returns the first of some codes with the right type.
    fn first(&self, codes: &[&str], is_right: fn(&DpKind) -> bool) -> Option<&'s DpSpec> {
        codes.iter().filter_map(|code| self.get(code)).find(|spec| is_right(&spec.kind))
    }

    /// Returns a boolean DP that another part may have, too.
    fn shared_boolean(&self, code: &str) -> Option<&'s DpSpec> {
        let index = self.by_code.partition_point(|spec| spec.code.as_str() < code);
        self.by_code.get(index).copied().filter(|spec| spec.code == code && spec.kind == DpKind::Boolean)
    }

    fn boolean(&self, codes: &[&str]) -> Option<&'s DpSpec> {
        self.first(codes, |kind| matches!(kind, DpKind::Boolean))
    }

    fn integer(&self, codes: &[&str]) -> Option<(&'s DpSpec, &'s NumberSpec)> {
        let spec = self.first(codes, |kind| matches!(kind, DpKind::Integer(_)))?;
        match &spec.kind {
            DpKind::Integer(number) => Some((spec, number)),
            _ => None,
        }
    }

    fn words(&self, codes: &[&str]) -> Option<(&'s DpSpec, &'s [String])> {
        let spec = self.first(codes, |kind| matches!(kind, DpKind::Enum { .. }))?;
        match &spec.kind {
            DpKind::Enum { range } => Some((spec, range)),
            _ => None,
        }
    }

    fn claim(&mut self, entity: &Entity) {
        self.claimed.extend(entity.channels.iter().map(|(_, channel)| channel.dp));
    }

    /// Adds an entity whose DPs need no other.
    fn add(&mut self, entity: Entity) {
        self.claim(&entity);
        self.push(entity);
    }

    /// Adds an entity, with the user's settings for its main DP.
    fn push(&mut self, mut entity: Entity) {
        let main = entity.channels.first().and_then(|(_, channel)| self.schema.dps.get(&channel.dp));
        if let Some(spec) = main {
            plain::apply_options(spec, &mut entity);
        }
        self.entities.push(entity);
    }

    /// Takes the name away from the one entity that is the device itself: Home Assistant then calls it like the device.
    fn name_main(&mut self) {
        let Some(facts) = self.facts.filter(|facts| !WITHOUT_MAIN.contains(&facts.code)) else { return };
        let Some(index) = self.main(facts) else { return };
        let dps = &self.schema.dps;
        if let Some(entity) = self.entities.get_mut(index)
            && entity.channels.first().and_then(|(_, main)| dps.get(&main.dp)).is_none_or(|spec| spec.name.is_none())
        {
            entity.name = None;
        }
        if let Some(entities) = self.entities.get_mut(..=index) {
            entities.rotate_right(1);
        }
    }

    /// Finds the entity that the device is for. Several gangs are none, because each of them needs a name.
    fn main(&self, facts: &CategoryFacts) -> Option<usize> {
        let of_code = self.entities.iter().position(|entity| !facts.main.is_empty() && entity.code == facts.main);
        let only = |is_main: &dyn Fn(&Entity) -> bool| {
            let mut mains = self.entities.iter().enumerate();
            let mut next = || mains.find(|(_, entity)| entity.category == Category::Primary && is_main(entity));
            let (index, first) = next()?;
            let base = split_number(&first.code).0;
            // A night light is no second gang.
            let is_only = core::iter::from_fn(next).all(|(_, other)| split_number(&other.code).0 != base);
            is_only.then_some(index)
        };
        let of_part = || {
            let kinds = facts.parts.iter().filter_map(|part| part.kind());
            kinds.into_iter().find_map(|kind| only(&|entity| entity.kind == kind && is_main_switch(entity)))
        };
        let of_detector = || {
            let is_detector = !facts.main.is_empty() && facts.parts.is_empty();
            let position = only(&|entity| entity.kind == EntityKind::BinarySensor)?;
            is_detector.then_some(position)
        };
        of_code.or_else(of_part).or_else(of_detector)
    }

    /// Numbers names that a kind has twice.
    fn make_names_unique(&mut self) {
        let mut names = BTreeSet::new();
        // The last number of each name, so that thousands of one name are not counted through again and again.
        let mut numbers: BTreeMap<(EntityKind, String), u32> = BTreeMap::new();
        for entity in &mut self.entities {
            let Some(name) = entity.name.clone() else { continue };
            let mut unique = name.clone();
            if !names.insert((entity.kind, unique.clone())) {
                let number = numbers.entry((entity.kind, name.clone())).or_insert(1);
                loop {
                    *number = number.saturating_add(1);
                    unique = format!("{name} {number}");
                    if names.insert((entity.kind, unique.clone())) {
                        break;
                    }
                }
            }
            entity.name = Some(unique);
        }
    }

    fn make_ids_unique(&mut self) {
        let mut ids: BTreeMap<String, EntityKind> = BTreeMap::new();
        for entity in &mut self.entities {
            let dp = entity.channels.first().map(|(_, channel)| channel.dp).unwrap_or_default();
            let slug = slug(&entity.id);
            let mut id = if slug.is_empty() { format!("dp_{dp}") } else { slug };
            while let Some(kind) = ids.get(&id) {
                // The DP tells two of a kind apart, and it stays when others come and go.
                let suffix = if *kind == entity.kind { dp.to_string() } else { entity.kind.as_str().to_owned() };
                id = format!("{id}_{suffix}");
            }
            ids.insert(id.clone(), entity.kind);
            entity.id = id;
        }
    }
}

/// Categories whose parts are all beside the point of the device.
const WITHOUT_MAIN: &[&str] = &["cwwsq", "dghsxj", "dgnbj", "msp", "sp"];

/// Returns whether a switch is a gang of the device, and not a USB port or the like.
fn is_main_switch(entity: &Entity) -> bool {
    entity.kind != EntityKind::Switch || split_number(&entity.code).0 == "switch"
}

/// Returns an id of small letters, digits and `_`.
fn slug(text: &str) -> String {
    let mut slug = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_ascii_alphanumeric() {
            slug.push(letter.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('_') {
            slug.push('_');
        }
    }
    slug.truncate(slug.trim_end_matches('_').len());
    slug
}

impl Part {
    fn kind(self) -> Option<EntityKind> {
        Some(match self {
            Self::Alarm => EntityKind::Alarm,
            Self::Climate(_) => EntityKind::Climate,
            Self::Cover | Self::Garage => EntityKind::Cover,
            Self::Dehumidifier | Self::Humidifier => EntityKind::Humidifier,
            Self::Fan => EntityKind::Fan,
            Self::Light => EntityKind::Light,
            Self::Lock => EntityKind::Lock,
            Self::Outlet | Self::Switch => EntityKind::Switch,
            Self::Siren => EntityKind::Siren,
            Self::Vacuum => EntityKind::Vacuum,
            Self::Valve => EntityKind::Valve,
            Self::Gateway => return None,
        })
    }
}

/// Begins an entity whose main DP is this one.
fn entity(kind: EntityKind, spec: &DpSpec) -> Entity {
    let mut entity = Entity::new(spec.code.clone(), kind, spec.code.clone());
    entity.name = Some(spec.name.clone().unwrap_or_else(|| names::name(&spec.code)));
    entity
}

fn channel(spec: &DpSpec, codec: Codec) -> Channel {
    Channel { dp: spec.dp, code: spec.code.clone(), access: spec.access, codec }
}

const ON_OFF: Codec = Codec::Bool { is_inverted: false };

/// Makes a codec of words that stand for themselves; of any word if the device does not tell which it knows.
fn plain_words(range: &[String]) -> Codec {
    if range.is_empty() {
        return Codec::Text { max_len: None };
    }
    Codec::Words(range.iter().map(|word| Word::new(word.clone(), word.clone())).collect())
}

/// Makes a codec of words with names from a table; words that the table does not have stand for themselves.
fn named_words(range: &[String], names: &[(&str, &'static str)]) -> Codec {
    let word = |raw: &String| {
        let name = names.iter().find(|(known, _)| known == raw).map_or(raw.as_str(), |(_, name)| *name);
        Word::new(raw.clone(), name)
    };
    Codec::Words(range.iter().map(word).collect())
}

impl Entity {
    fn with(&mut self, role: Role, spec: &DpSpec, codec: Codec) {
        self.channels.push((role, channel(spec, codec)));
    }
}
