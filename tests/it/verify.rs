//! What was imported, verified with the digests, end to end.
//!
//! Each of the `scenarios` is a trail with signed digests to which something was done, and what has to be
//! found. `oracle` has the official AWS CLI judge the same objects.

#[path = "../signing/digest.rs"]
mod signing;

mod label;

mod tree;

mod scenarios;

mod aws_cli;

mod cloudtrail;

mod oracle;

mod program;

mod judged;

mod again;
