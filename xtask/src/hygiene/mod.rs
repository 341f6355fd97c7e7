//! Rules of the repository that no other tool checks.

use std::fs;

use anyhow::{Context as _, Result, bail};
use cargo_metadata::MetadataCommand;

use crate::context::Context;

mod core_source;
mod dependencies;
mod links;
mod msrv;
mod text;

/// One violation, in words that say where and what.
type Problem = String;

/// A text file of the repository.
pub(crate) struct File {
    /// Path from the root, with `/`.
    pub(crate) path: String,
    /// Content.
    pub(crate) text: String,
}

impl File {
    fn has_extension(&self, extension: &str) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, found)| found == extension)
    }

    /// Returns whether the whole file is test code.
    fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.split('/').any(|part| part == "tests")
    }
}

/// Runs every check and lists all violations before failing.
pub(crate) fn run(context: &Context) -> Result<String> {
    let files = files(context)?;
    let msrv = msrv::stated(context)?;
    let written = msrv::written(&msrv);
    let mut firmware = MetadataCommand::new();
    let firmware =
        firmware.cargo_path(&context.cargo).manifest_path(context.root.join("firmware/Cargo.toml")).no_deps();
    let mut problems = Vec::new();
    problems.extend(msrv::repeated(&files, &written));
    problems.extend(msrv::members(&context.metadata, &msrv));
    problems.extend(dependencies::manifests(&files));
    problems.extend(dependencies::too_new(&context.metadata, &msrv));
    problems.extend(dependencies::licences(&context.metadata));
    problems.extend(dependencies::licences(&firmware.exec()?));
    problems.extend(text::check(&files));
    problems.extend(links::check(context, &files));
    problems.extend(core_source::check(&files));
    if !problems.is_empty() {
        for problem in &problems {
            eprintln!("{problem}");
        }
        bail!("{} violations", problems.len());
    }
    let compiled = msrv::compile(context, &written)?;
    Ok(format!("{} files, {} packages; {compiled}", files.len(), context.metadata.packages.len()))
}

/// Every text file that is or will be committed.
fn files(context: &Context) -> Result<Vec<File>> {
    let list = context.shell("git").args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"]).stdout()?;
    let mut files = Vec::new();
    for path in list.split('\0').filter(|path| !path.is_empty()) {
        let full = context.root.join(path);
        if !full.is_file() {
            continue; // deleted, not yet committed
        }
        let bytes = fs::read(&full).with_context(|| path.to_owned())?;
        if let Ok(text) = String::from_utf8(bytes) {
            files.push(File { path: path.to_owned(), text });
        }
    }
    Ok(files)
}

#[cfg(test)]
fn file(path: &str, text: &str) -> File {
    File { path: path.to_owned(), text: text.to_owned() }
}
