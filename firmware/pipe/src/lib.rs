//! Both roles over any byte pipe: no heap, no executor, no operating system. [`controller`] and [`device`] are meant
//! to be copied into firmware and changed there.

#![no_std]
#![forbid(unsafe_code)]

pub mod controller;
#[cfg(feature = "device")]
pub mod device;
