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
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

use self::connection::{CellType, Cells, Connection, Session, Value};
use self::driver::Driver;
use self::error::{SqlErrorClass, cause_of, class_of_driver_error, timed_out};
use self::panics::without_panic;
use self::schema::{ColumnInfo, Schema, limits};
use super::url::{DatabaseUrl, Engine};
use super::{DatabaseError, ErrorClass, OpenOptions};
use crate::trail::record::CellRules;

mod error;

mod panics;

mod tls;

mod relay;

mod migrations;

mod schema;

mod added_columns;

mod connection;

mod driver;

mod migrate;

mod write;

mod runs;

mod records;

mod forget;

mod answer;

mod post_load;

mod sqlite;

mod postgres;

mod mysql;

mod store;

mod ddl;

pub(super) use self::ddl::ddl;

/// How long a connection may be idle before it is used again: networks forget idle connections.
const IDLE_MAX: Duration = Duration::from_mins(5);

/// How many identities are remembered: 4 MiB. With more, the set begins anew, and identities are
/// written again, which changes nothing.
const KNOWN_IDENTITIES_MAX: usize = 200_000;

/// How many heartbeats in a row may find a server that does not work on a statement.
const IDLE_BEATS_MAX: u32 = 2;

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

/// A connection in use, with its permit.
struct PooledConnection<'d> {
    /// What it is used for, as in "cannot write a batch".
    doing: &'static str,
    connection: Box<dyn Connection>,
    _permit: SemaphorePermit<'d>,
}

