//! Both roles over any byte pipe: no heap, no executor, no operating system. Copy [`controller`] and [`device`] into
//! firmware and adapt them.

#![no_std]
#![forbid(unsafe_code)]

pub mod controller;
#[cfg(feature = "device")]
pub mod device;
