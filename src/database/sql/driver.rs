//! What differs between the databases.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use super::connection::Connection;
use super::error::SqlErrorClass;
use super::schema::{ColumnInfo, SchemaMismatch};
use crate::database::DatabaseError;
use crate::database::indexes::Index;
use crate::database::url::Engine;

/// One database engine, behind sqlx's driver for it.
#[async_trait]
pub(super) trait Driver: Send + Sync + fmt::Debug {
    fn engine(&self) -> Engine;

    /// Returns how many connections may be open at once.
    fn connections_max(&self) -> usize;

    /// Returns how many index builds run side by side.
    fn index_width(&self) -> usize;

    /// Returns what the user should know about the encryption of the connections.
    fn tls_warning(&self) -> Option<&str> {
        None
    }

    async fn connect(&self) -> Result<Box<dyn Connection>, sqlx::Error>;

    /// Returns the class of an error that the database reported, by its code.
    fn classify(&self, error: &dyn sqlx::error::DatabaseError) -> SqlErrorClass;

    /// Returns the code of an error as the database's documentation names it: "error 1615".
    fn code_text(&self, error: &dyn sqlx::error::DatabaseError) -> String;

    /// Returns which privileges the account lacks after [`SqlErrorClass::Forbidden`].
    fn privileges_hint(&self) -> String;

    /// Creates the database itself. If it exists by now, that is a success.
    async fn create_database(&self) -> Result<(), sqlx::Error>;

    /// Returns what the user can do if the account may not create the database.
    fn create_database_hint(&self) -> String;

    /// Begins the transaction of the migrations, and takes the lock that keeps other imports out of
    /// theirs. Both last until COMMIT or until the connection is closed. Waits for the lock at most
    /// `wait`, in whole seconds; the caller tries again until its deadline. SQLite has its own limit.
    async fn begin_migrations(
        &self,
        connection: &mut dyn Connection,
        wait: Duration,
    ) -> Result<(), sqlx::Error>;

    /// Returns a query of the columns of a table or view, whose name it binds: name, type, character
    /// set, and whether a row may be inserted without a value for it (1 or 0).
    fn columns_sql(&self) -> &'static str;

    /// Returns why the `logs` table with these columns cannot hold every record, besides its lack of
    /// columns; `None` if it can.
    async fn find_mismatch(
        &self,
        connection: &mut dyn Connection,
        columns: &[ColumnInfo],
    ) -> Result<Option<SchemaMismatch>, sqlx::Error>;

    /// Returns why a commit may reach the rows and not the ledger, or the reverse; `None` if it cannot.
    async fn find_split_commits(
        &self,
        _connection: &mut dyn Connection,
    ) -> Result<Option<SchemaMismatch>, sqlx::Error> {
        Ok(None)
    }

    /// Returns what helps against a `logs` table that cannot be used.
    fn other_table_hint(&self) -> &'static str {
        "import into another database, or rename that table"
    }

    /// Returns why tables and indexes must not be created or changed through this connection; `None` if
    /// they may.
    async fn find_ddl_refusal(
        &self,
        _connection: &mut dyn Connection,
    ) -> Result<Option<DatabaseError>, sqlx::Error> {
        Ok(None)
    }

    /// Returns a query of the indexes of a table, whose name it binds: name and column, in the order of
    /// the key.
    fn indexes_sql(&self) -> &'static str;

    /// Returns the statements that build the indexes, each with the indexes it builds.
    fn index_statements(&self, missing: &[Index]) -> Vec<(Vec<Index>, String)>;

    /// Returns a query of one text that says how far the index builds are, if the database has one.
    fn build_progress_sql(&self) -> Option<&'static str> {
        None
    }

    /// Returns the statements that bring the statistics of the tables up to date.
    fn statistics_statements(&self) -> &'static [&'static str];

    /// Returns a statement after them, if the database has one that makes answers faster and cannot run
    /// in a transaction.
    fn vacuum_sql(&self) -> Option<&'static str> {
        None
    }

    /// Returns a query that binds the name of a table or view and returns one integer: 1 if it
    /// exists, otherwise 0.
    fn has_table_sql(&self) -> &'static str;
}
