//! Lists of devices in the files that tinytuya writes.

mod entry;
mod error;
mod field;
mod file;
mod update;

pub use entry::DeviceEntry;
pub use error::DevicesFileError;
pub use file::DevicesFile;

#[cfg(test)]
mod tests;
