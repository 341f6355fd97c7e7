//! From the tree of a YAML document to a [`Profile`]. What it does not know, it notes.

use std::sync::Arc;

use super::ProfileError;
use super::model::{DpType, Field, Hidden, Product, Profile, ProfileDp, ProfileEntity, Range, Rule};
use super::roles;
use super::rules::RuleSet;
use super::yaml::{self, Node, Scalar};
use crate::value::Number;

/// Reads a device file.
pub(super) fn profile(text: &str) -> Result<Profile, ProfileError> {
    let Node::Map(map) = yaml::read(text)? else { return Err(ProfileError::NoProfile) };
    let mut notes = Vec::new();
    let mut fields = Fields::new(map, String::new(), &mut notes);
    let name = fields.text("name").unwrap_or_default();
    let legacy_type = fields.text("legacy_type");
    let products = fields.list("products");
    let primary = fields.take("primary_entity");
    let listed = fields.list("entities");
    let secondary = fields.list("secondary_entities");
    fields.end();
    if primary.is_none() && listed.is_empty() {
        return Err(ProfileError::NoProfile);
    }
    let products = products.into_iter().filter_map(|node| product(node, &mut notes)).collect();
    let entities = primary.into_iter().chain(listed).chain(secondary);
    let entities = entities.filter_map(|node| match node {
        Node::Map(map) => Some(entity(map)),
        Node::Scalar(..) | Node::List(_) => {
            notes.push("an entity is no map".into());
            None
        }
    });
    let entities = entities.collect();
    Ok(Profile { name, products, legacy_type, entities, notes })
}

fn product(node: Node, notes: &mut Vec<String>) -> Option<Product> {
    let Node::Map(map) = node else {
        notes.push("a product is no map".into());
        return None;
    };
    let mut fields = Fields::new(map, "product".into(), notes);
    let id = fields.text("id");
    let product = Product {
        id: id.clone().unwrap_or_default(),
        manufacturer: fields.text("manufacturer"),
        model: fields.text("model"),
        model_id: fields.text("model_id"),
        name: fields.text("name"),
    };
    fields.end();
    if id.is_none() {
        notes.push("a product has no id".into());
    }
    id.map(|_| product)
}

fn entity(map: Vec<(String, Node)>) -> ProfileEntity {
    let mut notes = Vec::new();
    let mut fields = Fields::new(map, String::new(), &mut notes);
    let platform = fields.text("entity").unwrap_or_default();
    let placeholders = match fields.take("translation_placeholders") {
        Some(Node::Map(map)) => map,
        None => Vec::new(),
        Some(Node::Scalar(..) | Node::List(_)) => {
            fields.note("translation_placeholders is no map");
            Vec::new()
        }
    };
    let placeholders = placeholders.into_iter().filter_map(|(key, node)| match node {
        Node::Scalar(text, _) => Some((key, text)),
        Node::List(_) | Node::Map(_) => None,
    });
    let hidden = match fields.scalar("hidden") {
        None | Some(Scalar::Null | Scalar::Bool(false)) => Hidden::No,
        Some(Scalar::Bool(true)) => Hidden::Yes,
        Some(Scalar::Text(text)) if &*text == "unavailable" => Hidden::Unavailable,
        Some(_) => {
            fields.note("hidden is neither true, false nor unavailable");
            Hidden::No
        }
    };
    // Some files spell it so.
    let device_class = fields.text("device_class");
    let mut entity = ProfileEntity {
        platform,
        name: fields.text("name"),
        class: fields.text("class").or(device_class),
        category: fields.text("category"),
        translation_key: fields.text("translation_key"),
        translation_only_key: fields.text("translation_only_key"),
        translation_placeholders: placeholders.collect(),
        icon: fields.text("icon"),
        icon_priority: fields.integer("icon_priority"),
        mode: fields.text("mode"),
        hidden,
        deprecated: fields.text("deprecated"),
        rules: Arc::default(),
        notes: Vec::new(),
    };
    let list = fields.list("dps");
    fields.end();
    if roles::kind(&entity.platform).is_none() {
        let platform: String = entity.platform.chars().take(60).collect();
        notes.push(format!("platform `{platform}`"));
    }
    if !matches!(entity.category.as_deref(), None | Some("config" | "diagnostic")) {
        notes.push("category is neither config nor diagnostic".into());
    }
    if list.len() > MAX_DPS {
        notes.push(format!("it has more than {MAX_DPS} DPs"));
    }
    let dps: Vec<ProfileDp> = list.into_iter().take(MAX_DPS).filter_map(|node| dp(node, &mut notes)).collect();
    if dps.is_empty() {
        notes.push("it has no DP".into());
    }
    let rules = RuleSet::new(dps);
    rules.check(&mut notes);
    entity.rules = Arc::new(rules);
    entity.notes = notes;
    entity
}

