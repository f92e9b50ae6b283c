//! One database with our tables: how it is prepared, and its one pool of connections.
//!
//! A connection that fails is dropped, which rolls back. Only the loser of a conflict rolls back
//! itself and keeps its connection. None is ever given back inside a transaction.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use async_trait::async_trait;

use self::connection::{Cell, CellType, Cells, Connection, Value};
use self::driver::{Driver, Meaning, Misfit, timed_out};
use self::schema::{Dialect, INDEXES, limits};
use super::status::{FailedObject, RejectedRecord, RunLine, RunTotals};
use super::url::{DatabaseUrl, Engine};
use super::{
    BoxError, BuiltIndexes, DatabaseError, ErrorClass, Index, OpenOptions, Store, UpgradePolicy,
};
use crate::trail::record::CellRules;

mod connection;
mod driver;
mod migrate;
mod mysql;
mod post_load;
mod postgres;
mod runs;
mod schema;
mod sqlite;
mod write;

/// How long a server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection in use, and the right to have one.
struct PooledConnection<'d> {
    /// What it is used for, as errors say it.
    doing: &'static str,
    connection: Box<dyn Connection>,
    _permit: SemaphorePermit<'d>,
}

/// A database with our tables.
pub(super) struct SqlStore {
    driver: Box<dyn Driver>,
    rules: CellRules,
    /// Connections that are open, idle, and outside any transaction.
    idle: Mutex<Vec<Box<dyn Connection>>>,
    /// One permit per connection that may be open.
    permits: Semaphore,
    /// SQL of multi-row INSERTs, by table and rows; a few per table.
    inserts: Mutex<HashMap<(&'static str, usize), Arc<str>>>,
}

impl fmt::Debug for SqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlStore").field("driver", &self.driver).finish_non_exhaustive()
    }
}

impl SqlStore {
    /// Makes the store of a database; connects to nothing yet.
    ///
    /// # Errors
    /// The driver does not understand the URL.
    pub(super) fn new(url: &DatabaseUrl, options: OpenOptions) -> Result<Self, DatabaseError> {
        let engine = url.engine();
        let url = url.expose();
        let driver = match engine {
            Engine::Sqlite => sqlite::SqliteDriver::new(url).map(into_dyn),
            Engine::Postgres => {
                postgres::PostgresDriver::new(url, options.load_method).map(into_dyn)
            }
            Engine::Mysql => mysql::MysqlDriver::new(url).map(into_dyn),
        }
        .map_err(|error| DatabaseError::fatal("use the database URL", unwrapped(error), None))?;
        let dialect = driver.dialect();
        Ok(Self {
            rules: CellRules { stores_nul: dialect != Dialect::Postgres, limits: limits(dialect) },
            idle: Mutex::new(Vec::new()),
            permits: Semaphore::new(driver.connections_max()),
            inserts: Mutex::new(HashMap::new()),
            driver,
        })
    }

    /// Creates what is missing: the database, where the account may, and the tables.
    ///
    /// Returns whether the database itself was created.
    ///
    /// # Errors
    /// The database cannot be reached or created, or has a `logs` table that is not the
    /// tutorial's. A narrow one is widened or refused, as `policy` says.
    async fn prepare_tables(&self, policy: UpgradePolicy) -> Result<bool, DatabaseError> {
        let is_created = self.create_if_missing().await?;
        let mut pooled = self.connection("look at the `logs` table").await?;
        let misfit = self.driver.misfit(&mut *pooled.connection).await;
        match self.put_back(pooled, misfit)? {
            Some(misfit) if policy == UpgradePolicy::Upgrade && !misfit.statements.is_empty() => {
                for statement in &misfit.statements {
                    tracing::info!(statement, "widening the `logs` table");
                    self.run("widen the `logs` table", statement).await?;
                }
            }
            Some(misfit) => return Err(unusable(&misfit)),
            None => {}
        }
        self.migrate().await?;
        Ok(is_created)
    }

    async fn create_if_missing(&self) -> Result<bool, DatabaseError> {
        let _permit = self.permit().await;
        if self.is_there().await? {
            return Ok(false);
        }
        let Err(error) = self.driver.create_database().await else { return Ok(true) };
        let doing = "create the database";
        if matches!(self.meaning(&error), Meaning::NoDatabase | Meaning::Forbidden(_)) {
            let hint = Some(self.driver.create_database_hint());
            return Err(DatabaseError::fatal(doing, unwrapped(error), hint));
        }
        Err(self.error(doing, error))
    }

