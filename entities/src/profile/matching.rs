//! The device files that fit a device.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value as Json;

use super::model::{DpType, Profile};
use super::{Coverage, ProfileError};

/// Quality of a file that lists the product.
const LISTED: u8 = 101;

/// A collection of device files.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Profiles {
    files: Vec<(String, Arc<Profile>)>,
    by_product: BTreeMap<String, Vec<usize>>,
}

/// A file that fits a device.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Candidate<'a> {
    /// 101 if the file lists the product, else the share of the device's DPs that the file has, in percent.
    pub quality: u8,
    /// Name of the file.
    pub file: &'a str,
    /// The file.
    pub profile: &'a Arc<Profile>,
}

impl Profiles {
    /// Makes an empty collection.
    pub const fn new() -> Self {
        Self { files: Vec::new(), by_product: BTreeMap::new() }
    }

    /// Reads the text of a file, and adds it under the file's name.
    ///
    /// # Errors
    ///
    /// As [`Profile::parse`]. The collection stays as it was.
    pub fn add(&mut self, file: impl Into<String>, text: &str) -> Result<Arc<Profile>, ProfileError> {
        let profile = Arc::new(Profile::parse(text)?);
        let place = self.files.len();
        for product in &profile.products {
            let places = self.by_product.entry(product.id.clone()).or_default();
            if places.last() != Some(&place) {
                places.push(place);
            }
        }
        self.files.push((file.into(), Arc::clone(&profile)));
        Ok(profile)
    }

    /// Returns the number of files.
    pub const fn len(&self) -> usize {
        self.files.len()
    }

    /// Returns `true` if there is no file.
    pub const fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Returns the files with their names, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arc<Profile>)> {
        self.files.iter().map(|(file, profile)| (file.as_str(), profile))
    }

    /// Returns the file of this name, with or without its extension.
    pub fn get(&self, file: &str) -> Option<&Arc<Profile>> {
        let stem = |file: &str| file.strip_suffix(".yaml").map(str::to_owned).unwrap_or_else(|| file.to_owned());
        self.iter().find(|(found, _)| stem(found) == stem(file)).map(|(_, profile)| profile)
    }

    /// Returns the files that list a product.
    pub fn by_product(&self, product_id: &str) -> impl Iterator<Item = (&str, &Arc<Profile>)> {
        let places = self.by_product.get(product_id).into_iter().flatten();
        places.filter_map(|place| self.files.get(*place)).map(|(file, profile)| (file.as_str(), profile))
    }

    /// Counts the entities of all files, and those that were understood.
    pub fn coverage(&self) -> Coverage {
        self.files.iter().fold(Coverage::default(), |sum, (_, profile)| sum.plus(profile.coverage()))
    }

    /// Returns the files that fit a device, the best first. The user is to confirm one, unless it lists the product:
    /// DP numbers alone identify little.
    ///
    /// `observed` are the DPs that the device sent, `product_ids` the product by the cloud and by the device's
    /// announcement, which may differ. For a child of a gateway they are the child's own.
    pub fn candidates(&self, observed: &BTreeMap<u16, Json>, product_ids: &[&str]) -> Vec<Candidate<'_>> {
        let listed: BTreeSet<usize> =
            product_ids.iter().filter_map(|id| self.by_product.get(*id)).flatten().copied().collect();
        let files = self.files.iter().enumerate();
        let mut found: Vec<Candidate<'_>> = files
            .filter_map(|(place, (file, profile))| {
                let quality = quality(profile, observed, listed.contains(&place))?;
                Some(Candidate { quality, file, profile })
            })
            .collect();
        found.sort_by(|a, b| b.quality.cmp(&a.quality).then_with(|| a.file.cmp(b.file)));
        found
    }

    /// Returns the best file that lists the product, and that the DPs do not contradict. No other file is taken without
    /// being chosen by the user: DP numbers alone identify little.
    pub fn listed(&self, observed: &BTreeMap<u16, Json>, product_ids: &[&str]) -> Option<&Arc<Profile>> {
        let best = self.candidates(observed, product_ids).into_iter().next()?;
        (best.quality == LISTED).then_some(best.profile)
    }
}

impl Profile {
    /// Returns the quality with which the file fits a device, as [`Candidate::quality`]; `None` if it does not fit.
    pub fn quality(&self, observed: &BTreeMap<u16, Json>, product_ids: &[&str]) -> Option<u8> {
        let is_listed = self.products.iter().any(|product| product_ids.contains(&product.id.as_str()));
        quality(self, observed, is_listed)
    }
}

fn quality(profile: &Profile, observed: &BTreeMap<u16, Json>, is_listed: bool) -> Option<u8> {
    // A null says no more than an absent DP.
    let value = |id: u16| observed.get(&id).filter(|value| !value.is_null());
    let mut matched = BTreeSet::new();
    for dp in profile.dps() {
        match value(dp.id) {
            Some(value) if !is_of_type(dp.kind, value) => return None,
            Some(_) => _ = matched.insert(dp.id),
            None if is_listed || dp.is_optional => {}
            None => return None,
        }
    }
    if is_listed {
        return Some(LISTED);
    }
    let present = observed.values().filter(|value| !value.is_null()).count();
    let share = (matched.len() * 200 + present).checked_div(present * 2)?;
    u8::try_from(share).ok().filter(|share| *share > 0)
}

/// Returns `true` if a value can be of a type: numbers also as text.
fn is_of_type(kind: DpType, value: &Json) -> bool {
    match (kind, value) {
        (DpType::Boolean, value) => value.is_boolean(),
        (DpType::Float, Json::Number(_)) => true,
        (kind, Json::Number(number)) if kind.is_number() => number.is_i64() || number.is_u64(),
        (DpType::Float, Json::String(text)) => text.trim().parse::<f64>().is_ok(),
        (kind, Json::String(text)) if kind.is_number() => text.trim().parse::<i64>().is_ok(),
        (kind, value) => !kind.is_number() && value.is_string(),
    }
}
