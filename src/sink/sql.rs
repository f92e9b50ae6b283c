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

use super::connection::{Cell, CellType, Cells, Connection, Value};
use super::driver::{Driver, Meaning, Misfit, timed_out};
use super::schema::{Dialect, INDEXES, Index, limits};
use super::{BoxError, SinkError, mysql, postgres, sqlite};
use crate::config::{Database as DatabaseSettings, Engine, LoadMethod};
use crate::record::CellRules;

mod migrate;
mod runs;
mod write;

pub use runs::{FailedObject, RejectedRecord, RunLine, RunTotals};

/// How long a server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// What to do with a `logs` table that is too narrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpgradePolicy {
    /// Refuse it, and say what would widen it.
    Refuse,
    /// Widen it.
    Upgrade,
}

/// How a database is opened.
#[derive(Debug, Clone, Copy)]
pub struct OpenOptions {
    /// How rows are loaded.
    pub load_method: LoadMethod,
}

/// A connection in use, and the right to have one.
struct Lease<'d> {
    /// What it is used for, as errors say it.
    doing: &'static str,
    connection: Box<dyn Connection>,
    _permit: SemaphorePermit<'d>,
}

/// A database with our tables.
pub struct Database {
    driver: Box<dyn Driver>,
    rules: CellRules,
    /// Connections that are open, idle, and outside any transaction.
    idle: Mutex<Vec<Box<dyn Connection>>>,
    /// One permit per connection that may be open.
    permits: Semaphore,
    /// SQL of multi-row INSERTs, by table and rows; a few per table.
    inserts: Mutex<HashMap<(&'static str, usize), Arc<str>>>,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("driver", &self.driver).finish_non_exhaustive()
    }
}

