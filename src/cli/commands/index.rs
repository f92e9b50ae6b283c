//! `index`: builds the missing indexes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::{signals, stores};
use crate::cli::config::{DatabaseSettings, Form};
use crate::cli::error::{Exit, RunError};
use crate::cli::output::{self, IndexReport};
use crate::database::{BuiltIndexes, DatabaseError, Store};

/// How long a stopped build may take to end. A server that does not answer is left alone then.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs the command.
pub(super) async fn run(database: &DatabaseSettings, form: Form) -> Result<Exit, RunError> {
    stores::announce(database);
    let stop = signals::stop_on_signals()?;
    let store = stores::open_imported(database).await?;
    let Some(built) = build(&store, stop).await? else { return Ok(Exit::Interrupted) };
    store.close().await;
    output::print(&IndexReport(built), form)?;
    Ok(Exit::Complete)
}

/// Builds the missing indexes; `None` if the user stops it, after the server has stopped, too.
pub(super) async fn build(
    store: &Arc<dyn Store>,
    mut stop: watch::Receiver<bool>,
) -> Result<Option<Vec<BuiltIndexes>>, DatabaseError> {
    let mut building = Arc::clone(store).build_missing_indexes();
    tokio::select! {
        built = &mut building => return built.map(Some),
        stopped = stop.wait_for(|is_set| *is_set) => {
            if stopped.is_err() {
                // The sender is gone, so no stop can follow.
                return building.await.map(Some);
            }
        }
    }
    let cancelling = async { tokio::join!(store.cancel_index_builds(), building) };
    // It ends with an error, or it was just complete; both mean the same now.
    let _ = tokio::time::timeout(CANCEL_TIMEOUT, cancelling).await;
    Ok(None)
}
