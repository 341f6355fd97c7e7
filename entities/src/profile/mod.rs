//! Device files in the YAML of the project tuya-local: what each DP of a product means, by its users' experience.
//!
//! None is part of this crate. A user names a directory that has them; the caller reads the files, and this module
//! their text.

mod build;
mod matching;
mod model;
mod parse;
mod roles;
mod rules;
mod yaml;

pub use matching::{Candidate, Profiles};
pub use model::{DpType, Field, Hidden, Product, Profile, ProfileDp, ProfileEntity, Range, Rule};
pub use rules::{RuleSet, Rules, Shape};
pub use yaml::Scalar;

/// Error of a text that is no device file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// The text is no YAML.
    #[error("line {line}, column {column}: {reason}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// The parser's reason.
        reason: String,
    },
    /// The text is longer, or has more parts, than any device file.
    #[error("larger than a device file: at most 512 KiB, 65536 parts and 128 keys of one map")]
    TooLarge,
    /// Lists and maps stand deeper within each other than in any device file.
    #[error("more than 32 lists and maps within each other")]
    TooDeep,
    /// The text repeats a part of itself by an alias. A few lines of them could stand for gigabytes.
    #[error("aliases are not read")]
    Alias,
    /// A key is a list or a map.
    #[error("a key is a list or a map")]
    KeyIsNoText,
    /// The text is YAML, and describes no device.
    #[error("no device file: it has no entities")]
    NoProfile,
}

/// Share of the entities that were understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Coverage {
    /// Entities of which every key and every DP was understood.
    pub understood: usize,
    /// All entities.
    pub entities: usize,
}

impl Coverage {
    /// Returns the sum of two.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self { understood: self.understood + other.understood, entities: self.entities + other.entities }
    }
}

impl Profile {
    /// Reads the text of a device file. What it does not know is noted, and no error.
    ///
    /// # Errors
    ///
    /// Texts that are no YAML, or no device file, or larger or deeper than any.
    pub fn parse(text: &str) -> Result<Self, ProfileError> {
        parse::profile(text)
    }

    /// Counts the entities, and those that were understood.
    pub fn coverage(&self) -> Coverage {
        let understood = self.entities.iter().filter(|entity| entity.is_understood()).count();
        Coverage { understood, entities: self.entities.len() }
    }

    /// Returns the DPs that the device sends only when it is asked to update them, such as those of a power meter.
    pub fn update_dps(&self) -> Vec<u16> {
        self.ids(|dp| dp.needs_update)
    }

    /// Returns the DPs whose values are secret.
    pub fn sensitive_dps(&self) -> Vec<u16> {
        self.ids(|dp| dp.is_sensitive)
    }

    fn ids(&self, is_one: fn(&ProfileDp) -> bool) -> Vec<u16> {
        let ids = self.dps().filter(|dp| is_one(dp)).map(|dp| dp.id);
        let mut ids: Vec<u16> = ids.collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    fn dps(&self) -> impl Iterator<Item = &ProfileDp> {
        self.entities.iter().flat_map(|entity| &entity.rules.dps)
    }
}
