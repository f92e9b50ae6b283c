//! The conductor: the only file with channels and tasks.
//!
//! ```text
//! lister ─ triage ─▶ jobs ═▶ fetchers (fetch, decode, parse) ═▶ batcher ═▶ batches ═▶ writers
//!    1                bounded      N                       bounded  1      bounded     W
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

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tracing::{debug, warn};

use crate::batch::{Batch, BatchLimits, Batcher, ParsedContent, ParsedObject};
use crate::budget::Budget;
use crate::decode::{DecodeError, decode, decoded_bytes_hint, is_gzip};
use crate::error::{RunError, chain};
use crate::ledger::{self, Verdict, judge};
use crate::load::{Backoff, Fate, load};
use crate::notice::Notices;
use crate::object::{ObjectId, ObjectRef};
use crate::progress::Progress;
use crate::record::{Content, Kind, ParseError, parse};
use crate::sink::{Sink, SinkError};
use crate::source::{Source, SourceError};

/// Objects that wait to be fetched. Enough that no fetcher waits for a page.
const JOBS_QUEUED_MAX: usize = 1_000;

/// Parsed objects that wait to be batched; their bytes are in the budget.
const PARSED_QUEUED_MAX: usize = 64;

/// How long the batcher waits for more before it hands on what it has, so that rows show up, and
/// the budget comes back, when objects are slow to come.
const IDLE_FLUSH: Duration = Duration::from_millis(500);

/// What gzip usually makes of CloudTrail's JSON is a tenth to a fifteenth; this is what an object
/// is expected to need before its trailer has been seen.
const EXPECTED_RATIO: u64 = 12;

/// How one run is done.
#[derive(Debug, Clone)]
pub struct Plan {
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
    let (failed_tx, failed_rx) = watch::channel(false);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let shared = Arc::new(Shared {
        budget: Budget::new(plan.memory_bytes),
        cpu: Arc::new(Semaphore::new(cores)),
        plan,
        sink,
        run_id,
        progress,
        stop,
        source_failed: failed_tx,
        source_error: Mutex::new(None),
        notices: Notices::default(),
    });

    let mut tasks: JoinSet<Result<(), SinkError>> = JoinSet::new();
    let (jobs, batches) = (Arc::new(AsyncMutex::new(job_rx)), Arc::new(AsyncMutex::new(batch_rx)));
    tasks.spawn(list(Arc::clone(&shared), sources, job_tx, failed_rx.clone()));
    for _ in 0..shared.plan.fetchers {
        tasks.spawn(fetch_all(Arc::clone(&shared), Arc::clone(&jobs), parsed_tx.clone()));
    }
    drop((jobs, parsed_tx));
    tasks.spawn(gather(shared.plan.batch, parsed_rx, batch_tx));
    for _ in 0..shared.plan.writers {
        tasks.spawn(write_all(Arc::clone(&shared), Arc::clone(&batches)));
    }
    drop(batches);

    while let Some(joined) = tasks.join_next().await {
        let ended = joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        if let Err(error) = ended {
            // The others end at their next await; when this returns, nothing counts any more.
            tasks.shutdown().await;
            return Err(error.into());
        }
    }
    let error = shared.source_error.lock().unwrap_or_else(PoisonError::into_inner).take();
    match error {
        Some(error) => Err(error.into()),
        None if shared.is_stopped() => Ok(End::Stopped),
        None => Ok(End::Complete),
    }
}

/// What the tasks share.
struct Shared {
    plan: Plan,
    sink: Arc<dyn Sink>,
    run_id: i64,
    progress: Arc<Progress>,
    /// Turns true when the user stops the run.
    stop: watch::Receiver<bool>,
    /// Turns true when a source failed for good.
    source_failed: watch::Sender<bool>,
    source_error: Mutex<Option<SourceError>>,
    budget: Budget,
    /// One permit per core: decoding and parsing more at once only costs memory.
    cpu: Arc<Semaphore>,
    notices: Notices,
}

impl Shared {
    fn is_stopped(&self) -> bool {
        *self.stop.borrow() || *self.source_failed.borrow()
    }

    /// Stops the run because of a source; the first error is the one that is told.
    fn source_failed(&self, error: SourceError) {
        let mut first = self.source_error.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(error);
        drop(first);
        self.source_failed.send_replace(true);
    }
}

/// An object to fetch.
struct Job {
    source: Arc<dyn Source>,
    object: ObjectRef,
    id: ObjectId,
    replaces_line: bool,
    /// The digest of what was loaded from it before, if its version differs now.
    loaded_digest: Option<String>,
}

