//! What only SQLite needs.
//!
//! One connection writes and reads, because SQLite has one writer and our triage would only wait
//! for it. A file that we create gets pages of 16 KiB. A rollback journal is kept truncated, not
//! deleted: new pages are not journalled at all, so a bulk load writes every page once, where
//! write-ahead logging writes it twice. `synchronous` stays FULL: what is committed is on disk.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection as _};

use super::connection::{CellType, Connection, connection_over_sqlx};
use super::driver::{Driver, Meaning, Misfit};
use super::schema::{Dialect, create_index_statements, other_columns};
use crate::database::Index;
use crate::trail::fields::COLUMNS;

/// How long to wait for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_mins(1);

/// Pages of a file that we create. Larger pages make fewer, larger writes.
const PAGE_BYTES: u32 = 16_384;

/// The page cache, in KiB, as SQLite's `cache_size` counts it when negative.
const CACHE_SIZE: &str = "-32768";

#[derive(Debug)]
pub(super) struct SqliteDriver {
    options: SqliteConnectOptions,
}

impl SqliteDriver {
    pub(super) fn new(url: &str) -> Result<Self, sqlx::Error> {
        let options: SqliteConnectOptions = url.parse()?;
        let options = options
            .create_if_missing(false)
            .busy_timeout(BUSY_TIMEOUT)
            .pragma("cache_size", CACHE_SIZE)
            .disable_statement_logging();
        Ok(Self { options })
    }
}

#[async_trait]
impl Driver for SqliteDriver {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn connections_max(&self) -> usize {
        1
    }

    fn index_width(&self) -> usize {
        1
    }

    async fn connect(&self) -> Result<Box<dyn Connection>, sqlx::Error> {
        let inner = SqliteConnection::connect_with(&self.options).await?;
        let mut connection = SqliteLink { inner };
        let mode = connection.query("PRAGMA journal_mode", &[], &[CellType::Text]).await?;
        // A database that its owner put into another mode keeps it.
        if mode.into_iter().flatten().any(|cell| cell.into_text() == "delete") {
            connection.run("PRAGMA journal_mode = TRUNCATE").await?;
        }
        Ok(Box::new(connection))
    }

    fn meaning(&self, error: &dyn sqlx::error::DatabaseError) -> Meaning {
        // Extended result codes; the low byte is the primary one (sqlite.org/rescode.html).
        let code: u32 = error.code().and_then(|code| code.parse().ok()).unwrap_or(1);
        match (code & 0xff, code) {
            (5 | 6, _) => Meaning::Transient,
            (19, 1555 | 2067) => Meaning::Conflict,
            (18..=20 | 25, _) => Meaning::Refused,
            (14, _) => Meaning::NoDatabase,
            (13, _) => Meaning::Fatal(Some("make room on the disk, then run it again".into())),
            (3 | 8 | 23, _) => {
                Meaning::Fatal(Some("the file and its folder must be writable".into()))
            }
            (26, _) => Meaning::Fatal(Some("name another file: this is no SQLite database".into())),
            _ => Meaning::Fatal(None),
        }
    }

    async fn create_database(&self) -> Result<(), sqlx::Error> {
        let options = self.options.clone().create_if_missing(true).page_size(PAGE_BYTES);
        let mut created = SqliteConnection::connect_with(&options).await?;
        // The page size is settled by the first write.
        sqlx::Executor::execute(&mut created, "PRAGMA user_version = 0").await?;
        created.close().await
    }

    fn create_database_hint(&self) -> String {
        let file = self.options.get_filename();
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        format!("the folder `{}` must be there and writable", folder.display())
    }

    fn migrations(&self) -> Migrator {
        sqlx::migrate!("migrations/sqlite")
    }

    async fn begin_migrations(&self, connection: &mut dyn Connection) -> Result<(), sqlx::Error> {
        connection.run("BEGIN IMMEDIATE").await
    }

    async fn misfit(&self, connection: &mut dyn Connection) -> Result<Option<Misfit>, sqlx::Error> {
        let query = "SELECT name, type FROM pragma_table_info('logs')";
        let rows = connection.query(query, &[], &[CellType::Text; 2]).await?;
        let (mut found, mut altering) = (Vec::new(), None);
        for row in rows {
            let [name, column_type] = <[_; 2]>::try_from(row).expect("two columns");
            let (name, column_type) = (name.into_text(), column_type.into_text());
            if !keeps_text(&column_type) {
                altering.get_or_insert(format!(
                    "the `logs` table's column `{name}` is {column_type}, which turns text into \
                     numbers"
                ));
            }
            found.push(name);
        }
        let what = other_columns(&found, &COLUMNS).or(altering);
        Ok(what.map(|what| Misfit { what, statements: Vec::new() }))
    }

    fn indexed_columns_sql(&self) -> &'static str {
        "SELECT i.name FROM pragma_index_list('logs') l, pragma_index_info(l.name) i \
         WHERE i.seqno = 0 AND l.partial = 0 AND i.name IS NOT NULL"
    }

    fn index_statements(&self, missing: &[Index]) -> Vec<(Vec<Index>, String)> {
        create_index_statements(missing)
    }

    fn has_ledger_sql(&self) -> &'static str {
        "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'import_objects'"
    }
}

/// Returns whether a column declared so stores text as it is, whatever its width.
///
/// SQLite documentation, "Datatypes", section 3.1, "Determination Of Column Affinity".
fn keeps_text(column_type: &str) -> bool {
    let column_type = column_type.to_ascii_uppercase();
    let has = |word: &str| column_type.contains(word);
    let is_text = has("CHAR") || has("CLOB") || has("TEXT");
    let is_blob = has("BLOB") || column_type.is_empty();
    !has("INT") && (is_text || is_blob)
}

struct SqliteLink {
    inner: SqliteConnection,
}

connection_over_sqlx! { SqliteLink, SqliteArguments<'_>,
    fn statement_bytes_max(&self) -> usize {
        // Far below SQLITE_MAX_LENGTH; it only bounds what is copied at a time.
        8 << 20
    }
}
