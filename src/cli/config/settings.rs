//! The resolved settings of each command. Every default is filled in; every value is valid.

use std::path::PathBuf;
use std::sync::Arc;

use clap_complete::Shell;

use super::console::{AnswerForm, Console, Form};
use super::database::DatabaseSettings;
use super::defaults;
use super::shard::ShardSettings;
use super::source_spec::SourceSpec;
use crate::answers::{Filters, Search};
use crate::database::LoadMethod;
use crate::database::answer::Statement;
use crate::database::forget::UriScope;
use crate::database::url::Engine;
use crate::import::Plan;
use crate::import::batcher::BatchLimits;
use crate::source::s3::S3Options;
use crate::trail::filter::{FilterSet, RecordFilter};
use crate::trail::layout::Selection;
use crate::trail::object::Shard;
use crate::trail::time::EventTime;

/// What one run of the program does, and how it prints.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The command and its settings.
    pub command: CommandSettings,
    /// How the program prints.
    pub console: Console,
    /// The number of threads that may block at the same time. Each keeps memory of its own.
    pub blocking_threads: usize,
}

/// The commands.
#[derive(Debug, Clone, PartialEq)]
pub enum CommandSettings {
    /// Loads logs, then builds the missing indexes.
    Import(Box<ImportSettings>),
    /// Lists and compares with the ledger; writes nothing.
    DryRun(Box<ImportSettings>),
    /// Builds the missing indexes.
    Index(DatabaseSettings),
    /// Prints what the ledger records.
    Status(StatusSettings),
    /// Prints a record.
    Record(RecordSettings),
    /// Lists the questions.
    Questions(Form),
    /// Answers a question.
    Query(Box<QuerySettings>),
    /// Searches events.
    Search(Box<SearchSettings>),
    /// Writes a page of answers.
    Report(Box<ReportSettings>),
    /// Removes what objects brought in.
    Forget(ForgetSettings),
    /// Reports or removes duplicates.
    Dedupe(DedupeSettings),
    /// Verifies what is loaded.
    Verify(Box<VerifySettings>),
    /// Prints the definition of the tables.
    Schema(Engine),
    /// Prints a completion script.
    Completions(Shell),
    /// Writes the manual pages into a folder.
    Man(PathBuf),
}

/// The settings of `import`, with or without `--dry-run`.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct ImportSettings {
    /// The database to load into.
    pub database: DatabaseSettings,
    /// The sources to import; at least one, in the order typed.
    pub sources: Vec<SourceSpec>,
    /// Whether links that lead out of a folder are followed.
    pub follows_links: bool,
    /// How to reach S3.
    pub s3: S3Options,
    /// Which objects of the sources are imported.
    pub selection: Selection,
    /// Which of their records are loaded.
    pub filter: RecordFilter,
    /// The part of the objects that this machine imports; `None` for all.
    pub shard: Option<ShardSettings>,
    /// Steps of the listing that are taken at once, in [`defaults::LISTERS_RANGE`].
    pub listers: usize,
    /// Objects fetched at once, in [`defaults::FETCHERS_RANGE`] unless it is the default.
    pub fetchers: usize,
    /// Connections that write at once, in [`defaults::WRITERS_RANGE`]; 1 for SQLite.
    pub writers: usize,
    /// A batch closes at this many rows, in [`defaults::BATCH_ROWS_RANGE`]; a single object may
    /// have more.
    pub batch_rows_max: usize,
    /// A batch closes at this many bytes, in [`defaults::BATCH_BYTES_RANGE`]; a single object may
    /// have more.
    pub batch_bytes_max: usize,
    /// Budget of all buffers in flight, in [`defaults::MEMORY_BYTES_RANGE`]. It may be less than
    /// `object_bytes_max`: an object larger than the whole budget is processed alone.
    pub memory_bytes: u64,
    /// A decoded object with more bytes fails, in [`defaults::OBJECT_BYTES_RANGE`].
    pub object_bytes_max: u64,
    /// How rows are sent; [`LoadMethod::Copy`] with PostgreSQL only.
    pub load_method: LoadMethod,
    /// Whether rows get the fields that are not among the 16 columns.
    pub keeps_other_fields: bool,
    /// Whether the rows of an object that changed after it was loaded are replaced.
    pub replaces_changed: bool,
    /// Whether the missing indexes are built at the end: never by one of several shards.
    pub builds_indexes: bool,
    /// Whether a narrow `logs` table may be altered.
    pub upgrades_table: bool,
    /// Whether a run that leaves something out ends with exit code 0.
    pub exits_zero_on_losses: bool,
    /// Whether what is loaded is verified at the end.
    pub verifies: bool,
    /// The files with public keys, for the verification; if there are none, CloudTrail is asked.
    pub public_keys: Vec<PathBuf>,
    /// The prices of requests, for the dry run.
    pub prices: Prices,
}