impl Database {
    /// Makes the sink for a database; connects to nothing yet.
    ///
    /// # Errors
    /// The driver does not understand the URL.
    pub fn new(settings: &DatabaseSettings, options: OpenOptions) -> Result<Self, SinkError> {
        let url = settings.url.expose();
        let driver = match settings.url.engine() {
            Engine::Sqlite => sqlite::SqliteDriver::new(url).map(into_dyn),
            Engine::Postgres => {
                postgres::PostgresDriver::new(url, options.load_method).map(into_dyn)
            }
            Engine::Mysql => mysql::MysqlDriver::new(url).map(into_dyn),
        }
        .map_err(|error| SinkError::Fatal {
            doing: "use the database URL",
            source: unwrapped(error),
            hint: None,
        })?;
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
    pub async fn prepare(&self, policy: UpgradePolicy) -> Result<bool, SinkError> {
        let is_created = self.create_if_missing().await?;
        let mut lease = self.lease("look at the `logs` table").await?;
        let misfit = self.driver.misfit(&mut *lease.connection).await;
        match self.end(lease, misfit)? {
            Some(misfit) if policy == UpgradePolicy::Upgrade && !misfit.statements.is_empty() => {
                for statement in &misfit.statements {
                    tracing::info!(statement, "widening the `logs` table");
                    self.run("widen the `logs` table", statement).await?;
                }
            }
            Some(misfit) => return Err(unfit(&misfit)),
            None => {}
        }
        self.migrate().await?;
        Ok(is_created)
    }

    async fn create_if_missing(&self) -> Result<bool, SinkError> {
        let _permit = self.permit().await;
        if self.is_there().await? {
            return Ok(false);
        }
        let Err(error) = self.driver.create_database().await else { return Ok(true) };
        let doing = "create the database";
        if matches!(self.meaning(&error), Meaning::NoDatabase | Meaning::Forbidden(_)) {
            let hint = Some(self.driver.create_database_hint());
            return Err(SinkError::Fatal { doing, source: unwrapped(error), hint });
        }
        Err(self.error(doing, error))
    }

    /// Connects for the first time; returns whether the database exists.
    ///
    /// A server that cannot be reached is not waited for: it is more likely misnamed than late.
    async fn is_there(&self) -> Result<bool, SinkError> {
        let doing = "connect to the database";
        match self.connect().await {
            Ok(connection) => {
                self.give_back(connection);
                Ok(true)
            }
            Err(error) if self.meaning(&error) == Meaning::NoDatabase => Ok(false),
            Err(error @ sqlx::Error::Io(_)) if self.meaning(&error) == Meaning::Transient => {
                let hint = Some("check host and port, and that the server runs".to_owned());
                Err(SinkError::Fatal { doing, source: unwrapped(error), hint })
            }
            Err(error) => Err(self.error(doing, error).without_data(doing)),
        }
    }

    /// Returns whether the database and its ledger exist; creates nothing.
    pub async fn has_ledger(&self) -> Result<bool, SinkError> {
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
    pub async fn missing_indexes(&self) -> Result<Vec<Index>, SinkError> {
        let query = &self.driver.indexed_columns_sql();
        let rows = self.query("look for indexes", query, &[], &[CellType::Text]).await?;
        let indexed: Vec<String> = rows.into_iter().flatten().map(Cell::into_text).collect();
        let is_missing =
            |index: &Index| !indexed.iter().any(|name| name.eq_ignore_ascii_case(index.column));
        Ok(INDEXES.into_iter().filter(is_missing).collect())
    }

    /// Returns how many statements of [`Database::index_statements`] should run side by side.
    pub fn index_width(&self) -> usize {
        self.driver.index_width()
    }

    /// Returns the statements that build the missing indexes, each with what it builds.
    pub fn index_statements(&self, missing: &[Index]) -> Vec<(Vec<Index>, String)> {
        if missing.is_empty() { Vec::new() } else { self.driver.index_statements(missing) }
    }

    /// Runs one of [`Database::index_statements`].
    pub async fn build_indexes(&self, statement: &str) -> Result<(), SinkError> {
        self.run("build an index", statement).await
    }

    /// Closes the idle connections.
    pub async fn close(&self) {
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
    async fn lease(&self, doing: &'static str) -> Result<Lease<'_>, SinkError> {
        let permit = self.permit().await;
        let idle = self.lock_idle().pop();
        let connection = if let Some(connection) = idle {
            connection
        } else {
            let connected = self.connect().await;
            connected.map_err(|error| self.error(doing, error).without_data(doing))?
        };
        Ok(Lease { doing, connection, _permit: permit })
    }

    /// Ends a lease: after success the connection is kept, after an error it is dropped.
    fn end<T>(&self, lease: Lease<'_>, outcome: Result<T, sqlx::Error>) -> Result<T, SinkError> {
        match outcome {
            Ok(value) => {
                self.give_back(lease.connection);
                Ok(value)
            }
            Err(error) => Err(self.error(lease.doing, error)),
        }
    }

    async fn run(&self, doing: &'static str, statement: &str) -> Result<(), SinkError> {
        let mut lease = self.lease(doing).await?;
        let outcome = lease.connection.run(statement).await;
        self.end(lease, outcome).map_err(|error| error.without_data(doing))
    }

    async fn query(
        &self,
        doing: &'static str,
        query: &str,
        values: &[Value<'_>],
        types: &[CellType],
    ) -> Result<Vec<Cells>, SinkError> {
        let mut lease = self.lease(doing).await?;
        let outcome = lease.connection.query(query, values, types).await;
        self.end(lease, outcome).map_err(|error| error.without_data(doing))
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
    fn error(&self, doing: &'static str, error: sqlx::Error) -> SinkError {
        let meaning = self.meaning(&error);
        let source = unwrapped(error);
        match meaning {
            Meaning::Transient => SinkError::Transient { doing, source },
            Meaning::Conflict => SinkError::Conflict,
            Meaning::Refused => SinkError::Refused { source },
            Meaning::NoDatabase => {
                let hint = Some("`cloudtrail2sql import` creates it".to_owned());
                SinkError::Fatal { doing, source, hint }
            }
            Meaning::Forbidden(hint) => SinkError::Fatal { doing, source, hint: Some(hint) },
            Meaning::Fatal(hint) => SinkError::Fatal { doing, source, hint },
        }
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

fn unfit(misfit: &Misfit) -> SinkError {
    let hint = if misfit.statements.is_empty() {
        "import into another database, or rename that table".to_owned()
    } else {
        let statements = misfit.statements.join(";\n      ");
        format!("run the command again with `--upgrade-table`, or run:\n      {statements};")
    };
    SinkError::Unfit { what: misfit.what.clone(), hint }
}
