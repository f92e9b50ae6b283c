//! The driver for SQLite.
//!
//! One connection writes and reads: SQLite has one writer, and triage on a second connection would
//! only wait for it. A file that the program creates gets pages of 16 KiB. The rollback journal is
//! truncated instead of deleted; it holds no new pages, so a bulk load writes every page once,
//! where write-ahead logging writes it twice. `synchronous` stays FULL: committed data is on disk.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::error::DatabaseError;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{ConnectOptions, Connection as _, Row, TypeInfo, ValueRef};

use super::connection::{CellType, Connection, IdFormat, connection_over_sqlx};
use super::driver::Driver;
use super::error::SqlErrorClass;
use super::schema::{ColumnInfo, SchemaMismatch, create_index_statements};
use crate::database::answer::AnswerCell;
use crate::database::indexes::Index;
use crate::database::url::Engine;
use crate::trail::fields::FIELDS;

/// How long to wait for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_mins(1);

/// The page size of a file that the program creates. Larger pages make fewer and larger writes.
const PAGE_BYTES: u32 = 16_384;

/// The page cache, in KiB, as SQLite's `cache_size` counts it when negative.
const CACHE_SIZE: &str = "-32768";

/// After how many instructions SQLite looks whether it is to end an index build: far less than a
/// second.
const INSTRUCTIONS_BETWEEN_LOOKS: i32 = 10_000;

#[derive(Debug)]
pub(super) struct SqliteDriver {
    options: SqliteConnectOptions,
    /// Interrupts statements while it is true.
    interrupts: Arc<AtomicBool>,
}

impl SqliteDriver {
    pub(super) fn new(url: &str, interrupts: Arc<AtomicBool>) -> Result<Self, sqlx::Error> {
        let options: SqliteConnectOptions = url.parse()?;
        let options = options
            .create_if_missing(false)
            .busy_timeout(BUSY_TIMEOUT)
            .pragma("cache_size", CACHE_SIZE)
            // As on the other databases.
            .pragma("case_sensitive_like", "ON")
            .disable_statement_logging();
        Ok(Self { options, interrupts })
    }
}

#[async_trait]
impl Driver for SqliteDriver {
    fn engine(&self) -> Engine {
        Engine::Sqlite
    }

    fn connections_max(&self) -> usize {
        1
    }

    fn index_width(&self) -> usize {
        1
    }

    async fn connect(&self) -> Result<Box<dyn Connection>, sqlx::Error> {
        let existed = self.options.get_filename().exists();
        let mut inner = SqliteConnection::connect_with(&self.options).await?;
        if !existed {
            // Another process has created it meanwhile. SQLite may have tried to open it for writing
            // before that, and for reading after it.
            inner.close().await?;
            inner = SqliteConnection::connect_with(&self.options).await?;
        }
        let interrupts = Arc::clone(&self.interrupts);
        inner.lock_handle().await?.set_progress_handler(INSTRUCTIONS_BETWEEN_LOOKS, move || {
            !interrupts.load(Ordering::Relaxed)
        });
        let mut connection = SqliteLink { inner };
        let mode = connection.query("PRAGMA journal_mode", &[], &[CellType::Text]).await?;
        // A database that its owner set to another mode keeps that mode.
        if mode.into_iter().flatten().any(|cell| cell.into_text() == "delete") {
            connection.run("PRAGMA journal_mode = TRUNCATE").await?;
        }
        Ok(Box::new(connection))
    }

    fn classify(&self, error: &dyn DatabaseError) -> SqlErrorClass {
        error.code().and_then(|code| code.parse().ok()).map_or(SqlErrorClass::Unknown, class_of)
    }

    fn code_text(&self, error: &dyn DatabaseError) -> String {
        format!("error {}", error.code().unwrap_or_default())
    }

    fn privileges_hint(&self) -> String {
        WRITABLE.to_owned()
    }

    async fn create_database(&self) -> Result<(), sqlx::Error> {
        // Other users must not read audit logs. SQLite gives the journal the permissions of the
        // file. If the file cannot be created, SQLite reports the reason. The file gets its name only
        // after it was closed: closing it would end the locks that another connection of this
        // process holds on it (SQLite, "How To Corrupt An SQLite Database File", 2.2).
        let file = self.options.get_filename();
        if let Ok(empty) = tempfile::NamedTempFile::new_in(folder_of(file)) {
            let _ = empty.into_temp_path().persist_noclobber(file);
        }
        let options = self.options.clone().create_if_missing(true).page_size(PAGE_BYTES);
        let mut created = SqliteConnection::connect_with(&options).await?;
        // The first write fixes the page size.
        sqlx::Executor::execute(&mut created, "PRAGMA user_version = 0").await?;
        created.close().await
    }

    fn create_database_hint(&self) -> String {
        let file = self.options.get_filename();
        if file.is_dir() {
            return format!("`{}` is a folder: name a file", file.display());
        }
        format!("the folder `{}` must exist and be writable", folder_of(file).display())
    }

    async fn begin_migrations(
        &self,
        connection: &mut dyn Connection,
        _wait: Duration,
    ) -> Result<(), sqlx::Error> {
        connection.begin().await
    }

