//! Fuzz target: see `rustuya_fuzz::json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rustuya_fuzz::json(data));
