//! Paths and programs.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use cargo_metadata::{CargoOpt, Metadata, MetadataCommand, Package};

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
        let metadata = MetadataCommand::new()
            .cargo_path(&cargo)
            .current_dir(&root)
            .features(CargoOpt::AllFeatures)
            .other_options(["--locked".to_owned()])
            .exec()
            .context("Cargo.lock must be committed and match Cargo.toml: run `cargo metadata`")?;
        let target = metadata.target_directory.clone().into_std_path_buf();
        Ok(Self { target, root, cargo, fuzz_seconds, metadata })
    }

    /// A package of the workspace.
    pub(crate) fn member(&self, name: &str) -> Result<&Package> {
        let members = self.metadata.workspace_packages();
        let member = members.into_iter().find(|package| package.name == name);
        member.with_context(|| format!("{name} is not in the workspace"))
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
