//! Fuzz target: see `rustuya_fuzz::device_ops`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rustuya_fuzz::device_ops(data));
