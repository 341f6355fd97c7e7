//! Meaning of a product's DPs.

use serde_json::{Map, Value, json};

use crate::json;

/// Direction of a DP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// Reported and set.
    ReadWrite,
    /// Reported only.
    ReadOnly,
    /// Set only.
    WriteOnly,
}

/// Meaning of one DP.
///
/// Types are spelled as the cloud's specification does: `Boolean`, `Integer`, `Enum`, `String`, `Json`, `Raw`, `Bitmap`;
/// others are kept as they come.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DpSpec {
    /// The code, such as `switch_led`.
    pub code: String,
    /// The type.
    pub kind: String,
    /// Range, unit and so on, read; text where that cannot be read, and for `String`.
    pub values: Value,
    /// The text of `values`, for `Json`, in which the order of the members counts.
    pub raw_values: Option<String>,
    /// Its direction, where that is known.
    pub access: Option<Access>,
}

/// Meaning of a product's DPs, by DP number, or by code where the cloud gives no number. Empty where the product has
/// no DPs.
///
/// ```
/// use rustuya_cloud::Mapping;
/// let answer = serde_json::json!({
///     "status": [{ "code": "temp_current", "dp_id": 3, "type": "Integer", "values": "{\"unit\":\"℃\",\"scale\":1}" }],
///     "functions": []
/// });
/// let mapping = Mapping::from_specification(&answer);
/// assert_eq!(mapping.get("3").map(|dp| dp.values["unit"].clone()), Some("°C".into()));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mapping(Vec<(String, DpSpec)>);

impl Mapping {
    /// Reads the cloud's specification of a product: what is reported, then what can only be set.
    pub fn from_specification(result: &Value) -> Self {
        let part = |name| json::list(result, &[name]).filter(|_| result.is_object()).unwrap_or_default();
        let (status, functions) = (part("status"), part("functions"));
        let has =
            |list: &[Value], code: &str| list.iter().any(|item| json::text(item, &["code"]).as_deref() == Some(code));
        let mut mapping = Self::default();
        for (list, is_status) in [(status, true), (functions, false)] {
            for item in list {
                let Some(code) = json::filled(item, &["code"]) else { continue };
                let access = match (is_status, has(functions, &code)) {
                    (true, true) => Access::ReadWrite,
                    (true, false) => Access::ReadOnly,
                    (false, _) if has(status, &code) => Access::ReadWrite,
                    (false, _) => Access::WriteOnly,
                };
                let kind = json::text(item, &["type"]).unwrap_or_default();
                let values = item.get("values").cloned().unwrap_or_default();
                let id = json::filled(item, &["dp_id", "dpId"]).unwrap_or_else(|| code.clone());
                mapping.add(id, DpSpec::new(code, kind, values, Some(access)));
            }
        }
        mapping
    }

    /// Reads a thing model: the text `model` in the cloud's answer, or the model itself.
    pub fn from_thing_model(result: &Value) -> Self {
        let read = match result.get("model") {
            Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
            Some(model) => model.clone(),
            None => result.clone(),
        };
        let mut mapping = Self::default();
        let services = json::list(&read, &["services"]).unwrap_or_default();
        for property in services.iter().flat_map(|service| json::list(service, &["properties"]).unwrap_or_default()) {
            let (Some(id), Some(code)) = (json::filled(property, &["abilityId"]), json::filled(property, &["code"]))
            else {
                continue;
            };
            let access = match json::text(property, &["accessMode"]).as_deref() {
                Some("ro") => Some(Access::ReadOnly),
                Some("wr") => Some(Access::WriteOnly),
                Some("rw") => Some(Access::ReadWrite),
                _ => None,
            };
            let mut values = property.get("typeSpec").cloned().unwrap_or_default();
            let kind = json::text(&values, &["type"]).unwrap_or_default();
            if let Value::Object(values) = &mut values {
                values.retain(|name, _| name != "type" && name != "typeDefaultValue");
            }
            mapping.add(id, DpSpec::new(code, usual(&kind), values, access));
        }
        mapping
    }

    /// Reads what the app's way tells of a product: its status, with the relation of DP numbers to codes. DPs that are not
    /// spoken of in the local network are left out.
    pub fn from_relations(result: &Value) -> Self {
        let mut mapping = Self::default();
        for relation in json::list(result, &["dpStatusRelationDTOS"]).unwrap_or_default() {
            let codes = json::filled(relation, &["statusCode", "dpCode"]);
            let (Some(id), Some(code)) = (json::filled(relation, &["dpId"]), codes) else { continue };
            if json::truth(relation, &["supportLocal"]) == Some(false) {
                continue;
            }
            let kind = json::text(relation, &["valueType"]).unwrap_or_default();
            let values = relation.get("valueDesc").cloned().unwrap_or_default();
            mapping.add(id, DpSpec::new(code, usual(&kind), values, None));
        }
        mapping
    }

