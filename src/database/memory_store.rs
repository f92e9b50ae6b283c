//! A store in memory, with scripted faults. For the project's own tests only.
//!
//! It follows the rules of the databases: the ledger's and the rejects' primary keys, and
//! transactions that commit whole or not at all. It keeps nothing on disk and is public only so that
//! the integration tests can run the contract of the databases on it, too. No command uses it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::sleep;

use self::commit::{Commit, commit_of};
use super::answer::{RowSink, Statement};
use super::batch::{Batch, ParsedObject};
use super::dedupe::{Cursor, Duplicates, IdPage};
use super::forget::{KnownObject, UriScope};
use super::indexes::{INDEXES, Index};
use super::integrity::{LedgerObject, Named, NewContentHash, StoredDay};
use super::ledger::{Line, ObjectOutcome};
use super::status::{
    FailedObject, PartlyLoaded, RejectedRecord, RunLine, RunStart, RunTotals, SkippedObject,
    StoredRecord,
};
use super::{BuiltIndexes, DatabaseError, Sink, Store, Timeouts, UpgradePolicy};
use crate::trail::filter::FilterSet;
use crate::trail::integrity::verdict::RememberedDigest;
use crate::trail::object::ObjectId;
use crate::trail::record::CellRules;

mod commit;

/// What happens to one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing goes wrong.
    Pass,
    /// The data is refused, whatever it is.
    Refuse,
    /// The call succeeds, and its answer is lost.
    Lose,
    /// The call does nothing, and there is no answer.
    Break,
    /// There is no answer, and the call succeeds only after the ledger was queried.
    Late,
    /// Another import has the same key, and rolls back.
    Conflict,
    /// The server chose the transaction as the victim of a deadlock, and rolled it back.
    Deadlock,
    /// There is no answer within the write timeout. The transaction was rolled back.
    Timeout,
    /// The database is gone.
    Fatal,
    /// The call succeeds after this time.
    Delay(Duration),
    /// The call never returns.
    Hang,
}

/// A ledger, rejects and rows in memory.
#[derive(Debug)]
pub struct MemoryStore {
    rules: CellRules,
    state: Mutex<State>,
}

/// What a [`MemoryStore`] holds, and which faults come next.
#[derive(Debug, Default)]
pub struct State {
    /// The ledger.
    pub lines: HashMap<ObjectId, Line>,
    /// The eventID of each row, with its object.
    pub rows: Vec<(ObjectId, String)>,
    /// The rejected records, by object and position: the primary key of `import_rejects`.
    pub rejects: BTreeMap<(ObjectId, u64), RejectedRecord>,
    /// The faults of the next writes. Writes after them pass.
    pub write_faults: VecDeque<Fault>,
    /// The faults of the next queries of the ledger.
    pub seen_faults: VecDeque<Fault>,
    /// Objects whose rows are always refused.
    pub bad: HashSet<ObjectId>,
    /// Whether even the ledger line of a failed object is refused.
    pub refuses_failed_lines: bool,
    /// How many writes there were.
    pub writes: usize,
    /// How many queries of the ledger there were.
    pub questions: usize,
    /// The rest of each ledger line.
    facts: HashMap<ObjectId, Facts>,
    runs: Vec<RunLine>,
    is_prepared: bool,
    is_indexed: bool,
    late: Vec<Commit>,
}

/// The columns of a ledger line that only `status` reads.
#[derive(Debug)]
struct Facts {
    uri: String,
    finished_at: String,
    records: u64,
    rows: u64,
    rejects: u64,
    replaced_chars: u64,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// Returns an empty store.
    pub fn new() -> Self {
        Self { rules: CellRules::ANY, state: Mutex::default() }
    }

    /// Returns a store whose writes meet these faults.
    pub fn with_write_faults(faults: impl IntoIterator<Item = Fault>) -> Self {
        let store = Self::new();
        store.state().write_faults.extend(faults);
        store
    }

    /// Returns what it holds.
    ///
    /// # Panics
    /// A holder of the lock panicked.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// Returns how many writes there were, and how many queries of the ledger.
    pub fn calls(&self) -> (usize, usize) {
        let state = self.state();
        (state.writes, state.questions)
    }

    /// Records what another run did with an object.
    pub fn put(&self, id: ObjectId, outcome: ObjectOutcome, rows: usize) {
        let (version, sha256) = ("v".into(), String::new());
        let number = Some(id.number(0));
        let filters = FilterSet::All;
        let line = Line { outcome, version, sha256, run_id: -1, batch_id: 1, number, filters };
        let mut state = self.state();
        state.lines.insert(id, line);
        state.rows.extend((0..rows).map(|n| (id, format!("other {n}"))));
    }