/// Lists every source and sends on what has to be fetched.
async fn list(
    shared: Arc<Shared>,
    sources: Vec<Arc<dyn Source>>,
    jobs: mpsc::Sender<Job>,
    mut source_failed: watch::Receiver<bool>,
) -> Result<(), SinkError> {
    let mut stop = shared.stop.clone();
    for source in sources {
        let mut pages = source.pages();
        loop {
            let page = tokio::select! {
                page = pages.next_page() => page,
                () = turned_true(&mut stop) => return Ok(()),
                () = turned_true(&mut source_failed) => return Ok(()),
            };
            match page {
                Ok(Some(page)) => triage(&shared, &source, page, &jobs).await?,
                Ok(None) => break,
                Err(error) => {
                    shared.source_failed(error);
                    return Ok(());
                }
            }
        }
    }
    shared.progress.listing_done();
    Ok(())
}

async fn turned_true(signal: &mut watch::Receiver<bool>) {
    if signal.wait_for(|is_set| *is_set).await.is_err() {
        // The sender is gone, so it will never turn.
        std::future::pending::<()>().await;
    }
}

/// Asks the ledger about one page and queues what is not in.
async fn triage(
    shared: &Shared,
    source: &Arc<dyn Source>,
    page: Vec<ObjectRef>,
    jobs: &mpsc::Sender<Job>,
) -> Result<(), SinkError> {
    let ids: Vec<ObjectId> = page.iter().map(|object| object.location.id()).collect();
    let lines = seen(shared, &ids).await?;
    for (object, id) in page.into_iter().zip(ids) {
        let size_bytes = object.size_bytes;
        shared.progress.listed(size_bytes);
        let (replaces_line, loaded_digest) = match judge(&object, lines.get(&id)) {
            Verdict::AlreadyLoaded => {
                shared.progress.settled_unread(size_bytes, &Fate::AlreadyLoaded);
                continue;
            }
            Verdict::AlreadySkipped(kind) => {
                shared.progress.settled_unread(size_bytes, &Fate::Skipped(kind));
                continue;
            }
            Verdict::New => (false, None),
            Verdict::Again => (true, None),
            Verdict::MaybeChanged { digest } => (false, Some(digest)),
        };
        let source = Arc::clone(source);
        let job = Job { source, object, id, replaces_line, loaded_digest };
        // The fetchers outlive the lister unless the whole run is being dropped.
        let _ = jobs.send(job).await;
    }
    Ok(())
}

/// Asks the ledger, as patiently as a batch is written.
async fn seen(
    shared: &Shared,
    ids: &[ObjectId],
) -> Result<std::collections::HashMap<ObjectId, ledger::Line>, SinkError> {
    let backoff = &shared.plan.backoff;
    let mut attempt = 1;
    loop {
        match shared.sink.seen(ids).await {
            Err(SinkError::Transient { doing, source }) if attempt < backoff.attempts_max => {
                warn!(attempt, cause = %source, "could not {doing}; trying again");
                tokio::time::sleep(backoff.wait(attempt)).await;
                attempt += 1;
            }
            other => return other,
        }
    }
}

/// Takes jobs until there are none, and makes parsed objects of them.
async fn fetch_all(
    shared: Arc<Shared>,
    jobs: Arc<AsyncMutex<mpsc::Receiver<Job>>>,
    parsed: mpsc::Sender<ParsedObject>,
) -> Result<(), SinkError> {
    loop {
        let Some(job) = jobs.lock().await.recv().await else { return Ok(()) };
        if shared.is_stopped() {
            shared.progress.not_reached(job.object.size_bytes);
            continue;
        }
        if let Some(object) = prepare(&shared, job).await {
            let _ = parsed.send(object).await;
        }
    }
}

