//! What the ledger knows, read for people.

use crate::config::StatusPart;
use crate::sink::{Database, FailedObject, RejectedRecord, RunLine, RunTotals, SinkError};

/// One part of the ledger's story.
#[derive(Debug, Clone)]
pub enum Status {
    /// The sums over all objects, and the last run.
    Totals {
        /// Over all lines of the ledger.
        totals: RunTotals,
        /// The newest run, if there was one.
        last_run: Option<Box<RunLine>>,
    },
    /// Runs, the newest first.
    Runs(Vec<RunLine>),
    /// Objects that failed, the latest first.
    Failed(Vec<FailedObject>),
    /// Records that were rejected, by object and place.
    Rejected(Vec<RejectedRecord>),
}

/// Reads a part of the ledger, at most `lines_max` lines of it.
pub async fn read(
    database: &Database,
    part: StatusPart,
    lines_max: u32,
) -> Result<Status, SinkError> {
    Ok(match part {
        StatusPart::Totals => Status::Totals {
            totals: database.ledger_totals().await?,
            last_run: database.runs(1).await?.pop().map(Box::new),
        },
        StatusPart::Runs => Status::Runs(database.runs(lines_max).await?),
        StatusPart::Failed => Status::Failed(database.failed_objects(lines_max).await?),
        StatusPart::Rejected => Status::Rejected(database.rejected_records(lines_max).await?),
    })
}
