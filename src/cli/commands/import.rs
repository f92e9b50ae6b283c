//! `import`: loads logs, then builds the missing indexes and updates the statistics.
//!
//! ```text
//! prepare ─▶ load ─▶ indexes, statistics ─▶ conclude
//! ```
//!
//! The database is prepared, and its run recorded, before the first object is listed. The summary
//! is printed however the run ended.

mod conclude;

use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::MultiProgress;
use serde_json::Value;
use tokio::sync::watch;
use tracing::warn;

use self::conclude::{conclude, conclude_after};
use super::index::PostLoad;
use super::sources::Opening;
use super::{index, signals, sources, stores, verify};
use crate::cli::config::{Form, ImportSettings, SourceSpec};
use crate::cli::error::{Exit, RunError};
use crate::cli::output::{self, ProgressDisplay, Summary};
use crate::database::status::RunStart;
use crate::database::{Sink, Store, UpgradePolicy};
use crate::import::progress::{Progress, Tally};
use crate::import::{End, pipeline};
use crate::source::Source;
use crate::trail::layout::Selection;
use crate::verify::VerifyPlan;
use crate::verify::outcome::Verified;

/// How long a run that the user stopped waits for the database to record that.
const FINISH_STOPPED_MAX: Duration = Duration::from_secs(2);

/// A prepared database, and the run that it records.
struct Run {
    store: Arc<dyn Store>,
    id: i64,
    is_created: bool,
    took: Duration,
}

/// The verification at the end, if there is one.
struct Verification(VerifyPlan);

impl Verification {
    async fn of(settings: &ImportSettings) -> Result<Option<Self>, RunError> {
        if !settings.verifies {
            return Ok(None);
        }
        let keys = verify::keys(&settings.public_keys, &settings.s3).await?;
        let (selection, bytes_max) = (&settings.selection, settings.object_bytes_max);
        Ok(Some(Self(verify::plan_of_import(selection, settings.fetchers, bytes_max, keys))))
    }

    async fn run(
        &self,
        sources: Vec<Arc<dyn Source>>,
        store: &dyn Store,
    ) -> Result<Verified, RunError> {
        verify::verified(&self.0, sources, store).await
    }
}

/// How the load ended.
struct Loaded {
    end: Result<End, RunError>,
    tally: Tally,
    took: Duration,
}

/// How the post-load step ended.
struct AfterLoad {
    end: Result<End, RunError>,
    done: PostLoad,
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
    sources::announce_shard(settings.shard.as_ref());
    let stop = signals::stop_on_signals()?;
    let own_files = settings.database.own_files();
    let prepared = async {
        // Whatever a verification lacks is found before the load.
        let verification = Verification::of(settings).await?;
        let sources = sources::open(&Opening::of_import(settings), own_files).await?;
        Ok::<_, RunError>((sources, verification, prepare(settings).await?))
    };
    let Some(prepared) = signals::unless_stopped(&stop, Box::pin(prepared)).await else {
        return Ok(Exit::Interrupted);
    };
    let (sources, verification, run) = prepared?;
    let (sources_again, stop_verifying) = (sources.clone(), stop.clone());
    let loaded = load(&run, settings, sources, stop.clone(), bars).await;
    let after = match loaded.end {
        Ok(End::Complete) if settings.builds_indexes => {
            after_load(&run.store, loaded.tally.rows > 0, stop, bars).await
        }
        _ => AfterLoad { end: Ok(End::Complete), done: PostLoad::default() },
    };

