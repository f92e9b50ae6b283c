//! What the settings mean: flags, environment and `db.toml` become types that hold valid values.
//!
//! [`crate::cli::args`] holds what was typed; everything after it sees only what is defined here. No
//! text or number that was checked here needs a second check.
//!
//! It connects to nothing. It reads at most one `db.toml` and the CA file that names, and never
//! the process's environment behind the caller's back: that comes in as an [`Environment`].
//!
//! A password is in `DatabaseUrl` and comes out by `DatabaseUrl::expose` only: no Debug, no
//! Display and no error here shows one.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use jiff::civil::Date;

use crate::database::LoadMethod;
use crate::database::url::{Engine, UrlError};
use crate::source::s3::S3Options;
use crate::trail::layout::Selection;
use crate::trail::object::Shard;

use ::url::Url;

mod choice;
mod database;
mod db_toml;
mod size;
mod source_spec;

pub use self::choice::{account, day, price, shard};
use self::database::SQLITE_FILE;
pub use self::database::{Database, Origin};
pub use self::db_toml::{DbTomlError, DbTomlFault, SyntaxError};
use self::size::spell_bytes;
pub use self::size::{SizeError, parse_bytes};
pub use self::source_spec::{SourceSpec, SourceSpecError};

/// How many objects may be fetched at once. S3 allows 5,500 GETs a second and prefix; beyond a
/// few hundred connections there is only waiting.
pub const FETCHERS: RangeInclusive<usize> = 1..=256;

/// How many steps of a listing may be taken at once.
pub const LISTERS: RangeInclusive<usize> = 1..=64;

/// How many machines may share a prefix.
pub const SHARDS_MAX: u64 = 10_000;

/// How many connections may write at once. Four gained nothing over two on PostgreSQL and over
/// three on MariaDB, and servers allow about 100 (`max_connections`) to everybody together.
pub const WRITERS: RangeInclusive<usize> = 1..=64;

/// After how many rows a batch may close.
pub const BATCH_ROWS: RangeInclusive<usize> = 1..=1_000_000;

/// After how many bytes of packed rows a batch may close.
pub const BATCH_BYTES: RangeInclusive<u64> = 64 << 10..=1 << 30;

/// How many bytes the buffers in flight may have together.
pub const MEMORY_BYTES: RangeInclusive<u64> = 16 << 20..=1 << 40;

/// How many bytes one decoded object may have. `Rows` counts on the upper end.
pub const OBJECT_BYTES: RangeInclusive<u64> = 1 << 10..=1 << 30;

/// How many lines `status` may show.
pub const STATUS_LINES: RangeInclusive<usize> = 1..=1_000_000;

/// What a run of `import` needs to know.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportSettings {
    /// Where to.
    pub database: Database,
    /// Where from; at least one, in the order typed.
    pub sources: Vec<SourceSpec>,
    /// How to reach S3.
    pub s3: S3Options,
    /// What is chosen of what the sources hold.
    pub selection: Selection,
    /// Which machine of several this is.
    pub shard: Shard,
    /// Steps of the listing that are taken at once, in [`LISTERS`].
    pub listers: usize,
    /// Objects fetched at once, in [`FETCHERS`]; nothing leaves it to the kind of source.
    pub fetchers: Option<usize>,
    /// Connections that write at once, in [`WRITERS`]; 1 for SQLite.
    pub writers: usize,
    /// A batch closes at this many rows, in [`BATCH_ROWS`]; one object alone may have more.
    pub batch_rows_max: usize,
    /// A batch closes at this many bytes, in [`BATCH_BYTES`]; one object alone may have more.
    pub batch_bytes_max: usize,
    /// Budget of all buffers in flight, in [`MEMORY_BYTES`]. It may be less than
    /// `object_bytes_max`: an object larger than the whole budget has to pass alone.
    pub memory_bytes: u64,
    /// A decoded object with more bytes fails, in [`OBJECT_BYTES`].
    pub object_bytes_max: u64,
    /// How rows are sent; [`LoadMethod::Copy`] with PostgreSQL only.
    pub load_method: LoadMethod,
    /// Whether the missing indexes are built at the end.
    pub builds_indexes: bool,
    /// Whether to list and triage only, and write nothing.
    pub is_dry_run: bool,
    /// What the requests cost.
    pub prices: Prices,
    /// Whether a narrow `logs` table may be altered.
    pub upgrades_table: bool,
}

