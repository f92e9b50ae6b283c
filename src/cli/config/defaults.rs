//! Every default and every accepted range of the options, with the measurement or sum behind it.
//!
//! Resolved here once: `--help` prints these values, the settings hold them, and the commands see
//! settings only. Bounds that no option changes are declared beside the code that they bound.
//!
//! Only `--load-method auto` is decided elsewhere: `LoadMethod::fastest` knows the databases.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::database::url::Engine;
use crate::retry::RetryPolicy;

/// The file that names the database if it exists in the current folder.
pub const DB_TOML: &str = "db.toml";

/// The SQLite file that is used if no database is named.
pub const SQLITE_FILE: &str = "cloudtrail.db";

/// The server if `db.toml` has an `engine` and no `hostname`.
pub const HOSTNAME: &str = "localhost";

/// Parts of a listing that are listed at the same time.
///
/// BENCHMARKS.md, "Listing": 1, 4 and 16 list 17,799, 54,589 and 86,297 keys/s. Four list a
/// million objects in 20 s, and use little of what S3 allows a bucket.
pub const LISTERS: usize = 4;

/// The accepted numbers of listers.
pub const LISTERS_RANGE: RangeInclusive<usize> = 1..=64;

/// Objects fetched at the same time from S3, where fetchers mostly wait for the network: half of
/// the log files are smaller than a kilobyte, and an answer takes 20 ms or more.
///
/// docs/decisions.md, "S3": with 64 or 128 fetchers, an import takes 1.96 or 1.65 times as long as
/// from a folder.
pub const FETCHERS_S3: usize = 128;

/// The accepted numbers of fetchers. S3 allows 5,500 GETs per second and prefix (Amazon S3 user
/// guide, "Optimizing performance"): at 20 ms each, 110 fetchers send that many; slower answers need
/// more fetchers.
pub const FETCHERS_RANGE: RangeInclusive<usize> = 1..=256;

/// The least number of threads for work that blocks: reading files, listing folders, parsing large
/// objects.
///
/// docs/decisions.md, "Pipeline": with 2 to 4 of them instead of as many as requested, SQLite takes
/// 6.2 to 7.2 s instead of 8.1 s, and memory is 120-167 MB instead of 215-237 MB.
const BLOCKING_THREADS_MIN: usize = 4;

/// The accepted numbers of writers. A fourth gained nothing on any database (BENCHMARKS.md,
/// "Settings"), and servers allow about 100 connections to all clients together (PostgreSQL:
/// `max_connections` is 100).
pub const WRITERS_RANGE: RangeInclusive<usize> = 1..=64;

/// Rows after which a batch is closed.
///
/// BENCHMARKS.md, "Settings": with 2,000 rows, PostgreSQL takes 1.21 and SQLite 1.15 times as
/// long; with 50,000 rows the difference is within the noise, and the peak memory is 1.2
/// to 1.4 times as large.
pub const BATCH_ROWS: usize = 10_000;

/// The accepted numbers of rows per batch.
pub const BATCH_ROWS_RANGE: RangeInclusive<usize> = 1..=1_000_000;

/// Bytes of packed rows after which a batch is closed: 10,000 rows of the generator's logs have
/// 8.3 MB (82.6 MB for `--records 100000 --seed 7`), so this bound is for unusually long rows.
pub const BATCH_BYTES: u64 = 16 << 20;

/// The accepted sizes of a batch.
pub const BATCH_BYTES_RANGE: RangeInclusive<u64> = 64 << 10..=1 << 30;

/// The largest number of objects in a batch, which no option changes: without it, a batch of
/// nearly empty objects would have as many ledger lines as others have rows.
pub const BATCH_OBJECTS_MAX: usize = 5_000;

/// The budget of all buffers in flight.
///
/// An import of objects of 50 MB peaked at 362-411 MiB with a budget of 256 MiB, and at 217-232
/// MiB with this one. No import was slower from 48 MiB up (2 cores, commit 3644399).
pub const MEMORY_BYTES: u64 = 80 << 20;