    /// Returns the number of rows, after checking that no row is there twice and that each object
    /// with rows is in the ledger as loaded or changed.
    ///
    /// # Panics
    /// One of the checks fails.
    pub fn rows(&self) -> usize {
        let state = self.state();
        let distinct: HashSet<_> = state.rows.iter().collect();
        assert_eq!(distinct.len(), state.rows.len(), "rows are doubled");
        for (id, _) in &state.rows {
            let outcome = &state.lines[id].outcome;
            assert!(matches!(outcome, ObjectOutcome::Loaded | ObjectOutcome::Changed(_)));
        }
        state.rows.len()
    }

    /// Returns how many ledger lines have this outcome: `loaded`, `skipped` or `failed`.
    pub fn lines(&self, outcome: &str) -> usize {
        self.state().lines.values().filter(|line| line.outcome.as_str() == outcome).count()
    }
}

impl State {
    fn refuses(&self, object: &ParsedObject) -> bool {
        match object.outcome() {
            ObjectOutcome::Failed(_) => self.refuses_failed_lines,
            ObjectOutcome::Skipped(_)
            | ObjectOutcome::AlreadyLoaded
            | ObjectOutcome::Changed(_) => false,
            ObjectOutcome::Loaded => self.bad.contains(&object.id),
        }
    }
}

fn no_answer(doing: &str, call: usize) -> DatabaseError {
    DatabaseError::transient(doing, format!("no answer to call {call}").into(), "try it again")
}

async fn time_out(doing: &str) -> DatabaseError {
    let timeout = Timeouts::default().write;
    sleep(timeout).await;
    let cause = format!("no answer within {} s", timeout.as_secs());
    DatabaseError::transient(doing, cause.into(), "try it again")
}

/// Returns the error of a request that only the databases answer.
fn unsupported() -> DatabaseError {
    let hint = "the tests of the databases run it".to_owned();
    DatabaseError::unusable("the store in memory does not answer this".to_owned(), hint)
}

fn fatal(doing: &str) -> DatabaseError {
    DatabaseError::fatal(doing, "the database is gone".into(), None)
}

#[async_trait]
impl Sink for MemoryStore {
    fn rules(&self) -> &CellRules {
        &self.rules
    }

    async fn seen(&self, ids: &[ObjectId]) -> Result<HashMap<ObjectId, Line>, DatabaseError> {
        const DOING: &str = "read the ledger";
        let (fault, call) = {
            let mut state = self.state();
            state.questions += 1;
            (state.seen_faults.pop_front().unwrap_or(Fault::Pass), state.questions)
        };
        match fault {
            Fault::Break | Fault::Lose | Fault::Late => return Err(no_answer(DOING, call)),
            Fault::Timeout => return Err(time_out(DOING).await),
            Fault::Fatal => return Err(fatal(DOING)),
            Fault::Delay(wait) => sleep(wait).await,
            Fault::Hang => std::future::pending().await,
            Fault::Pass => {}
            Fault::Refuse | Fault::Conflict | Fault::Deadlock => {
                unreachable!("only a write meets this fault")
            }
        }
        let mut state = self.state();
        let found = ids.iter().filter_map(|id| Some((*id, state.lines.get(id)?.clone())));
        let found = found.collect();
        for commit in std::mem::take(&mut state.late) {
            // It conflicts if the batch was written again by then.
            let _ = state.apply(commit);
        }
        Ok(found)
    }

    async fn taken_numbers(&self, batch: &Batch) -> Result<HashSet<i64>, DatabaseError> {
        let state = self.state();
        let numbers = batch.objects.iter().map(|object| (object.id, object.number()));
        let is_taken = |(id, number): &(ObjectId, i64)| {
            state.lines.iter().any(|(it, line)| it != id && line.number == Some(*number))
        };
        Ok(numbers.filter(is_taken).map(|(_, number)| number).collect())
    }

