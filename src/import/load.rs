//! One batch, exactly once: write, wait, query the ledger, write again.
//!
//! A commit whose answer was lost may have happened, and another import may have loaded the same
//! objects. Both cases are settled in the same way: nothing is written a second time before the
//! ledger, which commits with the rows, has been queried. A batch that the database refuses is
//! split until the bad object stands alone; that object is recorded as failed, the others load.

use std::pin::Pin;

use tracing::debug;

use super::End;
use super::error::chain;
use crate::database::attempts::Attempts;
use crate::database::batch::{Batch, ParsedObject};
use crate::database::ledger::{Line, ObjectOutcome};
use crate::database::{DatabaseError, ErrorClass, Sink};
use crate::retry::RetryPolicy;
use crate::trail::object::ObjectId;

/// How often in a row a batch may conflict with other imports while the ledger has no line for any
/// of its objects, because the other import rolled back.
const CONFLICTS_MAX: u32 = 1_000;

/// Why an object is left to the next run, whose ledger line another run has changed since it was read.
const CHANGED_MEANWHILE: &str =
    "another run loaded or removed records of it at the same time: run the same command again";

/// Writes a batch and settles each of its objects, in `settled`.
///
/// After an error, `settled` holds what was settled before. Of the other objects nothing is
/// committed, or the ledger has their lines. Cancelled at any point, an open transaction rolls
/// back.
///
/// # Errors
/// The last transient error once `policy` is used up; a fatal one at once. Conflicts without end
/// are fatal, too: something other than an import refuses a ledger line.
pub async fn load(
    sink: &dyn Sink,
    run_id: i64,
    batch: Batch,
    policy: RetryPolicy,
    settled: &mut Vec<(ParsedObject, ObjectOutcome)>,
) -> Result<(), DatabaseError> {
    let never = std::pin::pin!(std::future::pending());
    load_unless_stopped(sink, run_id, batch, policy, settled, never).await.map(drop)
}

/// Does the same, but ends without an error when `stopped` resolves while it waits for the next
/// attempt. A write that has begun is never cut off.
///
/// # Errors
/// Those of [`load`].
pub(super) async fn load_unless_stopped(
    sink: &dyn Sink,
    run_id: i64,
    batch: Batch,
    policy: RetryPolicy,
    settled: &mut Vec<(ParsedObject, ObjectOutcome)>,
    mut stopped: Pin<&mut (impl Future<Output = ()> + Send)>,
) -> Result<End, DatabaseError> {
    let mut parts = vec![batch];
    while let Some(part) = parts.pop() {
        match load_part(sink, run_id, part, policy, settled, stopped.as_mut()).await? {
            Some(smaller) => parts.extend(smaller),
            None => return Ok(End::Stopped),
        }
    }
    Ok(End::Complete)
}

/// Writes a part of a batch, or returns the smaller parts that it has to be split into; `None` if
/// the run was stopped.
async fn load_part(
    sink: &dyn Sink,
    run_id: i64,
    mut batch: Batch,
    policy: RetryPolicy,
    settled: &mut Vec<(ParsedObject, ObjectOutcome)>,
    mut stopped: Pin<&mut (impl Future<Output = ()> + Send)>,
) -> Result<Option<Vec<Batch>>, DatabaseError> {
    let mut attempts = Attempts::new(policy);
    let mut conflicts = 0;
    let mut must_query = false;
    while !batch.objects.is_empty() {
        let objects = batch.objects.len();
        let outcome = if must_query {
            settle_by_ledger(sink, run_id, &mut batch, settled).await
        } else {
            sink.write(run_id, &batch).await
        };
        let error = match outcome {
            Ok(()) if must_query => {
                must_query = false;
                if batch.objects.len() < objects {
                    conflicts = 0;
                    attempts.reset();
                }
                continue;
            }
            Ok(()) => {
                settled.extend(batch.objects.drain(..).map(|object| {
                    let outcome = object.outcome().clone();
                    (object, outcome)
                }));
                continue;
            }
            Err(error) => error,
        };
        match error.class {
            ErrorClass::Conflict if conflicts < CONFLICTS_MAX => {
                debug!(batch = batch.id, "another import was faster; querying the ledger");
                conflicts += 1;
                must_query = true;
            }
            ErrorClass::DataRefused if batch.objects.len() > 1 => return Ok(Some(split(batch))),
            ErrorClass::DataRefused => {
                let alone = batch.objects.first_mut().expect("a batch is not empty");
                if alone.extended().is_some() {
                    let reason = chain(&*error.into_source());
                    let reason = format!("the database refuses other records of it: {reason}");
                    let alone = batch.objects.drain(..);
                    settled.extend(alone.map(|it| (it, ObjectOutcome::Failed(reason.clone()))));
                    continue;
                }
                if matches!(alone.outcome(), ObjectOutcome::Failed(_) | ObjectOutcome::Changed(_)) {
                    let doing = "record a failed object";
                    return Err(DatabaseError::fatal(doing, error.into_source(), None));
                }
                let reason = chain(&*error.into_source());
                alone.fail(format!("the database refuses it: {reason}"));
            }
            ErrorClass::Conflict => return Err(DatabaseError::refused_line(error)),
            ErrorClass::Transient | ErrorClass::Contention | ErrorClass::Fatal => {
                tokio::select! {
                    biased;
                    waited = attempts.wait(error) => waited?,
                    () = &mut stopped => return Ok(None),
                }
                must_query = true;
            }
        }
    }
    Ok(Some(Vec::new()))
}

