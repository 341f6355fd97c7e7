//! Device files of the project tuya-local, which the user names.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use pyo3::prelude::*;
use rustuya_entities::profile::{Profile, Profiles};
use rustuya_runtime_tokio::text;
use serde_json::Value;

use crate::lifecycle::lock;
use crate::{args, errors, exceptions};

/// Files that fit one device, or a directory of them.
#[derive(Clone)]
pub(crate) enum Source {
    /// One file, which the user has chosen.
    File(Arc<Profile>),
    Directory(Arc<Profiles>),
}

impl Source {
    /// Returns the profile of a device. From a directory only one that lists the product.
    pub(crate) fn choose(&self, observed: &BTreeMap<u16, Value>, product_ids: &[&str]) -> Option<Arc<Profile>> {
        match self {
            Self::File(profile) => Some(Arc::clone(profile)),
            Self::Directory(profiles) => profiles.listed(observed, product_ids).cloned(),
        }
    }
}

/// Reads a file or a directory. A directory is read once per process.
pub(crate) fn read(py: Python<'_>, path: &args::Profiles) -> PyResult<Source> {
    static DIRECTORIES: Mutex<Option<HashMap<PathBuf, Arc<Profiles>>>> = Mutex::new(None);
    let path = path.0.as_path();
    let shown = path.display().to_string();
    let shown = if text::may_be_key(&shown) { "the path of profiles".to_owned() } else { shown };
    if !path.is_dir() {
        let text = fs::read_to_string(path).map_err(|error| errors::file_error(py, &shown, error))?;
        let profile = Profile::parse(&text);
        let profile =
            profile.map_err(|error| exceptions::leaf(py, "ConfigError", 912, &format!("{shown}: {error}")))?;
        return Ok(Source::File(Arc::new(profile)));
    }
    if let Some(known) = lock(&DIRECTORIES).as_ref().and_then(|known| known.get(path)) {
        return Ok(Source::Directory(Arc::clone(known)));
    }
    // Reading more than a thousand files takes a while.
    let profiles = py.detach(|| directory(path)).map_err(|error| errors::file_error(py, &shown, error))?;
    if profiles.is_empty() {
        let text = format!("{shown} has no device file that can be read");
        return Err(exceptions::leaf(py, "ConfigError", 912, &text));
    }
    let profiles = Arc::new(profiles);
    lock(&DIRECTORIES).get_or_insert_default().insert(path.to_owned(), Arc::clone(&profiles));
    Ok(Source::Directory(profiles))
}

/// Reads the device files of a directory. Skips files that are none.
fn directory(path: &Path) -> io::Result<Profiles> {
    let mut profiles = Profiles::new();
    let mut files = fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml"));
    files.sort();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Err(error) = profiles.add(name.as_str(), &fs::read_to_string(&file)?) {
            tracing::debug!(file = %name, %error, "no device file");
        }
    }
    Ok(profiles)
}
