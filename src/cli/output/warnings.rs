//! What the user should know or do: one enum for all of it.
//!
//! Losses of single objects are logged where they happen (`import::losses`); here are their sums,
//! and everything about the run as a whole.

use std::fmt;
use std::path::PathBuf;

use super::format::{count, counted};
use super::partial;
use crate::cli::config::Origin;
use crate::database::redact::redacted;
use crate::database::status::PartlyLoaded;
use crate::trail::object::Shard;

/// Something that the user should know or do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Warning {
    /// The file of `--config` is not read, because the database URL comes from elsewhere.
    ConfigNotRead {
        /// The file.
        path: PathBuf,
        /// What named the database.
        origin: Origin,
    },
    /// Other users can read a `db.toml` with a password.
    ConfigReadable(PathBuf),
    /// Other users can read the database file.
    DatabaseReadable(PathBuf),
    /// The first signal arrived.
    Stopping,
    /// The second signal arrived.
    StoppedAtOnce,
    /// The sources have no objects.
    NoObjects,
    /// The sources have objects, but none of them is in this shard.
    EmptyShard,
    /// The sources have objects, but no logs.
    NoLogs,
    /// Every log was loaded before.
    NothingNew,
    /// Characters were replaced by U+FFFD, or values by their text.
    Replaced(u64),
    /// Objects failed.
    Failed(u64),
    /// Nothing was loaded from files that the user named.
    NothingLoaded(u64),
    /// Folders could not be listed.
    Unreadable(u64),
    /// Records were rejected.
    Rejected(u64),
    /// A signal ended the run.
    Interrupted,
    /// An error ended the run; it is printed after the summary.
    StoppedByError,
    /// The run had losses, and ends with exit code 0 all the same.
    LossesAccepted,
    /// Only this shard was imported.
    OneShard(Shard),
    /// Indexes are missing: not requested, or the run ended before.
    MissingIndexes(Vec<&'static str>),
    /// Filters of imports left records out.
    PartlyLoaded(PartlyLoaded),
    /// Whether filters left records out cannot be told, for this reason.
    PartUnknown(String),
    /// Rows that version 0.1.0 loaded, which stored only the 16 columns.
    FirstSchema(u64),
    /// The answer has as many rows as it may have.
    RowLimit(u64),
    /// A search found as many events as it may return.
    OlderEvents {
        /// How many it found.
        events: u64,
        /// The time of the last one, as `--until` takes it.
        until: String,
    },
    /// No index serves the filters of these options.
    NotIndexed(Vec<&'static str>),
    /// `forget` has to read the whole table for every batch.
    SlowForget,
}

impl Warning {
    /// Returns what to do, or the reason.
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Stopping => Some("press Ctrl-C again to stop now"),
            Self::StoppedAtOnce | Self::Interrupted | Self::StoppedByError => {
                Some("run the same command to continue")
            }
            Self::Replaced(_) => {
                Some("not UTF-8, a lone surrogate, U+0000, or a value that nests too deep")
            }
            Self::Failed(_) => Some(
                "`cloudtrail2sql status --failed` shows why; the same command \
                      retries all but changed ones",
            ),
            Self::NothingLoaded(_) => Some(
                "no CloudTrail records in it; `cloudtrail2sql status --skipped` shows what it is",
            ),
            Self::Unreadable(_) => Some("make them readable and run the same command again"),
            Self::Rejected(_) => Some("`cloudtrail2sql status --rejected` shows why"),
            Self::OneShard(_) => Some("`cloudtrail2sql status` names those that are not done"),
            Self::MissingIndexes(_) => Some("`cloudtrail2sql index` builds them"),
            Self::PartlyLoaded(_) => Some("an import without filters loads the rest"),
            Self::FirstSchema(_) => {
                Some("version 0.1.0 loaded them; import into a new database to have all fields")
            }
            Self::RowLimit(_) => Some("there may be more: give a larger `--limit`, or filters"),
            Self::SlowForget => Some("`cloudtrail2sql index` builds it"),
            Self::ConfigReadable(_) | Self::DatabaseReadable(_) => {
                Some("`chmod 600` makes it yours alone")
            }
            Self::NotIndexed(_) => Some("`--since` limits how many"),
            Self::OlderEvents { .. }
            | Self::ConfigNotRead { .. }
            | Self::LossesAccepted
            | Self::PartUnknown(_)
            | Self::NoObjects
            | Self::EmptyShard
            | Self::NoLogs
            | Self::NothingNew => None,
        }
    }
}

