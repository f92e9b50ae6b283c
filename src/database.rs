//! Where rows go and answers come from: one database with the program's tables.
//!
//! A `Sink` accepts batches. A `Store` is a sink and everything around it: the tables, the
//! record of runs, the indexes built after the load, the queries of `status`. The rest of the
//! program sees only these two traits. This room knows no sources and no JSON.

pub mod ledger;

pub mod batch;

pub mod indexes;

pub(crate) mod spelling;

pub(crate) mod redact;

pub mod url;

pub mod status;

pub mod jobs;

pub mod forget;

pub mod integrity;

pub mod answer;

pub mod dedupe;

pub(crate) mod attempts;

#[doc(hidden)]
pub mod memory_store;

mod sql;

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use self::answer::{RowSink, Statement};
use self::batch::Batch;
use self::dedupe::{Cursor, Duplicates, IdPage};
use self::forget::{KnownObject, UriScope};
use self::indexes::Index;
use self::integrity::{LedgerObject, Named, NewContentHash, StoredDay};
use self::ledger::Line;
use self::status::{
    FailedObject, PartlyLoaded, RejectedRecord, RunLine, RunStart, RunTotals, SkippedObject,
    StoredRecord,
};
use self::url::{DatabaseUrl, Engine};
use crate::retry::RetryPolicy;
use crate::trail::integrity::verdict::RememberedDigest;
use crate::trail::object::ObjectId;
use crate::trail::record::CellRules;

/// A database that accepts batches of whole objects.
///
/// Listers and writers call both methods concurrently. A batch has at least one object; an empty
/// list of ids is answered without a query.
///
/// # Cancellation
/// If a call is dropped, its transaction is rolled back, unless the commit was already sent; then
/// only [`Sink::seen`] shows whether it was committed.
#[async_trait]
pub trait Sink: Send + Sync + fmt::Debug {
    /// Returns what the `logs` table can hold.
    fn rules(&self) -> &CellRules;

    /// Returns the ledger lines of those objects that have one.
    async fn seen(&self, ids: &[ObjectId]) -> Result<HashMap<ObjectId, Line>, DatabaseError>;

    /// Writes a batch of the run `run_id` in one transaction: rows, rejects and ledger lines.
    ///
    /// All of them are committed when it returns `Ok`, and none of them after an error, except
    /// when the answer to the commit was lost ([`ErrorClass::Transient`]). Lines of `identities` may
    /// be committed in any case: they are true of any object.
    async fn write(&self, run_id: i64, batch: &Batch) -> Result<(), DatabaseError>;

    /// Returns those of the batch's numbers that the ledger gives to other objects.
    async fn taken_numbers(&self, batch: &Batch) -> Result<HashSet<i64>, DatabaseError>;
}

/// A database with the program's tables, and everything an import does with it besides writing
/// batches.
#[async_trait]
pub trait Store: Sink {
    /// Creates the database and the tables if they are missing, and migrates older tables.
    ///
    /// Returns whether the database itself was created.
    ///
    /// # Errors
    /// The database cannot be reached or created, or it has a `logs` table that cannot hold every
    /// record. A table with too narrow columns is altered or refused, depending on `policy`.
    async fn prepare(&self, policy: UpgradePolicy) -> Result<bool, DatabaseError>;

    /// Returns whether the database and its ledger exist. Creates nothing.
    async fn has_ledger(&self) -> Result<bool, DatabaseError>;

    /// Records that a run has begun; returns its id.
    async fn begin_run(&self, start: &RunStart) -> Result<i64, DatabaseError>;

    /// Records how a run ended.
    async fn finish_run(
        &self,
        run_id: i64,
        outcome: &str,
        totals: &RunTotals,
    ) -> Result<(), DatabaseError>;

    /// Returns the indexes of the post-load step that the tables lack.
    ///
    /// An index that the user created counts as present if it begins with the same columns.
    async fn missing_indexes(&self) -> Result<Vec<Index>, DatabaseError>;