/// The accepted memory budgets.
pub const MEMORY_BYTES_RANGE: RangeInclusive<u64> = 16 << 20..=1 << 40;

/// The largest decompressed size of an object. CloudTrail's own files have at most 50 MB
/// (AWS CloudTrail user guide, "Quotas"); files of other tools may have more.
pub const OBJECT_BYTES: u64 = 256 << 20;

/// The accepted limits of an object's decompressed size. `Rows` relies on the upper one.
pub const OBJECT_BYTES_RANGE: RangeInclusive<u64> = 1 << 10..=1 << 30;

/// US dollars for 1,000 LIST requests: S3 Standard in us-east-1 (S3 pricing, 2026).
pub const LIST_PRICE_USD: f64 = 0.005;

/// US dollars for 1,000 GET requests: S3 Standard in us-east-1 (S3 pricing, 2026).
pub const GET_PRICE_USD: f64 = 0.0004;

/// The largest number of shards.
pub const SHARDS_MAX: u64 = 10_000;

/// The newest runs that `status` reads to find the shards that are not done: those of the largest job with
/// two retries of each shard. A shard that ran before them counts as one that did not run.
pub const JOB_RUNS_MAX: u32 = 30_000;

/// Lines that `status` prints: what fits on a screen.
pub const STATUS_LINES: usize = 20;

/// The accepted numbers of lines that `status` prints.
pub const STATUS_LINES_RANGE: RangeInclusive<usize> = 1..=1_000_000;

/// The accepted numbers of rows of an answer.
pub const ANSWER_ROWS_RANGE: RangeInclusive<usize> = 1..=2_000_000_000;

/// The events that `search` returns, unless the user gives another number.
pub const SEARCH_EVENTS: u32 = 50;

/// How long a request to the database is repeated while the server is away: a failover of a managed
/// database takes one to two minutes.
pub const RETRY_FOR: Duration = Duration::from_mins(5);

/// The accepted times for which a request is repeated.
pub const RETRY_FOR_RANGE: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_hours(24);

/// Returns how requests to the database are repeated. Only the time bounds the attempts.
pub fn database_retry(retry_for: Duration) -> RetryPolicy {
    RetryPolicy {
        attempts_max: u32::MAX,
        deadline: retry_for,
        first_wait_max: Duration::from_millis(100),
        wait_max: Duration::from_secs(10),
    }
}

/// How long the process may take to end after its work. A blocking read that still hangs then is
/// abandoned.
pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// Returns the number of connections that write at the same time.
///
/// Measured on two cores. PostgreSQL: 2, 3 and 4 writers load 1,000,000 records in 3.8-4.8,
/// 3.9-4.1 and 4.1-4.7 s (docs/decisions.md, "Databases"). MySQL and MariaDB: one writer takes
/// 1.49 and 1.40 times as long as three, four are not faster (BENCHMARKS.md, "Settings"). SQLite
/// allows one writer.
pub fn writers(engine: Engine) -> usize {
    match engine {
        Engine::Sqlite => 1,
        Engine::Postgres => 2,
        Engine::Mysql => 3,
    }
}

/// Returns the number of objects fetched at the same time: from a folder, reading is fast, and one
/// fetcher per core keeps all cores busy.
pub fn fetchers(has_s3: bool) -> usize {
    if has_s3 { FETCHERS_S3.max(cores()) } else { cores() }
}

/// Returns the number of threads that may block at the same time. `typed_fetchers` is the value
/// of `--fetchers`: fetchers that read a folder need one thread each.
pub fn blocking_threads(typed_fetchers: Option<usize>) -> usize {
    typed_fetchers.unwrap_or_default().max(cores()).max(BLOCKING_THREADS_MIN)
}

/// Returns the number of cores that this process may use.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
