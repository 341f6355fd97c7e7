//! Devices of every category, each with its expected entities.
//!
//! The files in `definitions/` have one block for each device, as their `README.md` says. With
//! `RUSTUYA_UPDATE_DEFINITIONS=1` the test writes what it finds into them, to be read before it is committed.

use core::fmt::Write as _;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{env, fs};

use rustuya_entities::{DpKind, Entity, Role, Schema};
use serde_json::{Map, Value as Json, json};

/// One device of a file.
struct Definition {
    title: String,
    category: String,
    mapping: Json,
    /// Lines of the device, as they are and as they should be.
    lines: Vec<String>,
}

impl Definition {
    fn schema(&self) -> Schema {
        Schema::builder().category(&*self.category).mapping(&self.mapping).build()
    }
}

fn files() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/definitions");
    let mut files: Vec<(String, String)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .map(|path| (path.to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap()))
        .collect();
    files.sort();
    files
}

fn definitions(text: &str) -> Vec<Definition> {
    text.split("\n\n").filter(|block| !block.trim().is_empty()).map(definition).collect()
}

fn definition(block: &str) -> Definition {
    let mut definition = Definition {
        title: String::new(),
        category: String::new(),
        mapping: json!({}),
        lines: block.trim_matches('\n').lines().map(str::to_owned).collect(),
    };
    for line in block.trim_matches('\n').lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "#" => rest.clone_into(&mut definition.title),
            "category" if rest == "-" => {}
            "category" => rest.clone_into(&mut definition.category),
            "dps" => {
                for dp in rest.split("; ").filter(|dp| !dp.is_empty()) {
                    let (number, entry) = mapping_entry(dp);
                    definition.mapping[number] = entry;
                }
            }
            "entity" | "state" | "intent" => {}
            _ => panic!("{}: {line}", definition.title),
        }
    }
    definition
}

/// Reads `22 bright_value_v2 Integer 10..1000 s1 /5 %` as an entry of a mapping.
fn mapping_entry(text: &str) -> (&str, Json) {
    let mut words = text.split(' ');
    let (number, code, kind) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
    let rest: Vec<&str> = words.collect();
    let mut values = Map::new();
    match kind.to_ascii_lowercase().as_str() {
        "enum" if !rest.is_empty() => _ = values.insert("range".into(), json!(rest)),
        "bitmap" if !rest.is_empty() => {
            let labels: Vec<&str> = rest.iter().map(|label| if *label == "?" { "" } else { label }).collect();
            values.insert("label".into(), json!(labels));
        }
        "string" | "raw" if !rest.is_empty() => {
            _ = values.insert("maxlen".into(), rest[0].parse::<u32>().unwrap().into())
        }
        "json" if !rest.is_empty() => values = serde_json::from_str(rest[0]).unwrap(),
        "integer" | "value" => {
            let mut unit = Vec::new();
            for word in &rest {
                if let Some((min, max)) = word.split_once("..") {
                    values.insert("min".into(), min.parse::<i64>().unwrap().into());
                    values.insert("max".into(), max.parse::<i64>().unwrap().into());
                } else if let Some(Ok(scale)) = word.strip_prefix('s').map(str::parse::<u8>) {
                    values.insert("scale".into(), scale.into());
                } else if let Some(Ok(step)) = word.strip_prefix('/').map(str::parse::<i64>) {
                    values.insert("step".into(), step.into());
                } else {
                    unit.push(*word);
                }
            }
            values.insert("unit".into(), unit.join(" ").into());
        }
        _ => assert!(rest.is_empty(), "{text}"),
    }
    let mut entry = json!({"code": code, "values": values});
    if kind != "-" {
        entry["type"] = kind.into();
    }
    (number, entry)
}

/// Writes an entity as the files do: kind, id, name, facts, and its DPs by role.
fn line(entity: &Entity) -> String {
    let mut line = format!("entity {} {}", entity.kind.as_str(), entity.id);
    match &entity.name {
        Some(name) => write!(line, " {name:?}").unwrap(),
        None => line.push_str(" main"),
    }
    if entity.category.as_str() != "primary" {
        write!(line, " {}", entity.category.as_str()).unwrap();
    }
    if !entity.is_enabled {
        line.push_str(" disabled");
    }
    let facts = [
        ("class", entity.device_class.as_deref()),
        ("over_time", entity.state_class.map(|class| class.as_str())),
        ("unit", Some(entity.unit.as_str()).filter(|unit| !unit.is_empty())),
        ("on_mode", entity.on_mode.as_deref()),
    ];
    for (name, fact) in facts {
        if let Some(fact) = fact {
            write!(line, " {name}={fact}").unwrap();
        }
    }
    line.push_str(" :");
    for (role, channel) in &entity.channels {
        write!(line, " {}={}", role_name(role), channel.dp).unwrap();
    }
    line
}

