//! Fuzzes `cloudtrail2sql::fuzzing::database_url`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cloudtrail2sql::fuzzing::database_url(data));
