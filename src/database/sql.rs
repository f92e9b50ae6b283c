//! The store for databases that sqlx connects to, with its pool of connections.
//!
//! After an error, a connection is dropped, which rolls its transaction back. Only after a conflict
//! the transaction is rolled back by a statement, and the connection is kept. No connection returns
//! to the pool inside a transaction.
//!
//! The modules are listed in reading order; each imports only from those above it.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use tokio::sync::OnceCell;

use self::connection::{CellType, Cells, Connection, Session, Value};
use self::driver::Driver;
use self::error::{SqlErrorClass, cause_of, class_of_driver_error};
use self::panics::without_panic;
use self::pool::Pool;
use self::schema::{ColumnInfo, Schema, limits};
use super::url::{DatabaseUrl, Engine};
use super::{DatabaseError, ErrorClass, OpenOptions};
use crate::trail::record::CellRules;

mod error;

mod panics;

mod tls;

mod relay;

mod tls_relay;

mod migrations;

mod schema;

mod added_columns;

mod connection;

mod driver;

mod pool;

mod watch;

mod migrate;

mod lines;

mod write;

mod partial;

mod integrity;

mod runs;

mod records;

mod dedupe;

mod forget;

mod answer;

mod post_load;

mod sqlite;

mod postgres;

mod mysql;

mod store;

mod ddl;

pub(super) use self::ddl::ddl;

/// How many identities are remembered: 4 MiB. With more, the set begins anew, and identities are
/// written again, which changes nothing.
const KNOWN_IDENTITIES_MAX: usize = 200_000;

/// What the user can do about a server that does not answer.
const NO_ANSWER: &str = "check that the server is running and that the host and port in the database \
     URL are right, then run the same command again";

/// What the user can do about a server that accepts no more connections.
const NO_CONNECTION: &str = "the server, the database or the account has no connection left: end other \
     sessions or raise the limit, then run the same command again";

/// Repeats a request to the database while it may succeed later.
macro_rules! retried {
    ($store:expr, $request:expr) => {{
        let mut attempts = crate::database::attempts::Attempts::new($store.options.retry);
        loop {
            match $request.await {
                Ok(value) => break Ok(value),
                Err(error) => {
                    if let Err(error) = attempts.wait(error).await {
                        break Err(error);
                    }
                }
            }
        }
    }};
}
use retried;

/// A database with our tables.
pub(super) struct SqlStore {
    driver: Box<dyn Driver>,
    options: OpenOptions,
    schema: Schema,
    rules: CellRules,
    pool: Pool,
    /// The SQL of multi-row INSERTs, by table and number of rows; a few per table.
    inserts: Mutex<HashMap<(&'static str, usize), Arc<str>>>,
    /// Identities that are known to be committed, at most [`KNOWN_IDENTITIES_MAX`].
    known_identities: Mutex<HashSet<i64>>,
    /// The last columns of a ledger line, for a SELECT: the tables of earlier versions lack them.
    ledger_columns: OnceCell<String>,
    /// Whether the statements that can be cancelled are to end.
    is_cancelling: Arc<AtomicBool>,
    /// The sessions that run such statements.
    cancellable: Mutex<Vec<Session>>,
}

impl fmt::Debug for SqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlStore").field("driver", &self.driver).finish_non_exhaustive()
    }
}

impl SqlStore {
    /// Makes the store of a database. It opens no connection yet.
    ///
    /// # Errors
    /// The driver cannot parse the URL.
    pub(super) fn new(url: &DatabaseUrl, options: OpenOptions) -> Result<Self, DatabaseError> {
        let engine = url.engine();
        let url = url.expose();
        let is_cancelling = Arc::new(AtomicBool::new(false));
        let driver = match engine {
            Engine::Sqlite => {
                sqlite::SqliteDriver::new(url, Arc::clone(&is_cancelling)).map(into_dyn)
            }
            Engine::Postgres => {
                postgres::PostgresDriver::new(url, options.load_method).map(into_dyn)
            }
            Engine::Mysql => mysql::MysqlDriver::new(url).map(into_dyn),
        }
        .map_err(|error| DatabaseError::fatal("use the database URL", cause_of(error), None))?;
        if let Some(warning) = driver.tls_warning() {
            tracing::warn!("{warning}");
        }
        Ok(Self {
            schema: Schema::new(engine),
            rules: CellRules {
                keeps_other_fields: options.keeps_other_fields,
                limits: limits(engine),
            },
            known_identities: Mutex::new(HashSet::new()),
            ledger_columns: OnceCell::new(),
            pool: Pool::new(driver.connections_max()),
            inserts: Mutex::new(HashMap::new()),
            cancellable: Mutex::new(Vec::new()),
            is_cancelling,
            options,
            driver,
        })
    }

    /// Creates the database if it is missing; returns whether it did.
    async fn create_if_missing(&self) -> Result<bool, DatabaseError> {
        if self.exists().await? {
            return Ok(false);
        }
        let creating = without_panic(self.driver.create_database());
        let Err(error) = creating.await else { return Ok(true) };
        let doing = "create the database";
        if matches!(self.classify(&error), SqlErrorClass::NoDatabase | SqlErrorClass::Forbidden) {
            let hint = Some(self.driver.create_database_hint());
            return Err(DatabaseError::fatal(doing, cause_of(error), hint));
        }
        Err(self.error(doing, error))
    }

