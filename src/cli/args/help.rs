//! The long texts of `--help`, and those that contain defaults.

use std::ops::RangeInclusive;

use crate::cli::config::defaults;
use crate::database::url::Engine;

pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0    everything was loaded
  1    the run failed; run the same command again to resume
  2    wrong usage or configuration; nothing was done
  3    finished, but something was left out or replaced; the summary has the numbers
  130  interrupted; loaded objects stay, run the same command again to resume";

pub(super) const DATABASES: &str = "\
Databases:
  The program uses the first of these that is given:
  1. --database URL
  2. the environment variable DATABASE_URL
  3. --config FILE, otherwise db.toml in the current folder (db.example.toml has every key)
  4. sqlite://cloudtrail.db

  SQLite            sqlite://PATH, or a PATH that ends in .db, .sqlite or .sqlite3
  PostgreSQL        postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full
  MySQL, MariaDB    mysql://USER:PASSWORD@HOST:PORT/DATABASE?ssl-mode=VERIFY_IDENTITY

  Other users of this machine can see command lines: put a password into db.toml or DATABASE_URL.";

pub(super) const EXAMPLES: &str = "\
Examples:
  cloudtrail2sql import ./AWSLogs
      Load a folder into ./cloudtrail.db.

  cloudtrail2sql import --profile audit s3://acme-trail/AWSLogs/111122223333/CloudTrail/
      Load a prefix with the credentials of a profile.

  cloudtrail2sql --database postgres://loader@db.example.com/cloudtrail import s3://acme-trail/
      Load a whole bucket into PostgreSQL.

  cloudtrail2sql status --failed
      Show which objects could not be loaded, and why.";

pub(super) const QUERY_EXAMPLES: &str = "\
Examples:
  cloudtrail2sql query
      List the questions.

  cloudtrail2sql query errors --since 7d --region us-east-1
      What failed most in a region in the last seven days.

  cloudtrail2sql query by-user --username alice --output csv --out alice.csv
      Write everything that a user did into a file.

  cloudtrail2sql query denied --sql
      Print the SQL.";

pub(super) const SEARCH_EXAMPLES: &str = "\
Examples:
  cloudtrail2sql search --username alice --since 7d
      The newest 50 events of a user in the last seven days.

  cloudtrail2sql search --event-name RunInstances --limit 1000 --output jsonl --out runs.jsonl
      Write whole records into a file.

  cloudtrail2sql search --resource-name i-0abcd1234 --until 2026-01-15T08:30:00Z
      What happened to an instance up to a moment.";

pub(super) const REPORT_EXAMPLES: &str = "\
Examples:
  cloudtrail2sql report --out report.html
      Write a page about all events.

  cloudtrail2sql report --since 7d --account-id 111122223333 --out report.html
      Write a page about the last seven days of one account, and what is new in them.";

pub(super) const IMPORT_EXAMPLES: &str = "\
Examples:
  cloudtrail2sql import ./AWSLogs trail.json.gz
      Load a folder and a file into ./cloudtrail.db.

  aws cloudtrail lookup-events | cloudtrail2sql import -
      Load the events of the last 90 days without a trail.

  cloudtrail2sql import --dry-run s3://acme-trail/AWSLogs/111122223333/CloudTrail/us-east-1/2023/
      Report how much there is to load, and load nothing.

  cloudtrail2sql import s3://acme-trail/ --event-name AssumeRole --since 2026-01-01 --until 2026-01-31
      Load every call of one API in a month; a later import without filters loads the rest.

  cloudtrail2sql import --endpoint-url http://127.0.0.1:9000 s3://acme-trail/
      Load from MinIO or another S3-compatible server.

  cloudtrail2sql import --no-sign-request --region us-west-2 s3://public-trail/logs/
      Load from a public bucket, without credentials.";

pub(super) fn listers() -> String {
    format!("Prefixes to list at once, {}", spell(&defaults::LISTERS_RANGE))
}

pub(super) fn fetchers() -> String {
    format!(
        "Objects to fetch at once, {} [default: {} from S3, the number of cores from disk]",
        spell(&defaults::FETCHERS_RANGE),
        defaults::FETCHERS_S3
    )
}

pub(super) fn writers() -> String {
    format!(
        "Connections that write at once, {} [default: {} PostgreSQL, {} MySQL/MariaDB, {} SQLite]",
        spell(&defaults::WRITERS_RANGE),
        defaults::writers(Engine::Postgres),
        defaults::writers(Engine::Mysql),
        defaults::writers(Engine::Sqlite)
    )
}

fn spell(range: &RangeInclusive<usize>) -> String {
    format!("{} to {}", range.start(), range.end())
}
