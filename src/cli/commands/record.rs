//! `record`: prints a record as it is in its file.

use super::stores;
use crate::cli::config::{Form, RecordSettings};
use crate::cli::error::{Exit, RunError};
use crate::cli::output::{self, RecordReport};

/// Runs the command.
pub(super) async fn run(settings: &RecordSettings, form: Form) -> Result<Exit, RunError> {
    stores::announce(&settings.database);
    let store = stores::open_imported(&settings.database).await?;
    let records = store.records(&settings.event_id).await?;
    store.close().await;
    let exit = if records.is_empty() { Exit::LeftOut } else { Exit::Complete };
    output::print(&RecordReport { event_id: settings.event_id.clone(), records }, form)?;
    Ok(exit)
}