    /// Builds the missing indexes, as many at once as suits the database; returns those it built.
    ///
    /// # Cancellation
    /// Each index is built whole or not at all; the next call builds the rest. A server continues
    /// to build after the future was dropped: use [`Store::cancel_statements`].
    async fn build_missing_indexes(self: Arc<Self>) -> Result<Vec<BuiltIndexes>, DatabaseError>;

    /// Returns what the server reports of the index builds, in words; `None` if it reports nothing.
    async fn build_progress(&self) -> Option<String>;

    /// Ends the statements of [`Store::build_missing_indexes`], [`Store::update_statistics`] and
    /// [`Store::answer`] on the server, which then return an error. Call it only while that future has
    /// not ended, and await that future.
    async fn cancel_statements(&self);

    /// Returns the sums over all lines of the ledger.
    async fn ledger_totals(&self) -> Result<RunTotals, DatabaseError>;

    /// Returns the last runs, at most `lines_max`, the newest first.
    async fn runs(&self, lines_max: u32) -> Result<Vec<RunLine>, DatabaseError>;

    /// Returns objects that failed, or changed after they were loaded: at most `lines_max`, those of
    /// the newest run first, then by URI.
    async fn failed_objects(&self, lines_max: u32) -> Result<Vec<FailedObject>, DatabaseError>;

    /// Returns objects that were skipped: at most `lines_max`, those of the newest run first, then by URI.
    async fn skipped_objects(&self, lines_max: u32) -> Result<Vec<SkippedObject>, DatabaseError>;

    /// Returns rejected records: at most `lines_max`, those of the newest run first, then by URI and
    /// position.
    async fn rejected_records(&self, lines_max: u32) -> Result<Vec<RejectedRecord>, DatabaseError>;

    /// Returns the records with this `eventID`, by the URI of their object: at most 1,000.
    async fn records(&self, event_id: &str) -> Result<Vec<StoredRecord>, DatabaseError>;

    /// Returns objects of the ledger: at most `objects_max` of those in the scope, in the order of
    /// their ids, from the first one after `after`.
    async fn known_objects(
        &self,
        scope: &UriScope,
        after: Option<ObjectId>,
        objects_max: usize,
    ) -> Result<Vec<KnownObject>, DatabaseError>;

    /// Removes the rows, rejects and ledger lines of these objects in one transaction. What is not
    /// there any longer is no error.
    ///
    /// Objects that lost rows as duplicates of those rows are loaded again by the next import; returns
    /// how many they are.
    async fn forget(&self, objects: &[KnownObject]) -> Result<u64, DatabaseError>;

    /// Fails if duplicates cannot be found, or with `removes` not removed.
    async fn check_duplicates(&self, removes: bool) -> Result<(), DatabaseError>;

    /// Returns some of the values of `eventID` that several rows have, from a place on.
    async fn duplicated_ids(&self, cursor: &Cursor) -> Result<IdPage, DatabaseError>;

    /// Returns the duplicates among the rows with these values of `eventID`.
    async fn duplicates(&self, ids: &[String]) -> Result<Duplicates, DatabaseError>;

    /// Removes the duplicates among the rows with these values of `eventID` in one transaction, together
    /// with their part of the ledger's counts.
    async fn remove_duplicates(&self, ids: &[String]) -> Result<Duplicates, DatabaseError>;

    /// Returns how many rows of the ledger's objects were removed as duplicates.
    async fn duplicates_removed(&self) -> Result<u64, DatabaseError>;

    /// Returns of which objects only a part is loaded, because of filters; `None` if there are none.
    async fn partly_loaded(&self) -> Result<Option<PartlyLoaded>, DatabaseError>;

    /// Returns some of the URIs below a folder or prefix, whose URI ends with a slash, in the order of
    /// their ids, from the first one after `after`: at most [`NAMES_MAX`](integrity::NAMES_MAX).
    async fn names(
        &self,
        named: Named,
        below: &str,
        after: Option<ObjectId>,
    ) -> Result<Vec<(ObjectId, String)>, DatabaseError>;

