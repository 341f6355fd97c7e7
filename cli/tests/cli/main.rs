//! The `rustuya` command as a whole: the real binary, on the loopback interface.

mod common;
mod demo;
#[cfg(unix)]
mod descriptors;
mod devices;
mod fleet;
mod replay;
mod scan;
mod usage;
