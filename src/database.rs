//! Where rows go and answers come from: one database with our tables.
//!
//! A `Sink` takes batches; a `Store` is a sink with everything around it: creating the tables,
//! the record of runs, the indexes built after the load, what `status` reads. The rest of the
//! program sees these two traits only. This room knows no sources and no JSON.

pub mod ledger;

pub mod batch;

pub(crate) mod spelling;

pub mod url;

pub mod status;

#[cfg(test)]
pub(crate) mod memory_store;

mod sql;

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use self::batch::Batch;
use self::ledger::Line;
use self::status::{FailedObject, RejectedRecord, RunLine, RunTotals};
use self::url::{DatabaseUrl, Engine};
use crate::trail::object::ObjectId;
use crate::trail::record::CellRules;

/// A database that takes batches of whole objects.
///
/// Both methods are called concurrently, by listers and writers. A batch has at least one object;
/// an empty list of ids is answered without a query.
///
/// # Cancellation
/// A call that is dropped leaves the database as if its transaction had been rolled back, unless
/// the commit was already on its way; then only [`Sink::seen`] can tell.
#[async_trait]
pub trait Sink: Send + Sync + fmt::Debug {
    /// Returns what the `logs` table can hold.
    fn rules(&self) -> &CellRules;

    /// Returns the ledger lines of those objects that have one.
    async fn seen(&self, ids: &[ObjectId]) -> Result<HashMap<ObjectId, Line>, DatabaseError>;

    /// Writes a batch of the run `run_id` in one transaction: rows, rejects and ledger lines.
    ///
    /// All of them are committed when it returns `Ok`, and none of them after an error, except
    /// when the answer to the commit was lost ([`ErrorClass::Transient`]).
    async fn write(&self, run_id: i64, batch: &Batch) -> Result<(), DatabaseError>;
}

/// A database with our tables, and everything an import does with it besides writing batches.
#[async_trait]
pub trait Store: Sink {
    /// Creates what is missing: the database, where the account may, and the tables.
    ///
    /// Returns whether the database itself was created.
    ///
    /// # Errors
    /// The database cannot be reached or created, or has a `logs` table that cannot hold every
    /// record. A narrow one is altered or refused, as `policy` says.
    async fn prepare(&self, policy: UpgradePolicy) -> Result<bool, DatabaseError>;

    /// Returns whether the database and its ledger exist; creates nothing.
    async fn has_ledger(&self) -> Result<bool, DatabaseError>;

    /// Records that a run has begun; returns its id. `sources` is a JSON array.
    async fn begin_run(&self, sources: &str) -> Result<i64, DatabaseError>;

    /// Records how a run ended.
    async fn finish_run(
        &self,
        run_id: i64,
        outcome: &str,
        totals: &RunTotals,
    ) -> Result<(), DatabaseError>;

    /// Returns the indexes of the post-load step that the `logs` table lacks.
    ///
    /// An index of the user's whose first column is the same counts as present.
    async fn missing_indexes(&self) -> Result<Vec<Index>, DatabaseError>;

    /// Builds the missing indexes, as many at once as suits the database; returns what it built.
    ///
    /// # Cancellation
    /// Each index is built whole or not at all; the next call builds the rest.
    async fn build_missing_indexes(self: Arc<Self>) -> Result<Vec<BuiltIndexes>, DatabaseError>;

    /// Returns the sums over all lines of the ledger.
    async fn ledger_totals(&self) -> Result<RunTotals, DatabaseError>;

    /// Returns the last runs, at most `lines_max`, the newest first.
    async fn runs(&self, lines_max: u32) -> Result<Vec<RunLine>, DatabaseError>;

    /// Returns objects that failed, at most `lines_max`, the latest first.
    async fn failed_objects(&self, lines_max: u32) -> Result<Vec<FailedObject>, DatabaseError>;

    /// Returns rejected records, at most `lines_max`, by object and place.
    async fn rejected_records(&self, lines_max: u32) -> Result<Vec<RejectedRecord>, DatabaseError>;