    /// Returns the objects of a folder, without those of its folders, that the ledger has. The URI of the
    /// folder has no slash at its end.
    async fn ledger_objects(&self, folder: &str) -> Result<Vec<LedgerObject>, DatabaseError>;

    /// Returns the digests of a folder that earlier verifications stored.
    async fn remembered_digests(
        &self,
        folder: &str,
    ) -> Result<Vec<RememberedDigest>, DatabaseError>;

    /// Stores hashes of contents that were loaded without them. It can be repeated.
    async fn store_content_hashes(&self, hashes: &[NewContentHash]) -> Result<(), DatabaseError>;

    /// Stores the verdict on a day in one transaction, in place of an earlier one. It can be repeated.
    async fn store_day(&self, day: &StoredDay<'_>) -> Result<(), DatabaseError>;

    /// Returns which of the tables and views that [`Store::answer`] reads are missing, such as
    /// "view `events`".
    async fn missing_for_answers(&self) -> Result<Vec<&'static str>, DatabaseError>;

    /// Runs a statement that only reads, and passes its rows on, one at a time.
    ///
    /// # Errors
    /// If it fails after the first row, the sink has accepted a part of the answer.
    ///
    /// # Cancellation
    /// A server continues to work after the future was dropped: use [`Store::cancel_statements`].
    async fn answer(
        &self,
        statement: &Statement,
        sink: &mut dyn RowSink,
    ) -> Result<(), DatabaseError>;

    /// Returns how many rows were loaded by version 0.1.0, which stored only the 16 columns.
    async fn rows_of_first_schema(&self) -> Result<u64, DatabaseError>;

    /// Brings the statistics that queries are planned with up to date, and on PostgreSQL the map of
    /// pages that an index alone can answer for. Returns how long it took.
    ///
    /// # Cancellation
    /// As [`Store::build_missing_indexes`].
    async fn update_statistics(self: Arc<Self>) -> Result<Duration, DatabaseError>;

    /// Closes idle connections gracefully.
    async fn close(&self);
}

/// Returns SQL that makes the tables, the view and the indexes of an engine.
pub fn ddl(engine: Engine) -> String {
    sql::ddl(engine)
}

/// Makes the store of a database. It opens no connection yet.
///
/// # Errors
/// The driver cannot parse the URL.
pub fn open(url: &DatabaseUrl, options: OpenOptions) -> Result<Arc<dyn Store>, DatabaseError> {
    Ok(Arc::new(sql::SqlStore::new(url, options)?))
}

/// How a database is opened.
#[derive(Debug, Clone, Copy)]
pub struct OpenOptions {
    /// How rows are sent.
    pub load_method: LoadMethod,
    /// How long a request is repeated while the server is away. [`Sink::seen`] and [`Sink::write`]
    /// do not repeat theirs: their caller does.
    pub retry: RetryPolicy,
    /// How long the server may take to answer.
    pub timeouts: Timeouts,
    /// Whether rows get `otherFields`.
    pub keeps_other_fields: bool,
}

/// How long a server may take to answer, before its connection counts as dead. SQLite has no server;
/// only `write` applies to it.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// To accept a connection.
    pub connect: Duration,
    /// To answer a statement that reads or writes a few lines.
    pub statement: Duration,
    /// To store a batch, including the wait for another import's locks, besides the time for its
    /// bytes.
    pub write: Duration,
    /// How often the server is asked whether it still works on a statement that may take hours, such
    /// as an index. The connection counts as dead when it twice does not.
    pub heartbeat: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            statement: Duration::from_mins(1),
            write: Duration::from_mins(2),
            heartbeat: Duration::from_secs(15),
        }
    }
}

impl Timeouts {
    /// The slowest rate, in bytes per second, at which a batch is stored.
    const WRITE_RATE_MIN: u64 = 64 << 10;

