//! One batch, exactly once: write, back off, ask the ledger, write again.
//!
//! A commit whose answer was lost may have happened, and another import may have loaded the same
//! objects. Both are settled the same way: nothing is written a second time before the ledger,
//! which committed with the rows, has been asked what is in. A batch that the database refuses is
//! split until the bad object stands alone; that object is written down as failed, the others
//! load.

use std::time::Duration;

use tracing::{debug, warn};

use crate::batch::{Batch, ParsedContent, ParsedObject};
use crate::error::chain;
use crate::ledger::{Line, Outcome};
use crate::object::ObjectId;
use crate::record::Kind;
use crate::sink::{Sink, SinkError};

/// How often two imports may get in each other's way over one batch. Each time at least one
/// object of it is settled, unless the other import rolled back.
const CONFLICTS_MAX: u32 = 1_000;

/// How long to wait for a database that does not answer.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    /// The first wait; each later one is twice as long.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
    /// How often to try.
    pub attempts_max: u32,
}

impl Default for Backoff {
    /// Half a minute together: long enough for a server to restart or fail over.
    fn default() -> Self {
        let (first, longest) = (Duration::from_millis(100), Duration::from_secs(10));
        Self { first, longest, attempts_max: 10 }
    }
}

impl Backoff {
    /// Returns how long to wait after an attempt, counted from 1.
    pub(crate) fn wait(&self, attempt: u32) -> Duration {
        self.first.saturating_mul(2_u32.saturating_pow(attempt - 1)).min(self.longest)
    }
}

/// What became of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// This run loaded it.
    Loaded,
    /// Another run, or this one from another source, had loaded it.
    AlreadyLoaded,
    /// It is no log file.
    Skipped(Kind),
    /// Nothing of it is in.
    Failed(String),
}

/// Writes a batch and settles the fate of each of its objects, in `settled`.
///
/// After an error, `settled` holds what was settled before; nothing of the other objects is in,
/// or the ledger knows. Cancelled in the middle, an open transaction rolls back.
///
/// # Errors
/// The last transient error once `backoff` is used up; a fatal one at once.
pub async fn load(
    sink: &dyn Sink,
    run_id: i64,
    batch: Batch,
    backoff: &Backoff,
    settled: &mut Vec<(ParsedObject, Fate)>,
) -> Result<(), SinkError> {
    let mut parts = vec![batch];
    while let Some(part) = parts.pop() {
        parts.extend(load_part(sink, run_id, part, backoff, settled).await?);
    }
    Ok(())
}

/// Writes a part of a batch, or returns the smaller parts that it has to be split into.
async fn load_part(
    sink: &dyn Sink,
    run_id: i64,
    mut batch: Batch,
    backoff: &Backoff,
    settled: &mut Vec<(ParsedObject, Fate)>,
) -> Result<Vec<Batch>, SinkError> {
    let mut attempt = 1;
    let mut conflicts = 0;
    let mut must_ask = false;
    loop {
        let outcome = if must_ask {
            ask(sink, run_id, &mut batch, settled).await
        } else {
            sink.write(run_id, &batch).await
        };
        match outcome {
            Ok(()) if must_ask => must_ask = false,
            Ok(()) => {
                settled.extend(batch.objects.drain(..).map(|object| {
                    let fate = fate_of(&object.content);
                    (object, fate)
                }));
            }
            Err(SinkError::Conflict) if conflicts < CONFLICTS_MAX => {
                debug!(batch = batch.id, "another import was faster; asking the ledger");
                conflicts += 1;
                must_ask = true;
            }
            Err(SinkError::Transient { doing, source }) if attempt < backoff.attempts_max => {
                let wait = backoff.wait(attempt);
                let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                warn!(attempt, wait_ms, cause = %source, "could not {doing}; trying again");
                tokio::time::sleep(wait).await;
                attempt += 1;
                must_ask = true;
            }
            Err(SinkError::Refused { .. }) if batch.objects.len() > 1 => return Ok(split(batch)),
            Err(SinkError::Refused { source }) => {
                let alone = batch.objects.first_mut().expect("a batch is not empty");
                if matches!(alone.content, ParsedContent::Failed(_)) {
                    let doing = "write down a failed object";
                    return Err(SinkError::Fatal { doing, source, hint: None });
                }
                let reason = format!("the database refuses it: {}", chain(&*source));
                alone.content = ParsedContent::Failed(reason);
            }
            Err(error) => return Err(error),
        }
        if batch.objects.is_empty() {
            return Ok(Vec::new());
        }
    }
}

/// Asks the ledger and settles the objects that are in; leaves the others in the batch.
async fn ask(
    sink: &dyn Sink,
    run_id: i64,
    batch: &mut Batch,
    settled: &mut Vec<(ParsedObject, Fate)>,
) -> Result<(), SinkError> {
    let ids: Vec<ObjectId> = batch.objects.iter().map(|object| object.id).collect();
    let lines = sink.seen(&ids).await?;
    let batch_id = batch.id;
    for mut object in std::mem::take(&mut batch.objects) {
        let Some(line) = lines.get(&object.id) else {
            batch.objects.push(object);
            continue;
        };
        let is_ours = (line.run_id, line.batch_id) == (run_id, batch_id);
        let fate = if is_ours {
            Some(fate_of(&object.content))
        } else {
            fate_by_other(&object.content, line)
        };
        if let Some(fate) = fate {
            settled.push((object, fate));
        } else {
            object.replaces_line = true;
            batch.objects.push(object);
        }
    }
    Ok(())
}

/// Returns what the line of another run settles; `None` if ours is to replace it.
fn fate_by_other(ours: &ParsedContent, line: &Line) -> Option<Fate> {
    match (&line.outcome, ours) {
        (Outcome::Loaded, _) => Some(Fate::AlreadyLoaded),
        (Outcome::Skipped(kind), ParsedContent::Foreign(_)) => Some(Fate::Skipped(*kind)),
        (Outcome::Skipped(_) | Outcome::Failed, _) => None,
    }
}

fn fate_of(content: &ParsedContent) -> Fate {
    match content {
        ParsedContent::Log(_) => Fate::Loaded,
        ParsedContent::Foreign(kind) => Fate::Skipped(*kind),
        ParsedContent::Failed(reason) => Fate::Failed(reason.clone()),
    }
}

fn split(mut batch: Batch) -> Vec<Batch> {
    let later = batch.objects.split_off(batch.objects.len() / 2);
    vec![Batch { id: batch.id, objects: later }, batch]
}

#[cfg(test)]
mod tests;