    /// Connects for the first time; returns whether the database exists.
    ///
    /// A server that cannot be reached is not waited for: it is more likely misnamed than late.
    async fn is_there(&self) -> Result<bool, DatabaseError> {
        let doing = "connect to the database";
        match self.connect().await {
            Ok(connection) => {
                self.give_back(connection);
                Ok(true)
            }
            Err(error) if self.meaning(&error) == Meaning::NoDatabase => Ok(false),
            Err(error @ sqlx::Error::Io(_)) if self.meaning(&error) == Meaning::Transient => {
                let hint = Some("check host and port, and that the server runs".to_owned());
                Err(DatabaseError::fatal(doing, unwrapped(error), hint))
            }
            Err(error) => Err(without_data(self.error(doing, error), doing)),
        }
    }

    /// Returns whether the database and its ledger exist; creates nothing.
    async fn find_ledger(&self) -> Result<bool, DatabaseError> {
        {
            let _permit = self.permit().await;
            if !self.is_there().await? {
                return Ok(false);
            }
        }
        let query = &self.driver.has_ledger_sql();
        let rows = self.query("look for the ledger", query, &[], &[CellType::Int]).await?;
        Ok(rows.into_iter().flatten().any(|cell| cell.into_int() > 0))
    }

    /// Returns those of [`INDEXES`] that no index of the table leads with.
    async fn find_missing_indexes(&self) -> Result<Vec<Index>, DatabaseError> {
        let query = &self.driver.indexed_columns_sql();
        let rows = self.query("look for indexes", query, &[], &[CellType::Text]).await?;
        let indexed: Vec<String> = rows.into_iter().flatten().map(Cell::into_text).collect();
        let is_missing =
            |index: &Index| !indexed.iter().any(|name| name.eq_ignore_ascii_case(index.column));
        Ok(INDEXES.into_iter().filter(is_missing).collect())
    }

    /// Returns the statements that build the missing indexes, each with what it builds.
    fn index_statements(&self, missing: &[Index]) -> Vec<(Vec<Index>, String)> {
        if missing.is_empty() { Vec::new() } else { self.driver.index_statements(missing) }
    }

    /// Closes the idle connections.
    async fn close_idle(&self) {
        let idle = std::mem::take(&mut *self.lock_idle());
        for connection in idle {
            connection.close().await;
        }
    }

    async fn permit(&self) -> SemaphorePermit<'_> {
        self.permits.acquire().await.expect("the semaphore is never closed")
    }

    fn lock_idle(&self) -> std::sync::MutexGuard<'_, Vec<Box<dyn Connection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, connection: Box<dyn Connection>) {
        self.lock_idle().push(connection);
    }

    async fn connect(&self) -> Result<Box<dyn Connection>, sqlx::Error> {
        tokio::time::timeout(CONNECT_TIMEOUT, self.driver.connect())
            .await
            .unwrap_or_else(|_| Err(timed_out("no connection", CONNECT_TIMEOUT)))
    }

    /// Takes an idle connection, or opens one.
    async fn connection(&self, doing: &'static str) -> Result<PooledConnection<'_>, DatabaseError> {
        let permit = self.permit().await;
        let idle = self.lock_idle().pop();
        let connection = if let Some(connection) = idle {
            connection
        } else {
            let connected = self.connect().await;
            connected.map_err(|error| without_data(self.error(doing, error), doing))?
        };
        Ok(PooledConnection { doing, connection, _permit: permit })
    }

    /// Ends a lease: after success the connection is kept, after an error it is dropped.
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

    async fn run(&self, doing: &'static str, statement: &str) -> Result<(), DatabaseError> {
        let mut pooled = self.connection(doing).await?;
        let outcome = pooled.connection.run(statement).await;
        self.put_back(pooled, outcome).map_err(|error| without_data(error, doing))
    }

    async fn query(
        &self,
        doing: &'static str,
        query: &str,
        values: &[Value<'_>],
        types: &[CellType],
    ) -> Result<Vec<Cells>, DatabaseError> {
        let mut pooled = self.connection(doing).await?;
        let outcome = pooled.connection.query(query, values, types).await;
        self.put_back(pooled, outcome).map_err(|error| without_data(error, doing))
    }

    fn meaning(&self, error: &sqlx::Error) -> Meaning {
        match error {
            sqlx::Error::Database(error) => self.driver.meaning(&**error),
            sqlx::Error::InvalidArgument(_) | sqlx::Error::Encode(_) => Meaning::Refused,
            sqlx::Error::Configuration(_) | sqlx::Error::Tls(_) => Meaning::Fatal(None),
            // That is how rustls's refusal of a certificate arrives.
            sqlx::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
                let hint = "name the CA that signed the server's certificate (`ca_file` in \
                            db.toml), or choose another TLS mode";
                Meaning::Fatal(Some(hint.to_owned()))
            }
            _ => Meaning::Transient,
        }
    }

    /// Names what failed, and decides once whether it may be tried again.
    fn error(&self, doing: &'static str, error: sqlx::Error) -> DatabaseError {
        let meaning = self.meaning(&error);
        let source = unwrapped(error);
        match meaning {
            Meaning::Transient => DatabaseError::transient(doing, source),
            Meaning::Conflict => DatabaseError::conflict(),
            Meaning::Refused => DatabaseError::data_refused(source),
            Meaning::NoDatabase => {
                let hint = Some("`cloudtrail2sql import` creates it".to_owned());
                DatabaseError::fatal(doing, source, hint)
            }
            Meaning::Forbidden(hint) => DatabaseError::fatal(doing, source, Some(hint)),
            Meaning::Fatal(hint) => DatabaseError::fatal(doing, source, hint),
        }
    }
}

