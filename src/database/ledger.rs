//! The ledger: the line it has for an object, and how a later run treats that object.
//!
//! Pure: the database reads and writes the lines; this file compares them. The
//! [`ObjectId`](crate::trail::object::ObjectId) identifies an object; its version shows whether it
//! may have changed since it was loaded.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::trail::filter::FilterSet;
use crate::trail::object::ObjectRef;
use crate::trail::record::Kind;

/// The outcome of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectOutcome {
    /// Its rows and rejects are committed.
    Loaded,
    /// An earlier run, another import or another source loaded it. It is never written to the
    /// ledger, whose line is [`ObjectOutcome::Loaded`].
    AlreadyLoaded,
    /// It is not a log file.
    Skipped(Kind),
    /// It was loaded, and has changed since, as this reason says. The rows of the earlier content
    /// are still committed.
    Changed(String),
    /// Nothing of it is committed, for this reason.
    Failed(String),
}

impl ObjectOutcome {
    /// Returns the word in the ledger's `outcome` column.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Loaded | Self::AlreadyLoaded => "loaded",
            Self::Skipped(_) => "skipped",
            Self::Changed(_) => "changed",
            Self::Failed(_) => "failed",
        }
    }

    /// Makes an outcome from the columns of a ledger line. An unknown word counts as failed.
    pub fn from_columns(outcome: &str, kind: Option<&str>, reason: Option<String>) -> Self {
        match outcome {
            "loaded" => Self::Loaded,
            "changed" => Self::Changed(reason.unwrap_or_default()),
            "skipped" => Self::Skipped(kind.and_then(Kind::from_name).unwrap_or(Kind::OtherJson)),
            _ => Self::Failed(reason.unwrap_or_default()),
        }
    }
}

/// One line of the ledger: the columns that triage needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The object's outcome; never [`ObjectOutcome::AlreadyLoaded`].
    pub outcome: ObjectOutcome,
    /// The object's version when its bytes were last read.
    pub version: String,
    /// The SHA-256 of the stored bytes that the outcome is about: of a changed object, those that
    /// were loaded. Empty if they were never read.
    pub sha256: String,
    /// The run that wrote the line.
    pub run_id: i64,
    /// The batch of that run.
    pub batch_id: i64,
    /// What its rows refer to it by; `None` if version 0.1.0 loaded it, whose rows do not.
    pub number: Option<i64>,
    /// Which of its records were loaded or rejected.
    pub filters: FilterSet,
}

impl Line {
    /// Returns whether the object is loaded with this content.
    pub(crate) fn has_content(&self, sha256: &str) -> bool {
        let is_loaded = matches!(self.outcome, ObjectOutcome::Loaded | ObjectOutcome::Changed(_));
        is_loaded && self.sha256 == sha256
    }
}

/// What to do with a listed object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Triage {
    /// The ledger has no line for it: load it.
    New,
    /// It failed, or was skipped and has changed since: load it and replace its line.
    Retry,
    /// Nothing to do: its version is the one that the line is about.
    Settled(ObjectOutcome),
    /// It was loaded, and its version differs now, or other records of it are selected: compare its
    /// bytes with those that were loaded, and load or record what follows.
    Compare(LoadedContent),
}

/// The content of an object that was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedContent {
    /// The SHA-256 of its stored bytes.
    pub sha256: String,
    /// What its rows refer to it by; `None` if version 0.1.0 loaded it.
    pub number: Option<i64>,
    /// Which of its records were loaded or rejected.
    pub filters: FilterSet,
}

/// Stands for the SHA-256 of an object that the next import loads again, although it may not have changed.
/// `dedupe` removed rows of it that another object had, and that object is gone.
pub(crate) const READ_AGAIN: &str = "read again";

impl LoadedContent {
    /// Returns whether the object is loaded again, whatever its bytes are.
    pub fn is_read_again(&self) -> bool {
        self.sha256 == READ_AGAIN
    }
}

/// Compares a listed object with its line in the ledger, if it has one. `selected` are the records to
/// load. With `replaces_changed`, an object that is known to have changed is compared again; one that is
/// to be loaded again always is.
pub fn triage(
    object: &ObjectRef,
    line: Option<&Line>,
    selected: &FilterSet,
    replaces_changed: bool,
) -> Triage {
    let Some(line) = line else { return Triage::New };
    let is_same = line.version == object.version;
    let compare = || {
        let (sha256, filters) = (line.sha256.clone(), line.filters.clone());
        Triage::Compare(LoadedContent { sha256, number: line.number, filters })
    };
    match &line.outcome {
        ObjectOutcome::Changed(_) if replaces_changed || line.sha256 == READ_AGAIN => compare(),
        ObjectOutcome::Loaded | ObjectOutcome::AlreadyLoaded
            if is_same && line.filters.covers(selected) =>
        {
            Triage::Settled(ObjectOutcome::AlreadyLoaded)
        }
        ObjectOutcome::Changed(_) | ObjectOutcome::Skipped(_) if is_same => {
            Triage::Settled(line.outcome.clone())
        }
        ObjectOutcome::Loaded | ObjectOutcome::AlreadyLoaded | ObjectOutcome::Changed(_) => {
            compare()
        }
        ObjectOutcome::Skipped(_) | ObjectOutcome::Failed(_) => Triage::Retry,
    }
}

