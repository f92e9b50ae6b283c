//! The post-load step: builds the missing indexes, then updates the statistics.
//!
//! Indexes are data in the code and not migrations: a load takes several times as long with all of
//! them in place, so they are built after it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tracing::{debug, info};

use super::{SqlStore, retried};
use crate::database::attempts::Attempts;
use crate::database::indexes::{INDEXES, Index};
use crate::database::{BuiltIndexes, DatabaseError};

/// See [`Store::build_missing_indexes`](crate::database::Store::build_missing_indexes).
pub(super) async fn build_missing(
    store: Arc<SqlStore>,
) -> Result<Vec<BuiltIndexes>, DatabaseError> {
    let mut built = Vec::new();
    let outcome = build_until_complete(&store, &mut built).await;
    store.builds_are_over();
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
    store.builds_are_over();
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
