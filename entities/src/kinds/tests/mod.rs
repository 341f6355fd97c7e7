use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::*;
use crate::entity::{Channel, Codec, ColorForm, Word};
use crate::schema::{Access, NumberSpec};
use crate::value::Value;

mod climate;
mod cover;
mod light;
mod others;

type Dps = BTreeMap<u16, Json>;

fn dps<const N: usize>(dps: [(u16, Json); N]) -> Dps {
    dps.into()
}

fn spec(min: i64, max: i64, step: i64, scale: u8, unit: &str) -> NumberSpec {
    NumberSpec { min: Some(min), max: Some(max), step, scale, unit: unit.into() }
}

fn percent(min: i64, max: i64) -> Codec {
    Codec::Percent { spec: spec(min, max, 1, 0, ""), is_inverted: false }
}

fn words(words: &[&str]) -> Codec {
    Codec::Words(words.iter().map(|word| Word::new(*word, *word)).collect())
}

const BOOL: Codec = Codec::Bool { is_inverted: false };

fn entity<const N: usize>(kind: EntityKind, channels: [(Role, u16, Codec); N]) -> Entity {
    let mut entity = Entity::new("it", kind, "it");
    entity.channels = channels
        .into_iter()
        .map(|(role, dp, codec)| (role, Channel::new(dp, format!("dp_{dp}"), Access::ReadWrite, codec)))
        .collect();
    entity
}

/// Reads names and texts as one intent, and returns the DPs that it writes.
fn set(entity: &Entity, present: &Dps, pairs: &[(&str, &str)]) -> Result<Dps, String> {
    let intent = entity.intents(pairs.iter().copied()).map_err(|error| error.to_string())?;
    entity.apply(&intent, present).map(|writes| writes.dps).map_err(|error| error.to_string())
}

fn printed(entity: &Entity, present: &Dps) -> Vec<String> {
    entity.entries(present).iter().map(|entry| format!("{} {}", entry.name, entry.text())).collect()
}