fn dp(node: Node, notes: &mut Vec<String>) -> Option<ProfileDp> {
    let Node::Map(map) = node else {
        notes.push("a DP is no map".into());
        return None;
    };
    let id = map.iter().find(|(key, _)| key == "id").and_then(|(_, node)| match node {
        Node::Scalar(text, _) => text.trim().parse::<u16>().ok(),
        Node::List(_) | Node::Map(_) => None,
    });
    let Some(id) = id else {
        notes.push("a DP has no number".into());
        return None;
    };
    let mut fields = Fields::new(map, format!("DP {id}"), notes);
    fields.take("id");
    let kind = fields.text("type").unwrap_or_default();
    let kind = DpType::from_name(&kind).unwrap_or_else(|| {
        fields.note(&format!("type `{kind}`"));
        DpType::String
    });
    let name = fields.text("name").unwrap_or_else(|| {
        fields.note("no name");
        format!("dp_{id}")
    });
    let format = fields.list("format");
    let mask = fields.text("mask").map(|mask| hex(&mask));
    let endianness = fields.text("endianness");
    let is_little_endian = match endianness.as_deref() {
        None | Some("big") => false,
        Some("little") => true,
        Some(_) => {
            fields.note("endianness is neither big nor little");
            false
        }
    };
    if mask == Some(None) {
        fields.note("mask is no hexadecimal number");
    }
    let precision = fields.integer("precision").map(|precision| u8::try_from(precision).unwrap_or(u8::MAX));
    let mut mapping: Vec<Rule> =
        fields.list("mapping").into_iter().filter_map(|node| rule(node, &mut fields, Level::Rule)).collect();
    // Some files have the step beside the range.
    if let Some(step) = fields.number("step").filter(|_| mapping.is_empty()) {
        mapping.push(Rule { step: Some(step), ..Rule::default() });
    }
    // Some files have them here, where they mean nothing.
    _ = (fields.take("icon"), fields.take("icon_priority"));
    let dp = ProfileDp {
        id,
        kind,
        name,
        is_optional: fields.flag("optional", false),
        is_persistent: fields.flag("persist", true),
        needs_update: fields.flag("force", false),
        is_readonly: fields.flag("readonly", false),
        is_sensitive: fields.flag("sensitive", false),
        is_hidden: fields.flag("hidden", false),
        unit: fields.text("unit"),
        class: fields.text("class"),
        precision,
        range: fields.range("range"),
        format: format.into_iter().filter_map(|node| field(node, &mut fields)).collect(),
        mask: mask.flatten(),
        is_mask_signed: fields.flag("mask_signed", false),
        is_little_endian,
        mapping,
    };
    fields.end();
    Some(dp)
}

fn field(node: Node, dp: &mut Fields<'_>) -> Option<Field> {
    let Node::Map(map) = node else {
        dp.note("a part of the format is no map");
        return None;
    };
    let mut fields = Fields::new(map, format!("{}: format", dp.place), dp.notes);
    let name = fields.text("name").unwrap_or_default();
    let bytes = fields.integer("bytes").unwrap_or(1);
    let range = fields.range("range");
    let bytes = u8::try_from(bytes).ok().filter(|bytes| (1..=8).contains(bytes)).unwrap_or_else(|| {
        fields.note("bytes are not 1 to 8");
        1
    });
    fields.end();
    let max = if bytes < 8 { (1_i64 << (8 * u32::from(bytes))) - 1 } else { i64::MAX };
    let range = range.unwrap_or(Range { min: Number::from(0), max: Number::from(max) });
    Some(Field { name, bytes, range })
}

/// Place of a rule: in a mapping, in its conditions, in the mapping of a condition.
#[derive(Clone, Copy, PartialEq)]
enum Level {
    Rule,
    Condition,
    Nested,
}

fn rule(node: Node, parent: &mut Fields<'_>, level: Level) -> Option<Rule> {
    let Node::Map(map) = node else {
        parent.note("a rule is no map");
        return None;
    };
    let mut fields = Fields::new(map, format!("{}: rule", parent.place), parent.notes);
    let (dps_val, is_list) = match fields.take("dps_val") {
        None => (None, false),
        Some(Node::List(list)) => (Some(list.iter().filter_map(Node::scalar).collect()), true),
        Some(node) => {
            let scalar = node.scalar();
            if scalar.is_none() {
                fields.note("dps_val is a map");
            }
            (scalar.map(|scalar| vec![scalar]), false)
        }
    };
    let mut rule = Rule {
        dps_val,
        is_list,
        value: fields.scalar("value"),
        scale: fields.number("scale").filter(|scale| *scale != Number::from(0)),
        step: fields.number("step"),
        invert: fields.scalar("invert").map(|scalar| scalar == Scalar::Bool(true)),
        range: fields.range("range"),
        target_range: fields.range("target_range"),
        icon: fields.text("icon"),
        icon_priority: fields.integer("icon_priority"),
        value_redirect: fields.text("value_redirect"),
        value_mirror: fields.text("value_mirror"),
        invalid: fields.flag("invalid", false),
        hidden: fields.flag("hidden", false),
        available: fields.text("available"),
        default: fields.flag("default", false),
        constraint: None,
        conditions: Vec::new(),
        mapping: Vec::new(),
    };
    match level {
        Level::Rule => {
            rule.constraint = fields.text("constraint");
            let conditions = fields.list("conditions");
            rule.conditions =
                conditions.into_iter().filter_map(|node| self::rule(node, &mut fields, Level::Condition)).collect();
        }
        Level::Condition => {
            let mapping = fields.list("mapping");
            rule.mapping =
                mapping.into_iter().filter_map(|node| self::rule(node, &mut fields, Level::Nested)).collect();
        }
        Level::Nested => {}
    }
    fields.end();
    Some(rule)
}