/// Queries the ledger and settles the objects that it has; leaves the others in the batch.
async fn settle_by_ledger(
    sink: &dyn Sink,
    run_id: i64,
    batch: &mut Batch,
    settled: &mut Vec<(ParsedObject, ObjectOutcome)>,
) -> Result<(), DatabaseError> {
    let ids: Vec<ObjectId> = batch.objects.iter().map(|object| object.id).collect();
    let lines = sink.seen(&ids).await?;
    let (batch_id, keeps_other_fields) = (batch.id, sink.rules().keeps_other_fields);
    let settled_before = settled.len();
    for mut object in std::mem::take(&mut batch.objects) {
        let Some(line) = lines.get(&object.id) else {
            if object.extended().is_some() {
                settled.push((object, ObjectOutcome::Failed(CHANGED_MEANWHILE.to_owned())));
            } else {
                batch.objects.push(object);
            }
            continue;
        };
        match by_line(&mut object, line, (run_id, batch_id), keeps_other_fields) {
            Some(outcome) => settled.push((object, outcome)),
            None => batch.objects.push(object),
        }
    }
    if settled.len() == settled_before {
        renumber(sink, batch).await?;
    }
    Ok(())
}

/// Returns what the ledger's line settles; `None` if the object is still to be written, for which it
/// is adapted to the line. `ours` are the run and the batch.
fn by_line(
    object: &mut ParsedObject,
    line: &Line,
    ours: (i64, i64),
    keeps_other_fields: bool,
) -> Option<ObjectOutcome> {
    if (line.run_id, line.batch_id) == ours || is_updated(object, line) {
        return Some(object.outcome().clone());
    }
    let is_as_before = match (object.extended(), object.replaced()) {
        (Some(filters), _) => line.has_content(&object.sha256) && line.filters == *filters,
        (_, Some(loaded)) => line.sha256 == loaded.sha256 && line.filters == loaded.filters,
        (None, None) => false,
    };
    if is_as_before {
        return None;
    }
    let is_loaded = matches!(line.outcome, ObjectOutcome::Loaded | ObjectOutcome::AlreadyLoaded);
    let lacks_ours = is_loaded
        && *object.outcome() == ObjectOutcome::Loaded
        && !line.filters.covers(object.filters());
    let is_extended = object.replaced().is_some_and(|it| it.sha256 == line.sha256);
    if lacks_ours || is_extended || (object.extended().is_some() && !is_loaded) {
        let can_tell = keeps_other_fields || line.filters.needs_only_columns();
        if can_tell && line.has_content(&object.sha256) {
            object.extend(line);
            return None;
        }
        return Some(ObjectOutcome::Failed(CHANGED_MEANWHILE.to_owned()));
    }
    let outcome = outcome_by_other(object.outcome(), line);
    if outcome.is_none() {
        object.replaces_line = !object.updates_line() && object.replaced().is_none();
    }
    outcome
}

/// Gives another number to each object whose number belongs to another object.
///
/// Numbers are hashes of 63 bits, so that this hardly ever happens, and shows as a conflict over
/// objects that the ledger does not have.
async fn renumber(sink: &dyn Sink, batch: &mut Batch) -> Result<(), DatabaseError> {
    let taken = sink.taken_numbers(batch).await?;
    for object in batch.objects.iter_mut().filter(|it| taken.contains(&it.number())) {
        debug!(object = %object.object.location, "another object has its number; taking the next");
        object.renumber();
    }
    Ok(())
}

/// Returns whether the line already has what a compared object records in it.
fn is_updated(object: &ParsedObject, line: &Line) -> bool {
    object.updates_line()
        && line.version == object.object.version
        && line.outcome.as_str() == object.outcome().as_str()
}

/// Returns what the line of another run settles; `None` if ours is still to be written.
fn outcome_by_other(ours: &ObjectOutcome, line: &Line) -> Option<ObjectOutcome> {
    match (&line.outcome, ours) {
        // An update leaves a line alone that another import has replaced.
        (_, ObjectOutcome::AlreadyLoaded | ObjectOutcome::Changed(_)) => None,
        (ObjectOutcome::Loaded | ObjectOutcome::AlreadyLoaded, _) => {
            Some(ObjectOutcome::AlreadyLoaded)
        }
        (ObjectOutcome::Changed(_), _) | (ObjectOutcome::Skipped(_), ObjectOutcome::Skipped(_)) => {
            Some(line.outcome.clone())
        }
        (ObjectOutcome::Skipped(_) | ObjectOutcome::Failed(_), _) => None,
    }
}

fn split(mut batch: Batch) -> Vec<Batch> {
    let later = batch.objects.split_off(batch.objects.len() / 2);
    vec![Batch { id: batch.id, objects: later }, batch]
}

#[cfg(test)]
mod tests;
