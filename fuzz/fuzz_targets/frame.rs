//! Fuzz target: see `rustuya_fuzz::frame`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rustuya_fuzz::frame(data));
