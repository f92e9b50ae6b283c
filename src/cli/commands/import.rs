//! `import`: loads logs, then builds the missing indexes.
//!
//! ```text
//! prepare ─▶ load ─▶ build indexes ─▶ conclude
//! ```
//!
//! The database is prepared, and its run recorded, before the first object is listed. The summary
//! is printed however the run ended.

mod conclude;

use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::MultiProgress;
use tokio::sync::watch;
use tracing::warn;

use self::conclude::{conclude, conclude_after};
use super::{index, signals, sources, stores};
use crate::cli::config::{Form, ImportSettings, SourceSpec};
use crate::cli::error::{Exit, RunError};
use crate::cli::output::{self, ProgressDisplay, Summary};
use crate::database::{BuiltIndexes, Sink, Store, UpgradePolicy};
use crate::import::progress::{Progress, Tally};
use crate::import::{End, pipeline};
use crate::source::Source;

/// How long a run that the user stopped waits for the database to record that.
const FINISH_STOPPED_MAX: Duration = Duration::from_secs(2);

/// A prepared database, and the run that it records.
struct Run {
    store: Arc<dyn Store>,
    id: i64,
    is_created: bool,
    took: Duration,
}

/// How the load ended.
struct Loaded {
    end: Result<End, RunError>,
    tally: Tally,
    took: Duration,
}

/// How building the indexes ended.
struct Indexed {
    end: Result<End, RunError>,
    built: Vec<BuiltIndexes>,
    took: Duration,
}

/// Runs the command.
///
/// `bars` is where the progress bar is shown, if it is.
pub(super) async fn run(
    settings: &ImportSettings,
    form: Form,
    bars: Option<&MultiProgress>,
) -> Result<Exit, RunError> {
    stores::announce(&settings.database);
    let stop = signals::stop_on_signals()?;
    let own_files = settings.database.own_files();
    let prepared = async {
        let sources =
            sources::open(&settings.sources, &settings.s3, settings.follows_links, own_files)
                .await?;
        Ok::<_, RunError>((sources, prepare(settings).await?))
    };
    let Some(prepared) = signals::unless_stopped(&stop, Box::pin(prepared)).await else {
        return Ok(Exit::Interrupted);
    };
    let (sources, run) = prepared?;
    let loaded = load(&run, settings, sources, stop.clone(), bars).await;
    let indexed = match loaded.end {
        Ok(End::Complete) if settings.builds_indexes => build_indexes(&run.store, stop).await,
        _ => Indexed { end: Ok(End::Complete), built: Vec::new(), took: Duration::ZERO },
    };

    let verdict = conclude(loaded.end, &loaded.tally, indexed.end);
    let exit = verdict.0;
    // After an error of the database, these may fail, too.
    let totals = loaded.tally.totals();
    let finishing = async {
        let recorded = run.store.finish_run(run.id, exit.as_str(), &totals).await;
        (recorded, run.store.missing_indexes().await.unwrap_or_default())
    };
    let (recorded, missing) = if exit == Exit::Interrupted {
        // The user does not wait for a database that is away.
        let finished = tokio::time::timeout(FINISH_STOPPED_MAX, finishing).await;
        finished.unwrap_or_else(|_| {
            warn!("the database did not answer, so the run is not recorded as interrupted");
            (Ok(()), Vec::new())
        })
    } else {
        finishing.await
    };
    run.store.close().await;
    let summary = Summary {
        database: format!("{} ({})", settings.database.url, settings.database.origin),
        is_created: run.is_created,
        exit,
        tally: loaded.tally,
        prepare_took: run.took,
        load_took: loaded.took,
        built: indexed.built,
        index_took: indexed.took,
        missing,
    };
    let printed = output::print(&summary, form);
    let verdict = conclude_after(verdict, printed);
    match conclude_after(verdict, recorded.map_err(RunError::from)) {
        (exit, None) => Ok(exit),
        (_, Some(error)) => Err(error),
    }
}

/// Creates the tables and records that the run has begun.
async fn prepare(settings: &ImportSettings) -> Result<Run, RunError> {
    let started = Instant::now();
    let store = stores::open(&settings.database, settings.load_method)?;
    let policy =
        if settings.upgrades_table { UpgradePolicy::Upgrade } else { UpgradePolicy::Refuse };
    let is_created = store.prepare(policy).await?;
    let id = store.begin_run(&sources_json(&settings.sources)).await?;
    Ok(Run { store, id, is_created, took: started.elapsed() })
}

/// Loads the sources, and shows the progress meanwhile.
async fn load(
    run: &Run,
    settings: &ImportSettings,
    sources: Vec<Arc<dyn Source>>,
    stop: watch::Receiver<bool>,
    bars: Option<&MultiProgress>,
) -> Loaded {
    let started = Instant::now();
    let progress = Arc::new(Progress::default());
    let display = ProgressDisplay::start(Arc::clone(&progress), bars);
    let sink = Arc::clone(&run.store) as Arc<dyn Sink>;
    let plan = settings.plan();
    let end = pipeline::run(plan, sources, sink, run.id, Arc::clone(&progress), stop).await;
    drop(display);
    let mut tally = progress.tally();
    if !matches!(end, Ok(End::Complete)) {
        tally.leave_unsettled();
    }
    Loaded { end: end.map_err(RunError::from), tally, took: started.elapsed() }
}

/// Builds the missing indexes, until the user stops it.
async fn build_indexes(store: &Arc<dyn Store>, stop: watch::Receiver<bool>) -> Indexed {
    let started = Instant::now();
    let built = index::build(store, stop).await;
    let took = started.elapsed();
    match built {
        Ok(Some(built)) => Indexed { end: Ok(End::Complete), built, took },
        Ok(None) => Indexed { end: Ok(End::Stopped), built: Vec::new(), took },
        Err(error) => Indexed { end: Err(error.into()), built: Vec::new(), took },
    }
}

fn sources_json(specs: &[SourceSpec]) -> String {
    let names: Vec<String> = specs.iter().map(ToString::to_string).collect();
    serde_json::to_string(&names).expect("a list of strings can always be written as JSON")
}