    fn columns_sql(&self) -> &'static str {
        // A column that is hidden as 2 or 3 is generated. An INTEGER PRIMARY KEY is numbered.
        "SELECT name, type, '', CASE WHEN \"notnull\" = 0 OR dflt_value IS NOT NULL \
         OR hidden IN (2, 3) OR (pk = 1 AND type = 'INTEGER' COLLATE NOCASE) THEN 1 ELSE 0 END \
         FROM pragma_table_xinfo(?)"
    }

    async fn find_mismatch(
        &self,
        _connection: &mut dyn Connection,
        columns: &[ColumnInfo],
    ) -> Result<Option<SchemaMismatch>, sqlx::Error> {
        let is_field = |name: &str| FIELDS.iter().any(|it| it.name.eq_ignore_ascii_case(name));
        let altering = columns.iter().find(|it| is_field(&it.name) && !keeps_text(&it.column_type));
        Ok(altering.map(|column| {
            SchemaMismatch::beyond_repair(format!(
                "column `{}` of the `logs` table is {}, which turns text into numbers",
                column.name, column.column_type
            ))
        }))
    }

    fn indexes_sql(&self) -> &'static str {
        "SELECT l.name, i.name FROM pragma_index_list(?) l, pragma_index_info(l.name) i \
         WHERE l.partial = 0 AND i.name IS NOT NULL ORDER BY l.name, i.seqno"
    }

    fn index_statements(&self, missing: &[Index]) -> Vec<(Vec<Index>, String)> {
        create_index_statements(missing)
    }

    fn statistics_statements(&self) -> &'static [&'static str] {
        // Without the limit, it reads every index whole.
        &["PRAGMA analysis_limit = 1000", "ANALYZE"]
    }

    fn has_table_sql(&self) -> &'static str {
        "SELECT COUNT(*) FROM sqlite_master WHERE type IN ('table', 'view') AND name = ?"
    }
}

/// What the user can do about a file that another process does not let go.
const LOCKED: &str =
    "another process writes to the file: run the same command again when it has ended";

const WRITABLE: &str = "the file and its folder must be writable";

/// Returns the class of an extended result code; its low byte is the primary result code
/// (sqlite.org/rescode.html).
fn class_of(code: u32) -> SqlErrorClass {
    match (code & 0xff, code) {
        // BUSY, LOCKED.
        (5 | 6, _) => SqlErrorClass::Busy(LOCKED),
        // CONSTRAINT_PRIMARYKEY, CONSTRAINT_UNIQUE.
        (19, 1555 | 2067) => SqlErrorClass::Conflict,
        // TOOBIG, CONSTRAINT, MISMATCH, RANGE.
        (18..=20 | 25, _) => SqlErrorClass::DataRefused,
        // CANTOPEN.
        (14, _) => SqlErrorClass::NoDatabase,
        // FULL.
        (13, _) => SqlErrorClass::Fatal(Some("free space on the disk, then run it again")),
        // PERM, READONLY, AUTH.
        (3 | 8 | 23, _) => SqlErrorClass::Fatal(Some(WRITABLE)),
        // NOTADB.
        (26, _) => SqlErrorClass::Fatal(Some("name another file: this is not a SQLite database")),
        // ERROR (SQL that is wrong), INTERNAL, NOMEM, IOERR, CORRUPT, SCHEMA, MISUSE. sqlx shows
        // their codes.
        (1 | 2 | 7 | 10 | 11 | 17 | 21, _) => SqlErrorClass::Fatal(None),
        _ => SqlErrorClass::Unknown,
    }
}

/// Returns whether a column of this declared type stores text unchanged.
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

connection_over_sqlx! { SqliteLink, SqliteArguments<'_>, IdFormat::Bytes, answer_cell,
    async fn begin(&mut self) -> Result<(), sqlx::Error> {
        // The lock is taken at once: a transaction that read first could not wait for it.
        self.run("BEGIN IMMEDIATE").await
    }

    fn statement_bytes_max(&self) -> usize {
        // Far below SQLITE_MAX_LENGTH. It bounds how much is copied at a time.
        8 << 20
    }
}

/// Returns a cell of an answer.
fn answer_cell(row: &SqliteRow, column: usize) -> Result<AnswerCell, sqlx::Error> {
    let value = row.try_get_raw(column)?;
    let is_number = matches!(value.type_info().name(), "INTEGER" | "REAL");
    let text: Option<String> = row.try_get_unchecked(column)?;
    Ok(match text {
        None => AnswerCell::Null,
        Some(number) if is_number => AnswerCell::Number(number),
        Some(text) => AnswerCell::Text(text),
    })
}

/// Returns the folder of a file; `.` for a bare name.
fn folder_of(file: &Path) -> &Path {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_listed_codes_are_blamed_on_the_data() {
        use SqlErrorClass::{Busy, Conflict, DataRefused, Fatal, NoDatabase, Unknown};
        for (code, expected) in [
            (5, Busy(LOCKED)),
            (6, Busy(LOCKED)),
            (517, Busy(LOCKED)),
            (1555, Conflict),
            (2067, Conflict),
            (18, DataRefused),
            (19, DataRefused),
            (275, DataRefused),
            (1811, DataRefused),
            (20, DataRefused),
            (25, DataRefused),
            (14, NoDatabase),
            (1, Fatal(None)),
            (11, Fatal(None)),
            (10, Fatal(None)),
            (778, Fatal(None)),
            (8, Fatal(Some(WRITABLE))),
            (9, Unknown),
            (22, Unknown),
            (27, Unknown),
        ] {
            assert_eq!(class_of(code), expected, "{code}");
        }
        assert!(matches!(class_of(13), Fatal(Some(hint)) if hint.contains("disk")));
        assert!(matches!(class_of(26), Fatal(Some(_))));
    }

    #[test]
    fn a_column_type_of_another_affinity_than_text_is_recognised() {
        for (column_type, expected) in [
            ("TEXT", true),
            ("varchar(80)", true),
            ("BLOB", true),
            ("", true),
            ("INTEGER", false),
            ("CHARINT", false),
            ("REAL", false),
            ("DATETIME", false),
        ] {
            assert_eq!(keeps_text(column_type), expected, "{column_type}");
        }
    }
}