/// One line; the hint follows in parentheses.
impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConfigNotRead { path, origin } => {
                let path = path.to_string_lossy();
                write!(f, "{} is not read: the database URL comes {origin}", redacted(&path))
            }
            Self::ConfigReadable(path) => {
                write!(f, "other users can read {}, which holds a password", path.display())
            }
            Self::DatabaseReadable(path) => {
                write!(f, "other users can read the database {}", path.display())
            }
            Self::Stopping => f.write_str("stopping: loading the objects that have been read"),
            Self::StoppedAtOnce => {
                f.write_str("stopped at once: open transactions are rolled back")
            }
            Self::NoObjects => f.write_str("nothing to do: no objects found"),
            Self::EmptyShard => f.write_str("nothing to do: all objects are in other shards"),
            Self::NoLogs => f.write_str("nothing to do: none of the objects is a CloudTrail log"),
            Self::NothingNew => f.write_str("nothing to do: everything is already loaded"),
            Self::Replaced(1) => f.write_str("replaced: 1 character or value"),
            Self::Replaced(chars) => {
                write!(f, "replaced: {} characters or values", count(*chars))
            }
            Self::Failed(objects) => write!(f, "failed: {}", counted(*objects, "object")),
            Self::NothingLoaded(files) => {
                write!(f, "nothing loaded: {}", counted(*files, "named file"))
            }
            Self::Unreadable(folders) => {
                write!(f, "not listed: {}", counted(*folders, "unreadable folder"))
            }
            Self::Rejected(records) => write!(f, "rejected: {}", counted(*records, "record")),
            Self::Interrupted => f.write_str("interrupted: everything counted as loaded is stored"),
            Self::StoppedByError => {
                f.write_str("stopped by an error: everything counted as loaded is stored")
            }
            Self::LossesAccepted => {
                f.write_str("exit code 0 instead of 3, because of `--exit-zero-on-losses`")
            }
            Self::OneShard(shard) => {
                let shards = counted(shard.count, "shard");
                write!(f, "run `cloudtrail2sql index` when all {shards} are done")
            }
            Self::PartlyLoaded(part) => write!(f, "partly loaded: {}", partial::in_words(part)),
            Self::PartUnknown(reason) => {
                write!(f, "cannot tell whether filters left records out: {reason}")
            }
            Self::FirstSchema(rows) => {
                write!(
                    f,
                    "without other fields, time, identity and object: {}",
                    counted(*rows, "row")
                )
            }
            Self::RowLimit(rows) => {
                write!(f, "the answer ends after {}", counted(*rows, "row"))
            }
            Self::OlderEvents { events, until } => {
                let events = counted(*events, "event");
                write!(f, "the search ends after {events} (older ones: `--until {until}`)")
            }
            Self::NotIndexed(options) => {
                let options = options.join(" and ");
                write!(f, "no index serves {options}: all events are read, the newest first")
            }
            Self::SlowForget => {
                f.write_str("removing rows is slow without the index `logs_objectid`")
            }
            Self::MissingIndexes(names) => write!(f, "missing indexes: {}", names.join(", ")),
        }?;
        self.hint().map_or(Ok(()), |hint| write!(f, " ({hint})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_one_line_with_its_hint() {
        for (warning, expected) in [
            (
                Warning::ConfigNotRead { path: "a.toml".into(), origin: Origin::Flag },
                "a.toml is not read: the database URL comes from `--database`",
            ),
            (
                Warning::Failed(1),
                "failed: 1 object (`cloudtrail2sql status --failed` shows why; the same command \
                 retries all but changed ones)",
            ),
            (
                Warning::Unreadable(2),
                "not listed: 2 unreadable folders (make them readable and run the same command \
                 again)",
            ),
            (
                Warning::NothingLoaded(1),
                "nothing loaded: 1 named file (no CloudTrail records in it; `cloudtrail2sql status \
                 --skipped` shows what it is)",
            ),
            (
                Warning::Rejected(1_234),
                "rejected: 1,234 records (`cloudtrail2sql status --rejected` shows why)",
            ),
            (
                Warning::Replaced(2),
                "replaced: 2 characters or values (not UTF-8, a lone surrogate, U+0000, or a value that \
                 nests too deep)",
            ),
            (Warning::NothingNew, "nothing to do: everything is already loaded"),
            (
                Warning::MissingIndexes(vec!["one", "two"]),
                "missing indexes: one, two (`cloudtrail2sql index` builds them)",
            ),
        ] {
            assert_eq!(warning.to_string(), expected);
        }
    }
}