/// Returns the SHA-256 of an object's stored bytes, in 64 hexadecimal digits.
pub fn sha256_hex(stored: &[u8]) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(stored) {
        write!(hex, "{byte:02x}").expect("writing to a String cannot fail");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trail::filter::RecordFilter;
    use crate::trail::object::Location;

    fn object(version: &str) -> ObjectRef {
        let location = Location::S3 { bucket: "b".into(), key: "k".into() };
        ObjectRef { location, size_bytes: 1, version: version.into(), is_named: false }
    }

    fn line(outcome: ObjectOutcome) -> Line {
        let (version, sha256) = ("v1".into(), "d1".into());
        let (number, filters) = (Some(1), FilterSet::All);
        Line { outcome, version, sha256, run_id: 1, batch_id: 1, number, filters }
    }

    #[test]
    fn a_known_object_is_triaged_by_outcome_and_version() {
        let skipped = ObjectOutcome::Skipped(Kind::Digest);
        let failed = ObjectOutcome::Failed("cut off".into());
        let loaded = Triage::Settled(ObjectOutcome::AlreadyLoaded);
        let compare = compare_with(FilterSet::All);
        let changed = ObjectOutcome::Changed("other bytes".into());
        for (version, line, expected) in [
            ("v1", None, Triage::New),
            ("v1", Some(line(ObjectOutcome::Loaded)), loaded),
            ("v2", Some(line(ObjectOutcome::Loaded)), compare.clone()),
            ("v1", Some(line(changed.clone())), Triage::Settled(changed.clone())),
            ("v2", Some(line(changed)), compare.clone()),
            ("v1", Some(line(skipped.clone())), Triage::Settled(skipped.clone())),
            ("v2", Some(line(skipped)), Triage::Retry),
            ("v1", Some(line(failed.clone())), Triage::Retry),
            ("v2", Some(line(failed)), Triage::Retry),
        ] {
            let all = &FilterSet::All;
            assert_eq!(triage(&object(version), line.as_ref(), all, false), expected);
            let is_changed =
                line.as_ref().is_some_and(|it| matches!(it.outcome, ObjectOutcome::Changed(_)));
            let expected = if is_changed { compare.clone() } else { expected };
            assert_eq!(triage(&object(version), line.as_ref(), all, true), expected);
        }
    }

    fn compare_with(filters: FilterSet) -> Triage {
        Triage::Compare(LoadedContent { sha256: "d1".into(), number: Some(1), filters })
    }

    #[test]
    fn an_object_is_read_again_if_other_records_of_it_are_selected() {
        let errors = RecordFilter { errors_only: true, ..RecordFilter::default() };
        let errors = FilterSet::of(&errors);
        let loaded = Triage::Settled(ObjectOutcome::AlreadyLoaded);
        for (filters, selected, expected) in [
            (FilterSet::All, &errors, loaded.clone()),
            (errors.clone(), &errors, loaded),
            (errors.clone(), &FilterSet::All, compare_with(errors.clone())),
        ] {
            let line = Line { filters, ..line(ObjectOutcome::Loaded) };
            assert_eq!(triage(&object("v1"), Some(&line), selected, false), expected);
        }
    }

    #[test]
    fn an_outcome_survives_its_columns() {
        for outcome in [
            ObjectOutcome::Loaded,
            ObjectOutcome::Skipped(Kind::ConfigItems),
            ObjectOutcome::Changed("other bytes".into()),
            ObjectOutcome::Failed("cut off".into()),
        ] {
            let (kind, reason) = match &outcome {
                ObjectOutcome::Skipped(kind) => (Some(kind.as_str()), None),
                ObjectOutcome::Changed(reason) | ObjectOutcome::Failed(reason) => {
                    (None, Some(reason.clone()))
                }
                _ => (None, None),
            };
            assert_eq!(ObjectOutcome::from_columns(outcome.as_str(), kind, reason), outcome);
        }
    }

    #[test]
    fn a_sha256_is_written_in_hexadecimal() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sha256_hex(b""), empty);
    }
}
