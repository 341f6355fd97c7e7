//! The source distribution of the Python package, and what is in it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::{emptied, only_entry};
use crate::context::Context;
use crate::shell::Shell;

/// Makes the source distribution with the maturin that is installed for `python`; the folder with its contents.
pub(super) fn unpacked(context: &Context, python: &Path) -> Result<PathBuf> {
    let archive = emptied(context, "python-sdist")?;
    Shell::new(python, &context.root.join("py")).args(["-m", "maturin", "sdist", "--out"]).arg(&archive).run()?;
    let archive = only_entry(&archive)?;
    let unpacked = emptied(context, "python-unpacked")?;
    context.shell(python).args(["-m", "tarfile", "-e"]).arg(&archive).arg(&unpacked).run()?;
    // The archive gives all files one time in the past, by which cargo cannot tell what has changed.
    let source = context.target.join("python-source");
    fs::create_dir_all(&source)?;
    renew(&only_entry(&unpacked)?, &source)?;
    Ok(source)
}

/// Makes a folder a copy of another, and touches no file that is equal already.
fn renew(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        let twin = from.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            if !twin.is_dir() {
                fs::remove_dir_all(entry.path())?;
            }
        } else if !twin.is_file() {
            fs::remove_file(entry.path())?;
        }
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let twin = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir_all(&twin)?;
            renew(&entry.path(), &twin)?;
        } else {
            let text = fs::read(entry.path())?;
            if fs::read(&twin).map_or(true, |old| old != text) {
                fs::write(&twin, text).with_context(|| twin.display().to_string())?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::renew;
    use std::fs;

    #[test]
    fn a_renewed_folder_is_equal_and_keeps_the_times_of_equal_files() {
        let folder = std::env::temp_dir().join(format!("rustuya-xtask-renew-{}", std::process::id()));
        let (from, to) = (folder.join("from"), folder.join("to"));
        fs::create_dir_all(from.join("sub")).unwrap();
        fs::create_dir_all(to.join("gone")).unwrap();
        for (name, text) in [("same", "a"), ("changed", "b"), ("sub/new", "c")] {
            fs::write(from.join(name), text).unwrap();
        }
        for (name, text) in [("same", "a"), ("changed", "old"), ("gone/file", "x"), ("sub", "a file"), ("left", "x")] {
            fs::write(to.join(name), text).unwrap();
        }
        let long_ago = std::time::SystemTime::UNIX_EPOCH;
        fs::File::options().write(true).open(to.join("same")).unwrap().set_modified(long_ago).unwrap();

        renew(&from, &to).unwrap();
        let mut names: Vec<_> = fs::read_dir(&to).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["changed", "same", "sub"]);
        assert_eq!(fs::read_to_string(to.join("changed")).unwrap(), "b");
        assert_eq!(fs::read_to_string(to.join("sub/new")).unwrap(), "c");
        assert_eq!(fs::metadata(to.join("same")).unwrap().modified().unwrap(), long_ago);
        fs::remove_dir_all(folder).unwrap();
    }
}
