//! What only PostgreSQL needs: binary COPY, and servers that speak its protocol without COPY.

use std::fmt;

use async_trait::async_trait;
use sqlx::error::DatabaseError;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgDatabaseError};
use sqlx::{ConnectOptions, Connection as _};

use super::connection::{Cell, CellType, Connection, connection_over_sqlx, quoted};
use super::driver::{Driver, Meaning, Misfit};
use super::schema::{Dialect, create_index_statements, other_columns};
use crate::database::BoxError;
use crate::database::Index;
use crate::database::LoadMethod;
use crate::database::batch::{Batch, ParsedObject};
use crate::trail::fields::COLUMNS;

/// Documentation, COPY, "Binary Format": signature, flags, length of the header extension.
const COPY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// The same: a count of -1 ends the data.
const COPY_TRAILER: &[u8] = &(-1_i16).to_be_bytes();

/// What is sent in one message. Small objects are gathered up to it.
const COPY_CHUNK_BYTES: usize = 64 << 10;

/// The most connections at once: 64 writers, triage, index builds.
const CONNECTIONS_MAX: usize = 72;

/// The advisory lock of an import that creates the tables: any number that nobody else takes.
const MIGRATE_LOCK: i64 = 0x636c_6f75_6474_7261;

pub(super) struct PostgresDriver {
    options: PgConnectOptions,
    load_method: LoadMethod,
}

impl fmt::Debug for PostgresDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // sqlx's options show the password.
        f.debug_struct("PostgresDriver").finish_non_exhaustive()
    }
}

impl PostgresDriver {
    pub(super) fn new(url: &str, load_method: LoadMethod) -> Result<Self, sqlx::Error> {
        let connect: PgConnectOptions = url.parse()?;
        let connect = connect.application_name("cloudtrail2sql").disable_statement_logging();
        Ok(Self { options: connect, load_method })
    }

    fn database_name(&self) -> &str {
        self.options.get_database().unwrap_or_else(|| self.options.get_username())
    }

    fn create_database_sql(&self) -> String {
        let name = quoted(self.database_name(), '"');
        format!("CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
    }
}

#[async_trait]
impl Driver for PostgresDriver {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn connections_max(&self) -> usize {
        CONNECTIONS_MAX
    }

    fn index_width(&self) -> usize {
        2
    }

    async fn connect(&self) -> Result<Box<dyn Connection>, sqlx::Error> {
        let inner = PgConnection::connect_with(&self.options).await?;
        Ok(Box::new(PostgresLink { inner, load_method: self.load_method }))
    }

    fn meaning(&self, error: &dyn sqlx::error::DatabaseError) -> Meaning {
        // Documentation, Appendix A, "PostgreSQL Error Codes".
        let code = error.code().unwrap_or_default();
        match (code.get(..2).unwrap_or_default(), &*code) {
            (_, "23505") => Meaning::Conflict,
            (_, "3D000") => Meaning::NoDatabase,
            (_, "53100") => {
                Meaning::Fatal(Some("make room on the server's disk, then run it again".into()))
            }
            ("08" | "40" | "53" | "55" | "57" | "58", _) => Meaning::Transient,
            ("28", _) => Meaning::Fatal(Some("check user name and password".into())),
            (_, "42501") => Meaning::Forbidden(
                "the account needs `CREATE` on the schema, or tables that another account made and \
                 `SELECT`, `INSERT`, `UPDATE`, `DELETE` on them; only the owner of `logs` builds \
                 indexes, for others there is `--no-index`"
                    .into(),
            ),
            (_, "25006") => {
                Meaning::Fatal(Some("the server is read-only: name the primary".into()))
            }
            ("0A" | "3F" | "42" | "F0" | "XX", _) => Meaning::Fatal(None),
            _ => Meaning::Refused,
        }
    }

