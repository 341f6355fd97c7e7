//! The `rustuya` command as a whole: the real binary, on the loopback interface.

mod common;
mod demo;
mod devices;
mod fleet;
mod replay;
mod scan;
mod usage;
