//! What CloudTrail is: where its files lie, how they are compressed, and what a record is.
//!
//! Pure: nothing here reads a file, opens a connection, waits or knows SQL.

pub mod object;

pub mod layout;

pub mod gzip;

pub mod format;

pub mod fields;

pub mod time;

pub mod filter;

pub mod identity;

pub mod rows;

pub mod record;

pub mod integrity;