    let verdict = conclude(loaded.end, &loaded.tally, after.end);
    let (exit, error, verified) = match (verdict, verification) {
        ((exit @ (Exit::Complete | Exit::LeftOut), None), Some(verification)) => {
            let verifying = Box::pin(verification.run(sources_again, &*run.store));
            match signals::unless_stopped(&stop_verifying, verifying).await {
                Some(Ok(verified)) => {
                    let found = verify::exit_of(&verified);
                    (if found == Exit::Complete { exit } else { found }, None, Some(verified))
                }
                Some(Err(error)) => (Exit::Failed, Some(error), None),
                None => (Exit::Interrupted, None, None),
            }
        }
        ((exit, error), _) => (exit, error, None),
    };
    let exit = exit.accepting_losses(settings.exits_zero_on_losses);
    let verdict = (exit, error);
    // After an error of the database, these may fail, too.
    let totals = loaded.tally.totals();
    let finishing = async {
        let recorded = run.store.finish_run(run.id, exit.as_str(), &totals).await;
        let missing = run.store.missing_indexes().await.unwrap_or_default();
        (recorded, missing, run.store.partly_loaded().await.unwrap_or_default())
    };
    let (recorded, missing, part) = if exit == Exit::Interrupted {
        // The user does not wait for a database that is away.
        let finished = tokio::time::timeout(FINISH_STOPPED_MAX, finishing).await;
        finished.unwrap_or_else(|_| {
            warn!("the database did not answer, so the run is not recorded as interrupted");
            (Ok(()), Vec::new(), None)
        })
    } else {
        finishing.await
    };
    run.store.close().await;
    let summary = Summary {
        database: format!("{} ({})", settings.database.url, settings.database.origin),
        is_created: run.is_created,
        shard: settings.shard.clone(),
        exit,
        tally: loaded.tally,
        prepare_took: run.took,
        load_took: loaded.took,
        built: after.done.built,
        statistics_took: after.done.statistics_took,
        index_took: after.done.index_took,
        part,
        missing,
        verified,
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
    let store =
        stores::open(&settings.database, settings.load_method, settings.keeps_other_fields)?;
    let policy =
        if settings.upgrades_table { UpgradePolicy::Upgrade } else { UpgradePolicy::Refuse };
    let is_created = store.prepare(policy).await?;
    let id = store.begin_run(&start_of(settings)).await?;
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

/// Builds the missing indexes and updates the statistics, until the user stops it.
async fn after_load(
    store: &Arc<dyn Store>,
    has_new_rows: bool,
    stop: watch::Receiver<bool>,
    bars: Option<&MultiProgress>,
) -> AfterLoad {
    match index::post_load(store, has_new_rows, stop, bars).await {
        Ok(Some(done)) => AfterLoad { end: Ok(End::Complete), done },
        Ok(None) => AfterLoad { end: Ok(End::Stopped), done: PostLoad::default() },
        Err(error) => AfterLoad { end: Err(error.into()), done: PostLoad::default() },
    }
}

/// Returns what is recorded of the run at its beginning.
fn start_of(settings: &ImportSettings) -> RunStart {
    let shard = settings.shard.as_ref();
    RunStart {
        sources: sources_json(&settings.sources),
        selection: selection_json(settings),
        shard: shard.map(|it| it.shard),
        job: shard.and_then(|it| it.job.clone()),
    }
}

fn sources_json(specs: &[SourceSpec]) -> String {
    let names: Vec<String> = specs.iter().map(ToString::to_string).collect();
    serde_json::to_string(&names).expect("a list of strings can always be written as JSON")
}

/// Returns the selection with its days resolved; `None` if everything is selected.
fn selection_json(settings: &ImportSettings) -> Option<String> {
    let Selection { from, to, accounts, regions, event_from: _, event_to: _ } = &settings.selection;
    let mut parts = serde_json::Map::new();
    let mut add = |name: &str, value: Value| parts.insert(name.to_owned(), value);
    if let Some(day) = from {
        add("from", day.to_string().into());
    }
    if let Some(day) = to {
        add("to", day.to_string().into());
    }
    for (name, values) in [("account_ids", accounts), ("trail_regions", regions)] {
        if !values.is_empty() {
            add(name, values.iter().map(String::as_str).collect());
        }
    }
    if settings.follows_links {
        add("follow_links", true.into());
    }
    if !settings.filter.is_all() {
        let filter = serde_json::to_value(&settings.filter);
        add("filter", filter.expect("a filter can be written as JSON"));
    }
    (!parts.is_empty()).then(|| Value::Object(parts).to_string())
}