    async fn create_database(&self) -> Result<(), sqlx::Error> {
        let options = self.options.clone().database("postgres");
        let mut connection = PgConnection::connect_with(&options).await?;
        let created = sqlx::Executor::execute(&mut connection, &*self.create_database_sql()).await;
        match created {
            // duplicate_database, or its unique index: another import was faster.
            Err(sqlx::Error::Database(error))
                if matches!(error.code().as_deref(), Some("42P04" | "23505")) => {}
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        // It is done, however the farewell goes.
        let _ = connection.close().await;
        Ok(())
    }

    fn create_database_hint(&self) -> String {
        // Its owner may create the tables; since PostgreSQL 15, nobody else may.
        let (create, owner) =
            (self.create_database_sql(), quoted(self.options.get_username(), '"'));
        format!("let an account that may create it run: {create} OWNER {owner}")
    }

    fn migrations(&self) -> Migrator {
        sqlx::migrate!("migrations/postgres")
    }

    async fn begin_migrations(&self, connection: &mut dyn Connection) -> Result<(), sqlx::Error> {
        connection.run("BEGIN").await?;
        connection.run(&format!("SELECT pg_advisory_xact_lock({MIGRATE_LOCK})")).await
    }

    async fn misfit(&self, connection: &mut dyn Connection) -> Result<Option<Misfit>, sqlx::Error> {
        let query = "SELECT current_setting('server_encoding')";
        let rows = connection.query(query, &[], &[CellType::Text]).await?;
        let encoding = rows.into_iter().flatten().next().map(Cell::into_text);
        if let Some(encoding) = encoding.filter(|encoding| encoding != "UTF8") {
            let what = format!(
                "the database `{}` stores text as {encoding}, which cannot hold every character",
                self.database_name()
            );
            return Ok(Some(Misfit { what, statements: Vec::new() }));
        }
        let query = "SELECT attname::text, format_type(atttypid, atttypmod) \
             FROM pg_attribute WHERE attrelid = to_regclass('logs') AND attnum > 0 \
             AND NOT attisdropped ORDER BY attnum";
        let rows = connection.query(query, &[], &[CellType::Text; 2]).await?;
        let (mut names, mut narrow) = (Vec::new(), Vec::new());
        for row in rows {
            let [name, column_type] = <[_; 2]>::try_from(row).expect("two columns");
            let (name, column_type) = (name.into_text(), column_type.into_text());
            if !matches!(&*column_type, "text" | "character varying") {
                narrow.push((name.clone(), column_type));
            }
            names.push(name);
        }
        let columns = COLUMNS.map(str::to_ascii_lowercase);
        if let Some(what) = other_columns(&names, &columns) {
            return Ok(Some(Misfit { what, statements: Vec::new() }));
        }
        let Some((first, first_type)) = narrow.first() else { return Ok(None) };
        let what = format!(
            "{} of the `logs` table's columns cannot hold everything; `{first}`, for one, is \
             {first_type}",
            narrow.len()
        );
        let changes: Vec<String> = narrow
            .iter()
            .map(|(name, _)| {
                let name = quoted(name, '"');
                format!("ALTER COLUMN {name} TYPE text USING {name}::text")
            })
            .collect();
        let statements = vec![format!("ALTER TABLE logs {}", changes.join(", "))];
        Ok(Some(Misfit { what, statements }))
    }

    fn indexed_columns_sql(&self) -> &'static str {
        "SELECT a.attname::text FROM pg_index i JOIN pg_attribute a \
         ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] \
         WHERE i.indrelid = to_regclass('logs') AND i.indisvalid AND i.indpred IS NULL"
    }

    fn index_statements(&self, missing: &[Index]) -> Vec<(Vec<Index>, String)> {
        create_index_statements(missing)
    }

    fn has_ledger_sql(&self) -> &'static str {
        "SELECT COUNT(to_regclass('import_objects'))"
    }
}

/// Returns what the server says, if it is PostgreSQL. sqlx adds the line of the server's own
/// source code, which tells people nothing.
pub(super) fn words(error: &dyn DatabaseError) -> Option<BoxError> {
    let error = error.try_downcast_ref::<PgDatabaseError>()?;
    Some(error.message().into())
}

struct PostgresLink {
    inner: PgConnection,
    load_method: LoadMethod,
}

connection_over_sqlx! { PostgresLink, PgArguments,
    fn statement_bytes_max(&self) -> usize {
        16 << 20
    }

    async fn copy_rows(&mut self, batch: &Batch) -> Result<bool, sqlx::Error> {
        if self.load_method == LoadMethod::Insert {
            return Ok(false);
        }
        let statement =
            format!("COPY logs ({}) FROM STDIN (FORMAT binary)", COLUMNS.join(", "));
        let mut copy = self.inner.copy_in_raw(&statement).await?;
        let mut chunk = Vec::with_capacity(2 * COPY_CHUNK_BYTES);
        chunk.extend_from_slice(COPY_HEADER);
        for log in batch.objects.iter().map(ParsedObject::log) {
            for part in log.rows.as_copy_bytes().chunks(COPY_CHUNK_BYTES) {
                chunk.extend_from_slice(part);
                if chunk.len() >= COPY_CHUNK_BYTES {
                    copy.send(&*chunk).await?;
                    chunk.clear();
                }
            }
        }
        chunk.extend_from_slice(COPY_TRAILER);
        copy.send(&*chunk).await?;
        let rows = copy.finish().await?;
        if rows != batch.rows() as u64 {
            // A trigger or a rule of the user's took rows away, or added some.
            let sent = batch.rows();
            let told = format!("{sent} rows were sent, and the table took {rows}");
            return Err(sqlx::Error::InvalidArgument(told));
        }
        Ok(true)
    }
}
