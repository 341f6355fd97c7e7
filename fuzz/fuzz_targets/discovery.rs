//! Fuzz target: see `rustuya_fuzz::discovery`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rustuya_fuzz::discovery(data));
