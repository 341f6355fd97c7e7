//! Tests of the whole `rustuya` command: the real binary, on the loopback interface.

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod clocks;
mod common;
mod demo;
#[cfg(unix)]
mod descriptors;
mod devices;
mod doctor;
mod fleet;
mod limits;
mod names;
mod profiles;
mod replay;
mod scan;
mod twice;
mod usage;
mod wizard;
