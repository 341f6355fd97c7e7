//! Fuzz target: see `rustuya_fuzz::record`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rustuya_fuzz::record(data));
