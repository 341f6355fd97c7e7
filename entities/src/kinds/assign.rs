//! Several names and texts for the entities of one device, as command lines and MQTT have them.

use std::collections::BTreeMap;

use super::IntentError;
use crate::entity::{Category, Entity, EntityKind};
use crate::value::{DpSource, Writes};

/// Returns the names that [`assign`] takes: a verb such as `brightness` where it stands for one entity alone, an id such as
/// `switch_2`, and else both with a point, such as `switch_led_2.brightness`.
pub fn assignable(entities: &[Entity]) -> Vec<String> {
    let owners = owners(entities);
    let mut names: Vec<String> = Vec::new();
    for (entity, verbs) in entities.iter().map(|entity| (entity, entity.verbs())) {
        let is_hidden = owners.contains_key(entity.id.as_str());
        for (at, verb) in verbs.iter().copied().enumerate() {
            let is_owner = owners.get(verb).is_some_and(|owner| owner.id == entity.id);
            names.push(if is_owner && verbs.len() > 1 {
                verb.to_owned()
            } else if at == 0 && !is_hidden {
                entity.id.clone()
            } else {
                format!("{}.{verb}", entity.id)
            });
        }
    }
    names
}

/// Returns whether the entity is one that verbs without an id may be for: what the device is for, with more than one thing
/// to set, or a switch. Settings, and DPs without a known meaning, are set by their id alone.
fn is_main(entity: &Entity, verbs: &[&str]) -> bool {
    let has_verbs = verbs.len() > 1 || (entity.kind == EntityKind::Switch && !verbs.is_empty());
    entity.is_enabled && entity.category == Category::Primary && has_verbs
}

/// Returns the entity that each verb without an id is for: the first with several verbs, else the first switch.
fn owners(entities: &[Entity]) -> BTreeMap<&'static str, &Entity> {
    let mut owners: BTreeMap<&'static str, &Entity> = BTreeMap::new();
    let mains: Vec<(&Entity, Vec<&'static str>)> = entities
        .iter()
        .map(|entity| (entity, entity.verbs()))
        .filter(|(entity, verbs)| is_main(entity, verbs))
        .collect();
    for is_several in [true, false] {
        for (entity, verbs) in mains.iter().filter(|(_, verbs)| (verbs.len() > 1) == is_several) {
            for verb in verbs {
                owners.entry(verb).or_insert(entity);
            }
        }
    }
    owners
}

