//! A store in memory for tests, with scripted faults: the ledger's rules without a database.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;

use super::batch::{Batch, ParsedObject};
use super::ledger::{Line, ObjectOutcome};
use super::{DatabaseError, Sink};
use crate::trail::object::ObjectId;
use crate::trail::record::CellRules;

/// What goes wrong with one call, or does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Pass,
    /// The data is refused, whatever it is.
    Refuse,
    /// It is done, and the answer is lost.
    Lose,
    /// Nothing is done, and there is no answer.
    Break,
    /// There is no answer, and it is done only after the ledger was asked.
    Late,
    /// Another import is in the way, and rolls back.
    Conflict,
    Fatal,
    /// It is done after this time.
    Delay(Duration),
    /// It is never done.
    Hang,
}

/// A ledger and rows in memory.
#[derive(Debug)]
pub(crate) struct MemoryStore {
    rules: CellRules,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) lines: HashMap<ObjectId, Line>,
    /// The eventID of each row, with the object that it is from.
    pub(crate) rows: Vec<(ObjectId, String)>,
    /// What the next writes meet; those beyond it pass.
    pub(crate) write_faults: VecDeque<Fault>,
    /// What the next questions to the ledger meet.
    pub(crate) seen_faults: VecDeque<Fault>,
    /// Objects whose rows are refused each time.
    pub(crate) bad: HashSet<ObjectId>,
    /// Whether even a line that says an object has failed is refused.
    pub(crate) refuses_failed_lines: bool,
    pub(crate) writes: usize,
    pub(crate) questions: usize,
    late: Vec<Commit>,
}

/// What one batch changes.
#[derive(Debug)]
struct Commit {
    replaced: Vec<ObjectId>,
    lines: Vec<(ObjectId, Line)>,
    rows: Vec<(ObjectId, String)>,
}

impl MemoryStore {
    pub(crate) fn new() -> Self {
        Self { rules: CellRules::ANY, state: Mutex::default() }
    }

    /// Returns a sink whose writes meet these faults.
    pub(crate) fn with_write_faults(faults: impl IntoIterator<Item = Fault>) -> Self {
        let sink = Self::new();
        sink.state().write_faults.extend(faults);
        sink
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Returns how many writes there were, and how many questions to the ledger.
    pub(crate) fn calls(&self) -> (usize, usize) {
        let state = self.state();
        (state.writes, state.questions)
    }

    /// Puts down what another run did with an object.
    pub(crate) fn put(&self, id: ObjectId, outcome: ObjectOutcome, rows: usize) {
        let (version, sha256) = ("v".into(), String::new());
        let line = Line { outcome, version, sha256, run_id: -1, batch_id: 1 };
        let mut state = self.state();
        state.lines.insert(id, line);
        state.rows.extend((0..rows).map(|n| (id, format!("other {n}"))));
    }

    /// Returns the number of rows, after checking that each is there once, and that every object
    /// with rows is in the ledger as loaded.
    pub(crate) fn rows(&self) -> usize {
        let state = self.state();
        let once: HashSet<_> = state.rows.iter().collect();
        assert_eq!(once.len(), state.rows.len(), "rows are doubled");
        for (id, _) in &state.rows {
            assert_eq!(state.lines[id].outcome, ObjectOutcome::Loaded);
        }
        state.rows.len()
    }

    /// Returns how many lines have this outcome: `loaded`, `skipped` or `failed`.
    pub(crate) fn lines(&self, outcome: &str) -> usize {
        self.state().lines.values().filter(|line| line.outcome.as_str() == outcome).count()
    }
}

impl State {
    fn refuses(&self, object: &ParsedObject) -> bool {
        match object.outcome() {
            ObjectOutcome::Failed(_) => self.refuses_failed_lines,
            ObjectOutcome::Skipped(_) => false,
            ObjectOutcome::Loaded | ObjectOutcome::AlreadyLoaded => self.bad.contains(&object.id),
        }
    }

    fn apply(&mut self, commit: Commit) -> Result<(), DatabaseError> {
        let is_replaced = |id: &ObjectId| {
            commit.replaced.contains(id) && self.lines[id].outcome != ObjectOutcome::Loaded
        };
        let is_taken = |id: &ObjectId| self.lines.contains_key(id) && !is_replaced(id);
        if commit.lines.iter().any(|(id, _)| is_taken(id)) {
            return Err(DatabaseError::conflict());
        }
        self.lines.extend(commit.lines);
        self.rows.extend(commit.rows);
        Ok(())
    }
}

fn commit_of(run_id: i64, batch: &Batch) -> Commit {
    let event_id = crate::trail::fields::column("eventID");
    let (mut lines, mut rows) = (Vec::new(), Vec::new());
    for object in &batch.objects {
        let ids = object.log().rows.iter().map(|cells| cells[event_id].unwrap().to_owned());
        rows.extend(ids.map(|event_id| (object.id, event_id)));
        let (version, sha256) = (object.object.version.clone(), object.sha256.clone());
        let outcome = object.outcome().clone();
        lines.push((object.id, Line { outcome, version, sha256, run_id, batch_id: batch.id }));
    }
    let replaced = batch.objects.iter().filter(|object| object.replaces_line);
    Commit { replaced: replaced.map(|object| object.id).collect(), lines, rows }
}

fn broken(doing: &str, call: usize) -> DatabaseError {
    DatabaseError::transient(doing, format!("no answer to call {call}").into())
}

fn fatal(doing: &str) -> DatabaseError {
    DatabaseError::fatal(doing, "it is gone".into(), None)
}

#[async_trait]
impl Sink for MemoryStore {
    fn rules(&self) -> &CellRules {
        &self.rules
    }

    async fn seen(&self, ids: &[ObjectId]) -> Result<HashMap<ObjectId, Line>, DatabaseError> {
        let (fault, call) = {
            let mut state = self.state();
            state.questions += 1;
            (state.seen_faults.pop_front().unwrap_or(Fault::Pass), state.questions)
        };
        match fault {
            Fault::Break | Fault::Lose | Fault::Late => return Err(broken("ask", call)),
            Fault::Fatal => return Err(fatal("ask")),
            Fault::Delay(wait) => tokio::time::sleep(wait).await,
            Fault::Hang => std::future::pending().await,
            Fault::Pass => {}
            Fault::Refuse | Fault::Conflict => unreachable!("a question is not refused"),
        }
        let mut state = self.state();
        let found = ids.iter().filter_map(|id| Some((*id, state.lines.get(id)?.clone())));
        let found = found.collect();
        for commit in std::mem::take(&mut state.late) {
            // Too late if the batch was written again by then.
            let _ = state.apply(commit);
        }
        Ok(found)
    }

    async fn write(&self, run_id: i64, batch: &Batch) -> Result<(), DatabaseError> {
        assert!(!batch.objects.is_empty(), "an empty batch was written");
        let (fault, call) = {
            let mut state = self.state();
            state.writes += 1;
            assert!(state.writes < 10_000, "it is written without end");
            (state.write_faults.pop_front().unwrap_or(Fault::Pass), state.writes)
        };
        match fault {
            Fault::Refuse => return Err(DatabaseError::data_refused("out of spite".into())),
            Fault::Break => return Err(broken("write", call)),
            Fault::Conflict => return Err(DatabaseError::conflict()),
            Fault::Fatal => return Err(fatal("write")),
            Fault::Delay(wait) => tokio::time::sleep(wait).await,
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
            Fault::Lose | Fault::Late => Err(broken("write", call)),
            _ => Ok(()),
        }
    }
}
