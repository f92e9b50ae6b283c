//! The changes of one batch, and how they are applied.

use std::collections::{HashMap, HashSet};

use super::{Facts, State};
use crate::database::DatabaseError;
use crate::database::batch::Batch;
use crate::database::ledger::{Line, LoadedContent, ObjectOutcome};
use crate::database::status::RejectedRecord;
use crate::trail::fields::column;
use crate::trail::filter::FilterSet;
use crate::trail::object::ObjectId;
use crate::trail::rows::Row;

/// The changes of one batch.
#[derive(Debug)]
pub(super) struct Commit {
    replaced: Vec<ObjectId>,
    /// The contents that objects replace.
    replaced_contents: HashMap<ObjectId, LoadedContent>,
    /// Objects of which other records were loaded before, and which those are.
    extended: HashMap<ObjectId, FilterSet>,
    /// New contents of lines of objects that were compared.
    updates: Vec<(ObjectId, Line)>,
    lines: Vec<(ObjectId, Line, Facts)>,
    rejects: Vec<((ObjectId, u64), RejectedRecord)>,
    rows: Vec<(ObjectId, String)>,
}

impl State {
    /// Does what a transaction does: all of it, or nothing.
    pub(super) fn apply(&mut self, commit: Commit) -> Result<(), DatabaseError> {
        let is_replaced = |id: &ObjectId| match &self.lines[id].outcome {
            ObjectOutcome::Skipped(_) | ObjectOutcome::Failed(_) => commit.replaced.contains(id),
            _ => commit.replaced_contents.get(id).is_some_and(|it| {
                (&it.sha256, &it.filters) == (&self.lines[id].sha256, &self.lines[id].filters)
            }),
        };
        let is_extended = |id: &ObjectId, new: &Line| {
            let before = commit.extended.get(id).zip(self.lines.get(id));
            before.is_some_and(|(filters, line)| {
                line.has_content(&new.sha256) && line.filters == *filters
            })
        };
        let is_taken = |(id, new, _): &&(ObjectId, Line, Facts)| {
            if commit.extended.contains_key(id) {
                return !is_extended(id, new);
            }
            self.lines.contains_key(id) && !is_replaced(id)
        };
        if let Some((id, ..)) = commit.lines.iter().find(is_taken) {
            return Err(DatabaseError::conflict(format!("there is a line for {id:?}").into()));
        }
        let numbers: HashMap<i64, ObjectId> =
            self.lines.iter().filter_map(|(id, line)| Some((line.number?, *id))).collect();
        let has_number_of_other = |id: &ObjectId, line: &Line| {
            line.number.and_then(|it| numbers.get(&it)).is_some_and(|owner| owner != id)
        };
        if commit.lines.iter().any(|(id, line, _)| has_number_of_other(id, line)) {
            return Err(DatabaseError::conflict("another object has this number".into()));
        }
        self.rows.retain(|(id, _)| !commit.replaced_contents.contains_key(id));
        // Rejects without their ledger line are replaced.
        let new = commit.lines.iter().filter(|(id, ..)| !commit.extended.contains_key(id));
        let ids: HashSet<ObjectId> = new.map(|(id, ..)| *id).collect();
        self.rejects.retain(|(id, _), _| !ids.contains(id));
        for (id, new) in commit.updates {
            if let Some(line) = self.lines.get_mut(&id) {
                let is_loaded =
                    matches!(line.outcome, ObjectOutcome::Loaded | ObjectOutcome::Changed(_));
                let is_same = line.sha256 == new.sha256;
                match new.outcome {
                    ObjectOutcome::Loaded if is_loaded && is_same => {
                        (line.outcome, line.version) = (ObjectOutcome::Loaded, new.version);
                    }
                    ObjectOutcome::Changed(_) if is_loaded && !is_same => {
                        let sha256 = std::mem::take(&mut line.sha256);
                        let filters = line.filters.clone();
                        *line = Line { sha256, number: line.number, filters, ..new };
                    }
                    _ => {}
                }
            }
        }
        for (id, line, mut facts) in commit.lines {
            self.lines.insert(id, line);
            if commit.extended.contains_key(&id)
                && let Some(before) = self.facts.get(&id)
            {
                let (rows, rejects) = (before.rows + facts.rows, before.rejects + facts.rejects);
                facts = Facts { records: before.records, rows, rejects, ..facts };
            }
            self.facts.insert(id, facts);
        }
        self.rejects.extend(commit.rejects);
        self.rows.extend(commit.rows);
        Ok(())
    }
}

/// Returns what the write of a batch changes.
pub(super) fn commit_of(run_id: i64, batch: &Batch) -> Commit {
    const EVENT_ID: usize = column("eventID");
    let finished_at = jiff::Timestamp::now().to_string();
    let (mut lines, mut rejects, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    let mut updates = Vec::new();
    for object in &batch.objects {
        if object.updates_line() {
            let outcome = match object.outcome() {
                ObjectOutcome::AlreadyLoaded => ObjectOutcome::Loaded,
                changed => changed.clone(),
            };
            let (version, sha256) = (object.object.version.clone(), object.sha256.clone());
            // An update keeps the number of the line.
            let (number, filters) = (None, FilterSet::All);
            let line = Line { outcome, version, sha256, run_id, batch_id: 0, number, filters };
            updates.push((object.id, line));
            continue;
        }
        let (id, log, uri) = (object.id, object.log(), object.object.location.uri());
        let event_id = |row: Row<'_>| row.cells[EVENT_ID].unwrap_or_default().to_owned();
        rows.extend(log.rows.iter().map(|row| (id, event_id(row))));
        rejects.extend(log.rejects.iter().map(|reject| {
            let record = RejectedRecord {
                uri: uri.clone(),
                record_index: reject.index,
                offset_bytes: reject.offset_bytes,
                reason: reject.reason.to_string(),
                record: reject.text.clone(),
            };
            ((id, reject.index), record)
        }));
        let (version, sha256) = (object.object.version.clone(), object.sha256.clone());
        let outcome = object.outcome().clone();
        let (batch_id, number) = (batch.id, Some(object.number()));
        let filters = object.filters().clone();
        let line = Line { outcome, version, sha256, run_id, batch_id, number, filters };
        let facts = Facts {
            uri,
            finished_at: finished_at.clone(),
            records: log.records(),
            rows: log.rows.len() as u64,
            rejects: log.rejects.len() as u64,
            replaced_chars: log.replaced_chars,
        };
        lines.push((id, line, facts));
    }
    let replaced = batch.objects.iter().filter(|object| object.replaces_line);
    let replaced = replaced.map(|object| object.id).collect();
    let contents = batch.objects.iter();
    let contents = contents.filter_map(|object| Some((object.id, object.replaced()?.clone())));
    let extended = batch.objects.iter();
    let extended = extended.filter_map(|object| Some((object.id, object.extended()?.clone())));
    let (replaced_contents, extended) = (contents.collect(), extended.collect());
    Commit { replaced, replaced_contents, extended, updates, lines, rejects, rows }
}
