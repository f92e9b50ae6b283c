//! Imports AWS CloudTrail logs into SQL databases.
pub mod object;
