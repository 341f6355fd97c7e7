//! Schemas, values and intents of devices: no specification, no data and no words cause a panic, and what is written
//! belongs to the device.

use std::collections::{BTreeMap, BTreeSet};

use rustuya_entities::{Entity, IntentError, Schema};
use serde_json::Value as Json;

/// Reads `data` as JSON with an `entry` of a device list, `dps` by number and pairs to `set`; builds the entities, reads
/// their states and applies the intents.
///
/// # Panics
/// If two entities have one id, a value changes when it is read again, an intent writes a DP that is none of its
/// entity's, or a write is empty or null.
pub fn entities(data: &[u8]) {
    let Ok(input) = serde_json::from_slice::<Json>(data) else { return };
    let schema = Schema::builder().device(&input["entry"]).build();
    let members = input["dps"].as_object().into_iter().flatten();
    let dps: BTreeMap<u16, Json> =
        members.filter_map(|(number, value)| Some((number.parse().ok()?, value.clone()))).collect();
    let pairs: Vec<(&str, &str)> = input["set"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|pair| Some((pair[0].as_str()?, pair[1].as_str()?)))
        .collect();
    let entities = schema.entities();
    let ids: BTreeSet<&str> = entities.iter().map(|entity| entity.id.as_str()).collect();
    assert_eq!(ids.len(), entities.len(), "an id is there twice");
    for entity in &entities {
        assert_eq!(entity.state(&dps), entity.state(&dps));
        let _json = entity.state(&dps).to_json();
        let _text: Vec<String> = entity.entries(&dps).iter().map(|entry| entry.text()).collect();
        let _capabilities = entity.capabilities();
        for (name, text) in &pairs {
            apply(entity, &dps, entity.intent(name, text));
        }
        apply(entity, &dps, entity.intents(pairs.iter().copied()));
    }
}

fn apply(entity: &Entity, dps: &BTreeMap<u16, Json>, intent: Result<rustuya_entities::Intent, IntentError>) {
    let writes = match intent.and_then(|intent| entity.apply(&intent, dps)) {
        Ok(writes) => writes,
        Err(error) => return drop(error.to_string()),
    };
    assert!(!writes.dps.is_empty(), "{}: nothing is written", entity.id);
    let own: BTreeSet<u16> = entity.channels.iter().map(|(_, channel)| channel.dp).collect();
    for (dp, value) in &writes.dps {
        assert!(own.contains(dp), "{}: DP {dp} is another entity's", entity.id);
        assert!(!value.is_null(), "{}: DP {dp} is null", entity.id);
    }
    let mut after = dps.clone();
    after.extend(writes.dps);
    let _state = entity.state(&after);
}
