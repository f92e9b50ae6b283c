//! Whether what was imported is what CloudTrail delivered.
//!
//! CloudTrail signs what it delivers: once an hour, per account, region and trail, a *digest* lists
//! the log files that were delivered, with their hashes, and names the digest before it (AWS CloudTrail
//! user guide, "Validating CloudTrail log file integrity"). The digests of one trail form a *chain*.
//! This module reads digests and public keys, verifies signatures, and judges digests and log files.
//!
//! What is hashed and signed is the content, the uncompressed bytes. A log file that was compressed
//! again, or unpacked, is still proven.
//!
//! What it does not state: that CloudTrail recorded everything, that a region without digests had no
//! trail, and that rows in the database were left unchanged after the import.

pub mod hash;

pub mod key;

pub mod digest;

pub mod public_keys;

pub mod signature;

pub mod verdict;

pub mod judge;

#[cfg(test)]
#[path = "../../tests/signing/digest.rs"]
mod signer;
