//! The conductor: the only place with channels and tasks.
//!
//! ```text
//! lister ─ triage ─▶ jobs ═▶ fetchers (fetch, decode, parse) ═▶ batcher ═▶ batches ═▶ writers
//!    L                bounded      N                       bounded  1      bounded     W
//! ```
//!
//! Every `═▶` is a bounded channel. The stored, decoded and packed bytes of all objects in
//! flight share one budget; an object gives its share back when its batch is settled.
//!
//! - At the end, the lister drops its sender; each stage drains and drops its own.
//! - When the run is stopped, the lister stops, queued jobs are left (the next run takes them up),
//!   and everything beyond the queue is loaded.
//! - A fatal error of the source stops the run in the same way and is returned at the end. A fatal
//!   error of the database drops all tasks at once, and open transactions roll back.

mod prepare;
mod triage;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::debug;

use crate::batch::{Batch, BatchLimits, Batcher, ParsedObject};
use crate::budget::Budget;
use crate::error::RunError;
use crate::layout::Selection;
use crate::listing::Frontier;
use crate::load::{Backoff, Fate, load};
use crate::notice::Notices;
use crate::object::Shard;
use crate::progress::Progress;
use crate::sink::{Sink, SinkError};
use crate::source::{Source, SourceError};
use crate::survey::Survey;

use self::prepare::{prepare, sample};
use self::triage::{Job, Outlet, Triage, list};

/// Objects that wait to be fetched. Enough that no fetcher waits for a page.
const JOBS_QUEUED_MAX: usize = 1_000;

/// Parsed objects that wait to be batched; their bytes are in the budget.
const PARSED_QUEUED_MAX: usize = 64;

/// How long a batch may wait for more objects, so that rows show up, and the budget comes back,
/// when objects are slow to come.
const BATCH_AGE_MAX: Duration = Duration::from_millis(500);

/// How one run is done.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What is chosen of what the sources hold.
    pub selection: Arc<Selection>,
    /// Which machine of several this is.
    pub shard: Shard,
    /// Steps of the listing that are taken at once.
    pub listers: usize,
    /// Objects fetched at once.
    pub fetchers: usize,
    /// Batches written at once.
    pub writers: usize,
    /// When a batch is closed.
    pub batch: BatchLimits,
    /// The budget for all objects in flight.
    pub memory_bytes: u64,
    /// The most an object may decode to.
    pub object_bytes_max: u64,
    /// How long to wait for the database.
    pub backoff: Backoff,
}

/// How a run ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Every listed object met its fate.
    Complete,
    /// It was stopped before that.
    Stopped,
}

/// Runs the pipeline to its end, or until `stop` turns true.
///
/// Counts go to `progress` as they come. Dropped in the middle, it ends like a killed process:
/// open transactions roll back.
///
/// # Errors
/// A source that cannot be listed or a database that cannot be written; what was loaded before
/// stays.
pub async fn run(
    plan: Plan,
    sources: Vec<Arc<dyn Source>>,
    sink: Arc<dyn Sink>,
    run_id: i64,
    progress: Arc<Progress>,
    stop: watch::Receiver<bool>,
) -> Result<End, RunError> {
    let (job_tx, job_rx) = mpsc::channel(JOBS_QUEUED_MAX);
    let (parsed_tx, parsed_rx) = mpsc::channel(PARSED_QUEUED_MAX);
    let (batch_tx, batch_rx) = mpsc::channel(1);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let signals = Arc::new(Signals::new(stop));
    let triage = Arc::new(Triage {
        frontier: Frontier::new(sources, &plan.selection, plan.listers),
        ledger: Some(Arc::clone(&sink)),
        backoff: plan.backoff,
        shard: plan.shard,
        progress: Arc::clone(&progress),
        signals: Arc::clone(&signals),
    });
    let shared = Arc::new(Shared {
        budget: Budget::new(plan.memory_bytes),
        cpu: Arc::new(Semaphore::new(cores)),
        plan,
        sink,
        run_id,
        progress,
        signals: Arc::clone(&signals),
        notices: Notices::default(),
    });

    let mut tasks: JoinSet<Result<(), SinkError>> = JoinSet::new();
    let (jobs, batches) = (Arc::new(AsyncMutex::new(job_rx)), Arc::new(AsyncMutex::new(batch_rx)));
    for _ in 0..shared.plan.listers {
        tasks.spawn(list(Arc::clone(&triage), Outlet::Jobs(job_tx.clone())));
    }
    for _ in 0..shared.plan.fetchers {
        tasks.spawn(fetch_all(Arc::clone(&shared), Arc::clone(&jobs), parsed_tx.clone()));
    }
    drop((job_tx, jobs, parsed_tx));
    tasks.spawn(gather(Arc::clone(&shared), parsed_rx, batch_tx));
    for _ in 0..shared.plan.writers {
        tasks.spawn(write_all(Arc::clone(&shared), Arc::clone(&batches)));
    }
    drop(batches);
    join_all(tasks).await?;
    signals.end()
}

