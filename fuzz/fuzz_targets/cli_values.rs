//! Fuzz target: see `rustuya_fuzz::cli_values`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rustuya_fuzz::cli_values(data));
