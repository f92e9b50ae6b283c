//! Configuration errors, and what to do about each.

use std::io;
use std::path::PathBuf;

use jiff::civil::Date;

use super::db_toml::DbTomlError;
use super::origin::Origin;
use super::shard::ShardError;
use super::size::SizeError;
use super::source_spec::SourceSpecError;
use crate::answers::{FilterError, questions};
use crate::database::redact::redacted;
use crate::database::spelling::closest;
use crate::database::url::{Engine, UrlError};
use crate::trail::filter::FILTER_BYTES_MAX;
use crate::trail::time::EventTime;

/// Settings that cannot be used: exit code 2, nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The database URL is not usable.
    #[error("cannot use the database URL {origin}")]
    DatabaseUrl {
        /// Where it comes from.
        origin: Origin,
        /// Why.
        source: UrlError,
    },
    /// A `db.toml` cannot be read.
    #[error("cannot read the configuration file {}", redacted(&.path.to_string_lossy()))]
    UnreadableFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A `db.toml` in the current folder that belongs to another user.
    #[error("{} belongs to another user", .0.display())]
    ForeignFile(PathBuf),
    /// A `db.toml` that other users can change.
    #[error("other users can change {}", .0.display())]
    WritableFile(PathBuf),
    /// A `db.toml` has content that cannot be used.
    #[error(transparent)]
    DbToml(#[from] DbTomlError),
    /// An environment variable is not UTF-8.
    #[error("the environment variable `{0}` is not UTF-8")]
    NotUtf8(&'static str),
    /// Not a valid SOURCE.
    #[error("cannot import from `{shown}`")]
    Source {
        /// The source as typed; only the scheme of a URL.
        shown: String,
        /// Why.
        source: SourceSpecError,
    },
    /// Not a valid size.
    #[error("`{flag} {value}` is not a size")]
    Size {
        /// The option.
        flag: &'static str,
        /// The value as typed.
        value: String,
        /// Why.
        source: SizeError,
    },
    /// A value outside the option's range.
    #[error("`{flag} {value}` is out of range")]
    OutOfRange {
        /// The option.
        flag: &'static str,
        /// The value as typed.
        value: String,
        /// The accepted values, such as "a size from 16MiB to 1TiB".
        accepted: String,
    },
    /// More than one writer for SQLite.
    #[error("`--writers {0}` is not possible with SQLite, which allows one writer")]
    SqliteWriters(usize),
    /// COPY for a database without COPY.
    #[error("`--load-method copy` needs PostgreSQL, but the database is {0}")]
    CopyNeedsPostgres(Engine),
    /// Not the URL of an S3 server. It is not shown, because it may hold a password.
    #[error("`--endpoint-url` is not a plain `http://` or `https://` URL")]
    EndpointUrl,
    /// Not a valid date.
    #[error("`{flag} {value}` is not a date")]
    Date {
        /// The option.
        flag: &'static str,
        /// The value as typed.
        value: String,
    },
    /// The first day is after the last.
    #[error("`--from {from}` is after `--to {to}`")]
    DaysReversed {
        /// The first day.
        from: Date,
        /// The last day.
        to: Date,
    },
    /// The first moment is after the last.
    #[error("`--since {since}` is after `--until {until}`")]
    TimesReversed {
        /// The first moment.
        since: EventTime,
        /// The last moment.
        until: EventTime,
    },
    /// The filters of an import have too many values.
    #[error(
        "the filters have {bytes} bytes as JSON, but at most {FILTER_BYTES_MAX} can be kept with each \
         object"
    )]
    FilterTooLong {
        /// How many bytes.
        bytes: usize,
    },
    /// No question has this name.
    #[error("there is no question `{0}`")]
    UnknownQuestion(String),
    /// The question cannot be asked with these options.
    #[error("{}", question_text(.name, *.error))]
    Question {
        /// The name of the question.
        name: &'static str,
        /// Why.
        error: FilterError,
    },
    /// A form that only answers have.
    #[error("`--output {0}` is only for `query NAME`")]
    OnlyForAnswers(&'static str),
    /// Not a length of time.
    #[error("`{flag} {value}` is not a length of time")]
    Duration {
        /// The option.
        flag: &'static str,
        /// The value as typed.
        value: String,
    },
    /// Not a valid price.
    #[error("`{flag} {value}` is not a price")]
    Price {
        /// The option.
        flag: &'static str,
        /// The value.
        value: f64,
    },
    /// Not a valid account number.
    #[error("`--account-id {0}` is not an account number")]
    Account(String),
    /// Not a valid shard.
    #[error("cannot use `--shard {typed}`")]
    Shard {
        /// The value as typed.
        typed: String,
        /// Why.
        source: ShardError,
    },
    /// Standard input more than once.
    #[error("standard input can only be read once")]
    StdinTwice,
    /// A shard of standard input.
    #[error("`--shard` cannot divide standard input, which is one object")]
    StdinShard,
    /// An option with an empty value.
    #[error("`{0}` is empty")]
    EmptyFlag(&'static str),
}

impl ConfigError {
    /// Returns what to do instead, in one line.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::DatabaseUrl { source, .. } => source.hint(),
            Self::DbToml(error) => return error.hint(),
            Self::Shard { source, .. } => source.hint(),
            Self::ForeignFile(path) => format!(
                "it could send your password anywhere: name it with `--config {}` if you trust it",
                path.display()
            ),
            Self::WritableFile(path) => format!("run `chmod go-w {}`", path.display()),
            Self::UnreadableFile { path, .. } if path.to_string_lossy().contains("://") => {
                "`--config` names a file; a URL belongs in `DATABASE_URL` or in that file".into()
            }
            Self::UnreadableFile { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "db.example.toml shows what to write into it".into()
            }
            Self::UnreadableFile { .. } | Self::NotUtf8(_) => return None,
            Self::Source { source, .. } => source.hint(),
            Self::Size { .. } => "write a size as `1048576`, `64MiB`, `64MB` or `64M`".into(),
            Self::OutOfRange { accepted, .. } => format!("use {accepted}"),
            Self::SqliteWriters(_) => "omit `--writers`".into(),
            Self::CopyNeedsPostgres(_) => {
                "omit `--load-method`: the default is the fastest method".into()
            }
            Self::Date { .. } => "write a day as `2026-01-15`, a time as `2026-01-15T08:30:00Z`, \
                 or a period before now as `7d` or `36h`"
                .into(),
            Self::Duration { .. } => {
                "write a number and a unit, such as `90s`, `5m` or `1h`".into()
            }
            Self::Price { .. } => "use a number that is zero or greater".into(),
            Self::UnknownQuestion(name) => {
                let names: Vec<&str> = questions().iter().map(|it| it.name).collect();
                match closest(name, &names) {
                    Some(similar) => format!("did you mean `{similar}`?"),
                    None => "`cloudtrail2sql query` lists the questions".into(),
                }
            }
            Self::Question { error: FilterError::Needed(flag), .. } => {
                format!("add `{} VALUE`", flag.as_str())
            }
            Self::Question { error: FilterError::NotTaken(flag), .. } => {
                format!("omit `{}`", flag.as_str())
            }
            Self::OnlyForAnswers(_) => "use `text` or `json`".into(),
            Self::TimesReversed { .. } | Self::DaysReversed { .. } => "swap them".into(),
            Self::FilterTooLong { .. } => {
                "select by fewer names, or import everything and search it".into()
            }
            Self::Account(_) => "an account number has 12 digits".into(),
            Self::StdinTwice => "give `-` once".into(),
            Self::StdinShard => "omit `--shard`, and run the command on one machine".into(),
            Self::EndpointUrl => "write it as `https://HOST:PORT`, without a user name".into(),
            Self::EmptyFlag(flag) => format!("give `{flag}` a value, or omit it"),
        };
        Some(hint)
    }
}

fn question_text(name: &str, error: FilterError) -> String {
    match error {
        FilterError::Needed(flag) => format!("the question `{name}` needs `{}`", flag.as_str()),
        FilterError::NotTaken(flag) => {
            format!("the question `{name}` does not take `{}`", flag.as_str())
        }
    }
}
