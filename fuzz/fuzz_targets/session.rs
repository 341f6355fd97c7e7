//! Fuzz target: see `rustuya_fuzz::session`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rustuya_fuzz::session(data));
