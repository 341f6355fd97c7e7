//! Merging what several sources say about the DPs of one device.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::read::{self, Found};
use super::{Access, DpKind, DpSpec, Fact, NumberSpec, Origin, Overrides, Schema};
use crate::tables;
use crate::value::{Data, Number};

/// Sources of a [`Schema`], given in any order. The best source of each DP wins, and others fill in what it lacks:
/// the user's file, the `mapping` of `devices.json`, the cloud's specification and thing model, a profile, the customary
/// DP numbers of the category, and the types of the values that the device sent.
///
/// ```
/// use rustuya_entities::{Access, DpKind, Origin, Schema};
/// use serde_json::json;
///
/// let entry = json!({
///     "name": "Plug", "category": "cz", "product_id": "keyabcdefghijkl5",
///     "mapping": {
///         "1": {"code": "switch_1", "type": "Boolean", "values": {}},
///         "19": {"code": "cur_power", "type": "Integer",
///                "values": {"unit": "W", "min": 0, "max": 80000, "scale": 1, "step": 1}}
///     }
/// });
/// let schema = Schema::builder().device(&entry).build();
/// let power = schema.by_code("cur_power").unwrap();
/// assert_eq!(power.origin, Origin::Mapping);
/// assert_eq!(power.access, Access::ReadOnly);
/// let DpKind::Integer(spec) = &power.kind else { panic!() };
/// assert_eq!(spec.number(605).to_string(), "60.5");
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "`build` makes the schema"]
pub struct SchemaBuilder<'a> {
    id: Option<Cow<'a, str>>,
    category: Option<Cow<'a, str>>,
    product_id: Option<Cow<'a, str>>,
    model: Option<Cow<'a, str>>,
    mapping: Option<&'a Json>,
    specification: Option<&'a Json>,
    thing_model: Option<&'a Json>,
    profile: Vec<DpSpec>,
    observed: BTreeMap<u16, Observed>,
    overrides: Option<&'a Overrides>,
}

/// Fact about a DP that a received value shows.
#[derive(Clone, Debug)]
pub(crate) enum Observed {
    Bool,
    Integer(i64),
    Fraction,
    Text(String),
    Json,
}

impl Observed {
    fn new(data: &Data<'_>) -> Self {
        match data {
            Data::Bool(_) => Self::Bool,
            Data::Number(number) => match number.exact(0) {
                Some(integer) if number.scale() == 0 => Self::Integer(integer),
                _ => Self::Fraction,
            },
            Data::Text(text) => Self::Text(text.chars().take(64).collect()),
            Data::Json(_) => Self::Json,
        }
    }

    fn kind(&self) -> DpKind {
        match self {
            Self::Bool => DpKind::Boolean,
            Self::Integer(_) => DpKind::Integer(NumberSpec { step: 1, ..NumberSpec::default() }),
            Self::Fraction => DpKind::Opaque("float".to_owned()),
            Self::Text(_) => DpKind::String { max_len: None },
            Self::Json => DpKind::Json { members: Json::Null },
        }
    }
}

impl Schema {
    /// Begins a schema.
    pub fn builder<'a>() -> SchemaBuilder<'a> {
        SchemaBuilder::default()
    }
}

impl<'a> SchemaBuilder<'a> {
    /// Takes id, category, product id, model and mapping from an entry of `devices.json`.
    pub fn device(mut self, entry: &'a Json) -> Self {
        let text = |key| entry.get(key).and_then(Json::as_str).filter(|text| !text.is_empty()).map(Cow::Borrowed);
        self.id = text("id").or(self.id);
        self.category = text("category").or(self.category);
        self.product_id = text("product_id").or(self.product_id);
        self.model = text("model").or(self.model);
        self.mapping = entry.get("mapping").filter(|mapping| !mapping.is_null()).or(self.mapping);
        self
    }

    /// Sets the id of the device, by which the user's file may name it.
    pub fn id(mut self, id: impl Into<Cow<'a, str>>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Sets the category of the product, such as `dj`.
    pub fn category(mut self, category: impl Into<Cow<'a, str>>) -> Self {
        self.category = Some(category.into());
        self
    }

    /// Sets the id of the product.
    pub fn product_id(mut self, product_id: impl Into<Cow<'a, str>>) -> Self {
        self.product_id = Some(product_id.into());
        self
    }

    /// Sets the model of the product.
    pub fn model(mut self, model: impl Into<Cow<'a, str>>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// Adds the `mapping` of the device's entry in `devices.json`.
    pub const fn mapping(mut self, mapping: &'a Json) -> Self {
        self.mapping = Some(mapping);
        self
    }

    /// Adds the cloud's answer to `/v1.1/devices/{id}/specifications`, or its `result`.
    pub const fn specification(mut self, answer: &'a Json) -> Self {
        self.specification = Some(answer);
        self
    }

    /// Adds the cloud's answer to `/v2.0/cloud/thing/{id}/model`, its `result`, or the model in it.
    pub const fn thing_model(mut self, answer: &'a Json) -> Self {
        self.thing_model = Some(answer);
        self
    }

    /// Adds the DPs of a profile.
    pub fn profile(mut self, dps: impl IntoIterator<Item = DpSpec>) -> Self {
        self.profile.extend(dps);
        self
    }

    /// Adds values that the device sent. A DP that no other source has is taken from here.
    pub fn observed<'d>(mut self, dps: impl IntoIterator<Item = (u16, Data<'d>)>) -> Self {
        self.observed.extend(dps.into_iter().map(|(dp, data)| (dp, Observed::new(&data))));
        self
    }

    /// Adds the user's file.
    pub const fn overrides(mut self, overrides: &'a Overrides) -> Self {
        self.overrides = Some(overrides);
        self
    }

