//! Fuzz target: see `rustuya_fuzz::emulator`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rustuya_fuzz::emulator(data));