    async fn write(&self, run_id: i64, batch: &Batch) -> Result<(), DatabaseError> {
        const DOING: &str = "write a batch";
        assert!(!batch.objects.is_empty(), "an empty batch was written");
        let (fault, call) = {
            let mut state = self.state();
            state.writes += 1;
            assert!(state.writes < 10_000, "the same batch is written without end");
            (state.write_faults.pop_front().unwrap_or(Fault::Pass), state.writes)
        };
        match fault {
            Fault::Refuse => return Err(DatabaseError::data_refused("no data is accepted".into())),
            Fault::Break => return Err(no_answer(DOING, call)),
            Fault::Conflict => {
                return Err(DatabaseError::conflict("another import holds the key".into()));
            }
            Fault::Deadlock => {
                return Err(DatabaseError::contention(DOING, "deadlock detected".into()));
            }
            Fault::Timeout => return Err(time_out(DOING).await),
            Fault::Fatal => return Err(fatal(DOING)),
            Fault::Delay(wait) => sleep(wait).await,
            Fault::Hang => std::future::pending().await,
            Fault::Pass | Fault::Lose | Fault::Late => {}
        }
        let mut state = self.state();
        if batch.objects.iter().any(|object| state.refuses(object)) {
            return Err(DatabaseError::data_refused("value 17 is too sour".into()));
        }
        let commit = commit_of(run_id, batch);
        match fault {
            Fault::Late => state.late.push(commit),
            _ => state.apply(commit)?,
        }
        match fault {
            Fault::Lose | Fault::Late => Err(no_answer(DOING, call)),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn prepare(&self, _policy: UpgradePolicy) -> Result<bool, DatabaseError> {
        Ok(!std::mem::replace(&mut self.state().is_prepared, true))
    }

    async fn has_ledger(&self) -> Result<bool, DatabaseError> {
        Ok(self.state().is_prepared)
    }

    async fn begin_run(&self, start: &RunStart) -> Result<i64, DatabaseError> {
        let mut state = self.state();
        let started = jiff::Timestamp::now();
        let free = state.runs.last().map_or(0, |last| last.id + 1);
        let id = started.as_microsecond().max(free);
        state.runs.push(RunLine {
            id,
            started_at: started.to_string(),
            finished_at: None,
            outcome: "running".into(),
            sources: start.sources.clone(),
            selection: start.selection.clone(),
            shard: start.shard,
            job: start.job.clone(),
            program_version: env!("CARGO_PKG_VERSION").into(),
            totals: RunTotals::default(),
        });
        Ok(id)
    }

    async fn finish_run(
        &self,
        run_id: i64,
        outcome: &str,
        totals: &RunTotals,
    ) -> Result<(), DatabaseError> {
        let mut state = self.state();
        // As an UPDATE: without such a run, nothing happens.
        for run in state.runs.iter_mut().filter(|run| run.id == run_id) {
            run.finished_at = Some(jiff::Timestamp::now().to_string());
            run.outcome = outcome.into();
            run.totals = *totals;
        }
        Ok(())
    }

    async fn missing_indexes(&self) -> Result<Vec<Index>, DatabaseError> {
        if self.state().is_indexed {
            return Ok(Vec::new());
        }
        Ok(INDEXES.to_vec())
    }

    async fn build_missing_indexes(self: Arc<Self>) -> Result<Vec<BuiltIndexes>, DatabaseError> {
        let indexes = self.missing_indexes().await?;
        self.state().is_indexed = true;
        let built = BuiltIndexes { indexes, took: Duration::ZERO };
        Ok(if built.indexes.is_empty() { Vec::new() } else { vec![built] })
    }

    async fn build_progress(&self) -> Option<String> {
        None
    }

    async fn cancel_statements(&self) {}

    async fn ledger_totals(&self) -> Result<RunTotals, DatabaseError> {
        let state = self.state();
        let mut totals = RunTotals::default();
        for (id, line) in &state.lines {
            match line.outcome {
                ObjectOutcome::Loaded | ObjectOutcome::AlreadyLoaded => totals.loaded += 1,
                ObjectOutcome::Skipped(_) => totals.skipped += 1,
                ObjectOutcome::Changed(_) | ObjectOutcome::Failed(_) => totals.failed += 1,
            }
            if let Some(facts) = state.facts.get(id) {
                totals.records += facts.records;
                totals.rows += facts.rows;
                totals.rejects += facts.rejects;
                totals.replaced_chars += facts.replaced_chars;
            }
        }
        totals.listed = totals.loaded + totals.skipped + totals.failed;
        Ok(totals)
    }

    async fn runs(&self, lines_max: u32) -> Result<Vec<RunLine>, DatabaseError> {
        Ok(self.state().runs.iter().rev().take(lines_max as usize).cloned().collect())
    }

    async fn failed_objects(&self, lines_max: u32) -> Result<Vec<FailedObject>, DatabaseError> {
        let state = self.state();
        let failed = state.lines.iter().filter_map(|(id, line)| {
            let (ObjectOutcome::Failed(reason) | ObjectOutcome::Changed(reason)) = &line.outcome
            else {
                return None;
            };
            let facts = state.facts.get(id)?;
            let (uri, finished_at) = (facts.uri.clone(), facts.finished_at.clone());
            Some(FailedObject { uri, reason: reason.clone(), finished_at, run_id: line.run_id })
        });
        let mut failed: Vec<FailedObject> = failed.collect();
        failed.sort_by(|one, other| {
            other.run_id.cmp(&one.run_id).then_with(|| one.uri.cmp(&other.uri))
        });
        failed.truncate(lines_max as usize);
        Ok(failed)
    }

    async fn skipped_objects(&self, lines_max: u32) -> Result<Vec<SkippedObject>, DatabaseError> {
        let state = self.state();
        let skipped = state.lines.iter().filter_map(|(id, line)| {
            let ObjectOutcome::Skipped(kind) = &line.outcome else { return None };
            let facts = state.facts.get(id)?;
            let (uri, finished_at) = (facts.uri.clone(), facts.finished_at.clone());
            let (kind, run_id) = (kind.as_str().to_owned(), line.run_id);
            Some(SkippedObject { uri, kind, finished_at, run_id })
        });
        let mut skipped: Vec<SkippedObject> = skipped.collect();
        skipped.sort_by(|one, other| {
            other.run_id.cmp(&one.run_id).then_with(|| one.uri.cmp(&other.uri))
        });
        skipped.truncate(lines_max as usize);
        Ok(skipped)
    }

    async fn rejected_records(&self, lines_max: u32) -> Result<Vec<RejectedRecord>, DatabaseError> {
        let state = self.state();
        // As a join with the ledger: a reject without a line is not listed.
        let listed = state.rejects.iter().filter_map(|((id, _), record)| {
            let run_id = state.lines.get(id)?.run_id;
            Some((Reverse(run_id), record.uri.clone(), record.record_index, record))
        });
        let mut listed: Vec<_> = listed.collect();
        listed.sort_by(|one, other| (one.0, &one.1, one.2).cmp(&(other.0, &other.1, other.2)));
        let newest = listed.into_iter().take(lines_max as usize);
        Ok(newest.map(|(.., record)| record.clone()).collect())
    }

    async fn records(&self, _event_id: &str) -> Result<Vec<StoredRecord>, DatabaseError> {
        unreachable!("the tests of `record` use a database")
    }

    async fn known_objects(
        &self,
        _scope: &UriScope,
        _after: Option<ObjectId>,
        _objects_max: usize,
    ) -> Result<Vec<KnownObject>, DatabaseError> {
        unreachable!("the tests of `forget` use a database")
    }

    async fn forget(&self, _objects: &[KnownObject]) -> Result<u64, DatabaseError> {
        unreachable!("the tests of `forget` use a database")
    }

    async fn check_duplicates(&self, _removes: bool) -> Result<(), DatabaseError> {
        unreachable!("the tests of `dedupe` use a database")
    }

    async fn duplicated_ids(&self, _cursor: &Cursor) -> Result<IdPage, DatabaseError> {
        unreachable!("the tests of `dedupe` use a database")
    }

    async fn duplicates(&self, _ids: &[String]) -> Result<Duplicates, DatabaseError> {
        unreachable!("the tests of `dedupe` use a database")
    }

    async fn remove_duplicates(&self, _ids: &[String]) -> Result<Duplicates, DatabaseError> {
        unreachable!("the tests of `dedupe` use a database")
    }

    async fn duplicates_removed(&self) -> Result<u64, DatabaseError> {
        Ok(0)
    }

    async fn partly_loaded(&self) -> Result<Option<PartlyLoaded>, DatabaseError> {
        Err(unsupported())
    }

    async fn names(
        &self,
        _named: Named,
        _below: &str,
        _after: Option<ObjectId>,
    ) -> Result<Vec<(ObjectId, String)>, DatabaseError> {
        Err(unsupported())
    }

    async fn ledger_objects(&self, _folder: &str) -> Result<Vec<LedgerObject>, DatabaseError> {
        Err(unsupported())
    }

    async fn remembered_digests(
        &self,
        _folder: &str,
    ) -> Result<Vec<RememberedDigest>, DatabaseError> {
        Err(unsupported())
    }

    async fn store_content_hashes(&self, _hashes: &[NewContentHash]) -> Result<(), DatabaseError> {
        Err(unsupported())
    }

    async fn store_day(&self, _day: &StoredDay<'_>) -> Result<(), DatabaseError> {
        Err(unsupported())
    }

    async fn missing_for_answers(&self) -> Result<Vec<&'static str>, DatabaseError> {
        Ok(vec!["view `events`"])
    }

    async fn answer(
        &self,
        _statement: &Statement,
        _sink: &mut dyn RowSink,
    ) -> Result<(), DatabaseError> {
        let hint = "ask a database".to_owned();
        Err(DatabaseError::unusable("the store in memory knows no SQL".to_owned(), hint))
    }

    async fn rows_of_first_schema(&self) -> Result<u64, DatabaseError> {
        Ok(0)
    }

    async fn update_statistics(self: Arc<Self>) -> Result<Duration, DatabaseError> {
        Ok(Duration::ZERO)
    }

    async fn close(&self) {}
}
