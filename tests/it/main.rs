//! Tests against real files, real servers and the real binary: one crate, so that it links once.

#![expect(clippy::unwrap_used, clippy::clone_on_ref_ptr, unreachable_pub, reason = "tests")]

mod binary;
mod cli;
mod databases;
mod logs;
mod readme;
mod s3_server;
mod sinks;
mod sources;
mod trail;
