//! What every sink promises, on SQLite, PostgreSQL, MySQL and MariaDB; and what only one of them
//! can get wrong.
//!
//! Each test has a database of its own on a real server, and looks at it past the program, with
//! sqlx. A missing server is a failure.

mod commits;
mod indexes;
mod narrow_tables;
mod objects;
mod refusals;
mod runs;
mod scratch;
mod sizes;
mod tables;
mod tutorial;
mod values;
