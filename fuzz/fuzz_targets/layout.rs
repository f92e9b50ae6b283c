//! Fuzzes `cloudtrail2sql::fuzzing::layout`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cloudtrail2sql::fuzzing::layout(data));