/// The settings of `verify`.
#[derive(Debug, Clone, PartialEq)]
pub struct VerifySettings {
    /// The database that is verified.
    pub database: DatabaseSettings,
    /// The sources that were imported; at least one.
    pub sources: Vec<SourceSpec>,
    /// How to reach S3.
    pub s3: S3Options,
    /// The days, accounts and regions that are verified.
    pub selection: Selection,
    /// Objects fetched at once, in [`defaults::FETCHERS_RANGE`].
    pub fetchers: usize,
    /// Whether objects are read again whose content was not hashed.
    pub rereads: bool,
    /// The files with public keys; if there are none, CloudTrail is asked.
    pub public_keys: Vec<PathBuf>,
    /// The most bytes that an object may decode to, in [`defaults::OBJECT_BYTES_RANGE`].
    pub object_bytes_max: u64,
}

/// The settings of `status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusSettings {
    /// The database with the ledger.
    pub database: DatabaseSettings,
    /// What is printed.
    pub part: StatusPart,
    /// The largest number of lines, the newest ones, in [`defaults::STATUS_LINES_RANGE`].
    pub lines_max: usize,
}

/// The settings of `record`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordSettings {
    /// The database.
    pub database: DatabaseSettings,
    /// The `eventID` of the record.
    pub event_id: String,
}

/// The settings of `query`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuerySettings {
    /// The database.
    pub database: DatabaseSettings,
    /// The question with its filters.
    pub statement: Statement,
    /// The largest number of rows, unless the question has only one.
    pub rows_max: Option<u32>,
    /// The column that is drawn as bars.
    pub bar: Option<&'static str>,
    /// Whether the SQL is printed instead of run.
    pub prints_sql: bool,
    /// Where the answer goes.
    pub export: Export,
}

/// The settings of `search`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchSettings {
    /// The database.
    pub database: DatabaseSettings,
    /// The search with its filters.
    pub search: Search,
    /// Whether the SQL is printed instead of run.
    pub prints_sql: bool,
    /// Where the events go.
    pub export: Export,
}

/// Where an answer goes, and in what form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// The form.
    pub form: AnswerForm,
    /// The file that it is written into; standard output if there is none.
    pub file: Option<PathBuf>,
    /// Whether it is compressed.
    pub is_gzip: bool,
}

impl Export {
    /// Returns the width of the terminal, if the answer goes there as it is.
    pub(crate) fn columns(&self, terminal_columns: Option<usize>) -> Option<usize> {
        terminal_columns.filter(|_| self.file.is_none() && !self.is_gzip)
    }
}

/// The settings of `report`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportSettings {
    /// The database.
    pub database: DatabaseSettings,
    /// Which events the page is about: a time, an account and a region.
    pub filters: Filters,
    /// From when something counts as new; otherwise it is derived from the events.
    pub new_since: Option<EventTime>,
    /// The file that the page is written into.
    pub file: PathBuf,
}

/// The settings of `forget`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForgetSettings {
    /// The database.
    pub database: DatabaseSettings,
    /// The objects to remove; at least one scope.
    pub scopes: Vec<UriScope>,
    /// Whether they are only counted.
    pub is_dry_run: bool,
}

/// The settings of `dedupe`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DedupeSettings {
    /// The database.
    pub database: DatabaseSettings,
    /// Whether duplicates are removed, and not only reported.
    pub deletes: bool,
    /// The largest number of pairs of folders that are listed, and of events with different contents, in
    /// [`defaults::STATUS_LINES_RANGE`].
    pub lines_max: usize,
}

/// What `status` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusPart {
    /// The sums over all objects, and the last run.
    Totals,
    /// Objects that failed, with the reason.
    Failed,
    /// Objects that were skipped, with their kind.
    Skipped,
    /// Records that were rejected, with the reason.
    Rejected,
    /// Runs of `import`.
    Runs,
}

/// What a thousand requests cost, in US dollars.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prices {
    /// LIST.
    pub list: f64,
    /// GET.
    pub get: f64,
}

impl ImportSettings {
    /// Returns the settings that the pipeline needs.
    pub(crate) fn plan(&self) -> Plan {
        Plan {
            selection: Arc::new(self.selection.clone()),
            selected: FilterSet::of(&self.filter),
            shard: self.shard.as_ref().map_or(Shard::WHOLE, |it| it.shard),
            listers: self.listers,
            fetchers: self.fetchers,
            writers: self.writers,
            batch: BatchLimits {
                rows_max: self.batch_rows_max,
                bytes_max: self.batch_bytes_max,
                objects_max: defaults::BATCH_OBJECTS_MAX,
            },
            memory_bytes: self.memory_bytes,
            object_bytes_max: self.object_bytes_max,
            replaces_changed: self.replaces_changed,
            hashes_contents: self.verifies,
            retry: defaults::database_retry(self.database.retry_for),
        }
    }
}
