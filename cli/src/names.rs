//! Names, units and words of a device's DPs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use rustuya_entities::device::facts;
use rustuya_entities::profile::{Profile, Profiles};
use rustuya_entities::{Category, Data, Entity, EntityKind, IntentError, Overrides, Schema, Writes, assign};
use rustuya_runtime_tokio::{DeviceEntry, DevicesFile};
use serde_json::{Map, Value};

use crate::input;
use crate::output::{Named, complain};

/// Name of the file that is used without `--devices`, where there is one: the wizard writes it.
pub(crate) const USUAL: &str = "devices.json";

/// Options that name the files about devices.
#[derive(Debug, clap::Args)]
pub(crate) struct FileArgs {
    /// A devices.json or snapshot.json as `rustuya wizard` or tinytuya writes it: id, name, key, ip, version and mapping
    /// of each device, and, if added by hand, dev_type (default or device22) [default: devices.json, where there is one]
    #[arg(long, value_name = "FILE")]
    devices: Option<PathBuf>,
    /// A file of your own about names, types and ranges of DPs, which wins over what the devices file says
    #[arg(long, value_name = "FILE")]
    overrides: Option<PathBuf>,
    /// A directory of device files of the project tuya-local. A file that lists the product of a device says what the
    /// device is
    #[arg(long, value_name = "DIR")]
    profiles: Option<PathBuf>,
}

/// Everything that is known of products.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    overrides: Option<Arc<Overrides>>,
    profiles: Option<Profiles>,
}

impl FileArgs {
    /// Returns the path of the devices file: the given one, or the usual one where there is one.
    pub(crate) fn devices(&self) -> Option<&Path> {
        self.devices.as_deref().or_else(|| Some(Path::new(USUAL)).filter(|path| path.is_file()))
    }

    /// Returns the name of the devices file for errors.
    pub(crate) fn shown(&self) -> String {
        match &self.devices {
            Some(path) => input::file("--devices", path),
            None => USUAL.to_owned(),
        }
    }

    /// Reads the devices file, if there is one.
    pub(crate) fn list(&self) -> anyhow::Result<Option<DevicesFile>> {
        self.devices().map(DevicesFile::read).transpose().with_context(|| self.shown())
    }

    /// Reads the files about products.
    pub(crate) fn sources(&self) -> anyhow::Result<Sources> {
        let overrides = match &self.overrides {
            Some(path) => {
                let context = || input::file("--overrides", path);
                let text = std::fs::read_to_string(path).with_context(context)?;
                Some(Arc::new(Overrides::from_text(&text).with_context(context)?))
            }
            None => None,
        };
        let profiles = self.profiles.as_deref().map(read_profiles).transpose()?;
        Ok(Sources { overrides, profiles })
    }
}

/// Reads every YAML file of a directory. A file that cannot be used is named on stderr.
fn read_profiles(directory: &Path) -> anyhow::Result<Profiles> {
    let context = || input::file("--profiles", directory);
    let mut paths: Vec<PathBuf> = Vec::new();
    for item in std::fs::read_dir(directory).with_context(context)? {
        let path = item.with_context(context)?.path();
        if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut profiles = Profiles::new();
    for path in &paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let read = std::fs::read_to_string(path).map_err(anyhow::Error::from);
        if let Err(error) = read.and_then(|text| Ok(profiles.add(&*name, &text).map(drop)?)) {
            complain(&format!("--profiles: {name}: {error:#}"));
        }
    }
    if profiles.is_empty() {
        bail!("{}: no device file (*.yaml) in it can be read", context());
    }
    Ok(profiles)
}

/// What is known of one device or sub-device before it has answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Product {
    id: String,
    /// What the devices file says.
    facts: Value,
    overrides: Option<Arc<Overrides>>,
    profile: Option<Arc<Profile>>,
}

impl Sources {
    /// Returns what is known of a device of the file.
    pub(crate) fn product(&self, id: &str, listed: Option<&DeviceEntry>) -> Product {
        let product_id = listed.and_then(DeviceEntry::product_id);
        let profile = self.profiles.as_ref().zip(product_id);
        let profile = profile.and_then(|(profiles, product_id)| profiles.listed(&BTreeMap::new(), &[product_id]));
        Product {
            id: id.to_owned(),
            facts: listed.map(facts).map_or(Value::Null, Value::Object),
            overrides: self.overrides.clone(),
            profile: profile.cloned(),
        }
    }
}

