//! Known facts about each DP of a device, in words.

use std::collections::BTreeMap;

use super::{Access, DpKind, DpSpec, Fact, Origin, Schema};

/// Known facts about one DP, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// Number of the DP.
    pub dp: u16,
    /// The vendor's code; `dp_N` where none is known.
    pub code: String,
    /// Type: `boolean`, `integer`, `enum`, `bitmap`, `string`, `raw`, `json`, or what the source says.
    pub kind: String,
    /// Range: `0 to 35, step 0.5`; words or labels with commas between; empty if it has none.
    pub range: String,
    /// Unit; empty if it has none.
    pub unit: String,
    /// Direction.
    pub access: Access,
    /// Source of the type.
    pub origin: Origin,
    /// Facts from other sources.
    pub others: Vec<(Fact, Origin)>,
    /// Ids of the entities that the DP is part of.
    pub entities: Vec<String>,
}

impl Schema {
    /// Explains each DP: what it is, where that is from, and which entities it is part of.
    ///
    /// ```
    /// use rustuya_entities::{Access, Origin, Schema};
    /// use serde_json::json;
    ///
    /// let mapping = json!({"2": {"code": "temp_set", "type": "value",
    ///     "values": {"unit": "c", "min": 50, "max": 350, "scale": 1, "step": 5}}});
    /// let schema = Schema::builder().category("wk").mapping(&mapping).build();
    /// let explained = schema.explain().remove(0);
    /// assert_eq!((explained.kind.as_str(), explained.unit.as_str()), ("integer", "°C"));
    /// assert_eq!(explained.range, "5.0 to 35.0, step 0.5");
    /// assert_eq!((explained.access, explained.origin), (Access::ReadWrite, Origin::Mapping));
    /// ```
    pub fn explain(&self) -> Vec<Explanation> {
        let mut by_dp: BTreeMap<u16, Vec<String>> = BTreeMap::new();
        for entity in self.entities() {
            for (_, channel) in &entity.channels {
                let ids = by_dp.entry(channel.dp).or_default();
                if ids.last() != Some(&entity.id) {
                    ids.push(entity.id.clone());
                }
            }
        }
        self.dps.values().map(|spec| spec.explained(by_dp.remove(&spec.dp).unwrap_or_default())).collect()
    }
}

impl DpSpec {
    fn explained(&self, entities: Vec<String>) -> Explanation {
        let (range, unit) = match &self.kind {
            DpKind::Integer(spec) => {
                let limits = match (spec.min_number(), spec.max_number()) {
                    (Some(min), Some(max)) => format!("{min} to {max}"),
                    (Some(min), None) => format!("at least {min}"),
                    (None, Some(max)) => format!("at most {max}"),
                    (None, None) => String::new(),
                };
                let comma = if limits.is_empty() { "" } else { ", " };
                let step = format!("{comma}step {}", spec.number(spec.step.max(1)));
                let has_step = spec.step > 1 || spec.scale > 0;
                (if has_step { limits + &step } else { limits }, spec.unit.clone())
            }
            DpKind::Enum { range: words } | DpKind::Bitmap { labels: words } => (words.join(", "), String::new()),
            DpKind::String { max_len: Some(len) } => (format!("at most {len} characters"), String::new()),
            DpKind::Raw { max_len: Some(len) } => (format!("at most {len} bytes"), String::new()),
            _ => (String::new(), String::new()),
        };
        Explanation {
            dp: self.dp,
            code: self.code.clone(),
            kind: self.kind.name().to_owned(),
            range,
            unit,
            access: self.access,
            origin: self.origin_of(Fact::Type).unwrap_or(self.origin),
            others: self.others.clone(),
            entities,
        }
    }
}

impl DpKind {
    /// Returns the name of the type in lower case; that of the source if the type is unknown.
    pub fn name(&self) -> &str {
        match self {
            Self::Boolean => "boolean",
            Self::Integer(_) => "integer",
            Self::Enum { .. } => "enum",
            Self::Bitmap { .. } => "bitmap",
            Self::String { .. } => "string",
            Self::Raw { .. } => "raw",
            Self::Json { .. } => "json",
            Self::Opaque(name) => name,
        }
    }
}
