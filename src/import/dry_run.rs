//! The dry run: lists and triages as a run would, reads a sample, and writes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::breaker::Breaker;
use super::error::ImportError;
use super::memory::Memory;
use super::prepare::Preparer;
use super::progress::{Count, Progress};
use super::stop::StopSignals;
use super::triage::{Lister, TriagedObject};
use super::{End, Plan};
use crate::database::batch::ParsedObject;
use crate::database::ledger::{ObjectOutcome, Triage};
use crate::database::{DatabaseError, Sink};
use crate::source::Source;
use crate::source::list_queue::ListQueue;
use crate::trail::layout::Layout;
use crate::trail::object::{ObjectId, ObjectRef};
use crate::trail::record::CellRules;

/// Triaged objects that wait to be counted.
const TRIAGED_QUEUED_MAX: usize = 1_000;

/// Objects that are read for the estimate: those with the smallest hashes, which are a fair sample,
/// and the same in the next run.
const SAMPLE_OBJECTS_MAX: usize = 64;

/// What a run would find.
#[derive(Debug, Clone, Default)]
pub struct DryRun {
    /// Per account, region and day; `None` gathers objects in another layout.
    pub groups: BTreeMap<Option<Group>, Found>,
    /// What reading the sample showed.
    pub sampled: Sampled,
    /// Objects of the sample that could not be read, at most as many as it has.
    pub unread: Vec<UnreadObject>,
    /// How long listing and triage took.
    pub listing_took: Duration,
}

/// An object of the sample that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnreadObject {
    /// Where it is.
    pub uri: String,
    /// Why.
    pub reason: String,
}

/// What objects are counted by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    /// The account, 12 digits.
    pub account: String,
    /// The region.
    pub region: String,
    /// The day folder, `YYYY-MM-DD`.
    pub day: String,
}

/// Objects and stored bytes, by what a run would do with them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Found {
    /// The ledger does not have them.
    pub new: Count,
    /// They failed or changed: a run would read them again.
    pub retried: Count,
    /// They are loaded, or known not to be logs.
    pub known: Count,
}

impl Found {
    /// Adds what was found elsewhere.
    pub fn add(&mut self, other: &Self) {
        for (sum, part) in [
            (&mut self.new, other.new),
            (&mut self.retried, other.retried),
            (&mut self.known, other.known),
        ] {
            sum.objects += part.objects;
            sum.bytes += part.bytes;
        }
    }
}

/// What some objects hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sampled {
    /// Objects that were read, and their stored bytes.
    pub read: Count,
    /// Rows in them.
    pub rows: u64,
    /// Bytes of these rows.
    pub row_bytes: u64,
}

/// Lists and triages, counts what it finds and reads a sample of it.
///
/// Without a ledger, every object is new. Requests and what was filtered out go to `progress`.
///
/// # Errors
/// A source that cannot be listed, or a ledger that cannot be read.
///
/// # Panics
/// Never: the semaphores are not closed.
pub async fn dry_run(
    plan: &Plan,
    sources: Vec<Arc<dyn Source>>,
    ledger: Option<Arc<dyn Sink>>,
    progress: Arc<Progress>,
    stop: watch::Receiver<bool>,
) -> Result<(DryRun, End), ImportError> {
    let started = Instant::now();
    let signals = Arc::new(StopSignals::new(stop));
    let lister = Arc::new(Lister {
        queue: ListQueue::new(sources, &plan.selection, plan.listers),
        ledger,
        retry: plan.retry,
        shard: plan.shard,
        progress,
        signals: Arc::clone(&signals),
        losses: Arc::default(),
        sends_settled: true,
        replaces_changed: plan.replaces_changed,
        selected: plan.selected.clone(),
    });
    let (triaged_tx, triaged_rx) = mpsc::channel(TRIAGED_QUEUED_MAX);
    let mut listing = JoinSet::new();
    for _ in 0..plan.listers {
        listing.spawn(Arc::clone(&lister).list(triaged_tx.clone()));
    }
    drop(triaged_tx);
    let (counts, end_of_listing) = tokio::join!(count_all(triaged_rx), join_all(listing));
    end_of_listing?;
    let end = signals.end()?;
    let (mut dry_run, sample) = counts;
    dry_run.listing_took = started.elapsed();
    if end == End::Stopped {
        return Ok((dry_run, end));
    }
    let preparer = Arc::new(Preparer {
        rules: CellRules::ANY,
        progress: Arc::default(),
        signals: Arc::clone(&signals),
        breaker: Breaker::default(),
        memory: Memory::new(plan.memory_bytes),
        cpu: Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from))),
        object_bytes_max: plan.object_bytes_max,
        replaces_changed: plan.replaces_changed,
        selected: plan.selected.clone(),
        hashes_contents: false,
        losses: Arc::default(),
    });
    let width = Arc::new(Semaphore::new(plan.fetchers));
    let mut reading = JoinSet::new();
    for triaged in sample {
        let (preparer, width) = (Arc::clone(&preparer), Arc::clone(&width));
        reading.spawn(async move {
            let _turn = width.acquire_owned().await.expect("it is never closed");
            preparer.prepare(triaged).await
        });
    }
    // Each object is dropped as soon as it is counted: others may wait for its memory.
    while let Some(joined) = reading.join_next().await {
        let read = joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        if let Some(read) = read {
            dry_run.add_sample(&read.object);
        }
    }
    Ok((dry_run, signals.end()?))
}