    /// Returns how long the write of a batch may take.
    fn write_of(&self, batch: &Batch) -> Duration {
        self.write + Duration::from_secs(batch.bytes() / Self::WRITE_RATE_MIN)
    }
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
    /// Refuse it, and show the statements that would alter it.
    Refuse,
    /// Alter it.
    Upgrade,
}

/// The indexes that one statement built, and how long it took.
#[derive(Debug, Clone)]
pub struct BuiltIndexes {
    /// One index, or several where the database builds them in one pass.
    pub indexes: Vec<Index>,
    /// From the start of the statement to its end.
    pub took: Duration,
}

/// The error of a lower layer.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// Why a request to the database failed.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct DatabaseError {
    /// What the caller may do about it.
    pub class: ErrorClass,
    /// What could not be done, such as "cannot write a batch".
    pub message: String,
    /// The error of the database or the driver.
    #[source]
    pub source: Option<BoxError>,
    /// What the user can do.
    pub hint: Option<String>,
}

/// What a caller may do about a [`DatabaseError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// The request may succeed later: a lost connection, a busy server. The caller queries the
    /// ledger before it writes again.
    Transient,
    /// The request lost against another transaction, by a deadlock for example, and may succeed at
    /// once. The caller queries the ledger before it writes again.
    Contention,
    /// The ledger already has a line for one of the objects. The caller queries which.
    Conflict,
    /// The database refuses this data; it may accept other data.
    DataRefused,
    /// Neither a retry nor other data can help.
    Fatal,
}

impl DatabaseError {
    /// Returns the error of a request that may succeed if it is repeated. `doing` is a verb in the
    /// infinitive with its object, such as "write a batch".
    pub fn transient(doing: &str, source: BoxError, hint: &str) -> Self {
        Self {
            class: ErrorClass::Transient,
            message: format!("cannot {doing}"),
            source: Some(source),
            hint: Some(hint.to_owned()),
        }
    }

    /// Returns the error of a request that lost against another transaction.
    pub fn contention(doing: &str, source: BoxError) -> Self {
        let hint = "another transaction holds the locks: run the same command again when it has \
                    ended";
        Self {
            class: ErrorClass::Contention,
            message: format!("cannot {doing}"),
            source: Some(source),
            hint: Some(hint.to_owned()),
        }
    }

    /// Returns the error of a batch with an object that already has a ledger line. `source` names
    /// the constraint.
    pub fn conflict(source: BoxError) -> Self {
        let message = "another import wrote one of these objects first".to_owned();
        Self { class: ErrorClass::Conflict, message, source: Some(source), hint: None }
    }

    /// Returns the error of a batch that conflicts again and again, although the ledger has no line
    /// for its objects.
    pub fn refused_line(conflict: Self) -> Self {
        let hint = "the ledger has no line for these objects: look for a unique index or a trigger \
                    on `import_objects` that this program did not make";
        Self::fatal("write a ledger line", conflict.into_source(), Some(hint.to_owned()))
    }

    /// Returns the error of data that the database refuses.
    pub fn data_refused(source: BoxError) -> Self {
        let message = "the database refuses the data".to_owned();
        Self { class: ErrorClass::DataRefused, message, source: Some(source), hint: None }
    }

    /// Returns an error that neither a retry nor other data can help.
    pub fn fatal(doing: &str, source: BoxError, hint: Option<String>) -> Self {
        let message = format!("cannot {doing}");
        Self { class: ErrorClass::Fatal, message, source: Some(source), hint }
    }

    /// Returns the error of a database that exists, but whose tables cannot be used.
    pub fn unusable(message: String, hint: String) -> Self {
        Self { class: ErrorClass::Fatal, message, source: None, hint: Some(hint) }
    }

    /// Returns the cause; the error's own text if it has none.
    pub fn into_source(self) -> BoxError {
        self.source.unwrap_or_else(|| self.message.into())
    }
}
