//! What differs between the databases, and what their errors mean.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::migrate::Migrator;

use super::connection::Connection;
use super::schema::Dialect;
use crate::database::Index;

/// What a database's error means to us; decided once, by its driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Try again.
    Transient,
    /// A line of the ledger is there already.
    Conflict,
    /// The data is at fault.
    Refused,
    /// The database does not exist yet.
    NoDatabase,
    /// The account may not; the hint says what it needs.
    Forbidden(String),
    /// Nothing helps; the hint says what the user can do.
    Fatal(Option<String>),
}

/// What is wrong with a `logs` table, and the SQL that would mend it, if any would.
#[derive(Debug)]
pub(super) struct Misfit {
    pub(super) what: String,
    pub(super) statements: Vec<String>,
}

/// What differs between the databases.
#[async_trait]
pub(super) trait Driver: Send + Sync + fmt::Debug {
    fn dialect(&self) -> Dialect;

    /// How many connections may be open at once.
    fn connections_max(&self) -> usize;

    /// How many index builds run side by side.
    fn index_width(&self) -> usize;

    async fn connect(&self) -> Result<Box<dyn Connection>, sqlx::Error>;

    fn meaning(&self, error: &dyn sqlx::error::DatabaseError) -> Meaning;

    /// Creates the database itself; one that exists by now is fine.
    async fn create_database(&self) -> Result<(), sqlx::Error>;

    /// Returns what would make it possible to create the database.
    fn create_database_hint(&self) -> String;

    /// Returns the files of this database's folder in `migrations/`.
    fn migrations(&self) -> Migrator;

    /// Begins the transaction that creates the tables, and keeps other imports out of theirs
    /// until it ends or the connection does.
    async fn begin_migrations(&self, connection: &mut dyn Connection) -> Result<(), sqlx::Error>;

    /// Checks an existing `logs` table; none is fine.
    async fn misfit(&self, connection: &mut dyn Connection) -> Result<Option<Misfit>, sqlx::Error>;

    /// Returns the SQL of a query whose text column names each column an index of `logs` leads
    /// with.
    fn indexed_columns_sql(&self) -> &'static str;

    /// Returns the statements that build the indexes, each with the indexes it builds.
    fn index_statements(&self, missing: &[Index]) -> Vec<(Vec<Index>, String)>;

    /// Returns the SQL of a query that answers one integer: whether the ledger's table exists.
    fn has_ledger_sql(&self) -> &'static str;
}

/// Returns the error of a server that is silent for too long.
pub(super) fn timed_out(what: &str, after: Duration) -> sqlx::Error {
    let text = format!("{what} within {} s", after.as_secs());
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, text))
}