/// Joins all tasks; after an error the others are ended at their next await.
pub(super) async fn join_all(
    mut tasks: JoinSet<Result<(), DatabaseError>>,
) -> Result<(), DatabaseError> {
    while let Some(joined) = tasks.join_next().await {
        let ended = joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        if let Err(error) = ended {
            tasks.shutdown().await;
            return Err(error);
        }
    }
    Ok(())
}

/// Counts every triaged object; returns the counts and the sample.
async fn count_all(mut triaged: mpsc::Receiver<TriagedObject>) -> (DryRun, Vec<TriagedObject>) {
    let mut dry_run = DryRun::default();
    let mut sample: BTreeMap<ObjectId, TriagedObject> = BTreeMap::new();
    while let Some(triaged) = triaged.recv().await {
        dry_run.count(&triaged.object, &triaged.triage);
        if matches!(triaged.triage, Triage::New | Triage::Retry) {
            sample.insert(triaged.id, triaged);
            if sample.len() > SAMPLE_OBJECTS_MAX {
                sample.pop_last();
            }
        }
    }
    (dry_run, sample.into_values().collect())
}

impl DryRun {
    /// Counts one object.
    fn count(&mut self, object: &ObjectRef, triage: &Triage) {
        let group = Layout::of(&object.location.uri()).map(|layout| Group {
            account: layout.account,
            region: layout.region,
            day: layout.day.to_string(),
        });
        let found = self.groups.entry(group).or_default();
        let count = match triage {
            Triage::New => &mut found.new,
            Triage::Retry | Triage::Compare(_) => &mut found.retried,
            Triage::Settled(_) => &mut found.known,
        };
        count.add(object.size_bytes);
    }

    /// Adds what one object of the sample holds.
    fn add_sample(&mut self, object: &ParsedObject) {
        if let ObjectOutcome::Failed(reason) = object.outcome() {
            self.unread
                .push(UnreadObject { uri: object.object.location.uri(), reason: reason.clone() });
            return;
        }
        let rows = &object.log().rows;
        self.sampled.read.add(object.object.size_bytes);
        self.sampled.rows += rows.len() as u64;
        self.sampled.row_bytes += rows.as_copy_bytes().len() as u64;
    }

    /// Returns the sums over all groups.
    pub fn total(&self) -> Found {
        let mut total = Found::default();
        for found in self.groups.values() {
            total.add(found);
        }
        total
    }

    /// Estimates how many rows a run would load; `None` if nothing was sampled.
    pub fn rows_estimate(&self) -> Option<u64> {
        self.scaled(self.sampled.rows)
    }

    /// Estimates how many bytes these rows have.
    pub fn row_bytes_estimate(&self) -> Option<u64> {
        self.scaled(self.sampled.row_bytes)
    }

    fn scaled(&self, sampled: u64) -> Option<u64> {
        let total = self.total();
        let bytes = u128::from(total.new.bytes + total.retried.bytes);
        let scaled = bytes * u128::from(sampled);
        u64::try_from(scaled.checked_div(u128::from(self.sampled.read.bytes))?).ok()
    }
}
