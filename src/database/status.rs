//! What the database holds, as `status` and `record` print it.

use serde::Serialize;

use crate::trail::filter::FilterSet;
use crate::trail::object::Shard;

/// What is known of a run when it begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunStart {
    /// The sources it imports: a JSON array.
    pub sources: String,
    /// Which objects of the sources it imports: a JSON object; `None` for all.
    pub selection: Option<String>,
    /// The part of these objects that it imports, if it was told one.
    pub shard: Option<Shard>,
    /// The job that started it and the other shards, as the job engine names it.
    pub job: Option<String>,
}

/// The sums of one run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RunTotals {
    /// Objects listed.
    pub listed: u64,
    /// Objects whose rows this run loaded.
    pub loaded: u64,
    /// Objects that were loaded before.
    pub already_loaded: u64,
    /// Objects that are not log files.
    pub skipped: u64,
    /// Objects that could not be loaded, and those that changed after they were loaded.
    pub failed: u64,
    /// Records read from the loaded objects.
    pub records: u64,
    /// Rows among them.
    pub rows: u64,
    /// Rejected ones among them.
    pub rejects: u64,
    /// Those among them that no filter selects.
    pub filtered: u64,
    /// Characters that were replaced by U+FFFD, and values that were replaced by their text.
    pub replaced_chars: u64,
}

/// Objects of which only a part is loaded, because of the filters of imports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartlyLoaded {
    /// How many.
    pub objects: u64,
    /// The records of them that no filter selects.
    pub filtered: u64,
    /// What is loaded of each of them; `None` if it differs.
    pub filters: Option<FilterSet>,
}

/// One line of `import_runs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunLine {
    /// The run's number.
    pub id: i64,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// RFC 3339, UTC; `None` while it runs, and if it was killed.
    pub finished_at: Option<String>,
    /// `running`, `complete`, `partial`, `interrupted` or `failed`.
    pub outcome: String,
    /// The sources it imports: a JSON array.
    pub sources: String,
    /// Which objects of the sources it imports: a JSON object; `None` for all, and if version 0.1.0
    /// wrote the line.
    pub selection: Option<String>,
    /// The part of these objects that it imports; `None` if it was not told one.
    pub shard: Option<Shard>,
    /// The job that started it, as the job engine names it.
    pub job: Option<String>,
    /// The version of the program.
    pub program_version: String,
    /// Its sums; zero until it finished.
    pub totals: RunTotals,
}

/// An object that failed, or changed after it was loaded, as the ledger records it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailedObject {
    /// Its location.
    pub uri: String,
    /// Why it failed.
    pub reason: String,
    /// RFC 3339, UTC.
    pub finished_at: String,
    /// The run that failed to load it, or found that it changed.
    pub run_id: i64,
}

/// An object that was skipped, because it holds no records, as the ledger records it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SkippedObject {
    /// Its location.
    pub uri: String,
    /// What it is: the name of a [`Kind`](crate::trail::record::Kind).
    pub kind: String,
    /// RFC 3339, UTC.
    pub finished_at: String,
    /// The run that skipped it.
    pub run_id: i64,
}

/// A record that was rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RejectedRecord {
    /// The object that contains it.
    pub uri: String,
    /// Its position among the object's records, from 0.
    pub record_index: u64,
    /// The position of its first byte in the decoded text.
    pub offset_bytes: u64,
    /// Why it was rejected.
    pub reason: String,
    /// Its text.
    pub record: String,
}

/// A record that is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// Its JSON text.
    pub json: String,
    /// Whether the fields that are not among the 16 columns are stored.
    pub has_other_fields: bool,
    /// The object that contains it; `None` if version 0.1.0 loaded it, or another program.
    pub uri: Option<String>,
    /// The SHA-256 of the object's stored bytes, in hexadecimal.
    pub sha256: Option<String>,
}