/// What a run of `status` needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusSettings {
    /// Whose ledger.
    pub database: Database,
    /// What of it.
    pub part: StatusPart,
    /// At most so many lines, the newest, in [`STATUS_LINES`].
    pub lines_max: usize,
}

/// What `status` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusPart {
    /// The sums over all objects, and the last run.
    Totals,
    /// Objects that failed, with the reason.
    Failed,
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

/// What the process was started in: environment variables and the working folder.
#[derive(Clone, Default)]
pub struct Environment {
    variables: HashMap<OsString, OsString>,
    /// The folder in which `db.toml` is looked for; empty for the process's own.
    folder: PathBuf,
}

/// Settings that cannot be used: exit code 2, nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The database URL is not usable.
    #[error("cannot use the database URL {origin}")]
    DatabaseUrl {
        /// Who gave it.
        origin: Origin,
        /// Why.
        source: UrlError,
    },
    /// A `db.toml` cannot be read.
    #[error("cannot read the configuration file {}", .path.display())]
    UnreadableFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A `db.toml` says what cannot be used.
    #[error(transparent)]
    DbToml(#[from] DbTomlError),
    /// An environment variable is not UTF-8.
    #[error("the environment variable `{0}` is not UTF-8")]
    NotUtf8(&'static str),
    /// A SOURCE is none.
    #[error("cannot import from `{shown}`")]
    Source {
        /// The source as typed; only the scheme of a URL.
        shown: String,
        /// Why.
        source: SourceSpecError,
    },
    /// A size flag has a value that is no size.
    #[error("`{flag} {value}` is not a size")]
    Size {
        /// The flag.
        flag: &'static str,
        /// The value as typed.
        value: String,
        /// Why.
        source: SizeError,
    },
    /// A flag has a value outside its range.
    #[error("`{flag} {value}` is out of range")]
    OutOfRange {
        /// The flag.
        flag: &'static str,
        /// The value as typed.
        value: String,
        /// What it takes, such as "a size from 16MiB to 1TiB".
        takes: String,
    },
    /// More than one writer for a SQLite file.
    #[error("`--writers {0}` with SQLite, which lets one connection write at a time")]
    SqliteWriters(usize),
    /// COPY for a database that has none.
    #[error("`--load-method copy` is for PostgreSQL, and the database is {0}")]
    CopyNeedsPostgres(Engine),
    /// An endpoint that is no web address. It is not shown: it may hold a password.
    #[error("`--endpoint-url` is no plain `http://` or `https://` URL")]
    EndpointUrl,
    /// A date that is none.
    #[error("`{flag} {value}` is not a date")]
    Date {
        /// The flag.
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
    /// A price that is none.
    #[error("`{flag} {value}` is not a price")]
    Price {
        /// The flag.
        flag: &'static str,
        /// The value.
        value: f64,
    },
    /// An account that is none.
    #[error("`--account-id {0}` is not an account")]
    Account(String),
    /// A shard that is none.
    #[error("`--shard {0}` is not a shard")]
    Shard(String),
    /// A flag with an empty value.
    #[error("`{0}` is empty")]
    EmptyFlag(&'static str),
}

impl Environment {
    /// Returns the environment of this process.
    pub fn of_process() -> Self {
        Self { variables: std::env::vars_os().collect(), folder: PathBuf::new() }
    }

    /// Returns an environment made up for a test.
    pub fn new<'v>(
        variables: impl IntoIterator<Item = (&'v str, &'v str)>,
        folder: impl Into<PathBuf>,
    ) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        Self { variables: variables.collect(), folder: folder.into() }
    }

    /// Returns the value of a variable that is set and not empty.
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str).filter(|it| !it.is_empty())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values are left out, and with them every secret.
        write!(f, "Environment({} variables, folder {:?})", self.variables.len(), self.folder)
    }
}

