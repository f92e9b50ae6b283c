//! A batch: whole objects that are written in one transaction.

use super::ledger::ObjectOutcome;
use crate::trail::object::{ObjectId, ObjectRef};
use crate::trail::record::{Kind, Log};

/// An object after fetching, decoding and parsing, ready to be written.
#[derive(Debug)]
pub struct ParsedObject {
    /// The object as it was listed.
    pub object: ObjectRef,
    /// Its key in the ledger.
    pub id: ObjectId,
    /// The SHA-256 of its stored bytes; empty if they could not be read.
    pub sha256: String,
    /// Whether its ledger line replaces an existing one.
    pub replaces_line: bool,
    /// [`ObjectOutcome::AlreadyLoaded`] and [`ObjectOutcome::Changed`] update the ledger line.
    outcome: ObjectOutcome,
    /// Invariant: empty unless the outcome is [`ObjectOutcome::Loaded`].
    log: Log,
}

/// Why an object has no rows to load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoRows {
    /// It is not a log file.
    Skipped(Kind),
    /// It cannot be read, for this reason.
    Failed(String),
}

impl ParsedObject {
    /// Makes a parsed object from its content.
    pub fn new(
        object: ObjectRef,
        id: ObjectId,
        sha256: String,
        replaces_line: bool,
        content: Result<Log, NoRows>,
    ) -> Self {
        let (outcome, log) = match content {
            Ok(log) => (ObjectOutcome::Loaded, log),
            Err(NoRows::Skipped(kind)) => (ObjectOutcome::Skipped(kind), Log::default()),
            Err(NoRows::Failed(reason)) => (ObjectOutcome::Failed(reason), Log::default()),
        };
        Self { object, id, sha256, replaces_line, outcome, log }
    }

    /// Makes an object that was loaded before and has another version now. `sha256` is that of its
    /// bytes now. If they are the same as when it was loaded, its ledger line gets the new version;
    /// otherwise the line also records that it changed.
    pub fn compared(object: ObjectRef, id: ObjectId, sha256: String, loaded_sha256: &str) -> Self {
        let outcome = if sha256 == loaded_sha256 {
            ObjectOutcome::AlreadyLoaded
        } else {
            let reason = "it changed since it was loaded; the rows of its earlier content are \
                          still there";
            ObjectOutcome::Changed(reason.to_owned())
        };
        Self { object, id, sha256, replaces_line: false, outcome, log: Log::default() }
    }

    /// Returns whether it updates its ledger line instead of writing a new one.
    pub fn updates_line(&self) -> bool {
        matches!(self.outcome, ObjectOutcome::AlreadyLoaded | ObjectOutcome::Changed(_))
    }

    /// Returns what the ledger will record of the object once it is written.
    pub fn outcome(&self) -> &ObjectOutcome {
        &self.outcome
    }

    /// Returns its rows and rejects; none unless the outcome is [`ObjectOutcome::Loaded`].
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Drops its rows and rejects; the ledger will record the reason instead.
    pub fn fail(&mut self, reason: String) {
        self.outcome = ObjectOutcome::Failed(reason);
        self.log = Log::default();
    }
}

/// Objects that are written in one transaction.
#[derive(Debug)]
pub struct Batch {
    /// The batch's number within its run. Together with the run's id, it identifies the ledger
    /// lines of this batch: after a lost answer to the commit, they are distinguished from those of
    /// another import.
    pub id: i64,
    /// At least one object, each at most once.
    pub objects: Vec<ParsedObject>,
}

impl Batch {
    /// Returns how many rows its objects have together.
    pub fn rows(&self) -> usize {
        self.objects.iter().map(|object| object.log.rows.len()).sum()
    }

    /// Returns how many bytes its rows and rejects have together.
    pub fn row_bytes(&self) -> u64 {
        let bytes = |log: &Log| {
            let rejects: usize = log.rejects.iter().map(|reject| reject.text.len()).sum();
            (log.rows.as_copy_bytes().len() + rejects) as u64
        };
        self.objects.iter().map(|object| bytes(&object.log)).sum()
    }
}
