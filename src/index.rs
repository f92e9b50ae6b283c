//! Post-load: builds the indexes that are missing.
//!
//! Indexes are not migrations but data in the code ([`INDEXES`](crate::sink::INDEXES)): with all
//! of them in place, a load takes several times as long, so they come last. An index that the
//! user made on the same column counts as there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tracing::{debug, info};

use crate::sink::{Database, Index, SinkError};

/// Indexes that one statement built, and how long it took.
#[derive(Debug, Clone)]
pub struct Built {
    /// One index, or several where the database builds them in one pass.
    pub indexes: Vec<Index>,
    /// From the statement's start to its end.
    pub took: Duration,
}

/// Builds what is missing, as many at once as suits the database; returns what it built.
///
/// Dropped in the middle, it leaves whole indexes or none: the next call builds the rest.
pub async fn build_missing(database: &Arc<Database>) -> Result<Vec<Built>, SinkError> {
    let missing = database.missing_indexes().await?;
    if !missing.is_empty() {
        info!("building {} indexes", missing.len());
    }
    let mut waiting = database.index_statements(&missing).into_iter();
    let mut running = JoinSet::new();
    let mut built = Vec::new();
    loop {
        while running.len() < database.index_width() {
            let Some((indexes, statement)) = waiting.next() else { break };
            let database = Arc::clone(database);
            running.spawn(async move {
                let started = Instant::now();
                let outcome = database.build_indexes(&statement).await;
                (Built { indexes, took: started.elapsed() }, outcome)
            });
        }
        let Some(joined) = running.join_next().await else {
            // In the order of the list, whichever was ready first.
            built.sort_by_key(|done: &Built| missing.iter().position(|it| *it == done.indexes[0]));
            return Ok(built);
        };
        let (done, outcome) =
            joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        if let Err(error) = outcome {
            // Another import may be building the same indexes.
            let missing = database.missing_indexes().await?;
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
