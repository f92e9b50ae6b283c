//! A batch: whole objects that are written in one transaction.

use super::ledger::{Line, LoadedContent, ObjectOutcome};
use crate::trail::filter::FilterSet;
use crate::trail::integrity::hash::ContentHash;
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
    /// The content whose rows and line it replaces.
    replaced: Option<LoadedContent>,
    /// Which records its ledger line says are loaded. It adds others to them, and to the line.
    extended: Option<FilterSet>,
    /// Which records its ledger line will say are loaded or rejected.
    filters: FilterSet,
    /// The hash of its content, if it was taken.
    content: Option<ContentHash>,
    /// Its number in the ledger, which its rows refer to.
    number: i64,
    /// How many numbers of other objects it had to give up.
    renumbered: u32,
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
        let number = id.number(0);
        let (outcome, mut log) = match content {
            Ok(log) => (ObjectOutcome::Loaded, log),
            Err(NoRows::Skipped(kind)) => (ObjectOutcome::Skipped(kind), Log::default()),
            Err(NoRows::Failed(reason)) => (ObjectOutcome::Failed(reason), Log::default()),
        };
        log.rows.set_object(number);
        Self {
            object,
            id,
            sha256,
            replaces_line,
            replaced: None,
            extended: None,
            filters: FilterSet::All,
            content: None,
            number,
            renumbered: 0,
            outcome,
            log,
        }
    }

    /// Returns the object with the records that its content was selected by. Without it, that is all.
    #[must_use]
    pub fn selected_by(self, filters: FilterSet) -> Self {
        Self { filters, ..self }
    }

    /// Returns the object with the hash of its content.
    #[must_use]
    pub fn with_content(self, content: Option<ContentHash>) -> Self {
        Self { content, ..self }
    }

    /// Makes an object of which more records are selected than its ledger line says are loaded. `log`
    /// has those that are selected and not loaded.
    pub fn extending(
        object: ObjectRef,
        id: ObjectId,
        loaded: LoadedContent,
        selected: &FilterSet,
        log: Log,
    ) -> Self {
        let mut new = Self::new(object, id, loaded.sha256, false, Ok(log));
        new.filters = loaded.filters.union(selected);
        new.extended = Some(loaded.filters);
        if let Some(number) = loaded.number {
            new.set_number(number);
        }
        new
    }

    /// Makes an object that was loaded before and has another version now. `sha256` is that of its
    /// bytes now. If they are the same as when it was loaded, its ledger line gets the new version;
    /// otherwise the line also records that it changed.
    pub fn compared(
        object: ObjectRef,
        id: ObjectId,
        sha256: String,
        loaded: &LoadedContent,
    ) -> Self {
        let outcome = if sha256 == loaded.sha256 {
            ObjectOutcome::AlreadyLoaded
        } else if loaded.number.is_none() {
            changed("it changed since version 0.1.0 loaded it, whose rows cannot be replaced")
        } else {
            changed("it changed since it was loaded")
        };
        Self { outcome, ..Self::new(object, id, sha256, false, Ok(Log::default())) }
    }

    /// Makes an object whose new content replaces the rows of the content that was loaded. If there is
    /// none to load, its ledger line records that it changed, and why it was not replaced.
    pub fn replacing(
        object: ObjectRef,
        id: ObjectId,
        sha256: String,
        loaded: LoadedContent,
        content: Result<Log, NoRows>,
    ) -> Self {
        let number = loaded.number;
        let (outcome, log, replaced) = match content {
            Ok(log) => (ObjectOutcome::Loaded, log, Some(loaded)),
            Err(NoRows::Skipped(kind)) => {
                let reason =
                    format!("it changed since it was loaded, and is {} now", kind.as_str());
                (changed(&reason), Log::default(), None)
            }
            Err(NoRows::Failed(reason)) => {
                let reason =
                    format!("it changed since it was loaded, and cannot be loaded: {reason}");
                (changed(&reason), Log::default(), None)
            }
        };
        let mut new = Self::new(object, id, sha256, false, Ok(log));
        new.replaced = replaced;
        if let Some(number) = number {
            new.set_number(number);
        }
        Self { outcome, ..new }
    }

    /// Returns the content whose rows and ledger line it replaces, if it does.
    pub fn replaced(&self) -> Option<&LoadedContent> {
        self.replaced.as_ref()
    }

    /// Returns which records its ledger line says are loaded, if it adds others to it.
    pub fn extended(&self) -> Option<&FilterSet> {
        self.extended.as_ref()
    }

    /// Returns which records its ledger line will say are loaded or rejected.
    pub fn filters(&self) -> &FilterSet {
        &self.filters
    }

    /// Returns the hash of its content, if it was taken.
    pub fn content(&self) -> Option<ContentHash> {
        self.content
    }

    /// Leaves out the records that another import has loaded since, so that the others are added to the
    /// line of that import. It has the same content.
    pub(crate) fn extend(&mut self, line: &Line) {
        self.log.leave_out(&line.filters);
        self.filters = line.filters.union(&self.filters);
        self.extended = Some(line.filters.clone());
        (self.replaced, self.replaces_line) = (None, false);
        if let Some(number) = line.number {
            self.set_number(number);
        }
    }

    /// Returns its number in the ledger.
    pub fn number(&self) -> i64 {
        self.number
    }

    /// Gives it another number, because another object has its own.
    pub fn renumber(&mut self) {
        self.renumbered += 1;
        self.set_number(self.id.number(self.renumbered));
    }

    fn set_number(&mut self, number: i64) {
        self.number = number;
        self.log.rows.set_object(number);
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

    /// Drops its rows and rejects; the ledger will record the reason instead. The rows that it was to
    /// replace stay.
    pub fn fail(&mut self, reason: String) {
        self.outcome = match self.replaced.take() {
            Some(_) => changed(&format!("it changed since it was loaded, and {reason}")),
            None => ObjectOutcome::Failed(reason),
        };
        self.log = Log::default();
    }
}

/// Returns the outcome of an object whose earlier rows stay.
fn changed(reason: &str) -> ObjectOutcome {
    ObjectOutcome::Changed(format!("{reason}; the rows of its earlier content are still there"))
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
    pub fn bytes(&self) -> u64 {
        self.objects.iter().map(|object| object.log.bytes()).sum()
    }
}