impl Product {
    /// Returns whether DPs have names before the device has answered.
    pub(crate) fn is_known(&self) -> bool {
        let mapping = self.facts.get("mapping").and_then(Value::as_object);
        let has_mapping = mapping.is_some_and(|mapping| !mapping.is_empty());
        has_mapping || self.profile.is_some() || !self.entities(&BTreeMap::new()).is_empty()
    }

    /// Returns whether nothing says what the device is, so that no name can mean anything.
    pub(crate) fn is_bare(&self) -> bool {
        let has = |name| self.facts.get(name).is_some();
        !has("mapping") && !has("category") && self.profile.is_none() && self.overrides.is_none()
    }

    /// Returns its entities. `dps` are those that it has reported, as far as it has.
    pub(crate) fn entities(&self, dps: &BTreeMap<u16, Value>) -> Vec<Entity> {
        let observed = dps.iter().filter_map(|(dp, value)| Some((*dp, Data::from_json(value)?)));
        let mut builder = Schema::builder().id(&self.id).device(&self.facts).observed(observed);
        if let Some(overrides) = &self.overrides {
            builder = builder.overrides(overrides);
        }
        match &self.profile {
            Some(profile) => profile.complete(builder.profile(profile.specs()).build().entities()),
            None => builder.build().entities(),
        }
    }

    /// Turns names and texts into DPs. `dps` are those that the device has now.
    pub(crate) fn assign(&self, pairs: &[(String, String)], dps: &BTreeMap<u16, Value>) -> Result<Writes, IntentError> {
        let pairs = pairs.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        assign(&self.entities(dps), pairs, dps)
    }

    /// Returns name and text of each value that the DPs say, in the names that `set` takes, and DPs without a name under
    /// their numbers. With `only`, returns the values of entities that have one of these DPs.
    /// Events are among them only if `is_push`: an answer to a query repeats the last one.
    pub(crate) fn named(
        &self,
        dps: &BTreeMap<u16, Value>,
        only: Option<&Map<String, Value>>,
        is_push: bool,
    ) -> Vec<Named> {
        let entities = self.entities(dps);
        let is_wanted = |dp: u16| only.is_none_or(|only| only.contains_key(&dp.to_string()));
        let mut named: Vec<Named> = Vec::new();
        for entity in entities.iter().filter(|entity| entity.is_enabled) {
            let is_event = entity.kind == EntityKind::Event;
            if !entity.channels.iter().any(|(_, channel)| is_wanted(channel.dp)) || (is_event && !is_push) {
                continue;
            }
            let entries = entity.entries(dps);
            // What the device is for needs no id, and a single value is named by the id alone.
            let is_main = entity.category == Category::Primary && entity.verbs().len() > 1;
            let is_single = entries.len() == 1 && !is_main;
            for entry in entries {
                let name = match &*entry.name {
                    "" => entity.id.clone(),
                    _ if is_single => entity.id.clone(),
                    verb if is_main && named.iter().all(|known| known.name != verb) => verb.to_owned(),
                    verb => format!("{}.{verb}", entity.id),
                };
                named.push(Named { name, text: entry.text() });
            }
        }
        // A DP that no source names is shown by its number; one that is hidden on purpose is not.
        let has = |dp: &u16| {
            let is_named = |entity: &Entity| entity.is_enabled || entity.code != format!("dp_{dp}");
            entities
                .iter()
                .any(|entity| is_named(entity) && entity.channels.iter().any(|(_, channel)| channel.dp == *dp))
        };
        for (dp, value) in dps.iter().filter(|(dp, _)| is_wanted(**dp) && !has(dp)) {
            named.push(Named { name: dp.to_string(), text: value.to_string() });
        }
        named
    }
}

/// Returns DPs by number.
pub(crate) fn by_number(dps: &Map<String, Value>) -> BTreeMap<u16, Value> {
    dps.iter().filter_map(|(dp, value)| Some((dp.parse().ok()?, value.clone()))).collect()
}