    /// Closes idle connections gracefully.
    async fn close(&self);
}

/// Makes the store for a database. It connects to nothing yet.
///
/// # Errors
/// The driver does not understand the URL.
pub fn open(url: &DatabaseUrl, options: OpenOptions) -> Result<Arc<dyn Store>, DatabaseError> {
    Ok(Arc::new(sql::SqlStore::new(url, options)?))
}

/// How a database is opened.
#[derive(Debug, Clone, Copy)]
pub struct OpenOptions {
    /// How rows are sent.
    pub load_method: LoadMethod,
}

/// How rows are sent to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadMethod {
    /// PostgreSQL's COPY in binary format.
    Copy,
    /// Multi-row INSERT statements.
    Insert,
}

impl LoadMethod {
    /// Returns the fastest method for `engine`.
    pub fn fastest(engine: Engine) -> Self {
        if engine == Engine::Postgres { Self::Copy } else { Self::Insert }
    }
}

/// What to do with a `logs` table that cannot hold every record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpgradePolicy {
    /// Refuse it, and name the statements that would alter it.
    Refuse,
    /// Alter it.
    Upgrade,
}

/// An index on one column of `logs`, built after the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Index {
    /// Its name in the database.
    pub name: &'static str,
    /// The column it is on.
    pub column: &'static str,
}

/// Indexes that one statement built, and how long it took.
#[derive(Debug, Clone)]
pub struct BuiltIndexes {
    /// One index, or several where the database builds them in one pass.
    pub indexes: Vec<Index>,
    /// From the statement's start to its end.
    pub took: Duration,
}

/// What the layer below says.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// Why the database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct DatabaseError {
    /// What the caller may do about it.
    pub class: ErrorClass,
    /// What could not be done, such as "cannot write a batch".
    pub message: String,
    /// What the database or the driver says.
    #[source]
    pub source: Option<BoxError>,
    /// What the user can do.
    pub hint: Option<String>,
}

/// What a caller may do about a [`DatabaseError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// It may work in a moment: a lost connection, a deadlock, a busy server. Ask the ledger before
    /// writing again.
    Transient,
    /// The ledger already has a line for one of the objects: ask which.
    Conflict,
    /// The database refuses this data; other data may pass.
    DataRefused,
    /// Nothing more can be done with this database.
    Fatal,
}

impl DatabaseError {
    /// Returns the error of a request that may succeed if it is repeated.
    pub fn transient(doing: &str, source: BoxError) -> Self {
        let message = format!("cannot {doing}");
        let hint = "check that the server runs, and the host and port in the database URL, then \
                    run the same command: what is loaded stays";
        Self {
            class: ErrorClass::Transient,
            message,
            source: Some(source),
            hint: Some(hint.to_owned()),
        }
    }

    /// Returns the error of a batch with an object that already has a ledger line.
    pub fn conflict() -> Self {
        let message = "another import wrote one of these objects first".to_owned();
        Self { class: ErrorClass::Conflict, message, source: None, hint: None }
    }

    /// Returns the error of data that the database refuses.
    pub fn data_refused(source: BoxError) -> Self {
        let message = "the database refuses the data".to_owned();
        Self { class: ErrorClass::DataRefused, message, source: Some(source), hint: None }
    }

    /// Returns an error that no retry and no other data can help.
    pub fn fatal(doing: &str, source: BoxError, hint: Option<String>) -> Self {
        let message = format!("cannot {doing}");
        Self { class: ErrorClass::Fatal, message, source: Some(source), hint }
    }

    /// Returns the cause; the error's own text if there is none.
    pub fn into_source(self) -> BoxError {
        self.source.unwrap_or_else(|| self.message.into())
    }

    /// Returns the error of a database that exists, but not as our tables need it.
    pub fn unusable(message: String, hint: String) -> Self {
        Self { class: ErrorClass::Fatal, message, source: None, hint: Some(hint) }
    }
}
