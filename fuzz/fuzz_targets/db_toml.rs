//! Fuzzes `cloudtrail2sql::fuzzing::db_toml`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cloudtrail2sql::fuzzing::db_toml(data));