fn role_name(role: &Role) -> String {
    match role {
        Role::Attribute(name) => format!("attribute.{name}"),
        Role::UnlockedBy(way) => format!("unlocked_by.{way}"),
        role => {
            let mut name = String::new();
            for letter in format!("{role:?}").chars() {
                if letter.is_ascii_uppercase() && !name.is_empty() {
                    name.push('_');
                }
                name.push(letter.to_ascii_lowercase());
            }
            name
        }
    }
}

/// Returns the lines of a device with its entities as they are now.
fn expected(definition: &Definition, entities: &[Entity]) -> Vec<String> {
    let is_entity = |line: &&String| line.starts_with("entity ");
    let given = definition.lines.iter().filter(|line| !is_entity(line));
    let (mut lines, rest): (Vec<_>, Vec<_>) =
        given.cloned().partition(|line| !line.starts_with("state ") && !line.starts_with("intent "));
    lines.extend(entities.iter().map(line));
    lines.extend(rest);
    lines
}

/// Reads `20=true 21="white"`.
fn dps(text: &str) -> BTreeMap<u16, Json> {
    let dps = text.split(' ').filter(|dp| !dp.is_empty()).map(|dp| dp.split_once('=').unwrap());
    dps.map(|(dp, value)| (dp.parse().unwrap(), serde_json::from_str(value).unwrap())).collect()
}

fn entity<'e>(entities: &'e [Entity], id: &str) -> &'e Entity {
    entities.iter().find(|entity| entity.id == id).unwrap_or_else(|| panic!("no entity {id}"))
}

/// Returns what is wrong with a line `state 20=true 22=505 : switch_led power on, brightness 50 %`.
fn wrong_state(line: &str, entities: &[Entity]) -> Option<String> {
    let (reported, meaning) = line.strip_prefix("state ").unwrap().split_once(": ").unwrap();
    let (id, expected) = meaning.split_once(' ').unwrap();
    let entries = entity(entities, id).entries(&dps(reported));
    let found: Vec<String> =
        entries.iter().map(|entry| format!("{} {}", entry.name, entry.text()).trim_start().to_owned()).collect();
    let is_right = match expected {
        "nothing" => found.is_empty(),
        expected => expected.split(", ").all(|expected| found.iter().any(|found| found == expected)),
    };
    (!is_right).then(|| format!("{line}\n    found: {}", found.join(", ")))
}

/// Returns what is wrong with a line `intent 20=false : switch_led brightness=50% > 20=true 22=505`.
fn wrong_intent(line: &str, entities: &[Entity]) -> Option<String> {
    let (present, rest) = line.strip_prefix("intent ").unwrap().split_once(": ").unwrap();
    let (set, expected) = rest.rsplit_once(" > ").unwrap();
    let (id, set) = set.split_once(' ').unwrap();
    let entity = entity(entities, id);
    let (name, text) = set.split_once('=').unwrap_or((set, ""));
    let writes = entity.intent(name, text).and_then(|intent| entity.apply(&intent, &dps(present)));
    let is_right = match &writes {
        Ok(writes) => expected != "refused" && writes.dps == dps(expected),
        Err(_) => expected == "refused",
    };
    (!is_right).then(|| format!("{line}\n    found: {writes:?}"))
}