/// A database with our tables.
pub(super) struct SqlStore {
    driver: Box<dyn Driver>,
    options: OpenOptions,
    schema: Schema,
    rules: CellRules,
    /// Connections that are open, idle since this moment, and outside any transaction.
    idle: Mutex<Vec<(Box<dyn Connection>, Instant)>>,
    /// One permit for each connection that may be open.
    permits: Semaphore,
    /// The SQL of multi-row INSERTs, by table and number of rows; a few per table.
    inserts: Mutex<HashMap<(&'static str, usize), Arc<str>>>,
    /// Identities that are known to be committed, at most [`KNOWN_IDENTITIES_MAX`].
    known_identities: Mutex<HashSet<i64>>,
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
            idle: Mutex::new(Vec::new()),
            permits: Semaphore::new(driver.connections_max()),
            inserts: Mutex::new(HashMap::new()),
            cancellable: Mutex::new(Vec::new()),
            is_cancelling,
            options,
            driver,
        })
    }

    /// Creates the database if it is missing; returns whether it did.
    async fn create_if_missing(&self) -> Result<bool, DatabaseError> {
        let _permit = self.permit().await;
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
        match self.connect().await {
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
        {
            let _permit = self.permit().await;
            if !self.exists().await? {
                return Ok(false);
            }
        }
        let mut pooled = self.connection("find the table `import_objects`").await?;
        let session = pooled.connection.session();
        let request = self.has_table(&mut *pooled.connection, "import_objects");
        let outcome = self.in_time(session, self.statement_limit(), request).await;
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

    /// Closes the idle connections.
    async fn close_idle(&self) {
        let idle = std::mem::take(&mut *self.lock_idle());
        let closing = async {
            for (connection, _) in idle {
                connection.close().await;
            }
        };
        // A dead connection is not waited for: the process ends.
        let _ = tokio::time::timeout(self.options.timeouts.statement, closing).await;
    }

    async fn permit(&self) -> SemaphorePermit<'_> {
        self.permits.acquire().await.expect("the semaphore is never closed")
    }

    fn lock_idle(&self) -> std::sync::MutexGuard<'_, Vec<(Box<dyn Connection>, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, connection: Box<dyn Connection>) {
        self.lock_idle().push((connection, Instant::now()));
    }

    async fn connect(&self) -> Result<Box<dyn Connection>, sqlx::Error> {
        let limit = self.options.timeouts.connect;
        tokio::time::timeout(limit, without_panic(self.driver.connect()))
            .await
            .unwrap_or_else(|_| Err(timed_out("no connection", limit)))
    }

    /// Takes an idle connection, or opens one.
    async fn connection(&self, doing: &'static str) -> Result<PooledConnection<'_>, DatabaseError> {
        let permit = self.permit().await;
        let idle = self.lock_idle().pop().filter(|(_, since)| since.elapsed() < IDLE_MAX);
        let connection = if let Some((connection, _)) = idle {
            connection
        } else {
            let connected = self.connect().await;
            connected.map_err(|error| without_data(self.error(doing, error), doing))?
        };
        Ok(PooledConnection { doing, connection, _permit: permit })
    }

    /// Ends the use of a connection: keeps it after a success, drops it after an error.
    fn put_back<T>(
        &self,
        pooled: PooledConnection<'_>,
        outcome: Result<T, sqlx::Error>,
    ) -> Result<T, DatabaseError> {
        match outcome {
            Ok(value) => {
                self.give_back(pooled.connection);
                Ok(value)
            }
            Err(error) => Err(self.error(pooled.doing, error)),
        }
    }

    /// Returns how long a statement may take that reads or writes a few lines.
    fn statement_limit(&self) -> Duration {
        // SQLite waits for other processes by itself, and has no network.
        let is_sqlite = self.driver.engine() == Engine::Sqlite;
        if is_sqlite { Duration::MAX } else { self.options.timeouts.statement }
    }

    /// Waits for a request on the connection of `session`. After `limit`, the connection counts as
    /// dead, and its session is ended, so that it holds no lock any longer.
    async fn in_time<T>(
        &self,
        session: Option<Session>,
        limit: Duration,
        request: impl Future<Output = Result<T, sqlx::Error>> + Send,
    ) -> Result<T, sqlx::Error> {
        if let Ok(outcome) = tokio::time::timeout(limit, without_panic(request)).await {
            return outcome;
        }
        self.end_session(session).await;
        Err(timed_out("no answer", limit))
    }

    /// Waits for a request that may take hours, as long as the server works on it.
    async fn watched<T>(
        &self,
        session: Option<Session>,
        request: impl Future<Output = Result<T, sqlx::Error>> + Send,
    ) -> Result<T, sqlx::Error> {
        let request = without_panic(request);
        let Some(session) = session else { return request.await };
        let heartbeat = self.options.timeouts.heartbeat;
        let mut request = std::pin::pin!(request);
        let mut idle_beats = 0;
        while idle_beats < IDLE_BEATS_MAX {
            tokio::select! {
                biased;
                outcome = &mut request => return outcome,
                is_working = async {
                    tokio::time::sleep(heartbeat).await;
                    self.is_working(&session).await
                } => idle_beats = if is_working { 0 } else { idle_beats + 1 },
            }
        }
        self.end_session(Some(session)).await;
        Err(timed_out("the server has not worked on the statement", IDLE_BEATS_MAX * heartbeat))
    }

    /// Returns whether the server works on a statement of this session. A server that answers
    /// otherwise, because it has too many connections for example, is given the benefit of the
    /// doubt.
    async fn is_working(&self, session: &Session) -> bool {
        let asking = async {
            let mut connection = self.driver.connect().await?;
            let rows = connection.query(&session.is_working_sql, &[], &[CellType::Int]).await?;
            connection.close().await;
            Ok(rows.into_iter().flatten().any(|cell| cell.into_int() > 0))
        };
        match tokio::time::timeout(self.options.timeouts.connect, without_panic(asking)).await {
            Ok(Ok(is_working)) => is_working,
            Ok(Err(sqlx::Error::Database(_))) => true,
            Ok(Err(_)) | Err(_) => false,
        }
    }

    /// Ends a session of ours by another connection. A server that cannot be reached ends it by
    /// itself, by the settings of the connection.
    async fn end_session(&self, session: Option<Session>) {
        let Some(session) = session else { return };
        let ending = async {
            let mut connection = self.driver.connect().await?;
            connection.run(&session.end_sql).await?;
            connection.close().await;
            Ok::<(), sqlx::Error>(())
        };
        let ended =
            tokio::time::timeout(self.options.timeouts.connect, without_panic(ending)).await;
        if !matches!(ended, Ok(Ok(()))) {
            tracing::debug!("the session of a dead connection could not be ended");
        }
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
        let outcome = self.in_time(session, self.statement_limit(), request).await;
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
        let outcome = self.in_time(session, self.statement_limit(), request).await;
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
            SqlErrorClass::Transient => DatabaseError::transient(doing, source),
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
