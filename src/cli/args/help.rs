//! The long texts of `--help`.

pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0    everything was loaded
  1    the run failed; run the same command again to go on
  2    wrong usage or configuration; nothing was done
  3    finished, but something was left out or altered; the summary says what
  130  interrupted; what was loaded stays, run the same command again to go on";

pub(super) const DATABASES: &str = "\
Databases:
  The first of these that is given is used:
  1. --database URL
  2. DATABASE_URL, the environment variable
  3. --config FILE, otherwise db.toml in the folder you are in (db.example.toml has every key)
  4. sqlite://cloudtrail.db

  SQLite            sqlite://PATH, or a PATH that ends in .db, .sqlite or .sqlite3
  PostgreSQL        postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full
  MySQL, MariaDB    mysql://USER:PASSWORD@HOST:PORT/DATABASE?ssl-mode=VERIFY_IDENTITY

  Others on this machine can read a command line: keep a password in db.toml or DATABASE_URL.";

pub(super) const EXAMPLES: &str = "\
Examples:
  cloudtrail2sql import ./AWSLogs
      Load a folder into ./cloudtrail.db.

  cloudtrail2sql import --profile audit s3://acme-trail/AWSLogs/111122223333/CloudTrail/
      Load a prefix with the credentials of a profile.

  cloudtrail2sql --database postgres://loader@db.example.com/cloudtrail import s3://acme-trail/
      Load a whole bucket into PostgreSQL.

  cloudtrail2sql status --failed
      Show what could not be loaded, and why.";

pub(super) const IMPORT_EXAMPLES: &str = "\
Examples:
  cloudtrail2sql import ./AWSLogs trail.json.gz
      Load a folder and a file into ./cloudtrail.db.

  cloudtrail2sql import --dry-run s3://acme-trail/AWSLogs/111122223333/CloudTrail/us-east-1/2023/
      Say how much there is to load, and load nothing.

  cloudtrail2sql import --endpoint-url http://127.0.0.1:9000 s3://acme-trail/
      Load from MinIO or another server that speaks S3.

  cloudtrail2sql import --no-sign-request --region us-west-2 s3://public-trail/logs/
      Load from a public bucket, without credentials.";
