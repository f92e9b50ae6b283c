//! Imports AWS CloudTrail logs into SQL databases.
pub mod decode;
pub mod object;
pub mod record;
pub mod row;
