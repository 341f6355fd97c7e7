//! Several names and texts for the entities of one device, as command lines and MQTT have them.

use super::IntentError;
use crate::entity::Entity;
use crate::value::{DpSource, Writes};

/// Returns the names that [`assign`] takes, the shortest that is unambiguous of each: a verb such as `brightness` for the
/// first entity that has it, an id such as `switch_2`, and else both with a point, such as `light_2.brightness`.
pub fn assignable(entities: &[Entity]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for entity in entities {
        for (at, verb) in entity.verbs().into_iter().enumerate() {
            let is_single = entity.verbs().len() == 1;
            let name = if !is_single && owner(entities, verb).is_some_and(|first| first.id == entity.id) {
                verb.to_owned()
            } else if at == 0 {
                entity.id.clone()
            } else {
                format!("{}.{verb}", entity.id)
            };
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

/// Returns the entity that a verb without an id is for: the first with several verbs, else the first.
fn owner<'a>(entities: &'a [Entity], verb: &str) -> Option<&'a Entity> {
    let has = |entity: &&Entity| entity.verbs().contains(&verb);
    entities.iter().filter(|entity| entity.verbs().len() > 1).find(has).or_else(|| entities.iter().find(has))
}

/// Turns names and texts, such as `brightness` and `50%`, into the DPs of one command. A name is a verb of the first
/// entity that has it, the id or code of an entity, or both with a point between. What belongs to one entity becomes one
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
    if let Some(entity) = by_id(name) {
        return Ok((entity, ""));
    }
    if let Some((id, verb)) = name.split_once('.')
        && let Some(entity) = by_id(id)
    {
        return Ok((entity, verb));
    }
    let lower = name.to_ascii_lowercase().replace('-', "_");
    if let Some(entity) = owner(entities, &lower) {
        return Ok((entity, name));
    }
    // An entity may know other spellings of its verbs.
    let knows = |entity: &&Entity| {
        !matches!(entity.intent(name, ""), Err(IntentError::Unsupported { .. } | IntentError::ReadOnly { .. }))
    };
    if let Some(entity) = entities.iter().find(knows) {
        return Ok((entity, name));
    }
    let what = name.chars().take(40).collect();
    Err(IntentError::Unsupported { entity: "the device".into(), what, supported: assignable(entities) })
}
