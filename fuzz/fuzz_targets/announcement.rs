//! Fuzz target: see `rustuya_fuzz::announcement`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rustuya_fuzz::announcement(data));