/// Reads hexadecimal digits; an odd number of them has a zero in front.
pub(super) fn hex(text: &str) -> Option<Vec<u8>> {
    let text = text.strip_prefix("0x").unwrap_or(text);
    let digits: Vec<u8> = text
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let (first, rest) = digits.split_at(digits.len() % 2);
    let pairs = rest.chunks_exact(2).map(|pair| match pair {
        [high, low] => (high << 4) | low,
        _ => 0,
    });
    (!digits.is_empty()).then(|| first.iter().copied().chain(pairs).collect())
}

/// Keys of one map that are still to be read, and the notes about those that cannot be.
struct Fields<'n> {
    map: Vec<(String, Node)>,
    place: String,
    notes: &'n mut Vec<String>,
}

/// Most DPs of one entity. Rules are looked up by name, one after the other.
const MAX_DPS: usize = 256;
/// Most notes of one entity: a hostile file has a note per line.
const MAX_NOTES: usize = 64;

impl<'n> Fields<'n> {
    const fn new(map: Vec<(String, Node)>, place: String, notes: &'n mut Vec<String>) -> Self {
        Self { map, place, notes }
    }

    fn note(&mut self, what: &str) {
        if self.notes.len() < MAX_NOTES {
            // A key may be as long as the file.
            let what: String = what.chars().take(120).collect();
            self.notes.push(if self.place.is_empty() { what } else { format!("{}: {what}", self.place) });
        }
    }

    fn take(&mut self, key: &str) -> Option<Node> {
        let i = self.map.iter().position(|(found, _)| found == key)?;
        Some(self.map.swap_remove(i).1)
    }

    fn scalar(&mut self, key: &str) -> Option<Scalar> {
        let node = self.take(key)?;
        let scalar = node.scalar();
        if scalar.is_none() {
            self.note(&format!("`{key}` is no single value"));
        }
        scalar
    }

    /// Returns a text, also of a number or boolean as it was written.
    fn text(&mut self, key: &str) -> Option<String> {
        match self.take(key)? {
            Node::Scalar(text, is_quoted) => {
                let is_null = !is_quoted && Node::Scalar(text.clone(), false).scalar() == Some(Scalar::Null);
                (!is_null).then_some(text)
            }
            Node::List(_) | Node::Map(_) => {
                self.note(&format!("`{key}` is no text"));
                None
            }
        }
    }

    fn number(&mut self, key: &str) -> Option<Number> {
        match self.scalar(key)? {
            Scalar::Number(number) => Some(number),
            Scalar::Text(text) if text.parse::<Number>().is_ok() => text.parse().ok(),
            Scalar::Null => None,
            Scalar::Bool(_) | Scalar::Text(_) => {
                self.note(&format!("`{key}` is no number"));
                None
            }
        }
    }

    fn integer(&mut self, key: &str) -> Option<i64> {
        self.number(key)?.rounded(0)
    }

    fn flag(&mut self, key: &str, default: bool) -> bool {
        match self.scalar(key) {
            None | Some(Scalar::Null) => default,
            Some(Scalar::Bool(flag)) => flag,
            Some(Scalar::Text(text)) if &*text == "true" => true,
            Some(Scalar::Text(text)) if &*text == "false" => false,
            Some(_) => {
                self.note(&format!("`{key}` is neither true nor false"));
                default
            }
        }
    }

    fn list(&mut self, key: &str) -> Vec<Node> {
        match self.take(key) {
            Some(Node::List(list)) => list,
            Some(Node::Scalar(text, false)) if text.is_empty() => Vec::new(),
            None => Vec::new(),
            Some(Node::Scalar(..) | Node::Map(_)) => {
                self.note(&format!("`{key}` is no list"));
                Vec::new()
            }
        }
    }

    fn range(&mut self, key: &str) -> Option<Range> {
        let map = match self.take(key)? {
            Node::Map(map) => map,
            Node::Scalar(..) | Node::List(_) => {
                self.note(&format!("`{key}` is no map"));
                return None;
            }
        };
        let mut fields = Fields::new(map, format!("{}: {key}", self.place), self.notes);
        let (min, max) = (fields.number("min"), fields.number("max"));
        fields.end();
        if max.is_none() {
            self.note(&format!("`{key}` has no max"));
        }
        Some(Range { min: min.unwrap_or_default(), max: max? })
    }

    /// Notes the keys that nobody read.
    fn end(mut self) {
        for (key, _) in core::mem::take(&mut self.map) {
            self.note(&format!("key `{key}`"));
        }
    }
}
