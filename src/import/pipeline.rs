//! The pipeline of one run: listers, fetchers, one batcher, writers.
//!
//! ```text
//! listers (list, triage) ═▶ fetchers (fetch, decode, parse) ═▶ batcher ═▶ writers
//!          L            bounded            N             bounded   1   bounded  W
//! ```
//!
//! Every `═▶` is a bounded channel. The stored, decoded and packed bytes of all objects in flight
//! are bounded by two memory budgets; an object returns its part when its batch is settled.
//!
//! - At the end, the listers drop their sender; each stage drains and drops its own.
//! - When the user stops the run, the listers stop, queued objects stay pending (the next run loads
//!   them), and everything beyond the queue is loaded, unless the database is away: a stopped run
//!   does not wait for it.
//! - A fatal error of a source stops the run in the same way and is returned at the end. A fatal
//!   error of the database drops all tasks at once, and open transactions roll back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::debug;

use super::batcher::{BatchLimits, Batcher, GatheredBatch, Prepared};
use super::breaker::Breaker;
use super::dry_run::join_all;
use super::error::ImportError;
use super::load::load_unless_stopped;
use super::losses::LossLog;
use super::memory::Memory;
use super::prepare::Preparer;
use super::progress::Progress;
use super::stop::StopSignals;
use super::triage::{Lister, TriagedObject};
use super::{End, Plan};
use crate::database::ledger::ObjectOutcome;
use crate::database::{DatabaseError, Sink};
use crate::retry::RetryPolicy;
use crate::source::Source;
use crate::source::list_queue::ListQueue;

/// Objects that wait to be fetched: enough that no fetcher waits for a page.
const TRIAGED_QUEUED_MAX: usize = 1_000;

/// Parsed objects that wait to be batched; their bytes are in the memory budget.
const PREPARED_QUEUED_MAX: usize = 64;

/// How long a batch may wait for more objects, so that rows appear and memory is returned when
/// objects arrive slowly.
const BATCH_AGE_MAX: Duration = Duration::from_millis(500);

/// Runs the pipeline to its end, or until `stop` turns true.
///
/// `progress` counts while it runs. Dropped at any point, it ends like a killed process: open
/// transactions roll back.
///
/// # Errors
/// A source that cannot be listed, or a database that cannot be written; what was committed before
/// stays.
pub async fn run(
    plan: Plan,
    sources: Vec<Arc<dyn Source>>,
    sink: Arc<dyn Sink>,
    run_id: i64,
    progress: Arc<Progress>,
    stop: watch::Receiver<bool>,
) -> Result<End, ImportError> {
    let (triaged_tx, triaged_rx) = mpsc::channel(TRIAGED_QUEUED_MAX);
    let (prepared_tx, prepared_rx) = mpsc::channel(PREPARED_QUEUED_MAX);
    let (batch_tx, batch_rx) = mpsc::channel(1);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let signals = Arc::new(StopSignals::new(stop));
    let losses = Arc::new(LossLog::default());
    let lister = Arc::new(Lister {
        queue: ListQueue::new(sources, &plan.selection, plan.listers),
        ledger: Some(Arc::clone(&sink)),
        retry: plan.retry,
        shard: plan.shard,
        progress: Arc::clone(&progress),
        signals: Arc::clone(&signals),
        losses: Arc::clone(&losses),
        sends_settled: false,
        replaces_changed: plan.replaces_changed,
        selected: plan.selected.clone(),
    });
    let preparer = Arc::new(Preparer {
        rules: sink.rules().clone(),
        progress: Arc::clone(&progress),
        signals: Arc::clone(&signals),
        breaker: Breaker::default(),
        memory: Memory::new(plan.memory_bytes),
        cpu: Arc::new(Semaphore::new(cores)),
        object_bytes_max: plan.object_bytes_max,
        replaces_changed: plan.replaces_changed,
        selected: plan.selected.clone(),
        hashes_contents: plan.hashes_contents,
        losses: Arc::clone(&losses),
    });
    let (retry, is_cut_off) = (plan.retry, AtomicBool::new(false));
    let ends = Arc::clone(&signals);
    let writer =
        Arc::new(Writer { sink, run_id, retry, progress, losses, signals: ends, is_cut_off });

    let mut tasks: JoinSet<Result<(), DatabaseError>> = JoinSet::new();
    for _ in 0..plan.listers {
        tasks.spawn(Arc::clone(&lister).list(triaged_tx.clone()));
    }
    drop(triaged_tx);
    let triaged = Arc::new(AsyncMutex::new(triaged_rx));
    for _ in 0..plan.fetchers {
        let preparer = Arc::clone(&preparer);
        tasks.spawn(prepare_all(preparer, Arc::clone(&triaged), prepared_tx.clone()));
    }
    drop((triaged, prepared_tx));
    tasks.spawn(gather(preparer, plan.batch, prepared_rx, batch_tx));
    let batches = Arc::new(AsyncMutex::new(batch_rx));
    for _ in 0..plan.writers {
        tasks.spawn(Arc::clone(&writer).write_all(Arc::clone(&batches)));
    }
    drop(batches);
    join_all(tasks).await?;
    signals.end()
}