    /// Makes the schema.
    pub fn build(self) -> Schema {
        let in_file: Vec<_> =
            self.overrides.map(|file| file.of(self.id.as_deref(), self.product_id.as_deref())).unwrap_or_default();
        let category = in_file.iter().find_map(|device| device.category.as_deref()).map(Cow::Borrowed);
        let specified = self.specification.and_then(|answer| {
            answer.get("result").unwrap_or(answer).get("category").and_then(Json::as_str).map(Cow::Borrowed)
        });
        let category = category.or(self.category).or(specified).unwrap_or_default();
        let mut schema = Schema {
            category: category.trim().chars().take(64).collect(),
            product_id: self.product_id.map(Cow::into_owned),
            model: self.model.map(Cow::into_owned),
            ..Schema::default()
        };
        let mut unnumbered = Vec::new();
        for (found, origin) in [
            (self.mapping.map(read::mapping), Origin::Mapping),
            (self.specification.map(read::specification), Origin::Cloud),
            (self.thing_model.map(read::thing_model), Origin::Cloud),
        ] {
            for found in found.into_iter().flatten() {
                match found.dp {
                    Some(dp) => schema.add(dp, found, origin),
                    None => unnumbered.push((found, origin)),
                }
            }
        }
        let mut by_code = BTreeMap::new();
        if !unnumbered.is_empty() {
            for (dp, spec) in &schema.dps {
                by_code.entry(spec.code.clone()).or_insert(*dp);
            }
        }
        for (found, origin) in unnumbered {
            let dp = found.code.as_ref().and_then(|code| by_code.get(code));
            if let Some(dp) = dp.copied() {
                schema.add(dp, found, origin);
            }
        }
        for spec in self.profile {
            schema.add_spec(spec);
        }
        if schema.dps.is_empty() {
            for (dp, observed) in &self.observed {
                if let Some(spec) = tables::customary::spec(&schema.category, *dp, observed) {
                    schema.dps.insert(*dp, spec);
                }
            }
        }
        for (dp, observed) in &self.observed {
            let unknown = || DpSpec::new(*dp, format!("dp_{dp}"), observed.kind(), Origin::Observed);
            schema.dps.entry(*dp).or_insert_with(unknown);
        }
        for device in in_file.iter().rev() {
            device.apply(&mut schema);
        }
        let Schema { category, dps, .. } = &mut schema;
        for spec in dps.values_mut() {
            if spec.origin_of(Fact::Access).is_none() && tables::is_read_only(category, spec) {
                spec.access = Access::ReadOnly;
                spec.others.push((Fact::Access, Origin::Standard));
            }
        }
        schema
    }
}

impl Schema {
    fn add(&mut self, dp: u16, found: Found, origin: Origin) {
        let has_code = found.code.is_some();
        let code = found.code.unwrap_or_else(|| format!("dp_{dp}"));
        let kind = found.kind.unwrap_or_else(|| DpKind::Opaque(String::new()));
        let mut spec = DpSpec::new(dp, code, kind, origin);
        if let Some(access) = found.access {
            spec.access = access;
            if spec.origin_of(Fact::Access).is_none() {
                spec.others.push((Fact::Access, origin));
            }
        }
        self.merge(spec, has_code, found.access.is_some());
    }

    fn add_spec(&mut self, spec: DpSpec) {
        let has_code = spec.code != format!("dp_{}", spec.dp);
        self.merge(spec, has_code, true);
    }

    /// Adds a DP, or fills in what a better source lacks.
    fn merge(&mut self, worse: DpSpec, has_code: bool, has_access: bool) {
        let Some(best) = self.dps.get_mut(&worse.dp) else {
            self.dps.insert(worse.dp, worse);
            return;
        };
        let origin = worse.origin;
        if has_code && best.code == format!("dp_{}", best.dp) {
            best.code = worse.code;
            best.others.push((Fact::Code, origin));
        }
        if has_access && best.origin_of(Fact::Access).is_none() {
            best.access = worse.access;
            best.others.push((Fact::Access, origin));
        }
        if best.name.is_none() {
            best.name = worse.name;
        }
        match (&mut best.kind, worse.kind) {
            (DpKind::Opaque(_), known) if !matches!(known, DpKind::Opaque(_)) => {
                best.kind = known;
                best.others.push((Fact::Type, origin));
                best.others.push((Fact::Range, origin));
                best.others.push((Fact::Unit, origin));
            }
            (DpKind::Integer(best_spec), DpKind::Integer(worse_spec)) => {
                if best_spec.unit.is_empty() && !worse_spec.unit.is_empty() {
                    best_spec.unit.clone_from(&worse_spec.unit);
                    best.others.push((Fact::Unit, origin));
                }
                let has_range = best_spec.min.is_some() || best_spec.max.is_some();
                if !has_range && (worse_spec.min.is_some() || worse_spec.max.is_some()) {
                    let unit = core::mem::take(&mut best_spec.unit);
                    *best_spec = NumberSpec { unit, ..worse_spec };
                    best.others.push((Fact::Range, origin));
                }
            }
            (DpKind::Enum { range: best_words }, DpKind::Enum { range: words })
            | (DpKind::Bitmap { labels: best_words }, DpKind::Bitmap { labels: words })
                if best_words.is_empty() && !words.is_empty() =>
            {
                *best_words = words;
                best.others.push((Fact::Range, origin));
            }
            _ => {}
        }
    }
}

impl NumberSpec {
    /// Returns the number that the least integer stands for.
    pub fn min_number(&self) -> Option<Number> {
        self.min.map(|min| self.number(min))
    }

    /// Returns the number that the greatest integer stands for.
    pub fn max_number(&self) -> Option<Number> {
        self.max.map(|max| self.number(max))
    }
}
