//! The contract of sinks and stores, on SQLite, PostgreSQL, MySQL and MariaDB; and what can fail on
//! only one of them. Promises that need no SQL are also checked on the store in memory, which the
//! tests of the import rely on.
//!
//! Each test has its own database on a real server, and inspects it with sqlx, not with the
//! program. A missing server is a failure.

pub mod account;
mod backend;
mod commits;
mod deadlocks;
mod encryption;
mod faults;
mod indexes;
mod integrity;
pub mod migrations;
mod narrow_tables;
mod objects;
pub mod partitions;
mod processlist;
mod refusals;
mod runs;
pub mod scratch;
mod server_limits;
mod silent;
mod sizes;
mod tables;
mod tutorial;
mod values;
