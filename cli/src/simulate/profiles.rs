//! Profiles of virtual devices: their names, and their entries in a `devices.json`.

use core::fmt::Write as _;
use std::ffi::OsStr;
use std::path::Path;

use anyhow::{Context, bail};
use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use rustuya_cloud::{DevicesJson, DevicesJsonError};
use rustuya_runtime_tokio::LocalKey;
use rustuya_virtual_device::Profile;
use serde_json::{Map, Value};

use crate::input::{UsageError, shown, unfit};
use crate::output::lines_now;

/// Reads a name as text. Shells complete the known ones.
#[derive(Clone)]
pub(super) struct Names;

impl TypedValueParser for Names {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let names = Profile::all().map(Profile::name).chain(core::iter::once("list"));
        Some(Box::new(names.map(PossibleValue::new)))
    }
}

/// Reads the names; an error lists similar ones.
pub(super) fn parse(names: &[String]) -> Result<Vec<Profile>, UsageError> {
    let all = "; --profile list prints all of them";
    let parse = |name: &String| {
        name.parse::<Profile>().map_err(|error| unfit(&format!("--profile {}: {error}{all}", shown(name))))
    };
    names.iter().map(parse).collect()
}

/// Prints all profiles.
pub(super) fn list() -> anyhow::Result<()> {
    let mut text = format!("{:<22} {:<10} DEVICE", "PROFILE", "CATEGORY");
    for profile in Profile::all() {
        write!(text, "\n{:<22} {:<10} {}", profile.name(), profile.category(), profile.product())?;
    }
    lines_now(&text)
}

/// Returns the key of profiles for which none is given. It protects nothing: the device is in this process.
pub(super) const fn default_key() -> LocalKey {
    LocalKey::new(*b"0123456789abcdef")
}

/// Returns the id of the profile at this position of the command line.
pub(super) fn id(at: usize, profile: Profile) -> String {
    format!("vd{}{at:02}", profile.product_id())
}

/// Puts entries into a `devices.json`, in place of those of the same devices.
pub(super) fn write(path: &Path, entries: Vec<Map<String, Value>>) -> anyhow::Result<()> {
    let mut file = match DevicesJson::read(path) {
        Err(DevicesJsonError::NoList) => bail!("--write-devices: the file is no list of devices and is not replaced"),
        other => other.context("--write-devices")?,
    };
    for entry in entries {
        file.put(entry);
    }
    file.write(path).context("--write-devices")
}
