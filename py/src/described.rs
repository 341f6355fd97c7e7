//! Descriptions of devices, and the entities that are made of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use pyo3::prelude::*;
use rustuya_entities::device::facts;
use rustuya_entities::{Data, Entity, Overrides, Schema};
use rustuya_runtime_tokio::{DeviceEntry, DevicesFile, State, text};
use serde_json::{Map, Value};

use crate::lifecycle::lock;
use crate::profiles::{self, Source};
use crate::{args, convert, errors, exceptions, lifecycle};

/// Facts about one device and its sub-devices. Handles of one device share it.
#[derive(Default)]
pub(crate) struct Described {
    facts: Mutex<Facts>,
    children: Mutex<HashMap<String, Arc<Self>>>,
    built: Mutex<Option<Built>>,
}

#[derive(Clone, Default)]
struct Facts {
    /// Entry of a `devices.json`, as far as entities need it: `id`, `category`, `product_id`, `model`, `mapping`.
    entry: Map<String, Value>,
    overrides: Option<Arc<Overrides>>,
    profiles: Option<Source>,
}

/// Entities, and the observations that they were made of.
struct Built {
    dps: Vec<u16>,
    product_id: Option<Arc<str>>,
    schema: Arc<Schema>,
    entities: Arc<[Entity]>,
}

/// Members of an entry that describe a device.
const MEMBERS: [&str; 5] = ["id", "category", "product_id", "model", "mapping"];

/// Returns the description of an entry with those of its sub-devices, in the form of `rustuya.Description`.
pub(crate) fn description(file: &DevicesFile, entry: &DeviceEntry) -> Value {
    let mut description = facts(entry);
    let is_child = |child: &&DeviceEntry| {
        child.is_sub_device() && file.gateway(child).is_some_and(|gateway| gateway.id() == entry.id())
    };
    let children = file.devices().filter(is_child).filter_map(|child| {
        // Its id alone describes nothing.
        let facts = Some(facts(child)).filter(|facts| facts.len() > 1)?;
        Some((child.cid()?.to_owned(), Value::Object(facts)))
    });
    let children: Map<String, Value> = children.collect();
    if !children.is_empty() {
        description.insert("children".to_owned(), Value::Object(children));
    }
    Value::Object(description)
}

/// Reads a file of overrides.
fn overrides(py: Python<'_>, path: &args::Overrides) -> PyResult<Arc<Overrides>> {
    let shown = path.0.display().to_string();
    let shown = if text::may_be_key(&shown) { "the file of overrides".to_owned() } else { shown };
    let text = std::fs::read_to_string(&path.0).map_err(|error| errors::file_error(py, &shown, error))?;
    Overrides::from_text(&text)
        .map(Arc::new)
        .map_err(|error| exceptions::leaf(py, "ConfigError", 912, &format!("{shown}: {error}")))
}

/// Files of the user with facts about devices.
#[derive(Default)]
pub(crate) struct Files {
    overrides: Option<Arc<Overrides>>,
    profiles: Option<Source>,
}

impl Files {
    /// Reads the files that are given.
    pub(crate) fn read(
        py: Python<'_>,
        overrides: Option<args::Overrides>,
        profiles: Option<args::Profiles>,
    ) -> PyResult<Self> {
        let overrides = overrides.map(|path| self::overrides(py, &path)).transpose()?;
        let profiles = profiles.map(|path| profiles::read(py, &path)).transpose()?;
        Ok(Self { overrides, profiles })
    }
}

/// Reads the argument `description`: a `rustuya.Description`, or another mapping with its members.
pub(crate) fn given(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    let json = convert::to_json(value)?;
    if !json.is_object() {
        return Err(args::wrong_type(value, "description", "a rustuya.Description"));
    }
    if json.get("children").is_some_and(|children| !children.is_object() && !children.is_null()) {
        let text = "children must be a mapping of cids to descriptions";
        return Err(exceptions::leaf(value.py(), "InvalidType", 912, text));
    }
    Ok(json)
}