    /// Reads `mapping` of a `devices.json` of any tool. Units that other tools have mangled are mended. `None` where it is
    /// unknown.
    pub fn from_json(value: &Value) -> Option<Self> {
        let mut mapping = Self::default();
        for (id, item) in value.as_object()? {
            let Some(code) = json::text(item, &["code"]) else { continue };
            let kind = json::text(item, &["type"]).unwrap_or_default();
            let mut values = item.get("values").cloned().unwrap_or_default();
            mend(&mut values);
            let raw_values = json::text(item, &["raw_values"]);
            mapping.add(id.clone(), DpSpec { code, kind, values, raw_values, access: None });
        }
        Some(mapping)
    }

    /// As `mapping` stands in a `devices.json`.
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        for (id, dp) in &self.0 {
            let mut entry = Map::new();
            entry.insert("code".to_owned(), json!(dp.code));
            entry.insert("type".to_owned(), json!(dp.kind));
            if let Some(raw) = &dp.raw_values {
                entry.insert("raw_values".to_owned(), json!(raw));
            }
            entry.insert("values".to_owned(), dp.values.clone());
            object.insert(id.clone(), Value::Object(entry));
        }
        Value::Object(object)
    }

    /// Takes over the DPs of another one that are missing here, and what it knows of the way that DPs go. Says how many
    /// DPs were new.
    pub fn complete(&mut self, other: Self) -> usize {
        let before = self.len();
        for (id, spec) in other.0 {
            // By its code, where the cloud gave no number.
            let by_code =
                self.0.iter_mut().find(|(known, dp)| *known == id || *known == dp.code && dp.code == spec.code);
            match by_code {
                Some((known, dp)) => {
                    *known = id;
                    dp.access = dp.access.or(spec.access);
                }
                None => self.0.push((id, spec)),
            }
        }
        self.len() - before
    }

    /// Returns the meaning of a DP.
    pub fn get(&self, id: &str) -> Option<&DpSpec> {
        self.0.iter().find(|(known, _)| known == id).map(|(_, dp)| dp)
    }

    /// All, in the order of the cloud.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &DpSpec)> {
        self.0.iter().map(|(id, dp)| (id.as_str(), dp))
    }

    /// Returns the number of DPs.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether the mapping is empty.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds one; the first of a number stays.
    fn add(&mut self, id: String, spec: DpSpec) {
        if self.get(&id).is_none() {
            self.0.push((id, spec));
        }
    }
}

