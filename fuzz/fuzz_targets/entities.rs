//! Fuzz target: see `rustuya_fuzz::entities`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rustuya_fuzz::entities(data));