/// Prepares triaged objects until there are none.
async fn prepare_all(
    preparer: Arc<Preparer>,
    input: Arc<AsyncMutex<mpsc::Receiver<TriagedObject>>>,
    output: mpsc::Sender<Prepared>,
) -> Result<(), DatabaseError> {
    loop {
        let Some(next) = input.lock().await.recv().await else { return Ok(()) };
        if preparer.signals.is_stopped() {
            preparer.progress.pending(next.object.size_bytes);
            continue;
        }
        if let Some(object) = preparer.prepare(next).await {
            let _ = output.send(object).await;
        }
    }
}

/// Gathers prepared objects into batches.
async fn gather(
    preparer: Arc<Preparer>,
    limits: BatchLimits,
    mut input: mpsc::Receiver<Prepared>,
    output: mpsc::Sender<GatheredBatch>,
) -> Result<(), DatabaseError> {
    let mut batcher = Batcher::new(limits);
    let mut opened = Instant::now();
    loop {
        let closed = tokio::select! {
            biased;
            object = input.recv() => match object.map(|object| batcher.push(object)) {
                Some(None) => continue,
                Some(closed) => closed,
                None => break,
            },
            // No object arrives before this batch has returned its memory.
            () = preparer.memory.decoded.exhausted_by(batcher.held_bytes()) => batcher.finish(),
            () = tokio::time::sleep_until(opened + BATCH_AGE_MAX) => batcher.finish(),
        };
        opened = Instant::now();
        if let Some(batch) = closed {
            let _ = output.send(batch).await;
        }
    }
    if let Some(batch) = batcher.finish() {
        let _ = output.send(batch).await;
    }
    Ok(())
}

/// Loads batches; shared by the writing tasks.
#[derive(Debug)]
struct Writer {
    sink: Arc<dyn Sink>,
    run_id: i64,
    retry: RetryPolicy,
    progress: Arc<Progress>,
    losses: Arc<LossLog>,
    signals: Arc<StopSignals>,
    /// Whether the run was stopped while the database was away.
    is_cut_off: AtomicBool,
}

impl Writer {
    /// Loads batches until there are none.
    async fn write_all(
        self: Arc<Self>,
        batches: Arc<AsyncMutex<mpsc::Receiver<GatheredBatch>>>,
    ) -> Result<(), DatabaseError> {
        let mut settled = Vec::new();
        loop {
            let Some(gathered) = batches.lock().await.recv().await else { return Ok(()) };
            if self.is_cut_off.load(Ordering::Relaxed) {
                continue;
            }
            let GatheredBatch { batch, permits } = gathered;
            debug!(batch = batch.id, objects = batch.objects.len(), rows = batch.rows(), "writing");
            let sink = &*self.sink;
            let stopped = std::pin::pin!(self.signals.stopped());
            let loaded =
                load_unless_stopped(sink, self.run_id, batch, self.retry, &mut settled, stopped)
                    .await;
            for (object, outcome) in settled.drain(..) {
                self.losses.outcome(&object.object, &outcome);
                if outcome == ObjectOutcome::Loaded {
                    self.losses.of_loaded(&object);
                }
                self.progress.settled(&object, &outcome);
            }
            drop(permits);
            if loaded? == End::Stopped {
                // The database is away. The next run loads what the others have prepared.
                self.is_cut_off.store(true, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests;