impl DpSpec {
    fn new(code: String, kind: String, values: Value, access: Option<Access>) -> Self {
        let is_json = kind.eq_ignore_ascii_case("json");
        let raw_values = is_json.then(|| match &values {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        let mut values = match values {
            Value::String(text) if !kind.eq_ignore_ascii_case("string") => {
                serde_json::from_str(&text).unwrap_or(Value::String(text))
            }
            Value::Null => Value::String(String::new()),
            other => other,
        };
        if let Some(Value::String(unit)) = values.get_mut("unit") {
            *unit = clean(unit);
        }
        Self { code, kind, values, raw_values, access }
    }
}

/// The spelling of a type in specifications.
fn usual(kind: &str) -> String {
    let known = match kind.to_ascii_lowercase().as_str() {
        "bool" | "boolean" => "Boolean",
        "value" | "integer" => "Integer",
        "enum" => "Enum",
        "string" => "String",
        "json" => "Json",
        "raw" => "Raw",
        "bitmap" => "Bitmap",
        _ => kind,
    };
    known.to_owned()
}

/// A unit in characters that every font has.
fn clean(unit: &str) -> String {
    unit.replace('\u{2103}', "°C").replace('\u{2109}', "°F").replace('秒', "s")
}

/// Mends the unit that tinytuya has written: it puts a degree sign before every letter c and f.
fn mend(values: &mut Value) {
    let Some(Value::String(unit)) = values.get_mut("unit") else { return };
    let mut mended = clean(unit);
    for (mangled, letter) in [("°C", "c"), ("°F", "f")] {
        // Within a word it is no degree.
        let mut from = 0;
        while let Some(at) = mended[from..].find(mangled).map(|at| from + at) {
            let end = at + mangled.len();
            let is_letter = |c: char| c.is_alphabetic();
            if mended[..at].chars().next_back().is_some_and(is_letter)
                || mended[end..].chars().next().is_some_and(is_letter)
            {
                mended.replace_range(at..end, letter);
                from = at + letter.len();
            } else {
                from = end;
            }
        }
    }
    *unit = mended;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifications_are_merged_and_say_which_way_a_dp_goes() {
        let answer = json!({
            "status": [
                { "code": "switch", "dp_id": 1, "type": "Boolean", "values": "{}" },
                { "code": "power", "dp_id": "19", "type": "Integer", "values": "{\"unit\":\"W\",\"scale\":1}" },
                { "code": "text", "type": "String", "values": "{\"maxlen\":255}" },
                { "type": "Raw" },
            ],
            "functions": [
                { "code": "switch", "dp_id": 1, "type": "Boolean", "values": "{}" },
                { "code": "factory_reset", "dp_id": 107, "type": "Boolean", "values": "" },
                { "code": "odd", "dp_id": 108, "type": "Hologram", "values": "{oops" },
            ]
        });
        let mapping = Mapping::from_specification(&answer);
        let ids: Vec<_> = mapping.iter().map(|(id, dp)| (id, dp.access)).collect();
        let (rw, ro, wo) = (Some(Access::ReadWrite), Some(Access::ReadOnly), Some(Access::WriteOnly));
        assert_eq!(ids, [("1", rw), ("19", ro), ("text", ro), ("107", wo), ("108", wo)]);
        assert_eq!(
            mapping.to_json()["19"],
            json!({ "code": "power", "type": "Integer", "values": { "unit": "W", "scale": 1 } })
        );
        assert_eq!(mapping.to_json()["text"]["values"], "{\"maxlen\":255}");
        assert_eq!(mapping.to_json()["107"]["values"], "");
        assert_eq!(mapping.to_json()["108"], json!({ "code": "odd", "type": "Hologram", "values": "{oops" }));
        assert!(Mapping::from_specification(&json!([1, "x"])).is_empty());
        assert!(Mapping::from_specification(&Value::Null).is_empty());
    }

    #[test]
    fn json_keeps_its_text() {
        let text = "{\"h\":{\"min\":0,\"unit\":\"\"}}";
        let answer = json!({ "status": [{ "code": "colour", "dp_id": 24, "type": "Json", "values": text }] });
        let entry = Mapping::from_specification(&answer).to_json();
        assert_eq!(entry["24"]["raw_values"], text);
        assert_eq!(
            entry["24"].as_object().map(|entry| entry.keys().cloned().collect::<Vec<_>>()),
            Some(["code", "type", "raw_values", "values"].map(str::to_owned).to_vec())
        );
    }

    #[test]
    fn units_are_clean_and_mangled_ones_are_mended() {
        for (cloud, unit) in [("℃", "°C"), ("℉", "°F"), ("秒", "s"), ("pcs", "pcs"), ("μS/cm", "μS/cm"), ("cm", "cm")]
        {
            assert_eq!(clean(cloud), unit);
        }
        for (mangled, unit) in [
            ("p°Cs", "pcs"),
            ("°Cm", "cm"),
            ("μS/°Cm", "μS/cm"),
            ("°C", "°C"),
            ("°F", "°F"),
            ("kg°F", "kgf"),
            ("W/°C", "W/°C"),
            ("se°C", "sec"),
            ("°Ct°F", "ctf"),
        ] {
            let mut values = json!({ "unit": mangled });
            mend(&mut values);
            assert_eq!(values["unit"], unit, "{mangled}");
        }
        let read = Mapping::from_json(
            &json!({ "1": { "code": "count", "type": "Integer", "values": { "unit": "p°Cs" } }, "2": 5 }),
        );
        assert_eq!(
            read.and_then(|mapping| mapping.get("1").map(|dp| dp.values.clone())),
            Some(json!({ "unit": "pcs" }))
        );
        assert_eq!(Mapping::from_json(&Value::Null), None);
    }

    #[test]
    fn the_thing_model_adds_what_is_hidden() {
        let model = json!({ "services": [{ "properties": [
            { "abilityId": 1, "code": "switch", "accessMode": "rw", "typeSpec": { "type": "bool", "typeDefaultValue": false } },
            { "abilityId": 9, "code": "hidden", "accessMode": "ro", "typeSpec": { "type": "value", "min": 0, "max": 5, "unit": "℃" } },
            { "code": "no number" },
        ] }] });
        let answer = json!({ "model": model.to_string() });
        let other = Mapping::from_thing_model(&answer);
        assert_eq!(other, Mapping::from_thing_model(&model));
        let status = json!({ "status": [{ "code": "switch", "type": "Boolean", "values": "{}" }] });
        let mut mapping = Mapping::from_specification(&status);
        assert_eq!(mapping.complete(other), 1);
        let expected = json!({
            "1": { "code": "switch", "type": "Boolean", "values": {} },
            "9": { "code": "hidden", "type": "Integer", "values": { "min": 0, "max": 5, "unit": "°C" } },
        });
        assert_eq!(mapping.to_json(), expected, "what had no number has one now");
        assert!(Mapping::from_thing_model(&json!({ "model": "{oops" })).is_empty());
    }

    #[test]
    fn the_apps_relations_give_the_same() {
        let answer = json!({ "productKey": "p", "dpStatusRelationDTOS": [
            { "dpId": 20, "dpCode": "led", "statusCode": "switch_led", "supportLocal": true, "valueType": "bool", "valueDesc": "{}" },
            { "dpId": 21, "dpCode": "mode", "statusCode": "", "valueType": "Enum", "valueDesc": "{\"range\":[\"a\"]}" },
            { "dpId": 99, "dpCode": "cloud_only", "supportLocal": false, "valueType": "value", "valueDesc": "{}" },
        ] });
        let expected = json!({
            "20": { "code": "switch_led", "type": "Boolean", "values": {} },
            "21": { "code": "mode", "type": "Enum", "values": { "range": ["a"] } },
        });
        assert_eq!(Mapping::from_relations(&answer).to_json(), expected);
    }
}