/// Fetches, decodes and parses one object; `None` if its fate is settled without the database.
async fn prepare(shared: &Shared, job: Job) -> Option<ParsedObject> {
    let Job { source, object, id, replaces_line, loaded_digest } = job;
    let size_bytes = object.size_bytes;
    let mut reserved = shared.budget.reserve(expected_bytes(&object)).await;
    let stored = match source.fetch(&object).await {
        Ok(stored) => stored,
        Err(error) if error.is_fatal() => {
            shared.progress.not_reached(size_bytes);
            shared.source_failed(error);
            return None;
        }
        Err(error) => {
            let content = ParsedContent::Failed(told_with_hint(&error));
            let digest = String::new();
            let reserved = None;
            return Some(ParsedObject { object, id, digest, content, replaces_line, reserved });
        }
    };
    let digest = ledger::digest(&stored);
    if let Some(loaded_digest) = loaded_digest {
        let fate = if loaded_digest == digest {
            Fate::AlreadyLoaded
        } else {
            Fate::Failed("changed since it was loaded; the rows of its earlier state are in".into())
        };
        shared.notices.of_fate(&object, &fate);
        shared.progress.settled_unread(size_bytes, &fate);
        return None;
    }
    let mut decoded_max = decoded_bytes_hint(&stored) as u64;
    let limit = shared.plan.object_bytes_max;
    let content = loop {
        let needed = stored.len() as u64 + 2 * decoded_max;
        if needed > reserved.bytes() {
            // Never wait for more while holding some: that could wait for ever.
            drop(reserved);
            reserved = shared.budget.reserve(needed).await;
        }
        let cpu = Arc::clone(&shared.cpu).acquire_owned().await.expect("it is never closed");
        let (stored, object, sink) = (stored.clone(), object.clone(), Arc::clone(&shared.sink));
        let attempt_limit = limit.min(decoded_max.max(stored.len() as u64));
        let read = tokio::task::spawn_blocking(move || {
            let _cpu = cpu;
            read(&stored, &object, attempt_limit, &*sink)
        });
        let read = read.await.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()));
        match read {
            // The trailer promised less (there are several members, or it lies): once more, with
            // all the room that the limit allows.
            Err(ReadError::Decode(DecodeError::TooLarge { .. })) if attempt_limit < limit => {
                decoded_max = limit;
            }
            other => break other,
        }
    };
    let content = content.unwrap_or_else(|error| ParsedContent::Failed(error.reason()));
    let row_bytes = match &content {
        ParsedContent::Log(log) => log.rows.as_copy_bytes().len() as u64,
        ParsedContent::Foreign(_) | ParsedContent::Failed(_) => 0,
    };
    let reserved = Some(reserved.keep(row_bytes));
    Some(ParsedObject { object, id, digest, content, replaces_line, reserved })
}

/// Returns what an object will probably need while it is read: stored, decoded, packed.
fn expected_bytes(object: &ObjectRef) -> u64 {
    let is_gzip = object.location.file_name().to_ascii_lowercase().ends_with(".gz");
    let ratio = if is_gzip { EXPECTED_RATIO } else { 1 };
    object.size_bytes.saturating_mul(1 + 2 * ratio)
}

#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error(transparent)]
    Parse(#[from] ParseError),
}

impl ReadError {
    /// Returns what the ledger and people are told.
    fn reason(&self) -> String {
        let reason = chain(self);
        match self {
            Self::Decode(DecodeError::TooLarge { .. }) => {
                format!("{reason} (`--max-object-size` allows more)")
            }
            Self::Decode(_) | Self::Parse(_) => reason,
        }
    }
}

/// Decodes and parses stored bytes: the CPU's share of the work.
fn read(
    stored: &[u8],
    object: &ObjectRef,
    limit_bytes: u64,
    sink: &dyn Sink,
) -> Result<ParsedContent, ReadError> {
    let json = decode(stored, limit_bytes)?;
    match parse(&json, sink.rules()) {
        Ok(Content::Log(log)) => Ok(ParsedContent::Log(log)),
        Ok(Content::Foreign(kind)) => Ok(ParsedContent::Foreign(kind)),
        // What is neither gzip nor JSON nor named like a log is some other file.
        Err(ParseError::Empty) if !object.claims_to_be_log() => {
            Ok(ParsedContent::Foreign(Kind::Empty))
        }
        Err(_) if !object.claims_to_be_log() && !is_gzip(stored) => {
            Ok(ParsedContent::Foreign(Kind::OtherFile))
        }
        Err(error) => Err(error.into()),
    }
}

fn told_with_hint(error: &SourceError) -> String {
    match error.hint() {
        Some(hint) => format!("{} ({hint})", chain(error)),
        None => chain(error),
    }
}

/// Makes batches of parsed objects.
async fn gather(
    limits: BatchLimits,
    mut parsed: mpsc::Receiver<ParsedObject>,
    batches: mpsc::Sender<Batch>,
) -> Result<(), SinkError> {
    let mut gathered = Batcher::new(limits);
    loop {
        let batch = match tokio::time::timeout(IDLE_FLUSH, parsed.recv()).await {
            Ok(Some(object)) => gathered.push(object),
            Ok(None) => break,
            Err(_idle) => gathered.finish(),
        };
        if let Some(batch) = batch {
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