impl Described {
    /// Describes a device anew, or a part of it: members that are not given stay as they are.
    pub(crate) fn describe(&self, description: &Value) {
        let Value::Object(given) = description else { return };
        let known = given.iter().filter(|(name, value)| MEMBERS.contains(&name.as_str()) && !value.is_null());
        let known: Map<String, Value> = known.map(|(name, value)| (name.clone(), value.clone())).collect();
        lock(&self.facts).entry.extend(known);
        *lock(&self.built) = None;
        if let Some(Value::Object(children)) = given.get("children") {
            for (cid, child) in children {
                self.child(cid).describe(child);
            }
        }
    }

    /// Sets the files of the user, for the sub-devices, too.
    pub(crate) fn set_files(&self, files: &Files) {
        let mut facts = lock(&self.facts);
        facts.overrides = files.overrides.clone().or(facts.overrides.take());
        facts.profiles = files.profiles.clone().or(facts.profiles.take());
        drop(facts);
        *lock(&self.built) = None;
        for child in lock(&self.children).values() {
            child.set_files(files);
        }
    }

    /// Returns the description of a sub-device.
    pub(crate) fn child(&self, cid: &str) -> Arc<Self> {
        let Facts { overrides, profiles, .. } = lock(&self.facts).clone();
        let mut children = lock(&self.children);
        let new = || {
            let child = Self::default();
            child.set_files(&Files { overrides, profiles });
            Arc::new(child)
        };
        Arc::clone(children.entry(cid.to_owned()).or_insert_with(new))
    }

    /// Returns the entities: those of the description, and of each DP that the device has sent.
    pub(crate) fn entities(
        &self,
        id: &str,
        product_id: Option<Arc<str>>,
        state: &State,
    ) -> (Arc<Schema>, Arc<[Entity]>) {
        let mut built = lock(&self.built);
        let is_same = |built: &Built| built.product_id == product_id && built.dps.iter().eq(state.dps.keys());
        if let Some(built) = built.as_ref().filter(|built| is_same(built)) {
            return (Arc::clone(&built.schema), Arc::clone(&built.entities));
        }
        let facts = lock(&self.facts).clone();
        let entry = Value::Object(facts.entry);
        let mut builder = Schema::builder().id(id);
        if let Some(product_id) = &product_id {
            builder = builder.product_id(product_id.to_string());
        }
        let observed = state.dps.iter().filter_map(|(dp, reading)| Some((*dp, Data::from_json(&reading.value)?)));
        builder = builder.device(&entry).observed(observed);
        if let Some(overrides) = &facts.overrides {
            builder = builder.overrides(overrides);
        }
        let own = entry.get("product_id").and_then(Value::as_str);
        let product_ids: Vec<&str> = own.into_iter().chain(product_id.as_deref()).collect();
        let profile = facts.profiles.and_then(|source| {
            let observed = state.dps.iter().map(|(dp, reading)| (*dp, reading.value.clone())).collect();
            source.choose(&observed, &product_ids)
        });
        if let Some(profile) = &profile {
            builder = builder.profile(profile.specs());
        }
        let schema = Arc::new(builder.build());
        let entities = match &profile {
            Some(profile) => profile.complete(schema.entities()),
            None => schema.entities(),
        };
        let entities: Arc<[Entity]> = entities.into();
        let dps = state.dps.keys().copied().collect();
        *built = Some(Built { dps, product_id, schema: Arc::clone(&schema), entities: Arc::clone(&entities) });
        (schema, entities)
    }
}

/// Returns the description of a device in a file as Python has it.
pub(crate) fn to_python<'py>(py: Python<'py>, description: &Value) -> PyResult<Bound<'py, PyAny>> {
    let _inside = lifecycle::enter(py);
    convert::to_python(py, description)
}
