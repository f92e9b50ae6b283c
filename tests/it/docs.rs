//! Keeps the documentation true: README.md, CONTRIBUTING.md, BENCHMARKS.md and every page of
//! `docs/`.
//!
//! The outputs, the answers and the picture in them are written by a command, never by hand:
//!
//! ```text
//! DOCS_BLESS=1 cargo test --test it docs
//! ```
//!
//! Without the variable, a test fails where a page differs from what the program prints. Times are
//! not compared.

mod answers;
mod examples;
mod links;
mod options;
pub mod pages;
mod picture;
mod structure;
mod tables;

/// Returns whether the tests write what they find instead of comparing it.
pub fn blesses() -> bool {
    std::env::var_os("DOCS_BLESS").is_some()
}
