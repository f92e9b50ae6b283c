//! `status`: prints what the ledger records.

use super::stores;
use crate::cli::config::{Form, StatusPart, StatusSettings, defaults};
use crate::cli::error::{Exit, RunError};
use crate::cli::output::{self, Status};
use crate::database::jobs::latest_jobs;
use crate::database::{DatabaseError, Store};

/// Runs the command.
pub(super) async fn run(settings: &StatusSettings, form: Form) -> Result<Exit, RunError> {
    stores::announce(&settings.database);
    let store = stores::open_imported(&settings.database).await?;
    let lines_max = u32::try_from(settings.lines_max).unwrap_or(u32::MAX);
    let status = read(&*store, settings.part, lines_max).await?;
    store.close().await;
    output::print(&status, form)?;
    Ok(Exit::Complete)
}

/// Reads one part of what the ledger records.
async fn read(
    store: &dyn Store,
    part: StatusPart,
    lines_max: u32,
) -> Result<Status, DatabaseError> {
    Ok(match part {
        StatusPart::Totals => {
            let runs = store.runs(defaults::JOB_RUNS_MAX).await?;
            Status::Totals {
                totals: store.ledger_totals().await?,
                part: store.partly_loaded().await?,
                duplicates_removed: store.duplicates_removed().await?,
                rows_of_first_schema: store.rows_of_first_schema().await?,
                jobs: latest_jobs(&runs),
                last_run: runs.into_iter().next().map(Box::new),
            }
        }
        StatusPart::Runs => Status::Runs(store.runs(lines_max).await?),
        StatusPart::Failed => Status::Failed(store.failed_objects(lines_max).await?),
        StatusPart::Skipped => Status::Skipped(store.skipped_objects(lines_max).await?),
        StatusPart::Rejected => Status::Rejected(store.rejected_records(lines_max).await?),
    })
}
