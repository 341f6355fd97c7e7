//! Fuzz target: see `rustuya_fuzz::link`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rustuya_fuzz::link(data));
