//! Fuzz target: see `rustuya_fuzz::convert`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rustuya_fuzz::convert(data));
