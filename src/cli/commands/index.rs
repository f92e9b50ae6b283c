//! `index`: builds the missing indexes and updates the statistics.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::MultiProgress;
use tokio::sync::watch;
use tracing::warn;

use super::{signals, stores};
use crate::cli::config::{DatabaseSettings, Form};
use crate::cli::error::{Exit, RunError};
use crate::cli::output::{self, IndexReport, ProgressDisplay};
use crate::database::{BuiltIndexes, DatabaseError, Store};

/// How long a stopped build may take to end. A server that does not answer is left alone then.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(10);

/// What the post-load step did.
#[derive(Debug, Default)]
pub(super) struct PostLoad {
    /// The indexes that were built.
    pub(super) built: Vec<BuiltIndexes>,
    /// How long building all of them took.
    pub(super) index_took: Duration,
    /// How long the update of the statistics took, if there was one.
    pub(super) statistics_took: Option<Duration>,
}

/// Runs the command.
///
/// `bars` is where the progress is shown, if there is a terminal.
pub(super) async fn run(
    database: &DatabaseSettings,
    form: Form,
    bars: Option<&MultiProgress>,
) -> Result<Exit, RunError> {
    stores::announce(database);
    let stop = signals::stop_on_signals()?;
    let store = stores::open_imported(database).await?;
    let Some(done) = post_load(&store, true, stop, bars).await? else {
        return Ok(Exit::Interrupted);
    };
    store.close().await;
    let (built, statistics_took) = (done.built, done.statistics_took);
    output::print(&IndexReport { built, statistics_took }, form)?;
    Ok(Exit::Complete)
}

/// Builds the missing indexes, then updates the statistics if rows were loaded or indexes built.
/// `None` if the user stops it, after the server has stopped, too.
pub(super) async fn post_load(
    store: &Arc<dyn Store>,
    has_new_rows: bool,
    mut stop: watch::Receiver<bool>,
    bars: Option<&MultiProgress>,
) -> Result<Option<PostLoad>, DatabaseError> {
    let started = Instant::now();
    let _display = ProgressDisplay::start_after_load(Arc::clone(store), bars);
    let building = Arc::clone(store).build_missing_indexes();
    let Some(built) = unless_stopped(&**store, building, &mut stop).await else { return Ok(None) };
    let (built, index_took) = (built?, started.elapsed());
    if !has_new_rows && built.is_empty() {
        return Ok(Some(PostLoad { built, index_took, statistics_took: None }));
    }
    let updating = Arc::clone(store).update_statistics();
    let Some(updated) = unless_stopped(&**store, updating, &mut stop).await else {
        return Ok(None);
    };
    // Queries are right without statistics, only slower.
    let statistics_took = match updated {
        Ok(took) => Some(took),
        Err(error) => {
            let cause = error.source.as_deref().map(ToString::to_string).unwrap_or_default();
            warn!(cause, "{error}");
            None
        }
    };
    Ok(Some(PostLoad { built, index_took, statistics_took }))
}

/// Waits for a statement of the post-load step; `None` if the user stops it.
async fn unless_stopped<T>(
    store: &dyn Store,
    mut work: Pin<Box<dyn Future<Output = Result<T, DatabaseError>> + Send>>,
    stop: &mut watch::Receiver<bool>,
) -> Option<Result<T, DatabaseError>> {
    tokio::select! {
        done = &mut work => return Some(done),
        stopped = stop.wait_for(|is_set| *is_set) => {
            if stopped.is_err() {
                // The sender is gone, so no stop can follow.
                return Some(work.await);
            }
        }
    }
    let cancelling = async { tokio::join!(store.cancel_index_builds(), work) };
    // It ends with an error, or it was just complete; both mean the same now.
    let _ = tokio::time::timeout(CANCEL_TIMEOUT, cancelling).await;
    None
}