/// Lists and triages as a run would, and only counts what it finds; reads a few objects of it.
///
/// Without a ledger, everything is new. Requests and what was left out go to `progress`.
///
/// # Errors
/// A source that cannot be listed or a ledger that cannot be read.
pub async fn survey(
    plan: &Plan,
    sources: Vec<Arc<dyn Source>>,
    ledger: Option<Arc<dyn Sink>>,
    progress: Arc<Progress>,
    stop: watch::Receiver<bool>,
) -> Result<(Survey, End), RunError> {
    let started = Instant::now();
    let signals = Arc::new(Signals::new(stop));
    let triage = Arc::new(Triage {
        frontier: Frontier::new(sources, &plan.selection, plan.listers),
        ledger,
        backoff: plan.backoff,
        shard: plan.shard,
        progress,
        signals: Arc::clone(&signals),
    });
    let survey = Arc::new(Mutex::new(Survey::default()));
    let mut tasks = JoinSet::new();
    for _ in 0..plan.listers {
        tasks.spawn(list(Arc::clone(&triage), Outlet::Survey(Arc::clone(&survey))));
    }
    join_all(tasks).await?;
    let end = signals.end()?;
    let mut survey = std::mem::take(&mut *survey.lock().unwrap_or_else(PoisonError::into_inner));
    survey.listing_took = started.elapsed();
    let mut samples = JoinSet::new();
    for (source, object) in survey.take_sample() {
        samples.spawn(sample(source, object, plan.object_bytes_max));
    }
    for sampled in samples.join_all().await {
        survey.sampled.add(sampled);
    }
    Ok((survey, end))
}

async fn join_all(mut tasks: JoinSet<Result<(), SinkError>>) -> Result<(), SinkError> {
    while let Some(joined) = tasks.join_next().await {
        let ended = joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        if let Err(error) = ended {
            // The others end at their next await; when this returns, nothing counts any more.
            tasks.shutdown().await;
            return Err(error);
        }
    }
    Ok(())
}

/// What makes a run end early.
struct Signals {
    /// Turns true when the user stops the run.
    stop: watch::Receiver<bool>,
    /// Turns true when a source failed for good.
    source_failed: watch::Sender<bool>,
    source_error: Mutex<Option<SourceError>>,
}

impl Signals {
    fn new(stop: watch::Receiver<bool>) -> Self {
        Self { stop, source_failed: watch::Sender::new(false), source_error: Mutex::new(None) }
    }

    fn is_stopped(&self) -> bool {
        *self.stop.borrow() || *self.source_failed.borrow()
    }

    /// Stops the run because of a source; the first error is the one that is told.
    fn fail(&self, error: SourceError) {
        let mut first = self.source_error.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(error);
        drop(first);
        self.source_failed.send_replace(true);
    }

    /// Waits until the run is to stop; for ever if nothing stops it.
    async fn stopped(&self) {
        let (mut stop, mut failed) = (self.stop.clone(), self.source_failed.subscribe());
        let turned = async |signal: &mut watch::Receiver<bool>| {
            if signal.wait_for(|is_set| *is_set).await.is_err() {
                // The sender is gone, so it will never turn.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = turned(&mut stop) => {}
            () = turned(&mut failed) => {}
        }
    }

    fn end(&self) -> Result<End, RunError> {
        let error = self.source_error.lock().unwrap_or_else(PoisonError::into_inner).take();
        match error {
            Some(error) => Err(error.into()),
            None if *self.stop.borrow() => Ok(End::Stopped),
            None => Ok(End::Complete),
        }
    }
}

/// What fetchers and writers share.
struct Shared {
    plan: Plan,
    sink: Arc<dyn Sink>,
    run_id: i64,
    progress: Arc<Progress>,
    signals: Arc<Signals>,
    budget: Budget,
    /// One permit per core: decoding and parsing more at once only costs memory.
    cpu: Arc<Semaphore>,
    notices: Notices,
}

/// Takes jobs until there are none, and makes parsed objects of them.
async fn fetch_all(
    shared: Arc<Shared>,
    jobs: Arc<AsyncMutex<mpsc::Receiver<Job>>>,
    parsed: mpsc::Sender<ParsedObject>,
) -> Result<(), SinkError> {
    loop {
        let Some(job) = jobs.lock().await.recv().await else { return Ok(()) };
        if shared.signals.is_stopped() {
            shared.progress.not_reached(job.object.size_bytes);
            continue;
        }
        if let Some(object) = prepare(&shared, job).await {
            let _ = parsed.send(object).await;
        }
    }
}

/// Makes batches of parsed objects.
async fn gather(
    shared: Arc<Shared>,
    mut parsed: mpsc::Receiver<ParsedObject>,
    batches: mpsc::Sender<Batch>,
) -> Result<(), SinkError> {
    let mut gathered = Batcher::new(shared.plan.batch);
    let mut opened = Instant::now();
    loop {
        let closed = tokio::select! {
            biased;
            object = parsed.recv() => match object.map(|object| gathered.push(object)) {
                Some(None) => continue,
                Some(closed) => closed,
                None => break,
            },
            // No object comes before this batch has given its share of the budget back.
            () = shared.budget.wanted(gathered.held_bytes()) => gathered.finish(),
            () = tokio::time::sleep_until(opened + BATCH_AGE_MAX) => gathered.finish(),
        };
        opened = Instant::now();
        if let Some(batch) = closed {
            let _ = batches.send(batch).await;
        }
    }
    if let Some(batch) = gathered.finish() {
        let _ = batches.send(batch).await;
    }
    Ok(())
}

/// Takes batches until there are none, and loads them.
async fn write_all(
    shared: Arc<Shared>,
    batches: Arc<AsyncMutex<mpsc::Receiver<Batch>>>,
) -> Result<(), SinkError> {
    let mut settled = Vec::new();
    loop {
        let Some(batch) = batches.lock().await.recv().await else { return Ok(()) };
        debug!(batch = batch.id, objects = batch.objects.len(), rows = batch.rows(), "writing");
        let backoff = &shared.plan.backoff;
        let loaded = load(&*shared.sink, shared.run_id, batch, backoff, &mut settled).await;
        for (object, fate) in settled.drain(..) {
            shared.notices.of_fate(&object.object, &fate);
            if fate == Fate::Loaded {
                shared.notices.of_losses(&object);
            }
            shared.progress.settled(&object, &fate);
        }
        loaded?;
    }
}

#[cfg(test)]
mod tests;