#[test]
fn states_and_intents_are_as_written() {
    let mut wrong = Vec::new();
    for definition in files().iter().flat_map(|(_, text)| definitions(text)) {
        let entities = definition.schema().entities();
        let (mut states, mut intents) = (0, 0);
        for line in &definition.lines {
            if line.starts_with("state ") {
                states += 1;
                wrong.extend(wrong_state(line, &entities).map(|wrong| format!("{}: {wrong}", definition.title)));
            } else if line.starts_with("intent ") {
                intents += 1;
                wrong.extend(wrong_intent(line, &entities).map(|wrong| format!("{}: {wrong}", definition.title)));
            }
        }
        assert!(entities.is_empty() || (states >= 3 && intents >= 3), "{}", definition.title);
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_device_has_its_entities() {
    let is_update = env::var_os("RUSTUYA_UPDATE_DEFINITIONS").is_some();
    let mut wrong = Vec::new();
    for (path, text) in files() {
        let mut updated = Vec::new();
        for definition in definitions(&text) {
            let lines = expected(&definition, &definition.schema().entities());
            if lines != definition.lines {
                wrong.push(format!("{}:\n  {}", definition.title, lines.join("\n  ")));
            }
            updated.push(lines.join("\n"));
        }
        if is_update {
            fs::write(path, updated.join("\n\n") + "\n").unwrap();
        }
    }
    assert!(is_update || wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_dp_is_out_of_reach() {
    let mut count = 0;
    let mut titles = BTreeSet::new();
    for definition in files().iter().flat_map(|(_, text)| definitions(text)) {
        count += 1;
        let schema = definition.schema();
        assert_eq!(schema.dps.len(), definition.mapping.as_object().unwrap().len(), "{}", definition.title);
        let entities = schema.entities();
        let reached: BTreeSet<u16> =
            entities.iter().flat_map(|entity| entity.channels.iter().map(|(_, channel)| channel.dp)).collect();
        assert!(schema.dps.keys().eq(reached.iter()), "{}", definition.title);
        let ids: BTreeSet<&str> = entities.iter().map(|entity| entity.id.as_str()).collect();
        assert_eq!(ids.len(), entities.len(), "{}", definition.title);
        assert!(titles.insert(definition.title.clone()), "{} is there twice", definition.title);
    }
    assert!(count >= 150, "{count}");
}

/// Returns whether a DP takes these data by its own specification.
fn is_taken(kind: &DpKind, value: &Json) -> bool {
    match (kind, value) {
        (DpKind::Boolean, Json::Bool(_)) => true,
        (DpKind::Integer(spec), Json::Number(number)) => number.as_i64().is_some_and(|raw| {
            spec.min.is_none_or(|min| raw >= min)
                && spec.max.is_none_or(|max| raw <= max)
                && (spec.step <= 1 || (raw - spec.min.unwrap_or(0)) % spec.step == 0)
        }),
        (DpKind::Enum { range }, Json::String(word)) => range.is_empty() || range.contains(word),
        (DpKind::String { .. } | DpKind::Raw { .. } | DpKind::Json { .. }, Json::String(_)) => true,
        _ => false,
    }
}

#[test]
fn whatever_is_asked_for_devices_get_what_they_take() {
    let mut texts: Vec<String> = [
        "on",
        "off",
        "toggle",
        "open",
        "close",
        "stop",
        "continue",
        "start",
        "pause",
        "locate",
        "return_to_base",
        "red",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.extend(
        ["black", "hsv(359, 1, 1)", "#010101", "heat", "cool", "auto", "dry", "fan_only", "heat_cool"]
            .map(str::to_owned),
    );
    texts.extend(
        ["disarm", "arm_home", "arm_away", "horizontal", "vertical", "both", "4000K", "-1", "-0.5"].map(str::to_owned),
    );
    texts.extend(
        ["0", "0.04", "0.4", "1", "2", "3", "10", "17", "21.5", "33", "50", "66.6", "99", "99.9", "100", "101"]
            .map(str::to_owned),
    );
    texts.extend(
        ["200", "255", "256", "1000", "2000", "6500", "9223372036854775807", "1e18", "", "é"].map(str::to_owned),
    );
    let states = [
        json!({}),
        json!(true),
        json!(false),
        json!(0),
        json!(1),
        json!(5000),
        json!(-7),
        json!("colour"),
        json!("000003e80001"),
        json!("0"),
        json!({"h": 1}),
    ];
    let mut count = 0;
    for definition in files().iter().flat_map(|(_, text)| definitions(text)) {
        let schema = definition.schema();
        for entity in schema.entities() {
            let mut texts = texts.clone();
            for (_, channel) in &entity.channels {
                if let DpKind::Enum { range } = &schema.dps[&channel.dp].kind {
                    texts.extend(range.iter().cloned());
                }
            }
            for value in &states {
                let state: BTreeMap<u16, Json> = schema.dps.keys().map(|dp| (*dp, value.clone())).collect();
                for verb in entity.verbs().into_iter().chain(["", "hs", "white"]) {
                    for text in &texts {
                        let Ok(intent) = entity.intent(verb, text) else { continue };
                        let Ok(writes) = entity.apply(&intent, &state) else { continue };
                        count += 1;
                        for (dp, data) in &writes.dps {
                            let spec = &schema.dps[dp];
                            assert!(
                                spec.access.is_writable(),
                                "{}: {} {verb} {text}: {dp}",
                                definition.title,
                                entity.id
                            );
                            assert!(
                                is_taken(&spec.kind, data),
                                "{}: {} {verb} {text} {value}: {dp} {data}",
                                definition.title,
                                entity.id
                            );
                        }
                    }
                }
            }
        }
    }
    assert!(count > 10_000, "{count}");
}