/// Returns how many connections write at once unless told otherwise.
///
/// Measured on two cores (design.md, section 6): a second connection gained 3-20 % on PostgreSQL
/// and a fourth nothing more; on MariaDB a second gained 50 % and a third 60 %.
pub fn writers_default(engine: Engine) -> usize {
    match engine {
        Engine::Sqlite => 1,
        Engine::Postgres => 2,
        Engine::Mysql => 3,
    }
}

/// Returns the meaning of one SOURCE.
pub fn source(typed: &OsStr) -> Result<SourceSpec, ConfigError> {
    SourceSpec::parse(typed)
        .map_err(|source| ConfigError::Source { shown: source_spec::shown(typed), source })
}

/// Returns `count` if `flag` can have it.
pub fn count_in(
    flag: &'static str,
    count: usize,
    range: &RangeInclusive<usize>,
) -> Result<usize, ConfigError> {
    if range.contains(&count) {
        return Ok(count);
    }
    let takes = format!("a number from {} to {}", range.start(), range.end());
    Err(ConfigError::OutOfRange { flag, value: count.to_string(), takes })
}

/// Returns the size in bytes that `typed` names, if `flag` can have it.
pub fn bytes_in(
    flag: &'static str,
    typed: &str,
    range: &RangeInclusive<u64>,
) -> Result<u64, ConfigError> {
    let value = || typed.to_owned();
    let bytes =
        parse_bytes(typed).map_err(|source| ConfigError::Size { flag, value: value(), source })?;
    if range.contains(&bytes) {
        return Ok(bytes);
    }
    let (from, to) = (spell_bytes(*range.start()), spell_bytes(*range.end()));
    let takes = format!("a size from {from} to {to}");
    Err(ConfigError::OutOfRange { flag, value: value(), takes })
}

/// Returns `typed` if it is the address of a server that may speak S3.
///
/// One with a user name is refused: S3 has no use for it, and the address is shown in messages.
pub fn endpoint_url(typed: &str) -> Result<Url, ConfigError> {
    match Url::parse(typed) {
        Ok(url)
            if ["http", "https"].contains(&url.scheme())
                && url.username().is_empty()
                && url.password().is_none() =>
        {
            Ok(url)
        }
        _ => Err(ConfigError::EndpointUrl),
    }
}

impl ConfigError {
    /// Returns what to do instead, in one line.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::DatabaseUrl { source, .. } => Some(source.hint()),
            Self::DbToml(error) => error.hint(),
            Self::UnreadableFile { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Some("db.example.toml shows what to write into it".into())
            }
            Self::UnreadableFile { .. } | Self::NotUtf8(_) => None,
            Self::Source { source, .. } => Some(source.hint()),
            Self::Size { .. } => {
                Some("a size is written `1048576`, `64MiB`, `64MB` or `64M`".into())
            }
            Self::OutOfRange { takes, .. } => Some(format!("it takes {takes}")),
            Self::SqliteWriters(_) => Some("leave `--writers` out".into()),
            Self::CopyNeedsPostgres(_) => {
                Some("leave `--load-method` out: the fastest way is the default".into())
            }
            Self::Date { .. } => Some(
                "a day is written `2026-01-15`, a time `2026-01-15T08:30:00Z`, and `7d` or `36h` \
                 is so long ago"
                    .into(),
            ),
            Self::Price { .. } => Some("a price is a number, zero or more".into()),
            Self::DaysReversed { .. } => Some("swap them".into()),
            Self::Account(_) => Some("an account has 12 digits".into()),
            Self::Shard(_) => {
                Some("it is written `K/N`: `1/3`, `2/3` and `3/3` for three machines".into())
            }
            Self::EndpointUrl => {
                Some("write it as `https://HOST:PORT`, without a user name".into())
            }
            Self::EmptyFlag(flag) => Some(format!("give `{flag}` a value, or leave it out")),
        }
    }
}

#[cfg(test)]
mod tests;