    /// Opens the first connection; returns whether the database exists.
    ///
    /// If the server cannot be reached, this fails at once, without a retry: its name is more likely
    /// wrong than the server late.
    async fn exists(&self) -> Result<bool, DatabaseError> {
        let doing = "connect to the database";
        let _permit = self.pool.permit().await;
        if self.pool.has_idle() {
            return Ok(true);
        }
        match self.open().await {
            Ok(connection) => {
                self.give_back(connection);
                Ok(true)
            }
            Err(error) => match self.classify(&error) {
                SqlErrorClass::NoDatabase => Ok(false),
                SqlErrorClass::Transient if matches!(error, sqlx::Error::Io(_)) => {
                    let hint = "check the host and the port, and that the server is running";
                    Err(DatabaseError::fatal(doing, cause_of(error), Some(hint.to_owned())))
                }
                _ => Err(without_data(self.error(doing, error), doing)),
            },
        }
    }

    /// Returns whether the database and its ledger exist. Creates nothing.
    async fn find_ledger(&self) -> Result<bool, DatabaseError> {
        if !self.exists().await? {
            return Ok(false);
        }
        let doing = "find the table `import_objects`";
        let mut pooled = self.connection(doing).await?;
        let session = pooled.connection.session();
        let request = self.has_table(&mut *pooled.connection, "import_objects");
        let outcome = self.in_time(doing, session, self.statement_limit(), request).await;
        self.put_back(pooled, outcome)
    }

    async fn has_table(
        &self,
        connection: &mut dyn Connection,
        name: &str,
    ) -> Result<bool, sqlx::Error> {
        let (query, name) = (self.driver.has_table_sql(), [Value::Text(Some(name))]);
        let rows = connection.query(query, &name, &[CellType::Int]).await?;
        Ok(rows.into_iter().flatten().any(|cell| cell.into_int() > 0))
    }

    /// Returns the columns of a table or view; none if it does not exist.
    async fn columns_of(
        &self,
        connection: &mut dyn Connection,
        name: &str,
    ) -> Result<Vec<ColumnInfo>, sqlx::Error> {
        let types = [CellType::Text, CellType::Text, CellType::Text, CellType::Int];
        let (query, name) = (self.driver.columns_sql(), [Value::Text(Some(name))]);
        let rows = connection.query(query, &name, &types).await?;
        let read = |row: Cells| {
            let [name, column_type, charset, is_optional] =
                <[_; 4]>::try_from(row).expect("the query selects four columns");
            ColumnInfo {
                name: name.into_text(),
                column_type: column_type.into_text(),
                charset: charset.into_text(),
                is_optional: is_optional.into_int() == 1,
            }
        };
        Ok(rows.into_iter().map(read).collect())
    }

    /// Runs one statement in a transaction of its own.
    async fn execute(
        &self,
        doing: &'static str,
        statement: &str,
        values: &[Value<'_>],
    ) -> Result<(), DatabaseError> {
        let mut pooled = self.connection(doing).await?;
        let session = pooled.connection.session();
        let request = pooled.connection.execute(statement, values);
        let outcome = self.in_time(doing, session, self.statement_limit(), request).await;
        self.put_back(pooled, outcome).map(drop)
    }

    async fn query(
        &self,
        doing: &'static str,
        query: &str,
        values: &[Value<'_>],
        types: &[CellType],
    ) -> Result<Vec<Cells>, DatabaseError> {
        let mut pooled = self.connection(doing).await?;
        let session = pooled.connection.session();
        let request = pooled.connection.query(query, values, types);
        let outcome = self.in_time(doing, session, self.statement_limit(), request).await;
        self.put_back(pooled, outcome).map_err(|error| without_data(error, doing))
    }

    fn classify(&self, error: &sqlx::Error) -> SqlErrorClass {
        match error {
            sqlx::Error::Database(error) => self.driver.classify(&**error),
            error => class_of_driver_error(error),
        }
    }

    /// Names the request that failed, and decides once whether it may be tried again.
    fn error(&self, doing: &'static str, error: sqlx::Error) -> DatabaseError {
        let class = self.classify(&error);
        let source = match &error {
            sqlx::Error::Database(error) if class == SqlErrorClass::Unknown => {
                format!("{}: {}", self.driver.code_text(&**error), error.message()).into()
            }
            _ => cause_of(error),
        };
        match class {
            SqlErrorClass::Transient => DatabaseError::transient(doing, source, NO_ANSWER),
            SqlErrorClass::Busy(hint) => DatabaseError::transient(doing, source, hint),
            SqlErrorClass::NoConnection => DatabaseError::transient(doing, source, NO_CONNECTION),
            SqlErrorClass::Contention => DatabaseError::contention(doing, source),
            SqlErrorClass::Conflict => DatabaseError::conflict(source),
            SqlErrorClass::DataRefused => DatabaseError::data_refused(source),
            SqlErrorClass::NoDatabase => {
                let hint = Some("`cloudtrail2sql import` creates it".to_owned());
                DatabaseError::fatal(doing, source, hint)
            }
            SqlErrorClass::Forbidden => {
                DatabaseError::fatal(doing, source, Some(self.driver.privileges_hint()))
            }
            SqlErrorClass::Fatal(hint) => {
                DatabaseError::fatal(doing, source, hint.map(ToOwned::to_owned))
            }
            SqlErrorClass::Unknown => {
                let hint = "look up the error's code in the documentation of the database, then \
                            run the same command again";
                DatabaseError::fatal(doing, source, Some(hint.to_owned()))
            }
        }
    }
}

/// Returns the error of a request that sent no data: other data cannot help.
fn without_data(error: DatabaseError, doing: &str) -> DatabaseError {
    match error.class {
        ErrorClass::DataRefused => DatabaseError::fatal(doing, error.into_source(), None),
        _ => error,
    }
}

fn into_dyn<D: Driver + 'static>(driver: D) -> Box<dyn Driver> {
    Box::new(driver)
}
