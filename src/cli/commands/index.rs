//! `index`: builds the missing indexes and updates the statistics.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::MultiProgress;
use tokio::sync::watch;
use tracing::warn;

use super::{signals, statements, stores};
use crate::cli::config::{DatabaseSettings, Form};
use crate::cli::error::{Exit, RunError};
use crate::cli::output::{self, IndexReport, ProgressDisplay};
use crate::database::{BuiltIndexes, DatabaseError, Store};

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
    let building = statements::unless_stopped(&**store, building, stopped(&mut stop));
    let Ok(built) = building.await else { return Ok(None) };
    let (built, index_took) = (built?, started.elapsed());
    if !has_new_rows && built.is_empty() {
        return Ok(Some(PostLoad { built, index_took, statistics_took: None }));
    }
    let updating = Arc::clone(store).update_statistics();
    let updating = statements::unless_stopped(&**store, updating, stopped(&mut stop));
    let Ok(updated) = updating.await else { return Ok(None) };
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

/// Waits until the user stops the program; for ever, if that is no longer possible.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|is_set| *is_set).await.is_err() {
        std::future::pending::<()>().await;
    }
}
