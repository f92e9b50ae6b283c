//! Fuzzes `cloudtrail2sql::fuzzing::digest`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cloudtrail2sql::fuzzing::digest(data));
