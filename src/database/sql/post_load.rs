//! The post-load step: builds the missing indexes.
//!
//! Indexes are data in the code and not migrations: a load takes several times as long with all of
//! them in place, so they are built after it.

use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinSet;
use tracing::{debug, info};

use super::SqlStore;
use crate::database::{BuiltIndexes, DatabaseError};

/// See [`Store::build_missing_indexes`](crate::database::Store::build_missing_indexes).
pub(super) async fn build_missing(
    store: Arc<SqlStore>,
) -> Result<Vec<BuiltIndexes>, DatabaseError> {
    let missing = store.find_missing_indexes().await?;
    if !missing.is_empty() {
        info!("building {} indexes", missing.len());
    }
    let mut pending = store.index_statements(&missing).into_iter();
    let mut running = JoinSet::new();
    let mut built = Vec::new();
    loop {
        while running.len() < store.driver.index_width() {
            let Some((indexes, statement)) = pending.next() else { break };
            let store = Arc::clone(&store);
            running.spawn(async move {
                let started = Instant::now();
                let outcome = store.run("build an index", &statement).await;
                (BuiltIndexes { indexes, took: started.elapsed() }, outcome)
            });
        }
        let Some(joined) = running.join_next().await else {
            // In the order of the list, whichever finished first.
            built.sort_by_key(|done: &BuiltIndexes| {
                missing.iter().position(|it| *it == done.indexes[0])
            });
            return Ok(built);
        };
        let (done, outcome) =
            joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        if let Err(error) = outcome {
            // Another import may be building the same indexes.
            let missing = store.find_missing_indexes().await?;
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
