//! A sink in memory for tests, with faults from a script: the ledger's rules without a database.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;

use super::{Sink, SinkError};
use crate::batch::{Batch, ParsedContent, ParsedObject};
use crate::ledger::{Line, Outcome};
use crate::object::ObjectId;
use crate::record::CellRules;

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
pub(crate) struct MemorySink {
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

impl MemorySink {
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
    pub(crate) fn put(&self, id: ObjectId, outcome: Outcome, rows: usize) {
        let (version, digest) = ("v".into(), String::new());
        let line = Line { outcome, version, digest, run_id: -1, batch_id: 1 };
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
            assert_eq!(state.lines[id].outcome, Outcome::Loaded);
        }
        state.rows.len()
    }

    /// Returns how many lines have this outcome.
    pub(crate) fn lines(&self, outcome: &Outcome) -> usize {
        self.state().lines.values().filter(|line| line.outcome == *outcome).count()
    }
}

impl State {
    fn refuses(&self, object: &ParsedObject) -> bool {
        match object.content {
            ParsedContent::Log(_) => self.bad.contains(&object.id),
            ParsedContent::Foreign(_) => false,
            ParsedContent::Failed(_) => self.refuses_failed_lines,
        }
    }

    fn apply(&mut self, commit: Commit) -> Result<(), SinkError> {
        let is_replaced = |id: &ObjectId| {
            commit.replaced.contains(id) && self.lines[id].outcome != Outcome::Loaded
        };
        let is_taken = |id: &ObjectId| self.lines.contains_key(id) && !is_replaced(id);
        if commit.lines.iter().any(|(id, _)| is_taken(id)) {
            return Err(SinkError::Conflict);
        }
        self.lines.extend(commit.lines);
        self.rows.extend(commit.rows);
        Ok(())
    }
}

fn commit_of(run_id: i64, batch: &Batch) -> Commit {
    let event_id = crate::record::COLUMNS.iter().position(|name| *name == "eventID").unwrap();
    let (mut lines, mut rows) = (Vec::new(), Vec::new());
    for object in &batch.objects {
        let outcome = match &object.content {
            ParsedContent::Log(log) => {
                let ids = log.rows.iter().map(|cells| cells[event_id].unwrap().to_owned());
                rows.extend(ids.map(|event_id| (object.id, event_id)));
                Outcome::Loaded
            }
            ParsedContent::Foreign(kind) => Outcome::Skipped(*kind),
            ParsedContent::Failed(_) => Outcome::Failed,
        };
        let (version, digest) = (object.object.version.clone(), object.digest.clone());
        lines.push((object.id, Line { outcome, version, digest, run_id, batch_id: batch.id }));
    }
    let replaced = batch.objects.iter().filter(|object| object.replaces_line);
    Commit { replaced: replaced.map(|object| object.id).collect(), lines, rows }
}

fn broken(doing: &'static str, call: usize) -> SinkError {
    SinkError::Transient { doing, source: format!("no answer to call {call}").into() }
}

fn fatal(doing: &'static str) -> SinkError {
    SinkError::Fatal { doing, source: "it is gone".into(), hint: None }
}

#[async_trait]
impl Sink for MemorySink {
    fn rules(&self) -> &CellRules {
        &self.rules
    }

    async fn seen(&self, ids: &[ObjectId]) -> Result<HashMap<ObjectId, Line>, SinkError> {
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

    async fn write(&self, run_id: i64, batch: &Batch) -> Result<(), SinkError> {
        assert!(!batch.objects.is_empty(), "an empty batch was written");
        let (fault, call) = {
            let mut state = self.state();
            state.writes += 1;
            (state.write_faults.pop_front().unwrap_or(Fault::Pass), state.writes)
        };
        match fault {
            Fault::Refuse => return Err(SinkError::Refused { source: "out of spite".into() }),
            Fault::Break => return Err(broken("write", call)),
            Fault::Conflict => return Err(SinkError::Conflict),
            Fault::Fatal => return Err(fatal("write")),
            Fault::Delay(wait) => tokio::time::sleep(wait).await,
            Fault::Hang => std::future::pending().await,
            Fault::Pass | Fault::Lose | Fault::Late => {}
        }
        let mut state = self.state();
        if batch.objects.iter().any(|object| state.refuses(object)) {
            return Err(SinkError::Refused { source: "value 17 is too sour".into() });
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
