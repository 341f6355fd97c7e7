//! Where things are.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::metadata::Metadata;
use crate::shell::Shell;

/// Paths and settings that every step needs.
pub(crate) struct Context {
    /// The repository.
    pub(crate) root: PathBuf,
    /// Cargo's target folder; everything a step installs lives below it.
    pub(crate) target: PathBuf,
    /// The cargo that runs this.
    pub(crate) cargo: OsString,
    /// Seconds for each fuzz target.
    pub(crate) fuzz_seconds: u32,
    /// The workspace and all its dependencies.
    pub(crate) metadata: Metadata,
}

impl Context {
    /// Finds the repository and reads its metadata.
    pub(crate) fn new(fuzz_seconds: u32) -> Result<Self> {
        let manifest =
            env::var_os("CARGO_MANIFEST_DIR").context("CARGO_MANIFEST_DIR is not set; run this as `cargo xtask`")?;
        let mut root = PathBuf::from(manifest);
        root.pop();
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let text = Shell::new(&cargo, &root)
            .args(["metadata", "--format-version=1", "--locked", "--all-features"])
            .stdout()
            .context("Cargo.lock must be committed and match Cargo.toml: run `cargo metadata`")?;
        let metadata = Metadata::parse(&text)?;
        Ok(Self { target: metadata.target_directory.clone(), root, cargo, fuzz_seconds, metadata })
    }

    /// A cargo call in the repository.
    pub(crate) fn cargo(&self) -> Shell {
        Shell::new(&self.cargo, &self.root)
    }

    /// A call of any program in the repository.
    pub(crate) fn shell(&self, program: impl Into<OsString>) -> Shell {
        Shell::new(program, &self.root)
    }
}
