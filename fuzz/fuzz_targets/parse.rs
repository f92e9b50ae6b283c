//! Fuzzes `cloudtrail2sql::fuzzing::parse`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cloudtrail2sql::fuzzing::parse(data));