#[async_trait]
impl Store for SqlStore {
    async fn prepare(&self, policy: UpgradePolicy) -> Result<bool, DatabaseError> {
        self.prepare_tables(policy).await
    }

    async fn has_ledger(&self) -> Result<bool, DatabaseError> {
        self.find_ledger().await
    }

    async fn begin_run(&self, sources: &str) -> Result<i64, DatabaseError> {
        self.insert_run(sources).await
    }

    async fn finish_run(
        &self,
        run_id: i64,
        outcome: &str,
        totals: &RunTotals,
    ) -> Result<(), DatabaseError> {
        self.update_run(run_id, outcome, totals).await
    }

    async fn missing_indexes(&self) -> Result<Vec<Index>, DatabaseError> {
        self.find_missing_indexes().await
    }

    async fn build_missing_indexes(self: Arc<Self>) -> Result<Vec<BuiltIndexes>, DatabaseError> {
        post_load::build_missing(self).await
    }

    async fn ledger_totals(&self) -> Result<RunTotals, DatabaseError> {
        self.select_ledger_totals().await
    }

    async fn runs(&self, lines_max: u32) -> Result<Vec<RunLine>, DatabaseError> {
        self.select_runs(lines_max).await
    }

    async fn failed_objects(&self, lines_max: u32) -> Result<Vec<FailedObject>, DatabaseError> {
        self.select_failed_objects(lines_max).await
    }

    async fn rejected_records(&self, lines_max: u32) -> Result<Vec<RejectedRecord>, DatabaseError> {
        self.select_rejected_records(lines_max).await
    }

    async fn close(&self) {
        self.close_idle().await;
    }
}

/// Returns the error of a request that sent no data: nothing else would have passed.
fn without_data(error: DatabaseError, doing: &str) -> DatabaseError {
    match error.class {
        ErrorClass::DataRefused => DatabaseError::fatal(doing, error.into_source(), None),
        _ => error,
    }
}

fn into_dyn<D: Driver + 'static>(driver: D) -> Box<dyn Driver> {
    Box::new(driver)
}

/// Returns the cause itself, without sqlx's words around it.
fn unwrapped(error: sqlx::Error) -> BoxError {
    match error {
        sqlx::Error::Database(error) => {
            postgres::words(&*error).unwrap_or_else(|| error.into_error())
        }
        sqlx::Error::Io(error) => error.into(),
        sqlx::Error::Tls(error)
        | sqlx::Error::Configuration(error)
        | sqlx::Error::Encode(error)
        | sqlx::Error::Decode(error) => error,
        other => other.into(),
    }
}

fn unusable(misfit: &Misfit) -> DatabaseError {
    let hint = if misfit.statements.is_empty() {
        "import into another database, or rename that table".to_owned()
    } else {
        let statements = misfit.statements.join(";\n      ");
        format!("run the command again with `--upgrade-table`, or run:\n      {statements};")
    };
    DatabaseError::unusable(misfit.what.clone(), hint)
}