/// Turns names and texts, such as `brightness` and `50%`, into the DPs of one command. A name is a verb of
/// the first entity that has several and this one among them, the id or code of an entity, or both with a point between. What belongs to one entity becomes one
/// intent.
///
/// # Errors
/// Says which names the device has, and what each takes.
///
/// ```
/// # use std::collections::BTreeMap;
/// # use rustuya_entities::{Schema, assign};
/// # use serde_json::json;
/// let entry = json!({ "category": "dj", "mapping": {
///     "20": { "code": "switch_led", "type": "Boolean", "values": {} },
///     "22": { "code": "bright_value_v2", "type": "Integer", "values": { "min": 0, "max": 1000 } } } });
/// let entities = Schema::builder().device(&entry).build().entities();
/// let present = BTreeMap::from([(20, json!(false)), (22, json!(10))]);
/// let writes = assign(&entities, [("brightness", "50%")], &present)?;
/// assert_eq!(writes.dps, BTreeMap::from([(20, json!(true)), (22, json!(500))]));
/// let error = assign(&entities, [("volume", "3")], &present).unwrap_err();
/// assert_eq!(error.to_string(), "the device has no volume; it has power, brightness");
/// # Ok::<(), rustuya_entities::IntentError>(())
/// ```
pub fn assign<'a>(
    entities: &[Entity],
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    dps: &dyn DpSource,
) -> Result<Writes, IntentError> {
    let mut parts: Vec<(&Entity, Vec<(&str, &'a str)>)> = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for (name, text) in pairs {
        let (entity, verb) = find(entities, name)?;
        match parts.iter_mut().find(|(found, _)| found.id == entity.id) {
            Some((_, pairs)) => pairs.push((verb, text)),
            None => parts.push((entity, vec![(verb, text)])),
        }
        let plain = format!("{}.{verb}", entity.id);
        if names.contains(&plain) {
            return Err(IntentError::conflict(name, &format!("another {name}")));
        }
        names.push(plain);
    }
    let mut writes = Writes::new();
    for (entity, pairs) in parts {
        let own = entity.apply(&entity.intents(pairs)?, dps)?;
        writes.sensitive.extend(own.sensitive);
        for (dp, value) in own.dps {
            if writes.dps.get(&dp).is_some_and(|other| *other != value) {
                return Err(IntentError::conflict(&entity.id, &format!("another value of DP {dp}")));
            }
            writes.set(dp, value);
        }
    }
    Ok(writes)
}

/// Returns the entity and the verb that a name is for.
fn find<'e, 'n>(entities: &'e [Entity], name: &'n str) -> Result<(&'e Entity, &'n str), IntentError> {
    let by_id = |id: &str| {
        let is_id = |entity: &&Entity| entity.id == id;
        entities.iter().find(is_id).or_else(|| entities.iter().find(|entity| entity.code == id && !id.is_empty()))
    };
    // A verb of what the device is for wins over a DP that has it as its code: `power` of a lamp is the lamp's.
    let lower = name.to_ascii_lowercase().replace('-', "_");
    if let Some(entity) = owners(entities).get(lower.as_str()) {
        return Ok((entity, name));
    }
    if let Some(entity) = by_id(name) {
        return Ok((entity, ""));
    }
    if let Some((id, verb)) = name.split_once('.')
        && let Some(entity) = by_id(id)
    {
        return Ok((entity, verb));
    }
    // An entity may know other spellings of its verbs.
    let knows = |entity: &&Entity| {
        is_main(entity, &entity.verbs())
            && !matches!(entity.intent(name, ""), Err(IntentError::Unsupported { .. } | IntentError::ReadOnly { .. }))
    };
    if let Some(entity) = entities.iter().find(knows) {
        return Ok((entity, name));
    }
    let what = name.chars().take(40).collect();
    Err(IntentError::Unsupported { entity: "the device".into(), what, supported: assignable(entities) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::Schema;

    fn entities(category: &str, mapping: &serde_json::Value) -> Vec<Entity> {
        Schema::builder().category(category).mapping(mapping).build().entities()
    }

    fn assigned(entities: &[Entity], name: &str, text: &str) -> Result<BTreeMap<u16, serde_json::Value>, String> {
        let present = BTreeMap::from([(1, json!(true))]);
        assign(entities, [(name, text)], &present).map(|writes| writes.dps).map_err(|error| error.to_string())
    }

    fn boolean(code: &str) -> serde_json::Value {
        json!({ "code": code, "type": "Boolean", "values": {} })
    }

    #[test]
    fn a_verb_without_an_id_is_for_what_the_device_is_for() {
        let plug = entities("cz", &json!({ "1": boolean("switch_1"), "41": boolean("child_lock") }));
        assert_eq!(assigned(&plug, "power", "off"), Ok(BTreeMap::from([(1, json!(false))])));
        assert_eq!(assigned(&plug, "child_lock", "on"), Ok(BTreeMap::from([(41, json!(true))])));
        let number = json!({ "code": "countdown_1", "type": "Integer", "values": { "min": 0, "max": 86400 } });
        let timer = entities("cz", &json!({ "1": boolean("switch_1"), "9": number }));
        assert!(assigned(&timer, "value", "3").is_err(), "of the countdown nobody has spoken");
        for category in ["mal", "ms", "sd"] {
            let odd = entities(
                category,
                &json!({ "4": boolean("switch_alarm_sound"), "5": boolean("reverse_lock"),
                "25": boolean("switch_disturb") }),
            );
            for name in ["power", "state", "on"] {
                assert!(assigned(&odd, name, "off").is_err(), "{category} {name}");
            }
        }
    }

    #[test]
    fn a_dp_with_a_verb_for_its_code_hides_no_verb() {
        let lamp = entities(
            "dj",
            &json!({ "20": boolean("switch_led"), "26": boolean("power"), "22":
            { "code": "bright_value_v2", "type": "Integer", "values": { "min": 0, "max": 1000 } } }),
        );
        assert_eq!(assigned(&lamp, "power", "off"), Ok(BTreeMap::from([(20, json!(false))])));
        assert_eq!(assigned(&lamp, "power.power", "off"), Ok(BTreeMap::from([(26, json!(false))])));
        let names = assignable(&lamp);
        assert!(names.contains(&"power".to_owned()) && names.contains(&"power.power".to_owned()), "{names:?}");
    }

    #[test]
    fn observed_dps_are_set_by_their_id_alone() {
        let observed = [(1, crate::value::Data::Bool(true)), (21, crate::value::Data::Text("white".into()))];
        let unknown = Schema::builder().observed(observed).build().entities();
        for name in ["power", "on", "value", "state", "option"] {
            assert!(assigned(&unknown, name, "on").is_err(), "{name}");
        }
    }

    #[test]
    fn every_name_that_is_listed_is_found() {
        for (category, codes) in [("tgkg", ["switch_led_1", "switch_led_2"]), ("cz", ["switch_1", "switch_2"])] {
            let two = entities(category, &json!({ "1": boolean(codes[0]), "7": boolean(codes[1]) }));
            let names = assignable(&two);
            assert_eq!(names.len(), 2, "{names:?}");
            for name in names {
                assert!(assigned(&two, &name, "on").is_ok(), "{name}");
            }
        }
    }

    #[test]
    fn thousands_of_dps_cost_no_more_than_their_number() {
        let mapping: serde_json::Map<_, _> =
            (1..20_000).map(|dp: u32| (dp.to_string(), boolean(&format!("switch_{dp}")))).collect();
        let many = entities("cz", &mapping.into());
        let error = assigned(&many, "nosuch", "5").unwrap_err();
        assert!(error.len() < 2000, "{} bytes", error.len());
    }
}
