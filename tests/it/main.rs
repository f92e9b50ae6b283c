//! Tests against real files, real servers and the real binary: one crate, so that it links once.

#![expect(clippy::unwrap_used, clippy::clone_on_ref_ptr, unreachable_pub, reason = "tests")]

mod answers;
mod bad_input;
mod binary;
mod browser;
mod cli;
mod clusters;
mod databases;
mod dedupe;
mod docs;
mod exactly_once;
mod filters;
mod hostile_mysql;
mod inputs;
mod key_server;
mod logs;
mod missing_servers;
mod model;
mod proxy;
mod release;
mod report;
mod s3_server;
mod shards;
mod sinks;
mod soak;
mod sources;
mod structure;
mod tools;
mod trail;
mod unix_sockets;
mod verify;
mod wait;
