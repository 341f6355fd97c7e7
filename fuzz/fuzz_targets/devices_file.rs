//! Fuzz target: see `rustuya_fuzz::devices_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rustuya_fuzz::devices_file(data));
