//! The post-load step: builds the missing indexes, then updates the statistics.
//!
//! Indexes are data in the code and not migrations: a load takes several times as long with all of
//! them in place, so they are built after it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use super::connection::{CellType, Session, Value};
use super::pool::PooledConnection;
use super::{SqlStore, retried, without_data};
use crate::database::attempts::Attempts;
use crate::database::indexes::{INDEXES, Index, IndexedTable, missing_indexes};
use crate::database::{BuiltIndexes, DatabaseError};

/// See [`Store::build_missing_indexes`](crate::database::Store::build_missing_indexes).
pub(super) async fn build_missing(
    store: Arc<SqlStore>,
) -> Result<Vec<BuiltIndexes>, DatabaseError> {
    let mut built = Vec::new();
    let outcome = build_until_complete(&store, &mut built).await;
    store.no_longer_cancelling();
    outcome?;
    // In the order of the list, whichever finished first.
    built.sort_by_key(|done: &BuiltIndexes| INDEXES.iter().position(|it| *it == done.indexes[0]));
    Ok(built)
}

/// See [`Store::update_statistics`](crate::database::Store::update_statistics).
pub(super) async fn update_statistics(store: Arc<SqlStore>) -> Result<Duration, DatabaseError> {
    let started = Instant::now();
    let mut outcome = Ok(());
    for statement in store.driver.statistics_statements() {
        outcome = retried!(store, store.run_unless_cancelled("update the statistics", statement));
        if outcome.is_err() {
            break;
        }
    }
    if let Some(statement) = store.driver.vacuum_sql()
        && outcome.is_ok()
    {
        store.try_unless_cancelled("vacuum the table `logs`", statement).await;
    }
    store.no_longer_cancelling();
    outcome.map(|()| started.elapsed())
}

/// Builds the missing indexes. After a transient error, those that are still missing.
async fn build_until_complete(
    store: &Arc<SqlStore>,
    built: &mut Vec<BuiltIndexes>,
) -> Result<(), DatabaseError> {
    let mut attempts = Attempts::new(store.options.retry);
    loop {
        let missing = retried!(store, store.find_missing_indexes())?;
        if missing.is_empty() {
            return Ok(());
        }
        store.check_ddl().await?;
        info!("building {} indexes", missing.len());
        let built_before = built.len();
        let Err(error) = build(store, &missing, built).await else { return Ok(()) };
        if store.is_cancelled() {
            return Err(error);
        }
        if built.len() > built_before {
            attempts.reset();
        }
        attempts.wait(error).await?;
    }
}

/// Builds these indexes, several at once; adds to `built` those that it built.
async fn build(
    store: &Arc<SqlStore>,
    missing: &[Index],
    built: &mut Vec<BuiltIndexes>,
) -> Result<(), DatabaseError> {
    let mut pending = store.index_statements(missing).into_iter();
    let mut running = JoinSet::new();
    loop {
        while running.len() < store.driver.index_width() {
            let Some((indexes, statement)) = pending.next() else { break };
            let store = Arc::clone(store);
            running.spawn(async move {
                let started = Instant::now();
                let outcome = store.run_unless_cancelled("build an index", &statement).await;
                (BuiltIndexes { indexes, took: started.elapsed() }, outcome)
            });
        }
        let Some(joined) = running.join_next().await else { return Ok(()) };
        let (done, outcome) =
            joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        if let Err(error) = outcome {
            // Another import may be building the same indexes.
            if store.is_cancelled() {
                return Err(error);
            }
            let missing = retried!(store, store.find_missing_indexes())?;
            if done.indexes.iter().any(|index| missing.contains(index)) {
                return Err(error);
            }
            continue;
        }
        for index in &done.indexes {
            debug!("built index {} in {:.1} s", index.name, done.took.as_secs_f64());
        }
        built.push(done);
    }
}

impl SqlStore {
    /// Returns the indexes of the post-load step that the tables lack.
    pub(super) async fn find_missing_indexes(&self) -> Result<Vec<Index>, DatabaseError> {
        let query = self.driver.indexes_sql();
        let mut existing: Vec<(IndexedTable, Vec<String>)> = Vec::new();
        for table in IndexedTable::ALL {
            let name = [Value::Text(Some(table.as_str()))];
            let doing = "read the indexes of the tables";
            let rows = self.query(doing, query, &name, &[CellType::Text; 2]).await?;
            let mut last_index = None;
            for row in rows {
                let [index, column] = <[_; 2]>::try_from(row).expect("two columns");
                let (index, column) = (index.into_text(), column.into_text());
                match existing.last_mut() {
                    Some((_, columns)) if last_index.as_ref() == Some(&index) => {
                        columns.push(column);
                    }
                    _ => existing.push((table, vec![column])),
                }
                last_index = Some(index);
            }
        }
        Ok(missing_indexes(&existing))
    }

