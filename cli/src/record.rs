//! Record of the traffic of `rustuya watch`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use rustuya_record::{Recorder, SharedWriter};
use rustuya_runtime_tokio::DeviceBuilder;

use crate::input::{self, unfit};
use crate::target::Target;

type Shared = Arc<Mutex<Recorder<SharedWriter<File>>>>;

/// Record that is being written, if `--record` is given.
pub(crate) struct Record {
    file: Option<(PathBuf, SharedWriter<File>)>,
    full: bool,
    /// True if each device has a number, from 1, because there are several.
    numbered: bool,
    recorders: Vec<Shared>,
}

impl Record {
    /// Creates the file at `path`.
    pub(crate) fn create(path: Option<&Path>, full: bool, targets: &[Target]) -> anyhow::Result<Self> {
        let first = targets.first().map(|target| &target.id);
        let numbered = targets.iter().any(|target| Some(&target.id) != first);
        if full && numbered {
            return Err(unfit("--record-payloads is for one device: the keys of several do not fit a replay").into());
        }
        let file = match path {
            Some(path) => {
                let file = create(path).with_context(|| input::file("--record", path))?;
                Some((path.to_owned(), SharedWriter::new(file)))
            }
            None => None,
        };
        Ok(Self { file, full, numbered, recorders: Vec::new() })
    }

    /// Adds a recorder to the device of `builder`.
    pub(crate) fn add_to(&mut self, builder: DeviceBuilder) -> DeviceBuilder {
        let Some((_, out)) = &self.file else { return builder };
        let recorder = if self.full { Recorder::full(out.clone()) } else { Recorder::redacted(out.clone()) };
        let number = if self.numbered { u32::try_from(self.recorders.len() + 1).unwrap_or(u32::MAX) } else { 0 };
        let recorder = Arc::new(Mutex::new(recorder.device(number)));
        self.recorders.push(Arc::clone(&recorder));
        builder.record(recorder)
    }

    /// Returns the error of the first failed write, if any.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let Some((path, _)) = &self.file else { return Ok(()) };
        let full = self.recorders.iter().any(|recorder| {
            let recorder = recorder.lock().unwrap_or_else(PoisonError::into_inner);
            recorder.error().is_some()
        });
        if full { self.flush(path) } else { Ok(()) }
    }

    /// Writes buffered lines, and returns an error of writing.
    fn flush(&self, path: &Path) -> anyhow::Result<()> {
        for recorder in &self.recorders {
            let finished = recorder.lock().unwrap_or_else(PoisonError::into_inner).finish();
            finished.with_context(|| format!("--record {}: cannot be written", path.display()))?;
        }
        Ok(())
    }

    /// Writes buffered lines.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        self.file.as_ref().map_or(Ok(()), |(path, _)| self.flush(path))
    }
}

/// Creates a file that only the user can read: even a redacted record shows the activity in a home.
#[cfg(unix)]
fn create(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().write(true).create(true).truncate(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn create(path: &Path) -> std::io::Result<File> {
    File::create(path)
}