    /// Fails if indexes must not be built through this server.
    async fn check_ddl(&self) -> Result<(), DatabaseError> {
        let doing = "build an index";
        let mut pooled = self.connection(doing).await?;
        let session = pooled.connection.session();
        let finding = self.driver.find_ddl_refusal(&mut *pooled.connection);
        let found = self.in_time(doing, session, self.statement_limit(), finding).await;
        self.put_back(pooled, found)?.map_or(Ok(()), Err)
    }

    /// Returns the statements that build the missing indexes, each with the indexes it builds.
    fn index_statements(&self, missing: &[Index]) -> Vec<(Vec<Index>, String)> {
        if missing.is_empty() { Vec::new() } else { self.driver.index_statements(missing) }
    }

    /// Runs a statement of the post-load step, until [`SqlStore::cancel_cancellable`].
    async fn run_unless_cancelled(
        &self,
        doing: &'static str,
        statement: &str,
    ) -> Result<(), DatabaseError> {
        let (mut pooled, is_begun) = self.unlimited_connection(doing).await?;
        let session = pooled.connection.session();
        let request = async {
            pooled.connection.run(statement).await?;
            if is_begun { pooled.connection.run("COMMIT").await } else { Ok(()) }
        };
        let outcome = self.unless_cancelled(doing, session, request).await;
        self.put_back(pooled, outcome).map_err(|error| without_data(error, doing))
    }

    /// Runs a statement outside any transaction, until [`SqlStore::cancel_cancellable`]. Its failure is
    /// only logged.
    async fn try_unless_cancelled(&self, doing: &'static str, statement: &str) {
        let Ok(mut pooled) = self.connection(doing).await else { return };
        let session = pooled.connection.session();
        let request = pooled.connection.run(statement);
        let outcome = self.unless_cancelled(doing, session, request).await;
        if let Err(error) = self.put_back(pooled, outcome) {
            let cause = error.into_source().to_string();
            warn!(cause, "cannot {doing}; answers take longer until the server does it by itself");
        }
    }

    /// Takes a connection for one statement without the server's own time limits. Returns whether it is
    /// in a transaction.
    pub(super) async fn unlimited_connection(
        &self,
        doing: &'static str,
    ) -> Result<(PooledConnection<'_>, bool), DatabaseError> {
        let mut pooled = self.connection(doing).await?;
        let session = pooled.connection.session();
        let lifting = pooled.connection.lift_limits();
        match self.in_time(doing, session, self.statement_limit(), lifting).await {
            Ok(is_begun) => Ok((pooled, is_begun)),
            Err(error) => Err(without_data(self.error(doing, error), doing)),
        }
    }

    /// Waits for a request of a session, which [`SqlStore::cancel_cancellable`] ends.
    pub(super) async fn unless_cancelled<T>(
        &self,
        doing: &'static str,
        session: Option<Session>,
        request: impl Future<Output = Result<T, sqlx::Error>> + Send,
    ) -> Result<T, sqlx::Error> {
        self.lock_cancellable().extend(session.clone());
        let outcome = if self.is_cancelled() {
            let error = std::io::Error::from(std::io::ErrorKind::Interrupted);
            Err(sqlx::Error::Io(error))
        } else {
            self.watched(doing, session.clone(), request).await
        };
        self.lock_cancellable().retain(|running| Some(running) != session.as_ref());
        outcome
    }

    /// Ends all statements on the server that can be cancelled.
    pub(super) async fn cancel_cancellable(&self) {
        self.is_cancelling.store(true, Ordering::Relaxed);
        let running = std::mem::take(&mut *self.lock_cancellable());
        for session in running {
            self.end_session(Some(session)).await;
        }
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.is_cancelling.load(Ordering::Relaxed)
    }

    /// Notes that no statement that can be cancelled runs any longer.
    fn no_longer_cancelling(&self) {
        self.is_cancelling.store(false, Ordering::Relaxed);
    }

    fn lock_cancellable(&self) -> std::sync::MutexGuard<'_, Vec<Session>> {
        self.cancellable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
